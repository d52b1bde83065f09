"""Rules that every pod and every reference in the manifests keeps."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml

from content_arena.components.promotion import first_service
from content_arena.pipelines.definitions.stage_table import STAGES
from tests.manifests import rendering
from tests.manifests.rendering import EVERYTHING, MANIFESTS, OVERLAYS, Renderer, find, matches, of_kind, pods

every_folder = pytest.mark.parametrize("folder", EVERYTHING)
every_overlay = pytest.mark.parametrize("folder", OVERLAYS)
UNITS = {"m": 1e-3, "": 1}


def cpus(quantity: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(m?)", quantity).groups()
    return float(number) * UNITS[unit]


def test_every_kustomization_is_rendered_by_these_tests():
    components = MANIFESTS / "components"
    folders = {path.parent for path in MANIFESTS.rglob("kustomization.yaml") if not path.is_relative_to(components)}
    parts = {MANIFESTS / name for name in ("base", "base/arena", "base/seaweedfs", "base/postgresql", "secrets")}
    parts |= {
        MANIFESTS / name
        for name in (
            "overlays/production/settings",
            "overlays/gpu/nodes",
            "overlays/gpu/predictor",
            "jobs/arena-run/job",
        )
    }
    assert folders - parts == {MANIFESTS / name for name in EVERYTHING}


@every_folder
def test_every_pod_runs_as_a_named_user_without_privileges(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True, pod
        assert context["runAsUser"] > 0, pod
        assert context["runAsGroup"] > 0, pod
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, pod
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert not pod.spec.get(key), pod
        for container in pod.containers:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, pod
            assert own["capabilities"] == {"drop": ["ALL"]}, pod
            assert own.get("runAsUser", 1) > 0, pod
            assert not own.get("privileged"), pod


@every_folder
def test_root_file_systems_are_read_only_and_tmp_is_not(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert "emptyDir" in volumes[mounts["/tmp"]], pod
        for volume in volumes.values():
            assert "hostPath" not in volume, pod
            # An emptyDir without a limit fills the node.
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": None}), (str(pod), volume)


@every_folder
def test_requests_and_limits(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        for container in pod.containers:
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), pod
            assert {"cpu", "memory"} <= set(resources["limits"]), pod
            assert cpus(resources["requests"]["cpu"]) <= cpus(resources["limits"]["cpu"]), pod


@every_folder
def test_what_serves_is_probed_by_what_it_serves(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        if pod.kind == "Job":
            continue
        for container in pod.spec["containers"]:
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert set(container[name]) & {"httpGet", "exec"}, (str(pod), name)


@every_folder
def test_images_are_pinned(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        for container in pod.containers:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            assert re.match(r"v?\d|RELEASE\.\d", tag), container["image"]
            assert container.get("imagePullPolicy") != "Always", pod


@every_folder
def test_accounts_are_own_ones_and_hand_out_no_token(manifests: Renderer, folder: str):
    accounts = {item["metadata"]["name"]: item for item in of_kind(manifests.with_base(folder), "ServiceAccount")}
    for pod in pods(manifests.objects(folder)):
        assert accounts[pod.spec["serviceAccountName"]]["automountServiceAccountToken"] is False, pod
        assert pod.spec["automountServiceAccountToken"] is False, pod
        # A Service called mlflow would set MLFLOW_PORT=tcp://... in every pod, and MLflow reads it.
        assert pod.spec["enableServiceLinks"] is False, pod


@every_folder
def test_everything_is_labelled(manifests: Renderer, folder: str):
    unnamed = {"Namespace", "NetworkPolicy", "ConfigMap", "Secret"}
    for item in manifests.objects(folder):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "content-arena", rendering.name_of(item)
        assert item["kind"] in unnamed or "app.kubernetes.io/name" in labels, rendering.name_of(item)
    for pod in pods(manifests.objects(folder)):
        assert pod.labels["app.kubernetes.io/part-of"] == "content-arena", pod
        assert "app.kubernetes.io/name" in pod.labels, pod


@every_folder
def test_names_in_pods_lead_somewhere(manifests: Renderer, folder: str):
    objects = manifests.with_base(folder)
    secrets = {
        item["metadata"]["name"]: set(item["data"]) for item in of_kind(manifests.objects("overlays/kind"), "Secret")
    }
    # That of version 0.1.0, made by hand for the copy.
    secrets["arena-minio"] = secrets["arena-s3"]
    # Of another server, made by hand.
    secrets["arena-backup"] = {"S3_ENDPOINT_URL", "BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    settings = {item["metadata"]["name"]: set(item["data"]) for item in of_kind(objects, "ConfigMap")}
    claims = {item["metadata"]["name"] for item in of_kind(objects, "PersistentVolumeClaim")}
    for pod in pods(manifests.objects(folder)):
        for container in pod.containers:
            for entry in container.get("env", []):
                source = entry.get("valueFrom", {})
                if "secretKeyRef" in source and not source["secretKeyRef"].get("optional"):
                    assert source["secretKeyRef"]["key"] in secrets[source["secretKeyRef"]["name"]], entry
                if "configMapKeyRef" in source:
                    assert source["configMapKeyRef"]["key"] in settings[source["configMapKeyRef"]["name"]], entry
            for entry in container.get("envFrom", []):
                assert entry["configMapRef"]["name"] in settings, pod
        for volume in pod.spec["volumes"]:
            if "secret" in volume:
                assert {item["key"] for item in volume["secret"]["items"]} <= secrets[volume["secret"]["secretName"]]
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


@every_folder
def test_selectors_select(manifests: Renderer, folder: str):
    objects = manifests.objects(folder)
    job = manifests.objects("jobs/arena-run") if folder in OVERLAYS else []
    labels = [pod.labels for pod in pods(objects + job)]
    # What pipelines/placement.py puts on the pod of each stage.
    labels += [{"app.kubernetes.io/part-of": "content-arena", "content-arena/stage": stage.name} for stage in STAGES]
    for item in of_kind(objects, "NetworkPolicy"):
        selectors = [item["spec"]["podSelector"]]
        for rule in item["spec"].get("ingress", []) + item["spec"].get("egress", []):
            # Of other namespaces nothing is known here.
            peers = rule.get("from", []) + rule.get("to", [])
            selectors += [
                peer["podSelector"] for peer in peers if "podSelector" in peer and "namespaceSelector" not in peer
            ]
        for selector in selectors:
            assert any(matches(selector, each) for each in labels), (rendering.name_of(item), selector)
    for item in of_kind(objects, "PodDisruptionBudget"):
        assert any(matches(item["spec"]["selector"], each) for each in labels), rendering.name_of(item)
    for item in of_kind(objects, "Service"):
        assert any(matches({"matchLabels": item["spec"]["selector"]}, each) for each in labels), rendering.name_of(item)
    for pod in pods(objects):
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            assert matches(constraint["labelSelector"], pod.labels), pod


@every_folder
def test_ports_by_name_are_declared(manifests: Renderer, folder: str):
    objects = manifests.objects(folder)
    for item in of_kind(objects, "Service"):
        selected = [pod for pod in pods(objects) if matches({"matchLabels": item["spec"]["selector"]}, pod.labels)]
        for port in item["spec"]["ports"]:
            for pod in selected:
                names = {port["name"] for container in pod.containers for port in container.get("ports", [])}
                assert port["targetPort"] in names, (rendering.name_of(item), str(pod))


@every_overlay
def test_settings_agree_and_reach_their_copies(manifests: Renderer, folder: str):
    objects = manifests.objects(folder)
    settings = find(objects, "ConfigMap", "arena-settings")["data"]
    url = urlsplit(settings["S3_ENDPOINT_URL"])
    assert url.path == ""
    assert settings["S3_USE_HTTPS"] == {"http": "0", "https": "1"}[url.scheme]
    kserve = {
        "serving.kserve.io/s3-endpoint": url.netloc,
        "serving.kserve.io/s3-usehttps": settings["S3_USE_HTTPS"],
        "serving.kserve.io/s3-region": settings["AWS_DEFAULT_REGION"],
    }
    readers = [find(objects, "ServiceAccount", "arena-predictor"), *of_kind(objects, "Secret")]
    for reader in readers:
        if reader["metadata"]["name"] in ("arena-predictor", "arena-s3-predictor"):
            assert reader["metadata"]["annotations"] == kserve, rendering.name_of(reader)
    template = find(objects, "Deployment", "mlflow")["spec"]["template"]["metadata"]["annotations"]
    assert template == {"content-arena/s3": url.netloc, "content-arena/postgresql": settings["PGHOST"]}


def test_the_kind_overlay_fits_one_small_node(manifests: Renderer):
    asked = 0.0
    for pod in pods(manifests.objects("overlays/kind")):
        asked += sum(cpus(container["resources"]["requests"]["cpu"]) for container in pod.spec["containers"])
    assert asked <= 1


def test_production_brings_neither_storage_nor_database(manifests: Renderer):
    names = {item["metadata"]["name"] for item in manifests.objects("overlays/production")}
    assert not names & {"seaweedfs", "s3-buckets", "postgresql"}
    assert find(manifests.objects("overlays/production"), "Deployment", "mlflow")["spec"]["replicas"] > 1


def test_gpus_are_asked_for_as_the_pipelines_ask(manifests: Renderer):
    from content_arena.pipelines.definitions import placement

    gpu = placement.GpuPlacement()
    (pod,) = pods(manifests.objects("overlays/gpu/arena-run"))
    label, value = gpu.node_label
    assert _node_term(pod) == {"key": label, "operator": "In", "values": [value]}
    assert pod.spec["tolerations"] == [{"key": gpu.taint, "operator": "Exists", "effect": "NoSchedule"}]
    for kind in ("requests", "limits"):
        assert pod.spec["containers"][0]["resources"][kind][gpu.resource] == str(gpu.count)
    for platform in pods(manifests.objects("overlays/gpu")):
        assert _node_term(platform) == {"key": label, "operator": "NotIn", "values": [value]}


def _node_term(pod: rendering.Pod) -> dict[str, object]:
    """The one thing that a pod asks of its node."""
    required = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    ((expression,),) = [term["matchExpressions"] for term in required["nodeSelectorTerms"]]
    return expression


@every_overlay
def test_no_overlay_applies_what_belongs_to_the_rollout(manifests: Renderer, folder: str):
    assert not of_kind(manifests.objects(folder), "InferenceService")


def test_job_and_pipelines_create_the_service_that_the_template_describes(manifests: Renderer):
    from content_arena.pipelines.definitions import addresses

    (pod,) = pods(manifests.objects("jobs/arena-run"))
    environment = {entry["name"]: entry.get("value") for entry in pod.containers[0]["env"]}
    namespace, name = addresses.FIRST_SERVICE.split("/")
    assert environment[first_service.SERVICE] == f"$(POD_NAMESPACE)/{name}"
    assert namespace == rendering.NAMESPACE
    find(manifests.objects("overlays/kind"), "ConfigMap", f"{name}-template")


@every_overlay
def test_the_rollout_finds_an_inference_service_it_can_work_with(manifests: Renderer, folder: str):
    (service,) = rendering.services(manifests.objects(folder))
    predictor = service["spec"]["predictor"]
    assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    # A nameless stable variant could not hand its name on; a canary named here would undo a running one.
    assert predictor["name"]
    assert "canary" not in service["spec"]
    assert predictor["minReplicas"] <= predictor["maxReplicas"]
    # Without it no pod starts under Pod Security "restricted".
    find(manifests.objects(folder), "ClusterStorageContainer", predictor["storageContainerName"])
    # What changes at a promotion restarts the promoted pods.
    assert "CONTENT_ARENA_MODEL_ALIAS" not in {entry["name"] for entry in predictor["model"]["env"]}


@every_overlay
def test_the_namespace_enforces_what_the_pods_keep(manifests: Renderer, folder: str):
    labels = find(manifests.objects(folder), "Namespace", rendering.NAMESPACE)["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_a_file_holds_one_kind(path):
    documents = [document for document in yaml.safe_load_all(path.read_text()) if isinstance(document, dict)]
    assert len({document.get("kind") for document in documents}) <= 1 or "monitoring" in path.parts
