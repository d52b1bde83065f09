"""``arena data list``, ``restore`` and ``forget``: the corpora that versions were trained on, and what leaves them."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.console import err, out, status
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.execution.home import ArenaHome, registry_here

if TYPE_CHECKING:
    from content_arena.components.corpus_versions.forgetting import Plan
    from content_arena.components.corpus_versions.versions import CorpusVersion
    from content_arena.components.registry.registry import Registry

#: What reads the text from standard input.
_STDIN = "-"
#: Digits of a digest that are shown to people.
_SHOWN = 12
#: What forgetting does not reach, for people.
NOT_COVERED = (
    "trained models: what a model learnt, and the words in its lexicon, stay until a version without the text replaces "
    "it (`arena run --cold-start`); `arena home clean` then removes bundles that never served",
    "the file or data set that the text came from, and files that were restored or handed out for a review outside the "
    "home, such as a project of Label Studio",
    "backups, snapshots and copies of the home, and older versions of objects in a bucket that keeps them",
    "what runs that were killed left in the folder for temporary files (arena-*)",
)


def add_to(data: typer.Typer) -> None:
    """Adds the commands to the group ``data``."""
    data.command("list")(show)
    data.command()(restore)
    data.command()(forget)


def show(as_json: AsJson = False) -> None:
    """List the corpora that are kept, and which versions of the model were trained on each.

    `arena run` keeps every corpus once, under the SHA-256 of its texts, labels and splits (HASH). If texts of one were
    forgotten, what is left has a HASH of its own.
    """
    from content_arena.components.corpus_versions import versions

    registry = registry_here()
    kept = versions.kept(registry.client)
    trained = _trained(registry)
    unknown = {sha256: trained[sha256] for sha256 in trained if sha256 not in _digests(kept)}
    if as_json:
        corpora = [_document(version, trained) for version in kept]
        print(json.dumps({"corpora": corpora, "not_kept": unknown}))
        return
    if kept:
        out.print(_table(kept, trained))
    else:
        status("no corpus is kept yet: `arena run` keeps the one that it reads")
    for sha256, numbers in unknown.items():
        status(f"corpus {sha256[:_SHOWN]} of {_named(numbers)} is not kept: an earlier release trained on it")


def restore(
    digest: Annotated[str, typer.Argument(metavar="HASH", help="A corpus of `arena data list`, or its first digits.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The file.", show_default="$ARENA_HOME/restored/corpus-HASH.parquet"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a corpus that was kept as a Parquet file: the same texts, ids, labels and splits.

    `arena run --data FILE` takes it as it stands: nothing is cleaned, drawn or divided again, so the same options give
    the same corpus and the same attacks. If texts were forgotten since, the file holds the others, each in its split,
    and has another HASH; how many were forgotten and when is said, and never what they were.
    """
    from content_arena.components.corpus_versions import versions
    from content_arena.components.shared.mlflow_tracking import forgotten

    registry = registry_here()
    version = versions.find(registry.client, digest)
    target = to or ArenaHome.from_environment().restored / f"corpus-{version.sha256[:_SHOWN]}.parquet"
    if target.suffix != ".parquet" or target.is_dir():
        raise InputError(f"--to {target}: give a file that ends in .parquet")
    restored = versions.restore(registry.client, version, target.absolute(), forgotten.read(registry.uri))
    if as_json:
        answer = {"asked": version.sha256, "sha256": restored.sha256, "rows": restored.n_rows}
        print(json.dumps(answer | {"erased": _erased(version), "lang": version.lang, "file": str(restored.path)}))
        return
    _say(f"{restored.n_rows:,} texts of corpus {version.sha256[:_SHOWN]} are in {restored.path}")
    if restored.sha256 != version.sha256:
        days = ", ".join(f"{n} on {day}" for day, n in _erased(version).items())
        _say(f"Forgotten since: {days or 'some'}. What is left is corpus {restored.sha256[:_SHOWN]}.")
    _say(f"Run it: arena run --data {restored.path} --lang {version.lang}")


def forget(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID|TEXT",
            help="The id of a text (sample_id or base_id), the text itself, or - to read the text from standard input: "
            "it is then in no list of commands.",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="s3://BUCKET/FOLDER",
            help="Also look through this folder of object storage, such as the one where Kubeflow Pipelines keeps the "
            "outputs of stages; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a text from every corpus, battle, review queue and page, and keep it out of every later training.

    All texts that corpora take for the same one go: those with the same canonical form, whatever their case. Attacks
    that were made from it go too. Every other text keeps its split. Of the text a keyed hash is kept, by which a later
    import recognises it and leaves it out. Models cannot forget: the versions that were trained on it are named.

    Exit code 1 if copies are left that the arena may not change; they are named. Killed half-way, the same command
    finishes it.
    """
    from content_arena.components.corpus_versions.forgetting import looking_at
    from content_arena.pipelines.execution import home_copies

    text = _given(what)
    home = ArenaHome.from_environment()
    registry = registry_here()
    with home.exclusive(), looking_at(registry, home_copies.copies(home, registry.client, outputs or ())) as request:
        plan = request.plan(text, is_text=what == _STDIN)
        if not dry_run:
            _confirm(plan, yes=yes)
            leftovers = home_copies.remove_leftovers(home)
            plan = request.carry_out(plan)
        else:
            leftovers = home_copies.leftovers(home)
    if as_json:
        print(json.dumps(_outcome(plan, leftovers, dry_run=dry_run)))
    else:
        _print(plan, leftovers, dry_run=dry_run)
    if plan.remaining:
        raise typer.Exit(1)


def _given(what: str) -> str:
    if what != _STDIN:
        return what
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("arena data forget - reads the text from standard input, and nothing is piped in")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        # In another encoding it would be another text, and would seem not to be here.
        raise InputError("standard input is not UTF-8: convert the text first, for example with iconv") from None


def _confirm(plan: Plan, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here: give --yes to forget it, or --dry-run to see what would be done")
    _print(plan, [], dry_run=True, console=err)
    if not typer.confirm(f"Forget {_texts(plan)}? It cannot be undone.", err=True):
        raise InputError("nothing was changed")


def _print(plan: Plan, leftovers: list[Path], *, dry_run: bool, console: Console = out) -> None:
    """Says what was done or would be."""
    table = Table(title=f"{_texts(plan)} {'would be' if dry_run else 'were'} taken out of", title_justify="left")
    for column in ("what", "where"):
        table.add_column(column, overflow="fold")
    table.add_column("places", justify="right")
    for place in plan.places:
        table.add_row(place.kind, place.name, f"{place.n_places:,}")
    for path in leftovers:
        table.add_row("left by commands that were cut short", str(path), "removed")

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    if table.row_count:
        console.print(table)
    elif plan.forgotten_on:
        say(f"It was forgotten on {plan.forgotten_on}, and no copy is left.")
    for version in plan.corpora:
        left = "" if dry_run else f", is now {version.left[:_SHOWN]}; every other text keeps its split"
        say(f"Corpus {version.sha256[:_SHOWN]} ({version.source}, kept on {version.day}){left}")
    for number, how in sorted(plan.versions.items()):
        say(f"Version {number} was trained on it: {how}")
    if not plan.versions:
        say("No version in the registry is known to be trained on it.")
    for place in plan.remaining:
        say(f"Left for you to remove: {place.name} ({place.kind})")
    for line in NOT_COVERED:
        say(f"Not covered: {line}.")


def _texts(plan: Plan) -> str:
    n = len(plan.hits.keys)
    return "1 text" if n == 1 else f"{n} texts"


def _outcome(plan: Plan, leftovers: list[Path], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "texts": len(plan.hits.keys),
        "forgotten_before": plan.forgotten_on,
        "places": [_place(place.kind, place.name, place.n_places) for place in plan.places],
        "leftovers_removed": [str(path) for path in leftovers],
        "corpora": [{"sha256": version.sha256, "left": None if dry_run else version.left} for version in plan.corpora],
        "trained_versions": [{"version": str(number), "how": how} for number, how in sorted(plan.versions.items())],
        "remaining": [_place(place.kind, place.name, place.n_places) for place in plan.remaining],
        "not_covered": list(NOT_COVERED),
    }


def _place(kind: str, name: str, n_places: int) -> dict[str, str | int]:
    return {"kind": kind, "where": name, "places": n_places}


def _trained(registry: Registry) -> dict[str, list[int]]:
    """The versions by the digest of the corpus that they were trained on."""
    trained: dict[str, list[int]] = defaultdict(list)
    for version in registry.versions():
        if version.corpus_sha256:
            trained[version.corpus_sha256].append(version.version)
    return dict(trained)


def _digests(kept: list[CorpusVersion]) -> set[str]:
    return {version.sha256 for version in kept} | {version.left for version in kept}


def _document(version: CorpusVersion, trained: dict[str, list[int]]) -> dict[str, Any]:
    return {
        "sha256": version.sha256,
        "date": version.day,
        "lang": version.lang,
        "rows": version.n_rows,
        "splits": dict(version.rows),
        "source": version.source,
        "trained_versions": [str(number) for number in trained.get(version.sha256, [])],
        "erased": _erased(version),
        "left": version.left,
    }


def _erased(version: CorpusVersion) -> dict[str, int]:
    """How many texts were forgotten, by day."""
    return {day: version.erased.count(day) for day in sorted(set(version.erased))}


def _table(kept: list[CorpusVersion], trained: dict[str, list[int]]) -> Table:
    table = Table()
    for column in ("hash", "kept on", "lang"):
        table.add_column(column, no_wrap=True)
    table.add_column("texts", justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    table.add_column("trained", overflow="fold")
    table.add_column("forgotten", overflow="fold")
    for version in kept:
        erased = f"{len(version.erased)} texts; left: {version.left[:_SHOWN]}" if version.erased else ""
        numbers = ", ".join(map(str, trained.get(version.sha256, []))) or "none"
        facts = (version.sha256[:_SHOWN], version.day, version.lang, f"{version.n_rows:,}", version.source)
        table.add_row(*facts, numbers, erased)
    return table


def _named(numbers: list[int]) -> str:
    return f"version{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _say(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)
