"""Texts to judge by, and what is left of a labelled file to train on without them.

python -m tests.benchmarks.robustness.texts --data FILE --without ATTACKS... --out REST.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation.cleaning import clean
from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_duplicates
from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.corpus_preparation.prepare import MIN_TEXTS_PER_CLASS
from content_arena.components.corpus_preparation.splits import name_texts, sample_texts

#: What ``arena run`` draws from a larger file on a CPU.
DRAWN_TEXTS = 4_000
#: Stricter than the corpus's own .9: what is judged on shall not resemble what was trained on.
NEAR = 0.8


def undrawn_texts(data: Path, lang: str, seeds: Sequence[int], sizes: dict[str, int], part: int = 0) -> pd.DataFrame:
    """Texts of a file that a draw in its own proportions, with any of the seeds, does not hold.

    Frozen attacks were made from this draw. ``arena run`` draws more of the rarer label, so a filter that is judged by
    them is trained on what :func:`rest` leaves of the file.

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
        drawn |= set(sample_texts(table, DRAWN_TEXTS, seed, MIN_TEXTS_PER_CLASS, rare_share=0)["sample_id"])
    is_drawn = table["sample_id"].isin(drawn)
    rank = table["base_id"].map(lambda name: hashlib.sha256(f"undrawn:{name}".encode()).hexdigest())
    ordered = table.assign(rank=rank, is_drawn=is_drawn).sort_values(["is_drawn", "rank"], ascending=[False, True])
    ordered = ordered[~near_duplicates(ordered["key"].tolist(), NEAR) & ~ordered["is_drawn"].to_numpy()]
    chosen = [ordered[ordered["label"] == label].iloc[part * n : (part + 1) * n] for label, n in sizes.items()]
    return pd.concat(chosen)[["base_id", "text", "label"]].reset_index(drop=True)


def rest(data: Path, lang: str, base_ids: set[str]) -> pd.DataFrame:
    """The rows of a file without the texts named and their near-duplicates.

    Args:
        data: A labelled file, as ``arena run --data`` takes it.
        lang: ISO 639-1 code.
        base_ids: Texts to leave out.

    Returns:
        Columns id, text, label, in the order of the file.
    """
    table = name_texts(clean(ingest(str(data), lang).table)[0])
    is_judged = table["base_id"].isin(base_ids)
    # The first of several near-duplicates is kept, so the judged texts come first.
    ordered = table.assign(is_judged=is_judged).sort_values("is_judged", ascending=False, kind="stable")
    kept = ordered[~near_duplicates(ordered["key"].tolist(), NEAR) & ~ordered["is_judged"].to_numpy()].sort_index()
    return kept[["sample_id", "text", "label"]].set_axis(["id", "text", "label"], axis=1)


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled texts, as arena run --data takes them")
    parser.add_argument("--without", type=Path, nargs="+", required=True, help="JSON lines with base_id")
    parser.add_argument("--out", type=Path, required=True, help="the rest, as .jsonl.gz")
    parser.add_argument("--lang", default="en")
    given = parser.parse_args()
    named = {json.loads(row)["base_id"] for file in given.without for row in file.read_text("utf-8").splitlines()}
    left = rest(given.data, given.lang, named)
    with gzip.open(given.out, "wt", encoding="utf-8") as file:
        file.write(left.to_json(orient="records", lines=True, force_ascii=False))
    sys.stdout.write(f"{len(left):,} rows: {left['label'].value_counts().to_dict()}\n")


if __name__ == "__main__":
    main()
