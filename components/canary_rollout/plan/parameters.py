"""The plan of a rollout: its steps, how long each is measured, and its limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

from content_arena.components.shared.errors import InputError

_MAX_STEPS = 50


@dataclass(frozen=True)
class Parameters:
    """The plan of a rollout, checked as a whole when it is made.

    Blue-green is ``steps=(0, 100)``. A hold at a fixed share is ``steps=(0, 50)`` with a long bake: a plan that ends
    below 100 needs an approval before the rest.

    Attributes:
        steps: Percentages of the traffic for the challenger, rising from 0: the staging step without users.
        bake_seconds: How long each step is measured.
        warmup_seconds: Seconds at the start of each step that are not measured.
        min_requests: Answers of the challenger to users that have to be judged at each step above 0.
        failure_limit: Failed judgements a step survives.
        inconclusive_limit: Inconclusive judgements in a row that a step survives; one more closes a gate.
        window_seconds: How long a step is measured at most while probes are under way, or there are too few answers;
            then a gate closes. Never less than the bake.
        start_seconds: How long pods of either variant may take to start.
        move_seconds: How long the gateway may take to follow a move, in addition to the pods' time.
        deadline_seconds: How long the whole rollout may take, without the time spent waiting for a person.
        keep_seconds: How long the version before keeps its pods after a promotion, without traffic, so that an undo
            needs no new ones; 0 for not at all. In Standard mode alone.
        approvals: Steps that a person has to approve first.

    Raises:
        InputError: A value is out of range, or two values contradict each other.
    """

    steps: tuple[int, ...] = (0, 1, 5, 25, 50, 100)
    bake_seconds: float = 300.0
    warmup_seconds: float = 30.0
    min_requests: int = 400
    failure_limit: int = 0
    inconclusive_limit: int = 3
    window_seconds: float = 3600.0
    start_seconds: float = 600.0
    move_seconds: float = 300.0
    deadline_seconds: float = 6 * 3600.0
    keep_seconds: float = 0.0
    approvals: tuple[int, ...] = ()

    @property
    def longest_window(self) -> float:
        """How long a window may get, with its warm-up."""
        return self.warmup_seconds + max(self.bake_seconds, self.window_seconds)

    @property
    def shift_seconds(self) -> float:
        """How long a move may take that waits for pods, of either variant, and then for the gateway."""
        return self.start_seconds + self.move_seconds

    def __post_init__(self) -> None:
        """Checks all values."""
        _check_steps(self.steps)
        unknown = sorted(set(self.approvals) - set(self.path[1:]))
        if unknown:
            raise InputError(f"approvals are set for {unknown}, wanted some of the steps {self.path[1:]}")
        for name in (
            "bake_seconds",
            "warmup_seconds",
            "min_requests",
            "failure_limit",
            "inconclusive_limit",
            "keep_seconds",
        ):
            _check_number(name, getattr(self, name), "0 or more", lambda value: value >= 0)
        for name in ("window_seconds", "start_seconds", "move_seconds", "deadline_seconds"):
            _check_number(name, getattr(self, name), "more than 0", lambda value: value > 0)
        needed = len(self.path) * (self.bake_seconds + self.warmup_seconds)
        if not needed < self.deadline_seconds:
            raise InputError(
                f"the deadline is {self.deadline_seconds:g} s, and the steps alone take {needed:g} s: "
                "raise it or bake for a shorter time"
            )

    @property
    def path(self) -> tuple[int, ...]:
        """Every percentage on the way to a promotion; 100 is added where the steps end below."""
        return self.steps if self.steps[-1] == 100 else (*self.steps, 100)

    def needs_approval(self, percent: int) -> bool:
        """Whether a person has to approve before the challenger gets this share."""
        return percent in self.approvals or percent not in self.steps

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"steps": list(self.steps), "approvals": list(self.approvals)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Parameters:
        """Reads :meth:`as_dict` back.

        Raises:
            InputError: A name is not known, a value is out of range, or two values contradict each other.
        """
        unknown = sorted(set(given) - {field.name for field in fields(cls)})
        if unknown:
            raise InputError(f"unknown parameters of a rollout: {', '.join(unknown)}")
        values = dict(given)
        for name in ("steps", "approvals"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)


def _check_steps(steps: tuple[int, ...]) -> None:
    if not all(type(step) is int for step in steps):
        raise InputError(f"steps are whole percentages, got {steps}")
    if not 2 <= len(steps) <= _MAX_STEPS or steps[0] != 0 or steps[-1] > 100:
        raise InputError(f"steps go from 0 (staging) to at most 100 in 2 to {_MAX_STEPS} steps, got {steps}")
    if any(after <= before for before, after in pairwise(steps)):
        raise InputError(f"steps have to rise, got {steps}")


def _check_number(name: str, value: float, wanted: str, holds: Callable[[float], bool]) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not holds(value):
        raise InputError(f"{name} is {value!r}, it has to be a number, {wanted}")
