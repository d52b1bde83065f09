"""Has an LLM write several texts at a time, before they are needed one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from content_arena.components.attack_generation.strategies.base import Strategy

Work = TypeVar("Work")


def in_threads(make: Callable[[Work], object], work: Iterable[tuple[Strategy, Work]]) -> None:
    """Does the work of strategies for which an LLM writes, in as many threads as it takes requests at a time.

    Args:
        make: Does a piece of work, and remembers what came of it.
        work: Pieces with their strategy; those of other strategies are left.

    Raises:
        ChatError: The LLM cannot be asked; what was not begun by then is not asked.
    """
    pieces = [(strategy.at_once, piece) for strategy, piece in work if strategy.rewrites]
    if not pieces:
        return
    pool = ThreadPoolExecutor(min(at_once for at_once, _ in pieces))
    try:
        for _ in pool.map(make, [piece for _, piece in pieces]):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
