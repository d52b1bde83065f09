"""The n-gram branch: a linear model of hashed n-grams beside the encoder, and its fusion with the encoder's logit.

The encoder reads words. What attacks leave of a word, the n-grams (shared/scoring/ngrams.py) still hold. The linear
model is fitted on the training split, and the two weights of the fusion on the validation split, where neither model
knows the texts: on its own training texts the encoder is so sure that a fusion would listen to nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.scoring.ngrams import BUCKETS, ngram_ids
from content_arena.components.shared.scoring.reading import ReadText

if TYPE_CHECKING:
    import torch

#: Inverse strength of the L2 penalties.
_C = 10.0
#: The encoder's logit counts up to this amount: beyond it more certainty says nothing, and a wrong one is not outvoted.
MAX_LOGIT = 8.0


@dataclass(frozen=True)
class NgramBranch:
    """The logit is ``scale * clip(encoder) + sum(weights of the text's n-grams) / sqrt(their number) + offset``.

    Attributes:
        weights: float32[BUCKETS + 1]; the last is 0, for what fills up a row.
        scale: Weight of the encoder's logit.
        offset: Added to the sum.
    """

    weights: npt.NDArray[np.float32]
    scale: float = 1.0
    offset: float = 0.0

    def logits(self, texts: Sequence[ReadText]) -> npt.NDArray[np.float64]:
        """What the n-grams add, without the offset, float64[n]."""
        rows = [ngram_ids(text) for text in texts]
        sums = [float(self.weights[row].sum(dtype=np.float64)) / np.sqrt(max(1, len(row))) for row in rows]
        return np.array(sums, dtype=np.float64)


def fit(texts: Sequence[ReadText], labels: Sequence[int]) -> NgramBranch:
    """Fits the linear model, class by class at equal weight; it is not fused yet.

    Args:
        texts: Training texts as the encoder gets them.
        labels: 1 for toxic; both classes are present.
    """
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    rows = [ngram_ids(text) for text in texts]
    lengths = np.array([len(row) for row in rows])
    values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
    matrix = csr_matrix((values, np.concatenate(rows), np.cumsum([0, *lengths])), shape=(len(rows), BUCKETS))
    model = LogisticRegression(C=_C, class_weight="balanced", solver="liblinear", random_state=0)
    model.fit(matrix, np.asarray(labels))
    return NgramBranch(np.append(model.coef_[0], 0.0).astype(np.float32), offset=float(model.intercept_[0]))


def fuse(
    branch: NgramBranch, encoder: npt.NDArray[np.float64], texts: Sequence[ReadText], labels: Sequence[int]
) -> NgramBranch:
    """Weighs encoder and n-grams by a logistic regression.

    Args:
        branch: From :func:`fit`.
        encoder: float64[n], the encoder's logits of toxic.
        texts: The n texts, none of which either model was trained on.
        labels: 1 for toxic; both classes are present.

    Returns:
        The fused branch. If the regression gives either of the two a weight below 0, there were too few texts to tell,
        and the encoder decides alone.
    """
    from sklearn.linear_model import LogisticRegression

    seen = np.stack([np.clip(encoder, -MAX_LOGIT, MAX_LOGIT), branch.logits(texts)], axis=1)
    model = LogisticRegression(C=_C, class_weight="balanced").fit(seen, np.asarray(labels))
    scale, share = (float(weight) for weight in model.coef_[0])
    if scale <= 0 or share <= 0:
        return NgramBranch(np.zeros_like(branch.weights))
    return replace(branch, weights=branch.weights * np.float32(share), scale=scale, offset=float(model.intercept_[0]))


def layer(branch: NgramBranch) -> torch.nn.Module:
    """The branch as a layer of the exported model.

    Its inputs are the encoder's logits float32[n, 2] (benign, toxic) and ids int64[n, width] (see
    :func:`content_arena.components.shared.scoring.ngrams.padded`); it returns the fused logits float32[n, 2].
    """
    import torch

    class Fusion(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Parameter(torch.from_numpy(branch.weights).reshape(-1, 1), requires_grad=False)

        def forward(self, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            encoder = (logits[:, 1] - logits[:, 0]).clamp(-MAX_LOGIT, MAX_LOGIT)
            number = (ids < BUCKETS).to(torch.float32).sum(1).clamp(min=1.0)
            toxic = branch.scale * encoder + self._sum(ids) / number.sqrt() + branch.offset
            return torch.stack([-toxic / 2, toxic / 2], dim=1)

        def _sum(self, ids: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.embedding(ids, self.table).squeeze(-1).sum(1)

    return Fusion()
