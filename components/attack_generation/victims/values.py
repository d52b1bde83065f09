"""Reads what a filter says about one text: a score, a verdict, or both."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice

from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.corpus_preparation.tables.labels import meaning_of

#: Words of moderation services that no data set uses as a label.
_FLAGGED = frozenset({"unsafe", "flagged", "flag", "blocked", "block", "rejected", "reject", "deny", "label_1"})
_PASSED = frozenset({"unflagged", "allowed", "allow", "passed", "pass", "accept", "accepted", "approve", "label_0"})
_SCORES = ("toxic_score", "score")
_VERDICTS = ("is_toxic", "verdict")
#: Keys that an error message may show: those of a schema, and no text of a user.
_KEY = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)
_KEYS_SHOWN, _DEPTH_SHOWN = 8, 4


class UnreadableError(ValueError):
    """A value that is neither a score nor a verdict; the message does not quote it."""


def answer_of(value: object) -> Answer:
    """Score and verdict of one text.

    Args:
        value: A probability; a verdict (true, false or a word); an object with ``toxic_score`` or ``score``, and
            ``is_toxic`` or ``verdict``; or one with the probabilities or logits of the classes ``"0"`` and ``"1"``, of
            which ``"1"`` is toxic. A verdict alone counts as a score of 1 or 0.

    Raises:
        UnreadableError: It is none of these.
    """
    if not isinstance(value, dict):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return probability(value), None
        return _of_verdict(verdict(value))
    if set(value) == {"0", "1"}:
        return of_classes(value["0"], value["1"]), None
    score = next((value[name] for name in _SCORES if name in value), None)
    said = next((verdict(value[name]) for name in _VERDICTS if name in value), None)
    if score is None:
        if said is None:
            raise UnreadableError(f"no {' or '.join((*_SCORES, *_VERDICTS))} in {shape_of(value)}")
        return _of_verdict(said)
    return probability(score), said


def probability(value: object) -> float:
    """A score.

    Raises:
        UnreadableError: It is no number from 0 to 1.
    """
    try:
        number = math.nan if isinstance(value, bool) or value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        raise UnreadableError(f"{shape_of(value)} where a score from 0 to 1 was expected")
    return number


def verdict(value: object) -> bool:
    """A verdict: true or false, 1 or 0, or a word such as toxic, unsafe, benign, ok.

    Of several lines the first counts: a chat model that guards others answers ``unsafe`` and then the reasons.

    Raises:
        UnreadableError: It is none of these.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = next(iter(value.strip().splitlines()), "").strip().rstrip(".!").casefold()
        if word in _FLAGGED or word in _PASSED:
            return word in _FLAGGED
        value = word
    meaning = meaning_of(value) if isinstance(value, str | int | float) else None
    if meaning in ("toxic", "benign"):
        return meaning == "toxic"
    raise UnreadableError(f"{shape_of(value)} where a verdict (true/false, 1/0 or a known word) was expected")


def of_classes(benign: object, toxic: object) -> float:
    """The probability of the second of two classes, from two probabilities or two logits.

    Raises:
        UnreadableError: They are neither.
    """
    pair = [each for each in (benign, toxic) if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(pair) != 2 or not all(map(math.isfinite, pair)):
        raise UnreadableError("an object of classes whose values are no numbers")
    low, high = pair
    if min(pair) < 0 or max(pair) > 1:
        return float(1 / (1 + math.exp(min(low - high, 700.0))))
    if not math.isclose(low + high, 1, abs_tol=0.02):
        raise UnreadableError("two classes whose probabilities do not add up to 1")
    return float(high)


def shape_of(value: object, depth: int = 0) -> str:
    """What a JSON value looks like, without any of its texts and numbers, for an error message."""
    if isinstance(value, Mapping):
        if depth >= _DEPTH_SHOWN:
            return "{...}"
        parts = [f"{_key(key)}: {shape_of(inner, depth + 1)}" for key, inner in islice(value.items(), _KEYS_SHOWN)]
        return f"{{{', '.join([*parts, *(['...'] if len(value) > _KEYS_SHOWN else [])])}}}"
    if isinstance(value, list | tuple):
        return f"[{shape_of(value[0], depth + 1)} x {len(value)}]" if value and depth < _DEPTH_SHOWN else "[]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true or false"
    if isinstance(value, int | float):
        return "a number" if 0 <= value <= 1 else "a number outside 0 to 1"
    return "a text"


def _key(key: object) -> str:
    return str(key) if _KEY.fullmatch(str(key)) or str(key).isdecimal() else "(a key)"


def _of_verdict(said: bool) -> Answer:
    return float(said), said
