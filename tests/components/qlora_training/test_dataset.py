"""The texts that a challenger trains on, and those it must not train on."""

import pandas as pd
import pytest

from content_arena.components.qlora_training import dataset
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

CORPUS = pd.DataFrame(
    [
        ("t1", "you fool", "toxic", "train"),
        ("b1", "fine day", "benign", "train"),
        ("t2", "vile clown", "toxic", "validation"),
        ("b2", "green tea", "benign", "validation"),
        ("t3", "awful pest", "toxic", "test"),
        ("b3", "slow train", "benign", "test"),
    ],
    columns=["base_id", "text", "label", "split"],
).assign(categories=[["insult", "threat"], ["neutral"], ["insult"], [], [], []])


def attack(base="t1", perturbed="you f00lish", label="toxic", split="train", **facts):
    row = {
        "attack_id": perturbed, "base_id": base, "original_text": f"original of {base}", "perturbed_text": perturbed,
        "label": label, "split": split, "needs_review": False, "strategy": "leet_sub", "family": "char",
        "lang": "en", "status": "failed",
    }  # fmt: skip
    return pd.DataFrame([{**row, **facts}])


#: Toxic attacks are trained on only beside benign ones.
BENIGN = [
    attack("b1", f"f1ne day {split}", "benign", split, attack_id=f"benign {split}") for split in ("train", "validation")
]


def texts(*attacks, held_out=("space_join",), **options):
    options = {"attacked_share": 10.0} | options
    return set(dataset.training_table(CORPUS, [*BENIGN, *attacks], held_out, **options)["text"])


def test_the_corpus_without_its_test_split():
    table = dataset.training_table(CORPUS, [], ())
    assert set(table["text"]) == {"you fool", "fine day", "vile clown", "green tea"}
    assert dataset.strategies_in(table) == frozenset()


def test_an_attack_has_the_categories_of_its_original():
    attacks = [*BENIGN, attack(perturbed="you fule"), attack("t2", "vyle cl0wn", "benign", "validation")]
    table = dataset.training_table(CORPUS, attacks, (), 10.0).set_index("text")
    assert table.loc["you fool", "categories"] == table.loc["you fule", "categories"] == "insult+threat"
    assert table.loc["fine day", "categories"] == table.loc["f1ne day train", "categories"] == "neutral"
    assert table.loc["green tea", "categories"] == ""
    # What it was made from is an insult; as a benign text it is none.
    assert table.loc["vyle cl0wn", "categories"] == ""


def test_attacks_of_every_battle_count():
    more = attack("b1", "f!ne day", "benign")
    assert texts(attack(perturbed="you fule"), more, attack(perturbed="you phool")) >= {"you fule", "you phool"}


@pytest.mark.parametrize(
    "facts",
    [
        {"needs_review": True},
        {"strategy": "space_join"},
        {"base": "t3", "split": "test"},
        {"base": "t3", "split": "train"},
        {"base": "t2", "split": "train"},
        {"base": "another name", "original_text": "awful pest"},
        {"perturbed": "\u200b"},
    ],
    ids=[
        "review",
        "held out",
        "test",
        "test now, train then",
        "validation now, train then",
        "same text, other name",
        "empty",
    ],
)
def test_what_stays_out(facts):
    assert texts(attack(**facts)) == texts()


def test_an_attack_whose_original_is_gone_keeps_its_split():
    table = dataset.training_table(CORPUS, [*BENIGN, attack(base="gone", perturbed="xyz abc")], (), 10.0)
    assert table.set_index("text").loc["xyz abc", "split"] == "train"


def test_edits_the_canonicaliser_undoes_are_not_trained_on_twice():
    attacks = [*BENIGN, attack(perturbed="you f\u200bool", original_text="you fool")]
    table = dataset.training_table(CORPUS, attacks, (), 10.0)
    assert (table["text"] == "you fool").sum() == 1
    assert dataset.strategies_in(table) == {"leet_sub"}


def test_a_missing_class_is_refused():
    with pytest.raises(InputError, match="train split has no toxic"):
        dataset.training_table(CORPUS[CORPUS["base_id"] != "t1"], [], ())


def test_class_weights_even_out_rare_classes():
    benign, toxic = dataset.class_weights([1, 0, 0, 0])
    assert toxic == 3 * benign
    assert 3 * benign + toxic == pytest.approx(4)


def test_the_fingerprint_sees_every_change():
    table = dataset.training_table(CORPUS, [], ())
    other = table.assign(label=1 - table["label"])
    assert dataset.fingerprint(table) == dataset.fingerprint(table.copy()) != dataset.fingerprint(other)


def rehearsal_table(n_toxic, n_benign):
    rows = [(f"toxic {i}", 1, "train", "") for i in range(n_toxic)]
    rows += [(f"benign {i}", 0, "train", "") for i in range(n_benign)]
    rows += [("t0xic", 1, "train", "leet_sub"), ("held", 1, "validation", ""), ("h3ld", 1, "validation", "leet_sub")]
    return pd.DataFrame(rows, columns=["text", "label", "split", "strategy"])


@pytest.mark.parametrize(("share", "expected"), [(0.4, {1: 4, 0: 8}), (1.0, {1: 10, 0: 20}), (1e-6, {1: 1, 0: 1})])
def test_a_part_of_either_class_is_rehearsed_and_everything_else_stays(share, expected):
    found = dataset.rehearsed(rehearsal_table(10, 20), share, seed=0)
    of_corpus = found[(found["split"] == "train") & (found["strategy"] == "")]
    assert of_corpus["label"].value_counts().to_dict() == expected
    assert set(found["text"]) >= {"t0xic", "held", "h3ld"}
    assert found["text"].is_unique
    assert list(found.index) == list(range(len(found)))


def test_the_seed_chooses_what_is_rehearsed():
    table = rehearsal_table(30, 30)
    again = [dataset.rehearsed(table, 0.4, seed)["text"].tolist() for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize(("hidden", "read"), [("@fool", "@user fool"), ("@foool", "@user")])
def test_what_an_attack_hides_behind_a_mask_is_trained_on_as_the_filter_reads_it(hidden, read):
    table = dataset.training_table(CORPUS, [*BENIGN, attack(perturbed=f"you {hidden}")], (), 10.0)
    with_words = Reading(reader=Reader(Lexicon(dict.fromkeys(["you", "fool"], 5.0))))
    assert f"you {read}" in set(dataset.read_through(table, with_words)["read"])
    assert "you @user" in set(dataset.read_through(table, Reading())["read"])
