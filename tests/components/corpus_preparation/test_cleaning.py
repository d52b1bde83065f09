"""Masking and dropping: properties of any text, and a case for each reason."""

import random
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.cleaning import clean, comparison_key
from content_arena.components.shared.text.masking import mask

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "looked",
    "over",
    "quiet",
    "fields",
    "while",
    "rain",
    "fell",
    "softly",
    "on",
    "every",
    "roof",
    "in",
    "town",
]


def table(*rows):
    return pd.DataFrame(rows, columns=["text", "label"], dtype=object)


def dropped(*rows):
    kept, counts = clean(table(*rows))
    return kept["text"].tolist(), {reason: n for reason, n in counts.items() if n}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jane.doe+x@mail.example.co.uk!", "write to [email]!"),
        ("메일은jane@example.com으로", "메일은[email]으로"),
        ("<a_b@example.com>,c@example.org", "<[email]>,[email]"),
        ("RT @some_one: hi", "RT @user: hi"),
        (".@Someone1 and @Another", ".@user and @user"),
        ("형@username님 안녕", "형@user님 안녕"),
        ("call 010-1234-5678 now", "call [phone] now"),
        ("01012345678로 전화", "[phone]로 전화"),
        ("서울 02-123-4567", "서울 [phone]"),
        ("(212) 555-0123 or 212.555.0123", "[phone] or [phone]"),
        ("1-800-555-0199, ok", "[phone], ok"),
        ("+44 20 7946 0958.", "[phone]."),
        ("+442071234567", "[phone]"),
        ("+82 10-1234-5678", "[phone]"),
        ("020 7946 0958 / 07700 900123", "[phone] / [phone]"),
        ("06 12 34 56 78", "[phone]"),
        ("01012345678(212)555-0123", "[phone][phone]"),
        ("010-1234-5678,010-2345-6789", "[phone],[phone]"),
        ("010-1234-5678/010-2345-6789/02-123-4567.", "[phone]/[phone]/[phone]."),
        ("010–1234–5678, +49\u00a0151\u00a023456789", "[phone], [phone]"),
        ("0151 23456789, 089/1234567", "[phone], [phone]"),
        ("jürgen@example.com, ju\u0308rgen@bücher.de", "[email], [email]"),
        ("иван@пример.рф", "[email]"),
        ("@john.doe, @garcía. @müller", "@user, @user. @user"),
        ("@alice@mastodon.social!", "@user!"),
    ],
)
def test_masks_what_points_at_a_person(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "p@ss and @ss, @$$hole, @sshole, @ssh0le, b@stard, sh!t@",
        "in 1999-2004 they won 21-19, 6-4, 6-3 and 102:98",
        "1,299,000 won, $1 234 567, 3.14159265, 50%, 2024-11-21 12:30:45",
        "order 123456789012, timestamp 1700000000, version 10.15.7, IP 192.168.100.200",
        "call 911 or 112, ISBN 978-3-16-148410-0",
        "the 1914-1918 war, 100 000 000 people, +100 xp, +1",
        "3,010-1234 and 1/010-1234-5678, 12/24/2024, 0,5/0,75, 01/02/2003, 007 123456, 1:0123 12345",
        "5 @ 3, me @ home, user@, @me",
        "1234-5678-9012-3456",
    ],
)
def test_leaves_other_numbers_and_leet_alone(text):
    assert mask(text) == text


TRICKY = st.text(alphabet=list("ab1209@._-+()[] :/$é한")) | st.lists(
    st.sampled_from(
        [
            "@user",
            "@abcd",
            "a@b.co",
            "010-1234-5678",
            "(212) 555-0123",
            "+44 20 7946 0958",
            " ",
            "-",
            ".",
            "@",
            "a",
            "9",
        ]
    )
).map("".join)


@given(st.text() | TRICKY)
@settings(max_examples=1_000)
def test_masking_twice_is_masking_once(text):
    assert mask(mask(text)) == mask(text)


@given(st.text(st.characters(exclude_characters="@", exclude_categories=["N"])))
def test_masking_leaves_text_without_at_and_digits(text):
    assert mask(text) == text


@given(st.lists(st.tuples(st.text() | TRICKY, st.sampled_from(["toxic", "benign"])), max_size=12))
def test_every_row_is_kept_or_counted_and_kept_ones_are_clean(rows):
    kept, counts = clean(table(*rows))
    assert len(kept) + sum(counts.values()) == len(rows)
    assert kept["key"].is_unique
    assert all(key and key == comparison_key(text) for key, text in zip(kept["key"], kept["text"], strict=True))
    again, more = clean(kept[["text", "label"]])
    assert again["text"].tolist() == kept["text"].tolist()
    assert not any(more.values())


def test_drops_what_is_too_long_before_and_after_masking():
    grows = "a@b.co " * 714  # 4,998 characters, longer with [email]
    rows = [("x" * 5_001, "toxic"), ("y" * 5_000, "toxic"), (grows, "toxic"), (" " * 6_000 + "short", "toxic")]
    assert dropped(*rows) == (["y" * 5_000, "short"], {"too_long": 2})


def test_drops_what_nothing_is_left_of():
    assert dropped(("", "toxic"), ("\u200b \u00ad", "toxic"), ("\n", "benign"), ("a", "benign")) == (
        ["a"],
        {"empty": 3},
    )


def test_drops_undecodable_rows():
    assert dropped(("a\udce9", "toxic"), ("b", "toxic")) == (["b"], {"undecodable": 1})


def test_compares_canonical_masked_and_casefolded_texts():
    rows = [("You idi0t @someone", "toxic"), ("you IDIOT  @another", "toxic"), ("you id\u200biot @third", "toxic")]
    assert dropped(*rows) == (["You idi0t @user"], {"exact_duplicate": 2})


def test_drops_all_texts_of_a_contradiction():
    rows = [("Same thing", "toxic"), ("same thing", "benign"), ("SAME THING", "toxic"), ("other", "benign")]
    assert dropped(*rows) == (["other"], {"contradictory_label": 3})


def test_keeps_the_first_of_near_duplicates_and_both_of_a_minimal_pair():
    text = "please stop feeding the birds in front of the library, they have become a real nuisance for all who read"
    rows = [(text, "benign"), (text + "!!", "benign"), (text + "?", "toxic")]
    assert dropped(*rows) == ([text, text + "?"], {"near_duplicate": 1})


def test_says_how_many_rows_are_done():
    told = []
    rows = [(" ".join(WORDS[n:] + WORDS[:n]), "toxic" if n % 2 else "benign") for n in range(8)]
    clean(table(*rows), tell=lambda step, done, total: told.append((step, done, total)))
    assert told[:2] == [("masked", 8, 8), ("canonicalised", 8, 8)]
    assert {(step, total) for step, _, total in told[2:]} == {("compared, benign", 4), ("compared, toxic", 4)}
    assert all(done <= total for _, done, total in told)


def test_cleaning_is_fast():
    rng = random.Random(7)
    rows = [(" ".join(rng.choices(WORDS, k=16)) + str(n), rng.choice(["toxic", "benign"])) for n in range(6_000)]
    started = time.process_time()
    clean(table(*rows))
    assert time.process_time() - started < 5  # 25,000 in 20 s, so 6,000 in 5 s


@pytest.mark.parametrize("unit", ["@a.", "é@é.", "01-", "010-1234-5678,", "0123 123456/", "+1 ", "06 12 ", "@abcd."])
def test_masking_takes_linear_time(unit):
    started = time.perf_counter()
    mask(unit * 20_000)
    assert time.perf_counter() - started < 20
