"""Reads labelled texts from the embedded corpus, a file or the Hugging Face hub into one table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation import formats
from content_arena.components.corpus_preparation.formats import Columns
from content_arena.components.corpus_preparation.labels import JIGSAW_COLUMNS, read_jigsaw_labels, read_labels, shown
from content_arena.components.corpus_preparation.parameters import named
from content_arena.components.shared.errors import InputError

EMBEDDED = "embedded"
CORPUS_FOLDER = Path(__file__).with_name("corpus")
HUB_PREFIX = "hf://"
# In order of preference, lower case.
TEXT_COLUMNS = (
    "text", "comment", "comment_text", "tweet", "content", "sentence", "body", "message", "document", "post",
    "comments", "utterance", "review", "reply", "question_text", "댓글", "내용", "문장",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "toxic", "is_toxic", "toxicity", "target", "class", "hate", "is_hate", "hateful",
    "offensive", "is_offensive", "abusive", "is_abusive", "gold_label", "label_gold", "subtask_a", "y", "라벨",
)  # fmt: skip
LANG_COLUMNS = ("lang", "language")
OPTIONAL_COLUMNS = ("category", "target_ident", "source", "sample_id", "base_id")

_LANG = re.compile(r"[a-z]{2,3}")
_HUB_NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:/(?P<split>[\w.-]+))?", re.ASCII)


@dataclass(frozen=True)
class Ingested:
    """What was read.

    Attributes:
        table: Columns text, label (toxic or benign), lang, source, category, target_ident, sample_id, base_id; None
            in the last four where the data has nothing.
        n_read: Number of rows of the data.
        dropped: Rows left out of the table, by reason: the first reasons of cleaning.REASONS.
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
    first_rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ingest(data: str, lang: str, text_column: str | None = None, label_column: str | None = None) -> Ingested:
    """Reads labelled texts.

    Args:
        data: "embedded", the path of a CSV, TSV, JSONL or Parquet file, or ``hf://owner/name[:config][/split]``.
        lang: ISO 639 code; if the data has a column of languages, rows of other languages are dropped.
        text_column: Column of the texts; if None, the first of :data:`TEXT_COLUMNS` that exists, in any case.
        label_column: Column of the labels; if None, Jigsaw's six, or the first of :data:`LABEL_COLUMNS` that exists.

    Raises:
        InputError: The data cannot be read, does not have the columns, or has unknown labels.
    """
    if not _LANG.fullmatch(lang):
        raise InputError(f"{named('lang')} {shown(lang)} is no ISO 639 code in small letters, such as en or ko")
    columns, source = read(data, lang)
    return tabulate(columns, source, lang, text_column, label_column)


def tabulate(
    columns: Columns, source: str, lang: str, text_column: str | None = None, label_column: str | None = None
) -> Ingested:
    """Turns the columns of data into the table of labelled texts.

    Args:
        columns: The cells of each column.
        source: Name of the data.
        lang: As for :func:`ingest`.
        text_column: As for :func:`ingest`.
        label_column: As for :func:`ingest`.

    Raises:
        InputError: The data does not have the columns, or has unknown labels.
    """
    found = {name.casefold(): name for name in reversed(columns)}
    text_name = _find(columns, found, text_column, TEXT_COLUMNS, "text")
    label_names = _label_columns(columns, found, label_column)
    if text_name in label_names:
        raise InputError(
            f"column {shown(text_name)} cannot be both text and label; name both, with "
            f"{named('text_column')} and {named('label_column')}"
        )

    table = pd.DataFrame({"text": [_as_text(cell, text_name) for cell in columns[text_name]]}, dtype=object)
    for name in OPTIONAL_COLUMNS:
        cells = columns[found[name]] if name in found else [None] * len(table)
        table[name] = pd.Series([_as_text(cell, name).strip() or None for cell in cells], dtype=object)
    table["source"] = table["source"].fillna(source)
    for name in label_names:
        table[_cells_of(name)] = pd.Series(
            [None if _is_missing(cell) else cell for cell in columns[name]], dtype=object
        )
    lang_column = next((found[name] for name in LANG_COLUMNS if name in found and found[name] not in label_names), None)
    table, dropped = _drop_undecodable(table)
    table, dropped["other_language"] = _keep_language(table, columns, lang_column, lang)

    label_cells = {name.casefold(): table.pop(_cells_of(name)).tolist() for name in label_names}
    if len(label_cells) == 1:
        (only,) = label_cells.values()
        labels = read_labels(only, label_names[0])
    else:
        labels = read_jigsaw_labels(label_cells)
    return Ingested(
        table=table.assign(label=labels, lang=lang).reset_index(drop=True),
        n_read=sum(dropped.values()) + len(table),
        dropped=dropped,
        origin=f"{source}, text in {shown(text_name)}, labels in {', '.join(map(shown, label_names))}",
    )


def read(data: str, lang: str) -> tuple[Columns, str]:
    """Reads the columns of data.

    Args:
        data: As for :func:`ingest`.
        lang: As for :func:`ingest`.

    Returns:
        The columns, and the name of the data.

    Raises:
        InputError: The data cannot be read.
    """
    if data == EMBEDDED:
        return _read_embedded(lang), f"{EMBEDDED}-{lang}"
    if data.startswith(HUB_PREFIX):
        return _read_hub(data), data
    if "://" in data:
        raise InputError(f"nothing can be read from {data.split('://')[0]}://; fetch the file and give its path")
    if not data.strip():
        raise InputError(f"{named('data')} is empty; give '{EMBEDDED}', the path of a file, or {HUB_PREFIX}owner/name")
    path = Path(data).expanduser()
    return formats.read_columns(path, lang), path.name


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


def _read_hub(data: str) -> Columns:
    match = _HUB_NAME.fullmatch(data.removeprefix(HUB_PREFIX))
    if match is None:
        raise InputError(f"{named('data')} is no data set of the hub; write {HUB_PREFIX}owner/name[:config][/split]")
    import datasets

    datasets.disable_progress_bars()
    try:
        # Scripts of data sets are not run: this version of the package has no option for it.
        dataset = datasets.load_dataset(match["name"], match["config"], split=match["split"] or "train")
        columns = {name: list(dataset[name]) for name in dataset.column_names}
    except Exception as error:  # Four packages without a common error: hub, HTTP client, Arrow, datasets.
        raise InputError(
            f"{data} cannot be loaded ({type(error).__name__}); check name, config and split, and that this machine "
            "reaches the hub, or fetch the data and give the path of a file"
        ) from error
    for name, feature in dataset.features.items():
        if isinstance(feature, datasets.ClassLabel):
            columns[name] = [None if cell is None or cell < 0 else feature.int2str(cell) for cell in columns[name]]
    return columns


def _find(columns: Columns, found: dict[str, str], wanted: str | None, usual: Sequence[str], role: str) -> str:
    """The name of the given column, or of the first usual one."""
    if wanted is not None:
        if wanted in columns or wanted.casefold() in found:
            return wanted if wanted in columns else found[wanted.casefold()]
        raise InputError(f"there is no {role} column {shown(wanted)}; the data has {_listed(columns)}")
    for name in usual:
        if name in found:
            return found[name]
    raise InputError(
        f"no {role} column among {_listed(columns)}; name it with {named(f'{role}_column')}, or call it "
        f"'{usual[0]}' (the first line of a CSV or TSV file has the names)"
    )


def _label_columns(columns: Columns, found: dict[str, str], wanted: str | None) -> list[str]:
    if wanted is None and all(name in found for name in JIGSAW_COLUMNS):
        return [found[name] for name in JIGSAW_COLUMNS]
    return [_find(columns, found, wanted, LABEL_COLUMNS, "label")]


def _listed(columns: Columns) -> str:
    names = [shown(name) for name in columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _cells_of(label_column: str) -> str:
    return f"cells of {label_column}"


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _as_text(cell: object, column: str) -> str:
    if _is_missing(cell):
        return ""
    if not isinstance(cell, str | int | float):
        raise InputError(f"column {shown(column)} has {type(cell).__name__} values, not texts")
    return str(cell)


def _drop_undecodable(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    bad = table.map(formats.is_undecodable).any(axis=1)
    return table[~bad], {"undecodable": int(bad.sum())}


def _keep_language(
    table: pd.DataFrame, columns: Columns, lang_column: str | None, lang: str
) -> tuple[pd.DataFrame, int]:
    """Keeps the rows of one language; "EN" and "en-US" are "en", and an empty cell means this language."""
    if lang_column is None or table.empty:
        return table, 0
    cells = [_as_text(columns[lang_column][row], lang_column).strip() for row in table.index]
    codes = [re.split("[-_]", cell.casefold())[0] or lang for cell in cells]
    kept = table[[code == lang for code in codes]]
    if kept.empty:
        others = ", ".join(shown(cell) for cell, _ in Counter(cells).most_common(5))
        raise InputError(
            f"no row has '{lang}' in column {shown(lang_column)}, which holds {others}; set "
            f"{named('lang')} to one of them"
        )
    return kept, len(table) - len(kept)
