"""What people say decides; what they do not agree on waits."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.labeling import accuracy
from content_arena.components.labeling.answers import (
    NOTHING_SAID,
    PERSON,
    PERSON_OF_ORIGINAL,
    Word,
    applied,
    contradicted,
    settled,
    waiting,
)
from content_arena.components.shared import records
from tests.components.labeling.battles import battle

GIVEN = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(records.ANSWERS), st.sampled_from(["ann", "bo", "cy", ""])),
    min_size=1,
)


THREE = battle("a", "b", "c")


def answers(*given):
    """Answers about texts that were not changed."""
    table = pd.DataFrame(given, columns=["perturbed_text", "answer", "reviewer"])
    return table.assign(original_text=table["perturbed_text"], is_rewritten=False)


@pytest.mark.parametrize(
    ("given_in_order", "answer"),
    [
        (["ann:toxic"], "toxic"),
        (["ann:toxic", "bo:benign"], None),
        (["ann:toxic", "bo:benign", "cy:benign"], "benign"),
        (["ann:toxic", "ann:benign"], "benign"),
        (["ann:toxic", "bo:benign", "ann:benign"], "benign"),
        (["ann:toxic", "bo:benign", "cy:unreadable"], None),
        (["ann:unreadable"], "unreadable"),
    ],
)
def test_of_each_person_the_last_answer_counts_and_of_people_the_majority(given_in_order, answer):
    rows = [("a", *reversed(each.split(":"))) for each in given_in_order]
    assert settled(answers(*rows)).texts["a"].answer == answer


@settings(max_examples=25)
@given(GIVEN)
def test_a_text_is_trained_on_exactly_if_people_agree_that_it_is_toxic_or_benign(rows):
    table, said = THREE, settled(answers(*rows))
    words = said.texts
    done = applied(table, said)
    for row in done.itertuples():
        word = words.get(row.perturbed_text, Word("not asked", 0, 0))
        assert row.needs_review == (word.answer not in records.LABELS)
        if not row.needs_review:
            assert (row.label, row.label_source) == (word.answer, PERSON)
    left = set(waiting(table, said)["perturbed_text"])
    assert left == {text for text in "abc" if text not in words or words[text].answer is None}
    assert set(waiting(done, said)["perturbed_text"]) == left


def test_people_who_disagree_overrule_a_sure_vote():
    table = battle("a text that is readable", before=0.99)
    assert not table["needs_review"].any()
    said = settled(answers(("a text that is readable", "toxic", "ann"), ("a text that is readable", "benign", "bo")))
    assert applied(table, said)["needs_review"].all()
    assert len(waiting(table, said)) == 1


@pytest.mark.parametrize("said", ["toxic", "benign"])
def test_an_answer_holds_for_the_other_readable_attacks_on_the_original(said):
    texts = ["you are an idi0t", "you are an 1diot", "zzz qqq www"]
    table = battle(*texts, "another text").assign(
        original_text=["you are an idiot"] * 3 + ["another text"], base_id=[*"aaab"]
    )
    given = settled(answers((texts[0], said, "ann")).assign(original_text="you are an idiot"))
    done = applied(table, given).set_index("perturbed_text")
    assert done["label_source"].tolist()[:2] == [PERSON, PERSON_OF_ORIGINAL]
    assert done["label"].tolist()[:2] == [said, said]
    assert done["needs_review"].tolist() == [False, False, True, True]
    assert waiting(table, given)["perturbed_text"].tolist() == [texts[2], "another text"]
    assert contradicted(table, given) == (["a"] if said == "benign" else [])
    both = answers((texts[0], said, "ann"), (texts[1], "unreadable", "ann")).assign(original_text="you are an idiot")
    assert applied(table, settled(both))["needs_review"].tolist() == [False, True, True, True]
    unsure = answers((texts[0], "toxic", "ann"), (texts[1], "benign", "ann")).assign(original_text="you are an idiot")
    assert settled(unsure).originals == {}


def test_without_answers_nothing_changes():
    table = battle("a", "b")
    pd.testing.assert_frame_equal(applied(table, NOTHING_SAID), table)


def test_a_voter_is_measured_where_it_voted_and_people_agree():
    table = battle("text one", "text two", "text three", "text four")
    said = answers(
        ("text one", "toxic", "ann"), ("text two", "benign", "ann"), ("text three", "unreadable", "ann"),
        ("text four", "benign", "ann"), ("text four", "toxic", "bo"), ("elsewhere", "toxic", "ann"),
    )  # fmt: skip
    rates = accuracy.of_voters(table, settled(said))
    assert {name: (rate.rate, rate.n) for name, rate in rates.items()} == {
        "gold": (0.5, 2), "model": (0.5, 2), "restored": (0.5, 2), "combined": (0.5, 2),
    }  # fmt: skip
    assert 0 < rates["gold"].low < 0.5 < rates["gold"].high < 1
    by_people = accuracy.of_voters(applied(table, settled(said)), settled(said))
    assert "combined" not in by_people
    assert by_people["gold"] == rates["gold"]


def test_what_the_vote_was_sure_of_is_measured_apart():
    table = pd.concat([battle("text one"), battle("text two", before=0.99)], ignore_index=True)
    said = settled(answers(("text one", "benign", "ann"), ("text two", "toxic", "ann")))
    rates = accuracy.of_voters(table, said)
    assert [(rates[name].rate, rates[name].n) for name in ("combined", "combined_trained")] == [(0.5, 2), (1.0, 1)]
