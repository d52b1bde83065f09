"""Bodies over 64 KiB: how many bytes of them are in memory, and where they are parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from content_arena.components.predictor.limits import SMALL_BODY_BYTES
from content_arena.components.shared.errors import ArenaError

#: Unpacks and parses large bodies one after another, so that few of them are in memory as Python's objects.
LARGE_BODIES = ThreadPoolExecutor(1, thread_name_prefix="large-bodies")

T = TypeVar("T")


class FullError(ArenaError):
    """There is no memory for another large body (HTTP 429)."""


class SlowBodyError(ArenaError):
    """The body did not arrive in time (HTTP 408)."""


class HeldBytes:
    """Bytes of large bodies in memory, over all requests and protocols; for the event loop."""

    def __init__(self, most: int) -> None:
        """Starts with none of ``most`` bytes."""
        self._most = most
        self._held = 0

    def hold(self, n_bytes: int) -> None:
        """Counts bytes that stay in memory until :meth:`release`.

        Raises:
            FullError: There would be too many; nothing was counted.
        """
        if self._held + n_bytes > self._most:
            raise FullError("too many large requests at once")
        self._held += n_bytes

    def release(self, n_bytes: int) -> None:
        """Ends counting bytes."""
        self._held -= n_bytes


def large_part(size: int) -> int:
    """Bytes of a body that count."""
    return max(0, size - SMALL_BODY_BYTES)


async def parsed(size: int, parse: Callable[[], T]) -> T:
    """What ``parse`` makes of a body of ``size`` bytes, of a large one beside the event loop."""
    if size <= SMALL_BODY_BYTES:
        return parse()
    return await asyncio.get_running_loop().run_in_executor(LARGE_BODIES, parse)
