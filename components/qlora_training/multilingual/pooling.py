"""Makes the pooler that multilingual-e5-small lacks.

A BERT classifier reads the first token's state through a pooler, a dense layer with tanh. This model was trained
without one: it averages all tokens. The first token's state hardly varies around a long mean, so a pooler with random
weights tells texts apart badly, and the classifier learns little. The pooler made here standardises each dimension and
halves it, which puts most values where tanh is steep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

#: Standard deviation of a pooler's input to its tanh.
SPREAD = 0.5
_BATCH = 32
_MAX_TOKENS = 128
#: Keeps a dimension that does not vary from a division by 0.
_LEAST_DEVIATION = 1e-6


class Pooler(NamedTuple):
    """A dense layer: ``weight`` float32[hidden, hidden], ``bias`` float32[hidden]."""

    weight: torch.Tensor
    bias: torch.Tensor


def fit(model: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Pooler:
    """The pooler that standardises the first token's state over the texts.

    Args:
        model: Without a pooler.
        tokenizer: The model's.
        texts: Two or more; some hundred give the deviations to a few per cent.
    """
    import torch

    states = _first_states(model, tokenizer, texts)
    mean, deviation = states.mean(0), states.std(0).clamp_min(_LEAST_DEVIATION)
    return Pooler(torch.diag(SPREAD / deviation), -SPREAD * mean / deviation)


def _first_states(model: BertModel, tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """float32[n, hidden], in no particular order."""
    import torch

    longest = min(_MAX_TOKENS, model.config.max_position_embeddings)
    encoded = sorted((encoding.ids[:longest] for encoding in tokenizer.encode_batch(list(texts))), key=len)
    model.eval()
    states = []
    for start in range(0, len(encoded), _BATCH):
        rows = [torch.tensor(ids) for ids in encoded[start : start + _BATCH]]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        with torch.inference_mode():
            states.append(model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0])
    return torch.cat(states).float().clone()
