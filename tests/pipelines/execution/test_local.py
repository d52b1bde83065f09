"""The local runner on pipelines made for the test."""

import os
import tempfile

import pytest
from kfp import dsl
from rich.console import Console

from content_arena.components.shared.stage import StageLine
from content_arena.pipelines.cli import progress
from content_arena.pipelines.execution import local as runner
from content_arena.pipelines.execution.home import ArenaHome

IMAGE = "python:3.11-slim"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def speaks(words: str, times: int = 2) -> str:
    for i in range(times):
        print(f"[speaks] {i + 1}/{times} words")
    print("noise of a library")
    return words


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refuses() -> str:
    from content_arena.components.shared.errors import InputError
    from content_arena.components.shared.stage import stage

    @stage("refuses")
    def run():
        raise InputError("no such thing")

    run()
    return ""


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def breaks() -> str:
    print("[breaks] working")
    raise RuntimeError("a bug")


@pytest.fixture
def home(tmp_path):
    return ArenaHome(tmp_path / "home")


def one_task(component):
    @dsl.pipeline(name="one")
    def pipeline() -> str:
        return component().output

    return pipeline


def test_outputs_lines_and_log(home):
    @dsl.pipeline(name="talk")
    def pipeline(words: str, times: int = 3) -> str:
        return speaks(words=words, times=times).output

    lines = []
    finished = runner.run(pipeline, {"words": "hello"}, home, lines.append)
    assert finished.parameter("speaks", "Output") == "hello"
    assert [(line.stage, line.done, line.total) for line in lines] == [("speaks", i, 3) for i in (1, 2, 3)]
    assert "noise of a library" in finished.log.read_text()


def test_a_task_that_left_nothing_is_no_success(home):
    finished = runner.run(one_task(speaks_once), {}, home, lambda line: None)
    with pytest.raises(runner.StageCrashedError, match=r"speaks_once ended without its verdict.*log\.txt"):
        finished.parameter("speaks_once", "verdict")
    next(finished.artifacts.rglob("executor_output.json")).unlink()
    with pytest.raises(runner.StageCrashedError, match="ended without its Output"):
        finished.parameter("speaks_once", "Output")


def test_the_first_stage_to_say_why_is_the_cause(home):
    @dsl.component(base_image=IMAGE, install_kfp_package=False)
    def fails_later() -> str:
        print("[fails_later] error: a consequence")
        raise SystemExit(2)

    @dsl.pipeline(name="two")
    def pipeline():
        with dsl.ExitHandler(fails_later()):
            refuses()

    with pytest.raises(runner.StageRefusedError, match=r"^no such thing$"):
        runner.run(pipeline, {}, home, lambda line: None)


def test_a_refusal_carries_the_stages_own_words(home):
    with pytest.raises(runner.StageRefusedError, match=r"^no such thing$"):
        runner.run(one_task(refuses), {}, home, lambda line: None)


def test_a_refusal_carries_what_was_run_until_then(home):
    @dsl.pipeline(name="two")
    def pipeline() -> None:
        refuses().after(speaks(words="hello", times=1))

    with pytest.raises(runner.StageRefusedError) as caught:
        runner.run(pipeline, {}, home, lambda line: None)
    assert caught.value.run.parameter_if_any("speaks", "Output") == "hello"
    assert caught.value.run.parameter_if_any("never_started", "Output") is None


def test_a_crash_names_stage_and_log(home):
    with pytest.raises(
        runner.StageCrashedError, match=r"stage breaks failed \(RuntimeError: a bug\); the whole log is in .*log\.txt"
    ):
        runner.run(one_task(breaks), {}, home, lambda line: None)


def test_old_runs_are_forgotten(home):
    for _ in range(5):
        folder = home.runs / f"1999-{_}"
        folder.mkdir(parents=True)
    runner.run(one_task(speaks_once), {}, home, lambda line: None)
    kept = sorted(path.name for path in home.runs.iterdir())
    assert len(kept) == 3
    assert "1999-0" not in kept


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def speaks_once() -> str:
    return "once"


def test_the_display_off_a_terminal_is_lines():
    console = Console(file=__import__("io").StringIO(), width=200)
    with progress.RunDisplay(console) as display:
        display.watch(StageLine("prepare_corpus", "reading"))
        display.watch(StageLine("train_qlora", "steps", 1, 10))
        display.watch(StageLine("train_qlora", "it broke", is_error=True))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "prepare_corpus: reading"
    assert lines[1].startswith("prepare_corpus: 0 s")
    assert lines[-1].startswith("train_qlora: failed")


def test_the_display_shows_every_note_in_full():
    """A manifest to commit has many lines within a moment, and none may be missing."""
    console = Console(file=__import__("io").StringIO(), width=20)
    with progress.RunDisplay(console) as display:
        display.watch(StageLine("promote_challenger", "registered version 1"))
        for number in range(5):
            display.watch(StageLine("promote_challenger", f"  [b]line[/b]: {number} {'x' * 20}", is_note=True))
    lines = console.file.getvalue().splitlines()
    assert lines[1:6] == [f"  [b]line[/b]: {number} {'x' * 20}" for number in range(5)]


def test_the_display_on_a_terminal_draws_every_stage():
    console = Console(file=__import__("io").StringIO(), width=120, force_terminal=True)
    with progress.RunDisplay(console) as display:
        display.watch(StageLine("prepare_corpus", "reading"))
        display.watch(StageLine("train_qlora", "steps", 1, 10))
    drawn = console.file.getvalue()
    assert "prepare_corpus" in drawn
    assert "train_qlora" in drawn


@pytest.mark.parametrize("terminal", [True, False])
def test_a_note_stays_on_the_terminal_and_without_one(terminal):
    console = Console(file=__import__("io").StringIO(), width=60, force_terminal=terminal)
    with progress.RunDisplay(console) as display:
        display.watch(StageLine("prepare_corpus", "reading"))
        display.watch(StageLine("prepare_corpus", "kept 624 of 1,870 rows; dropped: " + "more " * 20, is_note=True))
        display.watch(StageLine("prepare_corpus", "train 400"))
    drawn = console.file.getvalue()
    assert drawn.count("kept 624 of 1,870 rows") == 1
    assert drawn.count("more") == 20


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def notes_something() -> str:
    print("[notes_something] note: one row was dropped")
    print("[notes_something] note: one row was dropped")
    print("[another_stage] note: a line to commit")
    print("[notes_something] and on it goes")
    return "done"


def test_notes_of_a_run_are_kept(home):
    lines = []
    finished = runner.run(one_task(notes_something), {}, home, lines.append)
    assert finished.notes("notes_something") == ["one row was dropped"]
    assert [line.is_note for line in lines] == [True, True, True, False]


def test_a_run_leaves_nothing_in_the_temporary_folder(home, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # Python asks once and remembers; the shell that starts a task asks every time.
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    runner.run(one_task(speaks_once), {}, home, lambda line: None)
    with pytest.raises(runner.StageCrashedError):
        runner.run(one_task(breaks), {}, home, lambda line: None)
    assert list(temporary.iterdir()) == []
    assert os.environ["TMPDIR"] == str(temporary)
