"""Masks personal data, then drops what teaches a filter nothing or the wrong thing, and counts it by reason."""

from __future__ import annotations

import pandas as pd

from content_arena.components.corpus_preparation.formats import is_undecodable
from content_arena.components.corpus_preparation.near_duplicates import near_duplicates
from content_arena.components.shared.canonical import canonicaliser
from content_arena.components.shared.masking import mask
from content_arena.components.shared.records import MAX_TEXT_LENGTH

_NAMING = canonicaliser("1")
#: Every reason a row can be dropped for. The first two are found while reading, the last is no fault of the row.
REASONS = (
    "undecodable",
    "other_language",
    "too_long",
    "empty",
    "contradictory_label",
    "exact_duplicate",
    "near_duplicate",
    "over_max_texts",
)


def comparison_key(text: str) -> str:
    """The form in which texts are compared and named: canonical, then casefolded.

    By the canonicaliser of the first release, whatever version models are trained behind: a text keeps its name, and
    with it its split, for as long as champions are to be compared.
    """
    return _NAMING(text).casefold()


def clean(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Masks the texts and drops those that can not be used.

    In this order: undecodable (a lone surrogate), too_long (over 5,000 characters, before or after masking), empty
    (nothing left of it by the canonicaliser), contradictory_label (the same comparison key under both labels: all of
    them), exact_duplicate (the same key and label: all but the first), near_duplicate (see near_duplicates.py; all but
    the first). Near-duplicates with *different* labels stay: "I will hurt you" and "I won't hurt you" are what a filter
    learns most from.

    Args:
        table: Columns text and label, and any others; they are carried along.

    Returns:
        The rows kept, in their order, with masked and stripped texts and a column key (unique); and the number of rows
        dropped by reason.
    """
    table = table.assign(text=table["text"].str.strip())
    dropped: dict[str, int] = {}

    def drop(reason: str, bad: pd.Series) -> None:
        nonlocal table
        dropped[reason] = int(bad.sum())
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
