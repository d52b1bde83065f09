"""Keeps the answers of a method, and not the object that it belongs to."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def method_cache(method: Callable[[str], Answer], most: int) -> Callable[[str], Answer]:
    """The method with a cache of its answers, for an attribute of the object that the method belongs to.

    ``functools.lru_cache`` holds the method, which holds its object, which holds the cache: only a garbage collection
    frees all of them. A Reader has 40 MB, and a server that takes over other bundles runs for weeks without one.

    Args:
        method: Bound to an object, which has to be there when the cache is asked.
        most: Answers that are kept; those that were asked for last.

    Raises:
        ReferenceError: When it is called, if the object is gone.
    """
    reference = weakref.WeakMethod(method)

    @functools.lru_cache(most)
    def answer(argument: str) -> Answer:
        bound = reference()
        if bound is None:
            raise ReferenceError("the object of this method is gone")
        return bound(argument)

    return answer
