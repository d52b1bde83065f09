"""Finds the columns that hold the labels of a table, and reads them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.label_map import LabelMap
from content_arena.components.corpus_preparation.tables.labels import (
    Meaning,
    folded,
    meaning_of,
    names_benign,
    number_in,
    read_labels,
    shown,
)
from content_arena.components.corpus_preparation.tables.named_columns import listed, one_of, the_one
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

#: The columns of the Jigsaw Toxic Comment Classification Challenge; a text is toxic if one of them is 1.
JIGSAW_COLUMNS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
#: In order of preference, lower case.
LABEL_COLUMNS = (
    "label", "labels", "toxic", "is_toxic", "toxicity", "target", "class", "hate", "is_hate", "hateful",
    "offensive", "is_offensive", "abusive", "is_abusive", "gold_label", "label_gold", "subtask_a", "off", "y", "라벨",
)  # fmt: skip
#: Cells that are looked at to see whether a column holds only 1 and 0.
_LOOKED_AT = 1_000


@dataclass(frozen=True)
class Labels:
    """The labels of a table.

    Attributes:
        meanings: Of each row: toxic, benign, none (no label at all) or both (a harm and the mark of a harmless text).
        categories: The names of the columns of harms that apply to a row; None for a table whose label columns were
            not named.
        notes: What may surprise about them, a sentence each.
    """

    meanings: list[Meaning | str]
    categories: list[list[str]] | None
    notes: tuple[str, ...]


def find_label_columns(columns: Columns, wanted: Sequence[str]) -> list[str]:
    """The names of the label columns.

    Args:
        columns: Of the table.
        wanted: As the user named them; if empty, Jigsaw's six, or the first usual name that the table has.

    Raises:
        InputError: The table does not have them. The message lists the columns that hold only 1 and 0.
    """
    if wanted:
        return [the_one(columns, name, "label") for name in wanted]
    six = [one_of(columns, [name]) for name in JIGSAW_COLUMNS]
    if all(six):
        return [name for name in six if name]
    found = one_of(columns, LABEL_COLUMNS)
    if found is not None:
        return [found]
    marks = _columns_of_marks(columns)
    if len(marks) == 1:
        advice = f"{marks[0]!r} holds 1 and 0: if it tells harm or its lack, give {named('label_column')} {marks[0]}"
    elif marks:
        advice = (
            f"{', '.join(map(repr, marks))} hold 1 and 0: name those that tell harm, with {named('label_columns')} "
            f"'{','.join(marks)}' or with {named('label_column')}"
        )
    else:
        advice = f"name it with {named('label_column')}, or call it '{LABEL_COLUMNS[0]}'"
    raise InputError(f"no label column among {listed(columns)}; {advice}")


def read_label_columns(
    cells: dict[str, list[object]], label_map: LabelMap | None, *, with_categories: bool = False
) -> Labels:
    """Reads the columns of labels of a table.

    Args:
        cells: By the columns' names. A single column holds labels, each of several holds 1 or 0. A column that is
            named for harmless texts (clean, not_hate) is one whose 1 means benign.
        label_map: What the labels mean; None for the usual meanings. In each of several columns "toxic" means that the
            column applies, also in one that is named for harmless texts: ``>=0.5=toxic`` reads 0.9 in the column
            normal as benign.
        with_categories: Whether to name the harms of each text.

    Raises:
        InputError: A label is unknown.
    """
    if len(cells) == 1:
        ((name, values),) = cells.items()
        return _read_one(name, values, label_map)
    harms = [name for name in cells if not names_benign(name)]
    harmless = [name for name in cells if names_benign(name)]
    # "toxic" means in all of them that the column applies.
    read = {name: read_labels(cells[name], name, _meaning(label_map, False)) for name in (*harms, *harmless)}
    meanings: list[Meaning | str] = []
    categories: list[list[str]] = []
    for row in zip(*read.values(), strict=True):
        applies = {name for name, meaning in zip(read, row, strict=True) if meaning == "toxic"}
        harm = [name for name in harms if name in applies]
        is_harmless = any(name in applies for name in harmless)
        categories.append(harm)
        if harm:
            meanings.append("both" if is_harmless else "toxic")
        elif is_harmless:
            meanings.append("benign")
        else:
            meanings.append("none" if harmless or "none" in row else "benign")
    flipped = harmless if _meaning(label_map, False)(1) == "toxic" else []
    notes = [f"1 in {shown(name)} was read as benign: the column is named for harmless texts" for name in flipped]
    return Labels(meanings, categories if with_categories else None, tuple(notes))


def unread_harms(columns: Columns, read: Sequence[str]) -> tuple[str, ...]:
    """A sentence if the table has columns that are named for harms and were not read beside the ones that were."""
    unread = [name for name in columns if name not in read and folded(name) in map(folded, JIGSAW_COLUMNS)]
    if not unread or len(read) > 1 or folded(read[0]) not in map(folded, JIGSAW_COLUMNS):
        return ()
    return (
        f"{', '.join(map(shown, unread))} were not read: to read them too, give {named('label_columns')} "
        f"{','.join([*read, *unread])}",
    )


def _read_one(name: str, values: list[object], label_map: LabelMap | None) -> Labels:
    is_benign = names_benign(name)
    meaning = _meaning(label_map, is_benign)
    notes = []
    if is_benign and any(number_in(value) == 1 or str(value).strip().casefold() in ("true", "yes") for value in values):
        sense = meaning(1)
        notes = [f"1 in {shown(name)} was read as {sense}: the column is named for harmless texts"] if sense else []
    return Labels([*read_labels(values, name, meaning)], None, tuple(notes))


def _meaning(label_map: LabelMap | None, is_benign: bool) -> Callable[[object], Meaning | None]:
    if label_map is None:
        return lambda value: meaning_of(value, is_benign)
    return lambda value: label_map.meaning(value, is_benign)


def _columns_of_marks(columns: Columns) -> list[str]:
    """The columns that hold nothing but 1 and 0, both of them."""
    found = []
    for name in columns:
        try:
            cells = columns[name][:_LOOKED_AT]
        except InputError:
            continue  # A column that cannot be read is none of labels.
        marks = {number_in(cell) for cell in cells if cell not in (None, "")}
        if marks == {0.0, 1.0}:
            found.append(name)
    return found
