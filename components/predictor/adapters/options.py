"""What an operator says of the adapters; nothing of the server is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from content_arena.components.shared.errors import InputError

#: Default of the option that turns adapters on.
VARIABLE = "CONTENT_ARENA_API_ADAPTERS"
#: Default of the option that names where suggested scores go.
SUGGESTIONS_VARIABLE = "CONTENT_ARENA_SUGGESTIONS"
NAMES = ("perspective", "openai", "fms")


@dataclass(frozen=True)
class AdapterOptions:
    """Which APIs are served beside KServe's.

    Attributes:
        names: Of the adapters.
        suggestions: File that suggested scores are appended to, or ``s3://bucket/folder``; they are refused if None.
    """

    names: tuple[str, ...] = ()
    suggestions: str | None = None

    def __post_init__(self) -> None:
        """Refuses what has no meaning.

        Raises:
            InputError: An unknown name, or a place for suggestions without an API that takes them.
        """
        if unknown := [name for name in self.names if name not in NAMES]:
            raise InputError(f"no API adapter {', '.join(unknown)}: there are {', '.join(NAMES)}")
        if self.suggestions and "perspective" not in self.names:
            raise InputError("a place for suggestions is of use with the API adapter perspective alone")

    @classmethod
    def of(cls, names: str | None, suggestions: str | None) -> Self:
        """Reads the options.

        Args:
            names: Between commas; None or empty for none.
            suggestions: See the class.

        Raises:
            InputError: See the class.
        """
        given = (name.strip() for name in (names or "").split(","))
        return cls(tuple(dict.fromkeys(name for name in given if name)), suggestions)


#: No adapter is on.
NO_ADAPTERS = AdapterOptions()
