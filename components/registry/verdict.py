"""What was decided about a version: JSON documents, each checked once when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from content_arena.components.registry.floors import FloorResult
from content_arena.components.registry.gates import GateResult
from content_arena.components.shared.documents import Fields, Json
from content_arena.components.shared.evaluations.text_sets import GuardSet


@dataclass(frozen=True, kw_only=True)
class PromotionVerdict:
    """A decision about one version.

    Attributes:
        passed: Whether it reaches every floor, and a gate passed and none failed. The first version of all meets no
            gates, for there is no champion to compare it with.
        promoted: Whether it is the champion now; None where a rollout decides that.
        champion_version: The champion it was compared with; None for the first version of all.
        challenger_version: Its version in the registry.
        generation: How many rounds of the arena lie behind it.
        reasons: The reasons of the floors and gates that failed, or of all if none did.
        gates: How each gate was decided.
        floors: How each floor was decided.
        guard: The guard set it was judged on; None if there is none.
        margins: The margin each gate was applied with, by name of its figure; None: strictly better.
        seconds: How long every stage took, by name.
    """

    passed: bool
    promoted: bool | None
    champion_version: str | None
    challenger_version: str
    generation: int
    reasons: tuple[str, ...]
    gates: tuple[GateResult, ...]
    margins: Mapping[str, float | None]
    floors: tuple[FloorResult, ...] = ()
    guard: GuardSet | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def outcomes(self) -> dict[str, float]:
        """1 where a gate or floor passed and 0 where not, by ``gate_`` or ``floor_`` and its figure.

        A gate that was not judged is left out.
        """
        gates = {f"gate_{gate.gate}": float(gate.passed) for gate in self.gates if gate.passed is not None}
        return gates | {f"floor_{floor.metric}": float(floor.passed) for floor in self.floors}

    def as_json(self) -> Json:
        """The document."""
        rows = {name: [asdict(row) for row in getattr(self, name)] for name in ("gates", "floors")}
        return asdict(self) | {"reasons": list(self.reasons)} | rows

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
            champion_version=None if fields.raw("champion_version") is None else fields.text("champion_version"),
            challenger_version=fields.text("challenger_version"),
            generation=fields.whole("generation"),
            reasons=fields.texts("reasons"),
            gates=tuple(gate_result(row) for row in fields.list_of_fields("gates")),
            margins=fields.number_or_none_by_name("margins"),
            floors=tuple(_floor_result(row) for row in fields.list_of_fields("floors")),
            guard=GuardSet.read(fields),
            seconds=fields.number_by_name("seconds"),
        )


@dataclass(frozen=True, kw_only=True)
class RecordedVerdict:
    """What the registry keeps about a version that was judged.

    Attributes:
        champion: The champion it was judged against; None for the first version of all.
        gates: How each gate was decided; none for the first version of all.
        margins: The margin each gate was applied with; empty in a verdict from before margins were recorded.
        floors: How each floor was decided; none in a verdict from before there were floors.
        guard: The guard set it was judged on; None if there was none.
    """

    champion: int | None
    gates: tuple[GateResult, ...] = ()
    margins: Mapping[str, float | None] = field(default_factory=dict)
    floors: tuple[FloorResult, ...] = ()
    guard: GuardSet | None = None

    @property
    def failures(self) -> list[str]:
        """Why it did not pass, a reason for each floor and gate that failed; empty if none failed."""
        return [
            *(floor.reason for floor in self.floors if not floor.passed),
            *(gate.reason for gate in self.gates if gate.passed is False),
        ]

    @property
    def not_judged(self) -> list[str]:
        """The gates that were not judged, by name of their figure."""
        return [gate.gate for gate in self.gates if gate.passed is None]

    def as_json(self) -> Json:
        """The document."""
        return {
            "champion": self.champion,
            "gates": [asdict(gate) for gate in self.gates],
            "margins": dict(self.margins),
            "floors": [asdict(floor) for floor in self.floors],
            "guard": asdict(self.guard) if self.guard else None,
        }

    @classmethod
    def from_json(cls, document: object) -> RecordedVerdict:
        """Reads the parsed document.

        Raises:
            InputError: A field is missing or of a wrong type; the message names it.
        """
        fields = Fields(document, "the verdict in the registry")
        return cls(
            champion=None if fields.raw("champion") is None else fields.whole("champion"),
            gates=tuple(gate_result(row) for row in fields.list_of_fields("gates")),
            margins=fields.number_or_none_by_name("margins") if fields.has("margins") else {},
            floors=tuple(map(_floor_result, fields.list_of_fields("floors"))) if fields.has("floors") else (),
            guard=GuardSet.read(fields) if fields.has("guard") else None,
        )


def gate_result(fields: Fields) -> GateResult:
    """One gate's result in either document."""
    return GateResult(
        gate=fields.text("gate"),
        passed=None if fields.raw("passed") is None else fields.flag("passed"),
        champion=fields.number_or_none("champion"),
        challenger=fields.number_or_none("challenger"),
        limit=fields.number_or_none("limit"),
        rule=fields.text("rule"),
        reason=fields.text("reason"),
    )


def _floor_result(fields: Fields) -> FloorResult:
    return FloorResult(
        metric=fields.text("metric"),
        passed=fields.flag("passed"),
        value=fields.number_or_none("value"),
        least=fields.number("least"),
        reason=fields.text("reason"),
    )
