"""The stages that train: train_qlora trains a challenger, bootstrap_champion the first champion."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from content_arena.components.attack_generation import held_out as choices
from content_arena.components.attack_generation.generate import split_strategies
from content_arena.components.attack_generation.selection import DEFAULT, Selection
from content_arena.components.corpus_versions import versions as corpus_versions
from content_arena.components.evaluation import first_version_report
from content_arena.components.labeling import answers
from content_arena.components.qlora_training import dataset, first_version
from content_arena.components.qlora_training import job as jobs
from content_arena.components.qlora_training.job import Job, pooling_of
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.registry import tags
from content_arena.components.registry.floors import floors_from
from content_arena.components.registry.publish import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.verdict import PromotionVerdict
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import kept_answers
from content_arena.components.shared.mlflow_tracking.tracking import Tracking, seconds_since_start
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.stage import log, stage

TRAIN = "train_qlora"
BOOTSTRAP = "bootstrap_champion"
#: Among the artifacts of a run in MLflow.
QUALITY_PAGE = "corpus/quality.html"
#: An adapter can be trained further only with the same values of these.
_ADAPTER_SETTINGS = ("base_model", "lora_rank", "lora_alpha", "pooling")


@stage(TRAIN)
def train_qlora(
    corpus_path: Path,
    labelled_path: Path,
    bundle_path: Path,
    *,
    settings: TrainingSettings,
    pipeline_run: str,
    champion_version: str | None = None,
    warm_start: bool = True,
    checkpoints: str | Path | None = None,
    held_out: Sequence[str] = (),
    selection: Selection = DEFAULT,
    tracking_uri: str | None = None,
) -> dict[str, float]:
    """Trains a challenger on the corpus and on all labelled attacks so far, those of this run and of earlier ones.

    It continues from the champion's adapter if it can, with half the epochs and half the learning rate, on a part of
    the corpus and all attacked texts: the champion has learnt most of it.

    Args:
        corpus_path: Parquet of Sample.
        labelled_path: Parquet of LabelledAttack, of this run.
        bundle_path: Where the bundle goes.
        settings: How to train.
        pipeline_run: Id of the pipeline run.
        champion_version: Registry version of the champion; None if there is none to continue from.
        warm_start: Whether to continue from the champion's adapter; False for a new one.
        checkpoints: Folder that outlives the process: a killed training resumes from it.
        held_out: Strategies that are never trained on; if empty, see
            :func:`content_arena.components.attack_generation.held_out.resolve`.
        selection: What the run attacks with.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        The training's figures, by name.
    """
    corpus = records.read(records.Sample, corpus_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    battles = [*tracking.earlier_labelled(settings.lang), records.read(records.LabelledAttack, labelled_path)]
    # People may have answered since a battle was labelled.
    said = answers.settled(kept_answers.read(tracking.client))
    battles = [answers.applied(battle, said) for battle in battles]
    registry = Registry(tracking_uri)
    champion = registry.get(int(champion_version)) if champion_version else None
    chosen = choices.resolve(settings.lang, settings.seed, held_out, champion, selection)
    log(TRAIN, f"held out: {chosen}")
    table = dataset.training_table(corpus, battles, chosen.names, attacked_share=settings.attacked_share)
    n_train = int((table["split"] == "train").sum())
    log(TRAIN, f"{n_train} texts: the corpus and the attacks of {len(battles)} battle(s)")
    log(TRAIN, dataset.describe(table))
    start = _start(registry, champion_version, settings) if champion_version and warm_start else None
    trained_on = dataset.strategies_in(table)
    if start is not None:
        settings = replace(settings, epochs=math.ceil(settings.epochs / 2), learning_rate=settings.learning_rate / 2)
        trained_on |= choices.trained_on(champion) if champion else frozenset()
    facts = {tags.HELD_OUT: ",".join(chosen.names), tags.TRAINED_ON: ",".join(sorted(trained_on))}
    seen, _ = split_strategies(settings.lang, chosen.names, selection)
    job = Job(TRAIN, corpus, table, settings, start, strategies=seen, facts=facts)
    _, metrics = jobs.run(job, bundle_path, tracking, checkpoints)
    return metrics


@dataclass(frozen=True)
class Bootstrapped:
    """What bootstrap_champion found or made.

    Attributes:
        champion: The champion's version; None if the first one was refused.
        verdict: On the version that was trained; None if there was a champion.
        metrics: Figures of the version that was trained; empty if there was a champion.
    """

    champion: int | None
    verdict: PromotionVerdict | None
    metrics: Mapping[str, float]

    @property
    def figures(self) -> dict[str, float]:
        """The metrics, and whether each floor was reached: 1 or 0."""
        return {**self.metrics, **(self.verdict.outcomes if self.verdict else {})}

    @property
    def verdict_json(self) -> dict[str, Any]:
        """The verdict as a document; empty if there is none."""
        return self.verdict.as_json() if self.verdict else {}


@stage(BOOTSTRAP)
def bootstrap_champion(
    corpus_path: Path,
    *,
    settings: TrainingSettings,
    pipeline_run: str,
    report_path: Path,
    floors: Mapping[str, float] | None = None,
    corpus_seconds: float | None = None,
    quality_path: Path | None = None,
    corpus_source: str = "",
    checkpoints: str | Path | None = None,
    models_uri: str | None = None,
    tracking_uri: str | None = None,
) -> Bootstrapped:
    """Trains the first champion on the corpus alone, unless the registry has a champion.

    A version that does not reach the floors is registered, rejected and gets no alias. The stage succeeds all the same,
    so that its page and its figures are kept; the next stage finds no champion, and the run ends there.

    Args:
        corpus_path: Parquet of Sample.
        settings: How to train.
        pipeline_run: Id of the pipeline run.
        report_path: Where to write the page about a version that was trained.
        floors: Least values by name of their figure, see
            :func:`content_arena.components.registry.floors.floors_from`; the defaults if None.
        corpus_seconds: Seconds that preparing the corpus took; logged beside those of the other stages.
        quality_path: Page about the quality of the corpus, to keep with the MLflow run; None for none.
        corpus_source: What the corpus was read from, to keep with it.
        checkpoints: See :func:`train_qlora`.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        tracking_uri: MLflow server; the environment's if None.

    Raises:
        InputError: The corpus or a floor cannot be used, or a text of the corpus was forgotten since; nothing was
            registered.
    """
    least = floors_from(floors)
    corpus = records.read(records.Sample, corpus_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    if corpus_seconds is not None:
        tracking.log_seconds("prepare_corpus", corpus_seconds)
    if quality_path is not None:
        tracking.log_page(QUALITY_PAGE, quality_path.read_text(encoding="utf-8"))
    corpus_versions.keep(tracking_uri, tracking, corpus, corpus_source)
    registry = Registry(tracking_uri)
    version = registry.version_of(Registry.CHAMPION)
    metrics: dict[str, float] = {}
    verdict = None
    if version is not None:
        _check_language(registry, version, settings.lang)
    else:
        log(BOOTSTRAP, "no champion yet: training the first one on the corpus alone")
        table = dataset.training_table(corpus, [], held_out=())
        with tempfile.TemporaryDirectory() as folder:
            bundle, metrics = jobs.run(
                Job(BOOTSTRAP, corpus, table, settings), Path(folder) / "bundle", tracking, checkpoints
            )
            judged = first_version.judge(bundle, corpus, least)
            version = registry.register(bundle, tracking.run_id, generation=0).version
        registry.record_metrics(version, {"validation_f1": metrics["validation_f1"]})
        first_version.admit(registry, version, judged)
        seconds = tracking.seconds() | {BOOTSTRAP: seconds_since_start()}
        verdict = replace(judged.verdict(version), seconds=seconds)
        metrics |= {name: value for name, value in judged.figures.items() if value is not None}
        report_path.parent.mkdir(parents=True, exist_ok=True)
        report_path.write_text(first_version_report.render(verdict, judged.figures, settings), encoding="utf-8")
    for line in publish(registry, models_uri):
        log(BOOTSTRAP, line)
    tracking.log(BOOTSTRAP, metrics)
    is_refused = verdict is not None and not verdict.passed
    log(BOOTSTRAP, f"version {version} is refused" if is_refused else f"champion is version {version}")
    return Bootstrapped(None if is_refused else version, verdict, metrics)


def _check_language(registry: Registry, version: int, lang: str) -> None:
    """Refuses a champion of another language.

    A challenger in the run's language would win every comparison, and then serve texts that it cannot read.
    """
    serves = registry.get(version).lang or lang
    if serves != lang:
        raise InputError(
            f"the champion (version {version}) reads {serves} and this run is {lang}: "
            "give each language an arena of its own, with ARENA_HOME or another MLflow server"
        )


def _start(registry: Registry, version: str, settings: TrainingSettings) -> bundles.Bundle | None:
    """The version's bundle; None if its adapter has another base model or another size than the settings."""
    bundle = bundles.load(registry.download(int(version)))
    # Up to 0.1.0 every classifier read the first token, and no bundle recorded it.
    had = {"base_model": bundle.spec.base_model, "pooling": "first"} | bundle.spec.training
    wanted = settings.as_dict() | {"pooling": pooling_of(settings)}
    changed = [name for name in _ADAPTER_SETTINGS if had.get(name) != wanted[name]]
    if changed:
        log(TRAIN, f"a new adapter: version {version} was trained with another {', '.join(changed)}")
        return None
    log(TRAIN, f"continuing from the adapter of version {version}")
    return bundle
