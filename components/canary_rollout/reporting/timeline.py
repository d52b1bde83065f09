"""The timeline: a rollout as one self-contained HTML page with shares over time, figures, bounds and verdicts.

Pure: records in, markup out. Horizontal positions are percentages of the width, so the pictures fit any page. Reasons
may quote a container's log, so all text is escaped. What was not measured is not drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.reporting.history import Record
from content_arena.components.canary_rollout.reporting.timeline_figures import Axis, Figure, figures
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template

T = TypeVar("T")
#: Height of the picture of shares, in pixels, and where its lanes are.
SHARES, LANE, PHASES = 180.0, 26.0, 18.0
_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}
_NAMES = {
    Phase.STAGING: "Pods come up",
    Phase.SHIFTING: "Traffic moves",
    Phase.BAKING: "Measured",
    Phase.WAITING: "Waits for a person",
    Phase.PROMOTING: "Takes over",
    Phase.ROLLING_BACK: "Goes back",
    Phase.PROMOTED: "Promoted",
    Phase.ROLLED_BACK: "Rolled back",
    Phase.WITHDRAWN: "Withdrawn",
}
#: Marks nearer than this, in percent of the width, would overlap.
_NEAR = 1.6
_MAX_ROWS = 400


@dataclass(frozen=True)
class Span:
    """A stretch of time on the axis: ``left`` and ``width`` are percentages of the picture's width."""

    left: float
    width: float
    kind: str
    title: str
    value: float = 0.0


def render(service: str, state: State, records: Sequence[Record]) -> str:
    """Returns the page; the same arguments give the same page.

    Args:
        service: Name of the InferenceService.
        state: As last recorded.
        records: In the order they were written; may be empty.
    """
    records = sorted(records, key=lambda record: record.at)
    begin = min([state.started_at, *(record.at for record in records)])
    end = max([state.since, *(record.at for record in records)], default=begin)
    axis = Axis(begin, end)
    drawn = figures(records, axis)
    return template(Path(__file__).parent, "timeline.html").render(
        service=display.printable(service),
        outcome=_outcome(state),
        about=_about(service, state, begin, end),
        axis=axis,
        shares=_shares(records, axis, lambda record: record.share, "meets"),
        allowed=_shares(records, axis, lambda record: record.percent, "is allowed"),
        phases=_phases(records, axis),
        marks=_marks(records, axis),
        approvals=_approvals(state, records, axis),
        label=_label(state, records),
        legend=[(phase.value, name) for phase, name in _NAMES.items() if any(r.phase == phase for r in records)],
        steps=_steps(state, records),
        figures=drawn,
        others=_others(records, drawn),
        log=_log(records, begin),
        sizes={"shares": SHARES, "lane": LANE, "phases": PHASES},
        signs={verdict.value: sign for verdict, sign in _SIGNS.items()},
    )


def write(path: Path, service: str, state: State, records: Sequence[Record]) -> None:
    """Writes the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(service, state, records), encoding="utf-8")


def _outcome(state: State) -> dict[str, str]:
    kind, sign, words = {
        Phase.PROMOTED: ("good", "✓", "Promoted"),
        Phase.ROLLED_BACK: ("bad", "✕", "Rolled back"),
        Phase.WITHDRAWN: ("open", "↩", "Withdrawn, and not rejected"),
        Phase.ROLLING_BACK: ("bad", "…", "Being taken back"),
        Phase.WAITING: ("open", "!", f"Waits for a person: {state.gate}"),
    }.get(state.phase, ("open", "…", f"Under way at {state.percent} %"))
    return {"kind": kind, "sign": sign, "words": words, "reason": display.printable(state.reason)}


def _about(service: str, state: State, begin: float, end: float) -> dict[str, str]:
    parameters = state.parameters
    approvals = f", a person approves {', '.join(f'{step} %' for step in parameters.approvals)}"
    return {
        "Service": display.printable(service),
        "Challenger": f"version {display.printable(state.challenger)}",
        "Champion": f"version {display.printable(state.stable.version)}",
        "Began": datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Took": display.duration(end - begin),
        "Waited for people": display.duration(state.waited),
        "Steps": ", ".join(f"{step} %" for step in parameters.path) + (approvals if parameters.approvals else ""),
        "Each measured for": f"{display.duration(parameters.bake_seconds)} after "
        f"{display.duration(parameters.warmup_seconds)} of warm-up, on {parameters.min_requests} answers at least",
        "Rollout": display.printable(state.rollout),
    }


def _spans(records: Sequence[Record], value: Callable[[Record], T]) -> list[tuple[float, float, T]]:
    """Begin, end and value of every stretch of records with the same value."""
    spans: list[tuple[float, float, T]] = []
    for record, after in pairwise([*records, records[-1]] if records else []):
        found = value(record)
        if spans and spans[-1][2] == found:
            spans[-1] = (spans[-1][0], after.at, found)
        else:
            spans.append((record.at, after.at, found))
    return spans


def _shares(records: Sequence[Record], axis: Axis, value: Callable[[Record], int | None], verb: str) -> list[Span]:
    return [
        Span(axis.x(begin), axis.x(end) - axis.x(begin), "", f"the challenger {verb} {share} %", share)
        for begin, end, share in _spans(records, value)
        if share is not None
    ]


def _phases(records: Sequence[Record], axis: Axis) -> list[Span]:
    return [
        Span(axis.x(begin), max(axis.x(end) - axis.x(begin), 0.3), phase,
             f"{_NAMES[Phase(phase)]}, {display.duration(end - begin)}")
        for begin, end, phase in _spans(records, lambda record: record.phase)
    ]  # fmt: skip


def _marks(records: Sequence[Record], axis: Axis) -> list[dict[str, Any]]:
    """Marks of verdicts; of those that would overlap only the worst."""
    worse = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
    marks: list[dict[str, Any]] = []
    for record in records:
        if record.verdict is None:
            continue
        x = axis.x(record.at)
        mark = {"x": x, "kind": record.verdict, "sign": _SIGNS[record.verdict],
                "title": f"{axis.after(record.at)}: {record.verdict} at {record.percent} %"}  # fmt: skip
        if marks and x - marks[-1]["x"] < _NEAR:
            if worse.index(record.verdict) > worse.index(marks[-1]["kind"]):
                marks[-1] = mark | {"x": marks[-1]["x"]}
        else:
            marks.append(mark)
    return marks


def _approvals(state: State, records: Sequence[Record], axis: Axis) -> list[dict[str, Any]]:
    """Who approved which gate, and where the approval is first recorded; without a place if no record has it."""
    first: dict[str, float] = {}
    for record in records:
        for approval in record.approvals:
            first.setdefault(approval, record.at)
    known = list(dict.fromkeys([*first, *state.approvals]))
    return [
        {
            "words": display.printable(approval),
            "when": axis.after(first[approval]) if approval in first else "",
            "x": axis.x(first[approval]) if approval in first else None,
        }
        for approval in known
    ]


def _steps(state: State, records: Sequence[Record]) -> list[dict[str, Any]]:
    """The table of steps with their verdicts."""
    rows = []
    for step, percent in enumerate(state.parameters.path):
        own = [record for record in records if record.step == step and record.phase in (Phase.SHIFTING, Phase.BAKING)]
        judged = [record for record in own if record.verdict is not None]
        taken = step <= state.step and (own or step < state.step)
        counts = Counter(record.verdict for record in judged)
        rows.append(
            {
                "percent": percent,
                "is_taken": bool(taken),
                "took": display.duration(_next_at(records, own[-1].at) - own[0].at) if own else "",
                "verdict": judged[-1].verdict if judged else None,
                "counts": ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]),
                "needs_approval": state.parameters.needs_approval(percent) and step > 0,
            }
        )
    return rows


def _next_at(records: Sequence[Record], at: float) -> float:
    """Time of the next record."""
    return next((record.at for record in records if record.at > at), at)


def _others(records: Sequence[Record], drawn: Sequence[Figure]) -> list[dict[str, Any]]:
    """Checks without a figure, as last made."""
    known = {figure.name for figure in drawn}
    last: dict[str, Check] = {}
    counts: Counter[tuple[str, Verdict]] = Counter()
    for record in records:
        for check in record.checks:
            name = check.label
            if name not in known:
                last[name] = check
                counts[name, check.verdict] += 1
    return [
        {
            "name": name,
            "verdict": check.verdict,
            "reason": display.printable(check.reason),
            "counts": ", ".join(f"{counts[name, verdict]} {verdict}" for verdict in Verdict if counts[name, verdict]),
        }
        for name, check in last.items()
    ]


def _log(records: Sequence[Record], begin: float) -> list[dict[str, Any]]:
    """The table of records, without those that repeat the one before."""
    rows, last = [], None
    for record in records:
        now = (record.phase, record.percent, record.share, record.reason, record.verdict)
        if now == last and not record.event:
            continue
        last = now
        rows.append(
            {
                "when": datetime.fromtimestamp(record.at, UTC).strftime("%H:%M:%S"),
                "after": display.duration(record.at - begin),
                "phase": record.phase,
                "name": _NAMES[Phase(record.phase)],
                "percent": record.percent,
                "share": record.share,
                "verdict": record.verdict,
                "reason": display.printable(record.reason),
                "event": display.printable(record.event) if record.event != record.reason else "",
            }
        )
    return rows[-_MAX_ROWS:]


def _label(state: State, records: Sequence[Record]) -> str:
    """Text of the picture for a screen reader."""
    shares = [share for _, _, share in _spans(records, lambda record: record.share) if share is not None]
    way = ", ".join(f"{share} %" for share in shares) or "not known"
    return f"Share of the traffic that the challenger met, in order: {way}. Then: {_NAMES[state.phase]}."
