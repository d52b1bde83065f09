"""Where the arena keeps its state on one machine."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """``$ARENA_HOME``, or ``.arena`` in the working folder."""
    return Path(os.environ.get("ARENA_HOME") or ".arena").absolute()
