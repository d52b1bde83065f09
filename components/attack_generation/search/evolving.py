"""A search that learns from text to text what works on this filter.

The strategies' parameters are the arms of a bandit: which letters (the strategy), how much (the intensity), and where
(anywhere, or in the words that matter most). An arm is tried on the original, or on the best draft so far. What two or
three arms got past together becomes an arm of its own, so that the next text costs one query and not three.

The result therefore depends on the texts beside a text, and on their order, which is recorded with every attack.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat

from content_arena.components.attack_generation.search import importance
from content_arena.components.attack_generation.search.bandit import Bandit
from content_arena.components.attack_generation.search.door import Query, Walk
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.search.memory import (
    NOTHING,
    Arm,
    Memory,
    Move,
    Recipe,
    Trials,
    Where,
    applicable,
)
from content_arena.components.attack_generation.search.methods import WIDTH, Task, n_probes
from content_arena.components.attack_generation.strategies import Strategy

#: Searches at a time: fewer learn more from each other, more give the filter larger batches.
AT_ONCE = 32
#: What a text is tried with before what got nowhere is drawn again with another seed, and how often.
_REPEATS = 8
#: Composed arms: their length and number at most.
_LONGEST, _MOST_COMPOSED = 3, 32
#: A fall of the score that is none: the last digits of a score depend on the texts that are scored beside it, and so
#: would everything that is learnt from them. Rewards are rounded for the same reason.
_NOISE, _DECIMALS = 1e-4, 2
#: By how many trials of earlier battles an arm is known at most: this filter may be another one.
_REMEMBERED = 10
#: What a fall of the score is worth that does not get a text past, where it falls to 0.
_WORTH_OF_A_FALL = 0.5


#: How much and where. Every word one by one would be the same as the whole text.
_PARAMETERS: tuple[tuple[float, Where], ...] = (
    (1.0, "anywhere"),
    (0.5, "anywhere"),
    (0.5, "important"),
    (0.2, "important"),
)


@dataclass
class _Course:
    """How far the search of one text is.

    Attributes:
        task: The text.
        words: Its words, the most important first.
        best: The best draft so far, the original at first.
        best_score: Its score.
        best_recipe: How it was made.
        asked: Texts that were asked about.
        tried: Arms that were tried, by the text that they were tried on and the number of the seed.
    """

    task: Task
    words: Sequence[int]
    best: Draft
    best_score: float
    best_recipe: Recipe = ()
    asked: set[str] = field(default_factory=set)
    tried: set[tuple[str, Arm, int]] = field(default_factory=set)


class Evolving:
    """An attacker that keeps what it learns from one text for the next ones.

    Rewards: 1 for a text that got past; otherwise half the share by which the score of the best draft so far fell.
    """

    def __init__(self, strategies: Sequence[Strategy], seed: int, memory: Memory = NOTHING) -> None:
        """Knows what it is told.

        Args:
            strategies: What to attack with.
            seed: Of the draws.
            memory: What attackers learnt in earlier battles. What is about other strategies is left out.
        """
        self._strategies = {strategy.name: strategy for strategy in strategies}
        self._bandit = Bandit[Arm](seed)
        self._composed: list[Recipe] = []
        for name in self._strategies:
            for intensity, where in _PARAMETERS:
                for on_top in (False, True):
                    self._bandit.add(Arm((Move(name, intensity, where),), on_top), (name, on_top))
        for each in applicable(memory, list(self._strategies)):
            # Room is left for what this battle finds.
            if len(self._composed) < _MOST_COMPOSED // 2:
                self._keep(each.arm.recipe)
            self._bandit.recall(each.arm, each.n, each.gained, _REMEMBERED)

    def walk(self, task: Task) -> Walk:
        """The search of one text; a :data:`~content_arena.components.attack_generation.search.methods.Method`."""
        probes = n_probes(task, task.strategies)
        words = yield from importance.ranked(task.original, task.score, probes)
        course = _Course(task, words, task.original, task.score)
        # What is known to work often does at once; after that, larger levels keep the filter busy.
        widths = chain(range(1, WIDTH), repeat(WIDTH))
        while level := list(islice(self._queries(course), next(widths))):
            answers = yield [query for query, _, _ in level]
            for (_, draft, recipe), score in zip(level, answers, strict=True):
                if score is not None and score < course.best_score - _NOISE:
                    course.best, course.best_score, course.best_recipe = draft, score, recipe

    def memory(self) -> Memory:
        """What it knows now, with what it was told."""
        return Memory(tuple(Trials(each.arm, each.n, each.n * each.mean) for each in self._bandit.known()))

    def learnt(self, n: int = 5) -> list[str]:
        """What worked best, for people."""
        found = self._bandit.best(n)
        return [f"{_named(each.arm)} ({each.mean:.2f} in {each.n:.0f})" for each in found]

    def _queries(self, course: _Course) -> Iterator[tuple[Query, Draft, Recipe]]:
        """What to ask next, each with the draft and how it was made, the most promising first."""
        for again in range(_REPEATS):
            arms = self._arms(course)
            for arm in self._bandit.ranked(arms):
                base = course.best if arm.on_top else course.task.original
                if (base.text, arm, again) in course.tried:
                    continue
                course.tried.add((base.text, arm, again))
                draft = self._made(course, base, arm.recipe, course.task.seed + again)
                if draft is None or draft.text in course.asked or not course.task.admitted([draft]):
                    continue
                course.asked.add(draft.text)
                recipe = (*course.best_recipe, *arm.recipe) if arm.on_top else arm.recipe
                yield self._query(course, arm, draft, recipe), draft, recipe

    def _arms(self, course: _Course) -> list[Arm]:
        """What applies to the text: single moves on the original and on the best draft, composed ones on the former."""
        names = [strategy.name for strategy in course.task.strategies]
        single = [(Move(name, *parameters),) for name in names for parameters in _PARAMETERS]
        arms = [Arm(recipe, False) for recipe in (*single, *self._composed)]
        if course.best_recipe:
            arms += [Arm(recipe, True) for recipe in single]
        return arms

    def _query(self, course: _Course, arm: Arm, draft: Draft, recipe: Recipe) -> Query:
        before = course.best_score

        def learn(score: float, got_past: bool) -> None:
            fall = (before - score) / before if before - score > _NOISE else 0.0
            self._bandit.learn(arm, 1.0 if got_past else round(_WORTH_OF_A_FALL * fall, _DECIMALS))
            if got_past:
                self._keep(recipe)

        return Query(draft.text, draft, learn)

    def _keep(self, recipe: Recipe) -> None:
        is_new = recipe not in self._composed
        if 1 < len(recipe) <= _LONGEST and is_new and len(self._composed) < _MOST_COMPOSED:
            self._composed.append(recipe)
            self._bandit.add(Arm(recipe, False), "composed")

    def _made(self, course: _Course, base: Draft, recipe: Recipe, seed: int) -> Draft | None:
        """What a recipe makes of a draft; None if one of its moves changes nothing, or is for another language."""
        made = base
        for move in recipe:
            strategy = self._strategies[move.strategy]
            if not any(strategy is each for each in course.task.strategies):
                return None
            step = _applied(made, move, strategy, course.words, seed)
            if step is None:
                return None
            made = step
        return made


def _applied(draft: Draft, move: Move, strategy: Strategy, words: Sequence[int], seed: int) -> Draft | None:
    if move.where == "anywhere":
        return draft.with_all(strategy, move.intensity, seed)
    if not draft.places:
        return None
    left = [word for word in words if word not in draft.edited]
    return draft.with_words(strategy, left[: math.ceil(move.intensity * len(words))], seed)


def _named(arm: Arm) -> str:
    return " + ".join(map(str, arm.recipe)) + (" on top" if arm.on_top else "")
