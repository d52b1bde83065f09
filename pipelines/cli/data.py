"""``arena data``: labelled texts before anything is trained on them, and ``check``; the rest is in corpora.py."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from content_arena.components.shared.mlflow_tracking import reachable
from content_arena.pipelines.cli import corpora
from content_arena.pipelines.cli.console import out, status
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
    MAX_TEXTS_CPU,
    AsJson,
    LangOption,
    SettingsOption,
    described,
)
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from content_arena.components.corpus_preparation.prepare import MakeReader, Prepared
    from content_arena.pipelines.definitions.settings_file import RunSettings

data = typer.Typer(
    name="data",
    help="Look at labelled texts before anything is trained on them; list and restore corpora; forget a text.",
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    data.command()(check)
    corpora.add_to(data)
    app.add_typer(data)


@grouped
def check(
    file: Annotated[str, typer.Argument(help=described("data"))],
    lang: LangOption = PARAMETERS["lang"].default,
    max_texts: Annotated[
        int, typer.Option(min=100, help="Draw at most this many texts, as a run does.")
    ] = MAX_TEXTS_CPU,
    text_column: Annotated[str | None, typer.Option(help="Column of the texts; usual names are found.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the labels; usual names are found.")] = None,
    label_columns: Annotated[str | None, typer.Option(metavar="A,B,C", help=described("label_columns"))] = None,
    label_map: Annotated[str | None, typer.Option(metavar="LABEL=MEANING,...", help=described("label_map"))] = None,
    quoting: Annotated[str | None, typer.Option(metavar="[csv|none]", help=described("quoting"))] = None,
    encoding: Annotated[str | None, typer.Option(help=described("encoding"))] = None,
    query: Annotated[str | None, typer.Option(metavar="SQL", help=described("query"))] = None,
    guard: Annotated[str, typer.Option(help=described("guard"))] = PARAMETERS["guard"].default,
    base_model: Annotated[
        str,
        typer.Option(help="Encoder whose vocabulary the Reader knows, as for `arena run`; none leaves the Reader out."),
    ] = PARAMETERS["base_model"].default,
    page: Annotated[
        Path | None, typer.Option(help="Where the page goes.", show_default="$ARENA_HOME/reports/corpus-NAME.html")
    ] = None,
    settings: SettingsOption = None,
    as_json: AsJson = False,
) -> None:
    """Check labelled texts as a run would read them: what is dropped and why, labels, lengths, scripts, repetitions.

    Nothing is trained and no registry is needed; where there is one, texts that were forgotten are left out. Writes an
    HTML page. Exit code 1 if a run would refuse the data for its quality; section "corpus" of the settings file has the
    limits.
    """
    from content_arena.components.corpus_preparation.prepare import examine
    from content_arena.components.corpus_preparation.settings import CorpusSettings
    from content_arena.components.shared import settings as documents
    from content_arena.components.shared.mlflow_tracking import forgotten

    home = ArenaHome.from_environment()
    limits = documents.make(CorpusSettings, settings.settings if settings else None)
    reachable.require(home.tracking_uri)
    # The lines of the stage are progress here, not the result.
    with contextlib.redirect_stdout(sys.stderr):
        prepared = examine(
            file,
            lang,
            given={
                "text_column": text_column or "",
                "label_column": label_column or "",
                "label_columns": label_columns or "",
                "label_map": label_map or "",
                "quoting": quoting or "",
                "encoding": encoding or "",
                "query": query or "",
            },
            max_texts=max_texts,
            guard=guard,
            settings=limits,
            make_reader=None if base_model == "none" else _reader_of(base_model, lang, settings),
            forgotten=forgotten.read(home.tracking_uri),
        )
    path = page or home.reports / f"corpus-{_name(file)}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(prepared.page(), encoding="utf-8")
    if as_json:
        print(json.dumps(_answer(prepared) | {"page": str(path)}))
    else:
        _print(prepared)
        out.print(f"Page: {path}", highlight=False, soft_wrap=True)
    if prepared.stops:
        raise typer.Exit(1)


def _print(prepared: Prepared) -> None:
    quality = prepared.quality
    table = Table(title=f"{quality.rows_read:,} rows read", title_justify="left")
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    counted = {
        **{f"dropped: {reason}": n for reason, n in quality.rows_dropped.items() if n},
        **{f"kept: {label}": n for label, n in quality.labels.items()},
        **{f"drawn: {label}": n for label, n in quality.drawn.items() if quality.drawn != quality.labels},
    }
    for name, n in counted.items():
        table.add_row(name, f"{n:,}", f"{n / quality.rows_read:.1%}" if quality.rows_read else "")
    out.print(table)
    for reason in prepared.stops:
        out.print(f"Stops a run: {reason}", highlight=False, soft_wrap=True)
    for reason in prepared.warnings:
        out.print(f"Look at this: {reason}", highlight=False, soft_wrap=True)
    if not prepared.stops:
        out.print(f"A run can start: `arena run --data` with {quality.n_drawn:,} texts.", highlight=False)


def _answer(prepared: Prepared) -> dict[str, object]:
    return {**prepared.quality.as_json(), "warnings": prepared.warnings, "stops": prepared.stops}


def _name(file: str) -> str:
    """The name of data, as a part of a file's name."""
    last = file.rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in last) or "data"


def _reader_of(base_model: str, lang: str, settings: RunSettings | None) -> MakeReader:
    """What makes the Reader that a training would make; without the vocabulary of the encoder there is none."""

    def make(corpus: pd.DataFrame) -> Callable[[str], str] | None:
        from content_arena.components.qlora_training import base_models, dataset, encoders
        from content_arena.components.qlora_training.settings import TrainingSettings
        from content_arena.components.shared import settings as documents
        from content_arena.components.shared.errors import InputError
        from content_arena.components.shared.text.reader.reader import Reader

        try:
            vocabulary = base_models.load_tokenizer(encoders.named(base_model, lang), lang).get_vocab()
        except InputError as error:
            status(f"the Reader is not tried: {error}")
            return None
        training = documents.make(TrainingSettings, settings.settings if settings else None)
        lexicon = dataset.build_lexicon(corpus, vocabulary, training.edit_price, lang)
        return Reader(lexicon).read if lexicon else None

    return make
