"""How pages show figures, and texts that attackers wrote. Pure: values in, text or markup out."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import groupby
from typing import TypeVar, cast

from markupsafe import Markup, escape
from rapidfuzz.distance import Levenshtein

from content_arena.components.shared.figures import NOT_MEASURED, Rate, Unit

# Printable according to Unicode, but drawn as nothing: joiners, fillers, the braille blank and variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
_CONTROL_NAMES = {"\b": "BACKSPACE", "\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\x7f": "DELETE"}
_CONTROL_SIGNS = {"\t": "⇥", "\n": "↵"}


def visible(text: str) -> Markup:
    """Escapes a text and shows each run of invisible characters as a small sign whose title names them."""
    parts: list[Markup] = []
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
            parts += [Markup("<br>")] if char == "\n" else []
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


Value = TypeVar("Value")


def printable(value: Value) -> Value:
    """The same data with U+FFFD in place of invisible and reordering characters and of lone surrogates.

    Args:
        value: A string, or a dataclass, mapping or sequence that holds some at any depth.
    """
    return cast(Value, _printable(value))


def _printable(value: object) -> object:
    if isinstance(value, str):
        return "".join("\ufffd" if _is_hidden(char) else char for char in value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_printable(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _printable(getattr(value, field.name)) for field in fields(value)})
    return value


def interval(rate: Rate) -> str:
    """The 95 % interval of a rate as text; "" if there is none."""
    if rate.low is None or rate.high is None or rate.rate is None:
        return ""
    return f"{100 * rate.low:.1f}–{100 * rate.high:.1f}%"


def figure(value: float | None, unit: Unit) -> str:
    """A figure with its unit."""
    if value is None:
        return NOT_MEASURED
    return {"share": f"{100 * value:.1f}%", "ms": f"{value:.1f} ms", "score": f"{value:.3f}"}[unit]


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
