"""How a rollout looks in a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from content_arena.components.canary_rollout.controller.annotations import OperatorRequests, operator_requests, recorded
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import lease_name
from content_arena.components.canary_rollout.plan.state import Phase, Stable, State
from content_arena.components.canary_rollout.traffic.dry_run import PlannedPatch
from content_arena.components.canary_rollout.traffic.mode import TrafficError
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.rollout.options import command

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import RolloutRequest, ServiceRef

_STYLES = {Phase.PROMOTED: "green", Phase.ROLLED_BACK: "red", Phase.ROLLING_BACK: "red", Phase.WAITING: "yellow"}


@dataclass(frozen=True)
class Seen:
    """A rollout at one moment.

    Attributes:
        state: As recorded.
        share: What the gateway gives the challenger; None if it can not be told.
        holder: Who carries it; empty if nobody does.
        now: Seconds since the epoch.
        where: The service.
        wishes: What people want of it that has not been done.
    """

    state: State
    share: int | None
    holder: str
    now: float
    where: ServiceRef
    operator_requests: OperatorRequests

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return json.loads(self.state.dump()) | {"share": self.share, "holder": self.holder or None}


@dataclass(frozen=True)
class Untouched:
    """A service that has had no rollout.

    Attributes:
        stable: What serves.
        mode: How it would split traffic.
        where: The service.
    """

    stable: Stable
    mode: str
    where: ServiceRef

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        serving = {"version": self.stable.version, "storage_uri": self.stable.storage_uri}
        return {"rollout": None, "mode": self.mode, "serving": serving}


def look(service_ref: ServiceRef) -> Seen | Untouched:
    """The rollout of a service as it is now.

    Raises:
        InputError: No such service, or none that a rollout could begin on and that has had none.
    """
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    mover = Mover(cluster, service_ref.service)
    view = mover.read()
    state = recorded(view.service)
    if state is None:
        return Untouched(mover.mode.stable(view), mover.mode.name, service_ref)
    try:
        share = mover.mode.shares(view, state.stable, state.candidate).challenger
    except TrafficError:
        share = None
    wanted = OperatorRequests() if state.phase.is_end else operator_requests(view.service, state.challenger)
    return Seen(state, share, holder(cluster, service_ref.service), time.time(), service_ref, wanted)


def follow(service_ref: ServiceRef, interval: float, console: Console, tell: Callable[[str], None] | None) -> Seen:
    """Shows a rollout until it ends.

    Args:
        service_ref: Where.
        interval: Seconds between two looks.
        console: Where it is drawn.
        tell: Takes one JSON a change instead; None to draw.

    Raises:
        InputError: There is nothing to follow.
    """
    overrides, seen = "", _look(service_ref)
    if seen.state.phase.is_end and not tell:
        console.print("No rollout is under way; this is the last one.")
    described = _as_json
    if not (tell or console.is_terminal):
        # Where nothing can be drawn over, a line a change tells as much.
        described, tell = _as_line, partial(console.print, markup=False, highlight=False, soft_wrap=True)
    with Live(table(seen), console=console, transient=tell is not None, auto_refresh=False) as live:
        while True:
            if tell:
                text = described(seen)
                if text != overrides:
                    tell(text)
                    overrides = text
            else:
                live.update(table(seen), refresh=True)
            if seen.state.phase.is_end:
                return seen
            time.sleep(interval)
            try:
                seen = _look(service_ref)
            except AwayError:
                # Shown as it was; the rollout itself waits too.
                continue


def _look(service_ref: ServiceRef) -> Seen:
    seen = look(service_ref)
    if isinstance(seen, Untouched):
        raise InputError(f"{service_ref.service} has had no rollout: {command(service_ref, 'start')} begins one")
    return seen


def _as_json(seen: Seen) -> str:
    return json.dumps(seen.as_dict())


def _as_line(seen: Seen) -> str:
    state = seen.state
    gate = f", waits for {state.gate}" if state.gate else ""
    return f"version {state.challenger}: {state.phase.value}, share {_share(seen)}: {state.reason}{gate}"


def _share(seen: Seen) -> str:
    return "not to be told" if seen.share is None else f"{seen.share} % of the users"


def table(seen: Seen | Untouched) -> Group:
    """A rollout's steps, and where it is; of a service without one, what serves."""
    if isinstance(seen, Untouched):
        return Group(
            Text(f"Version {seen.stable.version} serves ({seen.stable.storage_uri}), {seen.mode} mode."),
            Text(f"There has been no rollout: {command(seen.where, 'start')} begins one."),
        )
    state = seen.state
    steps = Table(box=None, show_header=False, padding=(0, 1))
    steps.add_row(*(_step(index, percent, state) for index, percent in enumerate(state.parameters.path)))
    style = _STYLES.get(state.phase, "cyan")
    facts = Table(box=None, show_header=False, padding=(0, 1))
    facts.add_row("version", f"{state.challenger}, beside {state.stable.version}")
    facts.add_row("phase", Text(f"{state.phase.value.replace('_', ' ')} since {_ago(seen.now - state.since)}", style))
    facts.add_row("share", _share(seen))
    facts.add_row("because", Text(state.reason))
    if state.gate:
        facts.add_row("waits for", Text(command(seen.where, "approve", state.gate), "yellow"))
    for approval in state.approvals:
        facts.add_row("approved", Text(approval))
    if seen.operator_requests.approved:
        facts.add_row(
            "asked", Text(f"{seen.wishes.approved} approved by {seen.wishes.approver or 'somebody'}, unused yet")
        )
    if seen.operator_requests.abort is not None:
        facts.add_row("asked", Text(f"abort: {seen.wishes.abort}", "red"))
    for line in seen.operator_requests.ignored:
        facts.add_row("not heard", Text(line))
    if not state.phase.is_end:
        facts.add_row("carried by", Text(seen.holder or f"nobody: {command(seen.where, 'resume')}"))
    return Group(steps, facts)


def plan_table(mode: str, stable: Stable, rollout_request: RolloutRequest, patches: Sequence[PlannedPatch]) -> Group:
    """What a rollout would do."""
    parameters, challenger = rollout_request.parameters, rollout_request.challenger
    found = Table(
        "step", "patch", "the API server", title=f"Version {challenger.version} beside {stable.version}, {mode} mode"
    )
    for planned in patches:
        goal = planned.goal
        where = goal.aim.value if goal.aim.value != "shifted" else f"{goal.percent} %"
        said = planned.objection or "would take it"
        if planned.objection:
            said = f"not today, as it has to be: {said}"
        found.add_row(where, Text(planned.patch.why), Text(said))
    needed = len(parameters.path) * (parameters.bake_seconds + parameters.warmup_seconds)
    asked = ", ".join(f"{percent} %" for percent in parameters.path[1:] if parameters.needs_approval(percent))
    lines = [
        f"{challenger.storage_uri} takes over from {stable.storage_uri}.",
        f"Steps {', '.join(f'{percent} %' for percent in parameters.path)}; measured for {_ago(needed)} in all, "
        f"on at least {parameters.min_requests} answers a step.",
        f"A person is asked before: {asked or 'no step'}.",
        "Nothing was changed.",
    ]
    return Group(found, *(Text(line) for line in lines))


def plan_json(
    mode: str, stable: Stable, rollout_request: RolloutRequest, patches: Sequence[PlannedPatch]
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "mode": mode,
        "version": rollout_request.challenger.version,
        "storage_uri": rollout_request.challenger.storage_uri,
        "stable_version": stable.version,
        "parameters": rollout_request.parameters.as_dict(),
        "patches": [
            {"aim": one.goal.aim.value, "percent": one.goal.percent, "why": one.patch.why, "body": one.patch.body,
             "objection": one.objection or None}
            for one in patches
        ],
    }  # fmt: skip


def _step(index: int, percent: int, state: State) -> Text:
    if state.phase is Phase.ROLLED_BACK or index > state.step:
        return Text(f"○ {percent} %", "dim")
    is_passed = index < state.step or state.phase in (Phase.PROMOTING, Phase.PROMOTED)
    return Text(f"● {percent} %", "green") if is_passed else Text(f"◐ {percent} %", _STYLES.get(state.phase, "cyan"))


def holder(cluster: RolloutClient, service: str) -> str:
    """Who carries a rollout, by its lease; empty if nobody does, or it may not be seen."""
    try:
        found = cluster.lease(lease_name(service))
    except ClusterError:
        # Who only watches may not be allowed to see it.
        return ""
    return ((found or {}).get("spec") or {}).get("holderIdentity") or ""


def _ago(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
