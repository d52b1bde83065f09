"""What an operator says of the adapters, and the file for suggestions."""

import json
from pathlib import Path

import pytest

from content_arena.components.predictor.adapters.options import AdapterOptions
from content_arena.components.predictor.adapters.suggestions import SuggestionFile, SuggestionsFullError
from content_arena.components.predictor.server import main
from content_arena.components.shared.errors import InputError


def test_names_are_read_between_commas():
    assert AdapterOptions.of(None, None) == AdapterOptions.of(" ,", None) == AdapterOptions()
    assert AdapterOptions.of("openai, fms,openai", None).names == ("openai", "fms")


def test_unknown_names_and_useless_files_are_refused(capsys):
    with pytest.raises(InputError, match="no API adapter google: there are perspective, openai, fms"):
        AdapterOptions.of("openai,google", None)
    with pytest.raises(InputError, match="perspective alone"):
        AdapterOptions.of("fms", Path("suggested.jsonl"))
    assert main(["--api_adapters", "google"]) == 2
    assert "no API adapter google" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="none"):
        SuggestionFile(tmp_path / "none" / "suggested.jsonl")


def test_the_file_is_bounded(tmp_path):
    path = tmp_path / "suggested.jsonl"
    kept = SuggestionFile(path, most=100)
    kept.append({"text": "a" * 50})
    with pytest.raises(SuggestionsFullError):
        kept.append({"text": "b" * 50})
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["a" * 50]
    path.rename(tmp_path / "taken.jsonl")
    kept.append({"text": "b" * 50})
    assert "b" in path.read_text()
