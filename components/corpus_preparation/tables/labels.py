"""Reads the labels of published data sets as toxic or benign; unknown labels are refused."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

#: What a label means. Rows of "none" have no label: they are neither class, and are dropped.
Meaning = Literal["toxic", "benign", "none"]
ACCEPTED = "toxic/benign (or hate, offensive, abusive / normal, clean, none, neutral, non-toxic), 1/0, true/false"

_TOXIC = (
    "toxic", "true", "yes", "hate", "hateful", "hatespeech", "hatred", "offensive", "offensivelanguage",
    "off", "abusive", "abuse", "insult", "insulting", "harassment", "threat", "profanity", "obscene", "toxicity",
    "hof", "bullying", "cyberbullying", "악성", "혐오", "악플",
)  # fmt: skip
_HARMLESS = (
    "benign", "normal", "clean", "none", "neutral", "neither", "acceptable", "appropriate", "harmless", "safe", "ham",
    "정상", "일반",
)  # fmt: skip
_BENIGN = (*_HARMLESS, "false", "no", "not", "ok", "okay")
_MEANINGS: dict[str, Meaning] = {**dict.fromkeys(_TOXIC, "toxic"), **dict.fromkeys(_BENIGN, "benign")}
#: Words that say whether a column applies, and not which class a text is.
_ANSWERS = ("true", "yes", "false", "no")
_NEGATIONS = ("not", "non", "no")
_SEPARATORS = re.compile(r"[\s_-]+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_CODES = re.compile(r"[+-]?\d+(?:\s*[,;|]\s*[+-]?\d+)+")
_SHOWABLE = re.compile(r"-?\w[\w.-]{0,29}|-?\d+(?:,\s?-?\d+){1,9}")


def shown(value: object) -> str:
    """A column name or a label, in the form that an error message shows.

    Messages must not quote users' texts, and a file without a header has texts in place of names, a wrong label column
    in place of labels. So only a short word is shown; of anything else, the type or the length.
    """
    if value is None or value == "":
        return "(empty)"
    if not isinstance(value, str | int | float):
        return f"({type(value).__name__})"
    text = str(value)
    return f"'{text}'" if _SHOWABLE.fullmatch(text) else f"({len(text)} characters)"


def folded(word: str) -> str:
    """A label's word as it is compared: without case, spaces, hyphens and underscores."""
    return _SEPARATORS.sub("", word.casefold())


def names_benign(column: str) -> bool:
    """Whether a column is named for harmless texts (clean, is_normal, not_hate), so that its 1 means benign."""
    word = folded(column)
    return any(name in _HARMLESS or _is_negated(name) for name in (word, word.removeprefix("is")))


def is_label(value: object) -> bool:
    """Whether a cell has a label that is known without a map."""
    return _known(value) is not None


def number_in(value: object) -> float | None:
    """The number in a cell, also one with a decimal comma; None if it holds none."""
    try:
        if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
            value = value.replace(",", ".")
        number = float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None
    return None if number is None or math.isnan(number) else number


def parts_of(value: object) -> list[object] | None:
    """The labels in a cell that holds several: a list, a list written as text, or words or codes between commas.

    Returns:
        None for a cell that holds one.
    """
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = [part.strip(" '\"") for part in inner.split(",")] if inner else []
        return found if isinstance(found, list) else None
    parts = [part.strip() for part in re.split("[,;|]", text)]
    return list(parts) if len(parts) > 1 and all(parts) else None


def is_empty(value: object) -> bool:
    """Whether a cell has no label."""
    if value is None or (isinstance(value, float) and value != value):
        return True
    return value.strip() in ("", "[]") if isinstance(value, str) else isinstance(value, list | tuple) and not value


def meaning_of(value: object, is_benign_column: bool = False) -> Meaning | None:
    """What a cell means without a map; None if it is unknown.

    Args:
        value: A word, number, boolean, or several of them.
        is_benign_column: Whether 1, true and yes mean benign in this column.
    """
    if is_empty(value):
        return "none"
    known = _known(value)
    if known is None:
        parts = parts_of(value)
        # Codes and decimals are written alike: 0,3 may be a score. Both readings of 0,0 and 1,0 agree.
        if not parts or (isinstance(value, str) and _CODES.fullmatch(value.strip())):
            return None
        return together(meaning_of(part, is_benign_column) for part in parts)
    answers = not isinstance(value, str) or number_in(value) is not None or folded(value) in _ANSWERS
    if is_benign_column and answers:
        return "benign" if known == "toxic" else "toxic"
    return known


def together(meanings: Iterable[Meaning | None]) -> Meaning | None:
    """The meaning of several labels of a text: toxic if one is, unknown if one is unknown."""
    found = set(meanings)
    if None in found:
        return None
    return "toxic" if "toxic" in found else "benign" if "benign" in found else "none"


def read_labels(values: Sequence[object], column: str, meaning: Callable[[object], Meaning | None]) -> list[Meaning]:
    """Reads one column of labels.

    Args:
        values: The cells: words, numbers, booleans or lists of them; None for an empty cell.
        column: Name of the column, for errors.
        meaning: What a cell means, such as :func:`meaning_of`; None if it is unknown.

    Returns:
        The meaning of each cell; "none" for an empty one.

    Raises:
        InputError: A cell has an unknown label; the message shows up to five of them.
    """
    seen: dict[object, Meaning | None] = {}
    read: list[Meaning | None] = []
    for value in values:
        if isinstance(value, list | dict | set):
            read.append(meaning(value))
            continue
        key = (type(value), value)
        if key not in seen:
            seen[key] = meaning(value)
        read.append(seen[key])
    unknown = [value for value, label in zip(values, read, strict=True) if label is None]
    if unknown:
        raise InputError(_refusal(unknown, column))
    return [label for label in read if label is not None]


def _known(value: object) -> Meaning | None:
    """The meaning of a single label."""
    number = number_in(value)
    if number is not None:  # Before words, which lose their hyphens: -1 must not become 1.
        return "toxic" if number == 1 else "benign" if number == 0 else None
    if not isinstance(value, str):
        return None
    word = folded(value)
    return _MEANINGS.get(word) or ("benign" if _is_negated(word) else None)


def _is_negated(word: str) -> bool:
    """Whether a word says that a text is not toxic: nothatespeech, nonoffensive."""
    rests = (word.removeprefix(negation) for negation in _NEGATIONS if word.startswith(negation))
    return any(rest in _TOXIC and rest not in _ANSWERS for rest in rests)


def _refusal(unknown: Sequence[object], column: str) -> str:
    numbers = [number_in(value) for value in unknown]
    way_out = f"or name another column with {named('label_column')}"
    if all(number is not None and 0 < number < 1 for number in numbers):
        return (
            f"column {shown(column)} holds scores between 0 and 1 in {len(unknown)} rows, not labels; say from which "
            f"score a text counts as toxic with {named('label_map')}, for example '>=0.5=toxic,*=benign', {way_out}"
        )
    codes = Counter(shown(part) for value in unknown for part in (parts_of(value) or [value]) if not is_label(part))
    values = [name for name, _ in Counter(map(shown, unknown)).most_common(5)]
    example = next((code.strip("'") for code, _ in codes.most_common() if code.startswith("'")), "spam")
    return (
        f"column {shown(column)} holds unknown labels in {len(unknown)} rows: {', '.join(values)}; accepted are "
        f"{ACCEPTED}; say what the others mean with {named('label_map')}, for example '{example}=benign,*=toxic' "
        f"(or {example}=none to drop such rows), {way_out}"
    )
