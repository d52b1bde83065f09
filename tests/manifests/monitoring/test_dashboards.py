"""The dashboards are what build.py writes, and what the component hands to Grafana."""

import subprocess
import sys
from collections import Counter

import pytest
import yaml

from .expressions import FOLDER, dashboards, panels, rules

every_dashboard = pytest.mark.parametrize("name", dashboards())


def test_json_is_up_to_date():
    command = [sys.executable, str(FOLDER / "dashboards" / "build.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_build_says_what_is_out_of_date(tmp_path):
    for path in (FOLDER / "dashboards").glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    command = [sys.executable, "-B", str(tmp_path / "build.py")]
    assert subprocess.run([*command, "--check"], capture_output=True, timeout=60, check=False).returncode == 1
    assert list(tmp_path.glob("*.json")) == []
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    assert {path.name for path in tmp_path.glob("*.json")} == set(dashboards())


def test_there_are_seven_and_each_is_in_a_config_map_that_grafana_finds():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    maps = kustomization["configMapGenerator"]
    assert sorted(file for entry in maps for file in entry["files"]) == [f"dashboards/{name}" for name in dashboards()]
    assert len(maps) == 7
    options = kustomization["generatorOptions"]
    assert options["disableNameSuffixHash"] is True
    assert options["labels"]["grafana_dashboard"] == "1"


@every_dashboard
def test_uid_is_the_file_name_and_panels_do_not_overlap(name):
    dashboard = dashboards()[name]
    assert f"{dashboard['uid']}.json" == name
    cells = Counter()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            cells.update((x, y) for y in range(place["y"], place["y"] + place["h"]))
    assert max(cells.values()) == 1


@every_dashboard
def test_every_panel_shows_something_of_this_arena_only(name):
    for panel in dashboards()[name]["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert 'namespace="$namespace"' in target["expr"] or "DCGM" in target["expr"], panel["title"]


def test_an_expression_stands_in_one_place():
    counts = Counter(expression for _, _, expression in panels())
    counts.update(rule["expr"] for kind in ("alert", "record") for rule in rules(kind).values())
    assert [expression for expression, n in counts.items() if n > 1] == []


def test_every_recorded_series_is_used():
    used = "\n".join([rule["expr"] for rule in rules("alert").values()] + [expression for _, _, expression in panels()])
    others = {name: [r["expr"] for key, r in rules("record").items() if key != name] for name in rules("record")}
    assert [name for name in rules("record") if name not in used and name not in "\n".join(others[name])] == []
