"""The log of a rollout reaches the function of the entry point, once, and only while it is attached."""

import logging

import pytest

from content_arena.components.canary_rollout.log import LOG, lines_to


def test_lines_are_written_unchanged_and_only_inside_the_context():
    lines = []
    with lines_to(lines.append):
        LOG.info("baking at 25 %: all good")
        LOG.warning("the API server does not answer: %s", "503")
        LOG.debug("not for people")
    LOG.info("afterwards")
    assert lines == ["baking at 25 %: all good", "the API server does not answer: 503"]


def test_lines_are_not_propagated_to_other_loggers(caplog):
    caplog.set_level(logging.INFO)
    with lines_to(lambda line: None):
        LOG.info("once")
    assert caplog.messages == []


def test_a_closed_pipe_ends_the_process():
    def closed(line):
        raise BrokenPipeError

    with lines_to(closed), pytest.raises(BrokenPipeError):
        LOG.info("to a reader that is gone")
