"""Splits are disjoint, have the right shares, and are the same for the same texts in any order."""

import hashlib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.splits import assign_splits, name_texts, sample_texts
from content_arena.components.shared.errors import InputError

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


def corpus(n=1_000, share_toxic=0.3, n_categories=6, rows_per_base=1):
    rows = []
    for number in range(n):
        base = number // rows_per_base
        label = "toxic" if base % 100 < share_toxic * 100 else "benign"
        # Category sizes fall by half: the last ones are far too small to be divided on their own.
        category = f"{label}{min((base * 7919 % 64 + 1).bit_length(), n_categories)}" if n_categories else None
        rows.append((f"s{number}", f"b{base}", label, [category] if category else []))
    return pd.DataFrame(rows, columns=["sample_id", "base_id", "label", "categories"], dtype=object)


def split_of(table):
    return dict(zip(table["sample_id"], table["split"], strict=True))


@pytest.mark.parametrize("n_categories", [0, 6])
@pytest.mark.parametrize("rows_per_base", [1, 4])
@pytest.mark.parametrize("n", [400, 1_000, 5_000])
def test_keeps_the_shares_overall_and_by_label(n, rows_per_base, n_categories):
    table = assign_splits(corpus(n, 0.3, n_categories, rows_per_base), seed=0)
    for label, rows in table.groupby("label"):
        for split, share in SHARES.items():
            assert abs((rows["split"] == split).sum() - share * len(rows)) <= max(rows_per_base, 1) + 1, (label, split)
    overall = (table["label"] == "toxic").mean()
    for _, rows in table.groupby("split"):
        assert (rows["label"] == "toxic").mean() == pytest.approx(overall, abs=0.02 if n < 1_000 else 0.01)


def test_keeps_the_shares_of_large_categories():
    table = assign_splits(corpus(4_000), seed=0)
    for _, rows in table.groupby(["label", table["categories"].map(tuple)]):
        if len(rows) >= 200:
            assert (rows["split"] == "test").mean() == pytest.approx(0.15, abs=0.02)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from(["toxic", "benign"]), st.sampled_from([["a"], ["a", "b"], []])),
        min_size=1,
    ),
    seed=st.integers(0, 2**63),
    shuffle=st.randoms(),
)
@settings(max_examples=60)
def test_never_cuts_a_base_and_does_not_care_for_row_order(rows, seed, shuffle):
    table = pd.DataFrame(
        [(f"s{n}", f"b{base}", label, category) for n, (base, label, category) in enumerate(rows)],
        columns=["sample_id", "base_id", "label", "categories"],
        dtype=object,
    )
    divided = assign_splits(table, seed)
    assert (divided.groupby("base_id")["split"].nunique() == 1).all()
    assert divided["sample_id"].tolist() == table["sample_id"].tolist()
    order = list(range(len(table)))
    shuffle.shuffle(order)
    assert split_of(assign_splits(table.iloc[order], seed)) == split_of(divided)


def test_the_seed_decides():
    table = corpus()
    assert split_of(assign_splits(table, 1)) == split_of(assign_splits(table, 1))
    assert split_of(assign_splits(table, 1)) != split_of(assign_splits(table, 2))


def test_a_text_once_trained_on_hardly_ever_becomes_a_test_text():
    table = corpus(3_000)
    before = split_of(assign_splits(table.iloc[:2_400], 0))
    after = split_of(assign_splits(table, 0))
    moved = [name for name, split in before.items() if (split, after[name]) == ("train", "test")]
    assert len(moved) <= 0.002 * len(before)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.2, 0.2), (1.0, 0.0, 0.0), (0.8, 0.4, -0.2)])
def test_refuses_shares_that_are_none(shares):
    with pytest.raises(ValueError, match="three positive shares"):
        assign_splits(corpus(10), 0, shares)


def test_names_texts_by_what_they_say():
    table = pd.DataFrame(
        {"key": ["hello", "you"], "sample_id": [None, "given"], "base_id": ["made-from", None]}, dtype=object
    )
    named = name_texts(table)
    hello, you = (hashlib.sha256(key.encode()).hexdigest()[:16] for key in ("hello", "you"))
    assert named["sample_id"].tolist() == [hello, "given"]
    assert named["base_id"].tolist() == ["made-from", you]


def test_refuses_given_names_that_repeat():
    table = pd.DataFrame({"key": ["a", "b"], "sample_id": ["x", "x"], "base_id": [None, None]}, dtype=object)
    with pytest.raises(InputError, match="'sample_id' repeats itself in 1 rows"):
        name_texts(table)


def test_draws_a_sample_in_proportion_whatever_the_row_order():
    table = corpus(2_000)
    drawn = sample_texts(table, 500, 3, 50, rare_share=0)
    assert len(drawn) == 500
    assert (drawn["label"] == "toxic").sum() == 150
    again = sample_texts(table.sample(frac=1, random_state=1).reset_index(drop=True), 500, 3, 50, rare_share=0)
    assert set(again["sample_id"]) == set(drawn["sample_id"])
    largest_share = [rows["categories"].map(tuple).value_counts(normalize=True).iloc[0] for rows in (drawn, table)]
    assert largest_share[0] == pytest.approx(largest_share[1], abs=0.01)


def test_a_rare_label_keeps_its_least_number():
    drawn = sample_texts(corpus(2_000, share_toxic=0.05), 200, 0, 50, rare_share=0)
    assert drawn["label"].value_counts().to_dict() == {"benign": 150, "toxic": 50}


@pytest.mark.parametrize(
    ("share_toxic", "toxic"), [(0.9, 600), (0.97, 1_000 - 120), (0.1, 400), (0.03, 120), (0.5, 500), (0.45, 450)]
)
def test_the_rarer_label_gets_its_share_where_there_are_so_many(share_toxic, toxic):
    table = corpus(4_000, share_toxic)
    drawn = sample_texts(table, 1_000, 0, 50)
    assert len(drawn) == 1_000
    assert (drawn["label"] == "toxic").sum() == pytest.approx(toxic, abs=3)
    assert set(drawn["sample_id"]) <= set(table["sample_id"])


def test_a_sample_divides_as_the_whole_does():
    table = corpus(4_000)
    whole, part = split_of(assign_splits(table, 0)), split_of(assign_splits(sample_texts(table, 2_000, 0, 50), 0))
    assert not [name for name, split in part.items() if {split, whole[name]} == {"train", "test"}]
