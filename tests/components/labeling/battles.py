"""Labelled attacks for tests."""

import pandas as pd

from content_arena.components.labeling import review
from content_arena.components.shared import records
from tests.components.shared.mlflow_tracking.test_tracking import labelled


def battle(*texts, before=0.05, gold="toxic"):
    """A battle as it is labelled: the victim doubts the label of every text, so all of them wait for a person."""
    rows = [
        labelled(text).assign(
            attack_id=records.sha256_of(text)[:16], base_id=f"b{place}", original_text=text, label_gold=gold,
            score_before=before,
        )
        for place, text in enumerate(texts)
    ]  # fmt: skip
    made = pd.concat(rows, ignore_index=True)[list(records.Attack.to_schema().columns)]
    return review.label(made)
