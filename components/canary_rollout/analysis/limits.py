"""The bounds of a rollout's figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of all figures; shares are in [0, 1]. A margin is how much worse than the champion's a figure may be.

    A tight bound needs many answers: a bound of 1 % can be passed on 381 answers or more, if all of them are good.

    Attributes:
        error_rate: Of answers to users.
        error_margin: Above the champion's.
        p95_seconds: 95 % of answers are at most this slow.
        p99_seconds: 99 % of answers are at most this slow.
        slower: How many times as slow as the champion's p95 and p99.
        throttled_rate: Answers of 429.
        flagged_margin: Difference of the share of texts flagged, in either direction.
        psi: Population stability index of the score distributions.
        evasion: Of the probes.
        evasion_margin: Above the champion's.
        benign_flagged: Of the probes.
        benign_margin: Above the champion's.
        f1: Of the probes; a lower bound.
        f1_margin: Below the champion's.
    """

    error_rate: float = 0.01
    error_margin: float = 0.01
    p95_seconds: float = 0.5
    p99_seconds: float = 1.0
    slower: float = 1.5
    throttled_rate: float = 0.05
    flagged_margin: float = 0.1
    psi: float = 0.25
    evasion: float = 0.3
    evasion_margin: float = 0.05
    benign_flagged: float = 0.4
    benign_margin: float = 0.05
    f1: float = 0.6
    f1_margin: float = 0.05
