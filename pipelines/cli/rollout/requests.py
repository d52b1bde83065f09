"""The commands that read a rollout or send it a request: status, watch, approve, abort. None of them runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import err, out
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.cli.rollout import options
from content_arena.pipelines.cli.rollout.options import IntervalOption, Target

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import ServiceRef


@grouped
def status(
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Show how far a rollout is, what it waits for and which process runs it; without a rollout, what serves.

    Reads the service, its route, Deployments, record and lease; writes nothing.
    """
    from content_arena.components.canary_rollout import launch
    from content_arena.pipelines.cli.rollout import tables

    current = launch.status(target.ref)
    if as_json:
        print(json.dumps(current.as_dict()))
    else:
        out.print(tables.table(current))


@grouped
def watch(
    target: Target,
    interval: IntervalOption = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show a rollout's progress until it ends. Ctrl-C ends this command and not the rollout.

    With --json, prints one object for each change. Exit code 0 promoted, 1 rolled back or withdrawn.
    """
    from content_arena.components.canary_rollout import launch
    from content_arena.pipelines.cli.rollout import tables

    statuses = launch.watch(target.ref, interval)
    try:
        state = tables.follow(statuses, err, print if as_json else None)
    except KeyboardInterrupt:
        raise typer.Exit(options.STOPPED) from None
    raise typer.Exit(options.exit_code(state))


@grouped
def approve(
    target: Target,
    gate: Annotated[
        str | None, typer.Argument(help="The gate to approve, such as step-25; the one it waits at if not given.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Who approves; the name the cluster knows you by if not given. The manifests' policy takes no other."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Approve the gate that a rollout waits at, for the version it rolls out and no other.

    A step's gate (step-25) can be approved before it is reached.
    """
    from content_arena.components.canary_rollout import launch

    where = target.ref
    sent = launch.approve(where, gate, by)
    text = f"{sent.gate} of version {sent.version} is approved by {sent.who}."
    replaced = sent.replaced
    if replaced.approved and replaced.approved != sent.gate:
        text += f" There is one approval at a time: {replaced.approved} by {replaced.approver or 'somebody'} is gone."
    if sent.gate.kind is launch.GateKind.EDIT:
        text += " The rollout goes on once the edit is undone."
    console.answer(
        {"version": sent.version, "gate": str(sent.gate), "by": sent.who}, text + _advice(sent.holder, where), as_json
    )


@grouped
def abort(
    target: Target,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the record.")] = "aborted by hand",
    by: Annotated[str | None, typer.Option(help="Who aborts; the name the cluster knows you by if not given.")] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="The version is bad: tag it as rejected. Otherwise it is only withdrawn.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for the challenger to be withdrawn, whatever step it is at. `arena rollout watch` shows the progress.

    The process that runs the rollout carries the abort out. If none does, run `arena rollout resume` or `reconcile`.
    """
    from content_arena.components.canary_rollout import launch

    where = target.ref
    sent = launch.abort(where, by, reason, rejects=reject)
    text = f"{sent.who} asks for version {sent.version} to be {'rejected' if reject else 'withdrawn'}: {reason}."
    answer = {"version": sent.version, "by": sent.who, "reason": reason, "rejects": reject}
    console.answer(answer, text + _advice(sent.holder, where), as_json)


def _advice(holder: str, where: ServiceRef) -> str:
    """The command to run next, if there is no process to carry the request out; else empty."""
    return "" if holder else f" No process runs the rollout: {options.command(where, 'resume')}"
