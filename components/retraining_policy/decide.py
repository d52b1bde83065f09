"""The stage decide_retraining: applies the policy to the battle, the champion and the corpus."""

from __future__ import annotations

import time
from pathlib import Path

from content_arena.components.attack_generation.outcomes import evasion
from content_arena.components.registry.registry import Registry
from content_arena.components.retraining_policy.policy import Decision, Observation, Policy, decide
from content_arena.components.shared import records
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.stage import log, stage

STAGE = "decide_retraining"
_SECONDS_A_DAY = 86_400


@stage(STAGE)
def decide_retraining(
    corpus_path: Path,
    attacks_path: Path,
    *,
    policy: Policy,
    pipeline_run: str,
    tracking_uri: str | None = None,
) -> Decision:
    """Decides whether to train a new challenger.

    Args:
        corpus_path: Parquet of Sample.
        attacks_path: Parquet of Attack: a fresh battle against the champion.
        policy: The rules.
        pipeline_run: Id of the pipeline run.
        tracking_uri: MLflow server; the environment's if None.
    """
    attacks = records.read(records.Attack, attacks_path)
    corpus = records.read(records.Sample, corpus_path)
    champion = Registry(tracking_uri).aliases().get(Registry.CHAMPION)
    promoted_at = champion.promoted_at if champion else None
    trained_on = champion.corpus_sha256 if champion else None
    decision = decide(
        Observation(
            evasion=evasion(attacks[attacks["split"] == "validation"]),
            champion_age_days=None if promoted_at is None else (time.time() - promoted_at) / _SECONDS_A_DAY,
            corpus_changed=records.corpus_digest(corpus) != trained_on if trained_on else None,
        ),
        policy,
    )
    tracking = Tracking(tracking_uri, pipeline_run)
    tracking.log(STAGE, {"retrain": float(decision.retrain)})
    log(STAGE, f"training: {'; '.join(decision.reasons)}" if decision.retrain else "no reason to train")
    return decision
