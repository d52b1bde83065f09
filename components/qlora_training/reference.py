"""The scores of a trained model in torch: an exported model has to give the same verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.qlora_training import dataset, ngram_branch
from content_arena.components.qlora_training.arithmetic import training_dtype
from content_arena.components.qlora_training.ngram_branch import NgramBranch
from content_arena.components.qlora_training.trainer import Trained
from content_arena.components.shared.scoring.ngrams import ngram_ids, padded
from content_arena.components.shared.scoring.reading import ReadText
from content_arena.components.shared.scoring.windows import Window, cut, limit

_BATCH_SIZE = 32


class Weighed(NamedTuple):
    """A trained model with its two parts weighed.

    Attributes:
        branch: The n-gram branch with its weight beside the encoder; None if the model has none.
        scores: float32[n], probability of toxic of the validation texts.
    """

    branch: NgramBranch | None
    scores: npt.NDArray[np.float32]


def weigh(trained: Trained, validation: pd.DataFrame, perturbed: pd.DataFrame, max_length: int) -> Weighed:
    """Weighs the encoder and the n-grams, and scores the validation texts.

    Args:
        trained: Encoder and n-grams.
        validation: n texts with the columns read, as the model gets them, and label.
        perturbed: The same texts under noise; the weights are fitted on both.
        max_length: Tokens of a window.
    """
    both = pd.concat([validation, perturbed])
    texts = dataset.read_texts(both)
    windows = _windows(trained, texts, max_length)
    logits = _logits(trained, windows)
    branch = None
    if trained.ngrams is not None:
        toxic = np.full(len(texts), -np.inf)
        np.maximum.at(toxic, [window.text_index for window in windows], logits[:, 1] - logits[:, 0])
        branch = ngram_branch.fuse(trained.ngrams, toxic, texts, both["label"].tolist())
    return Weighed(branch, _scores(windows, logits, branch, len(texts))[: len(validation)])


def _windows(trained: Trained, texts: Sequence[ReadText], max_length: int) -> list[Window]:
    from tokenizers import Tokenizer

    # A copy, because the tokenizer is saved with its own state.
    tokenizer = Tokenizer.from_str(trained.tokenizer.backend_tokenizer.to_str())
    limit(tokenizer, max_length)
    return cut(tokenizer, texts)


def _logits(trained: Trained, windows: Sequence[Window]) -> npt.NDArray[np.float32]:
    """The encoder's logits float32[windows, 2] (benign, toxic)."""
    import torch

    model = trained.model.eval()
    dtype = training_dtype(model.device.type == "cuda")
    found = []
    for start in range(0, len(windows), _BATCH_SIZE):
        ids = [window.ids for window in windows[start : start + _BATCH_SIZE]]
        batch = trained.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(model.device)
        with torch.inference_mode(), torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
            found.append(model(**batch).logits.float().cpu().numpy())
    return np.concatenate(found)


def _scores(
    windows: Sequence[Window], logits: npt.NDArray[np.float32], branch: NgramBranch | None, n_texts: int
) -> npt.NDArray[np.float32]:
    """The score of each text: that of its highest window."""
    import torch

    fused = torch.from_numpy(logits)
    if branch is not None:
        with torch.inference_mode():
            fused = ngram_branch.layer(branch)(fused, torch.from_numpy(padded([ngram_ids(w.text) for w in windows])))
    scores = np.zeros(n_texts, dtype=np.float32)
    np.maximum.at(scores, [window.text_index for window in windows], fused.softmax(-1)[:, 1].numpy())
    return scores
