"""The answer of an analysis."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What the analysis says about a step."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
