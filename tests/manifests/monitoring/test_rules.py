"""Alerts on simulated series, judged by promtool: each fires when it should, and not before, and not otherwise."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field

import pytest
import yaml

from .expressions import FOLDER, groups, rules

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus"
)


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation that make an alert fire, or not.

    ``interval`` is of the series and of the evaluation; ``at`` holds moments, and whether the alert's time has come.
    """

    alert: str
    series: dict[str, str]
    fires: bool
    what: str
    interval: str = "1m"
    at: list[tuple[str, bool]] = field(default_factory=list)


def metric(name, value, **labels):
    listed = ",".join(f'{key}="{value}"' for key, value in {"namespace": "arena", **labels}.items())
    return {f"content_arena_{name}{{{listed}}}": value}


UP = metric("exporter_up", "1x3000", pod="a")
CHAMPION = {"alias": "champion", "model_version": "2", "source": "registry", "bundle": "sha-0123456789ab"}


def predict(name, value, **labels):
    route = {"path": "/v1/models/{model_name}:predict", "variant": "content-filter-v2-predictor", "model_version": "2"}
    return metric(f"api_{name}", value, **route, **labels)


def seconds(below, total):
    """Requests a minute that took at most half a second, and in all."""
    counts = {"0.25": 0, "0.5": below, "1.0": total, "+Inf": total}
    buckets = [predict("request_duration_seconds_bucket", f"0+{n}x120", le=le) for le, n in counts.items()]
    return {key: value for bucket in buckets for key, value in bucket.items()}


def answers(**by_status):
    found = [predict("requests_total", f"0+{n}x120", status=status.strip("_")) for status, n in by_status.items()]
    return {key: value for one in found for key, value in one.items()}


def drifting(n_before, share_before, n_after, share_after):
    """A counter of texts with some property: n a step of 15 minutes and their share, for a week and then."""
    week = 7 * 24 * 4
    before, after = round(n_before * share_before), round(n_after * share_after)
    return f"0+{before}x{week} {before * week + after}+{after}x99"


def flagged(before, after, *, n_before=200, n_after=200):
    """Shares of texts flagged, for a week and then."""
    shares = {"true": (before, after), "false": (1 - before, 1 - after)}
    found = {}
    for verdict, (first, then) in shares.items():
        series = drifting(n_before, first, n_after, then)
        found |= metric("model_flagged_total", series, model_version="2", is_toxic=verdict)
    return found


def scored(before, after, *, n_before=200, n_after=200):
    """Shares of texts that score low, for a week and then; half of them are flagged."""
    low = metric("model_score_bucket", drifting(n_before, before, n_after, after), model_version="2", le="0.2")
    everything = drifting(n_before, 1, n_after, 1)
    high = metric("model_score_bucket", everything, model_version="2", le="+Inf")
    total = metric("model_score_count", everything, model_version="2")
    return low | high | total | flagged(0.5, 0.5, n_before=n_before, n_after=n_after)


def detects(value, alias="champion"):
    return metric("detection_rate", f"{value}x60", alias=alias, model_version="2", strategies="seen", source="battle")


def has_f1(value, alias="champion"):
    return metric("model_f1_score", f"{value}x60", alias=alias, model_version="2", split="test")


def served(version):
    return metric("model_version", "1x3000", alias="none", model_version=version, pod="p")


def rolls_out(name, value, **labels):
    return metric(f"rollout_{name}", value, service="content-filter", **labels)


def registered(*, days_ago):
    """The series begin at time 0, so an age needs a moment before it."""
    return metric("last_registered_timestamp_seconds", f"{-days_ago * 86_400}x100")


MINUTES, WEEK, NEVER = (
    [("9m", False), ("12m", True)],
    [("168h", False), ("171h", True)],
    [("175h", False), ("190h", False)],
)
CASES = [
    Case("ContentArenaDetectionRateLow", detects(0.49), True, "catches 49 %", at=MINUTES),
    Case("ContentArenaDetectionRateLow", detects(0.5), False, "catches half", at=MINUTES),
    Case("ContentArenaDetectionRateLow", detects(0.1, "challenger"), False, "only the challenger", at=MINUTES),
    Case("ContentArenaModelF1Low", has_f1(0.69), True, "0.69", at=MINUTES),
    Case("ContentArenaModelF1Low", has_f1(0.7), False, "0.70", at=MINUTES),
    Case("ContentArenaModelF1Low", has_f1(0.1, "previous"), False, "only the previous one", at=MINUTES),
    Case("ContentArenaLatencyHigh", seconds(97, 100), True, "3 % slow", at=[("10m", False), ("13m", True)]),
    Case("ContentArenaLatencyHigh", seconds(100, 100), False, "none slow", at=[("60m", False)]),
    Case("ContentArenaLatencyHigh", seconds(0, 0), False, "no requests", at=[("60m", False)]),
    Case("ContentArenaErrorRateHigh", answers(_200=98, _500=1, _503=1), True, "2 %", at=[("5m", False), ("8m", True)]),
    Case("ContentArenaErrorRateHigh", answers(_200=990, _500=9), False, "0.9 %", at=[("60m", False)]),
    Case("ContentArenaErrorRateHigh", answers(_200=10, _400=90), False, "clients' errors", at=[("60m", False)]),
    Case("ContentArenaPredictorDown", metric("model_version", "1x60", **CHAMPION), True, "registry only", at=MINUTES),
    Case("ContentArenaPredictorDown", served("2"), False, "one is scraped", at=MINUTES),
    Case("ContentArenaNoChampion", UP, True, "no alias", at=[("14m", False), ("17m", True)]),
    Case("ContentArenaNoChampion", UP | metric("model_version", "1x60", **CHAMPION), False, "there is", at=MINUTES),
    Case("ContentArenaNoChampion", metric("exporter_up", "0x60", pod="a"), False, "nobody knows", at=[("40m", False)]),
    Case("ContentArenaChampionNotServed", served("1") | metric("model_version", "1x300", **CHAMPION), True, "older",
         at=[("119m", False), ("122m", True)]),
    Case("ContentArenaChampionNotServed", served("2") | served("1") | metric("model_version", "1x300", **CHAMPION),
         False, "beside a canary", at=[("180m", False)]),
    Case("ContentArenaChampionNotServed", served("sha-0123456789ab") | metric("model_version", "1x300", **CHAMPION),
         False, "by its bundle", at=[("180m", False)]),
    Case("ContentArenaChallengerStale", registered(days_ago=14.1), True, "14 days", interval="15m",
         at=[("45m", False), ("90m", True)]),
    Case("ContentArenaChallengerStale", registered(days_ago=13.5), False, "13", interval="15m", at=[("10h", False)]),
    Case("ContentArenaScoreDrift", scored(0.9, 0.5), True, "other scores", interval="15m", at=WEEK),
    Case("ContentArenaScoreDrift", scored(0.9, 0.75), False, "nearly the same", interval="15m", at=NEVER),
    Case("ContentArenaScoreDrift", scored(0.9, 0.5, n_before=100), False, "few then", interval="15m", at=NEVER),
    Case("ContentArenaScoreDrift", scored(0.9, 0.5, n_after=100), False, "few now", interval="15m", at=NEVER),
    Case("ContentArenaFlaggedShareDrift", flagged(0.1, 0.4), True, "four times", interval="15m", at=WEEK),
    Case("ContentArenaFlaggedShareDrift", flagged(0.1, 0), True, "none any more", interval="15m", at=WEEK),
    Case("ContentArenaFlaggedShareDrift", flagged(0.1, 0.2), False, "twice", interval="15m", at=NEVER),
    Case("ContentArenaFlaggedShareDrift", flagged(0, 0.005), False, "a single text", interval="15m", at=NEVER),
    Case("ContentArenaFlaggedShareDrift", flagged(0.1, 0.4, n_before=100), False, "few then", interval="15m", at=NEVER),
    Case("ContentArenaFlaggedShareDrift", flagged(0.1, 0.4, n_after=100), False, "few now", interval="15m", at=NEVER),
    Case("ContentArenaRolloutWaiting", rolls_out("waiting_for_approval", "1x60"), True, "for a person",
         at=[("29m", False), ("32m", True)]),
    Case("ContentArenaRolloutWaiting", rolls_out("waiting_for_approval", "0x60"), False, "goes on",
         at=[("60m", False)]),
    Case("ContentArenaRolloutNotBack", rolls_out("going_back", "0x10 1x60"), True, "refused",
         at=[("10m", False), ("18m", True)]),
    Case("ContentArenaRolloutNotBack", rolls_out("going_back", "0x10 1x3 _x60"), False, "back", at=[("30m", False)]),
    Case("ContentArenaVersionRejected", metric("last_rejected_timestamp_seconds", "-9000x80 4800x200"), True, "one",
         at=[("79m", False), ("83m", True), ("150m", False)]),
    Case("ContentArenaVersionRejected", metric("last_rejected_timestamp_seconds", "-9000x200"), False, "long ago",
         at=[("30m", False)]),
    Case("ContentArenaTrackingUnreadable", metric("exporter_up", "0x60", pod="a"), True, "down", at=MINUTES),
    Case("ContentArenaTrackingUnreadable", UP, False, "up", at=MINUTES),
    Case("ContentArenaExporterDown", served("2"), True, "not scraped", at=MINUTES),
    Case("ContentArenaExporterDown", metric("exporter_up", "0x60", pod="a"), False, "scraped", at=MINUTES),
]  # fmt: skip


@pytest.fixture(scope="module")
def rule_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(groups()))
    return path


def promtool(*arguments):
    command = ["promtool", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@needs_promtool
def test_prometheus_takes_the_rules(rule_file):
    n_rules = len(rules("alert")) + len(rules("record"))
    assert f"{n_rules} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", rule_file)


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.what}")
def test_alert(case, rule_file, tmp_path):
    firing = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}}) or vector(0)'
    checks = [
        {"expr": firing, "eval_time": time, "exp_samples": [{"labels": "{}", "value": float(case.fires and late)}]}
        for time, late in case.at
    ]
    suite = {
        "rule_files": [str(rule_file)],
        "evaluation_interval": case.interval,
        # Otherwise an alert sees this step's recordings or the last one's, by chance.
        "group_eval_order": [group["name"] for group in groups()["groups"]],
        "tests": [
            {
                "interval": case.interval,
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": checks,
            }
        ],
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    promtool("test", "rules", tmp_path / "suite.yaml")


def test_every_alert_is_tried_both_ways():
    assert {(case.alert, case.fires) for case in CASES} == {
        (name, way) for name in rules("alert") for way in (True, False)
    }


@pytest.mark.parametrize("name", rules("alert"))
def test_every_alert_tells_a_person_what_to_do(name):
    rule = rules("alert")[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"manifests/components/monitoring/runbook.md#{name.lower()}"
    text = (FOLDER / "runbook.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section
    assert len(section[1].split()) >= 20
    assert f"| {name} | " in (FOLDER / "README.md").read_text(encoding="utf-8")
