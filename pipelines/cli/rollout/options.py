"""The options that the commands of ``arena rollout`` share, in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import Pace, RolloutRegistry, ServiceRef, State
    from content_arena.components.registry.registry import Registry

SERVICE, NAMESPACE = "content-filter", "content-arena"
#: Exit codes: the rollout waits for a person, or is still under way; the process was asked to end.
HELD, STOPPED = 3, 130


class PodAccessChoice(StrEnum):
    """How the pods of a variant are reached."""

    AUTO = "auto"
    DIRECT = "direct"
    PROXY = "proxy"


IntervalOption = Annotated[float, typer.Option(min=0.05, help="Seconds between two readings.")]


@dataclass(frozen=True)
class Target:
    """Options that name the service."""

    service: Annotated[str, typer.Option("--service", "-s", help="The InferenceService.")] = SERVICE
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = NAMESPACE
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if not given.")] = None

    @property
    def ref(self) -> ServiceRef:
        """The service."""
        from content_arena.components.canary_rollout.launch import ServiceRef

        return ServiceRef(self.service, self.namespace, self.context)


@dataclass(frozen=True)
class PlanOptions:
    """Options of the plan of a rollout."""

    plan: Annotated[
        str,
        typer.Option(
            help="Percentages, rising from 0: the staging step without users. 0,100 is blue-green; a plan that ends "
            "below 100 needs an approval before the rest."
        ),
    ] = ",".join(map(str, Parameters.steps))
    bake: Annotated[float, typer.Option(min=0, help="Seconds each step is measured.")] = Parameters.bake_seconds
    warmup: Annotated[float, typer.Option(min=0, help="Seconds at each step's start that do not count.")] = (
        Parameters.warmup_seconds
    )
    min_requests: Annotated[
        int, typer.Option(min=0, help="Answers to users that have to be judged at each step above 0.")
    ] = Parameters.min_requests
    failures: Annotated[int, typer.Option(min=0, help="Failed judgements that a step survives.")] = (
        Parameters.failure_limit
    )
    inconclusives: Annotated[
        int, typer.Option(min=0, help="Inconclusive judgements in a row before an approval is needed.")
    ] = Parameters.inconclusive_limit
    approve_before: Annotated[str, typer.Option(help="Steps that need an approval, such as 25,100.")] = ""
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds for pods to start, at each step.")] = (
        Parameters.start_seconds
    )
    move_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for the gateway to follow, in addition to that.")
    ] = Parameters.move_seconds
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds for the whole rollout, without waiting for a person.")
    ] = Parameters.deadline_seconds

    @property
    def parameters(self) -> Parameters:
        """The plan.

        Raises:
            InputError: It makes no sense.
        """
        return parameters(
            self.plan,
            self.approve_before,
            bake_seconds=self.bake,
            warmup_seconds=self.warmup,
            min_requests=self.min_requests,
            failure_limit=self.failures,
            inconclusive_limit=self.inconclusives,
            start_seconds=self.start_timeout,
            move_seconds=self.move_timeout,
            deadline_seconds=self.deadline,
        )


@dataclass(frozen=True)
class Override:
    """Options to roll a rejected version out."""

    reason: Annotated[
        str | None,
        typer.Option(
            help="Why to roll out a version that was rejected or failed its gates; such a version needs a reason."
        ),
    ] = None
    insist: Annotated[str | None, typer.Option(hidden=True, help="Former name of --reason.")] = None

    @property
    def text(self) -> str | None:
        """The reason; None if none was given."""
        return self.reason if self.reason is not None else self.insist


@dataclass(frozen=True)
class MeasuringOptions:
    """Options of the measuring. Those that are not given are as recorded when the rollout began."""

    limit: Annotated[
        list[str],
        typer.Option(
            "--limit",
            help="NAME=VALUE of a bound, such as p95_seconds=0.8 (seconds) or evasion_margin=0.02 (a share); repeat. "
            "An unknown name lists all bounds with their defaults.",
        ),
    ] = field(default_factory=list)
    prometheus: Annotated[
        str | None, typer.Option(help="URL of a Prometheus that scrapes the pods; their own /metrics if not given.")
    ] = None
    pod_access: Annotated[
        PodAccessChoice,
        typer.Option(
            "--pod-access",
            help="How probes and scrapes reach the pods: directly, or through the API server's proxy. auto is direct "
            "inside a cluster and proxy elsewhere.",
        ),
    ] = PodAccessChoice.AUTO
    probe_corpus: Annotated[
        Path | None,
        typer.Option(help="Corpus (Parquet of prepare_corpus) whose test texts are the probes; else embedded."),
    ] = None
    lang: Annotated[str | None, typer.Option(help="Language of the texts, ISO 639-1.")] = None
    probe_texts: Annotated[
        int | None, typer.Option(min=1, help="Texts of each label that each variant is attacked with.")
    ] = None
    probe_budget: Annotated[int | None, typer.Option(min=1, help="Queries on each attacked text.")] = None
    probe_rounds: Annotated[int | None, typer.Option(min=1, hidden=True, help="Former name of --probe-budget.")] = None

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings for ``RunOptions.overrides``.

        Raises:
            InputError: A bound does not exist, or its value makes no sense.
        """
        from content_arena.components.canary_rollout.launch import PodAccess, is_in_pod

        usual = PodAccess.DIRECT if is_in_pod() else PodAccess.PROXY
        is_auto = self.pod_access is PodAccessChoice.AUTO
        overrides = {
            "limits": limits(self.limit),
            "prometheus": self.prometheus,
            "pod_access": usual if is_auto else PodAccess(self.pod_access.value),
            "corpus": self.probe_corpus,
            "lang": self.lang,
            "texts_per_label": self.probe_texts,
            "budget": self.probe_budget if self.probe_rounds is None else self.probe_rounds,
        }
        return {name: value for name, value in overrides.items() if value is not None}


@dataclass(frozen=True)
class FirstMeasuringOptions(MeasuringOptions):
    """Options of the measuring when a rollout begins, with their defaults."""

    lang: Annotated[str, typer.Option(help="Language of the texts, ISO 639-1.")] = "en"
    probe_texts: Annotated[int, typer.Option(min=1, help="Texts of each label that each variant is attacked with.")] = (
        120
    )
    probe_budget: Annotated[int, typer.Option(min=1, help="Queries on each attacked text.")] = 3


@dataclass(frozen=True)
class PaceOptions:
    """Options of the control loop."""

    interval: IntervalOption = 1.0
    patience: Annotated[float, typer.Option(min=0, help="Seconds that the API server may be away.")] = 600.0
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds from what the gateway's route says to what every gateway pod does.")
    ] = 5.0

    @property
    def pace(self) -> Pace:
        """How often the loop runs, and how long it waits for the API server."""
        from content_arena.components.canary_rollout.launch import Pace

        return Pace(self.interval, self.patience)


@dataclass(frozen=True)
class ProcessOptions:
    """Options of the process that runs a rollout."""

    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve the rollout's metrics for Prometheus on this port.")
    ] = None
    leave_when_held: Annotated[
        bool, typer.Option("--leave-when-held", help="End with exit code 3 once an approval is needed.")
    ] = False


@dataclass(frozen=True)
class RegistryOptions:
    """Options of the registry."""

    with_registry: Annotated[
        bool, typer.Option("--registry/--no-registry", help="Whether MLflow's aliases follow the traffic.")
    ] = True
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", help="MLflow server; $MLFLOW_TRACKING_URI or the arena's own database."),
    ] = None

    def open(self) -> Registry | None:
        """The registry that a rollout keeps in step; None with ``--no-registry``.

        Raises:
            InputError: There is none.
        """
        from content_arena.components.registry.registry import Registry
        from content_arena.pipelines.execution.home import ArenaHome

        if not self.with_registry:
            return None
        home = ArenaHome.from_environment()
        if self.tracking_uri is None and not home.exists():
            raise InputError(
                f"there is no registry in {home.path}: set MLFLOW_TRACKING_URI or ARENA_HOME, or roll out a service "
                "that no registry knows with --no-registry"
            )
        return Registry(self.tracking_uri or home.tracking_uri)


def exit_code(state: State) -> int:
    """The exit code for a state."""
    return {"promoted": 0, "rolled_back": 1}.get(state.phase.value, HELD)


def command(where: ServiceRef, *words: str) -> str:
    """A command to type, with the options that name the service."""
    given = (("--service", where.service, SERVICE), ("--namespace", where.namespace, NAMESPACE))
    options = [f"{name} {value}" for name, value, usual in given if value != usual]
    options += [f"--context {where.context}"] if where.context else []
    return " ".join(["arena rollout", *words, *options])


def rollout_registry(registry: Registry | None) -> RolloutRegistry:
    """The registry as a rollout uses it."""
    from content_arena.components.canary_rollout.launch import NoRegistry
    from content_arena.components.registry.sync import RegistrySync

    return NoRegistry() if registry is None else RegistrySync(registry)


def limits(given: Sequence[str]) -> dict[str, float]:
    """Bounds by name.

    Raises:
        InputError: A bound does not exist, or its value is not a number of 0 or more.
    """
    from content_arena.components.canary_rollout.launch import Limits

    names, values = [field.name for field in fields(Limits)], {}
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in names:
            usual = ", ".join(f"{field.name}={field.default}" for field in fields(Limits))
            raise InputError(f"no limit {name!r}; wanted NAME=VALUE, one of (as they are by default): {usual}")
        try:
            values[name] = float(value)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise InputError(f"limit {name} is {value!r}, wanted a number")
        if values[name] < 0:
            raise InputError(f"limit {name} is {value}, which nothing can meet: wanted 0 or more")
    return values


def parameters(steps: str, approvals: str, **numbers: float) -> Parameters:
    """The plan.

    Raises:
        InputError: It makes no sense.
    """
    return Parameters.from_dict(
        {"steps": _percentages("--plan", steps), "approvals": _percentages("--approve-before", approvals), **numbers}
    )


def _percentages(option: str, given: str) -> list[int]:
    try:
        return [int(part.strip().removesuffix("%")) for part in given.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"{option} is {given!r}, wanted percentages such as 0,1,5,25,50,100") from error
