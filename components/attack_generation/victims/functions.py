"""A Python function as a victim: ``python:MODULE:FUNCTION``, or ``python:FILE.py:FUNCTION``.

Naming one runs its code, as the user who names it. A stage therefore takes it only where :data:`FUNCTIONS_VARIABLE`
says so, which ``arena battle`` sets on the machine of that user: on a cluster, a parameter of a pipeline runs no code.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from content_arena.components.attack_generation.settings import FUNCTIONS_VARIABLE
from content_arena.components.attack_generation.victims.answering import AnsweringVictim
from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.attack_generation.victims.values import UnreadableError, answer_of, shape_of
from content_arena.components.shared.errors import InputError, VictimError

PREFIX = "python:"
FORMS = "python:MODULE:FUNCTION or python:FILE.py:FUNCTION"
#: Texts in a call.
_BATCH_SIZE = 256


class FunctionVictim(AnsweringVictim):
    """A function that takes a list of texts and returns a score, a verdict or both for each.

    A value is read as that of a service is, see :func:`values.answer_of`; arrays of numpy and torch are, too.
    """

    def __init__(
        self, spec: str, threshold: float = 0.5, batch_size: int = _BATCH_SIZE, journal: Journal | None = None
    ) -> None:
        """Imports the function.

        Args:
            spec: One of :data:`FORMS`.
            threshold: For a function that returns scores only.
            batch_size: Texts in a call.
            journal: See :class:`AnsweringVictim`.

        Raises:
            InputError: There is no such function.
        """
        super().__init__(spec, threshold, batch_size, journal)
        self._function = _function(spec)

    def _ask(self, batch: list[str]) -> list[Answer]:
        try:
            returned = self._function(list(batch))
        except Exception as error:
            # Where it was raised, and not its message, which may quote a text.
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise VictimError(
                f"{self.version} raised {type(error).__name__} for {len(batch)} texts, in {last.filename}, line "
                f"{last.lineno}"
            ) from None
        try:
            return self._read(returned, len(batch))
        except UnreadableError as error:
            raise VictimError(
                f"{self.version} returned something that is not scores: {error}; it takes a list of texts and returns "
                "a list with a score from 0 to 1, or a verdict, for each"
            ) from None

    def _read(self, returned: object, n_texts: int) -> list[Answer]:
        values = _plain(returned)
        if not isinstance(values, list | tuple):
            raise UnreadableError(f"{_named(values)} where a list was expected")
        if len(values) != n_texts:
            raise UnreadableError(f"{len(values)} values for {n_texts} texts")
        return [answer_of(_plain(value)) for value in values]


def is_function(spec: str) -> bool:
    """Whether a victim is named as a function."""
    return spec.startswith(PREFIX)


def check(spec: str) -> None:
    """Refuses at once what names no module, without running it.

    Raises:
        InputError: See :class:`FunctionVictim`.
    """
    module, _ = _parts(spec)
    if _is_file(module):
        if not Path(module).is_file():
            raise InputError(f"there is no file {module}: {FORMS}")
        return
    try:
        # The packages around a module are imported for that.
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InputError(
            f"there is no module {module} in this Python: install it, set PYTHONPATH, or give {PREFIX}FILE.py:FUNCTION"
        )


def absolute(spec: str) -> str:
    """The name of a function, as a stage that runs in another folder finds it."""
    module, function = _parts(spec)
    return f"{PREFIX}{Path(module).expanduser().absolute()}:{function}" if _is_file(module) else spec


def require_allowed() -> None:
    """Refuses to run a function where nobody said that this may be done.

    Raises:
        InputError: :data:`FUNCTIONS_VARIABLE` is not 1.
    """
    if os.environ.get(FUNCTIONS_VARIABLE) != "1":
        raise InputError("a Python function is attacked with `arena battle` on your own machine, not by a pipeline")


def _function(spec: str) -> Callable[[Sequence[str]], object]:
    check(spec)
    name, function = _parts(spec)
    try:
        module = _of_file(Path(name)) if _is_file(name) else importlib.import_module(name)
    except Exception as error:
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    found: object = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"{name} has no function {function}" if found is None else f"{name}:{function} is no function")
    return found


def _of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no file of Python")
    # What lies beside it can be imported, as by a script.
    sys.path.append(str(path.absolute().parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _parts(spec: str) -> tuple[str, str]:
    module, _, function = spec.removeprefix(PREFIX).rpartition(":")
    if not module or not function.isidentifier():
        raise InputError(f"{spec} names no function: give {FORMS}")
    return module, function


def _is_file(module: str) -> bool:
    return module.endswith(".py")


def _plain(value: object) -> object:
    """An array or a number of numpy or torch as Python's own."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def _named(value: object) -> str:
    shown = shape_of(value)
    return shown if isinstance(value, str | int | float | bool | dict | None) else type(value).__name__
