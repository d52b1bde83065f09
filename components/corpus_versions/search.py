"""Finds what a person asks to forget: from an id or a text to the texts, and to where they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_versions import versions
from content_arena.components.corpus_versions.cutting import DamagedError, table_of
from content_arena.components.corpus_versions.places import Copy
from content_arena.components.corpus_versions.wanted import ID_FIELDS, ORIGINAL_FIELDS, Wanted, key_of
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import REGRESSIONS
from content_arena.components.shared.text.masking import mask


@dataclass(frozen=True)
class Fetched:
    """A copy that is on this machine.

    Attributes:
        copy: The copy.
        path: The file.
        columns: Of a table with texts; empty of anything else.
        is_damaged: Whether it is a table that cannot be read.
    """

    copy: Copy
    path: Path
    columns: frozenset[str] = frozenset()
    is_damaged: bool = False

    def load(self) -> pd.DataFrame:
        """The columns of a table that are needed here."""
        table = table_of(self.path)
        needed = {*ID_FIELDS, *ORIGINAL_FIELDS, "label", "lang", "split"} & self.columns
        return pd.DataFrame() if table is None else table.select(sorted(needed)).to_pandas()

    @property
    def is_kept_corpus(self) -> bool:
        """Whether it is a corpus that is kept as a version."""
        return self.copy.run_id is not None and self.path.name == versions.FILE

    @property
    def is_regression_suite(self) -> bool:
        """Whether it is a part of the regression suite, which is replayed and never trained on."""
        return self.copy.run_id is not None and self.path.parent.name == REGRESSIONS

    @property
    def is_corpus(self) -> bool:
        """Whether it is a corpus, kept or not."""
        return {"text", "sample_id", "split"} <= self.columns


@dataclass
class Hits:
    """Where texts were found in tables.

    Attributes:
        keys: Their forms for comparison.
        forms: How they are written.
        in_corpora: Digest of each corpus that holds some, with their split.
        in_kept: MLflow run of each corpus that is kept and holds some, with their forms for comparison.
        in_battles: MLflow runs whose labelled attacks were made from some, with the language; attacks on test texts,
            which are never trained on, do not count.
    """

    keys: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    in_corpora: dict[str, str] = field(default_factory=dict)
    in_kept: dict[str, set[str]] = field(default_factory=dict)
    in_battles: dict[str, str] = field(default_factory=dict)

    def wanted(self) -> Wanted:
        """The texts, to look for them in other files as well."""
        return Wanted(frozenset(self.keys), frozenset(self.forms))


def fetch(copies: Sequence[Copy], folder: Path) -> Iterator[Fetched]:
    """Brings copies to this machine, and reads those that are tables.

    Args:
        copies: The copies.
        folder: An empty one, for those that are elsewhere.
    """
    for place, copy in enumerate(copies):
        own = folder / str(place)
        own.mkdir()
        path = copy.fetch(own)
        try:
            table = table_of(path)
        except DamagedError:
            yield Fetched(copy, path, is_damaged=True)
        else:
            yield Fetched(copy, path, frozenset() if table is None else frozenset(table.column_names))


def find(asked: str, fetched: Sequence[Fetched], kept: Mapping[str, str], *, is_text: bool) -> Hits:
    """The texts that an id names; those that are the same as a text if no id is called so.

    Args:
        asked: What a person gave.
        fetched: Where to look.
        kept: Digest of each corpus that is kept, as it was kept, by its MLflow run.
        is_text: Whether it is a text whatever ids there are.

    Raises:
        InputError: The id names other texts in one corpus than in another; or nothing was given.
    """
    if not key_of(asked):
        raise InputError("there is nothing to forget: give an id, or a text with characters that can be seen")
    keys = set() if is_text else _named(asked, fetched)
    hits = Hits(keys=keys or {key_of(asked)}, forms=set() if keys else {asked.strip(), mask(asked.strip())})
    for each in fetched:
        if each.columns:
            _note(each, each.load(), kept, hits)
    return hits


def _named(asked: str, fetched: Sequence[Fetched]) -> set[str]:
    """The texts with an id, in their forms for comparison."""
    asked = asked.strip()
    in_tables: dict[bool, list[set[str]]] = defaultdict(list)
    for each in fetched:
        if each.columns & set(ID_FIELDS):
            table = each.load()
            rows = table[(table[[name for name in ID_FIELDS if name in table]] == asked).any(axis=1)]
            found = {key_of(text) for name in ORIGINAL_FIELDS & set(rows) for text in rows[name].dropna()}
            if found:
                in_tables[each.is_corpus].append(found)
    # Attacks name the original of the text that was attacked. That is needed only where its corpus is gone.
    found_sets = in_tables[True] or in_tables[False]
    if any(one.isdisjoint(other) for one in found_sets for other in found_sets):
        raise InputError(
            f"the id {asked!r} names other texts in one corpus than in another: give the text itself, by standard "
            "input (`arena data forget -`)"
        )
    return set().union(*found_sets)


def _note(each: Fetched, table: pd.DataFrame, kept: Mapping[str, str], hits: Hits) -> None:
    """Adds what a table holds of the texts."""
    in_rows = pd.Series(False, index=table.index)
    found: set[str] = set()
    for name in ORIGINAL_FIELDS & set(table):
        key_by_text = {text: key_of(text) for text in table[name].dropna().unique()}
        is_one = table[name].map(key_by_text).isin(hits.keys)
        in_rows |= is_one
        hits.forms |= set(table.loc[is_one, name])
        found |= {key_by_text[text] for text in table.loc[is_one, name]}
    if not found:
        return
    splits = set(table.loc[in_rows, "split"]) if "split" in table else set()
    if each.is_corpus:
        digest = kept.get(each.copy.run_id or "") if each.is_kept_corpus else None
        hits.in_corpora[digest or records.corpus_digest(table)] = _most_used(splits)
        if each.is_kept_corpus and each.copy.run_id is not None:
            hits.in_kept[each.copy.run_id] = found
    elif each.copy.run_id is not None and not each.is_regression_suite and splits - {"test"}:
        hits.in_battles[each.copy.run_id] = str(table["lang"].iloc[0])


def _most_used(splits: set[str]) -> str:
    """Of the splits of several texts the one that a training learns most from."""
    return next((split for split in (*records.SPLITS, records.GUARD) if split in splits), "")
