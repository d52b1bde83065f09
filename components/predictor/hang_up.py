"""What SIGHUP does: it asks for a reload, also while the first bundle is being loaded.

If the server's terminal was closed, it ends the server.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # It imports kserve, which takes seconds: the handler is there before.
    from content_arena.components.predictor.reload import Reloader


class HangUp:
    """Handles SIGHUP for a server from its start to its end; made in the main thread, before the handler is set."""

    def __init__(self) -> None:
        # A server that nohup started outlives its terminal.
        self._had_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        self._came = False
        self._reloader: Reloader | None = None

    def __call__(self, *_: object) -> None:
        """The handler."""
        if self._had_terminal and not _has_terminal():  # Whoever closes the terminal of a server wants it to end.
            signal.raise_signal(signal.SIGTERM)
        elif self._reloader is None:
            self._came = True
        else:
            self._reloader.request()

    def reload_with(self, reloader: Reloader) -> None:
        """Passes on what came from now on, and what came before: the bundle may have been read already."""
        self._reloader = reloader
        if self._came:
            reloader.request()


def _has_terminal() -> bool:
    """Whether the process belongs to a terminal: SIGHUP says that it was closed, if it did before."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
