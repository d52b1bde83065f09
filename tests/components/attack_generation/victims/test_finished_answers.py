"""What a filter answered is kept, whatever becomes of its other answers."""

import threading
import time

import pytest

from content_arena.components.attack_generation.victims import EndpointVictim
from content_arena.components.attack_generation.victims.dialects import dialect
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.shared.errors import VictimError

TEXTS = [f"text {number}" for number in range(40)]


def one_by_one(reply, path, **options):
    """A filter that takes one text a request."""
    speaks = dialect("p", '{"q": "$text"}', f"{reply.url}/score")
    return EndpointVictim(f"{reply.url}/score", speaks=speaks, journal=Journal(path), **options)


def test_answers_that_came_before_an_error_are_kept_in_whatever_order(reply, tmp_path):
    others = threading.Event()

    def answer(body):
        if body["q"] == TEXTS[0]:
            others.wait(20)
            return {"nothing": "of use"}
        if len(reply.paths) >= len(TEXTS) - 1:
            others.set()
        return {"p": 0.25}

    reply.make = answer
    with pytest.raises(VictimError, match="not scores"):
        one_by_one(reply, tmp_path / "a.jsonl").score(TEXTS)
    kept = Journal(tmp_path / "a.jsonl")
    assert len(kept) >= len(TEXTS) - 8
    assert kept.get(TEXTS[0]) is None
    reply.make = lambda body: {"p": 0.25}
    asked = len(reply.paths)
    assert one_by_one(reply, tmp_path / "a.jsonl").score(TEXTS).tolist() == [0.25] * len(TEXTS)
    assert len(reply.paths) - asked <= 4 + len(TEXTS) - len(kept)


def test_an_error_does_not_wait_for_texts_that_are_to_be_asked_again(reply, tmp_path):
    def answer(body):
        if body["q"] != TEXTS[0]:
            return 429, {}
        while len(reply.paths) < 8:
            time.sleep(0.01)
        return {"nothing": "of use"}

    # Of eight requests one ends the battle, and seven would be repeated 40 times, a minute each.
    reply.make, reply.headers = answer, {"Retry-After": "60"}
    ended = threading.Event()

    def score():
        with pytest.raises(VictimError, match="not scores"):
            one_by_one(reply, tmp_path / "a.jsonl").score(TEXTS[:8])
        ended.set()

    threading.Thread(target=score, daemon=True).start()
    assert ended.wait(30), "the battle still waits for texts that nobody wants an answer to"


def test_an_answer_behind_a_line_that_was_not_finished_is_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    Journal(path).add(["one"], [(0.5, None)])
    with path.open("a") as file:
        file.write('{"cut off": [0.')
    Journal(path).add(["two", "three"], [(0.25, False), (1.0, True)])
    kept = Journal(path)
    assert [kept.get(text) for text in ("one", "two", "three")] == [(0.5, None), (0.25, False), (1.0, True)]
    assert len(kept) == 3
