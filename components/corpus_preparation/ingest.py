"""Reads labelled texts from the embedded corpus, a file, a database or the Hugging Face hub into one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation.tables import databases, formats, sources
from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.encodings import is_undecodable
from content_arena.components.corpus_preparation.tables.hub import HUB_PREFIX, read_hub
from content_arena.components.corpus_preparation.tables.label_columns import (
    find_label_columns,
    read_label_columns,
    unread_harms,
)
from content_arena.components.corpus_preparation.tables.labels import parts_of, shown
from content_arena.components.corpus_preparation.tables.named_columns import listed, one_of, the_one
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.languages import language_code, language_name

EMBEDDED = "embedded"
CORPUS_FOLDER = Path(__file__).with_name("corpus")
# In order of preference, lower case.
TEXT_COLUMNS = (
    "text", "comment", "comment_text", "tweet", "content", "sentence", "body", "message", "document", "post",
    "comments", "utterance", "review", "reply", "question_text", "댓글", "내용", "문장",
)  # fmt: skip
LANG_COLUMNS = ("lang", "language")
CATEGORY_COLUMNS = ("categories", "category")
OPTIONAL_COLUMNS = ("target_ident", "source", "sample_id", "base_id")
#: Row numbers that are kept for each reason to drop a row.
_ROWS_NAMED = 10


@dataclass(frozen=True)
class Ingested:
    """What was read.

    Attributes:
        table: Columns text, label (toxic or benign), lang, source, categories (lists), target_ident, sample_id and
            base_id; None in the last three where the data has nothing.
        n_read: Number of rows of the data.
        dropped: Rows left out of the table, by reason: the first reasons of cleaning.REASONS.
        source: Name of the data.
        origin: Name of the data and of the columns that were read, for the log.
        first_rows: Numbers of the first rows of each reason in ``dropped``, ten at most. Row 1 is the first below the
            names of columns. Empty lines are no rows.
        notes: What was not read as it stands, or may surprise, a sentence each: the encoding, a column whose 1 means
            benign, columns that were left out. They quote no text.
    """

    table: pd.DataFrame
    n_read: int
    dropped: dict[str, int]
    origin: str
    source: str = ""
    first_rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass
class _Rows:
    """The rows that are left, and those that were dropped on the way."""

    table: pd.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)
    first_rows: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def drop(self, reason: str, bad: pd.Series) -> None:
        """Drops rows; ``bad`` has the index of the table."""
        rows = self.table.index[bad]
        self.dropped[reason] = len(rows)
        if len(rows):
            self.first_rows[reason] = tuple(int(row) + 1 for row in rows[:_ROWS_NAMED])
        self.table = self.table[~bad]


def ingest(
    data: str, lang: str, options: ReadingOptions | None = None, tell: Callable[[str], None] | None = None
) -> Ingested:
    """Reads labelled texts.

    Args:
        data: "embedded"; the path of a CSV, TSV, JSON, XLSX or Parquet file, or its address (https:// or s3://); or
            ``hf://owner/name[:config][/split]``; or SQLAlchemy's address of a database, with a query in the options.
        lang: ISO 639 code; if the data has a column of languages, rows of other languages are dropped.
        options: How to read the data; what is not stated there is found from the data.
        tell: Called with a line about how far a long reading is.

    Raises:
        InputError: The data cannot be read, does not have the columns, or has unknown labels.
    """
    check_code(lang)
    columns, source = read(data, lang, options, tell)
    return tabulate(columns, source, lang, options)


def check_code(lang: str) -> None:
    """Refuses what is no ISO 639 code of a language.

    A name such as English is refused too: the other stages of a run take the code as it stands, and strategies are
    chosen by it.

    Raises:
        InputError: With the code, if a language is called so.
    """
    code = language_code(lang)
    if code == lang:
        return
    meant = f"; {language_name(code)} is {code}" if code else ", such as en or ko"
    raise InputError(f"{named('lang')} {shown(lang)} is no ISO 639 code in small letters{meant}")


def tabulate(columns: Columns, source: str, lang: str, options: ReadingOptions | None = None) -> Ingested:
    """Turns the columns of data into the table of labelled texts. Only the columns that it needs are loaded.

    Args:
        columns: The columns of the data.
        source: Name of the data.
        lang: As for :func:`ingest`.
        options: As for :func:`ingest`.

    Raises:
        InputError: The data does not have the columns, or has unknown labels.
    """
    options = options or ReadingOptions()
    text_name = _text_column(columns, options.text_column)
    label_names = find_label_columns(columns, options.label_columns)
    if text_name in label_names:
        raise InputError(
            f"column {shown(text_name)} cannot be both text and label; name both, with "
            f"{named('text_column')} and {named('label_column')}"
        )
    texts = [_as_text(cell, text_name) for cell in columns[text_name]]
    table = pd.DataFrame({"text": texts}, dtype=object)
    notes = [*columns.notes, *_add_optional(table, columns, label_names)]
    table["source"] = table["source"].fillna(source)
    for name in label_names:
        table[_cells_of(name)] = pd.Series(
            [None if _is_missing(cell) else cell for cell in columns[name]], dtype=object
        )
    rows = _Rows(table)
    rows.drop("undecodable", _any_cell(rows.table, is_undecodable))
    rows.drop("nul_character", _any_cell(rows.table, _has_nul))
    _keep_language(rows, columns, label_names, lang)
    cells = {name: rows.table[_cells_of(name)].tolist() for name in label_names}
    rows.table = rows.table.drop(columns=list(map(_cells_of, label_names)))
    labels = read_label_columns(cells, options.label_map, with_categories=len(options.label_columns) > 1)
    rows.table = rows.table.assign(label=labels.meanings, lang=lang)
    if labels.categories is not None and not rows.table["categories"].map(bool).any():
        rows.table["categories"] = pd.Series(labels.categories, index=rows.table.index, dtype=object)
    rows.drop("unlabelled", rows.table["label"] == "none")
    rows.drop("contradictory_label", rows.table["label"] == "both")
    return Ingested(
        table=rows.table.reset_index(drop=True),
        n_read=len(texts),
        dropped=rows.dropped,
        origin=f"{source}, text in {shown(text_name)}, labels in {', '.join(map(shown, label_names))}",
        source=source,
        first_rows=rows.first_rows,
        notes=(*notes, *labels.notes, *unread_harms(columns, label_names)),
    )


def read(
    data: str, lang: str, options: ReadingOptions | None = None, tell: Callable[[str], None] | None = None
) -> tuple[Columns, str]:
    """Reads the columns of data.

    Args:
        data: As for :func:`ingest`.
        lang: As for :func:`ingest`.
        options: As for :func:`ingest`.
        tell: As for :func:`ingest`.

    Returns:
        The columns, and the name of the data.

    Raises:
        InputError: The data cannot be read.
    """
    query = options.query if options else None
    databases.check(data, query)
    if query is not None:
        return databases.read_database(data, query, tell)
    if data == EMBEDDED:
        return _read_embedded(lang), f"{EMBEDDED}-{lang}"
    if data.startswith(HUB_PREFIX):
        return read_hub(data), data
    if data.startswith(sources.SCHEMES):
        with sources.fetched(data) as file:
            # A Parquet file is read whole before it is removed.
            return formats.read_columns(file, lang, options), data
    if "://" in data:
        raise InputError(
            f"nothing can be read from {data.split('://')[0]}://, only from {', '.join(sources.SCHEMES)}, "
            f"{HUB_PREFIX} and, with {named('query')}, a database; fetch the file and give its path"
        )
    if not data.strip():
        raise InputError(f"{named('data')} is empty; give '{EMBEDDED}', the path of a file, or {HUB_PREFIX}owner/name")
    path = Path(data).expanduser()
    return formats.read_columns(path, lang, options), path.name


def _read_embedded(lang: str) -> Columns:
    path = embedded_file(lang)
    if path is None:
        stems = [file.name.removesuffix(".jsonl") for file in CORPUS_FOLDER.glob("*.jsonl")]
        there = sorted(stem for stem in stems if "." not in stem)
        raise InputError(
            f"there is no embedded corpus in '{lang}', only in {', '.join(there) or 'no language'}; name a "
            f"file of your own with {named('data')}"
        )
    return formats.read_columns(path, lang)


def embedded_file(lang: str, part: str = "") -> Path | None:
    """The file of the embedded corpus in a language; None if there is none.

    Args:
        lang: ISO 639 code.
        part: "" for the corpus itself, "guard" for its guard set.
    """
    path = CORPUS_FOLDER / (f"{lang}.{part}.jsonl" if part else f"{lang}.jsonl")
    return path if path.is_file() else None


def _text_column(columns: Columns, wanted: str | None) -> str:
    if wanted is not None:
        return the_one(columns, wanted, "text")
    found = one_of(columns, TEXT_COLUMNS)
    if found is None:
        raise InputError(
            f"no text column among {listed(columns)}; name it with {named('text_column')}, or call it "
            f"'{TEXT_COLUMNS[0]}' (the first line of a CSV or TSV file has the names)"
        )
    return found


def _add_optional(table: pd.DataFrame, columns: Columns, label_names: list[str]) -> list[str]:
    """Adds the columns that the data may have; returns a sentence for each that cannot be used.

    A cell with several words is joined by "+", but for the categories, which are lists.
    """
    notes = []
    found = one_of(columns, [name for name in CATEGORY_COLUMNS if name not in label_names])
    lists: list[list[str]] = [[] for _ in range(len(table))]
    if found is not None and found not in label_names:
        try:
            lists = [_categories(cell, found) for cell in columns[found]]
        except InputError as error:
            notes.append(f"{shown(found)} was left out: {error}")
    table["categories"] = pd.Series(lists, dtype=object)
    for name in OPTIONAL_COLUMNS:
        found = one_of(columns, [name])
        cells: list[str] | None = [""] * len(table)
        if found is not None and found not in label_names:
            try:
                cells = [_as_text(_joined(cell), found).strip() for cell in columns[found]]
            except InputError as error:
                notes.append(f"{shown(found)} was left out: {error}")
        table[name] = pd.Series([cell or None for cell in cells or []], dtype=object)
    return notes


def _joined(cell: object) -> object:
    """A list of words as one, joined by "+"; other cells as they are."""
    if isinstance(cell, list | tuple) and all(isinstance(word, str | int | float) for word in cell):
        return "+".join(str(word) for word in cell)
    return cell


def _categories(cell: object, column: str) -> list[str]:
    """The categories in a cell: a list, a list written as text, or names joined by "+"; each of them once."""
    is_list = isinstance(cell, str) and cell.strip().startswith("[")
    words = parts_of(cell) if is_list or isinstance(cell, list | tuple) else None
    if words is None:
        return records.split_categories(_as_text(cell, column))
    return list(dict.fromkeys(name for word in words if (name := _as_text(word, column).strip())))


def _cells_of(label_column: str) -> str:
    return f"cells of {label_column}"


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _any_cell(table: pd.DataFrame, is_bad: Callable[[object], bool]) -> pd.Series:
    """Marks the rows with a bad cell. Most of the columns are empty, and those are not looked at cell by cell."""
    bad = pd.Series(False, index=table.index)
    for name in table.columns[table.notna().any()]:
        is_bad_cell = (lambda words: any(map(is_bad, words))) if name == "categories" else is_bad
        bad |= table[name].map(is_bad_cell).astype(bool)
    return bad


def _has_nul(cell: object) -> bool:
    return isinstance(cell, str) and "\0" in cell


def _as_text(cell: object, column: str) -> str:
    if _is_missing(cell):
        return ""
    if not isinstance(cell, str | int | float):
        raise InputError(f"column {shown(column)} has {type(cell).__name__} values, not texts")
    return str(cell)


def _keep_language(rows: _Rows, columns: Columns, label_names: list[str], lang: str) -> None:
    """Keeps the rows of one language; "English", "eng" and "en-US" are "en", and an empty cell means this language."""
    column = one_of(columns, [name for name in LANG_COLUMNS if name not in label_names])
    if column is None or column in label_names or rows.table.empty:
        rows.dropped["other_language"] = 0
        return
    all_cells = columns[column]
    cells = [_as_text(all_cells[row], column).strip() for row in rows.table.index]
    is_kept = {cell: not cell or language_code(cell) == lang for cell in set(cells)}
    bad = pd.Series([not is_kept[cell] for cell in cells], index=rows.table.index, dtype=bool)
    if bad.all():
        others = ", ".join(shown(cell) for cell, _ in Counter(cells).most_common(5))
        raise InputError(
            f"no row has '{lang}' in column {shown(column)}, which holds {others}; set {named('lang')} to one of them"
        )
    rows.drop("other_language", bad)
