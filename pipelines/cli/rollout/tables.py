"""Shows a rollout, or its dry run, in a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from content_arena.components.canary_rollout.launch import DryRun, NoRollout, Phase, State, Status
from content_arena.pipelines.cli.rollout.options import command

_STYLES = {
    Phase.PROMOTED: "green", Phase.ROLLED_BACK: "red", Phase.WITHDRAWN: "yellow", Phase.ROLLING_BACK: "red",
    Phase.WAITING: "yellow",
}  # fmt: skip


def follow(statuses: Iterator[Status], console: Console, print_json: Callable[[str], None] | None) -> State:
    """Shows a rollout until it ends.

    Args:
        statuses: The status at one moment after the other; the last one is the end.
        console: Where the table is drawn, or a line is written for each change if it is no terminal.
        print_json: Prints a JSON object for each change; None to draw instead.

    Returns:
        The state at the end.
    """
    describe, write = _as_json, print_json
    if not (print_json or console.is_terminal):
        # A log file cannot be redrawn, so it gets a line for each change.
        describe, write = _as_line, partial(console.print, highlight=False, soft_wrap=True)
    last, current = "", next(statuses)
    if current.state.phase.is_end and not print_json:
        console.print("No rollout is under way; this is the last one.")
    with Live(table(current), console=console, transient=write is not None, auto_refresh=False) as live:
        while True:
            if write:
                text = describe(current)
                if text != last:
                    write(text)
                    last = text
            else:
                live.update(table(current), refresh=True)
            following = next(statuses, None)
            if following is None:
                return current.state
            current = following


def _as_json(current: Status) -> str:
    return json.dumps(current.as_dict())


def _as_line(current: Status) -> str:
    state = current.state
    gate = f", waits for {state.gate}" if state.gate else ""
    return f"version {state.challenger}: {state.phase.value}, share {_share(current)}: {state.reason}{gate}"


def _share(current: Status) -> str:
    return "unknown" if current.share is None else f"{current.share} % of the users"


def table(current: Status | NoRollout) -> Group:
    """A rollout's steps and facts; of a service without a rollout, what serves."""
    if isinstance(current, NoRollout):
        serving = current.stable
        return Group(
            Text(f"Version {serving.version} serves ({serving.storage_uri}), {current.mode} mode."),
            Text(f"There has been no rollout: {command(current.service_ref, 'start')} begins one."),
        )
    state = current.state
    steps = Table(box=None, show_header=False, padding=(0, 1))
    steps.add_row(*(_step(index, percent, state) for index, percent in enumerate(state.parameters.path)))
    return Group(steps, _facts(current))


def _facts(current: Status) -> Table:
    state, where, requests = current.state, current.service_ref, current.operator_requests
    style = _STYLES.get(state.phase, "cyan")
    facts = Table(box=None, show_header=False, padding=(0, 1))
    facts.add_row("version", f"{state.challenger}, beside {state.stable.version}")
    since = _duration(current.now - state.since)
    facts.add_row("phase", Text(f"{state.phase.value.replace('_', ' ')} since {since}", style))
    facts.add_row("share", _share(current))
    for caveat in current.caveats:
        facts.add_row("mind", Text(caveat, "yellow"))
    facts.add_row("because", Text(state.reason))
    if state.gate:
        facts.add_row("waits for", Text(command(where, "approve", str(state.gate)), "yellow"))
    for approval in state.approvals:
        facts.add_row("approved", Text(approval))
    if requests.approved:
        facts.add_row(
            "request", Text(f"{requests.approved} approved by {requests.approver or 'somebody'}, not used yet")
        )
    if requests.abort is not None:
        facts.add_row(
            "request", Text(f"abort: {requests.abort.reason}, the version is {requests.abort.kind.value}", "red")
        )
    for line in requests.ignored:
        facts.add_row("ignored", Text(line))
    if not state.phase.is_end:
        facts.add_row("run by", Text(current.holder or f"no process: {command(where, 'resume')}"))
    return facts


def plan_table(plan: DryRun) -> Group:
    """What a rollout would do."""
    parameters, challenger, stable = plan.request.parameters, plan.request.challenger, plan.stable
    found = Table(
        "step",
        "patch",
        "the API server",
        title=f"Version {challenger.version} beside {stable.version}, {plan.mode} mode",
    )
    for one in plan.patches:
        where = one.goal.aim.value if one.goal.aim.value != "shifted" else f"{one.goal.percent} %"
        answer = "accepts it"
        if one.objection:
            answer = f"refuses it before the rollout, as expected: {one.objection}"
        found.add_row(where, Text(one.patch.why), Text(answer))
    approvals = ", ".join(f"{percent} %" for percent in parameters.path[1:] if parameters.needs_approval(percent))
    lines = [
        f"{challenger.storage_uri} takes over from {stable.storage_uri}.",
        f"Steps {', '.join(f'{percent} %' for percent in parameters.path)}; each is measured for "
        f"{_duration(parameters.bake_seconds)} or longer, on at least {parameters.min_requests} answers.",
        f"An approval is needed before: {approvals or 'no step'}.",
        *(f"{line[:1].upper()}{line[1:]}." for line in plan.outlook.lines),
        "Nothing was changed.",
    ]
    return Group(found, *(Text(line) for line in lines))


def _step(index: int, percent: int, state: State) -> Text:
    if state.phase in (Phase.ROLLED_BACK, Phase.WITHDRAWN) or index > state.step:
        return Text(f"○ {percent} %", "dim")
    is_passed = index < state.step or state.phase in (Phase.PROMOTING, Phase.PROMOTED)
    return Text(f"● {percent} %", "green") if is_passed else Text(f"◐ {percent} %", _STYLES.get(state.phase, "cyan"))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
