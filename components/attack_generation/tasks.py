"""What one shard of a battle does: texts, the strategies that attack them, and the file that the attacks go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from content_arena.components.attack_generation import battle, searched
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.searched import Plan, Searched
from content_arena.components.attack_generation.settings import LADDER, VALIDATION, AttackSettings
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

    @property
    def originals(self) -> Sequence[str]:
        """The texts that are scored as they are."""
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

    @property
    def originals(self) -> Sequence[str]:
        """None without a strategy."""
        return self.samples["text"].tolist() if self.chosen else []

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

    @property
    def originals(self) -> Sequence[str]:
        """Benign ones as well, which are not attacked."""
        return self.samples["text"].tolist()

    def fight(self, victim: Victim, progress: Progress) -> Searched:
        """See :class:`Task`."""
        found = searched.search(
            self.samples, victim, self.chosen, self.plan, advance=progress.advance, check=_check(victim)
        )
        records.write(records.Attack, found.battle.attacks, self.path)
        return found


@dataclass(frozen=True)
class Assignment:
    """What a shard of a battle is given.

    Attributes:
        corpus: Rows of Sample.
        seen: The strategies that may be trained on.
        held_out: Those that may not.
        settings: How to attack.
        plan: The search, and the seed of the battle.
        shard: Which part of the battle.
        attacks_path: Where the attacks of the seen strategies go.
        held_out_path: Where those of the held-out strategies go.
        for_training: Whether training texts are attacked too.
        split: Which texts are attacked where nothing is to be trained, one of
            :data:`~content_arena.components.attack_generation.settings.TEXTS`.
    """

    corpus: pd.DataFrame
    seen: Sequence[Strategy]
    held_out: Sequence[Strategy]
    settings: AttackSettings
    plan: Plan
    shard: Shard
    attacks_path: Path
    held_out_path: Path
    for_training: bool = True
    split: str = VALIDATION

    def tasks(self) -> list[Task]:
        """The tasks of the shard, whose files are all of its attacks.

        With the ladder, a shard takes every n-th strategy. The seen ones attack training and validation texts, the
        held-out ones validation texts alone. Where nothing is to be trained, both attack the texts of ``split``, as
        many as there would be training texts: no other ones stand in a figure.

        With another search it takes every n-th text of ``split``, and attacks it with all strategies together: those
        attacks are never trained on.
        """
        return self._ladder() if self.plan.method == LADDER else self._search()

    def _ladder(self) -> list[Task]:
        n_texts = self.settings.texts_per_label
        if self.for_training:
            validation = self._texts("validation", max(1, round(n_texts * self.settings.validation_share)))
            seen_texts = pd.concat([self._texts("train", n_texts), validation])
        else:
            seen_texts = validation = self._texts(self.split, n_texts)
        mine = slice(self.shard.number, None, self.shard.of)
        ladder = LadderSearch(self.settings.budget, intensity=self.settings.intensity)
        return [
            LadderTask(seen_texts, self.seen[mine], self.attacks_path, self.plan.seed, ladder),
            LadderTask(validation, self.held_out[mine], self.held_out_path, self.plan.seed, ladder),
        ]

    def _search(self) -> list[Task]:
        every = self._texts(self.split, self.settings.texts_per_label)
        parts = [rows.iloc[self.shard.number :: self.shard.of] for _, rows in every.groupby("label", sort=True)]
        texts = pd.concat(parts)
        return [
            SearchTask(texts, [*self.seen, *self.held_out], self.attacks_path, self._plan()),
            LadderTask(texts, [], self.held_out_path, self.plan.seed, LadderSearch()),
        ]

    def _plan(self) -> Plan:
        return replace(self.plan, shard=self.shard.number, n_shards=self.shard.of)

    def _texts(self, split: str, per_label: int) -> pd.DataFrame:
        return battle.sample_texts(self.corpus, split, per_label, self.plan.seed)


def _check(victim: Victim) -> Check:
    return right_way_round(victim.version, can_be_turned=isinstance(victim, EndpointVictim))
