"""What an attacker that learns takes from one battle to the next: which arms it tried, how often, and their rewards.

A battle that begins with it is a warm-started bandit. It holds names of strategies and their parameters, and no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from content_arena.components.shared.documents import Fields
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.records import sha256_of

_FORMAT = 1
#: Of rewards: their last digits must not decide about a digest.
_DECIMALS = 4
#: How many trials it takes to believe what an arm gained.
_POOLED = 2.0
Where = Literal["anywhere", "important"]


@dataclass(frozen=True, slots=True)
class Move:
    """A strategy and its parameters.

    Attributes:
        strategy: Its name.
        intensity: Share of the places to edit, in (0, 1].
        where: ``anywhere``, or in the ``important`` words first.
    """

    strategy: str
    intensity: float
    where: Where

    def __str__(self) -> str:
        return f"{self.strategy} {self.intensity:.0%} {self.where}"


#: Moves, one on top of the other.
Recipe = tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """A recipe, on the original or on a draft: what helps there may not help here."""

    recipe: Recipe
    on_top: bool


@dataclass(frozen=True, slots=True)
class Trials:
    """What is remembered of an arm.

    Attributes:
        arm: It.
        n: How often it was tried, above 0.
        gained: Sum of its rewards, from 0 to n.
    """

    arm: Arm
    n: float
    gained: float


@dataclass(frozen=True)
class Memory:
    """What one battle or several have learnt.

    Attributes:
        trials: Of every arm that was tried, in an order that does not matter.
    """

    trials: tuple[Trials, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is remembered."""
        return bool(self.trials)

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of its content, whatever the order."""
        return sha256_of(self.dumped())

    @classmethod
    def joined(cls, memories: Iterable[Memory]) -> Memory:
        """What several attackers learnt, such as those of the shards of a battle."""
        found: dict[Arm, Trials] = {}
        for memory in memories:
            for each in memory.trials:
                before = found.get(each.arm, Trials(each.arm, 0.0, 0.0))
                found[each.arm] = Trials(each.arm, before.n + each.n, before.gained + each.gained)
        return cls(tuple(found.values()))

    def dumped(self) -> str:
        """As JSON, from which :meth:`loaded` makes it again."""
        rows = [
            {
                "recipe": [[move.strategy, move.intensity, move.where] for move in each.arm.recipe],
                "on_top": each.arm.on_top,
                "n": round(each.n, _DECIMALS),
                "gained": round(each.gained, _DECIMALS),
            }
            for each in self.trials
        ]
        return json.dumps({"format": _FORMAT, "arms": sorted(rows, key=json.dumps)})

    @classmethod
    def loaded(cls, text: str) -> Memory:
        """Reads JSON.

        Raises:
            InputError: It is none, or of another format.
        """
        where = "what an attacker learnt"
        try:
            fields = Fields(json.loads(text), where)
        except ValueError as error:
            raise InputError(f"{where} cannot be read: {error}") from error
        if fields.whole("format") != _FORMAT:
            raise InputError(f"{where} has format {fields.whole('format')}, this release reads {_FORMAT}")
        return cls(tuple(_trials(row) for row in fields.list_of_fields("arms")))


def _trials(row: Fields) -> Trials:
    recipe = row.raw("recipe")
    if not isinstance(recipe, list) or not recipe:
        raise InputError("what an attacker learnt has an arm without a recipe")
    n, gained = row.number("n"), row.number("gained")
    if not 0 <= gained <= n or n <= 0:
        raise InputError(f"what an attacker learnt has an arm with {gained} of {n} trials")
    return Trials(Arm(tuple(_move(move) for move in recipe), row.flag("on_top")), n, gained)


def _move(given: object) -> Move:
    match given:
        case [str(strategy), float() | int() as intensity, ("anywhere" | "important") as where] if 0 < intensity <= 1:
            return Move(strategy, float(intensity), where)
    raise InputError(f"what an attacker learnt has a move that is none: {given!r}")


#: Of an attacker that begins anew.
NOTHING = Memory()


def applicable(memory: Memory, strategies: Sequence[str]) -> list[Trials]:
    """What of a memory is about these strategies alone, what did best first, whatever the order of the memory."""
    known = set(strategies)
    found = [each for each in memory.trials if all(move.strategy in known for move in each.arm.recipe)]
    # One trial shows little, so few of them count for less.
    return sorted(found, key=lambda each: (-each.gained / (each.n + _POOLED), str(each.arm)))
