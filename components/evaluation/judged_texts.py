"""The texts of a corpus that models are judged on: the test split and the guard set."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from content_arena.components.evaluation.metrics import Scored
from content_arena.components.shared import records
from content_arena.components.shared.evaluations.model_evaluation import AttributeFigures
from content_arena.components.shared.evaluations.text_sets import GuardSet
from content_arena.components.shared.scoring.attributes import is_known, truth
from content_arena.components.shared.scoring.filter import ContentFilter

_HASHED = ["sample_id", "text", "label"]


@dataclass(frozen=True)
class JudgedTexts:
    """Texts that no model was trained on.

    Attributes:
        test: Rows of Sample: the test split.
        guard_rows: Rows of Sample: the guard set; no row if there is none.
    """

    test: pd.DataFrame
    guard_rows: pd.DataFrame

    @classmethod
    def of(cls, corpus: pd.DataFrame) -> JudgedTexts:
        """The texts of a corpus (rows of Sample)."""
        return cls(*(corpus[corpus["split"] == split].reset_index(drop=True) for split in ("test", records.GUARD)))

    @property
    def guard(self) -> GuardSet | None:
        """Which guard set it is; None if there is none."""
        rows = self.guard_rows.sort_values("sample_id")
        if rows.empty:
            return None
        return GuardSet(
            name=rows["source"].iloc[0],
            n_texts=len(rows),
            n_toxic=int((rows["label"] == "toxic").sum()),
            sha256=records.digest(rows, _HASHED),
        )

    def scored_by(self, model: ContentFilter) -> Scored:
        """A model's scores of the test split."""
        return _scored(self.test, model)

    def attributes_scored_by(self, model: ContentFilter) -> dict[str, AttributeFigures]:
        """How well a model scores its attributes on the texts of the test split of which they are known."""
        if not model.attributes:
            return {}
        labels, categories = self.test["label"], self.test["categories"]
        known = self.test[[is_known(label, names) for label, names in zip(labels, categories, strict=True)]]
        has, columns = truth(known), model.score_all(known["text"].tolist()).T[1:]
        return {
            name: AttributeFigures(auroc=Scored(scores, has[name]).auroc, n_positive=int(has[name].sum()), n=len(known))
            for name, scores in zip(model.attributes, columns, strict=True)
            if name in has
        }

    def guard_scored_by(self, model: ContentFilter) -> Scored | None:
        """A model's scores of the guard set; None if there is none."""
        return None if self.guard_rows.empty else _scored(self.guard_rows, model)


def _scored(rows: pd.DataFrame, model: ContentFilter) -> Scored:
    return Scored(model.score(rows["text"].tolist()), (rows["label"] == "toxic").to_numpy())
