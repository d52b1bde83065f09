"""The victim's door: where queries are counted, and where texts of many searches are asked about together.

A search of one text is a generator. It hands out the texts of its next level, and gets their scores. All searches make
a level at the same time, so that the victim gets one large batch and not many small ones. The budget is kept here and
nowhere else: what is over it is not asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.search.goal import NotFlagged


@dataclass(frozen=True, slots=True)
class Query:
    """A text to ask about.

    Attributes:
        text: The text.
        draft: The attack that it is; None for a probe, which tells something and is no attack (a word left out).
        learn: Called with its score, and whether it reached the goal, by a search that tells other searches.
    """

    text: str
    draft: Draft | None = None
    learn: Callable[[float, bool], None] | None = None


#: Levels in a row in which a search asks nothing new, after which it has nothing left to try.
_MOST_IDLE = 20
#: A search of one text: hands out levels of queries and gets their scores, None for what was over the budget.
Walk = Generator[Sequence[Query], Sequence[float | None], None]


@dataclass(slots=True)
class Visit:
    """What one text's search was told.

    Attributes:
        walk: The search.
        budget: Queries that it may spend.
        spent: Queries that it has spent: different texts it asked about.
        best: The attack whose score is nearest to the goal; None if none was asked about.
        best_score: Its score.
        is_won: Whether it reached the goal.
    """

    walk: Walk
    budget: int
    spent: int = 0
    best: Draft | None = None
    best_score: float = 1.0
    is_won: bool = False
    _known: dict[str, float] = field(default_factory=dict)
    _idle: int = 0
    _level: Sequence[Query] = ()

    def start(self) -> bool:
        """Takes the first level; False if there is none."""
        return self._take(lambda: next(self.walk))

    def wanted(self) -> list[str]:
        """The level's texts that have to be asked about, within the budget; an answer that is known is free."""
        new = dict.fromkeys(query.text for query in self._level if query.text not in self._known)
        return list(new)[: self.budget - self.spent]

    def receive(self, scores: dict[str, float], goal: NotFlagged) -> bool:
        """Takes the answers, and then the next level; False if the search is over."""
        self._known.update(scores)
        self.spent += len(scores)
        answers = [self._known.get(query.text) for query in self._level]
        for query, score in zip(self._level, answers, strict=True):
            if query.learn is not None and score is not None:
                query.learn(score, goal.is_reached(score))
            if query.draft is not None and score is not None and not self.is_won:
                self._keep(query.draft, score, goal)
        self._idle = 0 if scores else self._idle + 1
        if self.is_won or self.spent >= self.budget or self._idle > _MOST_IDLE:
            return False
        return self._take(lambda: self.walk.send(answers))

    def _keep(self, draft: Draft, score: float, goal: NotFlagged) -> None:
        self.is_won = goal.is_reached(score)
        if self.is_won or self.best is None or goal.distance(score) < goal.distance(self.best_score):
            self.best, self.best_score = draft, score

    def _take(self, step: Callable[[], Sequence[Query]]) -> bool:
        try:
            self._level = step()
        except StopIteration:
            return False
        return True


def run(
    walks: Sequence[Walk],
    goal: NotFlagged,
    budget: int,
    advance: Callable[[int], None],
    at_once: int | None = None,
) -> list[Visit]:
    """Runs searches side by side, level by level.

    Args:
        walks: One for each text.
        goal: Of every search; its victim answers.
        budget: Queries that each may spend.
        advance: Called with the number of queries after each level.
        at_once: Searches that are under way at most, the others begin in order as these end; all at once if None.

    Raises:
        VictimError: The victim stopped answering.
    """
    visits = [Visit(walk, budget) for walk in walks]
    waiting, alive = deque(visits), list[Visit]()
    most = len(visits) if at_once is None else at_once
    while waiting or alive:
        while waiting and len(alive) < most:
            visit = waiting.popleft()
            if visit.start():
                alive.append(visit)
        wanted = [visit.wanted() for visit in alive]
        asked = list(dict.fromkeys(text for texts in wanted for text in texts))
        scores = dict(zip(asked, goal.victim.score(asked).tolist(), strict=True)) if asked else {}
        advance(sum(map(len, wanted)))
        pairs = zip(alive, wanted, strict=True)
        alive = [visit for visit, texts in pairs if visit.receive({text: scores[text] for text in texts}, goal)]
    return visits
