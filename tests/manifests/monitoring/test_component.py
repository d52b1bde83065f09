"""The kustomize component, rendered by kubectl."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from content_arena.components.canary_rollout.measuring import gateway

from .expressions import FOLDER

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl: kubernetes.io/docs/tasks/tools")


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    overlay = tmp_path_factory.mktemp("overlay")
    component = os.path.relpath(FOLDER, overlay.resolve())
    (overlay / "kustomization.yaml").write_text(f"components: [{component}]\n")
    command = ["kubectl", "kustomize", str(overlay)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(result.stdout)}


def test_what_there_is(objects):
    kinds = sorted(kind for kind, _ in objects if kind != "ConfigMap")
    assert kinds == [
        "Deployment", "NetworkPolicy", "NetworkPolicy", "PodMonitor", "PodMonitor", "PodMonitor", "PrometheusRule",
        "PrometheusRule", "PrometheusRule", "PrometheusRule", "Role", "RoleBinding", "Service", "ServiceAccount",
        "ServiceMonitor",
    ]  # fmt: skip
    assert sum(kind == "ConfigMap" for kind, _ in objects) == 7
    assert {found["metadata"]["namespace"] for found in objects.values()} == {"content-arena"}
    assert {found["metadata"]["labels"]["app.kubernetes.io/part-of"] for found in objects.values()} == {"content-arena"}


def test_the_exporter_can_run_under_pod_security_restricted(objects):
    pod = objects["Deployment", "metrics-exporter"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) == set(container["resources"]["limits"])
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert not container["image"].endswith((":latest", "python"))


def test_labels_and_ports_meet(objects):
    template = objects["Deployment", "metrics-exporter"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    service = objects["Service", "metrics-exporter"]
    policy = objects["NetworkPolicy", "metrics-exporter"]["spec"]
    monitor = objects["ServiceMonitor", "metrics-exporter"]["spec"]
    assert service["spec"]["selector"].items() <= labels
    assert policy["podSelector"]["matchLabels"].items() <= labels
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    (container,) = template["spec"]["containers"]
    port = container["ports"][0]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert policy["ingress"][0]["ports"][0]["port"] == port["containerPort"]
    assert f"--port={port['containerPort']}" in container["args"]


def test_the_exporter_watches_the_service_of_its_own_namespace(objects):
    (container,) = objects["Deployment", "metrics-exporter"]["spec"]["template"]["spec"]["containers"]
    assert {"--service=content-filter", "--namespace=$(NAMESPACE)"} <= set(container["args"])
    (namespace,) = [variable for variable in container["env"] if variable["name"] == "NAMESPACE"]
    assert namespace["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    # The operator labels what it scrapes with the Service's name too, which would win without this.
    assert objects["ServiceMonitor", "metrics-exporter"]["spec"]["endpoints"][0]["honorLabels"] is True


def test_a_pipelines_rollout_is_scraped_where_it_serves(objects):
    """By the label that its pod has, at the port of the component's default, past the monitoring namespace only."""
    from content_arena.components.canary_rollout.component import roll_out

    port = roll_out.component_spec.inputs["metrics_port"].default
    monitor = objects["PodMonitor", "rollout"]["spec"]
    policy = objects["NetworkPolicy", "rollout-metrics"]["spec"]
    assert monitor["selector"] == policy["podSelector"] == {"matchLabels": {"content-arena/stage": "roll_out"}}
    assert policy["ingress"][0]["ports"] == [{"port": port}]
    addresses = [rule for rule in monitor["podMetricsEndpoints"][0]["relabelings"] if "replacement" in rule]
    found = []
    for address in ("10.1.2.3", "fd00::1"):
        matching = [rule for rule in addresses if re.fullmatch(rule["regex"], address)]
        found += [rule["replacement"].replace("$1", address) for rule in matching]
    assert found == [f"10.1.2.3:{port}", f"[fd00::1]:{port}"]


@pytest.mark.parametrize("metric", ["envoy_cluster_upstream_rq_xx", gateway.ERRORS])
def test_of_the_gateways_metrics_those_are_kept_that_alerts_and_rollouts_read(objects, metric):
    (endpoint,) = objects["PodMonitor", "gateway"]["spec"]["podMetricsEndpoints"]
    (rule,) = endpoint["metricRelabelings"]
    for route, is_kept in {"content-arena/content-filter": True, "content-arena/other": False}.items():
        values = {"__name__": metric, "envoy_cluster_name": f"httproute/{route}/rule/0"}
        joined = ";".join(values[label] for label in rule["sourceLabels"])
        assert bool(re.fullmatch(rule["regex"], joined)) is is_kept
