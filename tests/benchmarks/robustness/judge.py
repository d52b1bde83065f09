"""Judges a bundle on attacks that were made beforehand: evasion and false positives by kind, at two thresholds.

    python -m tests.benchmarks.robustness.judge --bundle FOLDER --attacks FILE [--steps none segment rules spell]

Attacks are JSON lines with base_id, kind, rung, label, original and text. Of the rungs of a toxic text the one with
the lowest score counts. Beside the bundle's own threshold everything is shown at a matched operating point: the lowest
threshold at which, over all kinds that reach the model, at most two points more of the perturbed benign texts are
flagged than of the clean ones at the bundle's own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from content_arena.components.attack_generation.reach import UNDONE_SHARE
from content_arena.components.evaluation import separation
from content_arena.components.evaluation.separation import ALLOWED_RISE
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.readability import MIN_READABILITY, readability
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader, Steps

STEPS = {
    "none": None,
    "segment": Steps(rules=False, spell=False),
    "rules": Steps(spell=False),
    "spell": Steps(),
}


def judge(model: ContentFilter, attacks: pd.DataFrame) -> dict[str, Any]:
    """The figures of one model.

    Args:
        model: Scores texts; its reading decides what is undone and restored.
        attacks: Columns base_id, kind, rung, label, original, text.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    texts = pd.unique(pd.concat([attacks["original"], attacks["text"]]))
    started = time.perf_counter()
    score = dict(zip(texts, model.score(texts.tolist()).tolist(), strict=True))
    seconds = time.perf_counter() - started
    rows = attacks.assign(
        strategy=attacks["kind"],
        score_before=attacks["original"].map(score),
        score_after=attacks["text"].map(score),
        readable=readability(
            attacks.rename(columns={"original": "original_text", "text": "perturbed_text"})
        ) >= MIN_READABILITY,
        undone=_same(attacks, model.reading.canonicalise),
        restored=_same(attacks, model.reading),
    )  # fmt: skip
    rows = rows[rows["text"] != rows["original"]]
    clean = rows.drop_duplicates("base_id")
    clean_fpr = float((clean.loc[clean["label"] == "benign", "score_before"] >= model.threshold).mean())
    undone = rows.groupby("kind")["undone"].mean()
    reach = sorted(undone.index[undone < UNDONE_SHARE])
    # Kinds that the canonicaliser undoes stand in no mean.
    benign = separation.pairs(rows[rows["kind"].isin(reach)]).benign
    matched = separation.matched_threshold(benign, clean_fpr + ALLOWED_RISE) or 0.0
    is_toxic = (clean["label"] == "toxic").to_numpy()
    figures: dict[str, Any] = {
        "texts_per_second": len(texts) / seconds,
        "clean_fpr": clean_fpr,
        "clean_auroc": float(roc_auc_score(is_toxic, clean["score_before"])),
        "clean_f1": float(f1_score(is_toxic, clean["score_before"] >= model.threshold)),
        "threshold": model.threshold,
        "matched_threshold": matched,
        "kinds": {},
    }
    for kind, of_kind in rows.groupby("kind"):
        at_own = _rates(of_kind, model.threshold)
        at_matched = _rates(of_kind, matched)
        auroc = separation.perturbed_auroc(separation.pairs(of_kind)).rate
        figures["kinds"][kind] = {
            "undone": float(of_kind["undone"].mean()),
            "restored": float(of_kind["restored"].mean()),
            "own": at_own,
            "matched": at_matched,
            "auroc": float("nan") if auroc is None else auroc,
        }
    for point in ("own", "matched"):
        values = [figures["kinds"][kind][point] for kind in reach]
        figures[point] = {name: float(np.mean([v[name] for v in values])) for name in ("evasion", "flagged_benign")}
    figures["auroc"] = float(np.mean([figures["kinds"][kind]["auroc"] for kind in reach]))
    return figures


def _same(attacks: pd.DataFrame, read: Any) -> list[bool]:
    known = {text: read(text).casefold() for text in pd.unique(pd.concat([attacks["original"], attacks["text"]]))}
    return [known[a] == known[b] for a, b in zip(attacks["original"], attacks["text"], strict=True)]


def _rates(rows: pd.DataFrame, threshold: float) -> dict[str, float]:
    benign = rows[(rows["label"] == "benign") & rows["readable"]]
    return {
        "evasion": separation.evasion_at(separation.pairs(rows), threshold),
        "flagged_benign": float((benign["score_after"] >= threshold).mean()),
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """Evasion / flagged benign in percent, a column a way of reading."""
    names = list(results)
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]

    def line(label: str, cell: Any) -> None:
        lines.append(f"| {label} | " + " | ".join(cell(results[name]) for name in names) + " |")

    line("clean: FPR, AUROC, F1", lambda r: f"{r['clean_fpr']:.1%}, {r['clean_auroc']:.3f}, {r['clean_f1']:.3f}")
    for point in ("own", "matched"):
        kinds = results[names[0]]["kinds"]
        for kind in kinds:
            line(f"{kind} ({point})", lambda r, k=kind, p=point: _cell(r["kinds"][k][p]))
        line(f"**mean of those that reach the model ({point})**", lambda r, p=point: _cell(r[p]))
    line("mean AUROC", lambda r: f"{r['auroc']:.3f}")
    line("texts/s", lambda r: f"{r['texts_per_second']:.0f}")
    return "\n".join(lines) + "\n"


def _cell(rates: dict[str, float]) -> str:
    return f"{100 * rates['evasion']:.0f} / {100 * rates['flagged_benign']:.0f}"


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--attacks", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, help="read through this one instead of the bundle's own")
    parser.add_argument("--steps", nargs="+", choices=STEPS, help="steps of the Reader; as the bundle says if left out")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    attacks = pd.read_json(given.attacks, lines=True, dtype=False)
    model = ContentFilter.open(given.bundle, threads=given.threads)
    results = {}
    if given.steps is None:
        results["as bundled"] = judge(model, attacks)
    else:
        path = given.lexicon or model.bundle.lexicon_path
        if path is None:
            raise SystemExit("the bundle has no lexicon: name one with --lexicon")
        lexicon = Lexicon.load(path)
        for name in given.steps:
            steps = STEPS[name]
            model.reading = Reading(reader=Reader(lexicon, steps=steps) if steps else None)
            results[name] = judge(model, attacks)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    sys.stdout.write(table(results))


if __name__ == "__main__":
    main()
