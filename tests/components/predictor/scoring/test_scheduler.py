"""Faults in the scheduler's own code: requests get them as their answer, and the threads live on."""

import pytest

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scoring import scheduler as scheduling
from content_arena.components.predictor.scoring.cache import ScoreCache
from content_arena.components.predictor.scoring.waiting import Waiting
from content_arena.components.shared.scoring.filter import ContentFilter

LONG = "you are an idiot " * 200


class FaultyOnce:
    """A method that raises at its first call."""

    def __init__(self, kind, name, monkeypatch):
        self._method = getattr(kind, name)
        self.is_due = True
        monkeypatch.setattr(kind, name, lambda *arguments: self(*arguments))

    def __call__(self, *arguments):
        if self.is_due:
            self.is_due = False
            raise RuntimeError("a fault of our own")
        return self._method(*arguments)


@pytest.fixture
def scheduler(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    made = scheduling.Scheduler(content_filter, Limits(cached_windows=8))
    yield made
    made.close()
    made.join()
    content_filter.close()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Waiting, "take_unread"),
        (Waiting, "oldest_and_least"),
        (Waiting, "take_company"),
        (ScoreCache, "put"),
        (ScoreCache, "get"),
    ],
)
def test_a_fault_is_the_answer_and_the_next_request_is_scored(scheduler, monkeypatch, kind, name):
    faulty = FaultyOnce(kind, name, monkeypatch)
    lost = scheduler.submit(["you idiot", LONG])
    with pytest.raises(RuntimeError, match="a fault of our own"):
        lost.result.result(20)
    assert not faulty.is_due
    for texts in (["you idiot"], ["nice day", LONG]):
        assert scheduler.submit(texts).result.result(20)[0, 0] >= 0
    assert not scheduler.is_busy


def test_what_a_fault_took_of_the_queue_is_given_back(tiny_bundle, monkeypatch):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    # Room for one of these requests at a time.
    scheduler = scheduling.Scheduler(content_filter, Limits(queue_tokens=6_000))
    texts = [LONG] * 2
    try:
        for _ in range(5):
            FaultyOnce(Waiting, "oldest_and_least", monkeypatch)
            with pytest.raises(RuntimeError):
                scheduler.submit(texts).result.result(20)
            monkeypatch.undo()
        assert len(scheduler.submit(texts).result.result(20)) == 2
    finally:
        scheduler.close()
        scheduler.join()
        content_filter.close()
