"""A text is read as its bundle says: by the version of the canonicaliser, masked, and through the Reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text import canonical_v1
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.masking import mask
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS

LEXICON = Lexicon(dict.fromkeys([word for word in (*TOXIC_WORDS, *BENIGN_WORDS) if word.isascii()], 5.0))


def score(bundle, *texts):
    content_filter = ContentFilter.open(bundle.path, threads=1)
    try:
        return content_filter.score(texts).tolist()
    finally:
        content_filter.close()


@pytest.mark.parametrize(
    "text", ["you 1d10t", "id1ot", "i d i o t", "bob@example.com", "\u0456diot", "a11y", "h3llo @someone"]
)
def test_a_bundle_of_version_1_is_read_through_version_1_alone(make_bundle, text):
    bundle = bundles.load(make_bundle(canonical_version="1").path)
    assert Reading.of(bundle)(text) == canonical_v1.canonicalise(text)


def test_a_bundle_of_version_1_scores_what_its_canonicaliser_undoes_like_the_original(make_bundle):
    plain, leet, split = score(make_bundle(canonical_version="1"), "you idiot", "you id1ot", "you i d i o t")
    assert plain == leet == split


def test_a_bundle_without_a_lexicon_is_canonicalised_and_masked(make_bundle):
    bundle = make_bundle()
    assert bundle.lexicon_path is None
    reading = Reading.of(bundle)
    assert reading("id1ot, write to b\u200bob@example.com or @someone") == "id1ot, write to [email] or @user"


def test_a_bundle_with_a_lexicon_restores_words(make_bundle):
    bundle = bundles.load(make_bundle(lexicon=LEXICON).path)
    assert bundles.LEXICON in bundle.spec.files
    assert Reading.of(bundle)("you 1d10t") == "you idiot"
    plain, leet, split = score(bundle, "you idiot", "you 1d10t", "you i d i o t")
    assert plain == leet == split
    (without,) = score(make_bundle("without"), "you 1d10t")
    assert without != plain


@pytest.mark.parametrize(
    "text",
    ["write to bob@example.com today", "Great!Thanks", "@someone_else hi", "call 010-1234-5678", "@someone\u200b you",
     "@username hi", "@user1234", "@userland and @user", "@john.doe", "ju\u0308rgen@example.com", "010–1234–5678"],
)  # fmt: skip
def test_a_masked_training_text_and_the_text_as_a_user_wrote_it_are_read_alike(text):
    reading = Reading()
    assert reading(mask(text)) == reading(text)


@pytest.mark.parametrize("text", ["you 1d10t", "bob@example.com", "@someone_else hi", "\u0456diot"])
def test_reading_a_canonical_text_is_reading_the_text(make_bundle, text):
    reading = Reading.of(make_bundle(lexicon=LEXICON))
    assert reading(canonicalise(text)) == reading(text)


def test_a_lexicon_that_can_not_be_read_is_refused(make_bundle):
    bundle = make_bundle(lexicon=LEXICON)
    (bundle.path / bundles.LEXICON).write_text("{}")
    with pytest.raises(BundleError, match="lexicon"):
        Reading.of(bundle)
    with pytest.raises(BundleError, match=r"lexicon\.json .* was changed"):
        bundles.load(bundle.path)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("please write to bob@example.com", "please write to [email]"),
        ("ｃａｌｌ +82 10-1234-5678", "call [phone]"),
        ("hi @somebody", "hi @user"),
        ("hi @useridiot", "hi @user"),
        ("Great!Thanks", "Great!Thanks"),
    ],
)
def test_what_is_masked_in_training_is_masked_in_serving(text, read):
    assert Reading()(text) == read
    assert Reading()(read) == read


def test_a_lexicon_that_the_manifest_does_not_list_is_not_read(make_bundle):
    bundle = make_bundle()
    (bundle.path / bundles.LEXICON).write_text("anything")
    assert bundles.load(bundle.path).lexicon_path is None


_KNOWN = "you are a idiot please go kill yourself name bitch dumb hi to write"
WORDS = Reader(Lexicon(dict.fromkeys(_KNOWN.split(), 5.0)))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("you are a @idiot", "you are a @user idiot"),
        ("@Bitch please", "@user bitch please"),
        ("hi @Idiot99!", "hi @user idiot!"),
        ("go@kill.yourself", "[email] go kill yourself"),
        ("hi @useridiot", "hi @user idiot"),
        # Several words are the name of a person most of the time.
        ("hi @name_bitch and @namebitch", "hi @user and @user"),
        # Who is not a word is not read, nor is what resembles one.
        ("hi @someone_else", "hi @user"),
        ("hi @idiott you", "hi @user you"),
        ("hi @user, @user1234 and @useruser", "hi @user, @user and @user"),
        ("write to idiot@example.com", "write to [email]"),
        ("write to you@idiot.com", "write to [email] you idiot"),
    ],
)
def test_the_words_that_an_address_is_made_of_are_read_behind_its_mask(text, read):
    reading = Reading(reader=WORDS)
    assert reading(text) == read
    assert reading(read) == read
    assert reading(mask(read)) == read


_PIECES = ["@user", "@idiot", "@", "dumb", "bitch", "go@kill.", "you", " ", "_", "1"]


@given(st.text() | st.lists(st.sampled_from(_PIECES)).map("".join))
@settings(deadline=None)
def test_reading_masks_all_that_masking_masks(text):
    reading = Reading(reader=WORDS)
    assert mask(reading(text)) == reading(text)
