"""Fresh figures or none, on a simulated clock."""

import pytest

from content_arena.components.metrics_exporter.refresh import Reading, Refresher
from content_arena.components.metrics_exporter.snapshot import Snapshot

SECRET = "postgresql://user:hunter2@db/mlflow"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def failing():
    raise ConnectionError(SECRET) from ValueError(SECRET)


def test_before_the_first_read_there_is_nothing(clock):
    refresher = Refresher(Snapshot, 30, clock)
    assert refresher.current() == Reading()
    assert not refresher.tried.is_set()


def test_a_failed_read_drops_what_was_known_and_the_next_brings_it_back(clock):
    answers = iter([Snapshot, failing, Snapshot])
    refresher = Refresher(lambda: next(answers)(), 30, clock)
    seen = []
    for _ in range(3):
        refresher.refresh()
        seen.append(refresher.current())
        clock.now += 30
    assert [reading.snapshot is not None for reading in seen] == [True, False, True]
    assert [reading.taken for reading in seen] == [1000, 1000, 1060]


def test_a_read_that_hangs_is_as_bad_as_one_that_fails(clock):
    refresher = Refresher(Snapshot, 30, clock)
    refresher.refresh()
    clock.now += 90
    assert refresher.current().snapshot is not None
    clock.now += 1
    assert refresher.current() == Reading(None, 1000, 0)


def test_an_outage_is_two_lines_and_names_no_address(clock, caplog):
    answers = iter([failing, failing, failing, Snapshot, Snapshot])
    refresher = Refresher(lambda: next(answers)(), 30, clock)
    for _ in range(5):
        refresher.refresh()
    assert [record.getMessage() for record in caplog.records] == [
        "MLflow cannot be read: ConnectionError < ValueError",
        "MLflow can be read again",
    ]
