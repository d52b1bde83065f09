"""The options that several commands of ``arena rollout`` share, in groups, and the exit codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import Pace, RolloutRegistry, ServiceRef, State
    from content_arena.components.registry.registry import Registry

SERVICE, NAMESPACE = "content-filter", "content-arena"
#: Exit codes. HELD: the rollout waits for a person, or is still under way. STOPPED: by Ctrl-C or SIGTERM.
HELD, STOPPED = 3, 130


IntervalOption = Annotated[float, typer.Option(min=0.05, help="Seconds between two readings.")]
StorageUriOption = Annotated[
    str | None, typer.Option(help="Where its bundle is; as the registry recorded it if not given.")
]
KServeVersionOption = Annotated[
    str | None,
    typer.Option(
        help="KServe's version, such as 0.21; as its ConfigMap inferenceservice-config tells if not given. Below "
        "0.21, or if it is not known, only Knative mode can roll out."
    ),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="ServingRuntime that its pods run by, if the bundle needs that of another release; a promotion moves the "
        "service to it, and a rollback returns to the one before. That of what serves if not given.",
    ),
]


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
class Override:
    """Options to roll out a version that was rejected."""

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
class PaceOptions:
    """Options of the control loop."""

    interval: IntervalOption = 1.0
    patience: Annotated[float, typer.Option(min=0, help="Seconds that the API server may be away.")] = 600.0
    settle: Annotated[float, typer.Option(min=0, help="Seconds that gateway pods may take to apply a route.")] = 5.0

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
            InputError: There is no registry.
        """
        from content_arena.pipelines.execution.home import ArenaHome, registry_at

        if not self.with_registry:
            return None
        home = ArenaHome.from_environment()
        if self.tracking_uri is None and not home.exists():
            raise InputError(
                f"there is no registry in {home.path}: set MLFLOW_TRACKING_URI or ARENA_HOME, or roll out a service "
                "that no registry knows with --no-registry"
            )
        return registry_at(self.tracking_uri or home.tracking_uri)


def exit_code(state: State) -> int:
    """The exit code for a state."""
    return {"promoted": 0, "rolled_back": 1, "withdrawn": 1}.get(state.phase.value, HELD)


def command(where: ServiceRef, *arguments: str) -> str:
    """A command to type, with the options that name the service unless they are the defaults."""
    given = (("--service", where.service, SERVICE), ("--namespace", where.namespace, NAMESPACE))
    options = [f"{name} {value}" for name, value, default in given if value != default]
    options += [f"--context {where.context}"] if where.context else []
    return " ".join(["arena rollout", *arguments, *options])


def rollout_registry(registry: Registry | None, where: ServiceRef) -> RolloutRegistry:
    """The registry as rollouts of a service need it; one that agrees with everything if None."""
    from content_arena.components.canary_rollout.launch import NoRegistry
    from content_arena.components.registry.sync import RegistrySync

    return NoRegistry() if registry is None else RegistrySync(registry, str(where))
