"""The attributes that a filter may score beside toxicity, and the categories of a corpus that they are learnt from.

The names are those of the Perspective API, which its clients ask for. The categories are those of the embedded corpus
and of the published Jigsaw sets (Toxic Comment Classification Challenge; Civil Comments).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

_CATEGORIES: dict[str, tuple[str, ...]] = {
    "IDENTITY_ATTACK": ("identity_attack", "identity_hate"),
    "INSULT": ("insult", "harassment"),
    "PROFANITY": ("profanity", "obscene"),
    "SEXUALLY_EXPLICIT": ("sexual_harassment", "sexual_explicit", "sexually_explicit"),
    "THREAT": ("threat", "veiled_threat"),
}
#: In alphabetical order.
ATTRIBUTES = tuple(sorted(_CATEGORIES))
_OF_CATEGORY = {category: name for name, categories in _CATEGORIES.items() for category in categories}


def attributes_of(categories: Sequence[str]) -> frozenset[str]:
    """The attributes of a text with these categories; other categories say nothing of them."""
    words = (category.strip().casefold().replace(" ", "_").replace("-", "_") for category in categories)
    return frozenset(_OF_CATEGORY[word] for word in words if word in _OF_CATEGORY)


def is_known(label: str, categories: Sequence[str]) -> bool:
    """Whether it is known which attributes a text has: nothing is, of a toxic text without categories."""
    return label == "benign" or bool(categories)


def truth(rows: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Which texts have each attribute, bool[n].

    Args:
        rows: n rows of Sample, of which :func:`is_known` is true.
    """
    found = [attributes_of(categories) for categories in rows["categories"]]
    return {name: np.array([name in of_text for of_text in found], dtype=np.bool_) for name in ATTRIBUTES}
