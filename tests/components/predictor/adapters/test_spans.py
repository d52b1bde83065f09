"""Cutting texts loses nothing, and never makes a part that is too long."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.predictor.adapters.spans import MAX_SENTENCES, Span, in_utf16, pieces, sentences

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\n\"')…。가\U0001f600\u3000"), max_size=120) | st.text(max_size=50)


def shown(text, spans):
    return [text[span.begin : span.end] for span in spans]


@given(TEXTS, st.integers(2, 9))
def test_pieces_hold_every_character_but_white_space(text, longest):
    found = shown(text, pieces(text, longest))
    assert all(0 < len(piece) <= longest and not piece.isspace() for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@given(TEXTS, st.integers(2, 30))
def test_sentences_hold_every_character_but_white_space_between_them(text, longest):
    found = sentences(text, longest)
    assert all(one.end <= other.begin for one, other in pairwise(found))
    assert "".join("".join(shown(text, found)).split()) == "".join(text.split())
    assert all(span.end - span.begin <= longest for span in found)


def test_sentences_end_with_marks_and_lines():
    text = 'Pay 3.50 now! "Really?" Yes... 그래요。네\nlast line'
    assert shown(text, sentences(text)) == ["Pay 3.50 now!", '"Really?"', "Yes...", "그래요。", "네", "last line"]
    assert sentences(" \n ") == []


def test_a_text_of_many_sentences_has_few_spans():
    text = "Hm. " * 5_000
    found = sentences(text, 20_000)
    assert MAX_SENTENCES / 2 < len(found) <= MAX_SENTENCES
    assert found[-1].end == len(text) - 1


@given(TEXTS)
def test_utf16_counts_as_the_encoding_does(text):
    (span,) = in_utf16(text, [Span(0, len(text))])
    assert span == (0, len(text.encode("utf-16-le", "surrogatepass")) // 2)
