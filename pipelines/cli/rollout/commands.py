"""``arena rollout``: roll a challenger out step by step, without losing a request.

Exit codes: 0 promoted, 1 rolled back or withdrawn, 2 bad input, 3 left while an approval is needed (or still under
way, where the command does not follow it to its end), 130 stopped by Ctrl-C or SIGTERM, after which the rollout can be
resumed.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.cli.rollout import options, requests
from content_arena.pipelines.cli.rollout.measuring_options import FirstMeasuringOptions, MeasuringOptions
from content_arena.pipelines.cli.rollout.options import (
    KServeVersionOption,
    Override,
    PaceOptions,
    ProcessOptions,
    RegistryOptions,
    StorageUriOption,
    Target,
)
from content_arena.pipelines.cli.rollout.plan_options import PlanOptions
from content_arena.pipelines.cli.rollout.settings_option import SettingsOption
from content_arena.pipelines.definitions.settings_file import RunSettings

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import (
        Challenger,
        RolloutArtifacts,
        RolloutRequest,
        RunOptions,
        ServiceRef,
        State,
    )
    from content_arena.components.registry.registry import Registry


rollout = typer.Typer(
    name="rollout",
    help="Roll a version out on KServe: start it without users, give it 1 %, 5 %, 25 % of them, measure it beside the "
    "champion at every step, and roll it back as soon as it is worse.\n\n"
    "The rollout keeps its state in the ConfigMap rollout-SERVICE, so every command works from anywhere and a killed "
    "one can be resumed. Approvals and aborts can be sent with kubectl too: annotate that ConfigMap with "
    "content-arena/approve='3/step-25 by alice', or content-arena/abort='3 by alice: complaints'.\n\n"
    "Exit codes: 0 promoted, 1 rolled back or withdrawn, 2 bad input, 3 an approval is needed, 130 stopped.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line, in the order in which they are needed."""
    for command in (start, requests.status, requests.watch, requests.approve, requests.abort, resume, undo, reconcile):
        rollout.command()(command)
    app.add_typer(rollout)


@dataclass(frozen=True)
class _Job:
    """What ``start`` and ``resume`` share: the service, its registry, how the process runs, and the form of output."""

    where: ServiceRef
    registry: Registry | None
    options: RunOptions
    as_json: bool


@grouped
def start(
    target: Target,
    plan: PlanOptions,
    override: Override,
    measuring: FirstMeasuringOptions,
    pace: PaceOptions,
    process: ProcessOptions,
    mlflow: RegistryOptions,
    version: Annotated[str, typer.Argument(help="Version or alias in the registry.")] = "challenger",
    storage_uri: StorageUriOption = None,
    kserve_version: KServeVersionOption = None,
    settings: SettingsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, have the API server check every patch, change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Begin a rollout and run it to its end: promoted (exit code 0), rolled back or withdrawn (1).

    The challenger gets to the next step only by a pass over the whole bake. A fail rolls it back at once. If nothing is
    wrong with it, but a node is full for example, it is withdrawn, and may be rolled out again. The rollout waits for
    an approval after too many inconclusive judgements, after an edit by another person, and when the cluster refuses
    something. Set CONTENT_ARENA_PROBE_TOKEN if the predictors have a token for probes (Secret arena-probe).

    Try: arena rollout start 3 --dry-run
    """
    from content_arena.components.canary_rollout import launch

    parameters, registry = plan.parameters, mlflow.open()
    challenger = _challenger(version, storage_uri, registry)
    request = launch.RolloutRequest(challenger, parameters, override.text, kserve_version)
    overrides = measuring.overrides
    overrides["limits"] = {**(settings or RunSettings()).rollout.get("limits", {}), **overrides["limits"]}
    if dry_run:
        _dry_run(target.ref, request, registry, overrides, as_json)
        return
    job = _Job(target.ref, registry, _run_options(overrides, pace, process), as_json)
    _run(job, lambda: launch.start(job.where, options.rollout_registry(registry, job.where), request, job.options))


@grouped
def resume(
    target: Target,
    measuring: MeasuringOptions,
    pace: PaceOptions,
    process: ProcessOptions,
    mlflow: RegistryOptions,
    as_json: AsJson = False,
) -> None:
    """Go on with a rollout whose process ended, by the plan it began with.

    Bounds, Prometheus and probes are also those of `start`, unless they are given here. How pods are accessed
    (--pod-access) is not recorded, because it depends on where this process runs.
    Safe at any time: if another process runs the rollout, this one ends with an error and exit code 2.
    """
    from content_arena.components.canary_rollout import launch

    job = _Job(target.ref, mlflow.open(), _run_options(measuring.overrides, pace, process), as_json)
    _run(job, lambda: launch.resume(job.where, options.rollout_registry(job.registry, job.where), job.options))


@grouped
def undo(
    target: Target,
    pace: PaceOptions,
    process: ProcessOptions,
    mlflow: RegistryOptions,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the record.")],
    version: Annotated[
        str | None, typer.Argument(help="Version to bring back; the one that served before if not given.")
    ] = None,
    storage_uri: StorageUriOption = None,
    by: Annotated[str | None, typer.Option(help="Who asks; the user of this machine if not given.")] = None,
    kserve_version: KServeVersionOption = None,
    as_json: AsJson = False,
) -> None:
    """Take the last promotion back: the version before it gets all users as soon as its pods are ready.

    Nothing is analysed, and no request is lost. The version that is taken back is tagged as rejected with the reason.
    Exit code 0 once the version before it serves alone. While a rollout is under way, abort it instead.

    Try: arena rollout undo --reason "complaints"
    """
    from content_arena.components.canary_rollout import launch

    registry = mlflow.open()
    previous = None if version is None else _challenger(version, storage_uri, registry)
    request = launch.UndoRequest(f"{reason} ({by or getpass.getuser()})", previous, kserve_version)
    job = _Job(target.ref, registry, _run_options({}, pace, process), as_json)
    _run(job, lambda: launch.undo(job.where, options.rollout_registry(registry, job.where), request, job.options))


@grouped
def reconcile(
    target: Target,
    pace: PaceOptions,
    mlflow: RegistryOptions,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make what serves the champion, where the registry names another version.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make registry, spec and traffic agree after a process was killed, and print what was done. Safe to repeat.

    Ends a rollout that no process runs: finishes a promotion, a rollback or an undo, and withdraws anything else. A
    rollout that waits for a person's decision goes on waiting. A champion that does not serve here is named, and stays
    the champion unless --adopt is given: another service may serve it.
    """
    from content_arena.components.canary_rollout import launch
    from content_arena.components.registry.publish import publish

    registry = mlflow.open()
    with launch.lines_to(console.status):
        done = launch.reconcile(
            target.ref,
            options.rollout_registry(registry, target.ref),
            adopts=adopt,
            pace=pace.pace,
            settle_seconds=pace.settle,
        )
    done += publish(registry) if registry else []
    console.answer({"done": done}, "\n".join(done) or "Everything agrees.", as_json)


def _run_options(overrides: dict[str, Any], pace: PaceOptions, process: ProcessOptions) -> RunOptions:
    from content_arena.components.canary_rollout.launch import RunOptions

    return RunOptions(
        _artifacts,
        overrides,
        pace.pace,
        settle_seconds=pace.settle,
        metrics_port=process.metrics_port,
        leave_when_held=process.leave_when_held,
    )


def undone(where: ServiceRef, registry: Registry, previous: str, reason: str) -> State:
    """Takes the last promotion of a service back, as ``undo`` does with its default options, and prints no result.

    Args:
        where: The service.
        registry: Its aliases follow.
        previous: The version to bring back.
        reason: Why, for the record.

    Returns:
        The state at the end.

    Raises:
        InputError: There is no such service, the version was never published, or a rollout is under way.
    """
    from content_arena.components.canary_rollout import launch

    request = launch.UndoRequest(f"{reason} ({getpass.getuser()})", _challenger(previous, None, registry))
    job = _Job(where, registry, _run_options({}, PaceOptions(), ProcessOptions()), False)
    return _ended(job, lambda: launch.undo(where, options.rollout_registry(registry, where), request, job.options))


def _run(job: _Job, use_case: Callable[[], State]) -> None:
    """Runs a rollout to its end, prints the result, and exits with the code for its state.

    After a promotion it stays until the version before is no longer kept.
    """
    from content_arena.components.canary_rollout import launch

    state = _ended(job, use_case)
    text = f"Version {state.challenger} is {state.phase.value.replace('_', ' ')} at {state.percent} %: {state.reason}."
    if state.gate:
        text += f"\nIt waits for: {options.command(job.where, 'approve', str(state.gate))}"
    console.answer(_answer(state), text, job.as_json)
    with launch.lines_to(console.status):
        launch.keep(job.where, state, job.options)
    raise typer.Exit(options.exit_code(state))


def _ended(job: _Job, use_case: Callable[[], State]) -> State:
    """Runs a rollout to its end; if it is stopped before, that is printed and the command exits."""
    from content_arena.components.canary_rollout import launch
    from content_arena.components.registry.publish import publish_after

    try:
        with launch.lines_to(console.status):
            state = use_case()
    except launch.Stopped as stopped:
        console.status(f"arena: {stopped}")
        if job.as_json:
            print(json.dumps(_answer(stopped.state) if stopped.state else {"error": str(stopped)}))
        raise typer.Exit(options.STOPPED) from None
    if state.phase is launch.Phase.PROMOTED and job.registry is not None:
        for line in publish_after(job.registry):
            console.status(line)
    return state


def _dry_run(
    where: ServiceRef, request: RolloutRequest, registry: Registry | None, overrides: dict[str, Any], as_json: bool
) -> None:
    """Prints what ``start`` would do."""
    from content_arena.components.canary_rollout import launch
    from content_arena.pipelines.cli.rollout import tables

    plan = launch.dry_run(where, options.rollout_registry(registry, where), request, overrides)
    if as_json:
        print(json.dumps(plan.as_dict()))
    else:
        out.print(tables.plan_table(plan))


def _challenger(version: str, storage_uri: str | None, registry: Registry | None) -> Challenger:
    """The version to roll out, and where its bundle is.

    Raises:
        InputError: The address of the bundle is not known.
        RegistryError: There is no such version.
    """
    from content_arena.components.canary_rollout.launch import Challenger

    if registry is None:
        if storage_uri is None:
            raise InputError("--no-registry needs --storage-uri: where the bundle is")
        return Challenger(version, storage_uri)
    number = registry.resolve(version)
    uri = storage_uri or registry.get(number).tags.get(registry.STORAGE_URI)
    if not uri:
        raise InputError(
            f"version {number} was never published where a cluster could load it from: give --storage-uri, or set "
            "CONTENT_ARENA_MODELS_URI where it is promoted"
        )
    return Challenger(str(number), uri)


def _artifacts(name: str) -> RolloutArtifacts:
    from content_arena.components.canary_rollout.launch import RolloutArtifacts
    from content_arena.pipelines.execution.home import ArenaHome

    folder = ArenaHome.from_environment().path / "rollouts"
    return RolloutArtifacts(folder / f"{name}.jsonl", folder / f"{name}.html")


def _answer(state: State) -> dict[str, Any]:
    artifacts = _artifacts(state.rollout)
    return {
        "rollout": state.rollout,
        "version": state.challenger,
        "phase": state.phase.value,
        "percent": state.percent,
        "reason": state.reason,
        "gate": str(state.gate) if state.gate else None,
        "approvals": list(state.approvals),
        "history": str(artifacts.history),
        "timeline": str(artifacts.timeline) if artifacts.timeline.exists() else None,
    }
