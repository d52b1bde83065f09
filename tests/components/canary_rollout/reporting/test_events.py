"""The note of an Event is cut to the length that the API server accepts."""

import pytest

from content_arena.components.canary_rollout.reporting.events import Events


class Sink(list):
    """Keeps the Events that are made."""

    def create_event(self, body):
        self.append(body)


@pytest.mark.parametrize("letter", ["x", "\u00e4", "\u20ac", "\U0001f600"], ids=["1 byte", "2", "3", "4"])
def test_a_note_is_cut_by_its_bytes_and_between_letters(letter):
    sink = Sink()
    Events(sink, "somebody").moved({"metadata": {"name": "filter"}}, "-" + letter * 2_000)
    note = sink[0]["note"]
    assert 1_020 < len(note.encode()) <= 1_024
    assert set(note) == {"-", letter}
