"""Finds columns by their names, whatever their case."""

from __future__ import annotations

from collections.abc import Sequence

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.labels import shown
from content_arena.components.shared.errors import InputError

_LISTED = 20


def the_one(columns: Columns, wanted: str, role: str) -> str:
    """The name of the column that a user named.

    Raises:
        InputError: The table does not have it, or several that differ in case.
    """
    if wanted in columns:
        return wanted
    found = one_of(columns, [wanted])
    if found is None:
        raise InputError(f"there is no {role} column {shown(wanted)}; the data has {listed(columns)}")
    return found


def one_of(columns: Columns, usual: Sequence[str]) -> str | None:
    """The name of the first column that has one of the usual names, in the order of preference; None if none has.

    Raises:
        InputError: Several columns have the name and differ in case only.
    """
    for name in usual:
        found = [column for column in columns if column.casefold() == name.casefold()]
        if len(found) > 1:
            raise InputError(
                f"the data has the columns {' and '.join(map(shown, found))}, which differ in case only; rename one"
            )
        if found:
            return found[0]
    return None


def listed(columns: Columns) -> str:
    """The names of the columns, for a message."""
    names = [shown(name) for name in columns]
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
