"""Words of nearly the same meaning, by the word embeddings of the English encoder that comes in a package."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from content_arena.components.shared import packaged_encoder
from content_arena.components.shared.errors import InputError

_TENSOR = "embeddings.word_embeddings.weight"
#: Words that share this many first letters are forms of one word: they would not be a substitution.
_STEM = 4
_SHORTEST = 4


@functools.lru_cache(maxsize=1 << 15)
def neighbours(word: str, least_similarity: float, n: int = 3) -> tuple[str, ...]:
    """The nearest other words, the nearest first; none for a word that is no single piece of the encoder's vocabulary.

    Args:
        word: In lower case.
        least_similarity: Least cosine similarity of the embeddings.
        n: How many at most.

    Raises:
        InputError: The encoder's package is not installed.
    """
    words, places, vectors = _table()
    if word not in places:
        return ()
    # Rounded: the order must not depend on how a processor adds up.
    similarities = np.round(vectors @ vectors[places[word]], 4)
    near = np.flatnonzero(similarities >= least_similarity)
    ordered = sorted(near.tolist(), key=lambda place: (-similarities[place], words[place]))
    return tuple([words[place] for place in ordered if not _is_form_of(words[place], word)][:n])


def _is_form_of(one: str, other: str) -> bool:
    stem = min(_STEM, len(one), len(other))
    return one[:stem] == other[:stem]


@functools.cache
def _table() -> tuple[list[str], dict[str, int], npt.NDArray[np.float32]]:
    """The words of the vocabulary, the place of each, and their embeddings, float32[word, 384] of length 1."""
    folder = packaged_encoder.folder()
    if folder is None:
        raise InputError("word_sub needs the encoder of the extra training: install content-arena[training]")
    from safetensors import safe_open

    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    kept = [i for i, piece in enumerate(pieces) if piece.isascii() and piece.isalpha() and len(piece) >= _SHORTEST]
    with safe_open(folder / "model.safetensors", framework="numpy") as tensors:
        vectors = tensors.get_tensor(_TENSOR)[kept].astype(np.float32)
    words = [pieces[i] for i in kept]
    return words, {word: place for place, word in enumerate(words)}, vectors / np.linalg.norm(vectors, axis=1)[:, None]
