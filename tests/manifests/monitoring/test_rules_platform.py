"""Alerts about the cluster, the gateway and the storage, on metrics named as their exporters name them."""

import pytest

from .expressions import rules
from .promtool import Case, arena, by_alert, judge, metric, needs_promtool
from .test_rules_filter import CASES as FILTER
from .test_rules_objectives import CASES as OBJECTIVES
from .test_rules_rollout import CASES as ROLLOUT

OURS = "httproute/content-arena/content-filter/rule/0"
HPA = {"horizontalpodautoscaler": "content-filter-v2-predictor"}
TASK = "retrain-x2abc-system-container-impl-4201337"
UP = arena("exporter_up", "1x60", pod="a")


def condition(kind, values, **more):
    return arena("service_condition", values, service="content-filter", condition=kind, **more)


def gateway(good, bad, cluster=OURS):
    """Answers of an Envoy, by class; it runs in another namespace."""
    found = {}
    for code, values in (("2", good), ("5", bad)):
        labels = {"namespace": "envoy-gateway-system", "envoy_cluster_name": cluster, "envoy_response_code_class": code}
        found |= metric("envoy_cluster_upstream_rq_xx", values, **labels)
    return found


def pending(values, pod="mlflow-6d5", **more):
    return metric("kube_pod_status_phase", values, phase="Pending", pod=pod, uid="u", **more)


def autoscaler(desired, most=6, least=2, active="1x300"):
    return (
        metric("kube_horizontalpodautoscaler_status_desired_replicas", desired, **HPA)
        | metric("kube_horizontalpodautoscaler_spec_max_replicas", f"{most}x300", **HPA)
        | metric("kube_horizontalpodautoscaler_spec_min_replicas", f"{least}x300", **HPA)
        | metric(
            "kube_horizontalpodautoscaler_status_condition", active, condition="ScalingActive", status="true", **HPA
        )
    )


def volume(free, namespace="content-arena"):
    labels = {"namespace": namespace, "persistentvolumeclaim": "data-postgresql-0", "node": "n"}
    return metric("kubelet_volume_stats_available_bytes", free, **labels) | metric(
        "kubelet_volume_stats_capacity_bytes", "100x60", **labels
    )


def stateful_set(name, ready):
    return metric("kube_statefulset_status_replicas_ready", ready, statefulset=name) | metric(
        "kube_statefulset_replicas", "1x60", statefulset=name
    )


def backup(created, succeeded=None):
    """Moments of its making and of its last success, seconds since the series begin."""
    found = metric("kube_cronjob_created", created, cronjob="backup")
    return found | (
        metric("kube_cronjob_status_last_successful_time", succeeded, cronjob="backup") if succeeded else {}
    )


def seaweedfs(good, bad):
    labels = {"type": "GET", "bucket": "models"}
    return metric("SeaweedFS_s3_request_total", good, code="200", **labels) | metric(
        "SeaweedFS_s3_request_total", bad, code="503", **labels
    )


def minio(every, bad):
    labels = {"api": "getobject", "server": "127.0.0.1:9000"}
    return metric("minio_s3_requests_total", every, **labels) | metric(
        "minio_s3_requests_5xx_errors_total", bad, **labels
    )


TEN, FIVE = {"9m": False, "12m": True}, {"4m": False, "7m": True}
YESTERDAY = {"35h": False, "37h": True}
QUARTER, SILENT = {"14m": False, "17m": True}, {"30m": False, "50m": False}
CASES = [
    Case("ContentArenaTrackingUnreadable", "down", arena("exporter_up", "0x60", pod="a"), TEN),
    Case("ContentArenaTrackingUnreadable", "up", UP, SILENT),
    Case("ContentArenaClusterUnreadable", "refused", arena("exporter_cluster_up", "0x60", pod="a"), TEN),
    Case("ContentArenaClusterUnreadable", "read", arena("exporter_cluster_up", "1x60", pod="a"), SILENT),
    Case("ContentArenaClusterUnreadable", "an exporter that watches no service", UP, SILENT),
    Case("ContentArenaExporterDown", "not scraped", pending("0x60"), TEN),
    Case("ContentArenaExporterDown", "scraped, and MLflow is away", arena("exporter_up", "0x60", pod="a"), SILENT),
    Case("ContentArenaClusterMetricsMissing", "no kube-state-metrics", UP, {"29m": False, "32m": True}),
    Case("ContentArenaClusterMetricsMissing", "it is there", pending("0x60"), SILENT),
    Case("ContentArenaServiceNotReady", "for good", condition("PredictorReady", "0x60"), QUARTER),
    Case("ContentArenaServiceNotReady", "a first start", condition("PredictorReady", "0x8 1x60"), SILENT),
    Case("ContentArenaServiceNotReady", "stopped by a person",
         condition("PredictorReady", "0x60") | condition("Stopped", "1x60"), SILENT),
    Case("ContentArenaServiceNotReady", "a fresh install", arena("service_exists", "0x60"), SILENT),
    Case("ContentArenaGatewayErrors", "2 % of many", gateway("0+980x60", "0+20x60"), {"5m": False, "9m": True}),
    Case("ContentArenaGatewayErrors", "0.5 %", gateway("0+995x60", "0+5x60"), SILENT),
    Case("ContentArenaGatewayErrors", "an idle service, one failure", gateway("0+1x20 21x40", "0x10 1x50"), SILENT),
    Case("ContentArenaGatewayErrors", "another service's", gateway("0+1x60", "0+90x60", "httproute/a/b/rule/0"),
         SILENT),
    Case("ContentArenaGatewayErrors", "a fresh install", UP, SILENT),
    Case("ContentArenaPodPending", "no node has room", pending("1x60"), QUARTER),
    Case("ContentArenaPodPending", "a pipeline's training",
         pending("1x60", TASK, namespace="kubeflow"), QUARTER),
    Case("ContentArenaPodPending", "somebody else's", pending("1x60", "notebook-0", namespace="kubeflow"), SILENT),
    Case("ContentArenaPodPending", "pulls its image", pending("1x9 0x60"), SILENT),
    Case("ContentArenaPodPending", "a fresh install: a predictor waits for a champion",
         pending("1x60", "predictor-7f") | metric("kube_pod_init_container_status_waiting_reason", "1x60",
         pod="predictor-7f", container="download", reason="CrashLoopBackOff"), SILENT),
    Case("ContentArenaAutoscalerAtMax", "for hours", autoscaler("6x300"), {"2h55m": False, "3h5m": True}),
    Case("ContentArenaAutoscalerAtMax", "a batch client at night", autoscaler("2x60 6x150 2x90"),
         {"3h20m": False, "4h50m": False}),
    Case("ContentArenaAutoscalerAtMax", "an idle service", autoscaler("2x300"), {"4h": False}),
    Case("ContentArenaAutoscalerAtMax", "it cannot scale at all", autoscaler("2x300", most=2), {"4h": False}),
    Case("ContentArenaAutoscalerAtMax", "left behind by a variant", autoscaler("6x300", active="0x300"), {"4h": False}),
    Case("ContentArenaVolumeNearlyFull", "9 % left", volume("9x60"), QUARTER),
    Case("ContentArenaVolumeNearlyFull", "11 % left", volume("11x60"), SILENT),
    Case("ContentArenaVolumeNearlyFull", "another namespace's", volume("1x60", "default"), SILENT),
    Case("ContentArenaObjectStorageDown", "SeaweedFS", stateful_set("seaweedfs", "0x60"), FIVE),
    Case("ContentArenaObjectStorageDown", "MinIO", stateful_set("minio", "0x60"), FIVE),
    Case("ContentArenaObjectStorageDown", "ready", stateful_set("minio", "1x60"), SILENT),
    Case("ContentArenaObjectStorageDown", "somewhere else", UP, SILENT),
    Case("ContentArenaObjectStorageErrors", "SeaweedFS", seaweedfs("0+90x60", "0+10x60"), {"10m": False, "20m": True}),
    Case("ContentArenaObjectStorageErrors", "MinIO", minio("0+100x60", "0+10x60"), {"10m": False, "20m": True}),
    Case("ContentArenaObjectStorageErrors", "1 %", seaweedfs("0+99x60", "0+1x60") | minio("0+99x60", "0+1x60"), SILENT),
    Case("ContentArenaObjectStorageErrors", "nobody reads", seaweedfs("7x60", "0x60"), SILENT),
    Case("ContentArenaBackupMissing", "none since yesterday", backup("0x300", "0x300"), YESTERDAY, "15m"),
    Case("ContentArenaBackupMissing", "never one", backup("0x300"), YESTERDAY, "15m"),
    Case("ContentArenaBackupMissing", "every night", backup("0x300", "7200x95 93600x95 180000x95"),
         {"35h": False, "47h": False, "70h": False}, "15m"),
    Case("ContentArenaBackupMissing", "a fresh install: no CronJob", UP, SILENT),
    Case("ContentArenaDatabaseDown", "its pod", stateful_set("postgresql", "0x60"), FIVE),
    Case("ContentArenaDatabaseDown", "as postgres_exporter sees it", metric("pg_up", "0x60"), FIVE),
    Case("ContentArenaDatabaseDown", "ready", stateful_set("postgresql", "1x60") | metric("pg_up", "1x60"), SILENT),
    Case("ContentArenaDatabaseDown", "somewhere else", UP, SILENT),
]  # fmt: skip


@needs_promtool
@pytest.mark.parametrize("alert", by_alert(CASES))
def test_it_fires_where_it_must_and_nowhere_else(alert, tmp_path):
    judge(by_alert(CASES)[alert], tmp_path)


def test_every_alert_is_tried_both_ways():
    """Once where it fires, and once where it never does."""
    tried = {(case.alert, case.fires) for case in (*FILTER, *ROLLOUT, *OBJECTIVES, *CASES)}
    assert tried == {(name, way) for name in rules("alert") for way in (True, False)}


@pytest.mark.parametrize("what", ["a fresh install", "an idle service", "a batch client at night"])
def test_the_shapes_of_real_traffic_are_among_the_silent_cases(what):
    silent = [case for case in (*FILTER, *OBJECTIVES, *CASES) if what in case.what and not case.fires]
    assert len(silent) >= 3
