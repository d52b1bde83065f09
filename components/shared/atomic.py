"""Writes files so that a process that is killed leaves the old file or the new one, never a part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What the name of a file that is being written ends with. Of a killed process such a file is left, and is of no use.
UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, beside another one, whose place it takes once the block has ended without an error.

    Args:
        path: The file to replace; it need not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        yield unfinished
        # Without it, a machine that loses its power may have the new name and none of the content.
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
