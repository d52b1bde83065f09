"""The result of an analysis."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """The result of a check, or of all checks of a step."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
