"""The rollout dashboard: how far a challenger is, and what it is judged by.

Most of it comes from the process that rolls out and ends with it. The record in the cluster comes from the exporter.
"""

from __future__ import annotations

from grafana import Dashboard, Panel

_ALL = 'namespace="$namespace"'


def _of(metric: str) -> str:
    return f"content_arena_rollout_{metric}{{{_ALL}}}"


def _checks(verdict: str) -> str:
    return f'max by (check) (content_arena_rollout_check{{{_ALL}, verdict="{verdict}"}})'


ROLLOUT = Dashboard(
    "content-arena-rollout",
    "Content Arena / Rollout",
    "How far the challenger is, and why no further. Empty while nothing is rolled out, but for what is recorded.",
    (
        Panel("Phase", {"{{content_arena_rollout_phase}}": f"{_of('phase')} == 1"}, kind="stat", width=6),
        Panel(
            "Versions",
            {"{{challenger}} beside {{champion}}": _of("info")},
            kind="stat",
            width=6,
            help="What is rolled out, and what served before.",
        ),
        Panel("Under way for", {"{{service}}": f"time() - {_of('started_timestamp_seconds')}"}, "s", "stat", width=6),
        Panel(
            "Needs a person",
            {"waits for a person": _of("waiting_for_approval"), "is to go back": _of("going_back")},
            kind="stat",
            width=6,
            help="Alerts after half an hour of waiting, and after five minutes of not getting back.",
        ),
        Panel("As recorded", {"{{phase}}": f"{_of('record_phase')} == 1"}, kind="stat", width=6),
        Panel(
            "Versions recorded",
            {"{{challenger}} beside {{champion}}": _of("record_info")},
            kind="stat",
            width=6,
            help="Of the last rollout, also after its end.",
        ),
        Panel(
            "In this phase for",
            {"{{service}}": f"time() - {_of('record_phase_timestamp_seconds')}"},
            "s",
            kind="stat",
            width=6,
        ),
        Panel(
            "Process last seen",
            {"{{service}}": f"time() - {_of('lease_renewed_timestamp_seconds')}"},
            "s",
            kind="stat",
            width=6,
            help="Since the Lease was renewed; empty if no process holds it. Alert from two minutes on.",
        ),
        Panel(
            "Share of the users",
            {"{{service}}": _of("share")},
            "percentunit",
            help="The share that was set last; [Inference] Requests shows the requests that arrived.",
        ),
        Panel("Steps", {"taken": _of("step"), "in the plan": _of("steps")}),
        Panel("Answers judged", {"in this window": _of("judged_requests")}, help="Of the challenger, to users."),
        Panel(
            "Checks",
            {"{{check}}": f"2 * {_checks('fail')} + {_checks('inconclusive')}"},
            kind="bargauge",
            help="0 passed, 1 too little is known, 2 failed.",
        ),
        Panel(
            "Measurements",
            {"{{verdict}}": f"sum by (verdict) (rate({_of('verdicts_total')}[$__rate_interval]))"},
            "ops",
            help="One for each iteration; only those at the end of a bake decide, unless they fail.",
        ),
        Panel(
            "At this step",
            {"failed": _of("failures"), "inconclusive in a row": _of("inconclusives")},
            help="Failed and inconclusive judgements that count.",
        ),
    ),
    namespaces="content_arena_rollout_record_info",
)
