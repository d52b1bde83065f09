"""Gives texts ids, draws a sample of them, and assigns them to the splits train, validation and test.

Hashes of the texts decide, and not the order of rows or a generator's state: with the same seed the same texts get the
same splits on any machine.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from content_arena.components.corpus_preparation.settings import RARE_SHARE
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.records import SPLITS, join_categories

SHARES = (0.7, 0.15, 0.15)
#: Categories with fewer originals are one stratum with the other small categories of their label.
MIN_STRATUM = 20
_ID_LENGTH = 16


def id_of(key: str) -> str:
    """The id of a text that has none: the first 16 hex digits of the SHA-256 of its form for comparison."""
    return _hash(key)[:_ID_LENGTH]


def name_texts(table: pd.DataFrame) -> pd.DataFrame:
    """Sets missing sample_ids and base_ids, see :func:`id_of`.

    Args:
        table: Columns key (unique), sample_id and base_id (None where the data has none).

    Raises:
        InputError: Several texts of the data have the same sample_id.
    """
    digests = table["key"].map(id_of).astype(object)
    named = table.assign(
        sample_id=table["sample_id"].where(table["sample_id"].notna(), digests),
        base_id=table["base_id"].where(table["base_id"].notna(), digests),
    )
    n_repeated = int(named.duplicated("sample_id").sum())
    if n_repeated:
        raise InputError(
            f"column 'sample_id' repeats itself in {n_repeated} rows; make it unique or leave the column out"
        )
    return named


def assign_splits(table: pd.DataFrame, seed: int, shares: Sequence[float] = SHARES) -> pd.DataFrame:
    """Assigns the texts to train, validation and test; rows of one base_id get the same split.

    Originals are ranked by SHA-256 of seed and base_id within their stratum (label, and categories if they are large
    enough). The first ranks are the test split, the next the validation split, the rest the training split. What
    rounding leaves over in one stratum is added to the next, so the shares of each label are off by about one row.

    The seed is not the run's seed: with another one in each run, a champion would be tested on texts that it was
    trained on, and win by memory. For the same reason the validation split is between the other two. If texts are
    added, the limits move by a few ranks: a training text then becomes a validation text, and not a test text.

    Args:
        table: Columns base_id, label and categories.
        seed: Seed of the splits; keep it for as long as champions are compared.
        shares: Of train, validation and test; positive, with the sum 1.

    Returns:
        The table with a column split, rows in the given order.

    Raises:
        ValueError: Shares are not positive or their sum is not 1.
    """
    if len(shares) != len(SPLITS) or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"three positive shares with the sum 1 are wanted, not {tuple(shares)}")
    share_of = dict(zip(SPLITS, shares, strict=True))
    originals = _originals(table)
    originals["rank"] = _ranks(f"{seed}:split:", originals.index)
    split_of = dict.fromkeys(originals.index, "train")
    for _, of_label in originals.groupby("label", sort=True):
        carry = {"test": 0.0, "validation": 0.0}
        for _, stratum in of_label.groupby("stratum", sort=True):
            ranked = deque(stratum.sort_values("rank")["n_rows"].items())
            n_rows = sum(n for _, n in ranked)
            for split in carry:
                wanted = share_of[split] * n_rows + carry[split]
                taken = 0
                while ranked and taken + ranked[0][1] / 2 <= wanted:
                    base_id, n = ranked.popleft()
                    split_of[base_id] = split
                    taken += n
                carry[split] = wanted - taken
    return table.assign(split=table["base_id"].map(split_of))


def sample_texts(
    table: pd.DataFrame, max_texts: int, seed: int, min_per_label: int, rare_share: float = RARE_SHARE
) -> pd.DataFrame:
    """Draws at most max_texts rows, stratified by label and categories, in the given order.

    Args:
        table: Columns sample_id, base_id, label and categories.
        max_texts: Number of rows, at least twice min_per_label.
        seed: Rows are ranked by SHA-256 of seed and sample_id.
        min_per_label: A rare label keeps this many rows (or all it has); the other label gets fewer.
        rare_share: Least share of the rarer label among the rows drawn, in [0, 0.5]; all its rows if it has fewer. With
            0 the labels keep their shares.
    """
    if len(table) <= max_texts:
        return table
    strata = table["base_id"].map(_originals(table)["stratum"])
    rank = _ranks(f"{seed}:sample:", table["sample_id"])
    ranked = table[["label"]].assign(stratum=strata, rank=rank).sort_values("rank")
    n_of = table["label"].value_counts()
    rare = n_of.idxmin()
    floor = min(max(min_per_label, round(rare_share * max_texts)), int(n_of[rare]))
    quota: dict[Hashable, int] = {rare: max(round(max_texts * n_of[rare] / len(table)), floor)} if len(n_of) > 1 else {}
    chosen: list[int] = []
    for label, of_label in ranked.groupby("label", sort=True):
        wanted = quota.get(label, max_texts - sum(quota.values()))
        done_rows = done_wanted = 0
        for _, stratum in of_label.groupby("stratum", sort=True):
            done_rows += len(stratum)
            n = round(wanted * done_rows / len(of_label)) - done_wanted
            chosen += stratum.index[:n].tolist()
            done_wanted += n
    return table.loc[sorted(chosen)]


def _originals(table: pd.DataFrame) -> pd.DataFrame:
    """One row a base_id: its label (the most frequent of its rows), stratum and number of rows."""
    rows = table[["base_id", "label"]].assign(category=table["categories"].map(join_categories).astype(str))
    if rows["base_id"].is_unique:
        originals = rows.set_index("base_id").assign(n_rows=1)
    else:
        # Sorted: the mode is then the same for any order of rows, ties included.
        grouped = rows.sort_values(["base_id", "label", "category"]).groupby("base_id", sort=True)
        originals = pd.DataFrame(
            {
                "label": grouped["label"].agg(lambda labels: labels.mode().iloc[0]),
                "category": grouped["category"].agg(lambda categories: categories.mode().iloc[0]),
                "n_rows": grouped.size(),
            }
        )
    size = originals.groupby(["label", "category"])["n_rows"].transform("size")
    return originals.assign(stratum=originals["category"].where(size >= MIN_STRATUM, ""))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _ranks(prefix: str, names: Iterable[str]) -> NDArray[np.uint64]:
    """The first 64 bits of the SHA-256 of each name behind a prefix: an order that looks like chance."""
    digests = b"".join(hashlib.sha256(f"{prefix}{name}".encode()).digest()[:8] for name in names)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)
