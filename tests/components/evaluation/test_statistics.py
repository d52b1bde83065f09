"""Rates and their intervals, against published values and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.evaluation.statistics import Trials, cluster_bootstrap, mcnemar, paired_difference, wilson
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


@pytest.mark.parametrize("n_hits", range(11))
def test_clusters_of_one_trial_have_wilsons_interval(n_hits):
    hits = np.array([True] * n_hits + [False] * (10 - n_hits))
    assert cluster_bootstrap(hits, [str(i) for i in range(10)]) == wilson(hits)


@pytest.mark.parametrize("hit", [True, False])
def test_trials_that_all_end_alike_tell_as_much_as_their_clusters(hit):
    """Ten attacks on each of three texts are three texts."""
    rate = cluster_bootstrap(np.full(30, hit), [str(i // 10) for i in range(30)])
    of_clusters = wilson([hit] * 3)
    assert (rate.rate, rate.n, rate.low, rate.high) == (float(hit), 30, of_clusters.low, of_clusters.high)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcdef")), min_size=1, max_size=40),
)
def test_no_interval_is_without_width(trials):
    names = [name for *_, name in trials]
    first, second = (np.array([trial[side] for trial in trials]) for side in (0, 1))
    rate = cluster_bootstrap(first, names)
    assert rate.high - rate.low > 0.01
    _, low, high = paired_difference(Trials(first, names), Trials(second, names))
    assert high - low > 0.01


def test_one_text_shows_no_difference():
    hit, missed = (Trials(np.array([outcome]), ["a"]) for outcome in (True, False))
    middle, low, high = paired_difference(hit, missed)
    assert low < 0 < middle == high == 1


def test_same_seed_same_interval():
    hits = np.array([True, False, True, False])
    assert cluster_bootstrap(hits, list("abcc"), seed=1) == cluster_bootstrap(hits, list("abcc"), seed=1)


def test_mcnemar_agrees_with_the_binomial_test():
    first = np.array([True] * 9 + [False] * 1 + [True] * 20 + [False] * 20)
    second = np.array([False] * 9 + [True] * 1 + [True] * 20 + [False] * 20)
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second, found.n) == (9, 1, 50)
    # Two-sided: 2 (C(10, 0) + C(10, 1)) / 2^10.
    assert found.p_value == pytest.approx(22 / 1024)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_mcnemar_does_not_depend_on_who_is_first(trials):
    first, second = (np.array([trial[side] for trial in trials], dtype=bool) for side in (0, 1))
    assert mcnemar(first, second).p_value == mcnemar(second, first).p_value
    assert mcnemar(first, first).p_value == 1.0


def test_only_the_same_trials_are_paired():
    with pytest.raises(ValueError, match="not the same trials"):
        mcnemar(np.array([True]), np.array([True, False]))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcdef")), min_size=1, max_size=40))
def test_a_paired_difference_lies_in_its_interval_and_turns_round(trials):
    names = [name for *_, name in trials]
    first, second = (Trials(np.array([trial[side] for trial in trials]), names) for side in (0, 1))
    found, turned = paired_difference(first, second), paired_difference(second, first)
    middle, low, high = found
    assert low - 1e-9 <= middle <= high + 1e-9
    assert turned == pytest.approx((-middle, -high, -low))
    middle, low, high = paired_difference(first, first)
    # Wilson's upper end for none of the texts, which is how many may differ unseen.
    unseen = wilson([False] * len(set(names))).high
    assert (middle, low, high) == pytest.approx((0.0, -unseen, unseen))


def test_pairs_tell_more_than_two_samples():
    """What is hard for both takes nothing away from what one of them does better."""
    rng = np.random.default_rng(0)
    hard = rng.random(200) < 0.5
    better = hard & (rng.random(200) < 0.9)
    names = [str(i) for i in range(200)]
    _, low, high = paired_difference(Trials(hard, names), Trials(better, names))
    apart = cluster_bootstrap(hard, names)
    assert high - low < 0.7 * (apart.high - apart.low)
    assert low > 0


def test_nothing_measured_is_no_difference():
    nothing, something = Trials(np.array([], dtype=bool), []), Trials(np.array([True]), ["a"])
    assert paired_difference(nothing, something) is None
    assert paired_difference(something, nothing) is None
