"""Every expression of the alerts and dashboards, read from what is deployed."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[3] / "manifests" / "components" / "monitoring"
_OPERATORS = re.compile(r"\s(?:and|or|unless|==|!=|<=|>=|<|>)\s")
_MATCHING = re.compile(r"(?:on|ignoring)\s*\([^()]*\)\s*")

#: Metrics that no process of the arena exposes, and who does. A test without them asks nothing of these expressions.
EXPLAINED = {
    "container_cpu_usage_seconds_total": "cAdvisor, in every kubelet",
    "container_memory_working_set_bytes": "cAdvisor, in every kubelet",
    "container_cpu_cfs_throttled_periods_total": "cAdvisor, in every kubelet",
    "container_network_receive_bytes_total": "cAdvisor, in every kubelet",
    "kubelet_volume_stats_used_bytes": "the kubelet, for claims that are mounted",
    "kube_pod_container_status_restarts_total": "kube-state-metrics",
    "kube_pod_status_phase": "kube-state-metrics",
    "kube_pod_init_container_status_waiting_reason": "kube-state-metrics",
    "kube_horizontalpodautoscaler_status_desired_replicas": "kube-state-metrics",
    "kube_horizontalpodautoscaler_spec_max_replicas": "kube-state-metrics",
    "kube_horizontalpodautoscaler_status_condition": "kube-state-metrics",
    "kube_statefulset_status_replicas_ready": "kube-state-metrics",
    "kube_statefulset_replicas": "kube-state-metrics",
    "kubelet_volume_stats_available_bytes": "the kubelet, for claims that are mounted",
    "envoy_cluster_upstream_rq_xx": "Envoy, Envoy Gateway's proxies",
    "SeaweedFS_s3_request_total": "SeaweedFS",
    "minio_s3_requests_5xx_errors_total": "MinIO, at /minio/v2/metrics/cluster",
    "kube_cronjob_status_last_successful_time": "kube-state-metrics",
    "kube_cronjob_created": "kube-state-metrics",
    "pg_up": "postgres_exporter",
    "DCGM_FI_DEV_FB_USED": "NVIDIA's DCGM exporter, on nodes with a GPU",
    "DCGM_FI_DEV_GPU_UTIL": "NVIDIA's DCGM exporter, on nodes with a GPU",
}


@functools.cache
def groups():
    """The rule groups of every file, as Prometheus reads them; nobody changes what this returns."""
    specs = [yaml.safe_load(path.read_text(encoding="utf-8"))["spec"] for path in sorted(FOLDER.glob("rules/*.yaml"))]
    return {"groups": [group for spec in specs for group in spec["groups"]]}


def rules(kind):
    """Rules by name; kind is ``alert`` or ``record``."""
    return {rule[kind]: rule for group in groups()["groups"] for rule in group["rules"] if kind in rule}


def dashboards():
    """Dashboards by file name."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("dashboards/*.json"))
    }


def panels():
    """``(dashboard, panel, expression)`` of every target, as it is written."""
    return [
        (name, panel["title"], target["expr"])
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def filled(expression, namespace, interval):
    """The expression as Grafana sends it."""
    return expression.replace("$namespace", namespace).replace("$__rate_interval", interval)


def operands(expression):
    """The vectors an alert compares and combines: an alert that does not fire is empty, these are not.

    Splits at comparisons and set operators outside brackets and quotes; numbers are left out, and ``absent(x)`` is x.
    """
    parts, depth, quoted, start, i = [], 0, False, 0, 0
    while i < len(expression):
        letter = expression[i]
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += letter in "({["
            depth -= letter in ")}]"
            if depth == 0 and (operator := _OPERATORS.match(expression, i)):
                parts.append(expression[start:i])
                # The blank after one operator may be the blank before a vector that starts with another word.
                start = i = operator.end()
                continue
        i += 1
    parts.append(expression[start:])
    cleaned = (_MATCHING.sub("", part, count=1) if _MATCHING.match(part) else part for part in map(str.strip, parts))
    vectors = (re.sub(r"^absent\((.*)\)$", r"\1", part.strip()) for part in cleaned)
    return [part for part in vectors if not re.fullmatch(r"[\d.e+-]+", part)]
