"""Notices a filter that is read the wrong way round: one that scores toxic texts lower than benign ones.

Some models put toxic first and some last, and an answer of ``0`` may mean either. Read the wrong way round, a filter
seems to flag nothing, and every attack on it seems to be without effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.errors import VictimError

#: One-sided: how seldom a filter that tells nothing apart is taken for one that is read the wrong way round.
_SIGNIFICANCE = 0.001
Check = Callable[[Sequence[str], npt.NDArray[np.float32]], None]


def right_way_round(victim: str, *, can_be_turned: bool) -> Check:
    """A check of the scores of originals: labels (``toxic`` or ``benign``) and scores, both of length n.

    It raises VictimError if toxic texts have lower scores than benign ones, by a Mann-Whitney test: the same texts,
    labels and scores always give the same verdict.

    Args:
        victim: What it is called in the error.
        can_be_turned: Whether there is an option that turns it.
    """

    def check(labels: Sequence[str], scores: npt.NDArray[np.float32]) -> None:
        is_toxic = np.asarray(labels) == "toxic"
        toxic, benign = scores[is_toxic], scores[~is_toxic]
        if not len(toxic) or not len(benign) or toxic.mean() >= benign.mean():
            return
        # Imported here, as it takes most of a second and few filters are read the wrong way round.
        from scipy.stats import mannwhitneyu

        if float(mannwhitneyu(toxic, benign, alternative="less").pvalue) > _SIGNIFICANCE:
            return
        way_out = "turn the filter with --inverted, or " if can_be_turned else ""
        raise VictimError(
            f"{victim} is read the wrong way round: its mean score is {toxic.mean():.2f} for {len(toxic)} toxic texts "
            f"and {benign.mean():.2f} for {len(benign)} benign ones; {way_out}check the labels of the data"
        )

    return check
