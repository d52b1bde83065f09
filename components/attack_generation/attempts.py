"""Every attempt of a battle, with its score: what a ladder would ask if it did not stop at its first success.

A search stops at the first success and keeps the best attempt for the victim's own threshold. Figures at another
threshold, or at none (AUROC), need the scores of all attempts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.attack_generation import battle
from content_arena.components.attack_generation.meaning import shared
from content_arena.components.attack_generation.search import Attempt, LadderSearch, Target
from content_arena.components.attack_generation.victims import CachedVictim
from content_arena.components.shared.text.meaning import keeps_meaning
from content_arena.components.shared.text.readability import MIN_READABILITY, readability

_COLUMNS = ["base_id", "strategy", "label", "rung", "original_text", "perturbed_text"]


def attempts_on(targets: Sequence[Target], search: LadderSearch) -> pd.DataFrame:
    """The attempts, which do not depend on the victim: up to ``budget`` on a toxic text, one on a benign one.

    Returns:
        One row an attempt: base_id, strategy, label (of what it makes), rung (from 0), original_text, perturbed_text,
        readable (whether a person can still read the perturbed text, and it keeps its meaning as far as that is
        measured). An attempt that changes nothing has no row.
    """
    search.make_all(targets)
    made = [(target, rung, attempt) for target in targets for rung, attempt in enumerate(search.attempts(target))]
    rows = [
        (target.base_id, target.strategy.name, target.label, rung, target.text, attempt.text)
        for target, rung, attempt in made
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    readable = readability(table) >= MIN_READABILITY if rows else np.zeros(0, dtype=bool)
    # What an LLM wrote resembles the original as little as it should, and is plain text.
    is_plain = np.array([target.strategy.rewrites for target, _, _ in made], dtype=bool)
    return table.assign(readable=(readable | is_plain) & _keeps_meaning([(target, each) for target, _, each in made]))


def _keeps_meaning(made: Sequence[tuple[Target, Attempt]]) -> npt.NDArray[np.bool_]:
    """bool[n], whether each attempt says what its original says, as far as that is measured."""
    similarities, _ = battle.meanings(made, shared())
    langs = [target.lang for target, _ in made]
    return keeps_meaning(pd.DataFrame({"lang": langs, "meaning": similarities}))


def scored(attempts: pd.DataFrame, victim: CachedVictim) -> pd.DataFrame:
    """Adds the victim's scores, in [0, 1]: score_before of the original, score_after of the perturbed text.

    Args:
        attempts: From :func:`attempts_on`.
        victim: After the battle against it most answers are known, and cost no query.

    Raises:
        VictimError: The victim stopped answering.
    """
    return attempts.assign(
        score_before=victim.score(attempts["original_text"].tolist()),
        score_after=victim.score(attempts["perturbed_text"].tolist()),
    )
