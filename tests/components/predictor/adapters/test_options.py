"""What an operator says of the adapters, and the file for suggestions."""

import json
import logging
import uuid

import pytest
import requests

from content_arena.components.predictor.adapters.options import AdapterOptions
from content_arena.components.predictor.adapters.suggestions import (
    SuggestionFile,
    SuggestionObjects,
    SuggestionsFullError,
    SuggestionsUnavailableError,
    suggestions_at,
)
from content_arena.components.predictor.server import main
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.storage.store import Store
from tests.components.predictor.conftest import running


def test_names_are_read_between_commas():
    assert AdapterOptions.of(None, None) == AdapterOptions.of(" ,", None) == AdapterOptions()
    assert AdapterOptions.of("openai, fms,openai", None).names == ("openai", "fms")


def test_unknown_names_and_useless_files_are_refused(capsys):
    with pytest.raises(InputError, match="no API adapter google: there are perspective, openai, fms"):
        AdapterOptions.of("openai,google", None)
    with pytest.raises(InputError, match="perspective alone"):
        AdapterOptions.of("fms", "suggested.jsonl")
    assert main(["--api_adapters", "google"]) == 2
    assert "no API adapter google" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="none"):
        suggestions_at(str(tmp_path / "none" / "suggested.jsonl"))


@pytest.mark.parametrize(("address", "words"), [("gs://bucket/folder", "name a file"), ("s3://bucket", "s3://bucket/")])
def test_an_address_where_nothing_can_be_kept_is_refused(s3, address, words):
    with pytest.raises(InputError, match=words):
        suggestions_at(address)


def test_an_address_without_a_server_is_refused(monkeypatch):
    monkeypatch.delenv("S3_ENDPOINT_URL", raising=False)
    with pytest.raises(InputError, match="S3_ENDPOINT_URL"):
        suggestions_at("s3://bucket/folder")


@pytest.fixture
def folder(s3):
    address = f"s3://b{uuid.uuid4().hex[:12]}/suggested"
    Store.from_environment().make_buckets([address.split("/")[2]])
    return address


def lines_in(folder, tmp_path):
    store, lines = Store.from_environment(), []
    for number, address in enumerate(store.files(folder)):
        store.fetch_file(address, tmp_path / str(number))
        lines += (tmp_path / str(number)).read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_servers_share_a_folder_of_object_storage(folder, tmp_path):
    first, second = suggestions_at(folder), suggestions_at(f"{folder}/")
    for number, kept in enumerate((first, second, first)):
        kept.append({"text": f"text {number}"})
    assert {line["text"] for line in lines_in(folder, tmp_path)} == {"text 0", "text 1", "text 2"}


def test_what_a_server_puts_into_object_storage_is_bounded(folder, tmp_path):
    kept = SuggestionObjects(Store.from_environment(), folder, most=100)
    kept.append({"text": "a" * 50})
    for text in ("b" * 50, "c" * 200_000):
        with pytest.raises(SuggestionsFullError):
            kept.append({"text": text})
    assert [line["text"] for line in lines_in(folder, tmp_path)] == ["a" * 50]


def test_object_storage_that_refuses_is_told_apart_and_the_text_is_not_logged(folder, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("kserve"), "propagate", True)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    kept = SuggestionObjects(Store.from_environment(), folder, most=100)
    for _ in range(5):  # None of them keeps its turn or its room.
        with pytest.raises(SuggestionsUnavailableError):
            kept.append({"text": "hunter2"})
    assert "was not stored" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(("secret", "status", "n_stored"), [(None, 200, 1), ("another", 503, 0)])
def test_a_client_is_told_whether_its_suggestion_is_stored(s3, folder, tiny_bundle, tmp_path, secret, status, n_stored):
    environment = s3 | ({"AWS_SECRET_ACCESS_KEY": secret} if secret else {})
    options = ("--api_adapters", "perspective", "--suggestions", folder)
    body = {"comment": {"text": "hunter2"}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}
    with running(tiny_bundle.path, *options, environment=environment) as server:
        answer = requests.post(f"{server.url}/v1alpha1/comments:suggestscore", json=body, timeout=60)
        assert answer.status_code == status
        assert "hunter2" not in server.log
    if status == 503:
        assert answer.json()["error"]["message"] == "suggestions cannot be stored now"
    assert [(line["text"], line["label"]) for line in lines_in(folder, tmp_path)] == [("hunter2", "toxic")] * n_stored


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


def test_a_line_that_a_killed_server_has_torn_spoils_no_other(tmp_path):
    path = tmp_path / "suggested.jsonl"
    for number in range(3):
        SuggestionFile(path).append({"number": number})
    path.write_bytes(path.read_bytes()[:-5])
    SuggestionFile(path).append({"number": 3})
    first, second, torn, last = path.read_text().splitlines()
    assert [json.loads(line)["number"] for line in (first, second, last)] == [0, 1, 3]
    assert torn == '{"number"'
