"""Reads the scores that another service gave to texts, for one attribute or several.

A table has one of these forms:

- a text, an attribute and a score in each row; without a column of attributes all scores are of one;
- a text in each row, and a column of scores for each attribute, named ``INSULT`` or, as pandas.json_normalize names the
  columns of Perspective's answers, ``attributeScores.INSULT.summaryScore.value``;
- a text in each row, and in the column ``attributeScores`` what Perspective answered (JSON).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.formats import check_is_file, read_columns
from content_arena.components.corpus_preparation.tables.named_columns import listed, one_of, the_one
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.scoring.attributes import ATTRIBUTES

#: Usual names of the columns, in order of preference.
USUAL = {
    "text": ("text", "comment", "comment_text", "message", "body", "content"),
    "attribute": ("attribute", "attribute_name", "requested_attribute"),
    "score": ("score", "old_score", "summary_score", "value", "probability"),
}
#: Attributes of the Perspective API that columns are known by (its documentation, "Attributes & Languages").
_ATTRIBUTES = frozenset({"TOXICITY", "SEVERE_TOXICITY", "FLIRTATION", *ATTRIBUTES})
_FLAT = re.compile(r"attributescores\.(\w+)\.summaryscore\.value", re.IGNORECASE)
_ANSWERS = "attributeScores"
_UNNAMED = "(NO ATTRIBUTE)"


@dataclass(frozen=True)
class OldScores:
    """What the other service said of texts, for one attribute.

    Attributes:
        texts: n texts, each once.
        scores: n scores in [0, 1]; the mean where a text had several.
        rows: Number of a row of each text, from 1, without the line of the names.
        n_dropped: Rows of the attribute without a text or without a score in [0, 1].
    """

    texts: list[str]
    scores: list[float]
    rows: list[int]
    n_dropped: int


def read_old_scores(path: Path, lang: str, default: str, named: Mapping[str, str | None]) -> dict[str, OldScores]:
    """Reads the table.

    Args:
        path: CSV, TSV, JSONL (each also .gz), XLSX or Parquet.
        lang: ISO 639-1 code of the texts.
        default: Attribute of the scores of a table that names none.
        named: Columns that the user named, by ``text``, ``attribute`` and ``score``; None where they are to be found.

    Returns:
        Scores by attribute, in capitals and in the order of the table; at least one attribute, each with a text or
        more.

    Raises:
        InputError: The file cannot be read or can be read in two ways, a column is missing, or no row has a score.
    """
    check_is_file(path, "give the path of a table with old scores")
    columns = read_columns(path, lang)
    texts = columns[_column(columns, "text", named.get("text"))]
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    n_dropped: Counter[str] = Counter()
    for row, name, cell in _entries(columns, default, named):
        text, score = texts[row - 1], _score(cell)
        of_attribute = found.setdefault(name, {})
        if not isinstance(text, str) or not text.strip() or not _is_unicode(text) or score is None:
            n_dropped[name] += 1
        else:
            of_attribute.setdefault(text, []).append((row, score))
    if not any(found.values()):
        raise InputError(f"{path} has no row with a text and a score from 0 to 1")
    return {
        name: OldScores(
            texts=list(of_attribute),
            scores=[math.fsum(score for _, score in rows) / len(rows) for rows in of_attribute.values()],
            rows=[rows[0][0] for rows in of_attribute.values()],
            n_dropped=n_dropped[name],
        )
        for name, of_attribute in found.items()
        if of_attribute
    }


def _entries(columns: Columns, default: str, named: Mapping[str, str | None]) -> Iterator[tuple[int, str, object]]:
    """Row, attribute and cell of each score in the table, whatever its form."""
    wanted, score = named.get("attribute"), named.get("score")
    attribute = the_one(columns, wanted, "attribute") if wanted is not None else one_of(columns, USUAL["attribute"])
    if attribute is not None:
        cells = zip(columns[attribute], columns[_column(columns, "score", score)], strict=True)
        for row, (name, cell) in enumerate(cells, 1):
            yield row, _UNNAMED if name is None else str(name).strip().upper() or _UNNAMED, cell
        return
    by_attribute = {column: name for column in columns if (name := _attribute_of(column))}
    answers = one_of(columns, [_ANSWERS])
    usual = one_of(columns, USUAL["score"])
    if score is not None or not (by_attribute or answers):
        column = _column(columns, "score", score)
        for row, cell in enumerate(columns[column], 1):
            yield row, by_attribute.get(column, default), cell
    elif usual is not None:
        other = next(iter(by_attribute), answers)
        raise InputError(
            f"the data has scores in the columns {usual} and {other}: --score-column says which one to take"
        )
    elif by_attribute:
        for column, name in by_attribute.items():
            for row, cell in enumerate(columns[column], 1):
                yield row, name, cell
    elif answers is not None:
        for row, answer in enumerate(columns[answers], 1):
            for name, scores in answer.items() if isinstance(answer, dict) else ():
                summary = scores.get("summaryScore") if isinstance(scores, dict) else None
                yield row, str(name).upper(), summary.get("value") if isinstance(summary, dict) else None


def _attribute_of(column: str) -> str | None:
    """The attribute whose scores a column has by its name; None if it is no such name."""
    flat = _FLAT.fullmatch(column)
    name = (flat[1] if flat else column).upper()
    return name if flat or name in _ATTRIBUTES else None


def _column(columns: Columns, role: str, wanted: str | None) -> str:
    if wanted is not None:
        return the_one(columns, wanted, role)
    found = one_of(columns, USUAL[role])
    if found is None:
        raise InputError(f"no column of {role}s is found; name it with --{role}-column; the data has {listed(columns)}")
    return found


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
