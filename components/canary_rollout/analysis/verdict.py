"""The result of an analysis."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """The result of a check, or of all checks of a step."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Lack(StrEnum):
    """What an inconclusive measurement lacks, where time brings it."""

    #: Probes are under way.
    PROBES = "probes"
    #: There are too few answers to users so far.
    ANSWERS = "answers"
