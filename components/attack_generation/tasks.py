"""What one shard of a battle does: texts, the strategies that attack them, and the file that the attacks go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from content_arena.components.attack_generation import battle, searched
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.searched import Plan, Searched
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import EndpointVictim, Victim
from content_arena.components.attack_generation.victims.orientation import Check, right_way_round
from content_arena.components.shared import records
from content_arena.components.shared.stage import Progress


@dataclass(frozen=True)
class Shard:
    """A part of a battle.

    Attributes:
        number: From 0.
        of: How many there are.
    """

    number: int = 0
    of: int = 1


class Task(Protocol):
    """A part of a battle whose attacks go to one file."""

    @property
    def samples(self) -> pd.DataFrame:
        """The texts."""
        ...

    @property
    def chosen(self) -> Sequence[Strategy]:
        """The strategies."""
        ...

    @property
    def expected_queries(self) -> int:
        """The number of queries if no attack succeeds and half the texts are toxic."""
        ...

    def fight(self, victim: Victim, progress: Progress) -> Searched:
        """Attacks the texts and writes the attacks."""
        ...


@dataclass(frozen=True)
class LadderTask:
    """Every text is attacked with every strategy, at rising intensity; with no strategies nothing is.

    Attributes:
        samples: The texts.
        chosen: The strategies.
        path: Where the attacks go.
        seed: Of the battle.
        search: The ladder; tasks may share it.
    """

    samples: pd.DataFrame
    chosen: Sequence[Strategy]
    path: Path
    seed: int
    search: LadderSearch

    @property
    def expected_queries(self) -> int:
        """A text is asked once unperturbed, a toxic one then ``budget`` times for each strategy, a benign one once."""
        n_texts, n_strategies = len(self.samples), len(self.chosen)
        return n_texts + n_texts * n_strategies * (self.search.budget + 1) // 2 if n_strategies else 0

    def fight(self, victim: Victim, progress: Progress) -> Searched:
        """See :class:`Task`."""
        fought = battle.Battle(records.Attack.empty(), {}, 0)
        if self.chosen:
            fought = battle.fight(
                self.samples,
                victim,
                self.chosen,
                seed=self.seed,
                search=self.search,
                advance=progress.advance,
                check=_check(victim),
            )
        records.write(records.Attack, fought.attacks, self.path)
        return Searched(fought, 0)


@dataclass(frozen=True)
class SearchTask:
    """For every toxic text one way past the filter is searched, with all strategies together.

    Attributes:
        samples: The texts.
        chosen: The strategies.
        path: Where the attacks go.
        plan: How to search.
    """

    samples: pd.DataFrame
    chosen: Sequence[Strategy]
    path: Path
    plan: Plan

    @property
    def expected_queries(self) -> int:
        """A text is asked once unperturbed, a toxic one then up to the budget."""
        n_toxic = int((self.samples["label"] == "toxic").sum())
        return len(self.samples) + n_toxic * self.plan.budget

    def fight(self, victim: Victim, progress: Progress) -> Searched:
        """See :class:`Task`."""
        found = searched.search(
            self.samples, victim, self.chosen, self.plan, advance=progress.advance, check=_check(victim)
        )
        records.write(records.Attack, found.battle.attacks, self.path)
        return found


def of_ladder(
    corpus: pd.DataFrame,
    split: tuple[Sequence[Strategy], Sequence[Strategy]],
    settings: AttackSettings,
    seed: int,
    shard: Shard,
    paths: tuple[Path, Path],
) -> list[Task]:
    """The tasks of a shard that takes every n-th strategy.

    Args:
        corpus: Rows of Sample.
        split: The strategies that may be trained on, which attack training and validation texts, and the held-out ones,
            which attack validation texts alone.
        settings: How to attack.
        seed: Of the battle.
        shard: Which.
        paths: Where the attacks of the first and of the second go.
    """
    n_validation = max(1, round(settings.texts_per_label * settings.validation_share))
    train = battle.sample_texts(corpus, "train", settings.texts_per_label, seed)
    validation = battle.sample_texts(corpus, "validation", n_validation, seed)
    seen, unseen = (part[shard.number :: shard.of] for part in split)
    ladder = LadderSearch(settings.budget)
    return [
        LadderTask(pd.concat([train, validation]), seen, paths[0], seed, ladder),
        LadderTask(validation, unseen, paths[1], seed, ladder),
    ]


def of_search(
    corpus: pd.DataFrame,
    split: tuple[Sequence[Strategy], Sequence[Strategy]],
    settings: AttackSettings,
    plan: Plan,
    shard: Shard,
    paths: tuple[Path, Path],
) -> list[Task]:
    """The tasks of a shard that takes every n-th validation text; the arguments are those of :func:`of_ladder`."""
    samples = battle.sample_texts(corpus, "validation", settings.texts_per_label, plan.seed)
    parts = [rows.iloc[shard.number :: shard.of] for _, rows in samples.groupby("label", sort=True)]
    strategies = [strategy for part in split for strategy in part]
    records.write(records.Attack, records.Attack.empty(), paths[1])
    return [SearchTask(pd.concat(parts), strategies, paths[0], plan)]


def _check(victim: Victim) -> Check:
    return right_way_round(victim.version, can_be_turned=isinstance(victim, EndpointVictim))
