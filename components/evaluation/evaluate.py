"""The stage evaluate_challenger: both models, the same held-out texts, the same attacks."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from content_arena.components.attack_generation import battle
from content_arena.components.attack_generation.generate import split_strategies
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.strategies import HELD_OUT
from content_arena.components.evaluation import metrics, report
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.stage import Progress, log, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "evaluate_challenger"
#: Figures that go into the registry, MLflow and the command line's answer.
HEADLINE = ("clean_f1", "evasion", "evasion_seen", "evasion_unseen", "perturbed_benign_fpr", "latency_p95_ms")
_LATENCY_TEXTS = 100
_EXAMPLES = 40


@stage(STAGE)
def evaluate_challenger(
    corpus_path: Path,
    challenger_path: Path,
    evaluation_path: Path,
    report_path: Path,
    *,
    champion_version: str,
    lang: str,
    pipeline_run: str,
    budget: int = 3,
    texts_per_label: int = 200,
    seed: int = 0,
    held_out: Sequence[str] = HELD_OUT,
    tracking_uri: str | None = None,
) -> dict[str, Any]:
    """Compares a challenger with the champion.

    Args:
        corpus_path: Parquet of Sample; only its test split is used.
        challenger_path: The challenger's bundle.
        evaluation_path: Where to write the evaluation as JSON.
        report_path: Where to write it as a page.
        champion_version: Registry version to compare with.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        budget: Queries allowed for each (text, strategy).
        texts_per_label: Test texts of each label to attack; the clean figures come from the whole test split.
        seed: Of the attacks.
        held_out: Strategies neither model was trained on.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        The evaluation, as in the JSON.
    """
    corpus = records.read(records.Sample, corpus_path)
    test = corpus[corpus["split"] == "test"].reset_index(drop=True)
    if test["label"].nunique() < 2:
        raise InputError("the test split needs toxic and benign texts to compare two models on")
    attacked = battle.sample_texts(corpus, "test", texts_per_label, seed)
    models = {
        "champion": ContentFilter.open(
            Registry(tracking_uri).download(int(champion_version)), version=champion_version
        ),
        "challenger": ContentFilter.open(challenger_path),
    }
    log(STAGE, f"{len(test)} clean texts; {len(attacked)} attacked, against both models")
    seen, unseen = split_strategies(lang, held_out)
    strategies = [*seen, *unseen]
    # Benign texts get one attempt, toxic ones up to ``budget``, and all are scored once as they are.
    n_toxic = int((attacked["label"] == "toxic").sum())
    n_queries = len(attacked) + len(strategies) * (n_toxic * budget + len(attacked) - n_toxic)
    progress = Progress(STAGE, 2 * n_queries, "queries at most")
    fights = {
        name: battle.fight(
            attacked, model, strategies, seed=seed, search=LadderSearch(budget), advance=progress.advance
        )
        for name, model in models.items()
    }
    unseen_names = [strategy.name for strategy in unseen]
    attacks = {name: metrics.judged(fight.attacks, models[name].reading) for name, fight in fights.items()}
    figures = {name: _figures(model, test, attacks[name], unseen_names) for name, model in models.items()}
    for name, (p50, p95) in _latencies(models, test["text"].tolist()).items():
        figures[name] |= {"latency_p50_ms": p50, "latency_p95_ms": p95}
    evaluation = {
        "lang": lang,
        "seed": seed,
        "budget": budget,
        "attack_set_sha256": fights["champion"].sha256,
        "n_toxic": n_toxic,
        "n_benign": len(attacked) - n_toxic,
        **figures,
        "strategies": _strategy_rows(attacks, unseen_names),
        "examples": _examples(attacks["challenger"], unseen_names),
    }
    for path, content in ((evaluation_path, json.dumps(evaluation)), (report_path, report.render(evaluation, None))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    tracking = Tracking(tracking_uri, pipeline_run)
    flat = {f"{who}.{key}": value for who in models for key, value in headline(evaluation[who]).items()}
    flat |= {
        f"{who}.evasion_by.{row['strategy']}": row[who]["rate"] for who in models for row in evaluation["strategies"]
    }
    tracking.log(STAGE, flat, {"attack_set_sha256": evaluation["attack_set_sha256"]})
    log(STAGE, _summary(evaluation))
    return evaluation


def headline(figures: dict[str, Any]) -> dict[str, float | None]:
    """The figures outsiders read, each a plain number or None."""
    return {key: value["rate"] if isinstance(value := figures[key], dict) else value for key in HEADLINE}


def _figures(model: ContentFilter, test: pd.DataFrame, attacks: pd.DataFrame, unseen: list[str]) -> dict[str, Any]:
    scores = model.score(test["text"].tolist())
    is_toxic = (test["label"] == "toxic").to_numpy()
    is_unseen = attacks["strategy"].isin(unseen)
    return {
        "version": model.version,
        "threshold": model.threshold,
        "base_model": model.bundle.spec.base_model,
        **metrics.clean(scores, is_toxic, model.threshold),
        "evasion": metrics.evasion(attacks).as_dict(),
        "evasion_seen": metrics.evasion(attacks[~is_unseen]).as_dict(),
        "evasion_unseen": metrics.evasion(attacks[is_unseen]).as_dict(),
        "perturbed_benign_fpr": metrics.perturbed_benign_fpr(attacks).as_dict(),
        "histogram": metrics.histograms(scores, is_toxic, attacks),
    }


def _strategy_rows(attacks: dict[str, pd.DataFrame], unseen: list[str]) -> list[dict[str, Any]]:
    old, new = metrics.per_strategy(attacks["champion"]), metrics.per_strategy(attacks["challenger"])
    families = attacks["champion"].groupby("strategy")["family"].first()
    return [
        {
            "strategy": name,
            "family": families[name],
            "held_out": name in unseen,
            "champion": old[name].evasion.as_dict(),
            "challenger": new[name].evasion.as_dict(),
            "champion_fpr": old[name].benign_flagged.as_dict(),
            "challenger_fpr": new[name].benign_flagged.as_dict(),
            "undone": new[name].undone.as_dict(),
            "restored": new[name].restored.as_dict(),
        }
        for name in sorted(old)
    ]


def _examples(attacks: pd.DataFrame, unseen: list[str]) -> list[dict[str, Any]]:
    """Attacks that still get through, the deepest falls first, at most four a strategy so that all kinds show."""
    through = attacks[(attacks["label_gold"] == "toxic") & (attacks["status"] == "success") & attacks["readable"]]
    through = through.assign(fall=through["score_before"] - through["score_after"]).sort_values("fall", ascending=False)
    shown = through.groupby("strategy", sort=False).head(4).head(_EXAMPLES)
    return [
        {
            "strategy": row.strategy,
            "held_out": row.strategy in unseen,
            "original": row.original_text,
            "perturbed": row.perturbed_text,
            "score_before": float(row.score_before),
            "score_after": float(row.score_after),
        }
        for row in shown.itertuples(index=False)
    ]


def _latencies(models: dict[str, ContentFilter], texts: list[str]) -> dict[str, tuple[float, float]]:
    """p50 and p95 in milliseconds of one text at a time; the models take turns, so a busy machine slows both."""
    sample = [texts[i % len(texts)] for i in range(_LATENCY_TEXTS)]
    for model in models.values():
        model.score(sample[:5])
    taken: dict[str, list[float]] = {name: [] for name in models}
    for text in sample:
        for name, model in models.items():
            start = time.perf_counter()
            model.score([text])
            taken[name].append((time.perf_counter() - start) * 1000)
    return {
        name: (float(np.percentile(values, 50)), float(np.percentile(values, 95))) for name, values in taken.items()
    }


def _summary(evaluation: dict[str, Any]) -> str:
    old, new = headline(evaluation["champion"]), headline(evaluation["challenger"])

    def pair(name: str) -> str:
        return " -> ".join("not measured" if value is None else f"{value:.3f}" for value in (old[name], new[name]))

    return (
        f"clean F1 {pair('clean_f1')}, evasion seen {pair('evasion_seen')}, unseen {pair('evasion_unseen')}, "
        f"perturbed-benign FPR {pair('perturbed_benign_fpr')}"
    )
