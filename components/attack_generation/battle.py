"""A battle: texts x strategies x a query budget against one victim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rapidfuzz.distance import Levenshtein

from content_arena.components.attack_generation.search import LadderSearch, Outcome, Search, Target
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import CachedVictim, Victim
from content_arena.components.shared.canonical import Canonicaliser, canonicalise
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.records import sha256_of


@dataclass(frozen=True)
class Battle:
    """The result of a battle.

    Attributes:
        attacks: One row a (text, strategy), columns of :class:`~content_arena.components.shared.records.Attack`.
        digests: For every strategy the SHA-256 (hex) of all attempts that the seed determines, made or not.
        n_queries: Number of different texts the victim was asked about, originals included.
    """

    attacks: pd.DataFrame
    digests: Mapping[str, str]
    n_queries: int

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
) -> Battle:
    """Attacks every sample with every strategy.

    Args:
        samples: Rows of :class:`~content_arena.components.shared.records.Sample`.
        victim: The filter under attack. Answers that a :class:`CachedVictim` has already are used.
        strategies: What to attack with.
        seed: The same seed gives the same attack set.
        search: How the budget is spent; a :class:`LadderSearch` if None.
        advance: Called with the number of queries after each batch.

    Raises:
        InputError: No samples or no strategies.
        VictimError: The victim stopped answering.
    """
    search = search or LadderSearch()
    targets = make_targets(samples, strategies, seed)
    cached = victim if isinstance(victim, CachedVictim) else CachedVictim(victim)
    # An edit is undone if the victim's own canonicaliser undoes it: an older filter has an older version of it.
    canonical = cached.victim.reading.canonicalise if isinstance(cached.victim, ContentFilter) else canonicalise
    texts = samples["text"].tolist()
    before = dict(zip(texts, cached.score(texts).tolist(), strict=True))
    advance(len(texts))
    outcomes = search.run(targets, cached, advance)
    rows = [
        _row(target, outcome, before[target.text], cached, search.budget)
        | {"similarity": _similarity(target, outcome, canonical)}
        for target, outcome in zip(targets, outcomes, strict=True)
    ]
    digests = {
        strategy.name: search.digest([target for target in targets if target.strategy is strategy])
        for strategy in strategies
    }
    return Battle(pd.DataFrame(rows), digests, cached.n_queries)


def make_targets(samples: pd.DataFrame, strategies: Sequence[Strategy], seed: int) -> list[Target]:
    """Every pair of a text and a strategy that works on its language, strategy by strategy.

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
        Target(base_id, text, label, lang, split, strategy, _seed(seed, base_id, strategy.name))
        for strategy in strategies
        for base_id, text, label, lang, split in originals
        if strategy.speaks(lang)
    ]


def sample_texts(corpus: pd.DataFrame, split: str, per_label: int, seed: int) -> pd.DataFrame:
    """Draws at most ``per_label`` toxic and as many benign texts of a split.

    Texts are ranked by a hash, so the sample depends on seed and texts and not on the order of rows.
    """
    rows = corpus[corpus["split"] == split]
    rank = rows["base_id"].map(lambda base_id: _seed(seed, base_id, "draw"))
    drawn = rows.assign(_rank=rank).sort_values(["_rank", "sample_id"]).groupby("label", sort=True).head(per_label)
    return drawn.sort_values("sample_id").drop(columns="_rank").reset_index(drop=True)


def _seed(seed: int, *parts: str) -> int:
    """A 62-bit seed that depends on the arguments only, and not on a generator's state or the process's hash seed."""
    return int(sha256_of(str(seed), *parts)[:16], 16) >> 2


def _row(target: Target, outcome: Outcome, before: float, victim: CachedVictim, budget: int) -> dict[str, object]:
    attempt = outcome.attempt
    text = attempt.text if attempt else target.text
    was_right = (before >= victim.threshold) == (target.label == "toxic")
    status = "skipped" if attempt is None or not was_right else "success" if outcome.turned else "failed"
    distance = Levenshtein.distance(target.text, text)
    return {
        "attack_id": sha256_of(target.base_id, target.strategy.name, target.text, text)[:16],
        "base_id": target.base_id,
        "lang": target.lang,
        "strategy": target.strategy.name,
        "family": target.strategy.family,
        "params": "{}",
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
        "split": target.split,
    }


def _similarity(target: Target, outcome: Outcome, canonical: Canonicaliser) -> float:
    """Similarity of the canonical forms of the original and the attempt, in [0, 1]; 1 if the edit is undone."""
    text = outcome.attempt.text if outcome.attempt else target.text
    return float(Levenshtein.normalized_similarity(canonical(target.text), canonical(text)))
