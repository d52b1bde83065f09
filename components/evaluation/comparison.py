"""Champion and challenger side by side: the evaluation that their scores and their battles come to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from content_arena.components.attack_generation.held_out import HeldOut
from content_arena.components.attack_generation.regressions import Suite
from content_arena.components.evaluation import battle_figures, metrics
from content_arena.components.evaluation.judged_texts import JudgedTexts
from content_arena.components.evaluation.metrics import Measurements
from content_arena.components.evaluation.settings import EvaluationSettings
from content_arena.components.evaluation.statistics import Trials
from content_arena.components.shared.evaluations.evaluation_record import Evaluation, Example, StrategyComparison
from content_arena.components.shared.evaluations.model_evaluation import ModelEvaluation
from content_arena.components.shared.evaluations.text_sets import RegressionSuite
from content_arena.components.shared.scoring.filter import ContentFilter


@dataclass(frozen=True)
class Battles:
    """The battles of an evaluation.

    Attributes:
        by_model: Judged attacks on each model.
        attempts: Every attempt with each model's scores.
        held_out: The strategies that neither model was trained on.
        undone: Names of the strategies that the canonicaliser undoes.
        sha256: Of the attack set.
        n_toxic: Toxic texts attacked.
        n_benign: Benign texts attacked.
        budget: Queries allowed for each (text, strategy).
        seed: Of the attacks.
        suite: Attacks that got past a version in earlier runs.
    """

    by_model: Mapping[str, pd.DataFrame]
    attempts: Mapping[str, pd.DataFrame]
    held_out: HeldOut
    undone: frozenset[str]
    sha256: str
    n_toxic: int
    n_benign: int
    budget: int
    seed: int
    suite: Suite


def compare(
    models: Mapping[str, ContentFilter],
    texts: JudgedTexts,
    attacks: Battles,
    lang: str,
    settings: EvaluationSettings,
) -> Evaluation:
    """Measures both models.

    Args:
        models: "champion" and "challenger".
        texts: What they score beside the attacks.
        attacks: What the same battle did to each of them.
        lang: ISO 639-1 code of the corpus.
        settings: How much to measure and to show.
    """
    measured = _measure(models, texts, attacks, settings.latency_texts)
    return Evaluation(
        lang=lang,
        seed=attacks.seed,
        budget=attacks.budget,
        attack_set_sha256=attacks.sha256,
        held_out=attacks.held_out.names,
        held_out_reason=attacks.held_out.reason,
        n_toxic=attacks.n_toxic,
        n_benign=attacks.n_benign,
        guard=texts.guard,
        regressions=RegressionSuite(len(attacks.suite), attacks.suite.n_runs, attacks.suite.sha256),
        champion=measured["champion"],
        challenger=measured["challenger"],
        strategies=_strategy_rows(attacks),
        examples=_examples(attacks, settings.examples),
    )


def _measure(
    models: Mapping[str, ContentFilter], texts: JudgedTexts, attacks: Battles, n_latency_texts: int
) -> dict[str, ModelEvaluation]:  # fmt: skip
    clean = {name: texts.scored_by(model) for name, model in models.items()}
    latencies = _latencies(models, texts.test["text"].tolist(), n_latency_texts)
    found = {}
    for name, model in models.items():
        measured = Measurements(
            scores=clean[name].scores,
            is_toxic=clean[name].is_toxic,
            threshold=model.threshold,
            attacks=attacks.by_model[name],
            attempts=attacks.attempts[name],
            held_out=frozenset(attacks.held_out.names),
            undone=attacks.undone,
            latencies_ms=latencies[name],
            guard=texts.guard_scored_by(model),
            regressions=Trials(attacks.suite.past(model), attacks.suite.attacks["base_id"].tolist()),
        )
        found[name] = ModelEvaluation(
            version=model.version,
            threshold=model.threshold,
            base_model=model.bundle.spec.base_model,
            figures=metrics.compute(measured),
            confusion=metrics.confusion(measured),
            roc=metrics.roc(measured),
            histogram=metrics.histogram(measured),
            attributes=texts.attributes_scored_by(model),
        )
    return found


def _strategy_rows(attacks: Battles) -> tuple[StrategyComparison, ...]:
    old, new = (battle_figures.per_strategy(attacks.by_model[name]) for name in ("champion", "challenger"))
    families = attacks.by_model["champion"].groupby("strategy")["family"].first()
    return tuple(
        StrategyComparison(
            strategy=name,
            family=families[name],
            held_out=name in attacks.held_out.names,
            is_undone=name in attacks.undone,
            champion=old[name].evasion,
            challenger=new[name].evasion,
            champion_fpr=old[name].benign_flagged,
            challenger_fpr=new[name].benign_flagged,
            undone=new[name].undone,
            restored=new[name].restored,
        )
        for name in sorted(old)
    )


def _examples(attacks: Battles, n_shown: int) -> tuple[Example, ...]:
    """Attacks that still get through, the largest falls in score first, at most four of each strategy."""
    table = attacks.by_model["challenger"]
    through = table[(table["label_gold"] == "toxic") & (table["status"] == "success") & table["readable"]]
    through = through.assign(fall=through["score_before"] - through["score_after"]).sort_values("fall", ascending=False)
    shown = through.groupby("strategy", sort=False).head(4).head(n_shown)
    return tuple(
        Example(
            strategy=row["strategy"],
            held_out=row["strategy"] in attacks.held_out.names,
            original=row["original_text"],
            perturbed=row["perturbed_text"],
            score_before=float(row["score_before"]),
            score_after=float(row["score_after"]),
        )
        for row in shown.to_dict("records")
    )


def _latencies(models: Mapping[str, ContentFilter], texts: list[str], n_texts: int) -> dict[str, list[float]]:
    """Milliseconds of one text at a time; the models alternate, so a busy machine slows both."""
    sample = [texts[i % len(texts)] for i in range(n_texts)]
    for model in models.values():
        model.score(sample[:5])
    taken: dict[str, list[float]] = {name: [] for name in models}
    for text in sample:
        for name, model in models.items():
            start = time.perf_counter()
            model.score([text])
            taken[name].append((time.perf_counter() - start) * 1000)
    return taken
