"""How a model reads a text: one place for serving, training, attacking and judging."""

import dataclasses

import pytest

from content_arena.components.shared import bundle as bundles
from content_arena.components.shared import canonical_v1
from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.reader import lexicon as lexicons
from content_arena.components.shared.reader.reader import Reader
from content_arena.components.shared.reading import Reading

WORDS = {word: rank for rank, word in enumerate(["you", "are", "an", "idiot", "the", "a", "to", "is", "not", "very"])}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("please write to bob@example.com", "please write to [email]"),
        ("ｃａｌｌ +82 10-1234-5678", "call [phone]"),
        ("hi @somebody", "hi @user"),
        ("hi @useridiot", "hi @user idiot"),
        ("Great!Thanks", "Great!Thanks"),
    ],
)
def test_masks_what_was_masked_in_training(text, read):
    assert Reading()(text) == read
    assert Reading()(read) == read


def test_version_1_reads_as_it_always_did():
    for text in ("please write to bob@example.com", "Great!Thanks", "h3llo", "🅸"):
        assert Reading("1")(text) == canonical_v1.canonicalise(text)


def test_a_version_nobody_wrote_is_refused():
    with pytest.raises(BundleError, match="canonicaliser 9"):
        Reading("9")


def test_restores_words_after_canonicalising_and_masking():
    reading = Reading(reader=Reader(lexicons.build(WORDS, [])))
    assert reading("🆈🅾🆄 are @useridi0t") == "YOU are @user idiot"


@pytest.fixture
def with_lexicon(make_bundle, tmp_path):
    """A bundle that has a lexicon, sealed."""
    plain = make_bundle("plain")
    lexicons.build(WORDS, []).save(plain.path / bundles.LEXICON)
    (plain.path / bundles.MANIFEST).unlink()
    return bundles.seal(plain.path, plain.spec, tmp_path / "sealed")


def test_a_bundle_is_read_through_its_lexicon(with_lexicon, make_bundle):
    loaded = bundles.load(with_lexicon.path)
    assert bundles.LEXICON in loaded.spec.files
    restoring, plain = ContentFilter(loaded, threads=1), ContentFilter(make_bundle("other"), threads=1)
    clean, perturbed = restoring.score(["you idiot", "youidiot"])
    assert clean == perturbed
    assert plain.reading.reader is None
    clean, perturbed = plain.score(["you idiot", "youidiot"])
    assert clean != perturbed


def test_a_lexicon_that_the_manifest_does_not_list_is_not_read(make_bundle):
    bundle = make_bundle()
    (bundle.path / bundles.LEXICON).write_text("anything")
    assert bundles.load(bundle.path).lexicon_path is None


def test_a_changed_lexicon_is_refused(with_lexicon):
    path = with_lexicon.path / bundles.LEXICON
    path.write_text(path.read_text() + " ")
    with pytest.raises(BundleError, match="was changed"):
        bundles.load(with_lexicon.path)


def test_a_bundle_of_the_first_release_is_served_through_its_own_version(make_bundle, tmp_path):
    made = make_bundle("made")
    (made.path / bundles.MANIFEST).unlink()
    old = bundles.seal(made.path, dataclasses.replace(made.spec, canonical_version="1"), tmp_path / "old")
    model = ContentFilter(bundles.load(old.path), threads=1)
    assert model.reading("idi0t") == "idiot"
    assert model.score(["idi0t"]) == model.score(["idiot"])
