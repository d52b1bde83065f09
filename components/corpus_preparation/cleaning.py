"""Masks personal data and drops the texts that no filter should learn from, counted by reason."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_duplicates
from content_arena.components.corpus_preparation.tables.encodings import is_undecodable
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.text.canonical import canonicaliser
from content_arena.components.shared.text.masking import mask

# Texts are compared and named in the canonical form of version 1, whatever version the models are trained with. A text
# thus keeps its id and its split, so that filters of different versions can be compared on the same test split.
_canonicalise_for_ids = canonicaliser("1")

_CHUNK = 10_000
#: The reasons to drop a row. The first four are found while reading, the last three after that.
REASONS = (
    "undecodable",
    "nul_character",
    "other_language",
    "unlabelled",
    "too_long",
    "empty",
    "contradictory_label",
    "exact_duplicate",
    "near_duplicate",
    "over_max_texts",
    "forgotten",
    "near_guard",
)


def comparison_key(text: str) -> str:
    """The form in which texts are compared: canonical (version 1) and casefolded. Ids are hashes of it."""
    return _canonicalise_for_ids(text).casefold()


def imported_key(text: str) -> str:
    """The comparison key that a text has once it is in a corpus: stripped and masked."""
    return comparison_key(mask(text.strip()))


#: Called with what is done, the number of rows that it is done for, and the number of all rows.
Tell = Callable[[str, int, int], None]


def clean(
    table: pd.DataFrame, watch: Callable[[str, pd.DataFrame], None] | None = None, tell: Tell | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Masks the texts and drops those that cannot be used.

    In this order: undecodable (a lone surrogate), too_long (over 5,000 characters, before or after masking), empty (the
    canonical text is empty), contradictory_label (all texts of a comparison key that has both labels), exact_duplicate
    (texts with the key and label of an earlier one), near_duplicate (see duplicates/; all but the first).
    Near-duplicates with *different* labels are kept: a filter learns most from pairs such as "I will hurt you" and "I
    won't hurt you".

    Args:
        table: Columns text and label; other columns are kept.
        watch: Called with a reason and the rows that are dropped for it, for each reason.
        tell: Called every some thousand rows.

    Returns:
        The rows kept, in their order, with masked and stripped texts and a column key (unique); and the number of rows
        dropped by reason.
    """
    table = table.assign(text=table["text"].str.strip())
    dropped: dict[str, int] = {}

    def drop(reason: str, bad: pd.Series) -> None:
        nonlocal table
        dropped[reason] = int(bad.sum())
        if watch is not None:
            watch(reason, table[bad])
        table = table[~bad]

    drop("undecodable", table["text"].map(is_undecodable).astype(bool))
    too_long = table["text"].str.len() > MAX_TEXT_LENGTH
    masked = _each(mask, table["text"].where(~too_long, ""), "masked", tell)
    table = table.assign(text=table["text"].where(too_long, masked))
    drop("too_long", table["text"].str.len() > MAX_TEXT_LENGTH)
    table = table.assign(key=_each(comparison_key, table["text"], "canonicalised", tell))
    drop("empty", table["key"] == "")
    drop("contradictory_label", _contradicts(table))
    drop("exact_duplicate", table.duplicated("key"))
    near = pd.Series(False, index=table.index)
    for label, keys in table.groupby("label")["key"]:
        compared = None if tell is None else functools.partial(tell, f"compared, {label}")
        near[keys.index] = near_duplicates(keys.tolist(), tell=compared)
    drop("near_duplicate", near)
    return table.reset_index(drop=True), dropped


def _each(change: Callable[[str], str], texts: pd.Series, done: str, tell: Tell | None) -> pd.Series:
    """What each text becomes."""
    given: list[str] = texts.tolist()
    changed: list[str] = []
    for start in range(0, len(given), _CHUNK):
        changed += map(change, given[start : start + _CHUNK])
        if tell is not None:
            tell(done, len(changed), len(given))
    return pd.Series(changed, index=texts.index, dtype=object)


def _contradicts(table: pd.DataFrame) -> pd.Series:
    """Marks the rows whose key has several labels. groupby takes ten times as long for millions of keys."""
    keys, n_keys = _codes(table["key"])
    labels, _ = _codes(table["label"])
    one_label = np.zeros(n_keys, dtype=np.int64)
    one_label[keys] = labels
    has_several = np.zeros(n_keys, dtype=bool)
    has_several[keys[labels != one_label[keys]]] = True
    return pd.Series(has_several[keys], index=table.index)


def _codes(values: pd.Series) -> tuple[NDArray[np.int64], int]:
    """A number for each value, the same for the same value, and how many there are."""
    codes, different = pd.factorize(values)
    return codes.astype(np.int64), len(different)
