"""Makes labels of votes, and decides which attacks need a review."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from content_arena.components.labeling.answers import NOTHING_SAID, Said, applied
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.labeling.voters import STANDARD, Voter
from content_arena.components.shared.text.meaning import keeps_meaning
from content_arena.components.shared.text.readability import MIN_READABILITY, is_rewritten, readability


def label(
    attacks: pd.DataFrame,
    voters: Sequence[Voter] = STANDARD,
    min_confidence: float = LabelingSettings.min_confidence,
    min_readability: float = MIN_READABILITY,
    said: Said = NOTHING_SAID,
) -> pd.DataFrame:
    """Labels attacks by a weighted vote.

    Args:
        attacks: Rows of Attack.
        voters: The voters.
        min_confidence: Rows whose confidence is lower need a review.
        min_readability: Rows that are less readable need a review in any case, as do those that say something else.
        said: What people said; it takes the place of the vote.

    Returns:
        Rows of LabelledAttack. ``label_confidence`` is the weighted mean of the votes for the label given, in [0, 1];
        ``label_source`` names the voters for it. If all voters abstain or the votes are even, a row keeps the gold
        label with confidence 0 and needs a review. So does every text that an LLM wrote: no voter knows whether it
        kept the meaning.
    """
    votes = np.array([voter.vote(attacks) for voter in voters], dtype=float).reshape(len(voters), len(attacks))
    weights = np.where(np.isnan(votes), 0.0, np.array([[voter.weight] for voter in voters]))
    total = weights.sum(axis=0)
    toxic = np.divide(
        (np.nan_to_num(votes) * weights).sum(axis=0), total, out=np.full(total.shape, 0.5), where=total > 0
    )
    is_toxic = np.where(toxic == 0.5, attacks["label_gold"] == "toxic", toxic > 0.5)
    confidence = np.where(toxic == 0.5, 0.0, np.where(is_toxic, toxic, 1 - toxic))
    agrees = (votes > 0.5) == is_toxic
    sources = [
        "+".join(
            voter.name for voter, yes, weight in zip(voters, agrees[:, i], weights[:, i], strict=True) if yes and weight
        )
        for i in range(len(attacks))
    ]
    # A label that differs from the original's needs a review, however confident the voters are.
    contradicts = is_toxic != (attacks["label_gold"] == "toxic").to_numpy()
    unreadable = (readability(attacks) < min_readability) | ~keeps_meaning(attacks)
    labelled = attacks.assign(
        label=np.where(is_toxic, "toxic", "benign"),
        label_confidence=np.clip(confidence, 0.0, 1.0),
        label_source=[source or "none" for source in sources],
        needs_review=(confidence < min_confidence) | contradicts | unreadable | is_rewritten(attacks),
        votes=[
            json.dumps({voter.name: round(vote, 4) for voter, vote in zip(voters, row, strict=True) if vote == vote})
            for row in votes.T.tolist()
        ],
    )
    return applied(labelled, said)


def with_votes(labelled: pd.DataFrame, voter: Voter) -> pd.DataFrame:
    """Labelled attacks with the votes of one more voter, which has no weight: no label changes.

    Args:
        labelled: Rows of LabelledAttack.
        voter: Abstains where its vote is NaN.
    """
    added = voter.vote(labelled).tolist()
    votes = [
        json.dumps(json.loads(votes) | {voter.name: round(vote, 4)}) if vote == vote else votes
        for votes, vote in zip(labelled["votes"], added, strict=True)
    ]
    return labelled.assign(votes=votes)
