"""Which attacked texts a challenger is trained on: few enough, of every family alike, and benign ones as well.

Every battle adds attacked texts, so without a limit training would take longer with every generation, and the strategy
with most of them would decide what is learnt. Every choice is by hash, so it does not depend on the attacks' order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from content_arena.components.attack_generation.reach import reached
from content_arena.components.shared.records import sha256_of
from content_arena.components.shared.text.canonical import canonicalise

#: Most attacks of one battle on one text.
ATTACKS_PER_TEXT = 2
#: The columns that are kept.
COLUMNS = ["text", "label", "split", "strategy", "family", "categories"]


def few_per_text(attacks: pd.DataFrame, limit: int = ATTACKS_PER_TEXT) -> pd.DataFrame:
    """At most ``limit`` attacks on each text, of as many families as possible.

    A model that sees a text in ten disguises learns the text and not the disguises. Successful attacks are not
    preferred. A training set of texts chosen for having passed the champion resembles no ordinary texts, and a
    challenger trained on it flags more of everything.

    Args:
        attacks: Rows of LabelledAttack, of one battle. Those that the canonicaliser undoes are left out.
        limit: How many of them on a text.
    """
    attacks = reached(attacks)
    undone = attacks["perturbed_text"].map(canonicalise) == attacks["original_text"].map(canonicalise)
    attacks = attacks[~undone].sort_values("attack_id")
    place = attacks.groupby(["base_id", "original_text", "family"], sort=False).cumcount()
    rank = [sha256_of(*names) for names in zip(attacks["base_id"], attacks["family"], strict=True)]
    ordered = attacks.assign(_place=place, _rank=rank).sort_values(["_place", "_rank", "attack_id"])
    return ordered.groupby(["base_id", "original_text"], sort=False).head(limit).drop(columns=["_place", "_rank"])


def balanced(battles: Sequence[pd.DataFrame], corpus: pd.DataFrame, share: float) -> pd.DataFrame:
    """Of the attacks of all battles those to train on: limited, in the corpus' balance of labels, families alike.

    For each split, at most ``share`` times the corpus' number of texts are taken. Where there are more, either label
    gets its share of the corpus, and what it cannot use goes to the other one. Toxic texts are cut further if benign
    ones would have a smaller share than in the corpus: a filter that meets attacked texts mostly as toxic ones learns
    that odd spelling is the offence. The places of a label are divided evenly among the families, and what a family
    cannot use goes to the others.

    Args:
        battles: From :func:`few_per_text`, oldest first, with a column ``categories``.
        corpus: Rows of Sample.
        share: 0 or more.

    Returns:
        The columns :data:`COLUMNS`; ``text`` is the perturbed one.
    """
    joined = pd.concat([pd.DataFrame(columns=["attack_id", *COLUMNS]), *map(_renamed, battles)], ignore_index=True)
    joined = joined.drop_duplicates("attack_id").sort_values("attack_id")
    chosen = [
        group.groupby("family", sort=True).get_group(family).head(n)
        for split in ("train", "validation")
        for label, n_of_label in _places(joined, corpus, split, share).items()
        for group in [joined[(joined["split"] == split) & (joined["label"] == label)]]
        for family, n in _divide(n_of_label, _counts(group["family"])).items()
    ]
    return pd.concat([joined.head(0), *chosen], ignore_index=True)[COLUMNS]


def _renamed(attacks: pd.DataFrame) -> pd.DataFrame:
    return attacks.rename(columns={"perturbed_text": "text"})[["attack_id", *COLUMNS]]


def _places(attacks: pd.DataFrame, corpus: pd.DataFrame, split: str, share: float) -> dict[str, int]:
    """How many attacked texts of each label are taken for a split."""
    in_corpus, offered = (_counts(table.loc[table["split"] == split, "label"]) for table in (corpus, attacks))
    offered = {label: n for label, n in offered.items() if label in in_corpus}
    places = _divide(math.ceil(share * sum(in_corpus.values())), offered, in_corpus)
    if in_corpus.get("benign") and "toxic" in places:
        ratio = in_corpus.get("toxic", 0) / in_corpus["benign"]
        places["toxic"] = min(places["toxic"], math.ceil(ratio * places.get("benign", 0)))
    return places


def _counts(names: pd.Series) -> dict[str, int]:
    """How often each name occurs."""
    return {str(name): int(n) for name, n in names.value_counts().items()}


def _divide(total: int, offered: Mapping[str, int], weights: Mapping[str, int] | None = None) -> dict[str, int]:
    """Divides places by weight (evenly if None); no name gets more than it offers, and the others get the rest."""
    weights = weights or dict.fromkeys(offered, 1)
    taken, left, weight_left = {}, total, sum(weights[name] for name in offered)
    # Those that offer least for their weight come first: what they leave is divided among the later ones.
    for name in sorted(offered, key=lambda name: (offered[name] / weights[name], name)):
        taken[name] = min(offered[name], left * weights[name] // weight_left)
        left -= taken[name]
        weight_left -= weights[name]
    return taken
