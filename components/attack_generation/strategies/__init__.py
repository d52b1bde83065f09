"""Evasion strategies: the built-in ones, and those of other installed packages.

A built-in strategy is one class in a file of its own in this folder, and is found there. Another package adds one by
naming a :class:`Strategy` subclass in the entry-point group ``content_arena.strategies``. Neither needs a change here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from content_arena.components.attack_generation.selection import DEFAULT, FAMILIES, Selection
from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.errors import InputError

GROUP = "content_arena.strategies"

__all__ = [
    "BUILT_IN", "FAMILIES", "GROUP", "Span", "Strategy", "check_installed", "edit_words", "installed", "select",
    "selected",
]  # fmt: skip


def _find_built_in() -> tuple[Strategy, ...]:
    """One of every strategy in this folder, by family and name."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    found = [kind() for kind in classes if kind is not Strategy]
    return tuple(sorted(found, key=lambda strategy: (FAMILIES.index(strategy.family), strategy.name)))


#: The strategies of this folder, by family and name.
BUILT_IN = _find_built_in()


def installed() -> dict[str, Strategy]:
    """Every strategy by name, in alphabetical order.

    Raises:
        InputError: An entry point that cannot be loaded, is no strategy of that name, or has the name of another
            one. Skipping it would make a battle look better than it was.
    """
    found = {strategy.name: strategy for strategy in BUILT_IN}
    for point in entry_points(group=GROUP):
        # Up to 0.1.0 the built-in strategies had entry points too; a checkout installed then still lists them.
        if point.module.startswith(f"{__name__}."):
            continue
        if point.name in found:
            raise InputError(f"entry point {point.name} ({point.value}) has another strategy's name: rename it")
        found[point.name] = _load(point)
    return dict(sorted(found.items()))


def check_installed(names: Iterable[str]) -> None:
    """Refuses names that no strategy has.

    Raises:
        InputError: A name that is not installed; the message lists those that are.
    """
    _check(names, installed())


def select(lang: str, names: Iterable[str] | None = None) -> list[Strategy]:
    """The installed strategies that apply to a language, in alphabetical order.

    Args:
        lang: ISO 639-1 code.
        names: Only these; None for those that attack by default.

    Raises:
        InputError: A name that is not installed (the message lists those that are), or nothing left for the language.
    """
    available = installed()
    by_default = (name for name, strategy in available.items() if strategy.by_default)
    wanted = sorted(set(by_default if names is None else names))
    _check(wanted, available)
    chosen = [available[name] for name in wanted if available[name].speaks(lang)]
    if not chosen:
        raise InputError(f"none of the strategies {', '.join(wanted)} works on language {lang!r}")
    return chosen


def selected(lang: str, selection: Selection = DEFAULT) -> list[Strategy]:
    """The installed strategies of a selection that apply to a language, in alphabetical order.

    Raises:
        InputError: See :func:`select`.
    """
    if not selection:
        return select(lang)
    of_families = (name for name, strategy in installed().items() if strategy.family in selection.families)
    return select(lang, {*selection.names, *of_families})


def _load(point: EntryPoint) -> Strategy:
    # What a package without the class, without one of its imports, or with an incomplete class raises.
    try:
        strategy = point.load()()
    except (ImportError, AttributeError, SyntaxError, TypeError) as error:
        raise InputError(f"strategy {point.name} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(strategy, Strategy) or strategy.name != point.name:
        raise InputError(f"entry point {point.name} ({point.value}) is not a Strategy of that name")
    return strategy


def _check(names: Iterable[str], available: Mapping[str, Strategy]) -> None:
    unknown = [name for name in sorted(set(names)) if name not in available]
    if unknown:
        raise InputError(f"no strategy {', '.join(unknown)}; installed: {', '.join(available)}")
