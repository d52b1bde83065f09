"""Texts that were forgotten stay out of a corpus, and every other text keeps its split."""

import json
import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from content_arena.components.corpus_preparation.cleaning import imported_key
from content_arena.components.corpus_preparation.prepare import examine, prepare
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.forgotten import Erasure, ForgottenTexts

WORDS = ["river", "stone", "cloud", "garden", "window", "silver", "quiet", "market", "signal", "bridge", "copper"]


def forgotten(*texts):
    empty = ForgottenTexts(b"k" * 32)
    return ForgottenTexts(b"k" * 32, {empty.hash_of(imported_key(text)): Erasure("2026-11-29") for text in texts})


def rows():
    rng = random.Random(5)
    content = [(" ".join(rng.sample(WORDS, 7)), label) for label in ("toxic", "benign") for _ in range(70)]
    return [{"text": text, "label": label} for text, label in content]


def write(path, content):
    path.write_text("\n".join(map(json.dumps, content)))
    return str(path)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "in.jsonl", rows())


@pytest.fixture(scope="module")
def whole(file):
    return examine(file, "sv").table


@settings(max_examples=8)
@given(st.sets(st.integers(0, 139), min_size=1, max_size=15))
def test_every_other_text_keeps_its_split(file, whole, places):
    texts = {rows()[place]["text"] for place in places}
    prepared = examine(file, "sv", forgotten=forgotten(*texts))
    rest = whole[~whole["text"].isin(texts)]
    assert prepared.table.reset_index(drop=True).equals(rest.reset_index(drop=True))
    assert prepared.counts["dropped_forgotten"] == len(whole) - len(rest) == len(texts)


@given(st.text(min_size=1, max_size=80), st.sampled_from([str.upper, str.lower, "  {} ".format, "\u200b{}".format]))
def test_a_text_is_recognised_however_it_is_written(text, write_otherwise):
    assert forgotten(text).holds(imported_key(text))
    if imported_key(write_otherwise(text)) == imported_key(text):
        assert forgotten(text).holds(imported_key(write_otherwise(text)))


def test_it_is_said_and_no_page_shows_it(file, tmp_path, capsys):
    text = "every one of you is a lukewarm potato"
    content = [*rows(), *[{"text": text, "label": "toxic"}] * 3]
    prepared = examine(write(tmp_path / "in.jsonl", content), "sv", forgotten=forgotten(text))
    assert "note: left out 1 texts that were forgotten" in capsys.readouterr().out
    assert prepared.counts["dropped_exact_duplicate"] == 2
    assert "lukewarm" not in prepared.page()
    assert "lukewarm" in examine(write(tmp_path / "in.jsonl", content), "sv").page()


def test_a_kept_corpus_is_taken_as_it_stands(whole, tmp_path, capsys):
    odd = whole.iloc[::-1].iloc[5:].assign(source="elsewhere")
    records.write(records.Sample, odd, tmp_path / "kept.parquet")
    counts = prepare(str(tmp_path / "kept.parquet"), "sv", tmp_path / "corpus", max_texts=110)
    again = records.read(records.Sample, tmp_path / "corpus")
    assert records.corpus_digest(again) == records.corpus_digest(odd)
    assert again[list(odd)].reset_index(drop=True).equals(odd.reset_index(drop=True))
    assert counts["kept"] == len(odd)
    said = capsys.readouterr().out
    assert "taken as they stand, with their splits" in said
    assert "--max-texts (max_texts in a pipeline) 110 does not hold for it" in said


def test_a_kept_corpus_loses_what_was_forgotten_since(whole, tmp_path):
    records.write(records.Sample, whole, tmp_path / "kept.parquet")
    text = whole["text"].iloc[3]
    table = examine(str(tmp_path / "kept.parquet"), "sv", forgotten=forgotten(text.upper())).table
    assert set(whole["text"]) - set(table["text"]) == {text}


def test_a_kept_corpus_is_not_read_in_another_way(whole, tmp_path):
    records.write(records.Sample, whole, tmp_path / "kept.parquet")
    with pytest.raises(InputError, match="leave out the options"):
        examine(str(tmp_path / "kept.parquet"), "sv", given={"label_map": "*=toxic"})
    with pytest.raises(InputError, match="is a corpus in sv"):
        examine(str(tmp_path / "kept.parquet"), "de")
