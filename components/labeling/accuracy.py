"""How often each voter says what people say."""

from __future__ import annotations

import json
from collections import defaultdict

import pandas as pd

from content_arena.components.evaluation.statistics import wilson
from content_arena.components.labeling.answers import PERSON, PERSON_OF_ORIGINAL, Said
from content_arena.components.shared import records
from content_arena.components.shared.figures import Rate

#: The label of the vote, among the names of the voters.
COMBINED = "combined"
#: The same where the vote was sure, so that the label is trained on.
TRAINED = "combined_trained"


def of_voters(labelled: pd.DataFrame, said: Said) -> dict[str, Rate]:
    """The share of texts on which each voter agrees with people, with Wilson's 95 % interval.

    Texts that people call unreadable, or do not agree on, are left out. So is a text on which a voter abstained, for
    that voter. People answer mostly what the vote was unsure of, unless a sample is handed out with the queue: on all
    attacks the voters are right more often.

    Args:
        labelled: Rows of LabelledAttack as they were voted, oldest battle first; the newest vote on a text counts.
        said: From :func:`content_arena.components.labeling.answers.settled`.

    Returns:
        By the name of the voter; :data:`COMBINED` and :data:`TRAINED` are the labels that the vote gave.
    """
    newest = labelled.drop_duplicates("perturbed_text", keep="last").set_index("perturbed_text")
    hits: dict[str, list[bool]] = defaultdict(list)
    for text, word in said.texts.items():
        if text not in newest.index or word.answer not in records.LABELS:
            continue
        votes, label, source = (str(newest.at[text, name]) for name in ("votes", "label", "label_source"))
        for voter, probability in json.loads(votes).items():
            hits[voter].append((probability > 0.5) == (word.answer == "toxic"))
        # What was labelled after people had answered has their word for a label.
        if source not in (PERSON, PERSON_OF_ORIGINAL):
            hits[COMBINED].append(label == word.answer)
            if not newest.at[text, "needs_review"]:
                hits[TRAINED].append(label == word.answer)
    return {voter: wilson(found) for voter, found in sorted(hits.items())}
