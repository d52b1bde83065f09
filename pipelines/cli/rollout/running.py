"""Runs a rollout in this process, as ``start``, ``resume`` and ``undo`` of ``arena rollout`` do."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.rollout import options
from content_arena.pipelines.cli.rollout.options import PaceOptions, ProcessOptions

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.launch import (
        Challenger,
        RolloutArtifacts,
        RunOptions,
        ServiceRef,
        State,
    )
    from content_arena.components.registry.registry import Registry


@dataclass(frozen=True)
class Job:
    """What ``start`` and ``resume`` share: the service, its registry, how the process runs, and the form of output."""

    where: ServiceRef
    registry: Registry | None
    options: RunOptions
    as_json: bool


def run_options(overrides: dict[str, Any], pace: PaceOptions, process: ProcessOptions) -> RunOptions:
    """How this process runs the rollout; ``overrides`` are of the measuring."""
    from content_arena.components.canary_rollout.launch import RunOptions

    return RunOptions(
        _artifacts,
        overrides,
        pace.pace,
        settle_seconds=pace.settle,
        metrics_port=process.metrics_port,
        leave_when_held=process.leave_when_held,
    )


def challenger(version: str, storage_uri: str | None, registry: Registry | None) -> Challenger:
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
    registered = registry.get(number)
    uri = storage_uri or registered.storage_uri
    if not uri:
        raise InputError(
            f"version {number} was never published where a cluster could load it from: give --storage-uri, or set "
            "CONTENT_ARENA_MODELS_URI where it is promoted"
        )
    return Challenger(str(number), uri, registered.digest)


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

    request = launch.UndoRequest(f"{reason} ({getpass.getuser()})", challenger(previous, None, registry))
    job = Job(where, registry, run_options({}, PaceOptions(), ProcessOptions()), False)
    return _ended(job, lambda: launch.undo(where, options.rollout_registry(registry, where), request, job.options))


def run(job: Job, use_case: Callable[[], State]) -> None:
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


def _ended(job: Job, use_case: Callable[[], State]) -> State:
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
