"""Masks personal data and drops the texts that no filter should learn from, counted by reason."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from content_arena.components.corpus_preparation.encodings import is_undecodable
from content_arena.components.corpus_preparation.near_duplicates import near_duplicates
from content_arena.components.shared.canonical import canonicaliser
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.masking import mask

# Texts are compared and named in the canonical form of version 1, whatever version the models are trained with. A text
# thus keeps its id and its split, so that filters of different versions can be compared on the same test split.
_canonicalise_for_ids = canonicaliser("1")

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


def clean(
    table: pd.DataFrame, watch: Callable[[str, pd.DataFrame], None] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Masks the texts and drops those that cannot be used.

    In this order: undecodable (a lone surrogate), too_long (over 5,000 characters, before or after masking), empty (the
    canonical text is empty), contradictory_label (all texts of a comparison key that has both labels), exact_duplicate
    (texts with the key and label of an earlier one), near_duplicate (see near_duplicates.py; all but the first).
    Near-duplicates with *different* labels are kept: a filter learns most from pairs such as "I will hurt you" and "I
    won't hurt you".

    Args:
        table: Columns text and label; other columns are kept.
        watch: Called with a reason and the rows that are dropped for it, for each reason.

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
    masked = table["text"].where(too_long, table["text"].where(~too_long, "").map(mask))
    table = table.assign(text=masked)
    drop("too_long", table["text"].str.len() > MAX_TEXT_LENGTH)
    table = table.assign(key=table["text"].map(comparison_key).astype(object))
    drop("empty", table["key"] == "")
    drop("contradictory_label", table.groupby("key")["label"].transform("nunique") > 1)
    drop("exact_duplicate", table.duplicated("key"))
    near = pd.Series(False, index=table.index)
    for _, keys in table.groupby("label")["key"]:
        near[keys.index] = near_duplicates(keys.tolist())
    drop("near_duplicate", near)
    return table.reset_index(drop=True), dropped
