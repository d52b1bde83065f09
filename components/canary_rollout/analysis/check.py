"""A check: one question about the challenger, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from content_arena.components.canary_rollout.analysis.verdict import Verdict


class Kind(StrEnum):
    """The question of a check."""

    #: Whether a figure is within an absolute limit.
    BOUND = "bound"
    #: Whether a figure is no more than a margin worse than the champion's.
    CHAMPION = "champion"
    #: Whether a distribution is close to the champion's, in either direction.
    DRIFT = "drift"
    #: Which model version answered users.
    VERSION = "version"
    #: Which model version answered probes.
    PROBED_VERSION = "probed_version"
    #: Whether probes are answered without server errors.
    ANSWERS = "answers"
    #: Whether every pod is ready.
    READY = "ready"
    #: Whether a predictor keeps up with its requests.
    QUEUE = "queue"
    #: Whether the probes gave a result.
    PROBES = "probes"
    #: Whether all pods of a variant are counted.
    COUNTS = "counts"
    #: Whether users' traffic could be read.
    TRAFFIC = "traffic"
    #: Whether every pod's metrics could be read.
    METRICS = "metrics"
    #: Whether enough of the window was observed.
    WATCHED = "watched"
    #: Whether a container restarted, so that some of its answers were not counted.
    RESTARTS = "restarts"
    #: Errors of the gateway that no pod counted. They are a part of the errors that are judged.
    GATEWAY = "gateway"
    #: Whether anything could be measured at all.
    MEASURING = "measuring"
    #: Read from a record of another version of the arena, with a name that this version does not know.
    OTHER = "other"


class Subject(StrEnum):
    """What a check is about: a figure of the challenger, or a variant."""

    ERRORS = "errors"
    THROTTLED = "throttled"
    P95 = "p95"
    P99 = "p99"
    FLAGGED = "flagged"
    SCORES = "scores"
    EVASION = "evasion"
    BENIGN_FLAGGED = "benign flagged"
    F1 = "F1"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    BOTH = "both"


_LABELS = {
    Kind.BOUND: "{}, bound",
    Kind.CHAMPION: "{}, champion",
    Kind.DRIFT: "{}",
    Kind.VERSION: "version",
    Kind.PROBED_VERSION: "version, probes",
    Kind.ANSWERS: "errors, probes",
    Kind.READY: "ready",
    Kind.QUEUE: "queue",
    Kind.PROBES: "probes of the {}",
    Kind.COUNTS: "{}'s counts",
    Kind.TRAFFIC: "traffic",
    Kind.METRICS: "metrics",
    Kind.WATCHED: "watched",
    Kind.RESTARTS: "restarts",
    Kind.GATEWAY: "gateway",
    Kind.MEASURING: "measuring",
    Kind.OTHER: "{}",
}
_CHAMPIONS = {Kind.VERSION: "champion's version", Kind.PROBED_VERSION: "champion's version, probes"}
#: The part of a name before the limit of a latency. The limit changes with the champion's latency.
_SLOWER = ", share slower than "


@dataclass(frozen=True)
class Check:
    """A question and its result.

    Attributes:
        kind: The question.
        subject: One of :class:`Subject`; for kind OTHER the name as recorded.
        verdict: The result.
        reason: The measured value and its limit, for people.
        value: The figure; None if there is none or it was not measured.
        low: Lower end of its interval.
        high: Upper end of its interval.
        least: The figure has to be at least this; None if there is no such limit.
        most: The figure has to be at most this; None if there is no such limit.
        slower_than: For a latency: the figure is the share of answers slower than this, in seconds.
        grows: Whether it is inconclusive only because there are too few answers so far.
    """

    kind: Kind
    subject: str
    verdict: Verdict
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None
    slower_than: float | None = None
    grows: bool = False

    @property
    def label(self) -> str:
        """The question as text for people. It is the same in every measurement."""
        return label_of(self.kind, self.subject)

    @property
    def name(self) -> str:
        """The label, and for a latency its limit in seconds."""
        return name_of(self.kind, self.subject, self.slower_than)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; with the name, for people who read the record."""
        return {"name": self.name} | asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Reads :meth:`as_dict` back. Older records have a name, and neither kind nor subject.

        Raises:
            ValueError: The verdict or the kind is unknown.
        """
        values = dict(given)
        name = values.pop("name")
        if "kind" not in values:
            values |= _by_name(name)
        return cls(**(values | {"kind": Kind(values["kind"]), "verdict": Verdict(values["verdict"])}))


def label_of(kind: Kind, subject: str) -> str:
    """The question of a check, as text for people."""
    label = _CHAMPIONS.get(kind) if subject == Subject.CHAMPION else None
    return label or _LABELS[kind].format(subject)


def name_of(kind: Kind, subject: str, slower_than: float | None = None) -> str:
    """The label, and for a latency its limit in seconds."""
    limit = "" if slower_than is None else f"{_SLOWER}{slower_than:g} s"
    return label_of(kind, subject) + limit


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict of all checks together; inconclusive if there are none."""
    found = {check.verdict for check in checks}
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next((verdict for verdict in order if verdict in found), Verdict.INCONCLUSIVE)


def _by_name(name: str) -> dict[str, Any]:
    """Kind, subject and limit of a check that was recorded by its name alone."""
    label, _, limit = name.partition(_SLOWER)
    kind, subject = _BY_LABEL.get(label, (Kind.OTHER, name))
    slower_than = float(limit.removesuffix(" s")) if limit and kind is not Kind.OTHER else None
    return {"kind": kind, "subject": subject, "slower_than": slower_than}


_COUNTED = (Subject.ERRORS, Subject.THROTTLED, Subject.P95, Subject.P99)
_PROBED = (Subject.EVASION, Subject.BENIGN_FLAGGED, Subject.F1)
_VARIANTS = (Subject.CHALLENGER, Subject.CHAMPION)
#: The subjects that checks of a kind have.
SUBJECTS: dict[Kind, tuple[Subject, ...]] = {
    Kind.BOUND: (*_COUNTED, *_PROBED),
    Kind.CHAMPION: (*_COUNTED, *_PROBED),
    Kind.DRIFT: (Subject.FLAGGED, Subject.SCORES),
    Kind.VERSION: _VARIANTS,
    Kind.PROBED_VERSION: _VARIANTS,
    Kind.ANSWERS: (Subject.CHALLENGER,),
    Kind.READY: (Subject.CHALLENGER,),
    Kind.QUEUE: (Subject.CHALLENGER,),
    Kind.PROBES: _VARIANTS,
    Kind.COUNTS: _VARIANTS,
    Kind.TRAFFIC: (Subject.BOTH,),
    Kind.METRICS: (Subject.BOTH,),
    Kind.WATCHED: (Subject.BOTH,),
    Kind.RESTARTS: (Subject.CHALLENGER,),
    Kind.GATEWAY: (Subject.CHALLENGER,),
    Kind.MEASURING: (Subject.BOTH,),
}
_BY_LABEL = {label_of(kind, subject): (kind, subject) for kind, subjects in SUBJECTS.items() for subject in subjects}
