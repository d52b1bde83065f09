"""The environment that the processes of stages inherit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def environment(forced: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> Iterator[None]:
    """Sets variables of this process, and restores them. A login goes this way: a pipeline's parameters are recorded.

    Args:
        forced: Variables to set in any case.
        defaults: Variables to set where they are not set.
    """
    unset = {name: value for name, value in (defaults or {}).items() if name not in os.environ}
    variables = {**unset, **forced}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
