"""No cell is a formula, and every text comes back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.shared.csv_cells import inert, original

TRICKY = st.text(st.one_of(st.sampled_from("=+-@＝＋－＠\t\r\n'\";,| a"), st.characters()))


@given(TRICKY)
def test_every_text_comes_back(text):
    assert original(inert(text)) == text


@given(TRICKY)
def test_wherever_a_spreadsheet_cuts_a_cell_no_part_is_a_formula(text):
    for part in re.split(r"[;,|\t\r\n]", inert(text)):
        assert not re.match(r'[ "]*[=+\-@＝＋－＠]', part)
    assert not inert(text).startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("you idiot;=1+1", "you idiot;'=1+1"),
        ("'tis", "''tis"),
        ("a - b, c", "a - b, c"),
        ("it's 1+1", "it's 1+1"),
        ("", ""),
    ],
)
def test_only_what_could_begin_a_formula_is_changed(text, cell):
    assert inert(text) == cell
