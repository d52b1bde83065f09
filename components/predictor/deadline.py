"""How long a request may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from content_arena.components.shared.errors import ArenaError


class DeadlineError(ArenaError):
    """The texts were not scored in time (HTTP 504)."""


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """Ends what takes longer than the deadline; waiting for other large bodies counts too.

    Raises:
        DeadlineError: It took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineError("the texts were not scored in time") from None
