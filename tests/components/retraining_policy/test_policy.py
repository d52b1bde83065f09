"""The retraining policy: one case for each cell of its truth table."""

import math

import pytest

from content_arena.components.retraining_policy.policy import Observation, Policy, decide
from content_arena.components.shared.errors import InputError

CALM = {"evasion": 0.05, "champion_age_days": 1.0, "corpus_changed": False}


def test_without_a_reason_nothing_is_trained():
    decision = decide(Observation(**CALM), Policy())
    assert (decision.retrain, decision.reasons) == (False, ())


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"evasion": 0.11}, "evasion 0.110 is over 0.1"),
        ({"evasion": math.nan}, "evasion nan is over"),
        ({"evasion": None}, "measured no evasion"),
        ({"champion_age_days": 7.1}, "7.1 days old"),
        ({"champion_age_days": None}, "the age of the champion is unknown"),
        ({"corpus_changed": True}, "the corpus has changed"),
        ({"corpus_changed": None}, "the corpus that the champion was trained on is unknown"),
    ],
)
def test_each_reason_is_enough(seen, reason):
    decision = decide(Observation(**(CALM | seen)), Policy())
    assert decision.retrain
    assert len(decision.reasons) == 1
    assert reason in decision.reasons[0]


def test_limits_may_be_met():
    assert not decide(Observation(**(CALM | {"evasion": 0.1, "champion_age_days": 7.0})), Policy()).retrain


def test_all_reasons_are_stated():
    decision = decide(Observation(evasion=1.0, champion_age_days=30.0, corpus_changed=True), Policy())
    assert len(decision.reasons) == 3


@pytest.mark.parametrize("wrong", [{"max_evasion": 1.5}, {"max_evasion": math.nan}, {"max_age_days": 0.0}])
def test_a_limit_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Policy(**wrong)
