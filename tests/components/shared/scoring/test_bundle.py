"""Bundles: a sealed bundle can be opened, and a changed one is refused."""

import hashlib
import json

import pytest

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring import bundle as bundles


def rewrite(bundle, **changes):
    """Changes fields of bundle.json; a value of None takes the field out."""
    manifest = bundle.path / bundles.MANIFEST
    raw = json.loads(manifest.read_text()) | changes
    manifest.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))


def test_opens_what_was_sealed(tiny_bundle):
    opened = bundles.load(tiny_bundle.path)
    assert opened == tiny_bundle
    assert set(opened.spec.files) == {bundles.MODEL, bundles.TOKENIZER, "model_card.md"}
    assert opened.model_path.is_file()
    assert opened.tokenizer_path.is_file()


def test_same_content_same_digest(make_bundle):
    assert make_bundle("a").spec.digest == make_bundle("b").spec.digest
    assert make_bundle("a2", weights_seed=1).spec.digest != make_bundle("b2").spec.digest


@pytest.mark.parametrize("name", [bundles.MODEL, bundles.TOKENIZER, "model_card.md"])
def test_refuses_a_changed_file(make_bundle, name):
    bundle = make_bundle()
    data = bytearray((bundle.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle.path / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} .* was changed"):
        bundles.load(bundle.path)


@pytest.mark.parametrize("name", [bundles.MODEL, bundles.TOKENIZER, "model_card.md"])
def test_refuses_a_missing_file(make_bundle, name):
    bundle = make_bundle()
    (bundle.path / name).unlink()
    with pytest.raises(BundleError, match=f"misses {name}"):
        bundles.load(bundle.path)


@pytest.mark.parametrize("name", [bundles.MODEL, bundles.TOKENIZER])
def test_refuses_to_do_without_model_or_tokenizer(make_bundle, name):
    bundle = make_bundle()
    rewrite(bundle, files={key: value for key, value in bundle.spec.files.items() if key != name})
    with pytest.raises(BundleError, match=f"lists no {name}"):
        bundles.load(bundle.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"surprise": 1}, "not a bundle of format"),
        ({"threshold": None}, "not a bundle of format"),
        ({"files": None}, "not a bundle of format"),
        ({"format": 2}, "has format 2"),
        ({"canonical_version": "0"}, "behind canonicaliser 0"),
        ({"ngram_version": 99}, "n-grams of version 99"),
        ({"threshold": "0.5"}, "has threshold '0.5'"),
        ({"threshold": float("nan")}, "has threshold nan"),
        ({"threshold": 1.5}, "has threshold 1.5"),
        ({"threshold": True}, "has threshold True"),
        ({"max_length": 0}, "has max_length 0"),
        ({"max_length": "many"}, "has max_length 'many'"),
        ({"files": ["model.onnx"]}, "lists no files"),
    ],
)
def test_refuses_a_manifest_it_does_not_understand(make_bundle, changes, message):
    bundle = make_bundle()
    rewrite(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        bundles.load(bundle.path)


@pytest.mark.parametrize("text", ["", "{", "[]", '"bundle"', "\xff"])
def test_refuses_a_manifest_that_is_none(make_bundle, text):
    bundle = make_bundle()
    (bundle.path / bundles.MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError):
        bundles.load(bundle.path)


@pytest.mark.parametrize("kind", ["parent", "absolute", "link"])
def test_refuses_files_outside_itself(make_bundle, tmp_path, kind):
    bundle = make_bundle()
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    name = {"parent": "../outside.txt", "absolute": str(outside), "link": "inside.txt"}[kind]
    if kind == "link":
        (bundle.path / name).symlink_to(outside)
    rewrite(bundle, files=bundle.spec.files | {name: "0" * 64})
    with pytest.raises(BundleError, match="outside itself"):
        bundles.load(bundle.path)


def test_finds_a_nested_bundle(make_bundle, tmp_path):
    bundle = make_bundle("model/artifacts/bundle")
    assert bundles.find(tmp_path) == bundle.path
    assert bundles.find(bundle.path) == bundle.path
    assert bundles.load(tmp_path / "model") == bundle


def test_does_not_choose_between_two(make_bundle, tmp_path):
    make_bundle("a")
    make_bundle("b")
    with pytest.raises(BundleError, match="2 bundles"):
        bundles.find(tmp_path)


@pytest.mark.parametrize("name", ["", "absent"])
def test_says_where_there_is_none(tmp_path, name):
    with pytest.raises(BundleError, match=r"no bundle \(bundle.json\) in"):
        bundles.find(tmp_path / name)


def test_seals_into_an_empty_folder_only(make_bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    assert bundles.load(make_bundle("empty").path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(BundleError, match="not empty"):
        make_bundle("full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_bundle_without_attributes_has_the_digest_that_it_always_had(tiny_bundle):
    written = (tiny_bundle.path / bundles.MANIFEST).read_text(encoding="utf-8")
    assert "attributes" not in json.loads(written)
    assert bundles.load(tiny_bundle.path).spec.digest == hashlib.sha256(written.encode()).hexdigest()


@pytest.mark.parametrize("attributes", [["INSULT"], {"INSULT": "0.5"}, {"INSULT": 1.5}, {"INSULT": float("nan")}])
def test_attributes_are_names_with_thresholds(make_bundle, attributes):
    bundle = make_bundle(attributes={"INSULT": 0.5})
    assert bundles.load(bundle.path).spec.attributes == {"INSULT": 0.5}
    rewrite(bundle, attributes=attributes)
    with pytest.raises(BundleError, match="attributes that are no names"):
        bundles.load(bundle.path)
