"""Rates and their intervals, against published values and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.evaluation.statistics import cluster_bootstrap, wilson
from content_arena.components.shared.figures import NOTHING


def test_wilson_agrees_with_newcombe_1998():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 15/148.
    rate = wilson([True] * 15 + [False] * 133)
    assert (rate.low, rate.high) == pytest.approx((0.0624, 0.1605), abs=1e-4)


def test_nothing_counted_is_no_rate():
    assert wilson([]) == cluster_bootstrap(np.array([], dtype=bool), []) == NOTHING
    assert NOTHING.rate is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), min_size=1, max_size=40))
def test_intervals_hold_their_rate(trials):
    hits = np.array([hit for hit, _ in trials])
    for rate in (wilson(hits), cluster_bootstrap(hits, [name for _, name in trials])):
        assert rate.n == len(trials)
        assert rate.low - 1e-9 <= rate.rate <= rate.high + 1e-9
        assert rate.low >= -1e-9
        assert rate.high <= 1 + 1e-9


def test_trials_that_succeed_together_tell_less():
    hits = np.array([True] * 50 + [False] * 50)
    together = cluster_bootstrap(hits, [str(i // 10) for i in range(100)])
    apart = cluster_bootstrap(hits, [str(i) for i in range(100)])
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_same_seed_same_interval():
    hits = np.array([True, False, True])
    assert cluster_bootstrap(hits, list("abc"), seed=1) == cluster_bootstrap(hits, list("abc"), seed=1)
