"""What every rule has to have: a syntax that Prometheus takes, and for an alert what a person needs."""

import re

import pytest
import yaml

from .expressions import FOLDER, groups, rules
from .promtool import needs_promtool, promtool

RUNBOOK = (FOLDER / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (ContentArena\w+)\n\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


@needs_promtool
def test_prometheus_takes_the_rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(groups()))
    n_rules = len(rules("alert")) + len(rules("record"))
    assert f"{n_rules} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


def test_every_file_of_rules_is_deployed():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    there = {f"rules/{path.name}" for path in FOLDER.glob("rules/*.yaml")}
    assert there == {name for name in kustomization["resources"] if name.startswith("rules/")}


@pytest.mark.parametrize("name", rules("alert"))
def test_every_alert_tells_a_person_what_to_do(name):
    rule = rules("alert")[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"manifests/components/monitoring/runbook.md#{name.lower()}"
    assert f"| {name} | " in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", rules("alert"))
def test_every_alert_has_an_entry_in_the_runbook(name):
    """What it means, and what to look at and do."""
    assert len(SECTIONS[name].split()) >= 20


def test_the_runbook_has_no_entry_without_an_alert():
    assert set(SECTIONS) == set(rules("alert"))
