"""``--guard`` and ``--require-guard``, and what a run prints about guard set and floors."""

import io
import json
from dataclasses import asdict

import pytest
from rich.console import Console
from typer.testing import CliRunner

from content_arena.components.corpus_preparation import ingest
from content_arena.components.registry import gates
from content_arena.components.registry.floors import ADVICE, judge_floors
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.verdict import PromotionVerdict, RecordedVerdict
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.evaluations.text_sets import GuardSet
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.pipelines.cli import local_runs, tables
from content_arena.pipelines.cli import run as commands
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution.home import ArenaHome
from content_arena.pipelines.execution.local import LocalRun
from content_arena.pipelines.execution.stage_log import StageRefusedError
from tests.evaluations import parsed

GUARD = GuardSet(name="elsewhere.csv", n_texts=1200, n_toxic=60, sha256="cd" * 32)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Arguments of the pipelines that a command starts; nothing runs."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(ingest, "CORPUS_FOLDER", tmp_path / "corpus")
    found = []

    def follow(pipeline, arguments, home, engine):
        found.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(local_runs, "follow", follow)
    return found


def arena(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_guard_file_reaches_the_pipeline_from_wherever_the_stage_runs(started, tmp_path, monkeypatch):
    (tmp_path / "elsewhere.csv").write_text("text,label\n")
    monkeypatch.chdir(tmp_path)
    arena("run", "--guard", "elsewhere.csv", "--require-guard")
    assert started[0]["guard"] == str(tmp_path / "elsewhere.csv")
    assert started[0]["require_guard"] is True


def test_the_embedded_guard_set_is_the_default_and_none_is_required(started):
    arena("run")
    assert (started[0]["guard"], started[0]["require_guard"]) == ("embedded", False)


def test_a_settings_file_names_it_too(started, tmp_path):
    (tmp_path / "elsewhere.csv").write_text("text,label\n")
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[promotion]\nguard = "{tmp_path / "elsewhere.csv"}"\nrequire_guard = true\n[floors]\nclean_f1 = 0.6\n'
    )
    arena("run", "--settings", settings)
    assert (started[0]["guard"], started[0]["require_guard"]) == (str(tmp_path / "elsewhere.csv"), True)
    assert started[0]["settings"] == {"floors": {"clean_f1": 0.6}}


def test_a_guard_file_that_is_not_there_is_said_before_anything_runs(started, tmp_path):
    result = arena("run", "--guard", tmp_path / "none.csv")
    assert result.exit_code == 2
    assert "none.csv" in result.stderr
    assert not started


def test_a_required_guard_set_that_the_language_does_not_have_is_said_before_anything_runs(started, tmp_path):
    result = arena("run", "--require-guard")
    assert result.exit_code == 2
    assert "there is no embedded guard set in 'en'; name a file with --guard" in result.stderr
    assert not started
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "en.guard.jsonl").write_text("{}\n")
    arena("run", "--require-guard")
    assert started[0]["require_guard"] is True


def test_a_battle_has_no_guard_set(started):
    assert "--guard" not in arena("battle", "--help").stdout
    assert "--require-guard" in arena("run", "--help").stdout


def test_the_answer_to_a_refused_first_version_has_the_keys_of_a_refused_challenger(monkeypatch, tmp_path, make_bundle):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    home = ArenaHome.from_environment()
    home.runs.mkdir(parents=True)
    registry = Registry(home.tracking_uri)
    judged = {"clean_f1": 0.86, "clean_auroc": 0.51}
    version = registry.register(make_bundle("first"), Tracking(home.tracking_uri, "run").run_id, generation=0).version
    registry.record_metrics(version, judged)
    verdict = PromotionVerdict(
        passed=False, promoted=False, champion_version=None, challenger_version=str(version), generation=0,
        reasons=("clean_auroc 0.5100 is below the floor 0.8",), gates=(), margins={}, floors=judge_floors(judged),
        seconds={"bootstrap_champion": 70.0},
    )  # fmt: skip
    stage = tmp_path / "artifacts" / "run" / "bootstrap-champion"
    stage.mkdir(parents=True)
    (stage / "report").write_text("<html>")
    outputs = {"parameterValues": {"champion_version": "", "verdict": verdict.as_json()},
               "artifacts": {"report": {"artifacts": [{"uri": str(stage / "report")}]}}}  # fmt: skip
    (stage / "executor_output.json").write_text(json.dumps(outputs))
    counts = {"read": 9.0, "dropped_empty": 2.0, "dropped_too_long": 0.0, "toxic": 3.0, "benign": 4.0}
    prepared = {"artifacts": {"corpus": {"artifacts": [{"uri": "corpus", "metadata": counts}]}}}
    (tmp_path / "artifacts" / "run" / "prepare-corpus").mkdir()
    (tmp_path / "artifacts" / "run" / "prepare-corpus" / "executor_output.json").write_text(json.dumps(prepared))
    (tmp_path / "log.txt").write_text("[prepare_corpus] note: kept 7 of 9 rows; dropped: empty 2\n")

    def follow(*_):
        raise StageRefusedError("no champion", LocalRun("a-run", tmp_path / "log.txt", tmp_path / "artifacts"))

    monkeypatch.setattr(local_runs, "follow", follow)
    result = arena("run", "--generations", "2", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["promoted"], found["champion_version"], found["generation"]) == (False, None, 0)
    assert found["metrics"] == {"champion": None, "challenger": judged}
    assert (found["attack_set_sha256"], found["guard"], len(found["generations"])) == (None, None, 1)
    assert found["seconds"]["bootstrap_champion"] == 70.0
    assert found["corpus"] == {
        "rows_read": 9,
        "rows_dropped": {"empty": 2},
        "labels": {"toxic": 3, "benign": 4},
        "warnings": ["kept 7 of 9 rows; dropped: empty 2"],
    }
    assert (home.reports / "a-run.html").read_text() == "<html>"
    assert set(answer()) < set(found)


def test_a_failure_for_another_reason_stays_one(monkeypatch, tmp_path):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))

    def follow(*_):
        raise StageRefusedError("no such thing")

    monkeypatch.setattr(local_runs, "follow", follow)
    result = arena("run")
    assert result.exit_code == 2
    assert "no such thing" in result.stderr


def printed(write):
    out = io.StringIO()
    write(Console(file=out, width=300, markup=False, emoji=False))
    return out.getvalue()


def answer(**changes):
    read = parsed(guard=None)
    results = gates.judge(read.champion.figures, read.challenger.figures, guard=gates.GuardUse(there=False))
    verdict = PromotionVerdict(
        passed=False, promoted=False, champion_version="1", challenger_version="2", generation=1, reasons=("why not",),
        gates=tuple(results), margins={}, floors=judge_floors(read.challenger.figures),
    )  # fmt: skip
    figures = {role: model.headline() for role, model in read.models.items()}
    held_out = {"held_out_strategies": ["space_join"], "held_out_reason": "chosen by seed 0", "undone_strategies": []}
    return commands._answer(verdict) | {"metrics": figures, "report": "r.html"} | held_out | changes


def test_a_run_prints_the_gate_that_was_not_judged():
    text = printed(lambda out: tables.print_run(out, answer()))
    assert "why not" in text
    assert "guard_auroc is not judged: there is no guard set; name one with --guard" in text


def test_a_refused_first_version_is_printed_with_its_floor_and_what_to_do():
    refused = answer(
        champion_version=None, challenger_version="1", metrics={"champion": None, "challenger": {"clean_auroc": 0.51}},
        reasons=["clean_auroc 0.5100 is below the floor 0.8"],
    )  # fmt: skip
    text = printed(lambda out: tables.print_run(out, refused))
    assert "Version 1 is refused, so there is no champion:" in text
    assert "clean_auroc 0.5100 is below the floor 0.8" in text
    assert "51.0%" in text
    assert ADVICE in text


def test_status_shows_verdict_and_guard_set():
    version = RegisteredVersion(2, "ab" * 32, 1)
    verdicts = {
        "champion": RecordedVerdict(champion=None, floors=judge_floors({"clean_f1": 0.9, "clean_auroc": 0.9})),
        "challenger": RecordedVerdict(champion=1, floors=judge_floors({"clean_f1": 0.9}), guard=GUARD),
        "previous": None,
    }
    text = printed(lambda out: out.print(tables.status_table(dict.fromkeys(verdicts, version), verdicts)))
    (verdict,) = (line for line in text.splitlines() if "verdict" in line)
    (guard,) = (line for line in text.splitlines() if "guard set" in line)
    assert [cell.strip() for cell in verdict.split("│")[2:5]] == ["passed floors", "failed clean_auroc", "never judged"]
    assert [cell.strip() for cell in guard.split("│")[2:5]] == ["none", "elsewhere.csv, 1,200 texts", ""]
    assert tables.version_json(version, verdicts["challenger"])["verdict"]["guard"] == asdict(GUARD)
