"""The attacks of a battle as a file for other programs: Parquet, CSV or JSON lines, by the file's ending."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.atomic import replacing
from content_arena.components.shared.csv_cells import inert
from content_arena.components.shared.errors import InputError


def check(path: Path) -> None:
    """Refuses a file that could not be written after the battle.

    Raises:
        InputError: Its ending names no format, or its folder is not there.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path} ends with none of {', '.join(_FORMATS)}: the ending decides the format")
    check_place(path)


def check_place(path: Path) -> None:
    """Refuses a file that has no folder to be in.

    Raises:
        InputError: The folder is not there, or the file is a folder.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.absolute().parent.is_dir():
        raise InputError(f"there is no folder {path.absolute().parent}: make it, or name another file")


def write(attacks: pd.DataFrame, path: Path) -> None:
    """Writes attacks, all columns of a battle's table; a process that is killed leaves no part of a file.

    Attackers write these texts, so no cell of a CSV is a formula, see
    :mod:`content_arena.components.shared.csv_cells`.

    Args:
        attacks: Rows of Attack.
        path: The file, see :func:`check`.

    Raises:
        InputError: The ending names no format, the folder is not there, or the table is none of attacks.
        OSError: The file cannot be written.
    """
    check(path)
    with replacing(path) as unfinished:
        _FORMATS[path.suffix.lower()](attacks, unfinished)


def _parquet(attacks: pd.DataFrame, path: Path) -> None:
    records.write(records.Attack, attacks, path)


def _csv(attacks: pd.DataFrame, path: Path) -> None:
    """RFC 4180, with a byte order mark, by which Excel knows UTF-8."""
    table = _valid(attacks)
    texts = table.select_dtypes(include="object").columns
    safe = table.assign(**{str(name): table[name].map(lambda cell: inert(str(cell))) for name in texts})
    safe.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")


def _json_lines(attacks: pd.DataFrame, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in _valid(attacks).to_dict("records"):
            # JSON has no NaN.
            known = {name: None if cell != cell else cell for name, cell in row.items()}
            file.write(f"{json.dumps(known, ensure_ascii=False, allow_nan=False)}\n")


def _valid(attacks: pd.DataFrame) -> pd.DataFrame:
    return records.validate(records.Attack, attacks)[list(records.Attack.to_schema().columns)]


_FORMATS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    ".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines
}  # fmt: skip
