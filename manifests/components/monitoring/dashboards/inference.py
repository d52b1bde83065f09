"""The inference dashboards: what the predictors do."""

from __future__ import annotations

from grafana import Dashboard, Panel

# Probes and scrapes are requests too; these routes are the ones that judge texts.
_JUDGING = 'namespace="$namespace", path=~".+(:predict|/infer|/ModelInfer)"'
_ALL = 'namespace="$namespace"'
_SERVED = f'sum by (variant, model_version) (content_arena_model_version{{{_ALL}, source=""}})'
_P99 = f"content_arena:request_duration_seconds:p99_5m{{{_ALL}}}"


def _quantile(q: float, histogram: str, by: str, selector: str) -> str:
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"


def _rate(by: str, counter: str, selector: str = _ALL) -> str:
    return f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))"


def _mean(histogram: str, selector: str = _ALL) -> str:
    both = (_rate("model_version", f"{histogram}_{part}", selector) for part in ("sum", "count"))
    return " / ".join(both)


INFERENCE = Dashboard(
    "content-arena-inference",
    "Content Arena / Inference",
    "Whether the filter answers, how fast, and with which verdicts.",
    (
        Panel(
            "Served",
            {"{{variant}} version {{model_version}}": _SERVED},
            kind="stat",
            help="Pods by variant and version.",
        ),
        Panel(
            "Registry",
            {"{{alias}} {{model_version}}": f'content_arena_model_version{{{_ALL}, source="registry"}}'},
            kind="stat",
            help="Which version each alias points to: what should be served.",
        ),
        Panel("Predictor pods up", {"{{variant}}": f'sum by (variant) (up{{{_ALL}, variant!=""}})'}, kind="stat"),
        Panel(
            "Requests",
            {
                "{{variant}} version {{model_version}}": _rate(
                    "variant, model_version", "content_arena_api_requests_total", _JUDGING
                )
            },
            "reqps",
            help="The share of a canary is seen here.",
        ),
        Panel(
            "Failed",
            {"{{variant}} version {{model_version}}": f"content_arena:request_errors:ratio_5m{{{_ALL}}}"},
            "percentunit",
            help="Share of requests answered with 5xx. Alerts judge all variants together: see Objectives.",
        ),
        Panel(
            "Latency",
            {
                "p50": _quantile(0.5, "content_arena_api_request_duration_seconds", "namespace", _JUDGING),
                "p95": _quantile(0.95, "content_arena_api_request_duration_seconds", "namespace", _JUDGING),
                "p99 {{variant}} version {{model_version}}": _P99,
            },
            "s",
            help="Alert at p99 above 0.5 s.",
        ),
        Panel(
            "Texts",
            {"version {{model_version}}": _rate("model_version", "content_arena_model_score_count")},
            "ops",
            help="Texts judged a second.",
        ),
        Panel(
            "Flagged",
            {"all versions": f"content_arena:flagged:share_1d{{{_ALL}}}"},
            "percentunit",
            help="Share of the last day's texts.",
        ),
        Panel(
            "Drift",
            {"share flagged (log odds ratio)": f"content_arena:flagged:log_odds_ratio_1w{{{_ALL}}}"},
            help="Against the same day a week ago. Alert beyond 0.69 either way and four standard errors.",
        ),
        Panel(
            "Objectives",
            {
                "answered with 5xx, 1 h": f"content_arena:objective_errors:ratio_1h{{{_ALL}}}",
                "answered with 5xx, 3 d": f"content_arena:objective_errors:ratio_3d{{{_ALL}}}",
                "one text over 100 ms, 1 h": f"content_arena:objective_slow:ratio_1h{{{_ALL}}}",
                "one text over 100 ms, 3 d": f"content_arena:objective_slow:ratio_3d{{{_ALL}}}",
            },
            "percentunit",
            help="Over 30 days at most 0.1 % may be 5xx and at most 5 % slow. Alerts judge how fast that is used up.",
        ),
    ),
)

INFERENCE_DETAIL = Dashboard(
    "content-arena-inference-detail",
    "Content Arena / Inference detail",
    "Where the time of a request goes, what is refused, and whether scores move.",
    (
        Panel(
            "Requests by route and status",
            {"{{method}} {{path}} {{status}}": _rate("method, path, status", "content_arena_api_requests_total")},
            "reqps",
        ),
        Panel(
            "Latency p95 by route",
            {"{{path}}": _quantile(0.95, "content_arena_api_request_duration_seconds", "path", _ALL)},
            "s",
        ),
        Panel(
            "Refused",
            {"{{status}}": _rate("status", "content_arena_api_requests_total", f'{_JUDGING}, status=~"4.."')},
            "reqps",
            help="Requests that were refused as invalid.",
        ),
        Panel(
            "Request durations",
            {
                "{{le}}": f"sum by (le) (increase(content_arena_api_request_duration_seconds_bucket"
                f"{{{_JUDGING}}}[$__rate_interval]))"
            },
            kind="heatmap",
            width=12,
        ),
        Panel(
            "Scores",
            {"{{le}}": f"sum by (le) (increase(content_arena_model_score_bucket{{{_ALL}}}[$__rate_interval]))"},
            kind="heatmap",
            width=12,
        ),
        Panel(
            "Model time",
            {
                "p50 version {{model_version}}": _quantile(
                    0.5, "content_arena_model_inference_duration_seconds", "model_version", _ALL
                ),
                "p99 version {{model_version}}": _quantile(
                    0.99, "content_arena_model_inference_duration_seconds", "model_version", _ALL
                ),
            },
            "s",
            help="Seconds to score one request's texts, waiting for a free thread not included.",
        ),
        Panel(
            "Mean request",
            {"version {{model_version}}": _mean("content_arena_api_request_duration_seconds", _JUDGING)},
            "s",
            help="Less the mean model time it is reading, waiting and writing.",
        ),
        Panel(
            "Mean model time",
            {"version {{model_version}}": _mean("content_arena_model_inference_duration_seconds")},
            "s",
        ),
        Panel(
            "Texts a request",
            {
                "version {{model_version}}": _rate("model_version", "content_arena_model_score_count")
                + " / "
                + _rate("model_version", "content_arena_model_inference_duration_seconds_count")
            },
        ),
        Panel("Mean score", {"version {{model_version}}": _mean("content_arena_model_score")}, "percentunit"),
        Panel(
            "Verdicts",
            {
                "version {{model_version}} toxic={{is_toxic}}": _rate(
                    "model_version, is_toxic", "content_arena_model_flagged_total"
                )
            },
            "ops",
        ),
        Panel(
            "Score drift",
            {"version {{model_version}}": f"content_arena:score:ks_1w{{{_ALL}}}"},
            help="Kolmogorov-Smirnov distance to the same day a week ago. Alert above 0.2.",
        ),
        Panel(
            "Score distribution",
            {"version {{model_version}} up to {{le}}": f"content_arena:score:cdf_1d{{{_ALL}}}"},
            "percentunit",
            help="Share of the last day's texts that score at most this much.",
        ),
        Panel(
            "Texts in a day",
            {"version {{model_version}}": f"content_arena:texts:increase_1d{{{_ALL}}}"},
            help="Drift is judged from 500 on.",
        ),
        Panel(
            "Evaluated p95",
            {"{{alias}} version {{model_version}}": f"content_arena_model_evaluation_latency_p95_seconds{{{_ALL}}}"},
            "s",
            help="One text at a time, in the last comparison: what to expect of a version before it serves.",
        ),
    ),
)
