"""Log lines of stages: they can be parsed, and an error is one line and exit code 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.shared import stage as stages
from content_arena.components.shared.errors import InputError


@given(st.text(alphabet=st.characters(blacklist_categories=("C", "Z"), blacklist_characters="\x85")))
def test_a_message_comes_back(message):
    line = stages.parse(f"    [train_qlora] x{message}")
    assert line is not None
    assert (line.stage, line.message, line.total) == ("train_qlora", f"x{message}", None)


@given(st.text())
def test_any_other_line_is_no_stage_line_or_parses(line):
    found = stages.parse(line)
    assert found is None or found.stage


def test_a_count_is_read():
    line = stages.parse("[label_attacks] 40/120 steps, loss 0.4")
    assert (line.done, line.total, line.message) == (40, 120, "steps, loss 0.4")


def test_a_note_keeps_its_indentation(capsys):
    stages.note("promote_challenger", "  name: content-filter")
    line = stages.parse(capsys.readouterr().out)
    assert (line.message, line.is_note, line.is_error) == ("  name: content-filter", True, False)


def test_progress_reports_first_and_last(capsys):
    progress = stages.Progress("label_attacks", 100, "texts", interval=1000)
    for _ in range(100):
        progress.advance()
    lines = [stages.parse(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line.done, line.total) for line in lines] == [(1, 100), (100, 100)]


def test_a_refusal_is_one_line_and_exit_code_two(capsys):
    @stages.stage("prepare_corpus")
    def refuse():
        raise InputError("no column\nof that name")

    with pytest.raises(SystemExit) as caught:
        refuse()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    parsed = stages.parse(line)
    assert parsed.is_error
    assert parsed.message == "no column of that name"


def test_other_errors_are_not_hidden():
    @stages.stage("prepare_corpus")
    def break_down():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        break_down()


def test_what_is_done_at_once_shows_no_progress(capsys):
    quick, slow = (stages.Progress("prepare_corpus", 100, "rows", silent=seconds) for seconds in (1000, 1e-9))
    for done in (10, 100):
        quick.at(done)
    assert capsys.readouterr().out == ""
    for done in (10, 100):
        slow.at(done, "masked")
    assert capsys.readouterr().out.splitlines()[-1] == "[prepare_corpus] 100/100 rows, masked"
