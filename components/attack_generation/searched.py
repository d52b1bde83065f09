"""A battle in which the attacker searches: for each toxic text one way past the filter, within a budget of queries.

What is tried depends on the victim's answers. So two filters are not compared by it; it shows what an attacker of one
filter achieves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from random import Random

import pandas as pd

from content_arena.components.attack_generation.battle import Battle, attack_row, make_seed
from content_arena.components.attack_generation.meaning import Judged, Meaning, shared
from content_arena.components.attack_generation.search import Attempt, Outcome, Target, constraints, door
from content_arena.components.attack_generation.search.constraints import SameMeaning
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.search.evolving import AT_ONCE, Evolving
from content_arena.components.attack_generation.search.goal import NotFlagged
from content_arena.components.attack_generation.search.memory import NOTHING, Memory
from content_arena.components.attack_generation.search.methods import METHODS, Task
from content_arena.components.attack_generation.settings import EVOLVING, SEARCHES
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import CachedVictim, Victim
from content_arena.components.attack_generation.victims.orientation import Check
from content_arena.components.attack_generation.writing.ahead import in_threads
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.records import sha256_of
from content_arena.components.shared.text.readability import WRITTEN

#: The family that stands in the attacks of a search, which mix strategies.
FAMILY = "search"


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes:
        method: One of :data:`~content_arena.components.attack_generation.settings.SEARCHES`.
        budget: Queries that each text may cost; its own score before the attack is not counted.
        max_edit_share: Largest share of a text that may change, in (0, 1].
        seed: Of everything random.
        shard: Which part of the texts these are, from 0: an attacker that learns knows its own part alone.
        n_shards: Into how many parts they were dealt.
        memory: What the evolving attacker begins with.
    """

    method: str
    budget: int
    max_edit_share: float = 1.0
    seed: int = 0
    shard: int = 0
    n_shards: int = 1
    memory: Memory = NOTHING

    def __post_init__(self) -> None:
        if self.method not in SEARCHES:
            raise InputError(f"there is no search {self.method}; there is: {', '.join(SEARCHES)}")
        if self.budget < 1:
            raise InputError(f"budget is {self.budget}, it has to be at least 1")


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
        battle: Attacks on the toxic texts, one a text. The digest is over what was decided before the first query.
        n_refused: Attacks that were not asked about because they failed a constraint.
        learnt: What an attacker that learns found to work best, for people; empty for the others.
        memory: What it knows, for the next battle.
    """

    battle: Battle
    n_refused: int
    learnt: Sequence[str] = ()
    memory: Memory = NOTHING


def search(
    samples: pd.DataFrame,
    victim: Victim,
    strategies: Sequence[Strategy],
    plan: Plan,
    *,
    advance: Callable[[int], None] = lambda n: None,
    check: Check | None = None,
    meaning: Meaning | None = None,
) -> Searched:
    """Searches a way past the filter for every toxic text that it catches.

    The same texts, strategies, plan and answers give the same attacks. What other texts are attacked beside a text, and
    in which order, makes a difference to the evolving attacker alone, which learns from them.

    Args:
        samples: Rows of Sample. Benign ones are scored, for the check, and not attacked.
        victim: The filter.
        strategies: What to attack with, where they apply to a text's language.
        plan: How to search.
        advance: Called with the number of queries after each level.
        check: Called with labels and scores of the originals, before any attack.
        meaning: Measures whether texts in other words say the same; the usual one if None.

    Raises:
        InputError: There are no strategies.
        VictimError: The victim stopped answering, or the check refused it.
    """
    if not strategies:
        raise InputError("a search needs at least one strategy")
    cached = victim if isinstance(victim, CachedVictim) else CachedVictim(victim)
    before = cached.score(samples["text"].tolist())
    advance(len(samples))
    if check is not None and len(samples):
        check(samples["label"].tolist(), before)
    toxic = samples.assign(score=before)[(samples["label"] == "toxic").to_numpy()]
    targets = [_target(row, strategies, plan.seed) for row in toxic.to_dict("records")]
    scores = toxic["score"].tolist()
    caught = [score >= cached.threshold for score in scores]
    meant = [SameMeaning(meaning or shared(), target.lang) for target in targets]
    tasks = [
        _task(target, score, strategies, plan, same) for target, score, same in zip(targets, scores, meant, strict=True)
    ]
    _write_ahead([task for task, is_caught in zip(tasks, caught, strict=True) if is_caught])
    learner = None
    if plan.method == EVOLVING:
        learner = Evolving(strategies, make_seed(plan.seed, FAMILY, str(plan.shard)), plan.memory)
    method = METHODS[plan.method] if learner is None else learner.walk
    walks = [method(task) for task, is_caught in zip(tasks, caught, strict=True) if is_caught]
    at_once = None if learner is None else AT_ONCE
    visits = iter(door.run(walks, NotFlagged(cached), plan.budget, advance, at_once))
    found = [next(visits) if is_caught else None for is_caught in caught]
    orders = _orders(caught, plan)
    rows = [
        _row(target, visit, score, cached, plan) | _parameters(visit, order) | {"meaning": _meaning(visit, same)}
        for target, visit, score, order, same in zip(targets, found, scores, orders, meant, strict=True)
    ]
    table = pd.DataFrame(rows) if rows else records.Attack.empty()
    digests = {
        f"{target.base_id} {plan.method}": sha256_of(_digest(target, strategies, plan), *map(str, order.values()))
        if order
        else _digest(target, strategies, plan)
        for target, order in zip(targets, orders, strict=True)
    }
    n_refused = sum(task.n_refused for task in tasks)
    judged = sum((same.judged for same in meant), Judged())
    return Searched(
        Battle(table, digests, cached.n_queries, judged),
        n_refused,
        *((learner.learnt(), learner.memory()) if learner else ()),
    )


def made_with(params: str) -> tuple[str, ...]:
    """The strategies that an attack of a search was made with, in order.

    Args:
        params: The attack's column of that name.
    """
    return tuple(str(edit["strategy"]) for edit in json.loads(params).get("edits", []))


def _target(row: Mapping[Hashable, object], strategies: Sequence[Strategy], seed: int) -> Target:
    base_id, text, label, lang, split = (str(row[name]) for name in ("base_id", "text", "label", "lang", "split"))
    return Target(base_id, text, label, lang, split, strategies[0], make_seed(seed, base_id, FAMILY))


def _task(target: Target, score: float, strategies: Sequence[Strategy], plan: Plan, same_meaning: SameMeaning) -> Task:
    return Task(
        original=Draft.of(target.text),
        score=score,
        strategies=[strategy for strategy in strategies if strategy.speaks(target.lang)],
        constraints=constraints.usual(plan.max_edit_share, same_meaning),
        budget=plan.budget,
        seed=target.seed,
    )


def _write_ahead(tasks: Sequence[Task]) -> None:
    """Has an LLM write what most searches begin with; what else they want of it they wait for, one after the other."""
    in_threads(
        lambda work: work[0].perturb(work[1].original.text, Random(work[1].seed), 1.0),  # noqa: S311 - no secret
        [(strategy, (strategy, task)) for task in tasks for strategy in task.strategies],
    )


def _row(
    target: Target, visit: door.Visit | None, before: float, victim: CachedVictim, plan: Plan
) -> dict[str, object]:
    """One attack, without its parameters; the best draft if none got past."""
    outcome = Outcome()
    if visit is not None:
        outcome.n_queries = visit.spent
        if visit.best is not None:
            intensity = max(edit.intensity for edit in visit.best.edits)
            outcome.attempt = Attempt(visit.best.text, target.seed, intensity)
            outcome.score, outcome.turned = visit.best_score, visit.is_won
    row = attack_row(target, outcome, before, victim, plan.budget)
    # A draft mixes strategies; which ones stands in the parameters.
    made = {"strategy": plan.method, "family": FAMILY}
    if visit is not None and not visit.is_won:
        # Of a caught text nothing may have been sent, because every draft broke a constraint: the filter held.
        made["status"] = "failed"
    name = sha256_of(target.base_id, FAMILY, plan.method, str(row["perturbed_text"]))[:16]
    return row | made | {"attack_id": name}


def _meaning(visit: door.Visit | None, same: SameMeaning) -> float:
    """Similarity of the text and the best draft, without its edits of spelling; NaN if its words were left."""
    return math.nan if visit is None or visit.best is None else same.found.get(visit.best.in_words.text, math.nan)


def _orders(caught: Sequence[bool], plan: Plan) -> list[dict[str, int | str]]:
    """For an attacker that learns, where each text stood: which shard of how many, and how many texts came before.

    If it did not begin anew, also the digest of what it knew.
    """
    if plan.method != EVOLVING:
        return [{} for _ in caught]
    before = accumulate(caught, initial=0)
    knew = {"memory": plan.memory.sha256} if plan.memory else {}
    return [
        {"shard": plan.shard, "n_shards": plan.n_shards, "order": n, **knew}
        for n, _ in zip(before, caught, strict=False)
    ]


def _parameters(visit: door.Visit | None, order: Mapping[str, int | str]) -> dict[str, object]:
    edits = [] if visit is None or visit.best is None else [asdict(edit) for edit in visit.best.edits]
    written = None if visit is None or visit.best is None else visit.best.written
    by_llm = {} if written is None else {WRITTEN: written}
    return {"params": json.dumps(({"edits": edits} if edits else {}) | by_llm | dict(order))}


def _digest(target: Target, strategies: Sequence[Strategy], plan: Plan) -> str:
    names = ",".join(strategy.name for strategy in strategies)
    facts = (target.text, str(target.seed), plan.method, str(plan.budget), f"{plan.max_edit_share:.6f}", names)
    return sha256_of(*facts)
