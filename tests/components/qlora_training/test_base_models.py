"""Base models: which can be loaded, and which cannot read the corpus."""

import json
from importlib.resources import files

import pytest

from content_arena.components.qlora_training import base_models
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.canonical import canonicalise


def corpus(lang):
    lines = files("content_arena.components.corpus_preparation").joinpath(f"corpus/{lang}.jsonl").read_text("utf-8")
    return [canonicalise(json.loads(line)["text"]) for line in lines.splitlines()]


@pytest.fixture(scope="module")
def embedded():
    return base_models.load_tokenizer(base_models.EMBEDDED, "en")


def test_the_embedded_model_reads_english(embedded):
    assert base_models.check_readable(base_models.EMBEDDED, embedded, corpus("en"), "en") < 0.01


def test_the_embedded_model_cannot_read_korean_and_the_error_suggests_one_that_can(embedded):
    with pytest.raises(InputError, match=r"ko.*\d\d%.*--base-model.*multilingual-e5-small"):
        base_models.check_readable(base_models.EMBEDDED, embedded, corpus("ko"), "ko")


@pytest.mark.parametrize("path", ["./nowhere", "/no/such/folder", "~/nothing/here", "a/b/c", "", "  "])
def test_a_folder_that_is_not_there_is_named(path):
    with pytest.raises(InputError, match="does not exist"):
        base_models.resolve(path, "en")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        base_models.resolve(str(tmp_path), "en")


def test_a_broken_folder_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError) as caught:
        base_models.load_tokenizer(str(tmp_path), "en")
    assert "\n" not in str(caught.value)


def test_a_hub_id_is_passed_on():
    assert base_models.resolve("klue/bert-base", "ko") == "klue/bert-base"
