"""``arena compare``: several filters side by side."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.attack_generation.settings import MAPPINGS, AttackSettings, Reading
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.mlflow_tracking import reachable
from content_arena.pipelines.cli import compare_tables, console, local_runs, standard_input
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
    MAX_TEXTS_CPU,
    AsJson,
    AttemptOptions,
    CorpusOptions,
    FamiliesOption,
    SettingsOption,
    StrategiesOption,
    one_of,
)
from content_arena.pipelines.cli.victims import require, verified
from content_arena.pipelines.cli.written_texts import keeping_in
from content_arena.pipelines.execution.comparisons import UnfinishedComparison
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    import pandas as pd

    from content_arena.components.evaluation.contenders import Named
    from content_arena.components.evaluation.side_by_side_record import SideBySide

_SPLITS = ("test", "all")
#: ``B=VALUE``: the letter of a filter, and what is said of it. JMESPath has ``==`` and no ``=``.
_OF_ONE = re.compile(r"([A-Z])=(?!=)(.*)", re.DOTALL)


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(compare)


@dataclass(frozen=True)
class SameAttacks(AttemptOptions):
    """Options of the attacks, which are the same for every filter."""

    split: Annotated[
        str,
        typer.Option(
            help="test: texts that no version was trained on; all: every text, for filters trained on others.",
            metavar=f"[{'|'.join(_SPLITS)}]",
            callback=one_of(_SPLITS),
        ),
    ] = "test"
    strategies: StrategiesOption = None
    families: FamiliesOption = None


@dataclass(frozen=True)
class UrlOptions:
    """Options about filters behind URLs. With several URLs a value begins with the letter of the filter it is for."""

    header: Annotated[
        list[str],
        typer.Option("--header", metavar="[B=]NAME: VALUE", help="Header of every request to a URL; repeat for more."),
    ] = field(default_factory=list)
    map: Annotated[
        list[str],
        typer.Option(
            "--map",
            metavar="[B=]NAME|EXPRESSION",
            help=f"How the answers of a URL are read: {', '.join(MAPPINGS)}, or an expression of JMESPath.",
        ),
    ] = field(default_factory=list)
    request: Annotated[
        list[str],
        typer.Option("--request", metavar="[B=]JSON", help='What a URL is asked, with "$texts" or "$text" in it.'),
    ] = field(default_factory=list)
    inverted: Annotated[
        list[str], typer.Option("--inverted", metavar="B", help="Letter of a URL whose scores are of benign.")
    ] = field(default_factory=list)
    cacert: Annotated[
        list[str],
        typer.Option("--cacert", metavar="[B=]FILE", help="Certificates (PEM) of the CAs that a URL is trusted by."),
    ] = field(default_factory=list)
    cert: Annotated[
        list[str],
        typer.Option("--cert", metavar="[B=]FILE", help="Your certificate (PEM) for a URL that asks for one."),
    ] = field(default_factory=list)
    key: Annotated[list[str], typer.Option("--key", metavar="[B=]FILE", help="Its private key (PEM, no password).")] = (
        field(default_factory=list)
    )
    insecure: Annotated[
        list[str], typer.Option("--insecure", metavar="B", help="Letter of a URL whose certificate is not verified.")
    ] = field(default_factory=list)


@grouped
def compare(
    filters: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C...]",
            help="Two filters or more: champion, challenger, previous, a version, a bundle folder, a URL, or "
            "python:MODULE:FUNCTION or python:FILE.py:FUNCTION, whose code is run.",
        ),
    ],
    corpus: CorpusOptions,
    attack: SameAttacks,
    urls: UrlOptions,
    page: Annotated[
        Path | None, typer.Option(help="Where the page goes.", show_default="$ARENA_HOME/reports/compare-TIME.html")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a comparison of the same filters that was cut short.")
    ] = False,
    settings: SettingsOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare several filters: evasion, false positives on attacked benign texts, and cost; changes nothing.

    All of them meet the same attempts on the same texts. Differences have 95 % intervals over whole texts, and counts
    of texts on which just one of two filters is wrong are tested with McNemar's test. The filters are called A, B, C
    and so on, in the order given: with several URLs, `--map B=openai` says which one is meant.

    Standard output has the tables, or with --json one object; an HTML page has pictures.
    """
    from content_arena.components.attack_generation.victims import logins
    from content_arena.components.evaluation import contenders, side_by_side, side_by_side_report

    home = ArenaHome.from_environment()
    named = _named(filters, urls)
    given, chat = local_runs.in_this_process(settings, attack)
    if given.reading:
        raise InputError(
            "the settings file says how one filter is read (victim_map, victim_request or victim_inverted in "
            "[attack]), and here are several: take that out, and say for which it is, as --map A=openai"
        )
    strategies = _strategies(corpus.lang, given)
    prepared = _corpus(corpus, home)
    samples = contenders.texts(prepared, "all" if attack.split == "all" else "test", attack.texts, attack.seed)
    unfinished = UnfinishedComparison(
        home, [f"{logins.split(each.victim)[0]} {each.reading}" for each in named], resume=resume
    )
    opened = contenders.opened(named, home.tracking_uri, unfinished.files)
    setting = side_by_side.Setting(samples, strategies, corpus.lang, attack.budget, attack.seed, given.intensity, chat)
    with keeping_in(home, corpus.lang, given), _kept(unfinished):
        found = side_by_side.compare(opened, setting, console.status)
    path = page or home.reports / f"compare-{time.strftime('%Y%m%d-%H%M%S')}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(side_by_side_report.render(found), encoding="utf-8")
    unfinished.finish()
    if as_json:
        print(json.dumps(_answer(found, path)))
        return
    out.print(compare_tables.sides(found))
    out.print(compare_tables.pairs(found))
    out.print(f"Page: {path}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _kept(unfinished: UnfinishedComparison) -> Iterator[None]:
    """Says how to go on where the block is cut short and there is something to go on from."""
    advice = "what the filters answered is kept, the same command with --resume goes on from there"
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*stop.args, *([advice] if unfinished.has_answers else [])) from stop
    except ArenaError as error:
        if not unfinished.has_answers:
            raise
        raise ArenaError(f"{error}; {advice}") from error


def _named(filters: Sequence[str], urls: UrlOptions) -> list[Named]:
    """The filters with what is said of each; what cannot be is refused before anything is read.

    Raises:
        InputError: Fewer than two filters, one that there is not, or an option that is for none of them.
    """
    from content_arena.components.attack_generation.victims import logins
    from content_arena.components.attack_generation.victims.tls import Tls
    from content_arena.components.evaluation.contenders import LETTERS, Named

    if not 2 <= len(filters) <= len(LETTERS):
        raise InputError(f"give two to {len(LETTERS)} filters, such as `arena compare champion previous`")
    by_letter = dict(zip(LETTERS, filters, strict=False))
    shown = {letter: logins.split(victim)[0] for letter, victim in by_letter.items()}
    behind_urls = [letter for letter, victim in by_letter.items() if victim.startswith(("http://", "https://"))]
    headers = _by_letter("--header", urls.header, behind_urls)
    values = {
        name: _by_letter(f"--{name}", getattr(urls, name), behind_urls)
        for name in ("map", "request", "cacert", "cert", "key")
    }
    inverted = _by_letter("--inverted", [f"{letter}=" for letter in urls.inverted], behind_urls)
    insecure = _by_letter("--insecure", [f"{letter}=" for letter in urls.insecure], behind_urls)
    named = []
    for letter, victim in by_letter.items():
        last = {name: given.get(letter, [""])[-1] for name, given in values.items()}
        reading = Reading(last["map"], last["request"], letter in inverted)
        require(shown[letter], reading)
        tls = Tls(last["cacert"], last["cert"], last["key"], letter in insecure)
        named.append(Named(victim, tuple(headers.get(letter, ())), reading, verified(shown[letter], tls)))
    return named


def _by_letter(option: str, given: Sequence[str], behind_urls: Sequence[str]) -> dict[str, list[str]]:
    """The values of an option by the letter of the filter that each is for."""
    found: dict[str, list[str]] = {}
    for value in given:
        match = _OF_ONE.fullmatch(value)
        if match is None and len(behind_urls) != 1:
            which = ", ".join(behind_urls) or "none of these"
            raise InputError(f"{option} is for a filter behind a URL ({which}): write {option} LETTER=...")
        letter, rest = (match[1], match[2]) if match else (behind_urls[0], value)
        if letter not in behind_urls:
            raise InputError(f"{option} is for {letter}, which is no filter behind a URL")
        found.setdefault(letter, []).append(rest)
    return found


def _strategies(lang: str, attack: AttackSettings) -> Sequence[Any]:
    from content_arena.components.attack_generation import strategies

    return strategies.selected(lang, attack.selection)


def _corpus(corpus: CorpusOptions, home: ArenaHome) -> pd.DataFrame:
    """The texts as a run would read and divide them."""
    from content_arena.components.corpus_preparation.prepare import examine
    from content_arena.components.shared.mlflow_tracking import forgotten

    data = local_runs.absolute(corpus.data, corpus.query)
    given = local_runs.reading(corpus)
    reachable.require(home.tracking_uri)
    home.path.mkdir(parents=True, exist_ok=True)
    # The lines of the stage are progress here, not the result.
    with standard_input.as_file(data, home.path) as file, contextlib.redirect_stdout(sys.stderr):
        prepared = examine(
            file,
            corpus.lang,
            given=given,
            max_texts=corpus.max_texts or MAX_TEXTS_CPU,
            forgotten=forgotten.read(home.tracking_uri),
        )
    for reason in prepared.stops:
        console.status(f"nothing would be trained on this: {reason}")
    return prepared.table


def _answer(found: SideBySide, path: Path) -> Mapping[str, Any]:
    """What ``--json`` answers."""
    document = asdict(found)
    for side in document["sides"]:
        side["evasion_by_budget"] = [{"queries": n, "evasion": share} for n, share in side.pop("by_budget")]
    return {**document, "left_out": list(found.left_out), "page": str(path)}
