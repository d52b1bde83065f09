"""The stage promote_challenger on a real registry."""

import json

import pytest

from content_arena.components.promotion.promote import promote_challenger
from content_arena.components.registry.gates import DEFAULT_GATES
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.tracking import Tracking
from tests.evaluations import evaluation


@pytest.fixture
def world(tmp_path, make_bundle):
    """A registry with a champion, a challenger's bundle, and a way to run the stage on an evaluation."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    registry = Registry(uri)
    registry.promote(registry.register(make_bundle("old"), Tracking(uri, "old").run_id).version, None)
    challenger = make_bundle("new", weights_seed=1, metrics={"validation_f1": 0.976})

    def promote(figures, champion="1", **options):
        (tmp_path / "evaluation.json").write_text(figures if isinstance(figures, str) else json.dumps(figures))
        return promote_challenger(
            challenger.path,
            tmp_path / "evaluation.json",
            tmp_path / "report.html",
            champion_version=champion,
            pipeline_run="run",
            tracking_uri=uri,
            **options,
        )

    return registry, promote, tmp_path / "report.html"


def test_a_better_challenger_becomes_champion(world):
    registry, promote, report = world
    verdict = promote(evaluation())
    assert verdict.promoted
    assert registry.version_of("champion") == 2
    assert registry.get(2).metrics["evasion_seen"] == pytest.approx(0.1)
    assert registry.get(1).metrics["evasion_seen"] == pytest.approx(0.3)
    # What the gate judged, beside what it is made of.
    (evasion,) = (gate for gate in verdict.gates if gate.gate == "evasion")
    assert registry.get(2).metrics["evasion"] == pytest.approx(evasion.challenger)
    assert "<html" in report.read_text()


def test_what_the_training_measured_is_kept_with_the_version(world):
    registry, promote, _ = world
    promote(evaluation())
    assert registry.get(2).metrics["validation_f1"] == pytest.approx(0.976)
    assert "validation_f1" not in registry.get(1).metrics


def test_a_refused_challenger_is_registered_with_the_reason(world):
    registry, promote, report = world
    verdict = promote(evaluation(challenger={"clean_f1": 0.1}))
    assert not verdict.promoted
    assert [reason.split()[0] for reason in verdict.reasons] == ["clean_f1"]
    assert registry.version_of("champion") == 1
    assert registry.version_of("challenger") == 2
    assert verdict.reasons[0] in report.read_text()


def test_where_a_rollout_decides_passing_the_gates_makes_no_champion(world):
    registry, promote, report = world
    verdict = promote(evaluation(), move_champion=False)
    assert (verdict.passed, verdict.promoted) == (True, None)
    assert (registry.version_of("champion"), registry.version_of("challenger")) == (1, 2)
    assert "Not decided yet" in report.read_text()
    verdict = promote(evaluation(challenger={"clean_f1": 0.1}), move_champion=False)
    assert (verdict.passed, verdict.promoted) == (False, False)


def test_an_unmeasured_figure_does_not_promote(world):
    registry, promote, _ = world
    empty = {"rate": None, "n": 0, "low": None, "high": None}
    assert not promote(evaluation(challenger={"evasion": empty})).promoted
    assert registry.version_of("champion") == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"champion": {}}'])
def test_a_broken_evaluation_changes_nothing(world, text, capsys):
    registry, promote, _ = world
    with pytest.raises(SystemExit):
        promote(text)
    assert "evaluation" in capsys.readouterr().out
    assert set(registry.aliases()) == {"champion"}


def test_a_champion_that_moved_meanwhile_stays(world):
    registry, promote, _ = world
    with pytest.raises(SystemExit):
        promote(evaluation(), champion="9")
    assert registry.version_of("champion") == 1


def test_margins_of_a_run_decide_and_are_recorded_with_the_verdict(world):
    registry, promote, report = world
    assert not promote(evaluation(challenger={"clean_f1": 0.88})).promoted
    verdict = promote(evaluation(challenger={"clean_f1": 0.88}), gates={"clean_f1": 0.05})
    assert verdict.promoted
    margins = {gate.metric: gate.margin for gate in DEFAULT_GATES} | {"clean_f1": 0.05}
    assert verdict.margins == registry.verdict(2).margins == margins
    assert "set for this run; default: at least champion - 0.005" in report.read_text()


def test_a_gate_that_cannot_be_used_registers_nothing(world, capsys):
    registry, promote, _ = world
    with pytest.raises(SystemExit):
        promote(evaluation(), gates={"clean_f2": 0.05})
    assert "no figure is called 'clean_f2'" in capsys.readouterr().out
    assert set(registry.aliases()) == {"champion"}
