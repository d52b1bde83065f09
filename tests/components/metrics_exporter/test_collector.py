"""Pure: snapshots in, samples out."""

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from content_arena.components.metrics_exporter.collector import ArenaCollector, families
from content_arena.components.metrics_exporter.refresh import Reading
from content_arena.components.metrics_exporter.snapshot import PipelineRun, Snapshot, Training
from content_arena.components.registry import gates
from content_arena.components.registry.version import RegisteredVersion


def samples(snapshot):
    """Values by name without prefix and label values in the order of label names."""
    found = {}
    for family in families(snapshot):
        for sample in family.samples:
            key = (sample.name.removeprefix("content_arena_"), *(value for _, value in sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def run(status="finished", started=0.0, params=None, **metrics):
    named = {name.replace("__", "."): value for name, value in metrics.items()}
    return PipelineRun(f"id-{started}", status, started, named, params or {})


def version(number, tags=None, **metrics):
    return RegisteredVersion(number, "ab" * 32, number - 1, metrics, tags or {})


def test_an_empty_arena_has_counts_and_no_figures():
    found = samples(Snapshot())
    assert found["battles_total", "finished"] == found["registered_versions",] == 0
    assert found["pipeline_runs", "killed"] == 0
    rates = ("detection_rate", "evasion_rate", "model_f1_score", "rounds_total", "attacks_total", "gate_passed")
    assert not [key for key in found if key[0] in rates or key[0].startswith(("training_", "trained_", "last_"))]


def test_a_battle_is_finished_when_its_figures_are_there_whatever_came_after():
    found = samples(
        Snapshot(
            runs=(
                run("running", 4),
                run("running", 3, gather_attacks__n_attacks=5),
                run("failed", 2, gather_attacks__n_attacks=5),
                run("failed", 1),
                run("killed", 0),
                # Decided that there was no need.
                run("finished", -1),
            )
        )
    )
    assert (found["battles_total", "finished"], found["battles_total", "failed"]) == (2, 2)
    assert found["last_battle_timestamp_seconds",] == 3
    assert [found["pipeline_runs", status] for status in ("running", "failed", "killed", "finished")] == [2, 2, 1, 1]


def test_attacks_and_rounds_add_up_over_runs():
    counts = {
        "gather_attacks__n_toxic_success": 2.0,
        "gather_attacks__n_toxic_failed": 6.0,
        "gather_attacks__n_failed": 9.0,
    }
    found = samples(Snapshot(runs=(run(started=2, **counts), run(started=1, **counts), run(started=0))))
    assert (found["rounds_total", "false"], found["rounds_total", "true"]) == (4, 12)
    assert found["attacks_total", "failed"] == 18
    assert ("attacks_total", "success") not in found


def test_detection_is_one_less_evasion_by_alias_strategies_and_source():
    battle = {"gather_attacks__evasion_seen": 0.4, "gather_attacks__evasion_held_out": 0.5}
    found = samples(
        Snapshot(
            runs=(
                run(started=3, params={"gather_attacks.victim_version": "http://user:word@host/"}, **battle),
                run(started=2, params={"gather_attacks.victim_version": "2"}, **battle),
                run(started=1, params={"gather_attacks.victim_version": "2"}, gather_attacks__evasion_seen=0.9),
            ),
            aliases={"champion": version(2, evasion_seen=0.1, clean_f1=0.8), "previous": version(1, evasion_seen=0.3)},
        )
    )
    assert found["evasion_rate", "champion", "2", "evaluation", "seen"] == 0.1
    assert found["evasion_rate", "previous", "1", "evaluation", "seen"] == 0.3
    assert found["evasion_rate", "champion", "2", "battle", "unseen"] == 0.5
    assert found["detection_rate", "champion", "2", "battle", "seen"] == pytest.approx(0.6)
    assert not [key for key in found if "word" in str(key)]
    assert not [key for key in found if key[0] == "evasion_rate" and key[1:4] == ("previous", "1", "battle")]


def test_f1_is_of_the_test_split_as_soon_as_there_is_one():
    aliases = {"champion": version(2, clean_f1=0.8, validation_f1=0.9), "previous": version(1, validation_f1=0.7)}
    found = samples(Snapshot(aliases=aliases))
    assert {key: value for key, value in found.items() if key[0] == "model_f1_score"} == {
        ("model_f1_score", "champion", "2", "test"): 0.8,
        ("model_f1_score", "previous", "1", "validation"): 0.7,
    }


def test_gates_of_the_last_verdict_with_what_could_not_be_measured_left_out():
    verdict = gates.judge({"clean_f1": 0.8, "evasion": 0.2}, {"clean_f1": 0.7, "evasion": 0.1})
    found = samples(Snapshot(verdict=tuple(verdict)))
    assert [found["gate_passed", name] for name in ("clean_f1", "evasion", "perturbed_benign_fpr")] == [0, 1, 0]
    assert found["gate_figure", "evasion", "challenger"] == 0.1
    assert ("gate_limit", "perturbed_benign_fpr") not in found


@pytest.mark.parametrize("promoted_at", [None, "yesterday", "nan"])
def test_a_time_that_is_none_is_left_out(promoted_at):
    tags = {} if promoted_at is None else {"promoted_at": promoted_at}
    found = samples(Snapshot(aliases={"champion": version(1, tags)}, registered={1: 5.0}))
    assert ("model_promoted_timestamp_seconds", "champion", "1") not in found
    assert found["last_registered_timestamp_seconds",] == 5.0


def test_what_a_machine_used_is_not_shown_when_it_trains_no_more():
    metrics = {"loss": 0.5, "system/gpu_1_memory_usage_megabytes": 10.0, "system/cpu_utilization_percentage": 50.0}
    now = samples(Snapshot(training=Training("train_qlora", True, metrics)))
    assert now["gpu_memory_used_bytes", "1"] == 1e7
    assert now["training_cpu_utilisation_ratio",] == 0.5
    later = samples(Snapshot(training=Training("train_qlora", False, metrics)))
    assert later["training_loss", "train_qlora"] == 0.5
    assert later["training_running", "train_qlora"] == 0
    assert not [key for key in later if key[0].startswith("gpu") or "cpu" in key[0]]


def test_nothing_logged_by_a_stranger_becomes_a_label():
    odd = {f"seconds.{name}": 1.0 for name in ("a" * 41, 'x"}', "Ａ", "", "ok_stage")}
    odd |= {f"evaluate_challenger.champion.evasion_by.{name}": 0.5 for name in ("x y", "ok_strategy")}
    found = samples(
        Snapshot(runs=(PipelineRun("id", "finished", 0.0, odd),), training=Training("evil", True, {"loss": 1.0}))
    )
    assert [key for key in found if key[0] in ("stage_duration_seconds", "strategy_evasion_rate", "training_loss")] == [
        ("stage_duration_seconds", "ok_stage"),
        ("strategy_evasion_rate", "champion", "ok_strategy"),
    ]


def test_no_number_is_no_sample():
    found = samples(Snapshot(aliases={"champion": version(1, clean_f1=math.nan, evasion_seen=math.inf)}))
    assert not [key for key in found if key[0] in ("model_f1_score", "evasion_rate", "detection_rate")]


def test_without_a_snapshot_only_the_exporter_speaks_of_itself():
    def text(reading):
        registry = CollectorRegistry()
        registry.register(ArenaCollector(lambda: reading))
        return generate_latest(registry).decode()

    away = {f.name: f.samples for f in text_string_to_metric_families(text(Reading(None, 12.0, 0.5)))}
    assert {name: [s.value for s in found] for name, found in away.items()} == {
        "content_arena_exporter_up": [0],
        "content_arena_exporter_last_read_timestamp_seconds": [12],
        "content_arena_exporter_read_duration_seconds": [0.5],
    }
    assert "content_arena_exporter_up 1.0" in text(Reading(Snapshot(), 12.0, 0.5))
