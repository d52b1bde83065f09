"""A battle: texts x strategies x a query budget against one victim."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rapidfuzz.distance import Levenshtein

from content_arena.components.attack_generation.meaning import Judged, Meaning, shared
from content_arena.components.attack_generation.search import Attempt, LadderSearch, Outcome, Search, Target
from content_arena.components.attack_generation.settings import ALL
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import CachedVictim, Victim
from content_arena.components.attack_generation.victims.local import canonicaliser_of
from content_arena.components.attack_generation.victims.orientation import Check
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.records import sha256_of
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.readability import ORIGINAL_LABEL, WRITTEN


@dataclass(frozen=True)
class Battle:
    """The result of a battle.

    Attributes:
        attacks: One row a (text, strategy), columns of :class:`~content_arena.components.shared.records.Attack`.
        digests: For every strategy the SHA-256 (hex) of all attempts that the seed determines, made or not.
        n_queries: Number of different texts the victim was asked about, originals included.
        meaning: How many texts in other words were judged by their meaning.
    """

    attacks: pd.DataFrame
    digests: Mapping[str, str]
    n_queries: int
    meaning: Judged = Judged()  # noqa: RUF009 - frozen

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the attack set: battles with the same hash were fought with the same attempts."""
        return combine(self.digests)


def combine(digests: Mapping[str, str]) -> str:
    """One hash of the attempts of several strategies, whatever their order."""
    return sha256_of(*(part for name in sorted(digests) for part in (name, digests[name])))


def fight(
    samples: pd.DataFrame,
    victim: Victim,
    strategies: Sequence[Strategy],
    *,
    seed: int = 0,
    search: Search | None = None,
    advance: Callable[[int], None] = lambda n: None,
    check: Check | None = None,
    meaning: Meaning | None = None,
) -> Battle:
    """Attacks every sample with every strategy.

    Args:
        samples: Rows of :class:`~content_arena.components.shared.records.Sample`.
        victim: The filter under attack. Answers that a :class:`CachedVictim` has already are used.
        strategies: What to attack with.
        seed: The same seed gives the same attack set.
        search: How the budget is spent; a :class:`LadderSearch` if None.
        advance: Called with the number of queries after each batch.
        check: Called with labels and scores of the originals, before any attack.
        meaning: Measures whether texts in other words say the same; the usual one if None.

    Raises:
        InputError: No samples or no strategies.
        VictimError: The victim stopped answering, or the check refused it.
    """
    search = search or LadderSearch()
    targets = make_targets(samples, strategies, seed)
    cached = victim if isinstance(victim, CachedVictim) else CachedVictim(victim)
    texts = samples["text"].tolist()
    scores = cached.score(texts)
    if check is not None:
        check(samples["label"].tolist(), scores)
    before = dict(zip(texts, scores.tolist(), strict=True))
    advance(len(texts))
    outcomes = search.run(targets, cached, advance)
    made = [(target, outcome.attempt) for target, outcome in zip(targets, outcomes, strict=True)]
    similarities, judged = meanings(made, meaning or shared())
    rows = [
        attack_row(target, outcome, before[target.text], cached, search.budget) | {"meaning": similarity}
        for target, outcome, similarity in zip(targets, outcomes, similarities, strict=True)
        # The original does not stand in for a text of the other label that was not made of it.
        if outcome.attempt is not None or not target.is_of_other_label
    ]
    digests = {
        strategy.name: search.digest([target for target in targets if target.strategy.name == strategy.name])
        for strategy in strategies
    }
    return Battle(pd.DataFrame(rows) if rows else records.Attack.empty(), digests, cached.n_queries, judged)


def meanings(made: Sequence[tuple[Target, Attempt | None]], meaning: Meaning) -> tuple[list[float], Judged]:
    """Similarities of originals and attempts: NaN where it is not measured, or the strategy leaves the words.

    Args:
        made: Targets with what was made of them, None for nothing.
        meaning: Measures it.
    """
    similarities, judged = [math.nan] * len(made), Judged()
    by_lang: dict[str, list[tuple[int, str, str]]] = {}
    for place, (target, attempt) in enumerate(made):
        if attempt is not None and target.strategy.rewords and not target.is_of_other_label:
            by_lang.setdefault(target.lang, []).append((place, target.text, attempt.text))
    for lang, found in by_lang.items():
        values = meaning.similarities(lang, [(original, text) for _, original, text in found]).tolist()
        judged += Judged.of(lang, values)
        for (place, _, _), value in zip(found, values, strict=True):
            similarities[place] = value
    return similarities, judged


def make_seed(seed: int, *parts: str) -> int:
    """A 62-bit seed that depends on the arguments only, and not on a generator's state or the process's hash seed."""
    return int(sha256_of(str(seed), *parts)[:16], 16) >> 2


def make_targets(samples: pd.DataFrame, strategies: Sequence[Strategy], seed: int) -> list[Target]:
    """Every pair of a text and a strategy that works on its language and label, strategy by strategy.

    Args:
        samples: Rows of Sample.
        strategies: What to attack with.
        seed: Decides all attempts.

    Raises:
        InputError: No samples or no strategies.
    """
    if samples.empty or not strategies:
        raise InputError("a battle needs at least one text and one strategy")
    originals = samples[["base_id", "text", "label", "lang", "split"]].to_numpy(dtype=object).tolist()
    return [
        Target(base_id, text, made, lang, split, how, make_seed(seed, base_id, strategy.name), label)
        for strategy in strategies
        for base_id, text, label, lang, split in originals
        if strategy.speaks(lang)
        for how, made in strategy.makes(label)
    ]


def sample_texts(corpus: pd.DataFrame, split: str, per_label: int, seed: int) -> pd.DataFrame:
    """Draws at most ``per_label`` toxic and as many benign texts of a split, or of all of them ("all").

    Texts are ranked by a hash, so the sample depends on seed and texts and not on the order of rows.
    """
    rows = corpus[corpus["split"].isin(records.SPLITS if split == ALL else [split])]
    rank = rows["base_id"].map(lambda base_id: make_seed(seed, base_id, "draw"))
    drawn = rows.assign(_rank=rank).sort_values(["_rank", "sample_id"]).groupby("label", sort=True).head(per_label)
    return drawn.sort_values("sample_id").drop(columns="_rank").reset_index(drop=True)


def attack_row(target: Target, outcome: Outcome, before: float, victim: CachedVictim, budget: int) -> dict[str, object]:
    """One attack, columns of :class:`~content_arena.components.shared.records.Attack`; its meaning is not measured yet.

    Args:
        target: What was attacked.
        outcome: What was found.
        before: The victim's score of the original.
        victim: Asked about the original and the outcome already.
        budget: Queries that were allowed.
    """
    attempt = outcome.attempt
    text = attempt.text if attempt else target.text
    was_right = (before >= victim.threshold) == ((target.original_label or target.label) == "toxic")
    status = "skipped" if attempt is None or not was_right else "success" if outcome.turned else "failed"
    distance = Levenshtein.distance(target.text, text)
    return {
        "attack_id": sha256_of(target.base_id, target.strategy.name, target.text, text)[:16],
        "base_id": target.base_id,
        "lang": target.lang,
        "strategy": target.strategy.name,
        "family": target.strategy.family,
        "params": _params(target, attempt),
        "seed": attempt.seed if attempt else target.seed,
        "intensity": attempt.intensity if attempt else 0.0,
        "budget": budget,
        "original_text": target.text,
        "perturbed_text": text,
        "label_gold": target.label,
        "victim_version": victim.version,
        "threshold": victim.threshold,
        "score_before": before,
        "score_after": outcome.score if attempt else before,
        "status": status,
        "n_queries": outcome.n_queries,
        "edit_distance": distance,
        "pct_changed": distance / max(len(target.text), len(text)),
        "similarity": _similarity(target.text, text, victim.victim),
        "split": target.split,
        "meaning": math.nan,
    }


def _params(target: Target, attempt: Attempt | None) -> str:
    """Of a text that an LLM wrote, what was asked, and the text that a person has to be able to read."""
    if attempt is None or not target.strategy.rewrites:
        return "{}"
    twin = {ORIGINAL_LABEL: target.original_label} if target.is_of_other_label else {}
    return json.dumps({**target.strategy.made_with(), **twin, WRITTEN: attempt.text})


def _similarity(original: str, perturbed: str, victim: Victim) -> float:
    """Similarity of the canonical forms, in [0, 1]; 1 if the edit is undone.

    An edit is undone if the victim's own canonicaliser undoes it: an older filter has an older version of it. Of a
    filter whose canonicaliser is not known, it says what ours makes of the edit.
    """
    canonical = canonicaliser_of(victim) or canonicalise
    return float(Levenshtein.normalized_similarity(canonical(original), canonical(perturbed)))
