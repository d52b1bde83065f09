"""Metric families from rows of label values and a value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_PREFIX = "content_arena_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

#: Label values and the value, None for one that is not there.
Rows = Iterable[tuple[Sequence[str], float | None]]


def gauge(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A gauge ``content_arena_<name>``; rows without a finite value are left out."""
    return _filled(GaugeMetricFamily(_PREFIX + name, help_text, labels=labels), rows)


def counter(name: str, help_text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A counter ``content_arena_<name>_total``; rows without a finite value are left out."""
    return _filled(CounterMetricFamily(_PREFIX + name, help_text, labels=labels), rows)


def is_name(text: str) -> bool:
    """Whether a text looks like the name of a stage, gate or strategy, and may become a label's value."""
    return _NAME.fullmatch(text) is not None


def scaled(value: float | None, factor: float) -> float | None:
    """The value in another unit."""
    return None if value is None else value * factor


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for labels, value in rows:
        if value is not None and math.isfinite(value):
            family.add_metric([*labels], float(value))
    return family
