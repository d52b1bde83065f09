"""``arena status``, ``promote``, ``rollback`` and ``serve``: the versions in the registry of this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from content_arena.components.shared.errors import InputError, RefusedError
from content_arena.pipelines.cli import console, tables
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.options import AsJson
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
        out.print(others, highlight=False, soft_wrap=True, markup=False)


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


def serve(
    alias: Annotated[
        str, typer.Option(help="Which version to serve: champion, challenger, previous or a version's number.")
    ] = "champion",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    shadow: Annotated[
        str | None,
        typer.Option(
            help="A second bundle that scores users' texts off the request path, for /metrics to compare: champion, "
            "challenger, previous, a version's number, or a bundle's folder.",
        ),
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds until a request that is not finished is answered with 504.")
    ] = 30.0,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            help="File with lines NAME=KEY, or folder with a file for each key; else CONTENT_ARENA_API_KEYS_FILE, or "
            "the lines themselves in CONTENT_ARENA_API_KEYS. Without keys every client is served.",
            show_default=False,
        ),
    ] = None,
    key_rate: Annotated[
        float | None, typer.Option(help="Requests a second for each API key; unlimited if not given.")
    ] = None,
    key_burst: Annotated[
        int | None, typer.Option(help="Requests at once for each API key; those of a second if not given.")
    ] = None,
    log_format: Annotated[
        str, typer.Option(help="text, or json: one object a line, and a line for each request.")
    ] = "text",
    api_adapters: Annotated[
        str | None,
        typer.Option(
            envvar="CONTENT_ARENA_API_ADAPTERS",
            metavar="A,B,C",
            help="Other APIs to serve as well: perspective, openai, fms.",
        ),
    ] = None,
    suggestions: Annotated[
        Path | None,
        typer.Option(
            envvar="CONTENT_ARENA_SUGGESTIONS",
            help="File that scores suggested by Perspective's clients go to; without it they are refused.",
        ),
    ] = None,
) -> None:
    """Serve a version over KServe's V1 and V2 protocols, with health and /metrics, until Ctrl-C.

    After a promotion, `kill -HUP` has it take over what the alias names then; no request is lost.

    With CONTENT_ARENA_PROBE_TOKEN, a rollout's probes, which hold this token, are not counted as users' requests.

    Try: curl -d '{"instances": ["have a nice day"]}' localhost:8080/v1/models/content-filter:predict
    """
    from content_arena.components.predictor.adapters.options import AdapterOptions
    from content_arena.components.predictor.arguments import ServeOptions
    from content_arena.components.predictor.middleware.door import Door, DoorOptions

    adapters = AdapterOptions.of(api_adapters, suggestions)
    from content_arena.components.predictor.server import Serving
    from content_arena.components.predictor.server import serve as serve_bundle
    from content_arena.components.predictor.sources import RegistrySource

    door = Door.of(DoorOptions(api_keys, key_rate, key_burst, log_format))
    registry_here()
    source = RegistrySource(alias, registry_here)

    def announce(serving: Serving) -> None:
        what = f"version {serving.version}" + ("" if alias.isdecimal() else f", the {alias},")
        toxic = f"toxic from a score of {serving.threshold:.3f} on"
        console.status(f"serving {what} on {serving.url}: {toxic}; Ctrl-C ends it")
        if adapters.names:
            console.status(f"also under the APIs of {', '.join(adapters.names)}")

    options = ServeOptions(
        host=host, port=port, deadline=deadline, shadow=_bundle_source(shadow) if shadow is not None else None
    )
    serve_bundle(source, options, door=door, adapters=adapters, announce=announce)


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
