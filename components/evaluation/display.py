"""How the report shows texts and figures that can not be trusted to be any.

Pure: values in, words or markup out.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape
from rapidfuzz.distance import Levenshtein

from content_arena.components.evaluation.charts import Rate

NOT_MEASURED = "not measured"

# Printable by Unicode's book, but drawn as nothing: joiners, fillers, the braille blank and variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
_CONTROL_NAMES = {"\b": "BACKSPACE", "\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\x7f": "DELETE"}
_CONTROL_SIGNS = {"\t": "⇥", "\n": "↵"}


def visible(text: str) -> Markup:
    """Escapes a text and shows each run of invisible characters as a small sign whose title names them."""
    parts = []
    for hidden, run in groupby(text, key=_is_hidden):
        if not hidden:
            parts.append(escape("".join(run)))
            continue
        for char, same in groupby(run):
            n = len(list(same))
            sign = _CONTROL_SIGNS.get(char) or ("␣" if unicodedata.category(char) == "Zs" else f"U+{ord(char):04X}")
            name = unicodedata.name(char, _CONTROL_NAMES.get(char, "UNNAMED"))
            title = f"U+{ord(char):04X} {name}" + (f", {n} times" if n > 1 else "")
            times = f"×{n}" if n > 1 else ""
            parts.append(Markup('<span class="hidden-char" title="{}">{}{}</span>').format(title, sign, times))
            parts.append(Markup("<br>") if char == "\n" else "")
    return Markup("").join(parts)


def changes(original: str, perturbed: str) -> Markup:
    """The perturbed text with what differs from the original marked."""
    parts = []
    for step in Levenshtein.opcodes(original, perturbed):
        shown = visible(perturbed[step.dest_start : step.dest_end])
        if step.tag == "equal":
            parts.append(shown)
        elif step.tag == "delete":
            n = step.src_end - step.src_start
            title = f"{n} character{'s' if n > 1 else ''} removed here"
            parts.append(Markup('<span class="hidden-char" title="{}">⌫</span>').format(title))
        else:
            parts.append(Markup("<mark>{}</mark>").format(shown))
    return Markup("").join(parts)


def _is_hidden(char: str) -> bool:
    return char in _BLANK or not char.isprintable()


def printable(value: Any) -> Any:  # noqa: ANN401
    """The same data with U+FFFD for every character that could hide, reorder or, as half a pair, not be written."""
    if isinstance(value, str):
        return "".join("\ufffd" if _is_hidden(char) else char for char in value)
    if isinstance(value, Mapping):
        return {printable(key): printable(item) for key, item in value.items() if key != "examples"}
    return [printable(item) for item in value] if isinstance(value, list | tuple) else value


def mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """The mappings in a list; empty for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def number(value: Any) -> float | None:  # noqa: ANN401
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Python's whole numbers have no end, a float has; what is beyond it is no measurement.
    return float(value) if abs(value) < sys.float_info.max else None


def numbers(value: Any) -> list[float]:  # noqa: ANN401
    """The numbers of a list; empty if one of them is none, for a gap would move all that follow it."""
    found = [number(item) for item in value] if isinstance(value, list | tuple) else []
    return [] if None in found else found


def rate(given: Any) -> Rate:  # noqa: ANN401
    """A RATE, or a bare number as a rate without interval; measured on nothing is not measured."""
    if not isinstance(given, Mapping):
        return Rate(rate=number(given))
    n = int(number(given.get("n")) or 0)
    if n <= 0:
        return Rate(n=0)
    low, high = number(given.get("low")), number(given.get("high"))
    return Rate(rate=number(given.get("rate")), low=low, high=high, n=n)


def interval(rate: Rate) -> str:
    """The 95 % interval of a rate in words; "" if there is none."""
    if rate.low is None or rate.high is None or rate.rate is None:
        return ""
    return f"{100 * rate.low:.1f}–{100 * rate.high:.1f}%"


def figure(value: float | None, unit: str) -> str:
    """A figure in words; the unit is ``share`` (of 1), ``score`` or ``ms``."""
    if value is None:
        return NOT_MEASURED
    return {"share": f"{100 * value:.1f}%", "ms": f"{value:.1f} ms", "score": f"{value:.3f}"}[unit]


def plain(value: Any) -> str:  # noqa: ANN401
    """A name or setting in words."""
    return "not given" if value is None else str(value)


def count(value: Any) -> str:  # noqa: ANN401
    """A number of texts in words."""
    known = number(value)
    return "number not given" if known is None else f"{known:,.0f}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
