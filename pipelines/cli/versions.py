"""``arena status``, ``promote``, ``rollback`` and ``serve``: the versions in the registry of this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from content_arena.components.shared.errors import InputError, RefusedError
from content_arena.pipelines.cli import console, tables
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.cli.server_settings import takes_server_settings
from content_arena.pipelines.execution.home import registry_here

if TYPE_CHECKING:
    from content_arena.components.predictor.sources import BundleSource
    from content_arena.components.registry.registry import Registry


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (status, promote, rollback, serve):
        app.command()(command)


def status(as_json: AsJson = False) -> None:
    """Show which version is champion, challenger and previous, with its figures, its verdict and its guard set."""
    registry = registry_here()
    aliases = registry.aliases()
    verdicts = {alias: registry.verdict(version.version) for alias, version in aliases.items()}
    if as_json:
        shown = {alias: tables.version_json(version, verdicts[alias]) for alias, version in aliases.items()}
        print(json.dumps(shown))
        return
    if aliases:
        out.print(tables.status_table(aliases, verdicts))
    else:
        out.print("There is no champion: `arena run` trains the first one.")
    others = tables.others_line(registry.versions(), aliases)
    if others:
        out.print(others, highlight=False, soft_wrap=True)


def promote(
    version: Annotated[str, typer.Argument(help="Alias or number of a version.")] = "challenger",
    force: Annotated[
        bool, typer.Option("--force", help="Promote although gates failed or it was rejected; needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the challenger, or any other version, the champion if its gates passed. Exit code 1 if they did not."""
    from content_arena.components.registry.publish import publish

    registry = registry_here()
    if version == registry.CHALLENGER and registry.version_of(version) is None:
        raise RefusedError("there is no challenger to promote: `arena run` trains one, or name a version's number")
    if force and not reason:
        raise InputError("--force needs --reason: why this version serves although its gates failed, for the record")
    number, champion = registry.resolve(version), registry.version_of(registry.CHAMPION)
    if number == champion:
        raise InputError(f"version {number} is the champion already")
    registry.check_bundle(number)
    if force:
        registry.record_override(number, str(reason))
    else:
        _check_verdict(registry, number, champion)
    registry.promote(number, expected_champion=champion)
    publish(registry)
    if as_json:
        print(json.dumps({"champion_version": str(number), "previous_version": str(champion) if champion else None}))
    else:
        out.print(f"Version {number} is the champion, version {champion} the previous one.")


def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand",
    registry_only: Annotated[
        bool, typer.Option("--registry-only", help="Move the aliases alone, although an InferenceService serves it.")
    ] = False,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig; the current one if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the previous version the champion again. Exit code 1 if there is none.

    Where a rollout made the champion serve on an InferenceService, the users move with it: `arena rollout undo` is run
    there, and the aliases follow.
    """
    from content_arena.components.registry.publish import publish

    registry = registry_here()
    champion = registry.version_of(registry.CHAMPION)
    previous = None if champion is None else registry.predecessor(champion)
    services = () if champion is None or registry_only else registry.get(champion).promoted_for
    if services and previous is not None:
        _undo(registry, services, previous, reason, context)
        rejected, restored = champion, previous
    else:
        rejected, restored = registry.rollback(reason)
        publish(registry)
    if as_json:
        answer = {"champion_version": str(restored), "rejected_version": str(rejected)}
        print(json.dumps(answer | ({"service": services[0]} if services else {})))
        return
    moved = f", and serves the users of {services[0]}" if services else ""
    out.print(
        f"Version {restored} is the champion again{moved}; version {rejected} is tagged rejected.",
        highlight=False,
        soft_wrap=True,
    )


def _undo(registry: Registry, services: Sequence[str], previous: int, reason: str, context: str | None) -> None:
    """Moves the users of the champion's service to the version before it.

    Raises:
        InputError: Several services have the champion, or there is no such service.
        RefusedError: The version before it does not serve: its pods did not start, for example.
    """
    from content_arena.components.canary_rollout import launch
    from content_arena.pipelines.cli.rollout import running

    alone = "`arena rollback --registry-only` moves the aliases alone"
    if len(services) > 1:
        raise InputError(f"{', '.join(services)} serve the champion: `arena rollout undo` on each, or {alone}")
    namespace, _, service = services[0].partition("/")
    where = launch.ServiceRef(service, namespace, context)
    console.status(f"{services[0]} serves the champion: its users are moved first")
    try:
        state = running.undone(where, registry, str(previous), reason)
    except InputError as error:
        raise InputError(f"{error}; {alone}") from error
    if state.phase is not launch.Phase.PROMOTED:
        raise RefusedError(f"the champion stays: version {previous} is {state.summary}")


@takes_server_settings
def serve(
    alias: Annotated[
        str, typer.Option(help="Which version to serve: champion, challenger, previous or a version's number.")
    ] = "champion",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    **settings: object,
) -> None:
    """Serve a version over KServe's V1 and V2 protocols, with health and /metrics, until Ctrl-C.

    After a promotion, `kill -HUP` has it take over what the alias names then; no request is lost.

    With CONTENT_ARENA_PROBE_TOKEN, a rollout's probes, which hold this token, are not counted as users' requests.

    Try: curl -d '{"instances": ["have a nice day"]}' localhost:8080/v1/models/content-filter:predict
    """
    from content_arena.components.predictor.arguments import chosen
    from content_arena.components.predictor.middleware.door import Door
    from content_arena.components.predictor.server import Serving
    from content_arena.components.predictor.server import serve as serve_bundle
    from content_arena.components.predictor.sources import RegistrySource

    given = chosen(settings, host, port, _bundle_source)
    door, adapters = Door.of(given.door), given.adapters
    registry_here()
    source = RegistrySource(alias, registry_here)

    def announce(serving: Serving) -> None:
        what = f"version {serving.version}" + ("" if alias.isdecimal() else f", the {alias},")
        toxic = f"toxic from a score of {serving.threshold:.3f} on"
        console.status(f"serving {what} on {serving.url}: {toxic}; Ctrl-C ends it")
        if serving.grpc:
            console.status(f"V2 over gRPC on {serving.grpc}")
        if adapters.names:
            console.status(f"also under the APIs of {', '.join(adapters.names)}")

    serve_bundle(source, given.options, door=door, adapters=adapters, announce=announce)


def _bundle_source(name: str) -> BundleSource:
    """A version of the registry of this machine, or a folder."""
    from content_arena.components.predictor.sources import RegistrySource, source_of
    from content_arena.components.registry.registry import Registry

    if name.isdecimal() or name in Registry.ALIASES:
        return RegistrySource(name, registry_here)
    return source_of(name)


def _check_verdict(registry: Registry, version: int, champion: int | None) -> None:
    """Refuses a version that was rejected, whose gates failed, or that was not judged against the present champion."""
    rejection = registry.get(version).rejection
    if rejection:
        raise RefusedError(f"version {version} was rejected ({rejection}); --force --reason overrides")
    verdict = registry.verdict(version)
    if verdict is None:
        raise RefusedError(f"version {version} was never evaluated: `arena run` does it; --force --reason overrides")
    if verdict.champion != champion:
        raise RefusedError(
            f"version {version} was judged against champion {verdict.champion}, and {champion} serves now: "
            "`arena run` trains and judges a new challenger; --force --reason overrides"
        )
    if verdict.failures:
        why = "; ".join(verdict.failures)
        raise RefusedError(f"version {version} is not promoted: {why}; --force --reason overrides")
