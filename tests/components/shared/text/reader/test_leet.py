"""Texts in leet: words that look like a quantity, or are too short to be read alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

_COMMON = "the a i to of is in you are an and with this shut up go not that on it take for will anyone at"
_OTHERS = "idiot idiots moron squad boil trash thick pathetic deputy loser ward award step washed about"
LEXICON = Lexicon(
    dict.fromkeys(_COMMON.split(), 5.0) | dict.fromkeys(_OTHERS.split(), 9.0),
    kept=frozenset({"dunderhead", "ist"}),
)


@pytest.fixture(scope="module")
def reading():
    return Reading(reader=Reader(LEXICON))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("5hut up y0u 1d10t", "shut up you idiot"),
        ("g0 t0 th3 5quad, 4 m0ron!", "go to the squad, a moron!"),
        ("! 4m n0t @n id!ot, y0u @re", "i 4m not an idiot, you are"),
        ("that'5 th3 depu7y'$ tr@sh", "that's the deputy's trash"),
        ("!'|l b0il y0u", "i'll boil you"),
        ("th3 w4$h3d-up th!ck-up d3pu7y", "the washed-up thick-up deputy"),
        ("tr4sh y0u", "trash you"),
        ("a dund3rh3ad and 4 l0ser", "a dunderhead and a loser"),
        ('(1d10t5) "m0ron"...', '(idiots) "moron"...'),
    ],
)
def test_words_of_a_text_in_leet_are_read(reading, text, read):
    assert reading(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "8oil up",
        "on the 4th of 10k at 7pm, 1. 2. 3. 4. and 50mm",
        "f16 is 4 u, 2 of 1",
        "not that! It! You! Go!",
        "MI6, G0 and M4",
    ],
)
def test_one_word_with_digits_makes_no_leet(reading, text):
    assert reading(text) == text


def test_quantities_stay_beside_leet(reading):
    assert reading("th3 l0ser is 4th in the 10k at 7pm") == "the loser is 4th in the 10k at 7pm"


def test_a_word_goes_on_before_a_digit(reading):
    """``trash y0u`` is no ``trashy``."""
    lexicon = Lexicon({**LEXICON.costs, "trashy": 12.0}, kept=LEXICON.kept)
    assert Reader(lexicon).read("trash y0u") == "trash you"


def test_an_at_that_is_a_letter_hides_no_word(reading):
    assert reading("go @nyone, @ward, @loser, @nderson") == "go @user anyone, @user award, @user loser, @user"


@given(st.text(alphabet=list("adiotshu105!@$|4'-. "), max_size=60))
@settings(deadline=None)
def test_nothing_but_spaces_parts_the_words(text):
    """However it is read, no text gets empty, and white space stays single."""
    read = Reader(LEXICON).read(" ".join(text.split()))
    assert bool(read) == bool(text.split())
    assert read == " ".join(read.split())
