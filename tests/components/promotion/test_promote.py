"""The stage promote_challenger on a real registry."""

import json
from dataclasses import asdict

import pytest

from content_arena.components.promotion.promote import Rules, promote_challenger
from content_arena.components.registry.gates import DEFAULT_GATES
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
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
    verdict = promote(evaluation(challenger={"clean_f1": 0.8}))
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
    verdict = promote(evaluation(challenger={"clean_f1": 0.8}), move_champion=False)
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
    verdict = promote(evaluation(challenger={"clean_f1": 0.88}), rules=Rules(gates={"clean_f1": 0.05}))
    assert verdict.promoted
    margins = {gate.metric: gate.margin for gate in DEFAULT_GATES} | {"clean_f1": 0.05}
    assert verdict.margins == registry.verdict(2).margins == margins
    assert "set for this run; default: at least champion - 0.01" in report.read_text()


def test_a_gate_that_cannot_be_used_registers_nothing(world, capsys):
    registry, promote, _ = world
    with pytest.raises(SystemExit):
        promote(evaluation(), rules=Rules(gates={"clean_f2": 0.05}))
    assert "no figure is called 'clean_f2'" in capsys.readouterr().out
    assert set(registry.aliases()) == {"champion"}


def test_a_challenger_below_a_floor_is_refused_though_it_beats_the_champion(world):
    registry, promote, report = world
    verdict = promote(evaluation({"clean_auroc": 0.5}, {"clean_auroc": 0.6}))
    assert not verdict.promoted
    assert verdict.reasons == ("clean_auroc 0.6000 is below the floor 0.8",)
    assert registry.version_of("champion") == 1
    assert registry.verdict(2).failures == list(verdict.reasons)
    assert "What to do" in report.read_text()


def test_floors_of_a_run_decide_and_are_recorded_with_the_verdict(world):
    registry, promote, _ = world
    document = evaluation({"clean_auroc": 0.5}, {"clean_auroc": 0.6})
    verdict = promote(document, rules=Rules(floors={"clean_auroc": 0.55}))
    assert verdict.promoted
    assert {floor.metric: floor.least for floor in registry.verdict(2).floors} == {"clean_f1": 0.7, "clean_auroc": 0.55}
    assert verdict.floors == registry.verdict(2).floors


def test_a_floor_that_cannot_be_used_registers_nothing(world, capsys):
    registry, promote, _ = world
    with pytest.raises(SystemExit):
        promote(evaluation(), rules=Rules(floors={"evasion": 0.5}))
    assert "'evasion' can have no floor" in capsys.readouterr().out
    assert set(registry.aliases()) == {"champion"}


def test_the_guard_set_is_recorded_with_the_verdict(world):
    registry, promote, _ = world
    guard = {"name": "elsewhere.csv", "n_texts": 120, "n_toxic": 60, "sha256": "cd" * 32}
    verdict = promote(evaluation(guard=guard))
    assert asdict(verdict.guard) == asdict(registry.verdict(2).guard) == guard
    assert registry.get(2).metrics["guard_auroc"] == pytest.approx(0.9)


def test_a_challenger_that_is_worse_on_the_guard_set_is_refused(world):
    registry, promote, _ = world
    verdict = promote(evaluation({"guard_auroc": 0.826}, {"guard_auroc": 0.772}))
    assert [reason.split()[0] for reason in verdict.reasons] == ["guard_auroc"]
    assert registry.version_of("champion") == 1


@pytest.mark.parametrize("required", [False, True])
def test_without_a_guard_set_it_is_promoted_unless_one_is_required(world, required):
    registry, promote, _ = world
    nothing = {"guard_auroc": None}
    verdict = promote(evaluation(nothing, nothing, guard=None), rules=Rules(require_guard=required))
    assert verdict.promoted is not required
    assert registry.verdict(2).not_judged == ([] if required else ["guard_auroc"])
    assert any("there is no guard set" in reason for reason in verdict.reasons)
    assert registry.version_of("champion") == (1 if required else 2)
