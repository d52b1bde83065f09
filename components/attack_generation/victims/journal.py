"""Keeps the answers of a filter in a file as they come: a battle that was cut short goes on without asking twice.

A battle is the same for the same texts, seed and answers. So what is kept is not its state, but what the filter said.
The file holds hashes of the texts and no text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from content_arena.components.attack_generation.settings import ANSWERS_VARIABLE
from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.shared.records import sha256_of


class Journal:
    """The answers of one filter, in memory and in a file; several processes may add to a file."""

    def __init__(self, path: Path | None = None, model: str = "") -> None:
        """Reads what the file holds; a line that a killed process did not finish is left out.

        Args:
            path: The file; None to keep nothing.
            model: Digest of the model that answers, where it is known: another one's answers are not taken for its.
        """
        self._path, self._model = path, model
        self._answers: dict[str, Answer] = {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._read(line)

    @classmethod
    def from_environment(cls, model: str = "") -> Journal:
        """The file that :data:`ANSWERS_VARIABLE` names; none if it is not set."""
        named = os.environ.get(ANSWERS_VARIABLE)
        return cls(Path(named) if named else None, model)

    @property
    def is_kept(self) -> bool:
        """Whether there is a file."""
        return self._path is not None

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, text: str) -> Answer | None:
        """The answer to a text; None if it was not asked."""
        return self._answers.get(self._key(text)) if self._answers else None

    def add(self, texts: Sequence[str], answers: Sequence[Answer]) -> None:
        """Keeps answers."""
        if self._path is None:
            return
        keyed = {self._key(text): answer for text, answer in zip(texts, answers, strict=True)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(keyed)
        # One write, and a line of its own also behind an unfinished one.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n" if file.tell() == 0 else f"\n{line}\n")

    def _key(self, text: str) -> str:
        return sha256_of(f"{self._model}\n{text}" if self._model else text)

    def _read(self, line: str) -> None:
        try:
            found = json.loads(line)
            self._answers |= {str(key): (float(score), said) for key, (score, said) in found.items()}
        except (ValueError, TypeError, AttributeError):
            return
