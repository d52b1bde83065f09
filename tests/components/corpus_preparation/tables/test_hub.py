"""Data sets of the hub: what is read, and what a failure means."""

import datasets
import pytest

from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.corpus_preparation.tables import hub
from content_arena.components.shared.errors import InputError


@pytest.fixture(autouse=True)
def reached(monkeypatch):
    monkeypatch.setattr(hub, "_is_reached", lambda: True)


def failing(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(InputError) as caught:
        ingest("hf://owner/name", "en")
    return str(caught.value)


def test_reads_a_data_set_and_the_names_of_its_classes(monkeypatch):
    asked = []
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["non-hate", "hate"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, -1]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: asked.append((args, kwargs)) or data)
    found = ingest("hf://owner/name:config/test", "en")
    assert found.table["label"].tolist() == ["benign", "toxic"]
    assert found.dropped["unlabelled"] == 1
    assert ingest("hf://owner/name", "en").n_read == 3
    assert asked == [(("owner/name", "config"), {"split": "test"}), (("owner/name", None), {"split": "train"})]


def test_a_data_set_that_is_a_script_is_said_to_be_one(tmp_path, monkeypatch):
    (tmp_path / "scripted").mkdir()
    (tmp_path / "scripted" / "scripted.py").write_text("import datasets")
    with pytest.raises(RuntimeError) as caught:
        datasets.load_dataset(str(tmp_path / "scripted"))
    message = failing(monkeypatch, caught.value)
    assert "is a script" in message
    assert "refs/convert/parquet" in message
    assert "give the path of one" in message


def test_a_machine_without_the_hub_is_told_from_a_wrong_name(monkeypatch):
    wrong = failing(monkeypatch, datasets.exceptions.DatasetNotFoundError("Dataset 'owner/name' doesn't exist"))
    assert "the hub has no data set owner/name" in wrong
    assert "does not reach" not in wrong
    offline = failing(monkeypatch, ConnectionError("Couldn't reach 'owner/name' on the Hub (OfflineModeIsEnabled)"))
    unreached = failing(monkeypatch, ConnectionError("no route to host"))
    for message in (offline, unreached):
        assert "this machine does not reach the hub" in message
        assert "no data set" not in message


def test_an_unreachable_hub_is_not_waited_for(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(hub, "_is_reached", lambda: False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(InputError, match="this machine does not reach the hub"):
        ingest("hf://owner/no-such-data-set", "en")


def test_a_name_that_is_none_is_refused():
    with pytest.raises(InputError, match="no data set of the hub"):
        ingest("hf://owner/name/split/more", "en")
