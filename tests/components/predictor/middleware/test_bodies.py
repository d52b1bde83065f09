"""What is looked at before anything is built of a body, for any text and for any place at which it is cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.predictor.middleware.bodies import (
    MAX_JSON_VALUES,
    BodyError,
    announced_length,
    check_json,
    check_start,
)

TEXTS = st.lists(st.text(max_size=40), max_size=20)


@given(TEXTS, st.booleans(), st.floats(0, 1))
def test_no_start_of_a_request_is_refused(texts, ascii_only, share):
    body = json.dumps({"instances": texts, "parameters": {"read_as": True}}, ensure_ascii=ascii_only)
    data = body.encode("utf-8", "surrogatepass")
    check_start(data[: round(share * len(data))])


@pytest.mark.parametrize("character", ["a", '"', "\\", "\ufdfa", "\U0001f600"])
def test_no_start_of_the_longest_texts_is_refused(character):
    body = json.dumps({"instances": [character * 5_000] * 2}).encode()
    for end in range(len(body) - 300, len(body), 7):
        check_start(body[:end])
    check_start(body[:65_536])


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"[" + b"[]," * (MAX_JSON_VALUES + 1), "values"),
        (b"[" + b"1," * (MAX_JSON_VALUES + 1), "values"),
        (b'{"instances": ["' + b"a" * 60_100, "string"),
    ],
)
def test_a_start_that_no_request_has_is_refused(start, said):
    with pytest.raises(BodyError, match=said):
        check_start(start)


def test_a_string_without_an_end_is_refused_in_a_whole_body_only():
    body = b'{"instances": [' + b'"a", ' * 2_000 + b" " * 65_536 + b'"b'
    check_start(body)
    with pytest.raises(BodyError, match="without an end"):
        check_json(body)


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, 0),
        ({b"content-length": b"0"}, 0),
        ({b"host": b"a", b"content-length": b"70000"}, 70_000),
        ({b"content-length": b"-1"}, None),
        ({b"content-length": b""}, None),
        ({b"transfer-encoding": b"chunked"}, None),
        ({b"content-length": b"5", b"transfer-encoding": b"chunked"}, None),
    ],
)
def test_what_headers_say_of_the_body_that_follows(headers, length):
    assert announced_length(headers.items()) == length
