"""How an attacker spends a budget of queries on a text.

A search gets targets and a victim. It does not depend on which strategies exist, which filter the victim is, or what
is done with the result. It makes one attempt for all targets before the next attempt, so that the victim gets full
batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Protocol

from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.attack_generation.victims import CachedVictim
from content_arena.components.attack_generation.writing.ahead import in_threads
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

#: Attempts that a ladder keeps, some tens of megabytes. A battle with a usual budget makes fewer, and makes each once.
_MOST_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Target:
    """One text to be attacked with one strategy.

    Attributes:
        base_id: Id of the original.
        text: The original.
        label: Of what the strategy makes: ``toxic`` (an attack succeeds if it is not flagged) or ``benign`` (if it is).
        lang: ISO 639-1 code.
        split: Split of the original.
        strategy: What to attack with.
        seed: Seed of everything random about this target.
        original_label: Label of the original; None if it is the same.
    """

    base_id: str
    text: str
    label: str
    lang: str
    split: str
    strategy: Strategy
    seed: int
    original_label: str | None = None

    @property
    def is_of_other_label(self) -> bool:
        """Whether what the strategy makes has another label than the original."""
        return self.original_label not in (None, self.label)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One perturbed text, with the seed and the intensity it was made with."""

    text: str
    seed: int
    intensity: float


@dataclass(slots=True)
class Outcome:
    """What a search found for a target.

    Attributes:
        attempt: The first attempt that turned the verdict, or else the one whose score came nearest to it; None if the
            strategy found nothing to change.
        score: The victim's score of the attempt.
        turned: Whether the verdict turned.
        n_queries: Number of queries for this target.
    """

    attempt: Attempt | None = None
    score: float = 0.0
    turned: bool = False
    n_queries: int = 0


class Search(Protocol):
    """A way to spend the budget.

    Attributes:
        budget: Queries allowed for each target.
    """

    budget: int

    def run(self, targets: Sequence[Target], victim: CachedVictim, advance: Callable[[int], None]) -> list[Outcome]:
        """Attacks every target; outcomes come in the order of the targets.

        Args:
            targets: What to attack.
            victim: Answers queries.
            advance: Called with the number of queries after each batch.
        """
        ...

    def digest(self, targets: Sequence[Target]) -> str:
        """SHA-256 (hex) of everything this search decides before the victim answers."""
        ...


class LadderSearch:
    """Makes up to ``budget`` attempts on a target, each with a higher intensity, and stops at the first success.

    Text, strategy and seed determine the attempts before the first query. A champion and a challenger can be compared
    because they meet the same attempts. A benign text gets one attempt, at one of the intensities: its writer does not
    try to get it flagged.
    """

    def __init__(self, budget: int = 3, batch_size: int = 2048, intensity: float = 1.0) -> None:
        """Makes no attempt yet.

        Args:
            budget: Queries allowed for each target.
            batch_size: Texts that the victim is asked about at once, at most.
            intensity: Of the last attempt, in (0, 1]; the others before it rise to it in equal steps.
        """
        if budget < 1:
            raise ValueError(f"budget is {budget}, at least 1 query is needed")
        self.budget = budget
        self._intensity = intensity
        self._batch_size = batch_size
        self._schedules: dict[Target, list[Attempt]] = {}
        self._n_kept = 0

    def attempts(self, target: Target) -> list[Attempt]:
        """The attempts on a target, the weakest first, without those that change nothing or are too long to be read."""
        return list(self._each(target))

    def _each(self, target: Target) -> Iterator[Attempt]:
        """The attempts on a target, one after the other; kept for the next time if there is room, made anew if not."""
        found = self._schedules.get(target)
        if found is not None:
            return iter(found)
        rungs = range(self.budget)
        if target.label == "benign":
            rungs = range(target.seed % self.budget, target.seed % self.budget + 1)
        tried = (self._attempt(target, rung) for rung in rungs)
        usable = (attempt for attempt in tried if _is_usable(attempt, target))
        if self._n_kept + len(rungs) > _MOST_KEPT:
            return usable
        found = self._schedules[target] = list(usable)
        self._n_kept += len(rungs)
        return iter(found)

    def make_all(self, targets: Sequence[Target]) -> None:
        """Makes the attempts that an LLM writes, several at a time."""
        in_threads(self.attempts, [(target.strategy, target) for target in targets])

    def run(self, targets: Sequence[Target], victim: CachedVictim, advance: Callable[[int], None]) -> list[Outcome]:
        """See :meth:`Search.run`."""
        self.make_all(targets)
        outcomes = [Outcome() for _ in targets]
        ladders = [self._each(target) for target in targets]
        for _ in range(self.budget):
            level = [
                (target, outcome, next(attempts, None))
                for target, outcome, attempts in zip(targets, outcomes, ladders, strict=True)
                if not outcome.turned
            ]
            alive = [(target, outcome, attempt) for target, outcome, attempt in level if attempt is not None]
            for start in range(0, len(alive), self._batch_size):
                batch = alive[start : start + self._batch_size]
                fresh = [not victim.knows(attempt.text) for _, _, attempt in batch]
                scores = victim.score([attempt.text for _, _, attempt in batch])
                for (target, outcome, attempt), score, is_new in zip(batch, scores.tolist(), fresh, strict=True):
                    _keep_better(target, outcome, attempt, score, victim.threshold)
                    outcome.n_queries += is_new
                advance(len(batch))
        return outcomes

    def digest(self, targets: Sequence[Target]) -> str:
        """See :meth:`Search.digest`; over all attempts, made or not."""
        sha = hashlib.sha256()
        for target in targets:
            for field in chain(
                (target.base_id, target.strategy.name), (attempt.text for attempt in self._each(target))
            ):
                sha.update(field.encode("utf-8", "surrogatepass") + b"\x1f")
            sha.update(b"\x1e")
        return sha.hexdigest()

    def _attempt(self, target: Target, rung: int) -> Attempt:
        seed = target.seed + rung
        intensity = self._intensity * (rung + 1) / self.budget
        return Attempt(target.strategy.perturb(target.text, Random(seed), intensity), seed, intensity)  # noqa: S311


def _is_usable(attempt: Attempt, target: Target) -> bool:
    """Whether the attempt changes the text, and a filter would read it: one over the length limit is refused."""
    return attempt.text != target.text and len(attempt.text) <= MAX_TEXT_LENGTH


def _keep_better(target: Target, outcome: Outcome, attempt: Attempt, score: float, threshold: float) -> None:
    wants_down = target.label == "toxic"
    is_better = outcome.attempt is None or (score < outcome.score if wants_down else score > outcome.score)
    turned = score < threshold if wants_down else score >= threshold
    if turned or is_better:
        outcome.attempt, outcome.score, outcome.turned = attempt, score, turned
