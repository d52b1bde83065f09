"""Texts that no default run trains on: drawn from a labelled file, less every text of the runs' own draws."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation.cleaning import clean
from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.corpus_preparation.near_duplicates import near_duplicates
from content_arena.components.corpus_preparation.prepare import MIN_TEXTS_PER_CLASS
from content_arena.components.corpus_preparation.splits import name_texts, sample_texts

#: What ``arena run`` draws from a larger file on a CPU.
DRAWN_TEXTS = 4_000
#: Stricter than the corpus's own .9: what is judged on shall not resemble what was trained on.
NEAR = 0.8


def undrawn_texts(data: Path, lang: str, seeds: Sequence[int], sizes: dict[str, int], part: int = 0) -> pd.DataFrame:
    """Texts of a file that a run of any of the seeds does not draw.

    Args:
        data: A labelled file, as ``arena run --data`` takes it.
        lang: ISO 639-1 code.
        seeds: Seeds of the draws to keep clear of.
        sizes: Texts wanted, by label.
        part: 0 for the first so many texts by rank of a hash, 1 for the next, which share none with the first.

    Returns:
        Columns base_id, text, label; near-duplicates of each other and of the drawn texts removed.
    """
    table = name_texts(clean(ingest(str(data), lang).table)[0])
    drawn = set()
    for seed in seeds:
        drawn |= set(sample_texts(table, DRAWN_TEXTS, seed, MIN_TEXTS_PER_CLASS)["sample_id"])
    is_drawn = table["sample_id"].isin(drawn)
    rank = table["base_id"].map(lambda name: hashlib.sha256(f"undrawn:{name}".encode()).hexdigest())
    ordered = table.assign(rank=rank, is_drawn=is_drawn).sort_values(["is_drawn", "rank"], ascending=[False, True])
    ordered = ordered[~near_duplicates(ordered["key"].tolist(), NEAR) & ~ordered["is_drawn"].to_numpy()]
    chosen = [ordered[ordered["label"] == label].iloc[part * n : (part + 1) * n] for label, n in sizes.items()]
    return pd.concat(chosen)[["base_id", "text", "label"]].reset_index(drop=True)
