"""Cron expressions, from the five fields that everybody writes to the six that Kubeflow Pipelines reads."""

from __future__ import annotations

import re

from content_arena.components.shared.errors import InputError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
_SECOND = ("second", 0, 59)
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_PART = re.compile(r"(?P<range>\*|\?|(?P<first>\w+)(-(?P<last>\w+))?)(/(?P<step>\d+))?", re.ASCII)


def six_fields(expression: str) -> str:
    """A cron expression as Kubeflow Pipelines reads it: six fields, seconds first.

    Five fields, cron's own form, get second 0. Kubeflow Pipelines would read their minutes as seconds.

    Args:
        expression: Five fields, six fields with seconds first, or a macro such as @daily.

    Raises:
        InputError: It is no such expression; the message names the field.
    """
    text = expression.strip()
    if text.lower() in _MACROS:
        return text.lower()
    fields = text.split()
    if len(fields) not in (5, 6):
        raise InputError(
            f"--cron is {expression!r}, wanted five fields (minute, hour, day of month, month, day of week), such as "
            "'0 3 * * *'"
        )
    six = fields if len(fields) == 6 else ["0", *fields]
    for field, (name, lowest, highest) in zip(six, (_SECOND, *_FIELDS), strict=True):
        for part in field.split(","):
            if not _is_part(part, name, lowest, highest):
                raise InputError(
                    f"--cron is {expression!r}: {name} is {field!r}, wanted {lowest} to {highest}, * or */N"
                )
    return " ".join(six)


def _is_part(part: str, name: str, lowest: int, highest: int) -> bool:
    """Whether one element of a field's list is well-formed and in range."""
    found = _PART.fullmatch(part.lower())
    if found is None or (found["step"] is not None and int(found["step"]) == 0):
        return False
    if found["first"] is None:
        return found["range"] != "?" or name in ("day of month", "day of week")
    ends = [_number(end, name, lowest) for end in (found["first"], found["last"]) if end is not None]
    if any(end is None or not lowest <= end <= highest for end in ends):
        return False
    return len(ends) == 1 or (ends[0] or 0) <= (ends[1] or 0)


def _number(text: str, name: str, lowest: int) -> int | None:
    """A number or the name of a month or day; None for neither."""
    names = _NAMES.get(name, ())
    if text in names:
        return names.index(text) + lowest
    return int(text) if text.isdecimal() else None
