"""Version 1 of the canonicaliser: laws that hold for any text, and one case per kind of edit it undoes."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from content_arena.components.shared.text import hangul
from content_arena.components.shared.text.canonical_v1 import canonicalise

# Characters that interact: look-alikes, marks, jamo, controls, gaps, leet.
TRICKY = st.text(
    alphabet=list("ab1IoO0@$!. -_*\t\x08\u200b\u202e\u202cаеоіρο\u0301\u0336ㄱㄴㅏㅋㅠ가\u1100\u1161\u11a8éßﬁ①ﾊﾞが")
)


@given(st.text() | TRICKY)
@settings(max_examples=400)
@example("\u0308\u1100 . ")
def test_is_idempotent(text):
    once = canonicalise(text)
    assert canonicalise(once) == once


@given(st.text() | TRICKY)
def test_leaves_no_surrounding_or_double_space(text):
    assert canonicalise(text) == " ".join(canonicalise(text).split())


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_keeps_hangul_syllables(text):
    assert canonicalise(text) == text


@given(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
@example("훟")
def test_taking_a_syllable_apart_and_composing_it_gives_it_back(syllable):
    jamo = hangul.decompose(syllable)
    assert hangul.compose(*jamo) == syllable
    # Alone these laugh and weep; beside others they spell.
    is_emotion = not set("".join(jamo)) - set("ㅋㅎㅠㅜㅡㅗ")
    assert hangul.recompose("".join(jamo)) == ("".join(jamo) if is_emotion else syllable)
    assert hangul.recompose("ㅂㅏ" + "".join(jamo)) == f"바{syllable}"
    assert canonicalise(unicodedata.normalize("NFD", syllable)) == syllable


@pytest.mark.parametrize(
    ("perturbed", "expected"),
    [
        ("ｉdi0t", "idiot"),
        ("іdіоt", "idiot"),
        ("𝓲𝓭𝓲𝓸𝓽", "idiot"),
        ("id\u200biot", "idiot"),
        ("id\u00adiot", "idiot"),
        ("i\U000e0061diot", "idiot"),
        ("ido\x08iot", "idiot"),
        ("\u202etoidi\u202c", "idiot"),
        ("i̷d̸i̴o̵t̶", "idiot"),
        ("i d i o t", "idiot"),
        ("i.d.i.o.t", "idiot"),
        ("$tup1d a$$", "stupid ass"),
        ("ㅂㅏㅂㅗ", "바보"),
        ("ㄷㅏㄹㄱ", "닭"),
        ("ㅇㅏㄴㄴㅕㅇ", "안녕"),
        ("ᄇ\u200bᅡ보", "바보"),
    ],
)
def test_undoes(perturbed, expected):
    assert canonicalise(perturbed) == expected


@pytest.mark.parametrize(
    "text",
    [
        "привет, как дела",
        "καλημέρα κόσμε".replace("έ", "ε").replace("ό", "ο"),
        "ㅋㅋㅋ ㅠㅠ ㅋㅋㅠㅠ",
        "mp3 gpt4 2nd 10:30 100% C++ 3-1",
        "hi @user1",
        "がガ 日本語 中文",
        "Straße 100€",
    ],
)
def test_keeps_what_is_meant(text):
    assert canonicalise(text) == text


def test_takes_an_empty_text():
    assert canonicalise("") == ""
    assert canonicalise("\u200b\u3164") == ""
