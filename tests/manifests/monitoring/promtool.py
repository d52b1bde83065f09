"""Simulated series for promtool, and whether an alert fires on them at given moments."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .expressions import groups

NAMESPACE = "content-arena"
Series = dict[str, str]
#: A group of rules as Prometheus reads it.
Group = dict[str, Any]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus"
)


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation, and at which moments an alert fires on them.

    Attributes:
        alert: Name of the alert.
        what: The situation.
        series: Values by series.
        at: Whether the alert fires, by moment.
        interval: Of the series and of the evaluation.
    """

    alert: str
    what: str
    series: Mapping[str, str]
    at: Mapping[str, bool]
    interval: str = "1m"

    @property
    def fires(self) -> bool:
        """Whether it fires at one of the moments."""
        return any(self.at.values())


def metric(name: str, values: str, **labels: str) -> Series:
    """One series in the namespace of the arena; the name is taken as it is."""
    listed = ",".join(f'{key}="{value}"' for key, value in {"namespace": NAMESPACE, **labels}.items())
    return {f"{name}{{{listed}}}": values}


def arena(name: str, values: str, **labels: str) -> Series:
    """One series of the arena's own: its name is prefixed."""
    return metric(f"content_arena_{name}", values, **labels)


def promtool(*arguments: object) -> str:
    """Runs promtool; returns what it prints."""
    command = ["promtool", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def by_alert(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases that one run of promtool can judge, by a name for them: those of an alert with the same interval."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(f"{case.alert} every {case.interval}", []).append(case)
    return found


def judge(cases: Iterable[Case], folder: Path) -> None:
    """Asks promtool whether each case fires when it should, and only then; the cases have one interval.

    Only the rule of the alert and the recordings that it reads are evaluated.
    """
    cases = list(cases)
    wanted = _needed_for(cases[0].alert)
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": wanted}))
    suite = {
        "rule_files": [str(rules)],
        "evaluation_interval": cases[0].interval,
        # Otherwise an alert sees this step's recordings or the last one's, by chance.
        "group_eval_order": [group["name"] for group in wanted],
        "tests": [
            {
                "name": case.what,
                "interval": case.interval,
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [_check(case.alert, moment, fires) for moment, fires in case.at.items()],
            }
            for case in cases
        ],
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    promtool("test", "rules", folder / "suite.yaml")


def _needed_for(alert: str) -> list[Group]:
    """The group of an alert with this rule alone, and the recordings that it reads, with what they read themselves."""
    kept: list[Group] = []
    text = alert
    for group in reversed(groups()["groups"]):
        rules = []
        for rule in reversed(group["rules"]):
            if rule.get("alert") == alert or ("record" in rule and rule["record"] in text):
                rules.insert(0, rule)
                text += rule["expr"]
        if rules:
            kept.insert(0, group | {"rules": rules})
    return kept


def _check(alert: str, moment: str, fires: bool) -> dict[str, object]:
    # Alertmanager's configuration is given alerts of this namespace alone.
    labels = f'alertname="{alert}", alertstate="firing", namespace="{NAMESPACE}"'
    count = f"count(ALERTS{{{labels}}}) or vector(0)"
    return {
        "expr": f"clamp_max({count}, 1)",
        "eval_time": moment,
        "exp_samples": [{"labels": "{}", "value": float(fires)}],
    }
