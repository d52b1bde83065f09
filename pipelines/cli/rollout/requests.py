"""What people do beside a rollout: look at it, approve, abort. None of it carries the rollout on."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import err, out
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.cli.rollout import options
from content_arena.pipelines.cli.rollout.options import (
    NAMESPACE,
    SERVICE,
    ContextOption,
    IntervalOption,
    NamespaceOption,
    ServiceOption,
)

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import ServiceRef
    from content_arena.components.canary_rollout.plan.state import State


def status(
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a rollout is, what it waits for and who carries it; before the first one, what serves.

    Reads the service, its route, Deployments and lease; writes nothing.
    """
    from content_arena.pipelines.cli.rollout import tables

    seen = tables.look(options.service_ref(service, namespace, context))
    if as_json:
        print(json.dumps(seen.as_dict()))
    else:
        out.print(tables.table(seen))


def watch(
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    interval: IntervalOption = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show a rollout's progress until it ends; Ctrl-C stops the watching and nothing else.

    With --json one object a change. Exit code 0 promoted, 1 rolled back.
    """
    from content_arena.pipelines.cli.rollout import tables

    where = options.service_ref(service, namespace, context)
    try:
        seen = tables.follow(where, interval, err, print if as_json else None)
    except KeyboardInterrupt:
        raise typer.Exit(options.STOPPED) from None
    raise typer.Exit(options.exit_code(seen.state))


def approve(
    gate: Annotated[
        str | None, typer.Argument(help="What it waits for, such as step-25; the present one if none.")
    ] = None,
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    by: Annotated[str | None, typer.Option(help="Who approves; the user of this machine if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open the gate that a rollout waits at, for the version it rolls out and no other.

    A step's gate (step-25) can be opened before it is reached.
    """
    from content_arena.components.canary_rollout.controller import annotations
    from content_arena.components.canary_rollout.plan.decide import gate_before
    from content_arena.components.canary_rollout.plan.state import Phase

    cluster, found, state = _under_way(service, namespace, context)
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
    before = annotations.operator_requests(found, state.challenger)
    annotations.annotate(cluster, service, annotations.approval(state.challenger, gate, who))
    text = f"{gate} of version {state.challenger} is approved by {who}."
    if before.approved and before.approved != gate:
        text += f" There is one approval at a time: {before.approved} by {before.approver or 'somebody'} is gone."
    if gate.startswith("edit-"):
        text += " It goes on once the edit is undone."
    text += _carrier(cluster, options.service_ref(service, namespace, context))
    console.answer({"version": state.challenger, "gate": gate, "by": who}, text, as_json)


def abort(
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the record.")] = "aborted by hand",
    service: ServiceOption = SERVICE,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    by: Annotated[str | None, typer.Option(help="Who aborts; the user of this machine if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have the rollout take its challenger back, wherever it is; `arena rollout watch` shows it happen.

    The process that carries the rollout does it: where none lives, `arena rollout resume` or `reconcile` does.
    """
    from content_arena.components.canary_rollout.controller import annotations

    cluster, _, state = _under_way(service, namespace, context)
    who = by or getpass.getuser()
    annotations.annotate(cluster, service, annotations.abort_patch(state.challenger, who, reason))
    answer = {"version": state.challenger, "by": who, "reason": reason}
    text = f"Version {state.challenger} is asked back by {who}: {reason}."
    console.answer(answer, text + _carrier(cluster, options.service_ref(service, namespace, context)), as_json)


def _carrier(cluster: Any, where: ServiceRef) -> str:  # noqa: ANN401
    """Who does it, where nobody would."""
    from content_arena.pipelines.cli.rollout.tables import holder

    return "" if holder(cluster, where.service) else f" Nobody carries it: {options.command(where, 'resume')}"


def _under_way(service: str, namespace: str, context: str | None) -> tuple[Any, dict[str, Any], State]:
    """The cluster, the service, and the rollout that is under way there.

    Raises:
        InputError: None is.
    """
    from content_arena.components.canary_rollout.controller.annotations import record_of
    from content_arena.components.canary_rollout.kube.client import Cluster

    cluster = Cluster(namespace, context)
    found = cluster.service(service)
    state = record_of(found)
    if state.phase.is_end:
        raise InputError(f"the last rollout of {service} is over: version {state.challenger} is {state.phase.value}")
    return cluster, found, state
