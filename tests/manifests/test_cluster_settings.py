"""One file holds what differs between clusters, and every place that needs a value gets it from there."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.manifests.rendering import (
    EVERYTHING,
    MANIFESTS,
    Object,
    Renderer,
    find,
    matches,
    of_kind,
    pods,
    services,
    serving_runtime,
)
from tests.test_version import setup_version

ENV = "components/cluster-settings/cluster.env"
#: Values of another cluster, none of which is a default.
OTHER = {
    "COMPONENT_IMAGE": "registry.example.com/arena/component:9",
    "COMPONENT_IMAGE_CUDA": "registry.example.com/arena/component:9-cuda",
    "PREDICTOR_IMAGE": "registry.example.com/arena/predictor:9",
    "STORAGE_INITIALIZER_IMAGE": "registry.example.com/kserve/storage:9",
    "SEAWEEDFS_IMAGE": "registry.example.com/seaweedfs:9",
    "MINIO_IMAGE": "registry.example.com/minio:9",
    "POSTGRESQL_IMAGE": "registry.example.com/postgres:9",
    "STORAGE_CLASS": "fast",
    "GATEWAY_NAMESPACE": "istio-ingress",
    "MONITORING_NAMESPACE": "observability",
    "PIPELINES_NAMESPACE": "team-a",
    "PIPELINES_ACCOUNT": "default-editor",
    "DNS_NAMESPACE": "dns",
    "DNS_APP": "coredns",
    "DNS_CACHE_CIDR": "169.254.20.53/32",
    "API_SERVER_CIDRS": "203.0.113.1/32 203.0.113.2/32 203.0.113.3/32",
    "API_SERVER_PORT": "16443",
    "S3_CIDR": "198.51.100.0/24",
    "GPU_LABEL": "cloud.example.com/accelerator",
    "GPU_LABEL_VALUE": "l4",
    "GPU_TAINT": "cloud.example.com/gpu",
    "BACKUP_SCHEDULE": "5 4 * * 0",
    "BACKUP_KEEP_DAYS": "90",
    "SERVICE_OWNER": "gitops",
    "MODEL_ADDRESSES": "s3://filters/ s3://filters-of-old/",
    "SERVING_RUNTIMES": "content-arena-9 content-arena-8",
}


#: Their default values are words and numbers that stand for other things as well.
_ALSO_OTHER_THINGS = (
    "BACKUP_KEEP_DAYS", "GPU_LABEL_VALUE", "GPU_TAINT", "MONITORING_NAMESPACE", "SERVICE_OWNER", "SERVING_RUNTIMES",
)  # fmt: skip


def settings() -> dict[str, str]:
    lines = (MANIFESTS / ENV).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def images(objects: list[Object]) -> set[str]:
    """Every image that a pod of these objects may run, KServe's initialiser among them."""
    found = {container["image"] for pod in pods(objects) for container in pod.containers}
    found |= {item["spec"]["container"]["image"] for item in of_kind(objects, "ClusterStorageContainer")}
    return found | {each["image"] for item in of_kind(objects, "ServingRuntime") for each in item["spec"]["containers"]}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, manifests: Renderer) -> Renderer:
    """The manifests with the settings of another cluster."""
    renderer = Renderer(tmp_path_factory.mktemp("elsewhere"))
    text = (renderer.root / ENV).read_text()
    for name, value in OTHER.items():
        text, replaced = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert replaced == 1, name
    (renderer.root / ENV).write_text(text)
    return renderer


def test_every_setting_is_tried_here():
    assert set(OTHER) == set(settings())


@pytest.mark.parametrize("folder", EVERYTHING)
def test_no_default_is_left_where_another_cluster_has_another_value(elsewhere: Renderer, folder: str):
    text = yaml.safe_dump([item for item in elsewhere.objects(folder) if not _is_prose(item)])
    for name, value in settings().items():
        if name not in _ALSO_OTHER_THINGS:
            assert not re.search(rf"(^|[\s:\"']){re.escape(value)}($|[\s,\"'])", text, re.MULTILINE), name
    assert images(elsewhere.objects(folder)) <= set(OTHER.values())


def _is_prose(item: Object) -> bool:
    """Dashboards and alerts, which speak of things by words that may be names as well."""
    return item["kind"] == "PrometheusRule" or "dashboard" in item["metadata"]["name"]


def test_a_gpu_node_is_described_as_the_cluster_does(elsewhere: Renderer):
    (pod,) = pods(elsewhere.objects("overlays/gpu/arena-run"))
    assert OTHER["GPU_LABEL"] in str(pod.spec["affinity"])
    assert OTHER["GPU_LABEL_VALUE"] in str(pod.spec["affinity"])
    assert [each["key"] for each in pod.spec["tolerations"]] == [OTHER["GPU_TAINT"]]
    assert pod.spec["containers"][0]["image"] == OTHER["COMPONENT_IMAGE_CUDA"]


def test_backups_are_made_and_kept_as_the_settings_say(elsewhere: Renderer):
    spec = find(elsewhere.objects("jobs/backup"), "CronJob", "backup")["spec"]
    assert spec["schedule"] == OTHER["BACKUP_SCHEDULE"]
    (copy,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert copy["args"][-1] == f"--keep-days={OTHER['BACKUP_KEEP_DAYS']}"


def test_the_template_of_the_service_gets_its_values(elsewhere: Renderer):
    objects = elsewhere.objects("overlays/gpu")
    (service,) = services(objects)
    assert OTHER["GPU_LABEL"] in str(service["spec"]["predictor"]["affinity"])
    assert OTHER["GPU_LABEL_VALUE"] in str(service["spec"]["predictor"]["affinity"])
    assert find(objects, "ConfigMap", "content-filter-template")["data"]["owner"] == OTHER["SERVICE_OWNER"]


@pytest.mark.parametrize("guard", ["rollout-guard", "first-service-guard"])
def test_the_guards_know_where_models_are_and_what_runs_them(elsewhere: Renderer, guard: str):
    policy = find(elsewhere.objects("overlays/kind"), "ValidatingAdmissionPolicy", f"content-arena-{guard}")
    expressions = {variable["name"]: variable["expression"] for variable in policy["spec"]["variables"]}
    for variable, setting in (("prefixes", "MODEL_ADDRESSES"), ("runtimes", "SERVING_RUNTIMES")):
        assert expressions[variable].startswith(f"'{OTHER[setting]}'.split(' ')")


@pytest.mark.parametrize("folder", ["overlays/kind", "overlays/production"])
def test_each_release_has_a_runtime_of_its_own(elsewhere: Renderer, folder: str):
    """Applying that of a new release leaves that of the one before, which what serves goes on with."""
    objects = elsewhere.objects(folder)
    runtime = serving_runtime(objects)
    assert runtime["metadata"]["name"] == "content-arena-9"
    assert runtime["spec"]["containers"][0]["image"] == OTHER["PREDICTOR_IMAGE"]
    annotations = runtime["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    (service,) = services(objects)
    assert service["spec"]["predictor"]["model"]["runtime"] == "content-arena-9"


def test_the_runtime_of_the_manifests_is_that_of_the_version():
    first, *others = settings()["SERVING_RUNTIMES"].split()
    assert first == f"content-arena-{setup_version()}"
    assert "content-arena" in others, "that of version 0.1.0, so that it may serve on and come back"


def test_the_guard_of_the_first_service_knows_the_label_of_gpu_nodes(elsewhere: Renderer):
    policy = find(elsewhere.objects("overlays/gpu"), "ValidatingAdmissionPolicy", "content-arena-first-service-guard")
    (label,) = [each for each in policy["spec"]["variables"] if each["name"] == "gpuLabel"]
    assert label["expression"] == f"'{OTHER['GPU_LABEL']}'"


def test_who_uses_s3_in_production_reaches_its_addresses_and_no_others(elsewhere: Renderer):
    """Predictors among them: no other policy lets them out but to the DNS."""
    objects = elsewhere.objects("overlays/production")
    (predictor,) = [pod for pod in pods(objects) if pod.kind == "InferenceService"]
    opened = {
        item["metadata"]["name"]: item["spec"]["egress"]
        for item in of_kind(objects, "NetworkPolicy")
        if "egress" in item["spec"] and matches(item["spec"]["podSelector"], predictor.labels)
    }
    assert set(opened) == {"dns", "external-s3"}
    assert opened["external-s3"] == [
        {"to": [{"ipBlock": {"cidr": OTHER["S3_CIDR"]}}], "ports": [{"protocol": "TCP", "port": 443}]}
    ]
    (rule,) = opened["dns"]
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": OTHER["DNS_NAMESPACE"]}}
    of_dns = {"namespaceSelector": namespace, "podSelector": {"matchLabels": {"k8s-app": OTHER["DNS_APP"]}}}
    assert rule["to"] == [of_dns, {"ipBlock": {"cidr": OTHER["DNS_CACHE_CIDR"]}}]
    assert {each["port"] for each in rule["ports"]} == {53}


@pytest.mark.parametrize(("policy", "rule"), [("stages", 2), ("metrics-exporter", 0)])
def test_the_api_server_is_reached_at_its_addresses_and_no_others(elsewhere: Renderer, policy: str, rule: int):
    spec = find(elsewhere.objects("overlays/production"), "NetworkPolicy", policy)["spec"]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in OTHER["API_SERVER_CIDRS"].split()]
    ports = [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": int(OTHER["API_SERVER_PORT"])}]
    assert spec["egress"][rule] == {"to": blocks, "ports": ports}
    opened = [peer["ipBlock"] for each in spec["egress"] for peer in each["to"] if "ipBlock" in peer]
    assert len(opened) == 3


def test_monitoring_comes_from_its_namespace(elsewhere: Renderer):
    policies = of_kind(elsewhere.objects("overlays/production"), "NetworkPolicy")
    named = re.findall(r"kubernetes.io/metadata.name: (\S+)", yaml.safe_dump(policies))
    assert OTHER["MONITORING_NAMESPACE"] in named
    assert "monitoring" not in named


def test_a_name_that_is_not_in_the_cluster_leads_to_nobody_elses_image():
    """docker.io is where a name without a registry leads."""
    for name, image in settings().items():
        if name.endswith("_IMAGE") or "_IMAGE_" in name:
            registry = image.split("/")[0]
            assert "." in registry, image
            if "content-arena" in image:
                assert registry.endswith(".local"), image


def test_the_settings_themselves_are_no_object_of_the_cluster(manifests: Renderer):
    for folder in EVERYTHING:
        assert "arena-cluster" not in {item["metadata"]["name"] for item in manifests.objects(folder)}


def test_the_list_for_a_mirror_names_every_image(manifests: Renderer):
    done = subprocess.run(["make", "--silent", "image-list"], cwd=MANIFESTS.parent, capture_output=True, text=True)
    listed = set(done.stdout.split())
    assert listed >= {image for folder in EVERYTHING for image in images(manifests.objects(folder))}
    assert any(image.startswith("python:") for image in listed)


def test_the_initialiser_satisfies_what_the_namespace_enforces(manifests: Renderer):
    """Pod Security "restricted" asks all of this of each container; the pod adds nothing to it in Knative mode."""
    objects = manifests.objects("overlays/kind")
    context = find(objects, "ClusterStorageContainer", "content-arena")["spec"]["container"]["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    # The predictor reads as this user what the initialiser wrote.
    assert context["runAsUser"] == 10001
