"""What comes out of a comparison of several filters: plain data, for the terminal, JSON and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from content_arena.components.evaluation.statistics import Discordance
from content_arena.components.shared.figures import Rate


@dataclass(frozen=True)
class Side:
    """What was measured on one filter.

    Attributes:
        name: A letter, which stands for it in tables and pictures.
        given: How it was named, without a login.
        version: Of the model that answered.
        threshold: Scores from here on are flagged.
        caught: Flagged toxic texts, unchanged / all of them: what evasion is a share of.
        clean_flagged: Flagged benign texts, unchanged / all of them.
        evasion: Readable successes / attacks on toxic texts that it caught, over the strategies that count.
        benign_flagged: Flagged / benign texts after the same strategies.
        by_budget: Pairs of a number of queries for a text and strategy, and the evasion with at most so many.
        n_queries: Different texts that it was asked about.
        queries: Mean number of queries of an attack on a text that it caught; None if it caught none.
        texts_per_second: Its pace over all of them; None for a clock that did not move.
    """

    name: str
    given: str
    version: str
    threshold: float
    caught: Rate
    clean_flagged: Rate
    evasion: Rate
    benign_flagged: Rate
    by_budget: tuple[tuple[int, float], ...]
    n_queries: int
    queries: float | None
    texts_per_second: float | None


@dataclass(frozen=True)
class Difference:
    """The first filter's share minus the second's, with its 95 % interval over whole texts."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """Two filters compared on the same texts.

    Attributes:
        first: Name of the one.
        second: Name of the other.
        evasion: Difference of the evasions; None if one was not measured.
        benign_flagged: Difference of the shares of perturbed benign texts flagged; None if one was not measured.
        wrong: Texts, unchanged, with a wrong verdict.
        missed: Toxic texts that a filter does not flag as they are, or not after one of the readable attacks.
        alarmed: Benign texts that a filter flags after at least one of the strategies.
    """

    first: str
    second: str
    evasion: Difference | None
    benign_flagged: Difference | None
    wrong: Discordance
    missed: Discordance
    alarmed: Discordance


@dataclass(frozen=True)
class StrategyRow:
    """One strategy against every filter; rates by the filter's name.

    Attributes:
        strategy: Its name.
        family: Its family.
        counts: Whether it is part of the figures over several strategies.
        evasion: Readable successes / toxic texts caught.
        benign_flagged: Flagged / benign texts that it changed.
    """

    strategy: str
    family: str
    counts: bool
    evasion: Mapping[str, Rate]
    benign_flagged: Mapping[str, Rate]


@dataclass(frozen=True)
class SideBySide:
    """A comparison.

    Attributes:
        lang: ISO 639-1 code.
        seed: Of the attacks.
        budget: Queries allowed for each text and strategy.
        n_toxic: Toxic texts.
        n_benign: Benign texts.
        attack_set_sha256: Of all attempts, the same for every filter.
        sides: In the order they were given.
        pairs: Every two of them.
        strategies: In alphabetical order.
    """

    lang: str
    seed: int
    budget: int
    n_toxic: int
    n_benign: int
    attack_set_sha256: str
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    strategies: tuple[StrategyRow, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Strategies that are in no figure over several strategies."""
        return tuple(row.strategy for row in self.strategies if not row.counts)
