"""Evasion strategies, found through the entry-point group ``content_arena.strategies``.

A user's own package adds one by naming a :class:`Strategy` subclass in that group; nothing here has to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from content_arena.components.attack_generation.strategies.base import FAMILIES, Span, Strategy, edit_words
from content_arena.components.shared.errors import InputError

GROUP = "content_arena.strategies"

#: Judged, never trained on: what they show is how the filter meets an attack it has not seen.
HELD_OUT = ("diacritic_zalgo", "space_join", "wild_respell", "ko_coda")

__all__ = ["FAMILIES", "GROUP", "HELD_OUT", "Span", "Strategy", "check_installed", "edit_words", "installed", "select"]


def installed() -> dict[str, Strategy]:
    """Every installed strategy by name, in alphabetical order.

    Raises:
        InputError: An entry point that can not be loaded or is no strategy: skipping it would make a battle look
            better than it was.
    """
    found: dict[str, Strategy] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            strategy = point.load()()
        except Exception as error:
            raise InputError(f"strategy {point.name} ({point.value}) can not be loaded: {error}") from error
        if not isinstance(strategy, Strategy) or strategy.name != point.name:
            raise InputError(f"entry point {point.name} ({point.value}) is not a Strategy of that name")
        found[point.name] = strategy
    return found


def check_installed(names: Iterable[str]) -> None:
    """Refuses names that no strategy has.

    Raises:
        InputError: A name that is not installed; the message lists those that are.
    """
    _check(names, installed())


def select(lang: str, names: Iterable[str] | None = None) -> list[Strategy]:
    """The installed strategies that speak a language, in alphabetical order.

    Args:
        lang: ISO 639-1 code.
        names: Only these; None for all.

    Raises:
        InputError: A name that is not installed (the message lists those that are), or nothing left for the language.
    """
    available = installed()
    wanted = sorted(available if names is None else set(names))
    _check(wanted, available)
    chosen = [available[name] for name in wanted if available[name].speaks(lang)]
    if not chosen:
        raise InputError(f"none of the strategies {', '.join(wanted)} works on language {lang!r}")
    return chosen


def _check(names: Iterable[str], available: Mapping[str, Strategy]) -> None:
    unknown = [name for name in sorted(set(names)) if name not in available]
    if unknown:
        raise InputError(f"no strategy {', '.join(unknown)}; installed: {', '.join(available)}")
