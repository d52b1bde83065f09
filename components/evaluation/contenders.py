"""Opens the filters of a comparison, and takes the texts for it from a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Literal

import pandas as pd

from content_arena.components.attack_generation import battle
from content_arena.components.attack_generation.settings import KSERVE, Reading
from content_arena.components.attack_generation.victims import logins, open_victim
from content_arena.components.attack_generation.victims.tls import USUAL, Tls
from content_arena.components.evaluation.plots import MOST_SERIES
from content_arena.components.evaluation.side_by_side import Contender
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError

#: Which texts: those that no version was trained on, or all, for filters that were trained on other texts.
Texts = Literal["test", "all"]
#: What filters are called, in the order they are given.
LETTERS = ascii_uppercase[:MOST_SERIES]


@dataclass(frozen=True)
class Named:
    """A filter as a user names it.

    Attributes:
        victim: See :func:`content_arena.components.attack_generation.victims.open_victim`; it may hold a login.
        headers: Of its requests, ``Name: value``.
        reading: How it is asked and read, if it is behind a URL.
        tls: How it is verified, if it is behind https://.
    """

    victim: str = field(repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)
    reading: Reading = KSERVE
    tls: Tls = USUAL


def opened(
    named: Sequence[Named], tracking_uri: str | None = None, answers: Sequence[Path] | None = None
) -> list[Contender]:
    """Opens every filter.

    Args:
        named: At most as many as there are :data:`LETTERS`.
        tracking_uri: MLflow server for aliases and versions; the environment's if None.
        answers: File of each filter that keeps its answers; they are not kept if None.

    Raises:
        InputError: There is no such filter, or there are too many.
        RegistryError: The registry has no such alias or version.
        BundleError: A bundle is broken.
    """
    if len(named) > len(LETTERS):
        raise InputError(f"{len(named)} filters are too many side by side: give at most {len(LETTERS)}")
    found = []
    files: Sequence[Path | None] = answers or [None] * len(named)
    for letter, each, file in zip(LETTERS, named, files, strict=False):
        shown, login = logins.split(each.victim, each.headers)
        victim = open_victim(shown, tracking_uri, reading=each.reading, login=login, tls=each.tls, answers=file)
        found.append(Contender(letter, shown, victim))
    return found


def texts(corpus: pd.DataFrame, which: Texts, per_label: int, seed: int) -> pd.DataFrame:
    """At most so many toxic and so many benign texts, drawn as an evaluation draws them.

    Args:
        corpus: Rows of Sample.
        which: The test split, or every text but those of the guard set.
        per_label: Texts of each label at most.
        seed: Of the attacks.

    Raises:
        InputError: There are not both toxic and benign texts.
    """
    rows = corpus[corpus["split"] != records.GUARD] if which == "all" else corpus
    rows = rows.assign(split="test") if which == "all" else rows
    found = battle.sample_texts(rows, "test", per_label, seed)
    if found["label"].nunique() < 2:
        where = "" if which == "all" else " in the test split, 15 % of them: --split all takes every text"
        raise InputError(f"a comparison needs toxic and benign texts, and there are not both{where}")
    return found
