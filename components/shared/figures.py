"""The figures a model is judged by: one row each, read by everything that names, judges, shows or exports them.

A row has facts only. The function that computes a figure is in
:data:`content_arena.components.evaluation.metrics.COMPUTE`, under the same name, because it needs libraries that the
registry and the exporter do not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

Better = Literal["higher", "lower"]
#: ``share`` is a rate with an interval, ``score`` a number in [0, 1], ``ms`` milliseconds.
Unit = Literal["share", "score", "ms"]
#: Which texts a score rests on: clean test texts (all, those that are flagged, those that are toxic), or the guard set.
Basis = Literal["texts", "flagged", "toxic", "guard"]

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Rate:
    """A share, or a score, with its 95 % interval.

    Attributes:
        rate: In [0, 1]; None if it was not measured.
        n: How many trials it was counted on.
        low: Lower end of the interval; None if there is none.
        high: Upper end; None if there is none.
    """

    rate: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)

    def overlaps(self, other: Rate) -> bool:
        """Whether both intervals have a value in common; False if one of the rates has none."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low <= other.high and other.low <= self.high


#: The rate over no trials.
NOTHING = Rate(None)

#: A figure as it was measured: a share, or a score with an interval, is a Rate; any other is a number, None where it
#: was not measured.
Measured = Rate | float | None


@dataclass(frozen=True)
class GateRule:
    """The gate on a figure unless the settings of a run have another margin.

    Attributes:
        margin: By how much the challenger may be worse (0 or more); None means it has to be strictly better.
    """

    margin: float | None = None


@dataclass(frozen=True)
class Exported:
    """The Prometheus gauge of a figure, labelled with alias and version.

    Attributes:
        name: Without ``content_arena_``.
        help: Its help text.
        scale: What to multiply with to get the metric's unit.
    """

    name: str
    help: str
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure.

    Attributes:
        name: Its key in the evaluation's JSON, and its name in MLflow, the registry, the gates and the command line.
        label: Its name in the report.
        unit: What it is measured in.
        better: Which way is better.
        gate: The gate it has by default; None if it has none.
        floor: The least value with which any version may become champion, by default; None if it has no floor.
        in_headline: Whether registry, MLflow and the command line show it; the report shows every figure.
        basis: Which texts a score rests on; None if it rests on none of these.
        has_interval: Whether a score is measured with an interval; a share always is.
        exported: Its gauge; None if it has none of its own.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    gate: GateRule | None = None
    floor: float | None = None
    in_headline: bool = False
    basis: Basis | None = None
    has_interval: bool = False
    exported: Exported | None = None

    def __post_init__(self) -> None:
        if (self.gate or self.floor or self.exported) and not self.in_headline:
            raise ValueError(f"figure {self.name}: what is gated or exported has to be in the headline")
        if self.floor is not None and self.better != "higher":
            raise ValueError(f"figure {self.name}: a floor is for figures of which higher is better")

    @property
    def on_guard(self) -> bool:
        """Whether it is measured on the guard set, and on nothing where there is none."""
        return self.basis == "guard"

    @property
    def is_rate(self) -> bool:
        """Whether it is measured as a :class:`Rate`, with its n and its interval."""
        return self.unit == "share" or self.has_interval


#: In the order of the report's rows.
FIGURES: tuple[Figure, ...] = (
    Figure(
        name="clean_f1", label="Clean F1", unit="score", better="higher", basis="texts", in_headline=True,
        gate=GateRule(margin=0.01), floor=0.70,
    ),
    Figure(name="clean_precision", label="Clean precision", unit="score", better="higher", basis="flagged"),
    Figure(name="clean_recall", label="Clean recall", unit="score", better="higher", basis="toxic"),
    Figure(
        name="clean_auroc", label="Clean AUROC", unit="score", better="higher", basis="texts", in_headline=True,
        gate=GateRule(margin=0.005), floor=0.80,
    ),
    Figure(
        name="guard_auroc", label="AUROC, guard set", unit="score", better="higher", basis="guard", in_headline=True,
        gate=GateRule(margin=0.01),
    ),
    Figure(
        name="evasion", label="Evasion, all strategies", unit="share", better="lower", in_headline=True,
        gate=GateRule(),
    ),
    Figure(name="evasion_seen", label="Evasion, seen strategies", unit="share", better="lower", in_headline=True),
    Figure(name="evasion_unseen", label="Evasion, held-out strategies", unit="share", better="lower", in_headline=True),
    Figure(
        name="evasion_matched", label="Evasion, matched false alarms", unit="share", better="lower", in_headline=True,
        exported=Exported(
            "evasion_matched_rate", "Evasion where perturbed benign texts are flagged 2 points more than clean ones."
        ),
    ),
    Figure(
        name="evasion_regression", label="Evasion, attacks that once worked", unit="share", better="lower",
        in_headline=True,
    ),
    Figure(
        name="perturbed_auroc", label="AUROC, perturbed texts", unit="score", better="higher", in_headline=True,
        has_interval=True, gate=GateRule(margin=0.005),
        exported=Exported("perturbed_auroc", "AUROC of perturbed toxic against perturbed benign texts."),
    ),
    Figure(
        name="perturbed_benign_fpr", label="False alarms, perturbed benign", unit="share", better="lower",
        in_headline=True, gate=GateRule(margin=0.02),
        exported=Exported(
            "perturbed_benign_fpr", "Share of benign texts flagged after the attacks, in the last comparison."
        ),
    ),
    Figure(name="clean_fpr", label="False alarms, clean benign", unit="share", better="lower"),
    Figure(name="latency_p50_ms", label="Latency p50", unit="ms", better="lower"),
    Figure(
        name="latency_p95_ms", label="Latency p95", unit="ms", better="lower", in_headline=True,
        exported=Exported(
            "model_evaluation_latency_p95_seconds", "95th percentile for one text, in the last comparison.", 1e-3
        ),
    ),
)  # fmt: skip


def by_name() -> dict[str, Figure]:
    """Every figure under its name, in the order of the table."""
    return {figure.name: figure for figure in FIGURES}


def headline(figures: Mapping[str, Measured]) -> dict[str, float | None]:
    """The figures that registry, MLflow and command line show: plain numbers, None where one was not measured.

    Args:
        figures: Every figure of one model, by name.
    """
    return {figure.name: value_of(figures[figure.name]) for figure in FIGURES if figure.in_headline}


def value_of(measured: Measured) -> float | None:
    """The plain number of a figure; None where it was not measured."""
    return measured.rate if isinstance(measured, Rate) else measured


def in_percent(name: str, value: float | None) -> str:
    """A figure for a terminal: shares and scores in percent, times in milliseconds.

    Args:
        name: Of the figure. A name that the table does not have, such as a training's own figure, is shown as a score.
        value: None where it was not measured.
    """
    figure = by_name().get(name)
    if value is None:
        return NOT_MEASURED
    return f"{value:.1f} ms" if figure is not None and figure.unit == "ms" else f"{value:.1%}"
