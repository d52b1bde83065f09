"""What was decided about a challenger: JSON documents, each checked once when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from content_arena.components.registry.gates import GateResult
from content_arena.components.shared.documents import Fields, Json


@dataclass(frozen=True, kw_only=True)
class PromotionVerdict:
    """A decision about one challenger.

    Attributes:
        passed: Whether every gate passed.
        promoted: Whether it is the champion now; None where a rollout decides that.
        champion_version: The champion it was compared with.
        challenger_version: Its version in the registry.
        generation: How many rounds of the arena lie behind it.
        reasons: The reasons of the gates that failed, or of all gates if none did.
        gates: How each gate was decided.
        margins: The margin each gate was applied with, by name of its figure; None: strictly better.
        seconds: How long every stage took, by name.
    """

    passed: bool
    promoted: bool | None
    champion_version: str
    challenger_version: str
    generation: int
    reasons: tuple[str, ...]
    gates: tuple[GateResult, ...]
    margins: Mapping[str, float | None]
    seconds: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> Json:
        """The document."""
        return asdict(self) | {"reasons": list(self.reasons), "gates": [asdict(gate) for gate in self.gates]}

    @classmethod
    def from_json(cls, document: object) -> PromotionVerdict:
        """Reads the parsed document.

        Raises:
            InputError: A field is missing or of a wrong type; the message names it.
        """
        fields = Fields(document, "the verdict")
        return cls(
            passed=fields.flag("passed"),
            promoted=None if fields.raw("promoted") is None else fields.flag("promoted"),
            champion_version=fields.text("champion_version"),
            challenger_version=fields.text("challenger_version"),
            generation=fields.whole("generation"),
            reasons=fields.texts("reasons"),
            gates=tuple(gate_result(row) for row in fields.list_of_fields("gates")),
            margins=fields.number_or_none_by_name("margins"),
            seconds=fields.number_by_name("seconds"),
        )


@dataclass(frozen=True, kw_only=True)
class RecordedVerdict:
    """What the registry keeps about a version that was judged.

    Attributes:
        champion: The champion it was judged against.
        gates: How each gate was decided.
        margins: The margin each gate was applied with; empty in a verdict from before margins were recorded.
    """

    champion: int
    gates: tuple[GateResult, ...]
    margins: Mapping[str, float | None]

    @property
    def failures(self) -> list[str]:
        """Why it did not pass, a reason for each gate that failed; empty if it passed."""
        return [result.reason for result in self.gates if not result.passed]

    def as_json(self) -> Json:
        """The document."""
        return {
            "champion": self.champion,
            "gates": [asdict(gate) for gate in self.gates],
            "margins": dict(self.margins),
        }

    @classmethod
    def from_json(cls, document: object) -> RecordedVerdict:
        """Reads the parsed document.

        Raises:
            InputError: A field is missing or of a wrong type; the message names it.
        """
        fields = Fields(document, "the verdict in the registry")
        return cls(
            champion=fields.whole("champion"),
            gates=tuple(gate_result(row) for row in fields.list_of_fields("gates")),
            margins=fields.number_or_none_by_name("margins") if fields.has("margins") else {},
        )


def gate_result(fields: Fields) -> GateResult:
    """One gate's result in either document."""
    return GateResult(
        gate=fields.text("gate"),
        passed=fields.flag("passed"),
        champion=fields.number_or_none("champion"),
        challenger=fields.number_or_none("challenger"),
        limit=fields.number_or_none("limit"),
        rule=fields.text("rule"),
        reason=fields.text("reason"),
    )
