"""The options that the commands of ``arena rollout`` share, and what they are read as."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
    from content_arena.components.canary_rollout.launch import ServiceRef
    from content_arena.components.canary_rollout.plan.parameters import Parameters
    from content_arena.components.canary_rollout.plan.state import State
    from content_arena.components.registry.registry import Registry

SERVICE, NAMESPACE = "content-filter", "content-arena"
#: Exit codes: a person is waited for, or the rollout is still under way; the process was asked to end.
HELD, STOPPED = 3, 130


class PodAccessChoice(StrEnum):
    """How the pods of a variant are reached."""

    AUTO = "auto"
    DIRECT = "direct"
    PROXY = "proxy"


ServiceOption = Annotated[str, typer.Option("--service", "-s", help="The InferenceService.")]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")]
ContextOption = Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if not given.")]
RegistryOption = Annotated[
    bool, typer.Option("--registry/--no-registry", help="Whether MLflow's aliases follow the traffic.")
]
TrackingOption = Annotated[
    str | None, typer.Option("--tracking-uri", help="MLflow server; $MLFLOW_TRACKING_URI or the arena's own database.")
]
PrometheusOption = Annotated[
    str | None, typer.Option(help="URL of a Prometheus that scrapes the pods; their own /metrics if not given.")
]
PodAccessOption = Annotated[
    PodAccessChoice,
    typer.Option(
        "--pod-access",
        help="How probes and scrapes reach the pods: directly, or through the API server's proxy. auto is direct "
        "inside a cluster and proxy elsewhere.",
    ),
]
LimitOption = Annotated[
    list[str],
    typer.Option(
        "--limit",
        help="NAME=VALUE of a bound, such as p95_seconds=0.8 (seconds) or evasion_margin=0.02 (a share); repeat. "
        "A name that is none lists them all, with what they are by default.",
    ),
]
CorpusOption = Annotated[
    Path | None, typer.Option(help="Corpus (Parquet of prepare_corpus) whose test texts are the probes; else embedded.")
]
ProbesOption = Annotated[int, typer.Option(min=1, help="Texts of each label that each variant is attacked with.")]
IntervalOption = Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")]
PatienceOption = Annotated[float, typer.Option(min=0, help="Seconds that the API server may be away.")]
SettleOption = Annotated[
    float, typer.Option(min=0, help="Seconds from what the gateway's route says to what every gateway pod does.")
]
MetricsPortOption = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Serve the rollout's own figures for Prometheus on this port.")
]
LeaveOption = Annotated[
    bool, typer.Option("--leave-when-held", help="End with exit code 3 once a person is waited for.")
]


def exit_code(state: State) -> int:
    """How a rollout went."""
    return {"promoted": 0, "rolled_back": 1}.get(state.phase.value, HELD)


def command(where: ServiceRef, *words: str) -> str:
    """A command to type, with all that tells which service it is for."""
    overrides = (("--service", where.service, SERVICE), ("--namespace", where.namespace, NAMESPACE))
    options = [f"{name} {value}" for name, value, usual in overrides if value != usual]
    options += [f"--context {where.context}"] if where.context else []
    return " ".join(["arena rollout", *words, *options])


def service_ref(service: str, namespace: str, context: str | None) -> ServiceRef:
    """Where the service is."""
    from content_arena.components.canary_rollout.launch import ServiceRef

    return ServiceRef(service, namespace, context)


def registry(tracking_uri: str | None) -> Registry:
    """The registry that a rollout keeps in step.

    Raises:
        InputError: There is none.
    """
    from content_arena.components.registry.registry import Registry
    from content_arena.pipelines.execution.home import ArenaHome

    home = ArenaHome.from_environment()
    if tracking_uri is None and not home.exists():
        raise InputError(
            f"there is no registry in {home.path}: set MLFLOW_TRACKING_URI or ARENA_HOME, or roll out a service that "
            "no registry knows with --no-registry"
        )
    return Registry(tracking_uri or home.tracking_uri)


def follower(registry: Registry | None) -> RolloutRegistry:
    """What follows the traffic."""
    from content_arena.components.canary_rollout.controller.registry import NoRegistry
    from content_arena.components.registry.sync import RegistrySync

    return NoRegistry() if registry is None else RegistrySync(registry)


def limits(given: Sequence[str]) -> dict[str, float]:
    """Bounds by name.

    Raises:
        InputError: No such bound, or no number.
    """
    from content_arena.components.canary_rollout.analysis.checks import Limits

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


def measuring(
    bounds: Sequence[str], prometheus: str | None, choice: PodAccessChoice, corpus: Path | None, lang: str | None,
    texts: int | None, budget: int | None,
) -> dict[str, Any]:  # fmt: skip
    """What was told of how both variants are measured; see ``MeasuringConfig.of``."""
    from content_arena.components.canary_rollout.kube.kubeconfig import is_in_pod
    from content_arena.components.canary_rollout.measuring.config import PodAccess

    usual = PodAccess.DIRECT if is_in_pod() else PodAccess.PROXY
    pod_access = usual if choice is PodAccessChoice.AUTO else PodAccess(choice.value)
    overrides = {
        "limits": limits(bounds), "prometheus": prometheus, "pod_access": pod_access, "corpus": corpus, "lang": lang,
        "texts_per_label": texts, "budget": budget,
    }  # fmt: skip
    return {name: value for name, value in overrides.items() if value is not None}


def parameters(steps: str, approvals: str, **numbers: float) -> Parameters:
    """The plan.

    Raises:
        InputError: It makes no sense.
    """
    from content_arena.components.canary_rollout.plan.parameters import Parameters

    return Parameters.from_dict(
        {"steps": _percentages("--plan", steps), "approvals": _percentages("--approve-before", approvals), **numbers}
    )


def _percentages(option: str, given: str) -> list[int]:
    try:
        return [int(part.strip().removesuffix("%")) for part in given.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"{option} is {given!r}, wanted percentages such as 0,1,5,25,50,100") from error
