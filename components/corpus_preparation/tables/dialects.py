"""Reads comma- and tab-separated text: which character separates, and whether a double quote is one.

Programs disagree on both. A spreadsheet writes semicolons where the comma is the decimal sign. Many tab-separated files
are written without quoting: a ``"`` at the start of a text is then a character, and a reader that takes it for a quote
swallows the rows up to the next one, with their labels. So both readings are tried, and where both are possible and
nothing speaks for one, the file is refused.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.labels import is_label
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

#: csv: a field may stand in double quotes, and a quote inside is doubled. none: a quote is a character.
QUOTING = ("csv", "none")
_DELIMITERS = ",;\t|"
_SEP_LINE = re.compile(r'"?sep=(.|\\t)"?,*\r?\n', re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class _Reading:
    """One reading of a file.

    Attributes:
        names: The fields of the first line.
        rows: The fields of the other lines, as many as there are names. Blank lines are no rows.
        spans: First and last line of the rows that go over several lines, counted from 0.
    """

    names: list[str]
    rows: list[list[str]]
    spans: list[tuple[int, int]]


def read_delimited(text: str, usual: str, path: Path, quoting: str | None = None) -> Columns:
    """Reads delimited text into columns.

    Args:
        text: Of the file.
        usual: The delimiter that the file's suffix promises.
        path: Of the file, for messages.
        quoting: One of :data:`QUOTING`; found if None.

    Raises:
        InputError: A row does not fit the first line, two columns have the same name, or two readings are possible.
    """
    stated = _SEP_LINE.match(text)
    if stated is not None:
        text = text[stated.end() :]
        delimiters = [stated[1].replace("\\t", "\t")]
    else:
        delimiters = _candidates(text, usual)
    failure: InputError | None = None
    with _any_field_size():
        for delimiter in delimiters:
            try:
                reading, notes = _choose(text, delimiter, path, quoting)
            except InputError as error:
                failure = failure or error
                continue
            if delimiter != usual:
                notes = (*notes, f"its fields are separated by {_spelt(delimiter)}")
            return _columns(reading, path, notes)
    raise failure or InputError(f"{path} has no rows, only the names of columns")


def _candidates(text: str, usual: str) -> list[str]:
    """The delimiters that the first line may have, the most likely first."""
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    others = sorted((other for other in _DELIMITERS if other in first_line), key=first_line.count, reverse=True)
    return list(dict.fromkeys([usual, *others])) if usual in first_line else others or [usual]


def _choose(text: str, delimiter: str, path: Path, quoting: str | None) -> tuple[_Reading, tuple[str, ...]]:
    """The reading to take, and a sentence if it is not the usual one."""
    if quoting is not None:
        return _parse(text, delimiter, quoting == "csv", path), ()
    # The quote stands first in the pattern, so that the search runs from quote to quote.
    opened = re.findall(rf'"(?:(?<=[{delimiter}\r\n]")|(?<=\A"))', text)
    if not opened:
        return _parse(text, delimiter, False, path), ()
    quoted, broken = _attempt(text, delimiter, True, path)
    if delimiter != "\t":
        return _choose_csv(text, delimiter, path, quoted, broken), ()
    within = _quoted_within_fields(text)
    if quoted is not None and len(within) == len(opened):
        if _speaks_for_quoting(text, within, quoted):
            return quoted, ()
        raise _ambiguous(path, f"{len(opened):,} fields stand in double quotes, which may be part of the texts")
    literal, ragged = _attempt(text, delimiter, False, path)
    if quoted is None or (literal is not None and _swallows_rows(text, delimiter, quoted)):
        if literal is None:
            raise ragged or broken or InputError(f"{path} cannot be read")
        return literal, ('a " is a character in it, not a quote',)
    if literal is not None or _swallows_rows(text, delimiter, quoted):
        raise _ambiguous(path, "quotes in it may be characters, or hold several lines together")
    return quoted, ()


def _choose_csv(text: str, delimiter: str, path: Path, quoted: _Reading | None, broken: InputError | None) -> _Reading:
    """The quoted reading, as is the rule for CSV, unless it swallows what look like rows."""
    if quoted is None:
        literal, _ = _attempt(text, delimiter, False, path)
        hint = f"; or, if quotes are characters in it: {named('quoting')} none" if literal is not None else ""
        raise InputError(f"{broken}{hint}")
    if _swallows_rows(text, delimiter, quoted):
        raise _ambiguous(path, "quotes in it may be characters, or hold several lines together")
    return quoted


def _ambiguous(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} can be read in two ways: {why}; say which with {named('quoting')}: none (a quote is a character) or "
        "csv (it holds a field together)"
    )


def _attempt(text: str, delimiter: str, quoted: bool, path: Path) -> tuple[_Reading | None, InputError | None]:
    try:
        return _parse(text, delimiter, quoted, path), None
    except InputError as error:
        return None, error


def _parse(text: str, delimiter: str, quoted: bool, path: Path) -> _Reading:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    advice = (
        f"no {_spelt(delimiter)} may stand in a text without quoting"
        if not quoted and delimiter == "\t"
        else "put texts in double quotes, and double the quotes inside them"
    )
    reader = csv.reader(_lines(text), delimiter=delimiter, quoting=quoting, strict=True)
    names: list[str] = []
    rows: list[list[str]] = []
    spans: list[tuple[int, int]] = []
    n_fields = before = 0
    try:
        for row in reader:
            line, before = before, reader.line_num
            if not any(row) or not "".join(row).strip():
                continue
            if not names:
                names = [name.strip() for name in row]
                continue
            if not rows and len(row) == len(names) + 1:
                n_fields = len(row)  # R leaves the name of the column of row numbers out.
            if len(row) != (n_fields or len(names)):
                raise InputError(
                    f"line {before} of {path} has {len(row)} fields where the first line has {len(names)}; {advice}"
                )
            rows.append(row)
            if before - line > 1:
                spans.append((line, before - 1))
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {path} breaks the rules of CSV ({error}); {advice}") from error
    if n_fields:
        if not _are_row_numbers([row[0] for row in rows]):
            raise InputError(f"the lines of {path} have {n_fields} fields where the first has {len(names)}; {advice}")
        names = ["", *names]
    return _Reading(names, rows, spans)


def _are_row_numbers(cells: Sequence[str]) -> bool:
    return all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells)


def _columns(reading: _Reading, path: Path, notes: tuple[str, ...]) -> Columns:
    names, rows = reading.names, reading.rows
    unnamed = [index for index, name in enumerate(names) if not name]
    filled = sum(any(row[index].strip() for row in rows) for index in unnamed)
    if filled:
        notes = (*notes, f"{filled} column{'s' * (filled > 1)} without a name left out")
    try:
        return Columns.of_rows(names, rows, notes)
    except InputError as error:
        raise InputError(f"{path} has {error}") from error


def _quoted_within_fields(text: str) -> list[str]:
    """What stands in the quoted fields of tab-separated text that hold no tab and no end of a line."""
    return re.findall(r'(?:(?<=[\t\r\n])|\A)"((?:[^"\t\r\n]|"")*)"(?=[\t\r\n]|\Z)', text)


def _speaks_for_quoting(text: str, within: Sequence[str], quoted: _Reading) -> bool:
    """Whether a program that quotes has written the file.

    Its first line stands in quotes, or every field of a column does, or quotes inside are doubled.
    """
    if text.lstrip("\r\n").startswith('"') or any('""' in field for field in within):
        return True
    literal = csv.reader(_lines(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [row for row in literal if "".join(row).strip()][1:]
    return len(rows) > 1 and any(
        all(row[index].startswith('"') for row in rows) for index in range(len(quoted.names)) if len(rows[0]) > index
    )


def _swallows_rows(text: str, delimiter: str, quoted: _Reading) -> bool:
    """Whether lines that quotes hold together look like rows of their own.

    Most of the lines then have as many fields as the first one of the file, and one column has a number or a label in
    all of these.
    """
    if not quoted.spans:
        return False
    lines = list(_lines(text))
    for first, last in quoted.spans:
        fields = [line.rstrip("\r\n").split(delimiter) for line in lines[first : last + 1]]
        fields = [row for row in fields if "".join(row).strip()]
        like_rows = [row for row in fields if len(row) == len(quoted.names)]
        if 2 * len(like_rows) > len(fields) and any(
            all(_NUMBER.fullmatch(cell) or is_label(cell) for cell in column) for column in zip(*like_rows, strict=True)
        ):
            return True
    return False


def _lines(text: str) -> Iterator[str]:
    """The lines of text, each with its end. io.StringIO keeps four bytes for each character, a GiB for a large file."""
    return (match[0] for match in _LINE.finditer(text))


def _spelt(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f"'{delimiter}'"


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Removes the csv module's limit of 128 KiB for a field, and restores it at the end: it is one for the process."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
