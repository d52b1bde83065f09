"""``arena rollout``: roll a challenger out step by step, without losing a request.

Exit codes: 0 promoted, 1 rolled back or withdrawn, 2 bad input, 3 left while an approval is needed (or still under
way, where the command does not follow it to its end), 130 stopped by Ctrl-C or SIGTERM, after which the rollout can be
resumed.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    RuntimeOption,
    StorageUriOption,
    Target,
)
from content_arena.pipelines.cli.rollout.plan_options import PlanOptions
from content_arena.pipelines.cli.rollout.running import Job, challenger, run, run_options
from content_arena.pipelines.cli.rollout.settings_option import SettingsOption
from content_arena.pipelines.definitions.settings_file import RunSettings

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import (
        RolloutRequest,
        ServiceRef,
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
    runtime: RuntimeOption = None,
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
    something. Set CONTENT_ARENA_PROBE_TOKEN to the token that the predictors know probes by (Secret arena-probe).

    Try: arena rollout start 3 --dry-run
    """
    from content_arena.components.canary_rollout import launch

    parameters, registry = plan.parameters, mlflow.open()
    rolled_out = replace(challenger(version, storage_uri, registry), runtime=runtime or "")
    request = launch.RolloutRequest(rolled_out, parameters, override.text, kserve_version)
    overrides = measuring.overrides
    overrides["limits"] = {**(settings or RunSettings()).rollout.get("limits", {}), **overrides["limits"]}
    if dry_run:
        _dry_run(target.ref, request, registry, overrides, as_json)
        return
    job = Job(target.ref, registry, run_options(overrides, pace, process), as_json)
    run(job, lambda: launch.start(job.where, options.rollout_registry(registry, job.where), request, job.options))


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

    job = Job(target.ref, mlflow.open(), run_options(measuring.overrides, pace, process), as_json)
    run(job, lambda: launch.resume(job.where, options.rollout_registry(job.registry, job.where), job.options))


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
    previous = None if version is None else challenger(version, storage_uri, registry)
    request = launch.UndoRequest(f"{reason} ({by or getpass.getuser()})", previous, kserve_version)
    job = Job(target.ref, registry, run_options({}, pace, process), as_json)
    run(job, lambda: launch.undo(job.where, options.rollout_registry(registry, job.where), request, job.options))


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


def _dry_run(
    where: ServiceRef, request: RolloutRequest, registry: Registry | None, overrides: dict[str, Any], as_json: bool
) -> None:
    """Prints what ``start`` would do."""
    from content_arena.components.canary_rollout import launch
    from content_arena.pipelines.cli.rollout import tables

    with launch.lines_to(console.status):
        plan = launch.dry_run(where, options.rollout_registry(registry, where), request, overrides)
    if as_json:
        print(json.dumps(plan.as_dict()))
    else:
        out.print(tables.plan_table(plan))
