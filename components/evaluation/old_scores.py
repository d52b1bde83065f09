"""Reads the scores that another service gave to texts: a table with a text, an attribute and a score in each row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.formats import check_is_file, read_columns
from content_arena.components.corpus_preparation.tables.named_columns import listed, one_of, the_one
from content_arena.components.shared.errors import InputError

#: Usual names of the columns, in order of preference.
USUAL = {
    "text": ("text", "comment", "comment_text", "message", "body", "content"),
    "attribute": ("attribute", "attribute_name", "requested_attribute"),
    "score": ("score", "old_score", "summary_score", "value", "probability"),
}


@dataclass(frozen=True)
class OldScores:
    """What the other service said of texts, for one attribute.

    Attributes:
        texts: n texts, each once.
        scores: n scores in [0, 1]; the mean where a text had several.
        rows: Number of a row of each text, from 1, without the line of the names.
        n_dropped: Rows without a text or without a score in [0, 1].
        others: Rows of other attributes, by name.
    """

    texts: list[str]
    scores: list[float]
    rows: list[int]
    n_dropped: int
    others: Mapping[str, int]


def read_old_scores(path: Path, lang: str, attribute: str, named: Mapping[str, str | None]) -> OldScores:
    """Reads the table; one without a column of attributes holds scores of ``attribute`` alone.

    Args:
        path: CSV, TSV, JSONL (each also .gz), XLSX or Parquet.
        lang: ISO 639-1 code of the texts.
        attribute: Whose scores are taken, whatever the case.
        named: Columns that the user named, by ``text``, ``attribute`` and ``score``; None where they are to be found.

    Raises:
        InputError: The file cannot be read, a column is missing, or no row has a score of the attribute.
    """
    check_is_file(path, "give the path of a table with old scores")
    columns = read_columns(path, lang)
    texts, scores = (columns[_column(columns, role, named.get(role))] for role in ("text", "score"))
    attributes = _attributes(columns, named.get("attribute"), attribute)
    found: dict[str, list[tuple[int, float]]] = {}
    others: Counter[str] = Counter()
    n_dropped = 0
    for row, (text, name, cell) in enumerate(zip(texts, attributes, scores, strict=True), 1):
        score = _score(cell)
        if name.casefold() != attribute.casefold():
            others[name] += 1
        elif not isinstance(text, str) or not text.strip() or not _is_unicode(text) or score is None:
            n_dropped += 1
        else:
            found.setdefault(text, []).append((row, score))
    if not found:
        raise InputError(f"{path} has no row with a text and a score from 0 to 1 for {attribute}")
    return OldScores(
        texts=list(found),
        scores=[math.fsum(score for _, score in rows) / len(rows) for rows in found.values()],
        rows=[rows[0][0] for rows in found.values()],
        n_dropped=n_dropped,
        others=dict(others),
    )


def _column(columns: Columns, role: str, wanted: str | None) -> str:
    if wanted is not None:
        return the_one(columns, wanted, role)
    found = one_of(columns, USUAL[role])
    if found is None:
        raise InputError(f"no column of {role}s is found; name it with --{role}-column; the data has {listed(columns)}")
    return found


def _attributes(columns: Columns, wanted: str | None, attribute: str) -> list[str]:
    name = the_one(columns, wanted, "attribute") if wanted is not None else one_of(columns, USUAL["attribute"])
    if name is None:
        return [attribute] * columns.n_rows
    return [str(cell).strip() for cell in columns[name]]


def _score(cell: object) -> float | None:
    """The number in a cell; None if it is none from 0 to 1."""
    try:
        score = float(cell) if isinstance(cell, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return score if 0 <= score <= 1 else None


def _is_unicode(text: str) -> bool:
    """Whether there is no half of a surrogate pair, as there is where a file was not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
