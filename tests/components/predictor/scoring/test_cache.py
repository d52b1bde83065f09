"""The cache of scores, and a scheduler that has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scoring.cache import ScoreCache
from content_arena.components.predictor.scoring.scheduler import Scheduler
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.windows import Window


def window(text, ids=(1, 2)):
    return Window(0, list(ids), text)


def row(value):
    return np.array([[value]], dtype=np.float32)


@given(st.lists(st.text(), max_size=30), st.integers(0, 5))
def test_holds_the_windows_that_were_asked_for_last(texts, capacity):
    cache, order = ScoreCache(capacity), []
    for index, text in enumerate(texts):
        cache.put([window(text)], row(index / 100))
        order = [*(other for other in order if other != text), text]
    for text in set(texts):
        (found,) = cache.get([window(text)])
        assert (found is not None) == (text in order[::-1][:capacity])


def test_a_window_with_other_tokens_is_another_one():
    cache = ScoreCache(10)
    cache.put([window("idiot", [7])], row(0.5))
    assert cache.get([window("idiot", [7])]) == [np.float32(0.5)]
    assert cache.get([window("idiot", [8]), window("Idiot", [7])]) == [None, None]


@pytest.mark.parametrize("value", [np.nan, -1.0, 2.0])
def test_what_is_no_probability_is_not_kept(value):
    cache = ScoreCache(10)
    cache.put([window("idiot")], row(value))
    assert cache.get([window("idiot")]) == [None]


def test_what_was_scored_is_not_scored_again(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    scored = []
    score = content_filter.score_windows
    content_filter.score_windows = lambda batch: scored.extend(batch) or score(batch)
    scheduler = Scheduler(content_filter, Limits(cached_windows=100))
    long = "nice day " * 100 + "you idiot"
    first = scheduler.submit(["you idiot", long]).result.result(20)
    n = len(scored)
    again = scheduler.submit([long, "nice day", "you idiot"]).result.result(20)
    only_known = scheduler.submit(["you idiot"] * 3).result.result(20)
    scheduler.close()
    scheduler.join()
    assert [window.text for window in scored[n:]] == ["nice day"]
    assert again[[2, 0]].tolist() == first.tolist()
    assert only_known.tolist() == [first[0].tolist()] * 3
