"""Names of metrics: what one stage writes, the exporter reads."""

import pytest

from content_arena.components.shared.mlflow_tracking import metric_names
from content_arena.components.shared.mlflow_tracking.metric_names import EvasionBy


@pytest.mark.parametrize("strategy", ["leet_sub", "own.strategy", "x y"])
@pytest.mark.parametrize("model", ["champion", "challenger"])
def test_evasion_by_strategy_is_read_as_it_was_written(model, strategy):
    by = EvasionBy(model, strategy)
    assert EvasionBy.read(metric_names.of_stage("evaluate_challenger", by.name)) == by


@pytest.mark.parametrize(
    "name",
    ["", "evaluate_challenger.champion.evasion", "evaluate_challenger.previous.evasion_by.x",
     "train_qlora.champion.evasion_by.x", "evaluate_challenger.champion.evasion_by.", "champion.evasion_by.x"],
)  # fmt: skip
def test_another_metric_is_none(name):
    assert EvasionBy.read(name) is None


def test_seconds_are_read_as_they_were_written():
    assert metric_names.stage_timed_by(metric_names.seconds_of("train_qlora")) == "train_qlora"
    assert metric_names.stage_timed_by("train_qlora.seconds") is None
