"""The columns of a table as it was read, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from content_arena.components.corpus_preparation.tables.labels import shown
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Columns(Mapping[str, list[object]]):
    """The columns of a table: a mapping of their names to their cells, in the order of rows.

    Attributes:
        names: Of the columns, in their order.
        n_rows: Number of rows.
        load: Gives the cells of a column; None for a cell that is missing. A column that nobody asks for is never
            loaded, so that what is wrong in it stops nothing.
        notes: What was not read as it stands, a sentence each.
    """

    names: tuple[str, ...]
    n_rows: int
    load: Callable[[str], list[object]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, cells: Mapping[str, list[object]], notes: Sequence[str] = ()) -> Columns:
        """Columns whose cells are at hand."""
        n_rows = max(map(len, cells.values()), default=0)
        return cls(tuple(cells), n_rows, cells.__getitem__, tuple(notes))

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str] = ()) -> Columns:
        """Columns of rows that each have a cell for every name. A column without a name is left out.

        Raises:
            InputError: Two columns have the same name.
        """
        check_names(names)
        position = {name: index for index, name in enumerate(names) if name}
        return cls(tuple(position), len(rows), lambda name: [row[position[name]] for row in rows], tuple(notes))

    def __getitem__(self, name: str) -> list[object]:
        """The cells of a column."""
        if name not in self.names:
            raise KeyError(name)
        return self.load(name)

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.names)

    def __len__(self) -> int:
        """The number of columns."""
        return len(self.names)


def check_names(names: Sequence[str]) -> None:
    """Refuses a name that two columns have.

    Raises:
        InputError: With the name.
    """
    twice = next((name for name in names if name and list(names).count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two columns {shown(twice)}; rename one, and mind that the first line has the names")
