"""A short history of an arena in a real MLflow, made with the calls the stages make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from content_arena.components.registry import gates
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.components.shared.figures import FIGURES
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.evaluations import typical
from tests.tiny_bundle import make_tiny_bundle

STRATEGIES = ("homoglyph_swap", "leet_sub")


@dataclass(frozen=True)
class History:
    """Where it is, and the versions and runs in it."""

    uri: str
    champion: int
    challenger: int
    previous: int
    open_run: str
    open_training: str


def write(folder: Path) -> History:
    """First champion 1, promoted challenger 2, rejected challenger 3; a failed run; and a run that trains right now."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    registry = Registry(uri)
    first = Tracking(uri, "run-1")
    training = {"validation_f1": 0.81, "best_epoch_f1": 0.83, "epochs": 3.0, "steps": 90.0, "threshold": 0.4,
                "n_texts": 900.0, "parity_agreement": 0.99, "train_samples_per_second": 31.0}  # fmt: skip
    one = registry.register(make_tiny_bundle(folder / "one", weights_seed=1), first.run_id, generation=0).version
    registry.record_metrics(one, {"validation_f1": 0.81})
    registry.promote(one, expected_champion=None)
    first.log("bootstrap_champion", training)
    first.log_seconds("prepare_corpus", 2.5)
    two = _round(registry, first, folder / "two", seed=2, champion=one, evasion=(0.3, 0.1), training=training)
    Tracking(uri, "run-2").finish("FAILED")
    third = Tracking(uri, "run-3")
    three = _round(registry, third, folder / "three", seed=3, champion=two, evasion=(0.1, 0.2), training=training)
    registry.reject(three, "more attacks past")
    fourth = Tracking(uri, "run-4")
    _battle(fourth, victim=two, evasion=0.25)
    nested = fourth.client.create_run(
        fourth.experiment_id, tags={"mlflow.parentRunId": fourth.run_id, "mlflow.runName": "train_qlora"}
    ).info.run_id
    curve = {"loss": 0.41, "eval_loss": 0.52, "eval_f1": 0.79, "learning_rate": 5e-4, "grad_norm": 1.7, "epoch": 1.4}
    system = {"cpu_utilization_percentage": 93.0, "system_memory_usage_megabytes": 2048.0,
              "gpu_0_memory_usage_megabytes": 512.0, "gpu_0_utilization_percentage": 71.0}  # fmt: skip
    for name, value in {**curve, **{f"system/{name}": value for name, value in system.items()}}.items():
        fourth.client.log_metric(nested, name, value)
    return History(uri, two, three, one, fourth.run_id, nested)


def _round(registry, tracking, bundle, *, seed, champion, evasion, training):
    """A battle, a training, a comparison and a verdict, after which the run is closed."""
    _battle(tracking, victim=champion, evasion=evasion[0])
    with tracking.training_run("train_qlora"):
        pass
    tracking.log("train_qlora", training)
    measured = {
        role: {figure.name: typical(figure, better=role == "challenger") for figure in FIGURES if figure.in_headline}
        | {"clean_f1": f1, "evasion": rate, "evasion_seen": rate, "evasion_unseen": rate / 2}
        for role, f1, rate in (("champion", 0.84, evasion[0]), ("challenger", 0.86, evasion[1]))
    }
    flat = {f"{role}.{name}": number for role, values in measured.items() for name, number in values.items()}
    flat |= {f"{role}.evasion_by.{name}": 0.5 for role in measured for name in STRATEGIES}
    tracking.log("evaluate_challenger", flat)
    version = registry.register(make_tiny_bundle(bundle, weights_seed=seed), tracking.run_id).version
    registry.record_metrics(champion, measured["champion"])
    registry.record_metrics(version, measured["challenger"])
    registry.set_alias(Registry.CHALLENGER, version)
    results = gates.judge(measured["champion"], measured["challenger"])
    registry.record_verdict(version, RecordedVerdict(champion=champion, gates=tuple(results)))
    if gates.is_promoted(results):
        registry.promote(version, expected_champion=champion)
    tracking.log("promote_challenger", {"promoted": float(gates.is_promoted(results))})
    tracking.finish("FINISHED")
    return version


def _battle(tracking, *, victim, evasion):
    tracking.log("generate_attacks", {})
    counts = {"success": 14.0, "failed": 70.0, "skipped": 6.0, "toxic_success": 10.0, "toxic_failed": 30.0}
    figures = {"n_attacks": 90.0, "n_queries": 200.0, "evasion_seen": evasion, "evasion_held_out": evasion / 2}
    tracking.log(
        "gather_attacks",
        figures | {f"n_{name}": value for name, value in counts.items()},
        {"victim_version": str(victim)},
    )
    tracking.log("decide_retraining", {"retrain": 1.0}, {"reasons": "test"})
    tracking.log("label_attacks", {"n_labelled": 90.0, "n_review": 7.0, "mean_confidence": 0.93})
