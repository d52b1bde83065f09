"""Takes texts out of one file: a table, a document, a page or a log. What the file is, its content tells."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet

from content_arena.components.corpus_versions import pages
from content_arena.components.corpus_versions.wanted import ID_FIELDS, TEXT_FIELDS, Wanted
from content_arena.components.shared.csv_cells import original
from content_arena.components.shared.errors import InputError

#: What stands in the place of a text that was taken out of a page, a document or a log.
ERASED = "[erased]"
_PARQUET = b"PAR1"
#: Bytes by which text is told from anything else.
_PROBE = 8192


class DamagedError(InputError):
    """A table that cannot be read: what it holds cannot be taken out of it."""


@dataclass(frozen=True)
class Cut:
    """A file without the texts.

    Attributes:
        n_places: How many rows, examples or passages hold one of them.
        write: Writes the file as it is without them.
    """

    n_places: int
    write: Callable[[Path], None]


def cut(path: Path, wanted: Wanted) -> Cut | None:
    """A file without some texts; None if it holds none of them.

    Of a table the rows leave, of an evaluation the examples. In pages and logs only the texts themselves are replaced.

    Args:
        path: The file; it is not changed.
        wanted: The texts.

    Raises:
        DamagedError: It is a table and cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_PROBE)
    if start.startswith(_PARQUET):
        return _cut_table(path, wanted)
    if b"\0" in start:
        return None
    content = path.read_bytes().decode("utf-8", "surrogateescape")
    for cut_text in (_cut_page, _cut_document, _cut_lines, _cut_rows, _cut_prose):
        known, found = cut_text(content, wanted)
        if known:
            return found
    return None


def table_of(path: Path) -> pyarrow.Table | None:
    """The columns of a Parquet file that hold texts, and those that name them; None if it is none, or has no texts.

    Raises:
        DamagedError: It cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) != _PARQUET:
            return None
    try:
        with parquet.ParquetFile(path) as opened:
            table = opened.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DamagedError(f"{path} is no whole Parquet file") from error
    return table if TEXT_FIELDS & set(table.column_names) else None


def _cut_table(path: Path, wanted: Wanted) -> Cut | None:
    table = table_of(path)
    if table is None:
        return None
    found = [False] * table.num_rows
    for name in TEXT_FIELDS & set(table.column_names):
        found = [was or wanted.matches(text) for was, text in zip(found, table[name].to_pylist(), strict=True)]
    if not any(found):
        return None
    rest = table.filter(pyarrow.array([not is_one for is_one in found]))
    return Cut(sum(found), lambda target: parquet.write_table(rest, target))


_Cutter = tuple[bool, Cut | None]


def _cut_page(content: str, wanted: Wanted) -> _Cutter:
    if not pages.is_page(content):
        return False, None
    rest, n_places = pages.without(content, wanted, ERASED)
    return True, _text(rest, n_places)


def _cut_document(content: str, wanted: Wanted) -> _Cutter:
    if not content.lstrip().startswith(("{", "[")):
        return False, None
    try:
        document = json.loads(content)
    except ValueError:
        return False, None
    rest, n_places = _without(document, wanted)
    return True, _text(json.dumps(rest), n_places)


def _cut_lines(content: str, wanted: Wanted) -> _Cutter:
    """Of a file with a JSON object in each line; a line that a killed process left unfinished goes with the others."""
    # At "\n" alone: a text may hold other characters that end a line.
    lines = [line for line in content.split("\n") if line.strip()]
    objects = [_object(line) for line in lines]
    if not objects or objects[0] is None:
        return False, None
    found = [each is not None and (_is_example(each, wanted) or _without(each, wanted)[1] > 0) for each in objects]
    kept = [line for line, each, is_one in zip(lines, objects, found, strict=True) if each is not None and not is_one]
    return True, _text("".join(f"{line}\n" for line in kept), sum(found))


def _object(line: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


def _without(value: object, wanted: Wanted) -> tuple[object, int]:
    """A part of a document without the texts, and how many places held one."""
    if isinstance(value, Mapping):
        parts = {key: _without(item, wanted) for key, item in value.items()}
        return {key: part for key, (part, _) in parts.items()}, sum(n for _, n in parts.values())
    if isinstance(value, list):
        kept = [item for item in value if not _is_example(item, wanted)]
        rest = [_without(item, wanted) for item in kept]
        return [part for part, _ in rest], len(value) - len(kept) + sum(n for _, n in rest)
    # One word may be the name of a label or of a strategy.
    if isinstance(value, str) and len(value.split()) > 1 and wanted.matches(value):
        return ERASED, 1
    return value, 0


def _is_example(item: object, wanted: Wanted) -> bool:
    if not isinstance(item, Mapping):
        return False
    # A task for Label Studio has its texts one level below.
    data = item.get("data")
    fields = {**item, **data} if isinstance(data, Mapping) else item
    if any(fields.get(name) in wanted.ids for name in ID_FIELDS):
        return True
    return any(wanted.matches(fields.get(name)) for name in TEXT_FIELDS)


def _cut_rows(content: str, wanted: Wanted) -> _Cutter:
    """Of a table as CSV, such as the texts that wait for a person."""
    names = content[: content.find("\n")].strip().split(",")
    places = [place for place, name in enumerate(names) if name in TEXT_FIELDS]
    if not places:
        return False, None
    # In the files of labelling a carriage return stands without quotes and ends no row; Python's reader takes it for an
    # end. A character that occurs nowhere stands for it meanwhile.
    stand_in = next(char for char in map(chr, range(0x10FFFD, 0x10FF00, -1)) if char not in content)
    rows = list(csv.reader(io.StringIO(content.replace("\r", stand_in), newline="")))
    kept = [row for row in rows if not any(_matches(row[place:], stand_in, wanted) for place in places)]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(kept)
    return True, _text(written.getvalue().replace(stand_in, "\r"), len(rows) - len(kept))


def _matches(cells: list[str], stand_in: str, wanted: Wanted) -> bool:
    """Whether the first of some cells is one of the texts."""
    if not cells:
        return False
    cell = cells[0].replace(stand_in, "\r")
    return wanted.matches(cell) or wanted.matches(original(cell))


def _cut_prose(content: str, wanted: Wanted) -> _Cutter:
    n_places = 0
    for form in wanted.in_prose:
        n_places += content.count(form)
        content = content.replace(form, ERASED)
    return True, _text(content, n_places)


def _text(content: str, n_places: int) -> Cut | None:
    if not n_places:
        return None
    return Cut(n_places, lambda target: _write(target, content))


def _write(target: Path, content: str) -> None:
    target.write_bytes(content.encode("utf-8", "surrogateescape"))
