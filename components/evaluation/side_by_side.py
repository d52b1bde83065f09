"""Several filters side by side: the same texts and attempts against each, and what differs by more than chance.

Only the ladder is used: its attempts are decided before any filter answers, so that all of them meet the same ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.attack_generation import battle, reach
from content_arena.components.attack_generation.outcomes import (
    benign_perturbed,
    flagged,
    got_past,
    judged,
    toxic_caught,
)
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.search.curve import curve
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import AnsweringVictim, CachedVictim, EndpointVictim, Victim
from content_arena.components.attack_generation.victims.local import canonicaliser_of
from content_arena.components.attack_generation.victims.orientation import right_way_round
from content_arena.components.attack_generation.writing.binding import (
    Reporting,
    bound,
    tell_what_was_written,
    writer_for,
)
from content_arena.components.evaluation import battle_figures, metrics
from content_arena.components.evaluation.side_by_side_record import (
    Difference,
    Pair,
    Side,
    SideBySide,
    StrategyRow,
)
from content_arena.components.evaluation.statistics import Trials, mcnemar, paired_difference, wilson
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.errors import InputError

Flags = npt.NDArray[np.bool_]
#: Texts that a filter is asked about before its pace is taken: the first ones are slower.
_WARM_UP = 8


@dataclass(frozen=True)
class Contender:
    """A filter to compare.

    Attributes:
        name: A letter, which stands for it in tables and pictures.
        given: How it was named, without a login.
        victim: The filter.
    """

    name: str
    given: str
    victim: Victim


@dataclass(frozen=True)
class Setting:
    """What every filter meets.

    Attributes:
        samples: Texts, rows of Sample.
        strategies: What they are attacked with.
        lang: ISO 639-1 code of the texts.
        budget: Queries for each text and strategy.
        seed: Of the attacks.
        intensity: Of a strategy's last attempt, in (0, 1].
        chat: How an LLM is asked, if strategies need one.
    """

    samples: pd.DataFrame
    strategies: Sequence[Strategy]
    lang: str
    budget: int
    seed: int
    intensity: float = 1.0
    chat: ChatSettings = ChatSettings()  # noqa: RUF009 - frozen


class _Timed(CachedVictim):
    """Adds up the seconds in which the filter works, without what it takes to make the attempts."""

    def __init__(self, victim: Victim) -> None:
        super().__init__(victim)
        self.seconds = 0.0

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See :meth:`Victim.score`."""
        started = time.perf_counter()
        scores = super().score(texts)
        self.seconds += time.perf_counter() - started
        return scores


@dataclass(frozen=True)
class _Fought:
    """A battle against one filter.

    Attributes:
        contender: The filter.
        victim: It, with its answers.
        attacks: Judged.
        counting: Those of the strategies that count.
        sha256: Of the attack set.
    """

    contender: Contender
    victim: _Timed
    attacks: pd.DataFrame
    counting: pd.DataFrame
    sha256: str


def compare(
    contenders: Sequence[Contender], setting: Setting, tell: Callable[[str], None] = lambda line: None
) -> SideBySide:
    """Attacks every filter with the same attempts on the same texts.

    A strategy that the canonicaliser undoes counts only if a filter takes part that may read texts without it.

    Args:
        contenders: Two or more, with different names.
        setting: Texts and attacks.
        tell: Called with a line for people before each battle.

    Raises:
        InputError: Fewer than two filters, or nothing to attack.
        VictimError: A filter stopped answering, or is read the wrong way round.
    """
    if len(contenders) < 2:
        raise InputError("a comparison needs two filters or more")
    if setting.samples["label"].nunique() < 2:
        raise InputError("a comparison needs toxic and benign texts")
    # A filter that does not answer is told before the others are attacked, and before an LLM writes anything.
    for contender in contenders:
        contender.victim.score(setting.samples["text"].tolist()[:_WARM_UP])
    reporting = Reporting(tell, tell)
    writer = writer_for(setting.strategies, setting.chat, reporting)
    setting = replace(setting, strategies=bound(setting.strategies, writer))
    search = LadderSearch(setting.budget, intensity=setting.intensity)
    targets = battle.make_targets(setting.samples, setting.strategies, setting.seed)
    search.make_all(targets)
    for target in targets:
        search.attempts(target)
    tell_what_was_written(writer, reporting)
    left_out = _left_out(contenders, setting)
    fought = []
    for contender in contenders:
        tell(f"{contender.name}: attacking {contender.given} with {len(setting.strategies)} strategies")
        fought.append(_fight(contender, setting, search, left_out))
    n_toxic = int((setting.samples["label"] == "toxic").sum())
    return SideBySide(
        lang=setting.lang,
        seed=setting.seed,
        budget=setting.budget,
        n_toxic=n_toxic,
        n_benign=len(setting.samples) - n_toxic,
        attack_set_sha256=fought[0].sha256,
        sides=tuple(_side(each, setting.samples) for each in fought),
        pairs=tuple(_pair(first, second, setting.samples) for first, second in combinations(fought, 2)),
        strategies=_strategies(fought, left_out),
    )


def _left_out(contenders: Sequence[Contender], setting: Setting) -> frozenset[str]:
    if any(canonicaliser_of(contender.victim) is None for contender in contenders):
        return frozenset()
    undone = {strategy.name for strategy in setting.strategies if reach.is_undone(strategy, setting.lang)}
    # With nothing else to attack with, these are what was asked for.
    return frozenset(undone) if len(undone) < len(setting.strategies) else frozenset()


def _fight(contender: Contender, setting: Setting, search: LadderSearch, left_out: frozenset[str]) -> _Fought:
    victim = _Timed(contender.victim)
    can_be_turned = isinstance(contender.victim, EndpointVictim)
    found = battle.fight(
        setting.samples,
        victim,
        setting.strategies,
        seed=setting.seed,
        search=search,
        check=right_way_round(f"{contender.name} ({contender.given})", can_be_turned=can_be_turned),
    )
    attacks = judged(found.attacks)
    return _Fought(contender, victim, attacks, attacks[~attacks["strategy"].isin(list(left_out))], found.sha256)


def _side(fought: _Fought, samples: pd.DataFrame) -> Side:
    caught = toxic_caught(fought.counting)
    is_toxic = (samples["label"] == "toxic").to_numpy(dtype=bool)
    verdicts = _verdicts(fought, samples)
    # Answers that are known are free, so they have to be counted before.
    n_queries, seconds = fought.victim.n_queries, fought.victim.seconds
    asked = fought.contender.victim
    # Answers of a comparison that was cut short cost no time now.
    is_paced = seconds > 0 and not (isinstance(asked, AnsweringVictim) and asked.n_known)
    return Side(
        name=fought.contender.name,
        given=fought.contender.given,
        version=fought.victim.version,
        threshold=fought.victim.threshold,
        caught=wilson(verdicts[is_toxic]),
        clean_flagged=wilson(verdicts[~is_toxic]),
        evasion=metrics.evasion(fought.counting),
        benign_flagged=metrics.perturbed_benign_fpr(fought.counting),
        by_budget=tuple(curve(fought.counting)),
        n_queries=n_queries,
        queries=float(caught["n_queries"].mean()) if len(caught) else None,
        texts_per_second=n_queries / seconds if is_paced else None,
    )


def _pair(first: _Fought, second: _Fought, samples: pd.DataFrame) -> Pair:
    is_toxic = (samples["label"] == "toxic").to_numpy(dtype=bool)
    both = (first, second)
    wrong = [_verdicts(each, samples) != is_toxic for each in both]
    missed = [_missed(each.counting) for each in both]
    alarmed = [_alarmed(each.counting) for each in both]
    return Pair(
        first=first.contender.name,
        second=second.contender.name,
        evasion=_difference(*(_evasion_trials(each.counting) for each in both)),
        benign_flagged=_difference(*(_benign_trials(each.counting) for each in both)),
        wrong=mcnemar(wrong[0], wrong[1]),
        missed=mcnemar(missed[0], missed[1]),
        alarmed=mcnemar(alarmed[0], alarmed[1]),
    )


def _verdicts(fought: _Fought, samples: pd.DataFrame) -> Flags:
    """Which texts the filter flags as they are, bool[n]; their scores are known from the battle."""
    scores = fought.victim.score(samples["text"].tolist())
    return np.asarray(scores >= fought.victim.threshold, dtype=bool)


def _missed(attacks: pd.DataFrame) -> Flags:
    """Which toxic texts a filter misses, with or without an attack, by base_id in order; bool[n]."""
    toxic = attacks[attacks["label_gold"] == "toxic"]
    past = (toxic["status"] == "success") & toxic["readable"]
    return _any_by_text(toxic, past | (toxic["score_before"] < toxic["threshold"]))


def _alarmed(attacks: pd.DataFrame) -> Flags:
    """Which benign texts a filter flags after a strategy, by base_id in order; bool[n]."""
    benign = attacks[attacks["label_gold"] == "benign"]
    counted = benign.index.isin(benign_perturbed(attacks).index)
    return _any_by_text(benign, pd.Series(flagged(benign) & counted, index=benign.index))


def _any_by_text(attacks: pd.DataFrame, hits: pd.Series) -> Flags:
    return hits.groupby(attacks["base_id"]).any().sort_index().to_numpy(dtype=bool)


def _evasion_trials(attacks: pd.DataFrame) -> Trials:
    caught = toxic_caught(attacks)
    return Trials(got_past(caught), caught["base_id"].tolist())


def _benign_trials(attacks: pd.DataFrame) -> Trials:
    benign = benign_perturbed(attacks)
    return Trials(flagged(benign), benign["base_id"].tolist())


def _difference(first: Trials, second: Trials) -> Difference | None:
    found = paired_difference(first, second)
    return None if found is None else Difference(*found)


def _strategies(fought: Sequence[_Fought], left_out: frozenset[str]) -> tuple[StrategyRow, ...]:
    figures = {each.contender.name: battle_figures.per_strategy(each.attacks) for each in fought}
    families = fought[0].attacks.groupby("strategy")["family"].first()
    return tuple(
        StrategyRow(
            strategy=name,
            family=str(families[name]),
            counts=name not in left_out,
            evasion={side: found[name].evasion for side, found in figures.items()},
            benign_flagged={side: found[name].benign_flagged for side, found in figures.items()},
        )
        for name in sorted(families.index)
    )
