"""Makes MLflow's tables once, and gives every other new database of the tests a copy of them.

MLflow builds its tables in some three hundred steps, which takes more than a second. Most tests of the registry need a
new database, and all new databases are the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from content_arena.components.shared.mlflow_tracking import tracking


@contextmanager
def copied(template: Path) -> Iterator[None]:
    """While it lasts, this process makes a new database as a copy of the first one that it made.

    Processes that a test starts make their own.

    Args:
        template: Where the first one is kept; must not exist.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "_make_database", _copying(tracking._make_database, template))
        yield


def _copying(make: Callable[[Path], None], template: Path) -> Callable[[Path], None]:
    def copy(path: Path) -> None:
        if not template.exists():
            make(template)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, path)

    return copy
