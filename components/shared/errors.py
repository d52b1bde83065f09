"""The errors that the user can act on."""

from __future__ import annotations

import sys
from collections.abc import Callable


class ArenaError(Exception):
    """Base of these errors; the message states what is wrong, where, and what to do.

    Attributes:
        exit_code: Exit code of a command that ends with this error.
    """

    exit_code = 2


class InputError(ArenaError):
    """Input (data, a base model, a parameter) that cannot be used."""


class BundleError(ArenaError):
    """A model bundle that is missing, incomplete, changed on disk or made for another version of this code."""


class RegistryError(ArenaError):
    """A model, version or alias that the registry does not have."""


class VictimError(ArenaError):
    """A filter under attack that does not answer, or whose answer is no score."""


class ChatError(ArenaError):
    """An LLM that is not set up, does not answer, or does not take what it is asked."""


class RefusedError(ArenaError):
    """A refusal: the command worked, and its answer is no."""

    exit_code = 1


def exit_code_of(command: Callable[[], object]) -> int:
    """Runs the command of a module; returns its exit code: 0, or that of its error, which is one line on stderr."""
    try:
        command()
    except ArenaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0
