"""Names of what the stages log into MLflow: written by one stage, read back by the exporter.

Light on purpose: the exporter imports it before its port is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Tag by which the MLflow run of a pipeline run is found.
PIPELINE_RUN_TAG = "content_arena.pipeline_run"

_SECONDS = "seconds."
_EVALUATION = "evaluate_challenger"
_EVASION_BY = "evasion_by"
Role = Literal["champion", "challenger"]


def of_stage(stage: str, name: str) -> str:
    """The metric or parameter that a stage logs under a name."""
    return f"{stage}.{name}"


def seconds_of(stage: str) -> str:
    """The metric that holds how long a stage took."""
    return _SECONDS + stage


def stage_timed_by(metric: str) -> str | None:
    """The stage whose seconds a metric holds; None if it holds something else."""
    return metric.removeprefix(_SECONDS) if metric.startswith(_SECONDS) else None


@dataclass(frozen=True)
class EvasionBy:
    """The evasion rate of one strategy in an evaluation.

    Attributes:
        model: Which part the model had in the evaluation.
        strategy: Name of the strategy.
    """

    model: Role
    strategy: str

    @property
    def name(self) -> str:
        """What the evaluation logs it as, without its stage."""
        return f"{self.model}.{_EVASION_BY}.{self.strategy}"

    @classmethod
    def read(cls, metric: str) -> EvasionBy | None:
        """What a metric of MLflow stands for; None if it is another metric."""
        match metric.split(".", 3):
            case [stage, ("champion" | "challenger") as model, kind, strategy] if (
                stage == _EVALUATION and kind == _EVASION_BY and strategy
            ):
                return cls(model, strategy)
        return None
