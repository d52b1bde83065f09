"""The predictor's Prometheus metrics; kserve serves them at ``/metrics`` from the default registry.

Every label value is from a closed set (route templates, known methods, status codes, names of API keys, this server's
own version), so clients cannot increase the number of time series.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter, Gauge, Histogram

from content_arena.components.predictor.probe_token import PROBE_HEADER

if TYPE_CHECKING:
    from starlette.types import Scope

    from content_arena.components.predictor.scoring.judgement import Judgement

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SCORES = tuple(i / 20 for i in range(1, 21))

REQUESTS = Counter(
    "content_arena_api_requests_total",
    "HTTP requests answered.",
    ["path", "method", "status", "model_version"],
)
REQUEST_SECONDS = Histogram(
    "content_arena_api_request_duration_seconds",
    "Seconds from a request's first byte to its answer's last.",
    ["path", "method", "model_version"],
    buckets=_SECONDS,
)
INFERENCE_SECONDS = Histogram(
    "content_arena_model_inference_duration_seconds",
    "Seconds one request's texts took to score, waiting for a free thread not included.",
    ["model_version"],
    buckets=_SECONDS,
)
SINGLE_SECONDS = Histogram(
    "content_arena_model_single_text_duration_seconds",
    "Seconds until a request with one text was scored, waiting included: what a client that asks for a text sees.",
    ["model_version"],
    buckets=_SECONDS,
)
SCORES = Histogram(
    "content_arena_model_score",
    "Probability of toxic given to a text.",
    ["model_version"],
    buckets=_SCORES,
)
FLAGGED = Counter(
    "content_arena_model_flagged_total",
    "Texts judged, by verdict.",
    ["model_version", "is_toxic"],
)
PENDING = Gauge(
    "content_arena_model_pending_texts",
    "Texts that wait or are at work, users' and probes'.",
    ["model_version"],
)
PROBES = Counter(
    "content_arena_probe_requests_total",
    "Requests by which a rollout measures this model; no other metric counts them.",
    ["status", "model_version"],
)
KEY_REQUESTS = Counter(
    "content_arena_api_key_requests_total",
    "HTTP requests answered, by the name of the API key that they came with.",
    ["key", "status", "model_version"],
)
SHADOW_VERDICTS = Counter(
    "content_arena_shadow_verdicts_total",
    "Texts that the shadow scored as well, by the verdict of the model that serves and by its own.",
    ["model_version", "shadow_version", "is_toxic", "shadow_is_toxic"],
)
SHADOW_DIFFERENCE = Histogram(
    "content_arena_shadow_score_difference",
    "Distance between the two probabilities of toxic, 0 to 1.",
    ["model_version", "shadow_version"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0),
)
SHADOW_DROPPED = Counter(
    "content_arena_shadow_dropped_total",
    "Texts that the shadow did not score: its queue was full, or it failed.",
    ["shadow_version", "reason"],
)
VERSION = Gauge(
    "content_arena_model_version",
    "Always 1; its labels say which model is served.",
    ["alias", "model_version"],
)


def announce(version: str, alias: str | None) -> None:
    """Sets the metric of the served version, and its counters to 0, so that a rate exists from the first text on.

    Args:
        version: Version of the model.
        alias: Registry alias it is served under; label value ``none`` if None.
    """
    VERSION.labels(alias or "none", version).set(1)
    for verdict in ("true", "false"):
        FLAGGED.labels(version, verdict)
    INFERENCE_SECONDS.labels(version)
    SINGLE_SECONDS.labels(version)
    SCORES.labels(version)
    PENDING.labels(version)


def withdraw(version: str, alias: str | None) -> None:
    """Takes back what :func:`announce` says of the served version; its counters stay, as Prometheus expects."""
    VERSION.remove(alias or "none", version)


def observe(judgement: Judgement, waited_seconds: float) -> None:
    """Counts one request's texts.

    Args:
        judgement: What the model says of them.
        waited_seconds: Time from the request's arrival at the model to its scores. Only requests with one text are
            judged by it: a batch of a thousand texts takes as long as it takes.
    """
    version, scores, verdicts = judgement.version, judgement.scores, judgement.verdicts
    INFERENCE_SECONDS.labels(version).observe(judgement.seconds)
    if len(scores) == 1:
        SINGLE_SECONDS.labels(version).observe(waited_seconds)
    histogram = SCORES.labels(version)
    for score in scores.tolist():
        histogram.observe(score)
    n_toxic = int(verdicts.sum())
    FLAGGED.labels(version, "true").inc(n_toxic)
    FLAGGED.labels(version, "false").inc(len(verdicts) - n_toxic)


def announce_shadow(version: str) -> None:
    """Sets the counters of what a shadow drops to 0, so that a rate exists from the first text on."""
    for reason in ("full", "failed"):
        SHADOW_DROPPED.labels(version, reason)


def compare(
    judgement: Judgement,
    shadow_version: str,
    scores: npt.NDArray[np.float32],
    verdicts: npt.NDArray[np.bool_],
) -> None:
    """Counts how a shadow judged the texts of an answered request.

    Args:
        judgement: What the model that serves says of the n texts.
        shadow_version: Version of the shadow.
        scores: float32[n], the shadow's probability of toxic.
        verdicts: bool[n], the shadow's: True for toxic.
    """
    difference = SHADOW_DIFFERENCE.labels(judgement.version, shadow_version)
    for distance in abs(judgement.scores - scores).tolist():
        difference.observe(distance)
    for served, shadowed in zip(judgement.verdicts.tolist(), verdicts.tolist(), strict=True):
        label = (judgement.version, shadow_version, str(served).lower(), str(shadowed).lower())
        SHADOW_VERDICTS.labels(*label).inc()


def is_probe(headers: Mapping[str, str] | None) -> bool:
    """Whether a request comes from a rollout and not from a user.

    Args:
        headers: By lower-case name, as
            :class:`~content_arena.components.predictor.middleware.traffic.TrafficMiddleware` leaves them: only a
            probe still has the header. None if there are none.
    """
    return headers is not None and PROBE_HEADER in headers


def count(method: str, path: str, status: int, seconds: float, version: str, *, is_probe: bool) -> None:
    """Counts a request that was answered.

    Args:
        method: HTTP method.
        path: Template of its route.
        status: HTTP status of the answer, or the one that says the same.
        seconds: From its first byte to the answer's last.
        version: Version of the model.
        is_probe: Whether a rollout sent it; it is counted apart then.
    """
    if is_probe:
        PROBES.labels(str(status), version).inc()
        return
    method = method if method in _METHODS else "other"
    REQUESTS.labels(path, method, str(status), version).inc()
    REQUEST_SECONDS.labels(path, method, version).observe(seconds)


def route_template(scope: Scope) -> str:
    """The route of the request, such as ``/v1/models/{model_name}:predict``; ``unmatched`` if there is none."""
    return getattr(scope.get("route"), "path_format", None) or "unmatched"
