"""Cuts texts into the windows that a model reads one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from content_arena.components.shared.scoring.reading import ReadText

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

#: Tokens by which two windows of a long text overlap.
WINDOW_STRIDE = 16
#: Tokens of a batch, padding included: more are no faster, and take memory. A window of 128 tokens took 13 ms of a
#: core, alone and in batches of 2, 3 and 4, and 14 in one of 8 (all-MiniLM-L6-v2 in int8, a Xeon with AMX).
BATCH_TOKENS = 256


class Window(NamedTuple):
    """A part of a text that fits into the model.

    Attributes:
        text_index: Place of the text among those that were cut.
        ids: Token ids, special tokens included.
        text: The characters that the tokens stand for; the whole text if it fits into one window.
    """

    text_index: int
    ids: list[int]
    text: str


def limit(tokenizer: Tokenizer, max_length: int) -> None:
    """Makes a tokenizer cut what is longer than ``max_length`` tokens, special tokens included, into windows."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, stride=WINDOW_STRIDE)


def cut(tokenizer: Tokenizer, texts: Sequence[ReadText]) -> list[Window]:
    """The windows of every text, the shortest first.

    Args:
        tokenizer: After :func:`limit`.
        texts: What to cut.
    """
    # Lone surrogates have no UTF-8 form, and the tokenizer refuses them.
    encodable = [text.encode("utf-8", "replace").decode() for text in texts]
    windows: list[Window] = []
    for index, encoding in enumerate(tokenizer.encode_batch_fast(encodable)):
        text = encodable[index]
        if not encoding.overflowing:
            windows.append(Window(index, encoding.ids, text))
            continue
        # The fast encoding has no offsets.
        encoding = tokenizer.encode(text)
        for part in (encoding, *encoding.overflowing):
            windows.append(Window(index, part.ids, _span(text, part)))
    return sorted(windows, key=lambda window: len(window.ids))


def batches(windows: Sequence[Window], most: int) -> list[list[Window]]:
    """Batches of windows of about the same length, the shortest first.

    A batch has at most 256 tokens, padding included, unless its only window has more.

    Args:
        windows: What to divide.
        most: Windows of a batch.
    """
    made: list[list[Window]] = []
    for window in sorted(windows, key=lambda window: len(window.ids)):
        size = len(window.ids)
        if not made or len(made[-1]) >= most or (len(made[-1]) + 1) * size > BATCH_TOKENS:
            made.append([])
        made[-1].append(window)
    return made


def _span(text: str, encoding: Encoding) -> str:
    offsets = [(start, end) for start, end in encoding.offsets if end > start]
    return text[offsets[0][0] : offsets[-1][1]] if offsets else ""
