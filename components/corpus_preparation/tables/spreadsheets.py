"""Reads the workbooks of spreadsheets: .xlsx, .xlsm, .xls and .ods."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.shared.errors import InputError


def read_spreadsheet(raw: bytes, path: Path) -> Columns:
    """Reads the first sheet that is not empty; its first row that is not empty has the names of the columns.

    Args:
        raw: The workbook.
        path: Of the workbook, for messages.

    Raises:
        InputError: It is no workbook, is protected by a password, holds nothing, or two columns have the same name.
    """
    import python_calamine

    try:
        workbook = python_calamine.load_workbook(io.BytesIO(raw))
        sheets = {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
    except python_calamine.PasswordError as error:
        raise InputError(f"{path} is protected by a password; save it without one") from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(f"{path} is no whole workbook ({type(error).__name__}); save it again, or as CSV") from error
    filled = {name: rows for name, sheet in sheets.items() if (rows := [row for row in sheet if _is_filled(row)])}
    if not filled:
        raise InputError(f"{path} is empty; give a workbook with at least a text and a label column")
    (first, rows), *others = filled.items()
    notes = [f"of its sheets only {first!r} was read; save another as a file of its own"] if others else []
    names = [str(_cell(cell) if _cell(cell) is not None else "").strip() for cell in rows[0]]
    try:
        return Columns.of_rows(names, [[_cell(cell) for cell in row] for row in rows[1:]], notes)
    except InputError as error:
        raise InputError(f"{path} has {error}") from error


def _is_filled(row: Sequence[object]) -> bool:
    return any(str(cell).strip() for cell in row)


def _cell(cell: object) -> object:
    """A cell as text, number or boolean: a whole number is not shown as 3.0, and a date is written as in ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if cell == "":
        return None
    return cell if isinstance(cell, str | int | float) else str(cell)
