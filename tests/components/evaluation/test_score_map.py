"""Cut-offs move with the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.evaluation.score_map import check_enough, fit, furthest, move
from content_arena.components.shared.errors import InputError

UNIT = st.floats(0, 1, width=32)
PAIRS = st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=40).map(lambda pairs: np.array(pairs).T)
DRAW = np.random.default_rng(0)
NEW = DRAW.random(2_000)


@given(PAIRS, st.lists(UNIT, min_size=2, max_size=5))
def test_a_map_never_falls_and_stays_in_range(pairs, scores):
    old = fit(*pairs).old_of(np.sort(scores))
    assert np.all(np.diff(old) >= 0)
    assert np.all((old >= 0) & (old <= 1))


@given(PAIRS, UNIT)
def test_a_cutoff_is_the_lowest_score_that_means_as_much(pairs, old):
    fitted = fit(*pairs)
    new = fitted.cutoff(old)
    if new is None:
        assert fitted.old.max() < old
        return
    here, below = fitted.old_of(np.array([new, new - 1e-3]))
    assert here >= old - 1e-6
    assert new == 0 or below <= old + 1e-6


def test_a_known_map_is_found():
    moved, unreached = move(NEW, NEW**2 * 0.8, [0.5, 0.9], threshold=0.5)
    assert moved.new == pytest.approx((0.5 / 0.8) ** 0.5, abs=0.01)
    assert moved.at_cutoff.agreement.rate > 0.99
    assert moved.at_threshold.flagged_after.rate == pytest.approx(0.5, abs=0.03)
    assert moved.at_threshold.gained.rate == pytest.approx(moved.new - 0.5, abs=0.03)
    assert moved.at_threshold.lost.rate == 0
    assert moved.as_many_from == pytest.approx(moved.new, abs=0.01)
    assert (unreached.new, unreached.as_many_from, unreached.at_cutoff.flagged_after.rate) == (None, None, 0)


def test_agreement_is_not_that_of_the_texts_that_were_fitted():
    """Scores that have nothing in common: a map that follows every text would agree on them."""
    (moved,) = move(NEW, np.random.default_rng(1).random(2_000), [0.5], threshold=0.5)
    assert 0.4 < moved.at_cutoff.agreement.rate < 0.6


def test_shares_add_up():
    (moved,) = move(NEW, np.clip(NEW + DRAW.normal(0, 0.2, 2_000), 0, 1), [0.7], threshold=0.5)
    for one in (moved.at_cutoff, moved.at_threshold):
        assert one.agreement.rate + one.lost.rate + one.gained.rate == pytest.approx(1)
        assert one.flagged_after.rate - one.flagged_before.rate == pytest.approx(one.gained.rate - one.lost.rate)


def test_the_furthest_text_is_found():
    old = NEW.copy()
    old[7] = 1 - old[7].round()
    assert furthest(NEW, old, 1) == [7]


def test_too_few_texts_are_refused():
    with pytest.raises(InputError, match="old score: 99"):
        check_enough(99)
