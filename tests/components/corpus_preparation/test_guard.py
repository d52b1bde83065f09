"""The guard set: read with the corpus, kept apart from it, and part of nothing that is learnt."""

import json
import random

import pandas as pd
import pytest

from content_arena.components.corpus_preparation import ingest
from content_arena.components.corpus_preparation.guard import apart_from, has_embedded_guard
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training import dataset
from content_arena.components.shared import records

WORDS = [
    "river",
    "stone",
    "cloud",
    "garden",
    "window",
    "silver",
    "quiet",
    "market",
    "signal",
    "bridge",
    "copper",
    "autumn",
]


def rows(n, seed, prefix=""):
    """Half of them toxic; 12 words a text, so that two texts are near-duplicates only where a test makes them so."""
    rng = random.Random(seed)
    labels = ["toxic", "benign"] * (n // 2)
    return [{"text": f"{prefix}{' '.join(rng.choices(WORDS, k=12))} {seed}{i}", "label": label}
            for i, label in enumerate(labels)]  # fmt: skip


def write(path, content):
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return str(path)


CORPUS, GUARD = rows(300, 1), rows(120, 2)


def prepared(folder, guard=GUARD, corpus=CORPUS, **options):
    folder.mkdir(exist_ok=True)
    given = {} if guard is None else {"guard": write(folder / "elsewhere.jsonl", guard)}
    counts = prepare(write(folder / "corpus.jsonl", corpus), "sv", folder / "out", **given, **options)
    return counts, records.read(records.Sample, folder / "out")


def test_the_guard_set_is_a_split_of_its_own(tmp_path, capsys):
    counts, table = prepared(tmp_path)
    guard = table[table["split"] == records.GUARD]
    assert set(guard["text"]) == {row["text"] for row in GUARD}
    assert (counts["guard"], counts["guard_toxic"], counts["guard_benign"]) == (120, 60, 60)
    assert counts["kept"] == len(table) - 120 == counts["toxic"] + counts["benign"]
    assert set(guard["source"]) == {"elsewhere.jsonl"}
    assert table["sample_id"].is_unique
    assert "guard set elsewhere.jsonl: 120 texts (60 toxic)" in capsys.readouterr().out


def test_without_one_in_the_language_there_is_none(tmp_path, capsys):
    counts, table = prepared(tmp_path, guard=None)
    assert counts["guard"] == 0
    assert set(table["split"]) == set(records.SPLITS)
    assert "no guard set" in capsys.readouterr().out


def test_the_embedded_one_of_the_language_is_the_default(tmp_path, monkeypatch):
    write(tmp_path / "sv.guard.jsonl", GUARD)
    monkeypatch.setattr(ingest, "CORPUS_FOLDER", tmp_path)
    assert has_embedded_guard("sv")
    assert not has_embedded_guard("da")
    counts, table = prepared(tmp_path / "run", guard=None)
    assert counts["guard"] == 120
    assert set(table.loc[table["split"] == records.GUARD, "source"]) == {"embedded-sv-guard"}


def test_what_resembles_a_guard_text_leaves_train_and_validation_and_no_other_split(tmp_path):
    _, plain = prepared(tmp_path / "plain", guard=None)
    shared = plain.groupby("split").head(10)
    near = [{"text": f"{row.text}!", "label": row.label} for row in shared.itertuples()]
    counts, table = prepared(tmp_path / "guarded", guard=[*GUARD, *near])
    left = table[table["split"] != records.GUARD]
    gone = set(plain["sample_id"]) - set(left["sample_id"])
    assert gone == set(shared.loc[shared["split"] != "test", "sample_id"])
    assert counts["dropped_near_guard"] == 20
    same = plain[plain["sample_id"].isin(left["sample_id"])].set_index("sample_id")["split"]
    assert left.set_index("sample_id")["split"].sort_index().equals(same.sort_index())


def test_a_guard_set_that_is_the_corpus_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepared(tmp_path, guard=CORPUS)
    assert "near-duplicates of guard texts: name a guard set from elsewhere with --guard" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (rows(60, 3), "30 toxic and 30 benign texts are left, at least 50 of each"),
        ([{"text": "a", "label": "maybe"}], "unknown labels"),
        ([{"words": "a", "label": "toxic"}], "no text column"),
    ],
)
def test_a_guard_set_that_cannot_be_used_is_named(tmp_path, capsys, guard, said):
    with pytest.raises(SystemExit) as caught:
        prepared(tmp_path, guard=guard)
    assert caught.value.code == 2
    line = capsys.readouterr().out.splitlines()[-1]
    assert "error: --guard (guard in a pipeline)" in line
    assert said in line


def test_columns_that_are_named_for_the_corpus_are_looked_for_and_not_required(tmp_path):
    renamed = [{"body": row["text"], "verdict": row["label"]} for row in CORPUS]
    options = {"given": {"text_column": "body", "label_column": "verdict"}}
    assert prepared(tmp_path, corpus=renamed, **options)[0]["guard"] == 120
    both = [{"body": row["text"], "verdict": row["label"], "text": "x", "label": "?"} for row in GUARD]
    assert prepared(tmp_path, guard=both, corpus=renamed, **options)[0]["guard"] == 120


def test_nothing_that_is_learnt_or_compared_knows_the_guard_set(tmp_path):
    _, plain = prepared(tmp_path / "plain", guard=None)
    _, guarded = prepared(tmp_path / "guarded")
    assert records.corpus_digest(plain) == records.corpus_digest(guarded)
    trained = [dataset.training_table(corpus, [], held_out=()) for corpus in (plain, guarded)]
    assert dataset.fingerprint(trained[0]) == dataset.fingerprint(trained[1])
    assert set(trained[1]["split"]) == {"train", "validation"}


def test_attacks_of_earlier_runs_on_what_resembles_a_guard_text_are_not_trained_on(tmp_path):
    _, corpus = prepared(tmp_path)
    toxic, *_, benign = (row["text"] for row in rows(2, 9))
    attacks = pd.DataFrame(
        [
            {"base_id": f"earlier-{i}", "original_text": text, "perturbed_text": f"{text} attacked", "label": label,
             "split": "train", "needs_review": False, "strategy": "leet_sub", "family": "char", "lang": "en",
             "attack_id": str(i)}
            for i, (text, label) in enumerate(
                [(GUARD[0]["text"] + ".", "toxic"), (toxic, "toxic"), (benign, "benign"), (f"{benign} too", "benign")]
            )
        ]
    )  # fmt: skip
    texts = set(dataset.training_table(corpus, [attacks], held_out=())["text"])
    assert f"{toxic} attacked" in texts
    assert not any(text.startswith(GUARD[0]["text"]) for text in texts)


def test_texts_are_compared_as_the_corpus_is_cleaned():
    guard = pd.Series(["The quick brown fox jumps over the lazy dog near the river bank today"])
    texts = pd.Series(
        ["THE QUICK brown fox jumps over the lazy dog near the river bank today!", "nothing of the kind at all"],
        index=[7, 3],
    )
    found = apart_from(texts, guard)
    assert found.to_dict() == {7: False, 3: True}
    assert apart_from(texts, pd.Series([], dtype=object)).all()
