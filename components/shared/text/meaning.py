"""Whether a text in other words still says what its original says: a bound on the similarity of sentence embeddings.

Such bounds are the "constraints" of Morris et al. 2020, "TextAttack"; sentence embeddings are those of Reimers and
Gurevych 2019, "Sentence-BERT". An attack's column ``meaning`` has the similarity. Only texts in other words have one: a
sentence encoder cannot read ``st*pid`` or ``youidiot``, which people can, and letters are compared in
:mod:`.readability`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    # The command line reads this module, and its --help loads nothing heavy.
    import pandas as pd

#: Least cosine similarity by language, as each has its own encoder. How they were chosen stands in the README of
#: attack_generation: less than one in a thousand pairs of texts that have nothing but their label in common reach it.
LEAST_MEANING: Mapping[str, float] = {"en": 0.5, "ko": 0.91}


def keeps_meaning(attacks: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """bool[n], whether a text says what its original says, as far as that was measured.

    Args:
        attacks: Rows of Attack; their column ``meaning`` may be missing. Where it is null, nothing is held against a
            text.
    """
    if "meaning" not in attacks:
        return np.ones(len(attacks), dtype=bool)
    least = attacks["lang"].map(LEAST_MEANING).to_numpy(dtype=float)
    # Written so that NaN keeps it.
    return ~(attacks["meaning"].to_numpy(dtype=float) < least)


def described(counts: Mapping[str, int]) -> str:
    """What became of the texts in other words, for people; "" where there were none.

    Args:
        counts: Numbers of texts: ``same`` and ``other`` by what they say, and ``not_measured``.
    """
    same, other, not_measured = (counts.get(name, 0) for name in ("same", "other", "not_measured"))
    parts = []
    if same + other:
        parts.append(f"{other:,} of {same + other:,} texts say something else and do not count")
    if not_measured:
        parts.append(f"of {not_measured:,} texts the meaning was not measured")
    return "; ".join(parts)
