"""What people said of attacked texts, and what follows from it: their word replaces the vote wherever the text occurs.

A person may be asked again: of each person the last answer about a text counts. If people differ, the majority
decides. Without a majority the text has no label: nothing trains on it, and it waits for one more person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from content_arena.components.shared import records

#: In ``label_source`` of an attack whose label comes from people.
PERSON = "person"


@dataclass(frozen=True)
class Word:
    """What people say of one text.

    Attributes:
        answer: One of ANSWERS of the records; None if no answer has a majority.
        n_agree: How many people gave the most frequent answer.
        n_people: How many people answered.
    """

    answer: str | None
    n_agree: int
    n_people: int


def settled(answers: pd.DataFrame) -> dict[str, Word]:
    """What people say of each text that they were asked about.

    Args:
        answers: Rows of Answer, oldest first.

    Returns:
        By the text: ``perturbed_text``.
    """
    last = answers.drop_duplicates(["perturbed_text", "reviewer"], keep="last")
    return {str(text): _word(given.tolist()) for text, given in last.groupby("perturbed_text", sort=False)["answer"]}


def _word(given: list[str]) -> Word:
    (answer, n_agree), *others = Counter(given).most_common()
    is_tie = bool(others) and others[0][1] == n_agree
    return Word(None if is_tie else answer, n_agree, len(given))


def applied(labelled: pd.DataFrame, words: Mapping[str, Word]) -> pd.DataFrame:
    """Labelled attacks with the word of people in place of the vote, where there is one.

    What people call unreadable, and what they do not agree on, is set aside.

    Args:
        labelled: Rows of LabelledAttack.
        words: From :func:`settled`.
    """
    found = labelled["perturbed_text"].map(words)
    is_answered = found.notna().to_numpy(dtype=bool)
    if not is_answered.any():
        return labelled
    said = [word for word in found if isinstance(word, Word)]
    is_label = np.array([word.answer in records.LABELS for word in said])
    rows = labelled.loc[is_answered]
    changed = rows.assign(
        label=[
            str(word.answer) if usable else label
            for word, usable, label in zip(said, is_label, map(str, rows["label"]), strict=True)
        ],
        label_confidence=np.where(is_label, [word.n_agree / word.n_people for word in said], 0.0),
        label_source=PERSON,
        needs_review=~is_label,
    )
    result = labelled.copy()
    result.loc[is_answered, list(changed)] = changed
    return result.astype(labelled.dtypes.to_dict())


def waiting(labelled: pd.DataFrame, words: Mapping[str, Word]) -> pd.DataFrame:
    """The attacks that wait for a person: those set aside, without those that people gave an answer for.

    Args:
        labelled: Rows of LabelledAttack.
        words: From :func:`settled`.
    """
    decided = {text for text, word in words.items() if word.answer is not None}
    open_ones = {text for text, word in words.items() if word.answer is None}
    texts = labelled["perturbed_text"]
    return labelled[(labelled["needs_review"] | texts.isin(open_ones)) & ~texts.isin(decided)]
