"""The attacked texts that are chosen for training: limited, of every family, with enough benign ones."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.qlora_training.attacked_texts import balanced, few_per_text
from content_arena.components.shared.records import sha256_of

FAMILIES = {"leet_sub": "char", "char_typo": "char", "space_join": "word", "benign_append": "sentence"}


def battle(base="t", label="toxic", n_texts=1, strategies=tuple(FAMILIES), split="train", lang="en"):
    rows = [
        {
            "attack_id": sha256_of(base, str(text), strategy), "base_id": f"{base}{text}", "lang": lang,
            "original_text": f"original of {base}{text}", "perturbed_text": f"{strategy} of {base}{text}",
            "strategy": strategy, "family": FAMILIES.get(strategy, "unicode"), "label": label, "split": split,
            "categories": "",
        }
        for text in range(n_texts)
        for strategy in strategies
    ]  # fmt: skip
    return pd.DataFrame(rows)


def corpus(n_toxic, n_benign, split="train"):
    return pd.DataFrame({"label": ["toxic"] * n_toxic + ["benign"] * n_benign, "split": split})


def counts(chosen, column="label"):
    return chosen[column].value_counts().to_dict()


def test_the_attacks_on_one_text_are_of_different_families():
    attacks = battle(n_texts=60)
    chosen = few_per_text(attacks, 2)
    assert (chosen.groupby("base_id").size() == 2).all()
    assert (chosen.groupby("base_id")["family"].nunique() == 2).all()
    assert set(counts(chosen, "family")) == {"char", "word", "sentence"}
    shuffled = few_per_text(attacks.sample(frac=1, random_state=1), 2)
    assert set(shuffled["attack_id"]) == set(chosen["attack_id"])


def test_strategies_and_single_edits_that_are_undone_are_left_out():
    undone = battle(strategies=("invisible_insert",))
    hidden = battle(strategies=("leet_sub",)).assign(perturbed_text="origi\u200bnal of t0")
    assert few_per_text(undone).empty
    assert few_per_text(hidden).empty


def test_few_attacks_are_all_taken():
    battles = [battle("t", "toxic", 10), battle("b", "benign", 10)]
    assert len(balanced(battles, corpus(100, 100), 0.5)) == 80


@pytest.mark.parametrize(("n_toxic", "n_benign"), [(100, 100), (160, 40), (40, 160)])
def test_many_attacks_are_cut_to_the_share_and_the_balance_of_the_corpus(n_toxic, n_benign):
    chosen = balanced([battle("t", "toxic", 200), battle("b", "benign", 200)], corpus(n_toxic, n_benign), 0.5)
    assert counts(chosen) == {"toxic": n_toxic // 2, "benign": n_benign // 2}
    for label in ("toxic", "benign"):
        by_family = counts(chosen[chosen["label"] == label], "family")
        assert max(by_family.values()) - min(by_family.values()) <= 1


def test_what_a_family_lacks_the_others_give():
    battles = [battle("t", n_texts=100, strategies=("leet_sub",)), battle("u", n_texts=5, strategies=("space_join",)),
               battle("b", "benign", 100, strategies=("leet_sub",))]  # fmt: skip
    chosen = balanced(battles, corpus(100, 100), 0.5)
    assert counts(chosen[chosen["label"] == "toxic"], "family") == {"char": 45, "word": 5}


def test_benign_texts_are_not_starved():
    chosen = balanced([battle("t", "toxic", 200), battle("b", "benign", 3)], corpus(160, 40), 0.5)
    assert counts(chosen) == {"toxic": 48, "benign": 12}
    assert balanced([battle("t", "toxic", 200)], corpus(100, 100), 0.5).empty, "no benign attacks, no attacks"


def test_either_split_has_its_own_limit():
    battles = [battle(f"{label}{split}", label, 50, split=split)
               for label in ("toxic", "benign") for split in ("train", "validation")]  # fmt: skip
    both = pd.concat([corpus(50, 50), corpus(10, 10, "validation")])
    assert counts(balanced(battles, both, 0.5), "split") == {"train": 50, "validation": 10}


def test_nothing_attacked_is_an_empty_table():
    assert balanced([], corpus(5, 5), 0.5).empty
    assert balanced([few_per_text(battle().head(0))], corpus(5, 5), 0.5).empty


@given(
    sizes=st.lists(st.integers(0, 12), min_size=4, max_size=4),
    n_toxic=st.integers(1, 40),
    n_benign=st.integers(1, 40),
    share=st.floats(0, 1),
)
def test_the_limit_and_the_benign_share_hold_whatever_is_offered(sizes, n_toxic, n_benign, share):
    kinds = [("t", "toxic", ("leet_sub",)), ("u", "toxic", ("space_join",)), ("b", "benign", ("leet_sub",)),
             ("c", "benign", ("benign_append",))]  # fmt: skip
    battles = [battle(base, label, n, names) for (base, label, names), n in zip(kinds, sizes, strict=True) if n]
    own = corpus(n_toxic, n_benign)
    chosen = balanced(battles, own, share)
    found = {"toxic": 0, "benign": 0} | counts(chosen)
    assert len(chosen) <= share * len(own) + 1
    assert found["toxic"] * n_benign <= found["benign"] * n_toxic + n_benign
    assert chosen["text"].is_unique
    again = balanced(battles[::-1], own, share)
    assert sorted(again["text"]) == sorted(chosen["text"])
