"""Which strategies a battle attacks with. Nothing heavy is imported here: the command line's ``--help`` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: What strategies change, in the order in which they are listed.
FAMILIES = ("unicode", "char", "word", "sentence", "emoji", "slang", "ko", "compound", "llm")
#: Modules of the folder that hold no strategy.
HELPERS = frozenset({"__init__", "base", "neighbours", "pictures", "rewriting", "words"})


@dataclass(frozen=True)
class Selection:
    """What somebody asked to attack with.

    Attributes:
        names: Of strategies.
        families: Of which every strategy is meant.
    """

    names: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is named; otherwise the strategies that attack by default are meant."""
        return bool(self.names or self.families)


#: The strategies that attack by default.
DEFAULT = Selection()


def built_in_names() -> tuple[str, ...]:
    """The built-in strategies in alphabetical order, without importing them: each one is in the file of its name."""
    folder = Path(__file__).with_name("strategies")
    return tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem not in HELPERS))
