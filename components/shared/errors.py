"""The errors that a person can do something about."""


class ArenaError(Exception):
    """Base of every error the arena raises on purpose; the message says what was wrong, where, and what to do.

    Attributes:
        exit_code: Of a command that ends with this error.
    """

    exit_code = 2


class InputError(ArenaError):
    """Something given by the user (data, a base model, a parameter) can not be used as it is."""


class BundleError(ArenaError):
    """A model bundle is missing, incomplete, changed on disk or made for another version of this code."""


class RegistryError(ArenaError):
    """The registry does not hold what was asked for."""


class VictimError(ArenaError):
    """A filter under attack did not answer, or answered something that is no score."""


class RefusedError(ArenaError):
    """Everything asked for could be done, and the answer is no."""

    exit_code = 1
