"""Labels, confidence and the review queue."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.labeling import review
from content_arena.components.labeling.voters import GoldVoter
from content_arena.components.shared.text.readability import MIN_READABILITY, readability


def attacks(original="you are an idiot", perturbed="you are an idi0t", gold="toxic", before=0.9, after=0.1):
    return pd.DataFrame(
        [
            {
                "original_text": original,
                "perturbed_text": perturbed,
                "label_gold": gold,
                "score_before": before,
                "score_after": after,
            }
        ]
    )


def labelled(**facts):
    return review.label(attacks(**facts)).iloc[0]


def test_a_readable_attack_keeps_its_label():
    row = labelled()
    assert (row["label"], row["needs_review"]) == ("toxic", False)
    assert row["label_source"] == "gold+model"
    assert row["label_confidence"] > 0.8


def test_a_benign_text_stays_benign_though_the_victim_flagged_it_after_the_edit():
    row = labelled(original="have a nice day", perturbed="h4ve a n1ce day", gold="benign", before=0.1, after=0.99)
    assert (row["label"], row["needs_review"]) == ("benign", False)


@pytest.mark.parametrize("perturbed", ["zzz qqq www", "", "\u200b", "#"])
def test_an_unreadable_text_needs_a_review(perturbed):
    assert labelled(perturbed=perturbed)["needs_review"]


def test_a_victim_sure_of_the_contrary_puts_the_gold_label_in_doubt():
    row = labelled(before=0.001)
    assert row["needs_review"]


@pytest.mark.parametrize(
    "perturbed",
    ["y0u ar3 an 1d10t", "youareanidiot", "Have a nice day! you are an idiot", "you are an i d i o t"],
)
def test_people_can_read_through_these(perturbed):
    assert readability(attacks(perturbed=perturbed))[0] > MIN_READABILITY


def test_without_votes_the_confidence_is_zero():
    class Abstains(GoldVoter):
        def vote(self, attacks):
            return np.full(len(attacks), np.nan)

    row = review.label(attacks(), voters=[Abstains()]).iloc[0]
    assert (row["label"], row["label_confidence"], row["needs_review"]) == ("toxic", 0.0, True)


@given(original=st.text(), perturbed=st.text(), gold=st.sampled_from(["toxic", "benign"]), before=st.floats(0, 1))
def test_confidence_is_a_share_and_no_label_is_changed_without_a_person(original, perturbed, gold, before):
    row = labelled(original=original, perturbed=perturbed, gold=gold, before=before)
    assert 0 <= row["label_confidence"] <= 1
    assert row["label"] == gold or row["needs_review"]


def test_a_voter_without_weight_is_kept_and_decides_nothing():
    rows = [labelled(after=after) for after in (0.0, 1.0)]
    assert [json.loads(row["votes"])["restored"] for row in rows] == [0.0, 1.0]
    assert rows[0].drop(["votes", "score_after"]).equals(rows[1].drop(["votes", "score_after"]))


def test_the_victim_has_no_vote_on_a_benign_twin_because_it_scored_the_toxic_original():
    wrote = {"prompt": "p", "model": "m", "original_label": "toxic", "written": "you are kind"}
    twin = attacks(perturbed="you are kind", gold="benign", before=0.99).assign(params=json.dumps(wrote))
    row = review.label(twin).iloc[0]
    assert set(json.loads(row["votes"])) == {"gold", "restored"}
    assert (row["label"], row["label_source"], row["needs_review"]) == ("benign", "gold", True)


def test_an_empty_battle_is_labelled():
    assert review.label(attacks().iloc[:0]).empty
