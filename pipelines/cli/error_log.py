"""Keeps the tracebacks of commands that a library made fail: a person reads one line, and can look up the rest."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path

from content_arena.components.shared.home import home_folder
from content_arena.components.shared.library_errors import traceback_of
from content_arena.pipelines.execution.home import ArenaHome

#: Bytes at which the file is begun anew.
_LONGEST = 1_000_000


def keep(error: BaseException) -> Path | None:
    """Appends the traceback of an error to a log; returns where, None if it could be kept nowhere.

    The log is in the arena's home; where there is none, or none that can be written, in the folder for temporary files.
    """
    text = traceback_of(error)
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')} arena {' '.join(sys.argv[1:2])}"
    with contextlib.suppress(OSError):
        path = ArenaHome(home_folder()).error_log
        mode = "w" if path.exists() and path.stat().st_size > _LONGEST else "a"
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{head}\n{text}\n")
        return path
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="arena-", suffix=".log", delete=False
        ) as kept,
    ):
        kept.write(f"{head}\n{text}\n")
        return Path(kept.name)
    return None
