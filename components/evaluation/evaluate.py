"""The stage evaluate_challenger: both models, the same held-out texts, the same attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation import attempts, battle, outcomes, reach, regressions
from content_arena.components.attack_generation import held_out as choices
from content_arena.components.attack_generation.generate import split_strategies
from content_arena.components.attack_generation.held_out import HeldOut
from content_arena.components.attack_generation.regressions import Suite
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.selection import DEFAULT, Selection
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import CachedVictim
from content_arena.components.attack_generation.writing.binding import (
    Reporting,
    bound,
    tell_what_was_written,
    writer_for,
)
from content_arena.components.evaluation import comparison
from content_arena.components.evaluation.comparison import Battles
from content_arena.components.evaluation.judged_texts import JudgedTexts
from content_arena.components.evaluation.settings import EvaluationSettings
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import records
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.evaluations import evaluation_record
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.evaluations.model_evaluation import ModelEvaluation
from content_arena.components.shared.figures import NOT_MEASURED
from content_arena.components.shared.mlflow_tracking.metric_names import EvasionBy
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.stage import Progress, log, stage

STAGE = "evaluate_challenger"


@stage(STAGE)
def evaluate_challenger(
    corpus_path: Path,
    challenger_path: Path,
    evaluation_path: Path,
    *,
    champion_version: str,
    lang: str,
    pipeline_run: str,
    budget: int = AttackSettings.budget,
    texts_per_label: int = AttackSettings.texts_per_label,
    seed: int = 0,
    held_out: Sequence[str] = (),
    selection: Selection = DEFAULT,
    settings: EvaluationSettings = EvaluationSettings(),  # noqa: B008 - frozen
    chat: ChatSettings = ChatSettings(),  # noqa: B008 - frozen
    tracking_uri: str | None = None,
) -> Evaluation:
    """Compares a challenger with the champion.

    Args:
        corpus_path: Parquet of Sample; its test split and its guard set are used.
        challenger_path: The challenger's bundle.
        evaluation_path: Where to write the evaluation as JSON.
        champion_version: Registry version to compare with.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        budget: Queries allowed for each (text, strategy).
        texts_per_label: Test texts of each label to attack; the clean figures come from the whole test split.
        seed: Of the attacks.
        held_out: Strategies neither model was trained on; if empty, see
            :func:`content_arena.components.attack_generation.held_out.resolve`.
        selection: What to attack with.
        settings: The other settings.
        chat: How an LLM is asked, if strategies need one.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        The evaluation, as in the JSON.
    """
    corpus = records.read(records.Sample, corpus_path)
    texts, attacked = _texts(corpus), battle.sample_texts(corpus, "test", texts_per_label, seed)
    registry = Registry(tracking_uri)
    chosen = choices.resolve(lang, seed, held_out, registry.get(int(champion_version)), selection)
    models = {
        "champion": ContentFilter.open(registry.download(int(champion_version)), version=champion_version),
        "challenger": ContentFilter.open(challenger_path),
    }
    n_guard = 0 if texts.guard is None else texts.guard.n_texts
    log(STAGE, f"{len(texts.test)} clean texts, {n_guard} guard texts; {len(attacked)} attacked, against both models")
    log(STAGE, f"held out: {chosen}")
    seen, unseen = split_strategies(lang, chosen.names, selection)
    writer = writer_for([*seen, *unseen], chat, Reporting.of_stage(STAGE))
    tracking = Tracking(tracking_uri, pipeline_run)
    suite = regressions.assemble(tracking.earlier_regressions(lang), _trained_on(corpus))
    log(STAGE, f"regression suite: {len(suite)} attacks that once worked, from {suite.n_runs} earlier runs")
    every = bound([*seen, *unseen], writer)
    attacks = _attack(models, attacked, chosen, every, lang, suite, budget=budget, seed=seed)
    tell_what_was_written(writer, Reporting.of_stage(STAGE))
    evaluation = comparison.compare(models, texts, attacks, lang, settings)
    evaluation_record.write(evaluation, evaluation_path)
    tracking.log_regressions(lang, STAGE, regressions.worth_keeping(pd.concat(attacks.by_model.values())))
    tracking.log(STAGE, _logged(evaluation), _parameters(evaluation, chosen))
    log(STAGE, _summary(evaluation))
    if evaluation.challenger.attributes:
        log(STAGE, _attributes(evaluation.challenger))
    return evaluation


def _trained_on(corpus: pd.DataFrame) -> list[str]:
    return list(corpus.loc[corpus["split"] == "train", "base_id"].unique())


def _texts(corpus: pd.DataFrame) -> JudgedTexts:
    texts = JudgedTexts.of(corpus)
    if texts.test["label"].nunique() < 2:
        raise InputError("the test split needs toxic and benign texts to compare two models on")
    return texts


def _attack(
    models: Mapping[str, ContentFilter],
    attacked: pd.DataFrame,
    chosen: HeldOut,
    every: Sequence[Strategy],
    lang: str,
    suite: Suite,
    *,
    budget: int,
    seed: int,
) -> Battles:
    """The same battle against each model, and the scores of every attempt in it."""
    search = LadderSearch(budget)
    n_toxic = int((attacked["label"] == "toxic").sum())
    n_benign = len(attacked) - n_toxic
    # The attempts do not depend on the model, so they are made and judged once.
    made = attempts.attempts_on(battle.make_targets(attacked, every, seed), search)
    # Every attempt is scored once, and so is every text as it is.
    progress = Progress(STAGE, len(models) * (len(attacked) + len(made)), "queries at most")
    fought, scored = {}, {}
    for name, model in models.items():
        victim = CachedVictim(model)
        fought[name] = battle.fight(attacked, victim, every, seed=seed, search=search, advance=progress.advance)
        scored[name] = attempts.scored(made, victim)
    return Battles(
        by_model={name: outcomes.judged(found.attacks, models[name].reading) for name, found in fought.items()},
        attempts=scored,
        held_out=chosen,
        undone=frozenset(strategy.name for strategy in every if reach.is_undone(strategy, lang)),
        sha256=fought["champion"].sha256,
        n_toxic=n_toxic,
        n_benign=n_benign,
        budget=budget,
        seed=seed,
        suite=suite,
    )


def _parameters(evaluation: Evaluation, chosen: HeldOut) -> dict[str, object]:
    """What goes into MLflow beside the figures."""
    parameters: dict[str, object] = {
        "attack_set_sha256": evaluation.attack_set_sha256,
        "held_out_strategies": chosen,
        "regression_suite": evaluation.regressions.described,
    }
    if evaluation.guard is not None:
        parameters |= {"guard": evaluation.guard.name, "guard_sha256": evaluation.guard.sha256}
    return parameters


def _logged(evaluation: Evaluation) -> dict[str, float | None]:
    """What goes into MLflow: both headlines, and evasion by strategy."""
    logged = {
        f"{name}.{key}": value for name, model in evaluation.models.items() for key, value in model.headline().items()
    }
    for row in evaluation.strategies:
        logged[EvasionBy("champion", row.strategy).name] = row.champion.rate
        logged[EvasionBy("challenger", row.strategy).name] = row.challenger.rate
    return logged


def _attributes(model: ModelEvaluation) -> str:
    shown = (
        f"{name} {NOT_MEASURED if found.auroc is None else f'{found.auroc:.3f}'} ({found.n_positive} texts)"
        for name, found in model.attributes.items()
    )
    return f"AUROC of the challenger's attributes: {', '.join(shown)}"


def _summary(evaluation: Evaluation) -> str:
    old, new = evaluation.champion.headline(), evaluation.challenger.headline()

    def pair(name: str) -> str:
        return " -> ".join(NOT_MEASURED if value is None else f"{value:.3f}" for value in (old[name], new[name]))

    return (
        f"clean F1 {pair('clean_f1')}, evasion seen {pair('evasion_seen')}, unseen {pair('evasion_unseen')}, "
        f"matched {pair('evasion_matched')}, perturbed-benign FPR {pair('perturbed_benign_fpr')}, "
        f"perturbed AUROC {pair('perturbed_auroc')}, "
        f"attacks that once worked {pair('evasion_regression')} of {evaluation.regressions.n_attacks}; "
        f"{len(evaluation.undone)} strategies are undone and in no mean"
    )
