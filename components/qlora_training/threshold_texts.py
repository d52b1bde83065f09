"""The texts on which a challenger's threshold is chosen: those of the validation split, and an attempt at each.

The attacks of a battle cannot take their place. Of its attempts at a toxic text a battle keeps the one that got past
the champion. Any other model does better on these, and a threshold that is chosen on them gives that lead away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from random import Random

import numpy as np
import pandas as pd

from content_arena.components.attack_generation import battle, reach
from content_arena.components.attack_generation.search import LadderSearch, Target
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.qlora_training.thresholds import Comparison
from content_arena.components.shared.scoring.bundle import Bundle
from content_arena.components.shared.scoring.filter import ContentFilter


def compare_on(corpus: pd.DataFrame, strategies: Sequence[Strategy], champion: Bundle, seed: int) -> Comparison:
    """What the champion says of the validation texts and of an attempt at each.

    Args:
        corpus: Rows of Sample.
        strategies: What may be trained on. Those that need an LLM or are undone by the canonicaliser are left out.
        champion: The bundle that training continues from.
        seed: Decides the attempts.
    """
    lang = champion.spec.lang
    usable = [strategy for strategy in strategies if not strategy.rewrites and not reach.is_undone(strategy, lang)]
    texts = corpus[corpus["split"] == "validation"]
    attempts = _attempts(texts, usable, seed)
    everything = pd.concat([texts.assign(attacked=False), attempts.assign(attacked=True)], ignore_index=True)
    with contextlib.closing(ContentFilter(champion)) as opened:
        flagged = opened.score(everything["text"].tolist()) >= opened.threshold
    return Comparison(
        texts=tuple(everything["text"]),
        labels=(everything["label"] == "toxic").to_numpy().astype(np.int64),
        attacked=everything["attacked"].to_numpy(dtype=bool),
        flagged=flagged,
    )


def _attempts(texts: pd.DataFrame, strategies: Sequence[Strategy], seed: int) -> pd.DataFrame:
    """One attempt at each text by one of the strategies, whatever a filter would say of it; columns text and label.

    A text that the drawn strategy does not change has none.
    """
    if texts.empty or not strategies:
        return pd.DataFrame(columns=["text", "label"])
    targets: dict[str, list[Target]] = {}
    for target in battle.make_targets(texts, strategies, seed):
        targets.setdefault(target.text, []).append(target)
    search = LadderSearch()
    made = []
    for found in targets.values():
        target = Random(found[0].seed).choice(found)  # noqa: S311
        attempts = search.attempts(target)
        if attempts:
            made.append((attempts[target.seed % len(attempts)].text, target.label))
    return pd.DataFrame(made, columns=["text", "label"])
