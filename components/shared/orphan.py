"""The end of a stage whose log nobody reads any more.

A stage runs in a process of its own, and what started it reads its log through a pipe. When the reader is killed, the
stage would go on: it would train for minutes and register a model that nobody asked for. Its next line would meet a
closed pipe, but a stage can be silent for long while it loads a model.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import stat
import sys
import threading


@functools.cache
def end_with_the_reader() -> None:
    """Sends this process SIGTERM as soon as the other end of its standard output is closed.

    Changes nothing where standard output is no pipe, or where the system has no ``poll``. Only the first call counts.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by an object without a file, or closed
        return
    if hasattr(select, "poll") and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        threading.Thread(target=_wait_for_the_end, args=(descriptor,), name="reader-of-the-log", daemon=True).start()


def _wait_for_the_end(descriptor: int) -> None:
    poll = select.poll()
    # No event is asked for: a writer is always told that its reader is gone (POLLERR in poll(2)).
    poll.register(descriptor, 0)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
