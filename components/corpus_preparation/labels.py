"""Reads the labels of published data sets as toxic or benign; unknown labels are refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from content_arena.components.corpus_preparation.parameters import named
from content_arena.components.shared.errors import InputError

ACCEPTED = "toxic/benign (or hate, offensive, abusive / normal, clean, none, neutral, non-toxic), 1/0, true/false"
#: The columns of the Jigsaw Toxic Comment Classification Challenge; a text is toxic if one of them is 1.
JIGSAW_COLUMNS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")

_TOXIC = (
    "toxic", "true", "yes", "hate", "hateful", "hatespeech", "hatred", "offensive", "offensivelanguage",
    "off", "abusive", "abuse", "insult", "insulting", "harassment", "threat", "profanity", "obscene", "toxicity",
    "hof", "악성", "혐오", "악플",
)  # fmt: skip
_BENIGN = (
    "benign", "false", "no", "normal", "clean", "none", "neutral", "neither", "nontoxic", "nottoxic",
    "nonhate", "nothate", "nohate", "nonhateful", "nothateful", "nonoffensive", "notoffensive", "nonabusive",
    "notabusive", "not", "ok", "okay", "safe", "acceptable", "harmless", "정상", "일반",
)  # fmt: skip
_LABEL_OF = dict.fromkeys(_TOXIC, "toxic") | dict.fromkeys(_BENIGN, "benign")
_SEPARATORS = re.compile(r"[\s_-]+")
_SHOWABLE = re.compile(r"-?\w[\w.-]{0,29}")


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


def read_labels(values: Sequence[object], column: str) -> list[str]:
    """Reads one column of labels.

    Args:
        values: The cells: words, numbers or booleans; None for an empty cell.
        column: Name of the column, for errors.

    Returns:
        "toxic" or "benign" for each cell.

    Raises:
        InputError: A cell has a value that is not in :data:`ACCEPTED`; the message shows up to five of them.
    """
    labels = [_label(value) for value in values]
    unknown = [value for value, label in zip(values, labels, strict=True) if label is None]
    if unknown:
        raise InputError(_refusal(unknown, column))
    return [label for label in labels if label is not None]


def read_jigsaw_labels(columns: Mapping[str, Sequence[object]]) -> list[str]:
    """Reads the six Jigsaw columns, given by their lower-case names.

    Raises:
        InputError: As :func:`read_labels`; the challenge's own test file has -1 in rows without labels.
    """
    judged = [read_labels(columns[name], name) for name in JIGSAW_COLUMNS]
    return ["toxic" if "toxic" in row else "benign" for row in zip(*judged, strict=True)]


def _label(value: object) -> str | None:
    number = _number(value)
    if number is not None:  # Before words, which lose their hyphens: -1 must not become 1.
        return "toxic" if number == 1 else "benign" if number == 0 else None
    return _LABEL_OF.get(_SEPARATORS.sub("", value.casefold())) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


def _refusal(unknown: Iterable[object], column: str) -> str:
    unknown = list(unknown)
    numbers = [_number(value) for value in unknown]
    if all(number is not None and 0 < number < 1 for number in numbers):
        return (
            f"column {shown(column)} holds scores between 0 and 1 in {len(unknown)} rows, not labels; choose the score "
            f"from which a text counts as toxic and write 1 or 0, or name another column with {named('label_column')}"
        )
    values = [name for name, _ in Counter(map(shown, unknown)).most_common(5)]
    return (
        f"column {shown(column)} holds unknown labels in {len(unknown)} rows: {', '.join(values)}; accepted are "
        f"{ACCEPTED}; map or remove these rows, or name another column with {named('label_column')}"
    )
