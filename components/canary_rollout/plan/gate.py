"""The gates at which a rollout waits for a person's approval."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class GateKind(StrEnum):
    """Why a gate is closed."""

    #: The plan asks for an approval before this step.
    STEP = "step"
    #: Too many inconclusive judgements in a row.
    MEASURE = "measure"
    #: The service's spec was edited.
    EDIT = "edit"
    #: The cluster refused an action.
    REFUSED = "refused"
    #: The promotion was not finished in time.
    PROMOTE = "promote"
    #: The rollback was not finished in time.
    WITHDRAW = "withdraw"


_TEXT = re.compile(f"(?P<kind>{'|'.join(GateKind)})-(?P<number>0|[1-9][0-9]*)")


@dataclass(frozen=True)
class Gate:
    """An approval gate. People write it as ``step-25``.

    Attributes:
        kind: Why it is closed.
        number: The percentage of the step for a :attr:`GateKind.STEP`. For all others a running number, so that an
            approval given earlier does not open a gate that is closed again.
    """

    kind: GateKind
    number: int

    def __str__(self) -> str:
        """As it is recorded, and as people write it in an approval."""
        return f"{self.kind.value}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Reads ``str(gate)`` back.

        Raises:
            ValueError: The text is not a gate.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            kinds = ", ".join(kind.value for kind in GateKind)
            raise ValueError(f"{text!r} is not a gate: wanted KIND-NUMBER such as step-25, KIND one of {kinds}")
        return cls(GateKind(match["kind"]), int(match["number"]))


def gate_before(percent: int) -> Gate:
    """The gate of a step that needs an approval by the plan."""
    return Gate(GateKind.STEP, percent)
