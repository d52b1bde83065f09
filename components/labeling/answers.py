"""What people said of attacked texts, and what follows from it: their word replaces the vote wherever the text occurs.

A person may be asked again: of each person the last answer about a text counts. If people differ, the majority
decides. Without a majority the text has no label: nothing trains on it, and it waits for one more person.

A strategy changes how a text is written and not what it means. What people say of a readable attack therefore holds for
the original, and for the other readable attacks on it, unless people were asked about those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.text.readability import MIN_READABILITY, is_rewritten, of_pair, readability

#: In ``label_source`` of an attack whose label comes from people.
PERSON = "person"
#: The same where people were asked about other attacks on the original.
PERSON_OF_ORIGINAL = "person_of_original"
_LABELLING = ["label", "label_confidence", "label_source", "needs_review"]


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


@dataclass(frozen=True)
class Said:
    """What people say.

    Attributes:
        texts: By the attacked text that they were asked about.
        originals: Label of each original whose readable attacks they all gave the same label.
    """

    texts: Mapping[str, Word]
    originals: Mapping[str, str]


#: Nobody was asked.
NOTHING_SAID = Said({}, {})


def settled(answers: pd.DataFrame) -> Said:
    """What people say of each text that they were asked about.

    Args:
        answers: Rows of Answer, oldest first.
    """
    last = answers.drop_duplicates(["perturbed_text", "reviewer"], keep="last")
    texts = {str(text): _word(given.tolist()) for text, given in last.groupby("perturbed_text", sort=False)["answer"]}
    found: dict[str, set[str | None]] = {}
    of_originals = last[~last["is_rewritten"].astype(bool)]
    pairs = zip(of_originals["original_text"], of_originals["perturbed_text"], strict=True)
    for original, text in dict.fromkeys(pairs):
        answer = texts[text].answer
        if answer != records.UNREADABLE and of_pair(original, text) >= MIN_READABILITY:
            found.setdefault(original, set()).add(answer)
    agreed = ((original, next(iter(labels))) for original, labels in found.items() if len(labels) == 1)
    return Said(texts, {original: label for original, label in agreed if label is not None})


def _word(given: list[str]) -> Word:
    (answer, n_agree), *others = Counter(given).most_common()
    is_tie = bool(others) and others[0][1] == n_agree
    return Word(None if is_tie else answer, n_agree, len(given))


def applied(labelled: pd.DataFrame, said: Said) -> pd.DataFrame:
    """Labelled attacks with the word of people in place of the vote, where there is one.

    What people call unreadable, and what they do not agree on, is set aside.

    Args:
        labelled: Rows of LabelledAttack.
        said: From :func:`settled`.
    """
    result = labelled.copy()
    # A text that people answered for keeps that answer, whatever they say of its original.
    for changed in (_by_original(labelled, said.originals), _by_text(labelled, said.texts)):
        result.loc[changed.index, _LABELLING] = changed[_LABELLING]
    return result.astype(labelled.dtypes.to_dict())


def _by_text(labelled: pd.DataFrame, texts: Mapping[str, Word]) -> pd.DataFrame:
    rows = labelled[labelled["perturbed_text"].isin(list(texts))]
    words = [texts[text] for text in rows["perturbed_text"]]
    is_label = np.array([word.answer in records.LABELS for word in words], dtype=bool)
    return rows.assign(
        label=[
            str(word.answer) if usable else label
            for word, usable, label in zip(words, is_label, map(str, rows["label"]), strict=True)
        ],
        label_confidence=np.where(is_label, [word.n_agree / word.n_people for word in words], 0.0),
        label_source=PERSON,
        needs_review=~is_label,
    )


def _by_original(labelled: pd.DataFrame, originals: Mapping[str, str]) -> pd.DataFrame:
    """The readable attacks on originals that people have said the label of, unless they have that label already.

    What an LLM wrote in an original's place is left out: it may mean something else, and a benign twin does.
    """
    rows = labelled[labelled["original_text"].isin(list(originals)) & ~is_rewritten(labelled)]
    label = rows["original_text"].map(originals)
    readable = readability(rows)
    is_other = (rows["needs_review"] | (rows["label"] != label)).to_numpy(dtype=bool) & (readable >= MIN_READABILITY)
    return rows.assign(
        label=label, label_confidence=0.5 + readable / 2, label_source=PERSON_OF_ORIGINAL, needs_review=False
    )[is_other]


def waiting(labelled: pd.DataFrame, said: Said) -> pd.DataFrame:
    """The attacks that wait for a person: those set aside, without those that people gave an answer for.

    Args:
        labelled: Rows of LabelledAttack.
        said: From :func:`settled`.
    """
    decided = [text for text, word in said.texts.items() if word.answer is not None]
    done = applied(labelled, said)
    return done[done["needs_review"] & ~done["perturbed_text"].isin(decided)]


def contradicted(attacks: pd.DataFrame, said: Said) -> list[str]:
    """Ids (base_id) of originals that have another label in their corpus than people give their attacks.

    Args:
        attacks: Rows of Attack.
        said: From :func:`settled`.
    """
    # The gold label of what an LLM wrote may be that of a benign twin, and not the original's.
    rows = attacks[attacks["original_text"].isin(list(said.originals)) & ~is_rewritten(attacks)]
    is_other = rows["original_text"].map(said.originals) != rows["label_gold"]
    return sorted(map(str, rows.loc[is_other, "base_id"].unique()))
