"""How a search of one text goes on from what it knows: the ladder, at random, greedily, with a beam.

Sources: Gao et al. 2018, "DeepWordBug", and Jin et al. 2020, "Is BERT Really Robust?" (importance of words by deletion,
then greedily); Ebrahimi et al. 2018, "HotFlip" (beam); Yoo et al. 2020, "Searching for a Search Method" (comparison at
equal budgets, with random search as the floor).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from content_arena.components.attack_generation.search import importance
from content_arena.components.attack_generation.search.constraints import Constraint, all_allow
from content_arena.components.attack_generation.search.door import Query, Walk
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.strategies import Strategy

#: Steps of intensity of the ladder.
_RUNGS = 3
#: Attacks of one level of the greedy search, and drafts that the beam goes on with.
WIDTH, _BEAM = 4, 3
#: One query in so many tries the strategies on the original first; one in so many leaves out words, if that is needed.
_SCOUTING, _PROBING = 4, 5
#: Drafts that are remembered, and draws of a strategy on one draft.
_KEPT, _REPEATS = 12, 8


@dataclass
class Task:
    """A text to attack.

    Attributes:
        original: The text.
        score: The filter's score of it.
        strategies: What to attack with.
        constraints: What an attack has to keep.
        budget: Queries that may be spent: a search plans with it, the door enforces it.
        seed: Of everything random.
        n_refused: How many attacks failed a constraint so far.
    """

    original: Draft
    score: float
    strategies: Sequence[Strategy]
    constraints: Sequence[Constraint]
    budget: int
    seed: int
    n_refused: int = 0
    rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)  # noqa: S311 - no secret

    def shuffled(self) -> list[Strategy]:
        """The strategies in an order that the seed decides."""
        return self.rng.sample(list(self.strategies), len(self.strategies))

    def admitted(self, drafts: Sequence[Draft | None]) -> list[Query]:
        """The drafts that keep the constraints, as queries."""
        queries = []
        for draft in drafts:
            if draft is None:
                continue
            if all_allow(self.constraints, self.original.text, draft):
                queries.append(Query(draft.text, draft))
            else:
                self.n_refused += 1
        return queries


Method = Callable[[Task], Walk]


def ladder(task: Task) -> Walk:
    """Every strategy at full intensity, then at lower ones: what the ladder has, at the budget of one text.

    It is there to measure the other methods against.
    """
    strategies = task.shuffled()
    rungs = max(1, min(_RUNGS, task.budget // max(1, len(strategies))))
    for rung in range(rungs, 0, -1):
        for strategy in strategies:
            queries = task.admitted([task.original.with_all(strategy, rung / rungs, task.seed)])
            if queries:
                yield queries


def random(task: Task) -> Walk:
    """A strategy, an intensity and places at random, from the original each time: the floor of every search."""
    for number in range(20 * task.budget):
        strategy = task.rng.choice(list(task.strategies))
        made = task.original.with_all(strategy, task.rng.uniform(0.05, 1.0), task.seed + number)
        queries = task.admitted([made])
        if queries:
            yield queries


def greedy(task: Task) -> Walk:
    """Goes on from the best draft of each level."""
    yield from _climb(task, width=WIDTH, kept=1)


def beam(task: Task) -> Walk:
    """Goes on from the three best drafts of each level."""
    yield from _climb(task, width=2 * _BEAM, kept=_BEAM)


METHODS: dict[str, Method] = {"ladder": ladder, "random": random, "greedy": greedy, "beam": beam}


def _climb(task: Task, width: int, kept: int) -> Walk:
    """First some strategies on the original, then the best of them on what they made, again and again.

    An edit of the whole text gets further than one of a few words. Which words matter is asked only where the
    constraints leave no more than that.

    Args:
        task: The text.
        width: Attacks of a level at most.
        kept: Drafts that are gone on from.
    """
    width = max(kept, min(width, task.budget // 5))
    found: list[_Scored] = []
    scouts = task.shuffled()[: max(2, task.budget // _SCOUTING)]
    words = yield from importance.ranked(task.original, task.score, n_probes(task, scouts))
    for start in range(0, len(scouts), width):
        firsts = (next(_applied(task, task.original, scout, words, 0), None) for scout in scouts[start : start + width])
        found += yield from _asked([query for query in firsts if query is not None])
    order = _order(task, found)
    moves: dict[str, Iterator[Query]] = {}
    found.append(_Scored(task.score, task.original))
    while True:
        found = sorted(found, key=lambda scored: scored.score)[:_KEPT]
        level = []
        for scored in found[:kept]:
            going_on = moves.setdefault(scored.draft.text, _moves(task, scored.draft, order, words))
            level += list(islice(going_on, max(1, width // kept)))
        if not level:
            level = list(islice(_moves(task, task.original, task.shuffled(), words), width))
        if not level:
            return
        found += yield from _asked(level)


def n_probes(task: Task, scouts: Sequence[Strategy]) -> int:
    """How many queries to spend on which words matter: none unless the constraints refuse most edits of whole texts.

    Args:
        task: The text.
        scouts: Strategies to try that with, without a query.
    """
    drafts = [draft for scout in scouts if (draft := task.original.with_all(scout, 1.0, task.seed)) is not None]
    refused = [draft for draft in drafts if not all_allow(task.constraints, task.original.text, draft)]
    return task.budget // _PROBING if 2 * len(refused) > len(drafts) else 0


@dataclass(frozen=True)
class _Scored:
    score: float
    draft: Draft


def _asked(level: Sequence[Query]) -> Generator[Sequence[Query], Sequence[float | None], list[_Scored]]:
    answers = yield level
    pairs = [(score, query.draft) for score, query in zip(answers, level, strict=True)]
    return [_Scored(score, draft) for score, draft in pairs if score is not None and draft is not None]


def _order(task: Task, found: Sequence[_Scored]) -> list[Strategy]:
    """The strategies, those that brought the score down most first; those that were not tried in the middle."""
    fell = {scored.draft.edits[-1].strategy: scored.score for scored in found}
    middle = sorted(fell.values())[len(fell) // 2] if fell else 0.0
    return sorted(task.shuffled(), key=lambda strategy: fell.get(strategy.name, middle))


def _moves(task: Task, draft: Draft, order: Sequence[Strategy], words: Sequence[int]) -> Iterator[Query]:
    """What can be tried next on a draft: every strategy that did not make it, then other draws of the same."""
    used = {edit.strategy for edit in draft.edits}
    for again in range(_REPEATS):
        for strategy in order:
            if strategy.name not in used or again:
                yield from islice(_applied(task, draft, strategy, words, again), 1)


def _applied(task: Task, draft: Draft, strategy: Strategy, words: Sequence[int], again: int) -> Iterator[Query]:
    """A strategy on the whole text, or else on as many of the important words as the constraints allow."""
    seed = task.seed + again
    yield from task.admitted([draft.with_all(strategy, 1.0, seed)])
    if not draft.places:
        return
    by_importance = [word for word in words if word not in draft.edited]
    n_words = len(by_importance)
    while n_words:
        yield from task.admitted([draft.with_words(strategy, by_importance[:n_words], seed)])
        n_words //= 2
