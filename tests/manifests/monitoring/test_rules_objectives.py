"""Alerts on the error budgets of both objectives, on the shapes of real traffic, judged by promtool."""

import pytest

from .promtool import Case, arena, by_alert, judge, needs_promtool

PREDICT = "/v1/models/{model_name}:predict"
GRPC = "/inference.GRPCInferenceService/ModelInfer"
PERSPECTIVE = "/v1alpha1/comments:analyze"
HOUR = 12  # Steps of 5 minutes.
HOURS = 10 * HOUR
FAST, BURNS, SLOWLY = ("BurnsFast", "Burns", "BurnsSlowly")


def growing(*parts):
    """A counter in promtool's notation: (growth a step, steps) one after the other."""
    text, total = [], 0
    for per_step, steps in parts:
        text.append(f"{total + per_step}+{per_step}x{steps - 1}")
        total += per_step * steps
    return " ".join(text)


def answers(good, bad, path=PREDICT, status="503"):
    """Counters of requests that were answered well and badly."""
    labels = {"path": path, "method": "POST", "variant": "content-filter-v2-predictor", "model_version": "2"}
    return arena("api_requests_total", growing(*good), status="200", **labels) | arena(
        "api_requests_total", growing(*bad), status=status, **labels
    )


def waits(fast, slow):
    """The histogram of requests with one text: within 100 ms, and later."""
    total = [(quick + late, steps) for (quick, steps), (late, _) in zip(fast, slow, strict=True)]
    name = "model_single_text_duration_seconds"
    return (
        arena(f"{name}_bucket", growing(*fast), le="0.1", model_version="2")
        | arena(f"{name}_bucket", growing(*total), le="+Inf", model_version="2")
        | arena(f"{name}_count", growing(*total), model_version="2")
    )


def failing(share, hours, n=1000):
    """All is well for two hours, then a share of the requests fails, then all is well again."""
    bad, steps = round(n * share), hours * HOUR
    return answers([(n, 2 * HOUR), (n - bad, steps), (n, HOURS)], [(0, 2 * HOUR), (bad, steps), (0, HOURS)])


def slow(share, hours, n=1000):
    late, steps = round(n * share), hours * HOUR
    return waits([(n, 2 * HOUR), (n - late, steps), (n, HOURS)], [(0, 2 * HOUR), (late, steps), (0, HOURS)])


def case(name, which, what, series, at):
    return Case(f"ContentArena{name}{which}", what, series, at, "5m")


def never(name, what, series, *moments):
    """One silent case for each of an objective's alerts."""
    return [case(name, which, what, series, dict.fromkeys(moments, False)) for which in (FAST, BURNS, SLOWLY)]


IDLE = answers([(0, 6), (1, 1)] * 15, [(0, 3), (1, 1), (0, 101)])
CASES = [
    case("Availability", FAST, "5 % fail", failing(0.05, 3), {"2h": False, "3h": True, "6h": False}),
    case("Availability", FAST, "1 % fails", failing(0.01, 3), {"3h": False, "4h": False}),
    case("Availability", FAST, "as Perspective's API", answers([(95, 36)], [(5, 36)], path=PERSPECTIVE), {"2h": True}),
    case("Availability", FAST, "over gRPC", answers([(95, 36)], [(5, 36)], path=GRPC), {"2h": True}),
    case("Availability", BURNS, "1 % fails", failing(0.01, 6), {"2h": False, "7h": True, "9h30m": False}),
    case("Availability", BURNS, "0.3 % fail", failing(0.003, 6), {"7h": False}),
    case("Availability", SLOWLY, "0.3 % fail", failing(0.003, 6), {"2h": False, "7h": True}),
    case("Availability", SLOWLY, "0.05 % fail", failing(0.0005, 6, n=2000), {"7h": False}),
    *never("Availability", "one failure in an idle service", IDLE, "30m", "3h", "8h"),
    *never("Availability", "clients' errors", answers([(10, HOURS)], [(90, HOURS)], status="400"), "2h", "7h"),
    *never("Availability", "scrapes and health checks fail", answers([(10, 36)], [(90, 36)], path="/metrics"), "2h"),
    *never("Availability", "no requests", answers([(0, 36)], [(0, 36)]), "2h"),
    *never("Availability", "a fresh install", arena("exporter_up", "1x60"), "2h"),
    case("Latency", FAST, "80 % are slow", slow(0.8, 3), {"2h": False, "3h30m": True, "6h": False}),
    case("Latency", FAST, "half is slow", slow(0.5, 3), {"3h": False, "4h": False}),
    case("Latency", BURNS, "half is slow", slow(0.5, 6), {"2h": False, "7h30m": True, "9h30m": False}),
    case("Latency", SLOWLY, "12 % are slow", slow(0.12, 6), {"2h": False, "7h": True}),
    case("Latency", SLOWLY, "4 % are slow", slow(0.04, 6), {"7h": False}),
    *never("Latency", "an idle service after a cold start", waits([(0, 9), (1, 60)], [(1, 9), (0, 60)]), "40m", "2h"),
    *never("Latency", "no requests", waits([(0, 36)], [(0, 36)]), "2h"),
    *never("Latency", "a fresh install", arena("exporter_up", "1x60"), "2h"),
]  # fmt: skip


def batch_client():
    """For two hours a night a client sends a thousand texts a request, each of which takes ten seconds."""
    labels = {"path": PREDICT, "method": "POST", "variant": "content-filter-v2-predictor", "model_version": "2"}
    users, batch = growing((100, HOURS)), growing((0, 24), (60, 24), (0, 72))
    all_of_it = growing((100, 24), (160, 24), (100, 72))
    name = "api_request_duration_seconds"
    return (
        arena(f"{name}_bucket", users, le="0.1", **labels)
        | arena(f"{name}_bucket", all_of_it, le="+Inf", **labels)
        | arena(f"{name}_count", all_of_it, **labels)
        | arena("model_inference_duration_seconds_count", batch, model_version="2")
        | answers([(100, 24), (160, 24), (100, 72)], [(0, HOURS)])
        | waits([(98, HOURS)], [(2, HOURS)])
    )


for objective in ("Availability", "Latency"):
    CASES += never(objective, "a batch client at night", batch_client(), "3h", "4h", "8h")


@needs_promtool
@pytest.mark.parametrize("alert", by_alert(CASES))
def test_it_fires_where_it_must_and_nowhere_else(alert, tmp_path):
    judge(by_alert(CASES)[alert], tmp_path)
