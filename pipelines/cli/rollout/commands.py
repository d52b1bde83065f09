"""``arena rollout``: a challenger meets users step by step, and no request is lost.

Exit codes: 0 promoted, 1 rolled back, 2 something given can not be used, 3 left while a person is waited for (or still
under way, where the command does not follow it to its end), 130 stopped by Ctrl-C or SIGTERM: it can be resumed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.options import AsJson, LangOption
from content_arena.pipelines.cli.rollout import options, requests
from content_arena.pipelines.cli.rollout.options import (
    NAMESPACE,
    SERVICE,
    ContextOption,
    CorpusOption,
    IntervalOption,
    LeaveOption,
    LimitOption,
    MetricsPortOption,
    NamespaceOption,
    PatienceOption,
    PodAccessChoice,
    PodAccessOption,
    ProbesOption,
    PrometheusOption,
    RegistryOption,
    ServiceOption,
    SettleOption,
    TrackingOption,
)

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import RolloutArtifacts, RolloutRequest, ServiceRef
    from content_arena.components.canary_rollout.plan.state import State
    from content_arena.components.registry.registry import Registry


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
    """Adds the commands to the command line, in the order in which they are needed."""
    for command in (start, requests.status, requests.watch, requests.approve, requests.abort, resume, reconcile):
        rollout.command()(command)
    app.add_typer(rollout)


def start(
    version: Annotated[str, typer.Argument(help="Version or alias in the registry.")] = "challenger",
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    storage_uri: Annotated[
        str | None, typer.Option(help="Where its bundle is; as the registry noted it if not given.")
    ] = None,
    plan: Annotated[
        str,
        typer.Option(
            help="Percentages, rising from 0: the rehearsal no user meets. 0,100 is blue-green; one that ends "
            "below 100 asks a person before the rest."
        ),
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
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds for pods to come up, at each step.")] = 600.0,
    move_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for the gateway to follow, on top of that.")
    ] = 300.0,
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
    pod_access: PodAccessOption = PodAccessChoice.AUTO,
    probe_corpus: CorpusOption = None,
    lang: LangOption = "en",
    probe_texts: ProbesOption = 120,
    probe_budget: Annotated[int, typer.Option(min=1, help="Attempts on each attacked text.")] = 3,
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
    from content_arena.components.canary_rollout.launch import RolloutRequest
    from content_arena.components.canary_rollout.measuring.config import MeasuringConfig

    parameters = options.parameters(
        plan,
        approve_before,
        bake_seconds=bake,
        warmup_seconds=warmup,
        min_requests=min_requests,
        failure_limit=failures,
        inconclusive_limit=inconclusives,
        start_seconds=start_timeout,
        move_seconds=move_timeout,
        deadline_seconds=deadline,
    )
    where = options.service_ref(service, namespace, context)
    registry = options.registry(tracking_uri) if with_registry else None
    rollout_request = RolloutRequest(_challenger(version, storage_uri, registry), parameters, insist)
    overrides = options.measuring(limit, prometheus, pod_access, probe_corpus, lang, probe_texts, probe_budget)
    if dry_run:
        MeasuringConfig.of(overrides)
        _rehearse(where, rollout_request, options.follower(registry), as_json)
        return
    _carry(
        where, registry, overrides, rollout_request, interval, patience, settle, metrics_port, leave_when_held, as_json
    )


def resume(
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    limit: LimitOption = [],  # noqa: B006
    prometheus: PrometheusOption = None,
    pod_access: PodAccessOption = PodAccessChoice.AUTO,
    probe_corpus: CorpusOption = None,
    lang: Annotated[str | None, typer.Option(help="Language of the texts, ISO 639-1.")] = None,
    probe_texts: Annotated[int | None, typer.Option(min=1, help="Texts of each label to attack.")] = None,
    probe_budget: Annotated[int | None, typer.Option(min=1, help="Attempts on each attacked text.")] = None,
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

    It is judged as it began, too: bounds, Prometheus and probes are those of `start` unless told otherwise here. How
    pods are reached (--pod-access) is not: that depends on where this process runs.
    Safe at any time: while another process lives, this one says so and ends with exit code 2.
    """
    where = options.service_ref(service, namespace, context)
    registry = options.registry(tracking_uri) if with_registry else None
    overrides = options.measuring(limit, prometheus, pod_access, probe_corpus, lang, probe_texts, probe_budget)
    _carry(where, registry, overrides, None, interval, patience, settle, metrics_port, leave_when_held, as_json)


def reconcile(
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
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
    from content_arena.components.canary_rollout.controller.rollout import Pace
    from content_arena.components.canary_rollout.launch import put_in_order
    from content_arena.components.registry.publish import publish

    registry = options.registry(tracking_uri) if with_registry else None
    done = put_in_order(
        options.service_ref(service, namespace, context),
        options.follower(registry),
        say=console.status,
        pace=Pace(interval, patience),
        settle_seconds=settle,
    )
    done += publish(registry) if registry else []
    console.answer({"done": done}, "\n".join(done) or "Everything agrees.", as_json)


def _carry(
    where: ServiceRef,
    registry: Registry | None,
    overrides: Mapping[str, Any],
    rollout_request: RolloutRequest | None,
    interval: float,
    patience: float,
    settle: float,
    metrics_port: int | None,
    leave_when_held: bool,
    as_json: bool,
) -> None:
    """Rolls out, and ends with the exit code that says how it went."""
    from content_arena.components.canary_rollout.controller.rollout import Pace
    from content_arena.components.canary_rollout.launch import Stopped, roll_out
    from content_arena.components.canary_rollout.plan.state import Phase
    from content_arena.components.registry.publish import publish_after

    try:
        state = roll_out(
            where,
            options.follower(registry),
            overrides,
            rollout_request,
            say=console.status,
            artifacts_for=_papers,
            pace=Pace(interval, patience),
            settle_seconds=settle,
            metrics_port=metrics_port,
            should_leave=lambda state: leave_when_held and state.phase is Phase.WAITING,
        )
    except Stopped as stopped:
        console.status(f"arena: {stopped}")
        if as_json:
            print(json.dumps(_answer(stopped.state) if stopped.state else {"error": str(stopped)}))
        raise typer.Exit(options.STOPPED) from None
    if state.phase is Phase.PROMOTED and registry is not None:
        for line in publish_after(registry):
            console.status(line)
    text = f"Version {state.challenger} is {state.phase.value.replace('_', ' ')} at {state.percent} %: {state.reason}."
    if state.gate:
        text += f"\nIt waits for: {options.command(where, 'approve', state.gate)}"
    console.answer(_answer(state), text, as_json)
    raise typer.Exit(options.exit_code(state))


def _rehearse(where: ServiceRef, rollout_request: RolloutRequest, follower: Any, as_json: bool) -> None:  # noqa: ANN401
    """What ``start`` would do."""
    from content_arena.components.canary_rollout.controller.rollout import refuse_unfinished
    from content_arena.components.canary_rollout.kube.client import Cluster
    from content_arena.components.canary_rollout.plan.state import start as begun
    from content_arena.components.canary_rollout.traffic.dry_run import rehearse, validated
    from content_arena.components.canary_rollout.traffic.mover import Mover
    from content_arena.pipelines.cli.rollout import tables

    mover = Mover(Cluster(where.namespace, where.context), where.service)
    view = mover.look()
    refuse_unfinished(view)
    stable, challenger = mover.mode.stable(view), rollout_request.challenger
    begun("rehearsal", challenger.version, challenger.storage_uri, stable, rollout_request.parameters, 0.0)
    follower.check(challenger.version, stable.version, rollout_request.insist, dry_run=True)
    patches = [
        validated(mover, view, patch)
        for patch in rehearse(mover.mode, view, stable, challenger, rollout_request.parameters)
    ]
    if as_json:
        print(json.dumps(tables.plan_json(mover.mode.name, stable, rollout_request, patches)))
    else:
        out.print(tables.plan_table(mover.mode.name, stable, rollout_request, patches))


def _challenger(version: str, storage_uri: str | None, registry: Registry | None) -> Any:  # noqa: ANN401
    """What is to be rolled out.

    Raises:
        InputError: It is not said where its bundle is.
        RegistryError: There is no such version.
    """
    from content_arena.components.canary_rollout.plan.state import Challenger

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


def _papers(name: str) -> RolloutArtifacts:
    from content_arena.components.canary_rollout.launch import RolloutArtifacts
    from content_arena.pipelines.execution.home import ArenaHome

    folder = ArenaHome.from_environment().path / "rollouts"
    return RolloutArtifacts(folder / f"{name}.jsonl", folder / f"{name}.html")


def _answer(state: State) -> dict[str, Any]:
    artifacts_for = _papers(state.rollout)
    return {
        "rollout": state.rollout,
        "version": state.challenger,
        "phase": state.phase.value,
        "percent": state.percent,
        "reason": state.reason,
        "gate": state.gate or None,
        "approvals": list(state.approvals),
        "history": str(artifacts_for.history),
        "timeline": str(artifacts_for.timeline) if artifacts_for.timeline.exists() else None,
    }
