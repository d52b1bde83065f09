"""KFP component of the stage decide_retraining."""

from typing import List, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def decide_retraining(
    corpus: dsl.Input[dsl.Dataset],
    attacks: dsl.Input[dsl.Dataset],
    pipeline_run: str,
    max_evasion: float,
    max_age_days: float,
    tracking_uri: str,
) -> NamedTuple("Outputs", [("retrain", bool), ("reasons", List[str])]):  # type: ignore[valid-type]  # noqa: UP006 - KFP
    """Decides whether a new challenger is worth training; one rule that is met is reason enough.

    Args:
        corpus: Parquet of Sample records.
        attacks: Parquet of Attack records: a fresh battle against the champion.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        max_evasion: Share of caught texts that the battle may get past the champion, in [0, 1].
        max_age_days: Greatest age of the champion, in days.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.

    Returns:
        retrain: Whether to go on.
        reasons: Why.
    """
    from pathlib import Path
    from typing import List, NamedTuple  # noqa: UP035

    from content_arena.components.retraining_policy import decide
    from content_arena.components.retraining_policy.policy import Policy
    from content_arena.components.shared.settings import read

    decision = decide.decide_retraining(
        Path(corpus.path),
        Path(attacks.path),
        policy=read(
            "decide_retraining", Policy, None, max_evasion=float(max_evasion), max_age_days=float(max_age_days)
        ),
        pipeline_run=pipeline_run,
        tracking_uri=tracking_uri or None,
    )
    outputs = NamedTuple("Outputs", [("retrain", bool), ("reasons", List[str])])  # type: ignore[name-match]  # noqa: UP006, UP014
    return outputs(decision.retrain, list(decision.reasons))
