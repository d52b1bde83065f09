"""Alerts about the filter on the shapes of real traffic, judged by promtool."""

import pytest

from .promtool import Case, arena, by_alert, judge, needs_promtool

UP = arena("exporter_up", "1x3000", pod="a")
CHAMPION = {"alias": "champion", "model_version": "2", "source": "registry", "bundle": "sha-0123456789ab"}
IS_CHAMPION = arena("model_version", "1x3000", **CHAMPION)
SILENT = {"30m": False, "60m": False}
TEN_MINUTES = {"9m": False, "12m": True}
DAY, WEEK = 24, 7 * 24  # Steps of an hour.


def detects(value, alias="champion"):
    return arena("detection_rate", f"{value}x60", alias=alias, model_version="2", strategies="seen", source="battle")


def has_f1(value, alias="champion"):
    return arena("model_f1_score", f"{value}x60", alias=alias, model_version="2", split="test")


def serves(version, values="1x3000"):
    return arena("model_version", values, alias="none", model_version=version, pod="p")


def service(exists="1x3000", stopped="0x3000"):
    return arena("service_exists", exists, service="content-filter") | arena(
        "service_condition", stopped, service="content-filter", condition="Stopped"
    )


def counted(per_step):
    """A counter, in promtool's notation, that grows by each number; runs of a number are shortened."""
    parts, total, i = [], 0, 0
    while i < len(per_step):
        n = 1
        while i + n < len(per_step) and per_step[i + n] == per_step[i]:
            n += 1
        parts.append(f"{total + per_step[i]}+{per_step[i]}x{n - 1}")
        total += n * per_step[i]
        i += n
    return " ".join(parts)


def texts(*days):
    """Counters of flagged and other texts: a day is (texts, share flagged) for each of its 24 hours."""
    hours = [hour for day in days for hour in day]
    toxic = [round(n * share) for n, share in hours]
    benign = [n - flagged for (n, _), flagged in zip(hours, toxic, strict=True)]
    return arena("model_flagged_total", counted(toxic), model_version="2", is_toxic="true") | arena(
        "model_flagged_total", counted(benign), model_version="2", is_toxic="false"
    )


def even(share, n=800):
    return [(n, share)] * DAY


def with_batch(hour, share=0.01, batch=(80_000, 0.002)):
    """A day of users, and a client that sends its backlog for an hour at night: many texts, few of them flagged."""
    return [batch if n == hour else of_users for n, of_users in enumerate(even(share))]


def idle(day):
    """A community of three texts an hour, of which one or two a day are flagged."""
    flagged = {day * 7 % DAY, day * 5 % DAY} if day % 2 else {day * 7 % DAY}
    return [(3, 1 / 3 if hour in flagged else 0.0) for hour in range(DAY)]


def scored(before, after, *, n=800):
    """Shares of texts that score low, for a week and then, with half of the texts flagged."""
    low = counted([round(n * before)] * WEEK + [round(n * after)] * DAY * 2)
    everything = counted([n] * (WEEK + 2 * DAY))
    found = arena("model_score_bucket", low, model_version="2", le="0.2")
    found |= arena("model_score_bucket", everything, model_version="2", le="+Inf")
    found |= arena("model_score_count", everything, model_version="2")
    return found | texts(*[even(0.5, n)] * 9)


def registered(*, days_ago):
    """The series begin at time 0, so an age needs a moment before it."""
    return arena("last_registered_timestamp_seconds", f"{-days_ago * 86_400}x100")


def failed_runs(values):
    return arena("pipeline_runs", values, status="failed", pod="a")


def drift(what, series, fires, at=("8d", "8d12h", "9d")):
    moments = dict.fromkeys(at, False)
    if fires:
        moments = {"7d": False, "7d20h": True, "8d": True}
    return Case("ContentArenaFlaggedShareDrift", what, series, moments, "1h")


CASES = [
    Case("ContentArenaDetectionRateLow", "catches 49 %", detects(0.49), TEN_MINUTES),
    Case("ContentArenaDetectionRateLow", "catches half", detects(0.5), SILENT),
    Case("ContentArenaDetectionRateLow", "only the challenger", detects(0.1, "challenger"), SILENT),
    Case("ContentArenaModelF1Low", "0.69", has_f1(0.69), TEN_MINUTES),
    Case("ContentArenaModelF1Low", "0.70", has_f1(0.7), SILENT),
    Case("ContentArenaModelF1Low", "only the previous one", has_f1(0.1, "previous"), SILENT),
    Case("ContentArenaPredictorDown", "its pods are gone", serves("2", "1x10 _x300") | UP, {"18m": False, "30m": True}),
    Case("ContentArenaPredictorDown", "a service that never got a pod", service() | UP, TEN_MINUTES),
    Case("ContentArenaPredictorDown", "one is scraped", serves("2") | service(), SILENT),
    Case("ContentArenaPredictorDown", "a fresh install", UP | service("0x3000"), SILENT),
    Case("ContentArenaPredictorDown", "a champion that nobody serves yet", UP | IS_CHAMPION, SILENT),
    Case("ContentArenaPredictorDown", "a person stopped it", serves("2", "1x10 _x300")
         | service(stopped="1x3000"), SILENT),
    Case("ContentArenaNoChampion", "the alias is gone", UP | serves("2"), {"14m": False, "17m": True}),
    Case("ContentArenaNoChampion", "there is one", UP | serves("2") | IS_CHAMPION, SILENT),
    Case("ContentArenaNoChampion", "a fresh install", UP, SILENT),
    Case("ContentArenaNoChampion", "nobody knows", arena("exporter_up", "0x300", pod="a") | serves("2"), SILENT),
    Case("ContentArenaChampionNotServed", "an older one", serves("1") | IS_CHAMPION, {"119m": False, "122m": True}),
    Case("ContentArenaChampionNotServed", "beside a canary", serves("2") | serves("1") | IS_CHAMPION, {"3h": False}),
    Case("ContentArenaChampionNotServed", "by its bundle", serves("sha-0123456789ab") | IS_CHAMPION, {"3h": False}),
    Case("ContentArenaChampionNotServed", "a fresh install", UP, {"3h": False}),
    Case("ContentArenaChallengerStale", "14 days", registered(days_ago=14.1), {"45m": False, "90m": True}, "15m"),
    Case("ContentArenaChallengerStale", "13 days", registered(days_ago=13.5), {"10h": False}, "15m"),
    Case("ContentArenaChallengerStale", "a fresh install", UP, {"10h": False}, "15m"),
    Case("ContentArenaVersionRejected", "one", arena("last_rejected_timestamp_seconds", "-9000x80 4800x200"),
         {"79m": False, "83m": True, "150m": False}),
    Case("ContentArenaVersionRejected", "long ago", arena("last_rejected_timestamp_seconds", "-9000x200"), SILENT),
    Case("ContentArenaRunFailed", "one, and nothing after it", failed_runs("3x30 4x600"),
         {"29m": False, "33m": True, "380m": True, "400m": False}),
    Case("ContentArenaRunFailed", "the first run of a fresh install", failed_runs("0x30 1x600"), {"33m": True}),
    Case("ContentArenaRunFailed", "old ones, and the exporter restarted", failed_runs("3x30 _x10 3x300"), SILENT),
    Case("ContentArenaRunFailed", "old ones, and MLflow was cleaned up", failed_runs("3x30 1x300"), SILENT),
    Case("ContentArenaRunFailed", "a run that a person ended", arena("pipeline_runs", "0x30 1x300", status="killed"),
         SILENT),
    drift("from 1 to 3 %", texts(*[even(0.01)] * 7, *[even(0.03)] * 2), True),
    drift("from 10 to 25 %", texts(*[even(0.1)] * 7, *[even(0.25)] * 2), True),
    drift("none is flagged any more", texts(*[even(0.03)] * 7, *[even(0)] * 2), True),
    drift("a wave beside a nightly batch", texts(*[with_batch(2, 0.02, (8000, 0.01))] * 7,
          *[with_batch(2, 0.08, (8000, 0.04))] * 2), True),
    drift("from 1 to 1.5 %", texts(*[even(0.01)] * 7, *[even(0.015)] * 2), False),
    drift("a batch client at night", texts(*[with_batch(2)] * 9), False),
    drift("a batch client, each night at another hour", texts(*[with_batch(1 + n % 5) for n in range(9)]), False),
    drift("an idle service", texts(*map(idle, range(9))), False),
    drift("nobody asks any more", texts(*[even(0.01)] * 7, *[even(0, 0)] * 2), False),
    drift("a fresh install", texts(even(0.01), even(0.03), even(0.01)), False, at=("12h", "1d12h", "2d12h")),
    Case("ContentArenaScoreDrift", "other scores", scored(0.9, 0.5), {"7d": False, "7d5h": False, "8d": True}, "1h"),
    Case("ContentArenaScoreDrift", "nearly the same", scored(0.9, 0.75), {"7d": False, "8d": False}, "1h"),
    Case("ContentArenaScoreDrift", "an idle service", scored(0.9, 0.5, n=16), {"7d": False, "8d": False}, "1h"),
]  # fmt: skip


@needs_promtool
@pytest.mark.parametrize("alert", by_alert(CASES))
def test_it_fires_where_it_must_and_nowhere_else(alert, tmp_path):
    judge(by_alert(CASES)[alert], tmp_path)
