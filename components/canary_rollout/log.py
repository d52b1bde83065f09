"""The log of a rollout: one logger, to which each entry point attaches its own way to print lines."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

#: What happens to the rollout is logged at INFO, what a person should examine at WARNING. No user's text is logged.
LOG = logging.getLogger("content_arena.rollout")


class _Lines(logging.Handler):
    """Gives every message to a function. Its errors are not caught: a closed pipe has to end the process."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the message, and the traceback if there is one, without time and level."""
        self._write(self.format(record))


@contextlib.contextmanager
def lines_to(write: Callable[[str], None]) -> Iterator[None]:
    """Sends every line of the log to a function while the context is open, and nowhere else.

    Args:
        write: Prints a line.
    """
    handler, level, propagates = _Lines(write), LOG.level, LOG.propagate
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagates
