"""Where commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console

#: Names, paths and URLs of users are written as they are: `[...]` and `:name:` in them mean nothing to rich.
out = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)


def status(line: str) -> None:
    """Writes one line about the progress of a command, for people."""
    err.print(line, highlight=False, soft_wrap=True)


def answer(document: Mapping[str, object], text: str, as_json: bool) -> None:
    """Writes the result of a command, for programs or for people."""
    if as_json:
        print(json.dumps(document))
    else:
        out.print(text, highlight=False, soft_wrap=True)
