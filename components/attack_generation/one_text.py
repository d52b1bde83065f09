"""Attacks one text with every strategy, and with a search over all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from content_arena.components.attack_generation import battle, searched, strategies, victims
from content_arena.components.attack_generation.outcomes import judged
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.attack_generation.settings import KSERVE, Reading
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import CachedVictim, Victim
from content_arena.components.attack_generation.writing.binding import (
    Reporting,
    bound,
    tell_what_was_written,
    writer_for,
)
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH


@dataclass(frozen=True)
class Attacked:
    """One attack on the text.

    Attributes:
        attack: The strategy, or the search.
        gets_past: Whether the filter does not flag what came out.
        readable: Whether a person can still read it.
        score: The filter's score of it; None if the attack changes nothing.
        queries: What the attack cost, without the original.
        text: What came out; None if the attack changes nothing.
        strategies: What it was made with.
    """

    attack: str
    gets_past: bool
    readable: bool
    score: float | None
    queries: int
    text: str | None
    strategies: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What gets a text past a filter.

    Attributes:
        score: The filter's score of the original.
        threshold: From which a text is flagged.
        n_queries: Different texts that the filter was asked about, the original included.
        attacks: In alphabetical order of the strategies, and the search last; empty if the original is not flagged.
    """

    score: float
    threshold: float
    n_queries: int
    attacks: Sequence[Attacked]

    @property
    def is_flagged(self) -> bool:
        """Whether the filter flags the original."""
        return self.score >= self.threshold


def attack(
    text: str,
    lang: str,
    victim: Victim,
    chosen: Sequence[Strategy],
    *,
    budget: int,
    plan: Plan,
    intensity: float = 1.0,
) -> Report:
    """Attacks a text.

    Args:
        text: Taken for toxic, 1 to 5,000 characters.
        lang: ISO 639-1 code.
        victim: The filter.
        chosen: The strategies.
        budget: Queries for each strategy on its own.
        plan: Of the search over all strategies, and the seed of everything.
        intensity: Of the last query of each strategy on its own, in (0, 1].

    Raises:
        InputError: The text is empty or too long.
        VictimError: The filter does not answer.
    """
    if not text.strip():
        raise InputError("the text is empty: give a text that the filter flags")
    if len(text) > MAX_TEXT_LENGTH:
        raise InputError(f"the text has {len(text):,} characters, it may have {MAX_TEXT_LENGTH:,}")
    cached = CachedVictim(victim)
    score = float(cached.score([text])[0])
    report = Report(score, cached.threshold, cached.n_queries, [])
    if not report.is_flagged:
        return report
    samples = pd.DataFrame([{"base_id": "text", "text": text, "label": "toxic", "lang": lang, "split": "test"}])
    one_by_one = battle.fight(samples, cached, chosen, seed=plan.seed, search=LadderSearch(budget, intensity=intensity))
    # Of a text that is written in two forms, the benign one is no attack.
    toxic = one_by_one.attacks[one_by_one.attacks["label_gold"] == "toxic"]
    together = searched.search(samples, cached, chosen, plan)
    attacks = [
        *(_attacked(row, (str(row["strategy"]),)) for row in judged(toxic).to_dict("records")),
        *(_attacked(row, searched.made_with(str(row["params"]))) for row in _rows(together.battle.attacks)),
    ]
    return Report(score, cached.threshold, cached.n_queries, attacks)


def attack_on(
    spec: str,
    text: str,
    lang: str,
    selection: Selection,
    *,
    budget: int,
    plan: Plan,
    intensity: float = 1.0,
    reading: Reading = KSERVE,
    chat: ChatSettings = ChatSettings(),  # noqa: B008 - frozen
    tracking_uri: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """:func:`attack` on the filter that a user names, with the strategies that a user selects.

    Args:
        spec: The filter, see :func:`content_arena.components.attack_generation.victims.open_victim`.
        text: See :func:`attack`.
        lang: See :func:`attack`.
        selection: The strategies.
        budget: See :func:`attack`.
        plan: See :func:`attack`.
        intensity: See :func:`attack`.
        reading: How a filter behind a URL is asked and read.
        chat: How an LLM is asked, if strategies need one.
        tracking_uri: MLflow server; the environment's if None.
        say: Called with what an LLM does that writes attacks.
    """
    chosen = strategies.selected(lang, selection)
    reporting = Reporting(say, say)
    writer = writer_for(chosen, chat, reporting)
    opened = victims.open_victim(spec, tracking_uri, reading=reading)
    report = attack(text, lang, opened, bound(chosen, writer), budget=budget, plan=plan, intensity=intensity)
    tell_what_was_written(writer, reporting)
    return report


def _rows(attacks: pd.DataFrame) -> list[dict[Hashable, object]]:
    return judged(attacks).to_dict("records")


def _attacked(row: Mapping[Hashable, object], made_with: tuple[str, ...]) -> Attacked:
    is_changed = row["perturbed_text"] != row["original_text"]
    return Attacked(
        str(row["strategy"]),
        row["status"] == "success",
        bool(row["readable"]),
        float(str(row["score_after"])) if is_changed else None,
        int(str(row["n_queries"])),
        str(row["perturbed_text"]) if is_changed else None,
        made_with if is_changed else (),
    )
