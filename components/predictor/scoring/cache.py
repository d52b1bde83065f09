"""Keeps the scores of windows that were scored before, so that a repeated text costs what reading it costs.

It belongs to one bundle, and ends with it. Texts are not kept: a key is a hash of what the model read.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.scoring.windows import Window

_DIGEST_BYTES = 16

Scores = npt.NDArray[np.float32]


class ScoreCache:
    """The windows that were asked for last; safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        """Keeps the scores of at most ``capacity`` windows; of none if it is 0."""
        self._capacity = capacity
        self._rows: OrderedDict[bytes, Scores] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, windows: Sequence[Window]) -> list[Scores | None]:
        """The scores of windows, float32[columns] each; None for one that is not here."""
        if not self._capacity:
            return [None] * len(windows)
        keys = [_key(window) for window in windows]
        with self._turn:
            return [self._get(key) for key in keys]

    def put(self, windows: Sequence[Window], scores: Scores) -> None:
        """Keeps scores, and forgets those that were not asked for the longest.

        Args:
            windows: n windows.
            scores: float32[n, columns]. What is no probability is not kept.
        """
        if not self._capacity:
            return
        keys = [_key(window) for window in windows]
        usable: npt.NDArray[np.bool_] = np.all((scores >= 0) & (scores <= 1), axis=1)
        with self._turn:
            for key, row, is_usable in zip(keys, scores, usable, strict=True):
                if is_usable:
                    self._rows[key] = row.copy()  # A view would keep its batch.
                    self._rows.move_to_end(key)
            while len(self._rows) > self._capacity:
                self._rows.popitem(last=False)

    def _get(self, key: bytes) -> Scores | None:
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row


def _key(window: Window) -> bytes:
    # The ids too: a window of a long text may cut a word, and has other tokens than its characters alone.
    digest = hashlib.blake2b(np.asarray(window.ids, dtype=np.uint32).tobytes(), digest_size=_DIGEST_BYTES)
    digest.update(window.text.encode())
    return digest.digest()
