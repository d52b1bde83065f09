"""The client against a real API server if there is one, and against a simulated one."""

import inspect
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from content_arena.components.canary_rollout.kube.client import (
    FIELD_MANAGER,
    AwayError,
    ClusterError,
    ConflictError,
    RolloutClient,
)
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, TrafficError
from content_arena.components.canary_rollout.traffic.mover import Mover, fingerprint
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.stand_in import standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer
from tests.components.canary_rollout.stand_in.served import NAMESPACE, Served
from tests.manifests.rendering import kubectl


def created(body):
    kubectl("create", "--filename=-", given=yaml.safe_dump(body))


@pytest.fixture
def cluster(namespace):
    """A cluster with a service ``filter``, created for each test."""
    body = standard_world.service() | {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    body["metadata"] |= {"namespace": namespace}
    created(body)
    yield KubernetesClient(namespace)
    kubectl("delete", "inferenceservice", "filter", f"--namespace={namespace}")


def version(service):
    return service["metadata"]["resourceVersion"]


def test_a_patch_is_merged_and_the_result_returned(cluster):
    before = cluster.service("filter")
    after = cluster.patch_service("filter", {"spec": {"predictor": {"minReplicas": 3}}}, version(before))
    assert after["spec"]["predictor"]["minReplicas"] == 3
    assert cluster.service("filter") == after
    gone = cluster.patch_service("filter", {"spec": {"predictor": {"minReplicas": None}}}, version(after))
    assert "minReplicas" not in gone["spec"]["predictor"]


def test_a_dry_run_changes_nothing(cluster):
    before = cluster.service("filter")
    would = cluster.patch_service("filter", {"spec": {"predictor": {"minReplicas": 3}}}, version(before), dry_run=True)
    assert would["spec"]["predictor"]["minReplicas"] == 3
    assert cluster.service("filter") == before


def test_a_write_in_between_is_a_conflict(cluster):
    before = cluster.service("filter")
    cluster.patch_service("filter", {"metadata": {"annotations": {"written-by": "another"}}}, version(before))
    with pytest.raises(ConflictError, match="has been modified"):
        cluster.patch_service("filter", {"spec": {"predictor": {"minReplicas": 3}}}, version(before))


def test_a_refusal_has_the_servers_message(cluster):
    body = {"spec": {"canary": [{"trafficPercent": 101, "predictor": {}}]}}
    with pytest.raises(ClusterError, match="should be less than or equal to 100") as refused:
        cluster.patch_service("filter", body, version(cluster.service("filter")))
    assert not isinstance(refused.value, AwayError | ConflictError)


def test_a_config_map_is_created_once_and_patched_as_it_was_read(cluster):
    assert cluster.config_map("rollout-filter") is None
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rollout-filter"}, "data": {"state": "{}"}}
    made = cluster.create_config_map(body)
    assert cluster.config_map("rollout-filter") == made
    with pytest.raises(ConflictError, match="already exists"):
        cluster.create_config_map(body)
    patch = {"metadata": {"annotations": {"content-arena/approve": "2/step-25"}}, "data": {"state": "{1}"}}
    after = cluster.patch_config_map("rollout-filter", patch, version(made))
    assert (after["data"], after["metadata"]["annotations"]) == (patch["data"], patch["metadata"]["annotations"])
    with pytest.raises(ConflictError, match="has been modified"):
        cluster.patch_config_map("rollout-filter", patch, version(made))
    gone = cluster.patch_config_map(
        "rollout-filter", {"metadata": {"annotations": {"content-arena/approve": None}}}, version(after)
    )
    assert "annotations" not in gone["metadata"]
    kubectl("delete", "configmap", "rollout-filter", f"--namespace={cluster.namespace}")


def test_a_field_that_kserve_does_not_know_is_refused(cluster):
    before = cluster.service("filter")
    with pytest.raises(ClusterError, match="unknown field"):
        cluster.patch_service("filter", {"spec": {"predictor": {"minReplica": 3}}}, version(before), dry_run=True)


def test_missing_objects(cluster):
    with pytest.raises(InputError, match="no InferenceService other"):
        cluster.service("other")
    assert cluster.route("filter") is None
    assert cluster.ready_pods("filter") == {}
    assert cluster.pods("app=isvc.filter-v2-predictor") == []
    assert cluster.previous_logs("none", "none") == ""
    assert cluster.serving_runtimes() == []


def kubeconfig(tmp_path, change):
    """A copy of the cluster's kubeconfig, with its user or its server changed."""
    settings = json.loads(kubectl("config", "view", "--raw", "--minify", "--output=json"))
    change(settings)
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(settings))
    return path


def test_a_missing_permission_is_named_with_the_account(cluster, tmp_path, monkeypatch):
    namespace = cluster.namespace
    kubectl("create", "serviceaccount", "powerless", f"--namespace={namespace}")
    token = kubectl("create", "token", "powerless", f"--namespace={namespace}").strip()
    path = kubeconfig(tmp_path, lambda settings: settings["users"][0].update(user={"token": token}))
    load_from(monkeypatch, path)
    with pytest.raises(ClusterError, match=r"serviceaccount:.*:powerless.*cannot get resource"):
        KubernetesClient(namespace).service("filter")


def load_from(monkeypatch, path):
    """Makes the client read this kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(path))


def test_an_unreachable_server_is_away(namespace, tmp_path, monkeypatch):
    path = kubeconfig(
        tmp_path, lambda settings: settings["clusters"][0]["cluster"].update(server="https://127.0.0.1:1")
    )
    load_from(monkeypatch, path)
    with pytest.raises(AwayError, match="does not answer"):
        KubernetesClient(namespace).service("filter")


def pointing_at(tmp_path, server):
    settings = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(settings))
    return path


def test_a_server_that_hangs_up_is_away(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        load_from(monkeypatch, pointing_at(tmp_path, f"https://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(AwayError, match="does not answer"):
            KubernetesClient("default").service("filter")
        thread.join()


def test_a_truncated_answer_counts_as_away(tmp_path, monkeypatch):
    class Torn(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"metadata": {"na')

        def log_message(self, *what):
            pass

    with HTTPServer(("127.0.0.1", 0), Torn) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        load_from(monkeypatch, pointing_at(tmp_path, f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(AwayError, match="broke off its answer"):
            KubernetesClient("default").service("filter")
        thread.join()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A simulated API server, and a client of it."""
    world = standard_world.StandardWorld(standard_world.service())
    # The clock stands still, so that two reads give the same.
    world.tick = lambda seconds=1: None
    with Served(ApiServer(world), tmp_path) as server:
        load_from(monkeypatch, server.kubeconfig)
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield server, KubernetesClient(NAMESPACE)


def test_every_client_has_the_same_methods():
    methods = [name for name in vars(RolloutClient) if not name.startswith("_")]
    assert len(methods) == 16
    for client in (KubernetesClient, ApiServer):
        for name in methods:
            assert inspect.signature(getattr(client, name)) == inspect.signature(getattr(RolloutClient, name)), name


def test_autoscalers_of_the_service_are_listed_and_deleted(served):
    server, client = served
    assert client.autoscalers("filter") == {"filter-v1-predictor": "filter-v1-predictor"}
    assert client.autoscalers("another") == {}, "another service's in the same namespace"
    client.delete_autoscaler("filter-v1-predictor")
    assert server.api.world.hpas == set()
    client.delete_autoscaler("filter-v1-predictor")


def test_runtimes_are_listed_in_the_namespace_and_in_the_cluster(served):
    server, client = served
    for of_cluster in (False, True):
        assert (
            client.serving_runtimes(of_cluster=of_cluster) == server.api.serving_runtimes(of_cluster=of_cluster) != []
        )


def test_a_patch_is_a_merge_patch_that_names_its_writer(served):
    server, client = served
    body = {"spec": {"predictor": {"minReplicas": None, "timeout": 7}}}
    after = client.patch_service("filter", body, version(client.service("filter")))
    assert (after["spec"]["predictor"]["timeout"], after["spec"]["predictor"].get("minReplicas")) == (7, None)
    assert client.service("filter") == after
    headers, query = server.patches[-1]
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert query == {"fieldManager": [FIELD_MANAGER], "fieldValidation": ["Strict"]}


def test_a_dry_run_of_a_patch_stores_nothing(served):
    server, client = served
    before = client.service("filter")
    would = client.patch_service("filter", {"spec": {"predictor": {"minReplicas": 3}}}, version(before), dry_run=True)
    assert would["spec"]["predictor"]["minReplicas"] == 3
    assert client.service("filter") == before
    assert server.patches[-1][1]["dryRun"] == ["All"]


def test_a_patch_of_what_changed_meanwhile_is_a_conflict(served):
    server, client = served
    before = client.service("filter")
    server.api.world.stored.patch({"status": {"url": "http://changed"}})
    with pytest.raises(ConflictError, match="has been modified"):
        client.patch_service("filter", {"spec": {"predictor": {"minReplicas": 3}}}, version(before))


def test_every_request_is_answered_as_the_stand_in_answers(served):
    server, client = served
    assert client.service("filter") == server.api.service("filter")
    assert client.route("filter") == server.api.route("filter")
    assert client.ready_pods("filter") == server.api.ready_pods("filter")
    assert client.pods("app=a") == []
    assert client.previous_logs("pod", "kserve-container") == server.api.previous_logs("pod", "kserve-container")
    assert client.lease("rollout-filter") is None
    lease = client.write_lease({"metadata": {"name": "rollout-filter"}, "spec": {"holderIdentity": "a"}})
    assert client.write_lease(lease | {"spec": {}})["metadata"]["resourceVersion"] == "2"
    with pytest.raises(ConflictError):
        client.write_lease(lease)
    client.create_event({"note": "a test"})
    assert server.api.events == [{"note": "a test"}]
    assert client.config_map("rollout-filter") is None
    made = client.create_config_map({"metadata": {"name": "rollout-filter"}, "data": {"state": "{}"}})
    assert made == client.config_map("rollout-filter") == server.api.config_map("rollout-filter")
    with pytest.raises(ConflictError):
        client.create_config_map({"metadata": {"name": "rollout-filter"}})
    after = client.patch_config_map("rollout-filter", {"data": {"state": None, "other": "a"}}, version(made))
    assert after["data"] == {"other": "a"}
    with pytest.raises(ConflictError):
        client.patch_config_map("rollout-filter", {"data": {"state": "{}"}}, version(made))
    with pytest.raises(InputError, match="namespace arena has no InferenceService other"):
        client.service("other")


def test_the_error_depends_on_the_status(served):
    server, client = served
    server.forbidden.add("inferenceservices")
    with pytest.raises(ClusterError, match=r"^GET arena/inferenceservices/filter: .*cannot get resource") as refused:
        client.service("filter")
    assert not isinstance(refused.value, AwayError | ConflictError)
    server.forbidden.clear()
    server.api.away_until = server.api.world.now + 1
    with pytest.raises(AwayError, match="does not answer"):
        client.service("filter")


def test_a_missing_configuration_names_the_variable(tmp_path, monkeypatch):
    load_from(monkeypatch, tmp_path / "none")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match="KUBECONFIG"):
        KubernetesClient("default")


# Moves, as far as they go without a controller.


def accepted(namespace):
    """Sets the route's status as a gateway that accepts it."""
    condition = {
        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    parents = [{"parentRef": {"name": "gateway"}, "controllerName": "test/gateway", "conditions": [condition]}]
    kubectl("patch", "httproute", "filter", f"--namespace={namespace}", "--subresource=status", "--type=merge",
            f"--patch={json.dumps({'status': {'parents': parents}})}")  # fmt: skip


def route(namespace):
    refs = [{"name": "filter-v1-predictor", "port": 80, "weight": 100}]
    metadata = {"name": "filter", "namespace": namespace}
    spec = {"rules": [{"backendRefs": refs}]}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def test_a_service_without_a_route_is_refused(cluster):
    mover = Mover(cluster, "filter")
    with pytest.raises(TrafficError, match="enableGatewayApi"):
        mover.mode.stable(mover.read())


def test_a_move_announces_the_spec_that_it_writes_and_every_patch_is_valid(cluster):
    """The first patches of a rollout, validated by the server; stable's pods are given as ready."""
    created(route(cluster.namespace))
    mover = Mover(cluster, "filter")
    with pytest.raises(TrafficError, match="accepted"):
        mover.mode.stable(mover.read())
    accepted(cluster.namespace)
    stable = mover.mode.stable(mover.read())
    two = Challenger("2", "s3://models/content-filter/2")
    announced = []
    step = mover.step(mover.read(), Goal(Aim.STAGED), stable, two, announced.append)
    assert "stable" in step.why
    assert [made.fingerprint for made in announced] == [fingerprint(cluster.service("filter"))]
    view = mover.read()
    ready = type(view)(view.service, view.route, {"filter-v1-predictor": 9}, True)
    mover.step(ready, Goal(Aim.STAGED), stable, two)
    canary = cluster.service("filter")["spec"]["canary"]
    assert [(entry["trafficPercent"], entry["predictor"]["name"]) for entry in canary] == [(0, "v2")]
