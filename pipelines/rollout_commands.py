"""``arena rollout``: a challenger meets users step by step, and no request is lost.

Exit codes: 0 promoted, 1 rolled back, 2 something given can not be used, 3 left while a person is waited for (or still
under way, where the command does not follow it to its end), 130 stopped by Ctrl-C or SIGTERM: it can be resumed.
"""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines import rollout_options as options
from content_arena.pipelines.console import err, out, says_errors
from content_arena.pipelines.options import AsJson, LangOption
from content_arena.pipelines.rollout_options import (
    ContextOption,
    CorpusOption,
    Door,
    DoorOption,
    IntervalOption,
    LeaveOption,
    LimitOption,
    MetricsPortOption,
    NamespaceOption,
    PatienceOption,
    ProbesOption,
    PrometheusOption,
    RegistryOption,
    ServiceOption,
    SettleOption,
    TrackingOption,
)

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.assembly import Beginning, Measuring, Site
    from content_arena.components.canary_rollout.state import State
    from content_arena.components.registry_promotion.registry import Registry

HELD = 3
_STOPPED = 130
_SERVICE, _NAMESPACE = "content-filter", "content-arena"

rollout = typer.Typer(
    name="rollout",
    help="Roll a version out on KServe: rehearse it, give it 1 %, 5 %, 25 % of the users, measure it beside the "
    "champion at every step, and take it back the moment it is worse.\n\n"
    "The rollout keeps its state on the InferenceService, so every command works from anywhere and a killed one "
    "is resumed. kubectl can do the people's part: annotate content-arena/approve='3/step-25 by alice', or "
    "content-arena/abort='3 by alice: complaints'.\n\n"
    "Exit codes: 0 promoted, 1 rolled back, 2 bad input, 3 a person is waited for, 130 stopped.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(rollout)


@rollout.command()
@says_errors
def start(
    version: Annotated[str, typer.Argument(help="Version or alias in the registry.")] = "challenger",
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    storage_uri: Annotated[
        str | None, typer.Option(help="Where its bundle is; as the registry noted it if not given.")
    ] = None,
    plan: Annotated[
        str, typer.Option(help="Percentages, rising from 0: the rehearsal no user meets. 0,100 is blue-green.")
    ] = "0,1,5,25,50,100",
    bake: Annotated[float, typer.Option(min=0, help="Seconds each step is measured.")] = 300.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds at each step's start that do not count.")] = 30.0,
    min_requests: Annotated[
        int, typer.Option(min=0, help="Answers to users that have to be judged at each step above 0.")
    ] = 400,
    failures: Annotated[int, typer.Option(min=0, help="Failed judgements that a step survives.")] = 0,
    inconclusives: Annotated[
        int, typer.Option(min=0, help="Inconclusive judgements in a row before a person is asked.")
    ] = 3,
    approve_before: Annotated[str, typer.Option(help="Steps that wait for a person, such as 25,100.")] = "",
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds for the challenger's pods to come up.")] = 600.0,
    move_timeout: Annotated[float, typer.Option(min=1, help="Seconds for the gateway to follow a move.")] = 300.0,
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds for all of it; waiting for a person does not count.")
    ] = 21_600.0,
    insist: Annotated[
        str | None, typer.Option(metavar="REASON", help="Roll out a version that was rejected or failed its gates.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, have the API server check every patch, change nothing.")
    ] = False,
    limit: LimitOption = [],  # noqa: B006 - typer's way to say "none"
    prometheus: PrometheusOption = None,
    reach: DoorOption = Door.AUTO,
    probe_corpus: CorpusOption = None,
    lang: LangOption = "en",
    probe_texts: ProbesOption = 60,
    probe_rounds: Annotated[int, typer.Option(min=1, help="Attempts on each attacked text.")] = 3,
    interval: IntervalOption = 1.0,
    patience: PatienceOption = 600.0,
    settle: SettleOption = 5.0,
    metrics_port: MetricsPortOption = None,
    leave_when_held: LeaveOption = False,
    with_registry: RegistryOption = True,
    tracking_uri: TrackingOption = None,
    as_json: AsJson = False,
) -> None:
    """Begin a rollout and carry it to its end: promoted (exit code 0) or rolled back (1).

    Each step is left upwards only by a pass over the whole bake; a fail goes back at once; too many inconclusive
    judgements, an edit by somebody else and everything the cluster refuses wait for a person.

    Try: arena rollout start 3 --dry-run
    """
    from content_arena.components.canary_rollout.assembly import Beginning

    parameters = options.parameters(
        plan, approve_before, bake_seconds=bake, warmup_seconds=warmup, min_requests=min_requests,
        failure_limit=failures, inconclusive_limit=inconclusives, start_seconds=start_timeout,
        move_seconds=move_timeout, deadline_seconds=deadline,
    )  # fmt: skip
    where = options.site(service, namespace, context)
    registry = options.registry(tracking_uri) if with_registry else None
    beginning = Beginning(_challenger(version, storage_uri, registry), parameters, insist)
    if dry_run:
        _rehearse(where, beginning, options.follower(registry), as_json)
        return
    measuring = options.measuring(limit, prometheus, reach, probe_corpus, lang, probe_texts, probe_rounds)
    _carry(where, registry, measuring, beginning, interval, patience, settle, metrics_port, leave_when_held, as_json)


@rollout.command()
@says_errors
def resume(
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    limit: LimitOption = [],  # noqa: B006
    prometheus: PrometheusOption = None,
    reach: DoorOption = Door.AUTO,
    probe_corpus: CorpusOption = None,
    lang: LangOption = "en",
    probe_texts: ProbesOption = 60,
    probe_rounds: Annotated[int, typer.Option(min=1, help="Attempts on each attacked text.")] = 3,
    interval: IntervalOption = 1.0,
    patience: PatienceOption = 600.0,
    settle: SettleOption = 5.0,
    metrics_port: MetricsPortOption = None,
    leave_when_held: LeaveOption = False,
    with_registry: RegistryOption = True,
    tracking_uri: TrackingOption = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a rollout whose process ended, wherever it was, by the plan it began with.

    Safe at any time: while another process lives, this one says so and ends with exit code 2.
    """
    where = options.site(service, namespace, context)
    registry = options.registry(tracking_uri) if with_registry else None
    measuring = options.measuring(limit, prometheus, reach, probe_corpus, lang, probe_texts, probe_rounds)
    _carry(where, registry, measuring, None, interval, patience, settle, metrics_port, leave_when_held, as_json)


@rollout.command()
@says_errors
def status(
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a rollout is, what it waits for and who carries it. Reads the service and nothing else."""
    from content_arena.pipelines import rollout_presentation

    seen = rollout_presentation.look(options.site(service, namespace, context))
    if as_json:
        print(json.dumps(seen.as_dict()))
    else:
        out.print(rollout_presentation.table(seen))


@rollout.command()
@says_errors
def watch(
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    interval: IntervalOption = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show a rollout's progress until it ends; Ctrl-C stops the watching and nothing else.

    With --json one object a change. Exit code 0 promoted, 1 rolled back.
    """
    from content_arena.pipelines import rollout_presentation

    where = options.site(service, namespace, context)
    try:
        seen = rollout_presentation.follow(where, interval, err, print if as_json else None)
    except KeyboardInterrupt:
        raise typer.Exit(_STOPPED) from None
    raise typer.Exit(_exit_code(seen.state))


@rollout.command()
@says_errors
def approve(
    gate: Annotated[
        str | None, typer.Argument(help="What it waits for, such as step-25; the present one if none.")
    ] = None,
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    by: Annotated[str | None, typer.Option(help="Who approves; the user of this machine if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open the gate that a rollout waits at, for the version it rolls out and no other.

    A step's gate (step-25) can be opened before it is reached.
    """
    from content_arena.components.canary_rollout import annotations
    from content_arena.components.canary_rollout.plan import gate_before
    from content_arena.components.canary_rollout.state import Phase

    cluster, state = _under_way(service, namespace, context)
    is_on_its_way_up = state.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK)
    ahead = [
        gate_before(step)
        for step in state.parameters.path[state.step :]
        if is_on_its_way_up and state.parameters.needs_approval(step)
    ]
    if gate is None and not state.gate:
        raise InputError(f"the rollout of version {state.challenger} waits for nobody ({state.phase.value})")
    gate = gate or state.gate
    if gate not in (state.gate, *ahead):
        known = ", ".join(dict.fromkeys(name for name in (state.gate, *ahead) if name)) or "none"
        raise InputError(f"the rollout of version {state.challenger} has no gate {gate}; there is: {known}")
    who = by or getpass.getuser()
    annotations.annotate(cluster, service, annotations.approval(state.challenger, gate, who))
    _said(
        {"version": state.challenger, "gate": gate, "by": who},
        f"{gate} of version {state.challenger} is approved by {who}.",
        as_json,
    )


@rollout.command()
@says_errors
def abort(
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the record.")] = "aborted by hand",
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    by: Annotated[str | None, typer.Option(help="Who aborts; the user of this machine if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have the rollout take its challenger back, wherever it is; `arena rollout watch` shows it happen.

    The process that carries the rollout does it: where none lives, `arena rollout resume` or `reconcile` does.
    """
    from content_arena.components.canary_rollout import annotations

    cluster, state = _under_way(service, namespace, context)
    who = by or getpass.getuser()
    annotations.annotate(cluster, service, annotations.abortion(state.challenger, who, reason))
    answer = {"version": state.challenger, "by": who, "reason": reason}
    _said(answer, f"Version {state.challenger} is asked back by {who}: {reason}.", as_json)


@rollout.command()
@says_errors
def reconcile(
    service: ServiceOption = _SERVICE,
    namespace: NamespaceOption = _NAMESPACE,
    context: ContextOption = None,
    interval: IntervalOption = 1.0,
    patience: PatienceOption = 600.0,
    settle: SettleOption = 5.0,
    with_registry: RegistryOption = True,
    tracking_uri: TrackingOption = None,
    as_json: AsJson = False,
) -> None:
    """Make registry, spec and traffic agree after a bad day, and say what was done. Safe to repeat.

    A rollout that nobody carries on is ended: what was being promoted or withdrawn is, all else goes back; one that
    waits for a person's judgement goes on waiting.
    """
    from content_arena.components.canary_rollout.assembly import put_in_order
    from content_arena.components.canary_rollout.rollout import Pace
    from content_arena.components.registry_promotion.publish import publish

    registry = options.registry(tracking_uri) if with_registry else None
    done = put_in_order(
        options.site(service, namespace, context), options.follower(registry), say=_tell,
        pace=Pace(interval, patience), settle_seconds=settle,
    )  # fmt: skip
    done += publish(registry) if registry else []
    _said({"done": done}, "\n".join(done) or "Everything agrees.", as_json)


def _carry(
    where: Site, registry: Registry | None, measuring: Measuring, beginning: Beginning | None, interval: float,
    patience: float, settle: float, metrics_port: int | None, leave_when_held: bool, as_json: bool,
) -> None:  # fmt: skip
    """Rolls out, and ends with the exit code that says how it went."""
    from content_arena.components.canary_rollout.assembly import Stopped, roll_out
    from content_arena.components.canary_rollout.rollout import Pace
    from content_arena.components.canary_rollout.state import Phase
    from content_arena.components.registry_promotion.publish import publish

    try:
        state = roll_out(
            where, options.follower(registry), measuring, beginning, say=_tell, history=_history,
            pace=Pace(interval, patience), settle_seconds=settle,
            metrics_port=metrics_port,
            should_leave=lambda state: leave_when_held and state.phase is Phase.WAITING,
        )  # fmt: skip
    except Stopped as stopped:
        err.print(f"arena: {stopped}", highlight=False, soft_wrap=True)
        raise typer.Exit(_STOPPED) from None
    if state.phase is Phase.PROMOTED and registry is not None:
        for line in publish(registry):
            _tell(line)
    answer = _answer(state)
    text = f"Version {state.challenger} is {state.phase.value.replace('_', ' ')} at {state.percent} %: {state.reason}."
    if state.gate:
        text += f"\nIt waits for: arena rollout approve {state.gate} --service {where.service}"
    _said(answer, text, as_json)
    raise typer.Exit(_exit_code(state))


def _rehearse(where: Site, beginning: Beginning, follower: Any, as_json: bool) -> None:  # noqa: ANN401
    """What ``start`` would do."""
    from content_arena.components.canary_rollout.cluster import Cluster
    from content_arena.components.canary_rollout.move import Mover
    from content_arena.components.canary_rollout.rehearsal import rehearse, validated
    from content_arena.components.canary_rollout.rollout import refuse_unfinished
    from content_arena.components.canary_rollout.state import start as begun
    from content_arena.pipelines import rollout_presentation

    mover = Mover(Cluster(where.namespace, where.context), where.service)
    view = mover.look()
    refuse_unfinished(view)
    stable, challenger = mover.mode.stable(view), beginning.challenger
    begun("rehearsal", challenger.version, challenger.storage_uri, stable, beginning.parameters, 0.0)
    follower.check(challenger.version, stable.version, beginning.insist, dry_run=True)
    patches = [
        validated(mover, view, patch) for patch in rehearse(mover.mode, view, stable, challenger, beginning.parameters)
    ]
    if as_json:
        print(json.dumps(rollout_presentation.plan_json(mover.mode.name, stable, beginning, patches)))
    else:
        out.print(rollout_presentation.plan_table(mover.mode.name, stable, beginning, patches))


def _challenger(version: str, storage_uri: str | None, registry: Registry | None) -> Any:  # noqa: ANN401
    """What is to be rolled out.

    Raises:
        InputError: It is not said where its bundle is.
        RegistryError: There is no such version.
    """
    from content_arena.components.canary_rollout.traffic import Challenger

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


def _under_way(service: str, namespace: str, context: str | None) -> tuple[Any, State]:
    """The cluster, and the rollout that is under way in it.

    Raises:
        InputError: None is.
    """
    from content_arena.components.canary_rollout.annotations import record_of
    from content_arena.components.canary_rollout.cluster import Cluster

    cluster = Cluster(namespace, context)
    state = record_of(cluster.service(service))
    if state.phase.is_end:
        raise InputError(f"the last rollout of {service} is over: version {state.challenger} is {state.phase.value}")
    return cluster, state


def _history(name: str) -> Path:
    from content_arena.pipelines.home import ArenaHome

    return ArenaHome.from_environment().path / "rollouts" / f"{name}.jsonl"


def _answer(state: State) -> dict[str, Any]:
    return {
        "rollout": state.rollout,
        "version": state.challenger,
        "phase": state.phase.value,
        "percent": state.percent,
        "reason": state.reason,
        "gate": state.gate or None,
        "approvals": list(state.approvals),
        "history": str(_history(state.rollout)),
    }


def _exit_code(state: State) -> int:
    return {"promoted": 0, "rolled_back": 1}.get(state.phase.value, HELD)


def _tell(line: str) -> None:
    err.print(line, highlight=False, soft_wrap=True, markup=False)


def _said(answer: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer))
    else:
        out.print(text, highlight=False, soft_wrap=True, markup=False)
