"""Evasion against the budget: what share of the texts is past the filter after so many queries."""

from __future__ import annotations

import numpy as np
import pandas as pd

from content_arena.components.attack_generation.outcomes import got_past, toxic_caught

_STEPS = (1, 2, 3, 5)


def budgets(largest: int) -> list[int]:
    """1, 2, 3, 5, 10, 20, 30, 50, 100 and so on, up to the largest, which is the last."""
    steps = [step * 10**power for power in range(len(str(largest))) for step in _STEPS]
    return [*(step for step in steps if step < largest), largest]


def curve(attacks: pd.DataFrame) -> list[tuple[int, float]]:
    """Pairs of a number of queries and the share of attacks that got past with at most so many, rising with it.

    Args:
        attacks: Judged rows of Attack: one a text of a search, or one a text and strategy of the ladder.

    Returns:
        None of them if the filter caught nothing.
    """
    caught = toxic_caught(attacks)
    if caught.empty:
        return []
    past, queries = got_past(caught), caught["n_queries"].to_numpy()
    return [(most, float(np.mean(past & (queries <= most)))) for most in budgets(int(caught["budget"].max()))]
