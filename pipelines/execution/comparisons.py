"""What the filters of a comparison answered, kept until it is finished, so that one that was cut short goes on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution.home import ArenaHome

_PREFIX = "compare-"


class UnfinishedComparison:
    """A folder with a file of answers for each filter; it lies beside the battles, and is treated as what they left."""

    def __init__(self, home: ArenaHome, filters: Sequence[str], *, resume: bool) -> None:
        """Finds the answers of an earlier comparison, or begins anew.

        Args:
            home: Where they are kept.
            filters: Each filter and how it is read, without a login.
            resume: Whether earlier answers are taken; otherwise they are removed.

        Raises:
            InputError: There are none to go on from.
        """
        name = hashlib.sha256("\n".join(filters).encode()).hexdigest()[:12]
        self._folder = home.battles / f"{_PREFIX}{name}"
        self.files: list[Path] = [self._folder / f"{number}.jsonl" for number in range(len(filters))]
        if not resume:
            self.finish()
        elif not self.has_answers:
            raise InputError("no comparison of just these filters was cut short: leave --resume out")

    @property
    def has_answers(self) -> bool:
        """Whether there is something to go on from."""
        return any(path.is_file() for path in self.files)

    def finish(self) -> None:
        """Removes the answers."""
        shutil.rmtree(self._folder, ignore_errors=True)


def needed_for(folder: Path) -> str:
    """Why a folder beside the battles has to stay; "" for one that is none of a comparison."""
    return "`arena compare --resume` goes on with it" if folder.name.startswith(_PREFIX) else ""
