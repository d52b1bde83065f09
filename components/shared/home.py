"""Where the arena keeps its state on one machine."""

from __future__ import annotations

import os
from pathlib import Path

#: File in the home with the key by which forgotten texts are recognised, see mlflow_tracking/forgotten.py.
KEY_FILE = "forget.key"
#: Environment variable with that key, as hexadecimal digits; it wins over the file.
KEY_VARIABLE = "CONTENT_ARENA_FORGET_KEY"
#: Folder in the home with what LLMs wrote, and the file in it.
LLM_FOLDER, LLM_FILE = "llm", "written.jsonl"


def home_folder() -> Path:
    """``$ARENA_HOME``, or ``.arena`` in the working folder."""
    return Path(os.environ.get("ARENA_HOME") or ".arena").absolute()


def base_models_folder() -> Path:
    """The folder in the home with encoders that were converted from packages, each in a folder of its own."""
    return home_folder() / "base_models"


def llm_file() -> Path | None:
    """The file with what LLMs wrote; None if ``$ARENA_HOME`` is not set, as in a pod, which keeps nothing."""
    return home_folder() / LLM_FOLDER / LLM_FILE if os.environ.get("ARENA_HOME") else None
