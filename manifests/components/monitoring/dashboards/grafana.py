"""Makes Grafana's JSON model of a dashboard from its panels in reading order. Standard library only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

_WIDTH = 24
_SCHEMA_VERSION = 39
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows.
        queries: Legend (Grafana's ``{{label}}``) -> PromQL; ``$namespace`` and ``$__rate_interval`` are filled in.
        unit: Grafana's id of the unit.
        kind: How it is drawn; a heatmap takes one query by ``le``.
        help: What to know when reading it.
        width: Of 24 columns.
    """

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "bargauge", "heatmap"] = "timeseries"
    help: str = ""
    width: int = 8

    @property
    def height(self) -> int:
        """In rows of Grafana's grid."""
        return 4 if self.kind == "stat" else 8


@dataclass(frozen=True)
class Dashboard:
    """One dashboard.

    Attributes:
        name: Of its file and its uid.
        title: What Grafana calls it.
        help: What it answers.
        panels: In reading order.
        namespaces: Metric whose namespaces can be chosen.
    """

    name: str
    title: str
    help: str
    panels: Sequence[Panel]
    namespaces: str = "content_arena_exporter_up"

    def as_dict(self) -> dict[str, Any]:
        """Grafana's JSON model."""
        return {
            "uid": self.name,
            "title": self.title,
            "description": self.help,
            "tags": ["content-arena"],
            "schemaVersion": _SCHEMA_VERSION,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "links": [{"type": "dashboards", "tags": ["content-arena"], "asDropdown": True, "title": "Content Arena"}],
            "templating": {"list": [_datasource(), _namespace(self.namespaces)]},
            "panels": _place(self.panels),
        }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _namespace(metric: str) -> dict[str, Any]:
    query = f"label_values({metric}, namespace)"
    return {
        "name": "namespace",
        "label": "Arena",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "namespace"},
        "refresh": 2,
        "current": {"text": "content-arena", "value": "content-arena"},
    }


def _place(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """Panels from left to right, a new line where one does not fit any more."""
    placed = []
    x = y = line = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > _WIDTH:
            x, y, line = 0, y + line, 0
        placed.append(_panel(number, panel, x, y))
        x, line = x + panel.width, max(line, panel.height)
    return placed


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    form = "heatmap" if panel.kind == "heatmap" else "time_series"
    # A single number shows the present: the last value in the time range may belong to something that is gone.
    instant = {"instant": True, "range": False} if panel.kind in ("stat", "bargauge") else {}
    targets = [
        {"refId": letter, "datasource": _SOURCE, "expr": expression, "legendFormat": legend, "format": form} | instant
        for letter, (legend, expression) in zip(_letters(), panel.queries.items(), strict=False)
    ]
    return {
        "id": number,
        "title": panel.title,
        "description": panel.help,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": targets,
    }


def _letters() -> itertools.chain[str]:
    return itertools.chain("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


_LAST = {"reduceOptions": {"calcs": ["lastNotNull"]}}
_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {**_LAST, "textMode": "value_and_name"},
    "bargauge": {**_LAST, "orientation": "horizontal"},
    "heatmap": {"calculate": False, "yAxis": {"axisPlacement": "left"}},
}
