"""How a user says that a table is to be read, where its own form does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from content_arena.components.corpus_preparation.tables.dialects import QUOTING
from content_arena.components.corpus_preparation.tables.encodings import check_encoding
from content_arena.components.corpus_preparation.tables.label_map import LabelMap
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a table.

    Attributes:
        text_column: Column of the texts; found by its usual names if None.
        label_columns: Columns of the labels. One holds labels; several hold 1 or 0 each, and a text is toxic if one of
            them is 1. Found by usual names if empty.
        label_map: What labels mean; None for the usual meanings.
        quoting: "csv" or "none", see dialects.QUOTING; found if None.
        encoding: Of a file of text; found if None.
        query: Reads the rows, if the data is a database; None for other data.
    """

    text_column: str | None = None
    label_columns: tuple[str, ...] = ()
    label_map: LabelMap | None = None
    quoting: str | None = None
    encoding: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be used.

        Raises:
            InputError: Unknown quoting or encoding, or a label column that is named twice.
        """
        if self.quoting is not None and self.quoting not in QUOTING:
            raise InputError(f"{named('quoting')} is {self.quoting!r}; give {' or '.join(QUOTING)}")
        if self.encoding is not None:
            check_encoding(self.encoding)
        if len({name.casefold() for name in self.label_columns}) < len(self.label_columns):
            raise InputError(f"{named('label_columns')} names a column twice")

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """The options of parameters of a pipeline, of which an empty one is not given.

        Args:
            given: text_column, label_column, label_columns (names between commas), label_map, quoting, encoding,
                query.

        Raises:
            InputError: As for the class; or both label_column and label_columns are given.
        """
        label_column, label_columns = given.get("label_column") or "", given.get("label_columns") or ""
        if label_column and label_columns:
            raise InputError(f"give {named('label_column')} or {named('label_columns')}, not both")
        names = [label_column] if label_column else label_columns.split(",")
        label_map = given.get("label_map") or ""
        return cls(
            text_column=given.get("text_column") or None,
            label_columns=tuple(filter(None, (name.strip() for name in names))),
            label_map=LabelMap.parse(label_map) if label_map else None,
            quoting=given.get("quoting") or None,
            encoding=given.get("encoding") or None,
            query=given.get("query") or None,
        )

    def if_there(self, columns: Mapping[str, object]) -> Self:
        """These options without the columns that a table does not have."""
        there = {name.casefold() for name in columns}
        names = tuple(name for name in self.label_columns if name.casefold() in there)
        text_column = self.text_column if (self.text_column or "").casefold() in there else None
        whole = len(names) == len(self.label_columns)
        return replace(self, text_column=text_column, label_columns=names if whole else ())
