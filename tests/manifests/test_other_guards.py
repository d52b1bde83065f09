"""The guards of the first service, of promotions and of approvals, on a real API server."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.manifests.guards import Caller, account, eventually, guards, installed, warnings
from tests.manifests.rendering import OVERLAYS, Object, Renderer, kubectl, services
from tests.manifests.service_fields import CONTAINER, POD, definition, example

GUARDS = ("approval-guard", "first-service-guard", "promotion-guard")
SERVICE, RECORD = "content-filter", "rollout-content-filter"
ONE, TWO, THREE = (f"s3://models/content-filter/{version}/" for version in (1, 2, 3))


@pytest.fixture(scope="module")
def objects(manifests: Renderer, namespace: str) -> Iterator[list[Object]]:
    """Every guard but the rollout's, active in the namespace."""
    admin = Caller(namespace)
    stranger = {"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "annotations": {"content-arena/approve": "2/step-1 by nobody"}}}  # fmt: skip
    with installed(manifests, namespace, GUARDS) as found:
        (service,) = services(found)
        admin.create("inferenceservices", copy.deepcopy(service) | {"metadata": {"name": "probe"}})
        renamed = copy.deepcopy(service)
        renamed["metadata"]["name"] = "other"
        job = Caller(namespace, account(namespace, "arena-run"))
        eventually(lambda: admin.created(stranger, kind="configmaps") != "", "the guard of approvals")
        eventually(lambda: "and no other" in job.created(renamed), "the guard of the first service")
        eventually(lambda: admin.patched("probe", in_place(TWO)) != "", "the guard of promotions")
        admin.delete("inferenceservices", "probe")
        yield found


def test_every_policy_is_tried(manifests: Renderer):
    assert guards(manifests.objects("overlays/production")) == [*GUARDS, "rollout-guard"]


@pytest.mark.parametrize("guard", GUARDS)
def test_the_server_finds_nothing_wrong_with_the_policies(objects: list[Object], namespace: str, guard: str):
    assert warnings(guard, namespace) == ""


# The first service.


@pytest.fixture
def service(objects: list[Object]) -> Object:
    """What promotion makes of the template."""
    (found,) = services(objects)
    return copy.deepcopy(found)


@pytest.fixture
def job(objects: list[Object], namespace: str) -> Caller:
    """The account that creates the first service."""
    return Caller(namespace, account(namespace, "arena-run"))


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_first_service_is_what_the_template_describes(job: Caller, manifests: Renderer, folder: str):
    (found,) = services(manifests.objects(folder))
    assert job.created(found) == ""


def test_the_first_service_of_knative_too(job: Caller, manifests: Renderer, namespace: str):
    text = manifests.in_namespace("base/arena", namespace, "components/knative")
    (found,) = services(list(yaml.safe_load_all(text)))
    assert found["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Knative"}
    assert job.created(found) == ""


#: Fields that the template of an overlay has, or that Knative's autoscaler reads.
TEMPLATE = {
    "predictor": {
        "affinity", "annotations", "automountServiceAccountToken", "containerConcurrency", "enableServiceLinks",
        "labels", "scaleMetric", "scaleMetricType", "scaleTarget", "securityContext", "serviceAccountName",
        "storageContainerName", "terminationGracePeriodSeconds", "timeout", "topologySpreadConstraints",
    },
    "model": {"protocolVersion", "resources"},
}  # fmt: skip
OTHERS = [("predictor", name) for name in (*POD, "canaryTrafficPercent")] + [("model", name) for name in CONTAINER]
OTHERS = [(place, name) for place, name in OTHERS if name not in TEMPLATE[place]]


@pytest.fixture(scope="module")
def fields(cluster: None) -> dict[str, Object]:
    """What the definition of the cluster has at each place of the spec, field by field."""
    return definition()


@pytest.mark.parametrize(("place", "name"), OTHERS)
def test_no_field_beside_the_template(job: Caller, namespace: str, fields: dict[str, Object], service, place, name):
    predictor = service["spec"]["predictor"]
    (predictor if place == "predictor" else predictor["model"])[name] = example(fields[place][name])
    assert Caller(namespace).created(service) == "", "the definition takes it"
    assert "only with the fields" in job.created(service)


@pytest.mark.parametrize("place", TEMPLATE)
def test_every_field_is_either_of_the_template_or_tried_here(fields: dict[str, Object], place: str):
    written = {
        "predictor": {"name", "minReplicas", "maxReplicas", "deploymentStrategy", "model"},
        "model": {"storageUri", "env", "runtime", "modelFormat", "name"},
    }[place]
    assert set(fields[place]) == written | TEMPLATE[place] | {name for at, name in OTHERS if at == place}


SECRET = {"secretKeyRef": {"name": "arena-postgresql", "key": "POSTGRES_PASSWORD"}}
MORE = {"name": "more", "image": "evil"}


TERM = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
NODE = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
HOST = {"topologyKey": "kubernetes.io/hostname"}


def affinity(of: str, how: str, value: object) -> Object:
    return {f"{of}Affinity": {f"{how}DuringSchedulingIgnoredDuringExecution": value}}


def on_nodes(expression: Object) -> Object:
    return affinity("node", "required", {"nodeSelectorTerms": [{"matchExpressions": [expression]}]})


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["model"].update(image="evil"),
        lambda spec: spec["model"].update(command=["sh", "-c", "env"]),
        lambda spec: spec["model"].update(args=["--model_dir=/etc"]),
        lambda spec: spec["model"].update(envFrom=[{"secretRef": {"name": "arena-postgresql"}}]),
        lambda spec: spec["model"].update(volumeMounts=[{"name": "tmp", "mountPath": "/mnt/models"}]),
        lambda spec: spec["model"].update(lifecycle={"postStart": {"exec": {"command": ["env"]}}}),
        lambda spec: spec["model"].update(livenessProbe={"exec": {"command": ["env"]}}),
        lambda spec: spec["model"].update(storage={"key": "other", "path": "1"}),
        lambda spec: spec["model"].update(storageUri="s3://models/content-filter/champion"),
        lambda spec: spec["model"].update(storageUri="s3://other/content-filter/1/"),
        lambda spec: spec["model"].update(storageUri="s3://models/../mlflow/1/"),
        lambda spec: spec["model"].update(runtime="other"),
        lambda spec: spec["model"].pop("runtime"),
        lambda spec: spec["model"]["env"].append({"name": "CONTENT_ARENA_X", "valueFrom": SECRET}),
        lambda spec: spec["model"]["env"].append({"name": "LD_PRELOAD", "value": "/mnt/models/evil.so"}),
        lambda spec: spec.update(serviceAccountName="arena-rollout"),
        lambda spec: spec.pop("serviceAccountName"),
        lambda spec: spec.update(automountServiceAccountToken=True),
        lambda spec: spec.pop("storageContainerName"),
        lambda spec: spec.update(containers=[MORE]),
        lambda spec: spec.update(initContainers=[MORE]),
        lambda spec: spec.update(workerSpec={"containers": [MORE]}),
        lambda spec: spec.update(volumes=[{"name": "a", "secret": {"secretName": "arena-postgresql"}}]),
        lambda spec: spec.update(logger={"mode": "all", "url": "http://evil.example.com"}),
        lambda spec: spec.update(hostNetwork=True),
        lambda spec: spec.update(nodeName="control-plane"),
        lambda spec: spec.update(storageUris=[{"uri": "s3://other/1"}]),
        lambda spec: spec["labels"].update({"app.kubernetes.io/name": "mlflow"}),
        lambda spec: spec["labels"].update({"app.kubernetes.io/component": "stages"}),
        lambda spec: spec["labels"].update({"content-arena/uses-postgresql": "true"}),
        lambda spec: spec.update(annotations={"serving.kserve.io/storageSecretName": "arena-postgresql"}),
        lambda spec: spec["securityContext"].update(supplementalGroups=[0]),
        lambda spec: spec["securityContext"].update(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "0"}]),
        lambda spec: spec["model"].update(resources={"limits": {"nvidia.com/gpu": "1"}}),
        lambda spec: spec["model"].update(resources={"claims": [{"name": "gpu"}]}),
        lambda spec: spec.update(affinity=on_nodes({"key": "nvidia.com/gpu.present", "operator": "Exists"})),
        lambda spec: spec.update(affinity=on_nodes({"key": "a", "operator": "NotIn", "values": ["b"]})),
        lambda spec: spec.update(affinity=affinity("node", "preferred", [{"weight": 1, "preference": TERM}])),
        lambda spec: spec.update(affinity=affinity("node", "required", {"nodeSelectorTerms": [NODE]})),
        lambda spec: spec.update(affinity=affinity("pod", "required", [HOST])),
        lambda spec: spec.update(affinity=affinity("podAnti", "required", [HOST | {"namespaceSelector": {}}])),
    ],
)
def test_who_creates_the_first_service_creates_nothing_else(job: Caller, service: Object, change):
    change(service["spec"]["predictor"])
    assert "this account may create" in job.created(service)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["metadata"].update(name="other"),
        lambda body: body["metadata"]["annotations"].update({"serving.kserve.io/storageSecretName": "a"}),
        lambda body: body["metadata"]["annotations"].update({"internal.serving.kserve.io/localmodel-pvc-name": "a"}),
        lambda body: body["metadata"]["labels"].update({"content-arena/uses-postgresql": "true"}),
        lambda body: body["metadata"].update(finalizers=["example.com/never"]),
        lambda body: body["spec"].update(transformer={"containers": [MORE]}),
        lambda body: body["spec"].update(canary=[{"trafficPercent": 0, "predictor": {"name": "v2"}}]),
    ],
)
def test_nor_anything_around_it(job: Caller, service: Object, change):
    change(service)
    assert "this account may create" in job.created(service)


def test_what_the_webhook_of_kserve_adds_is_taken(job: Caller, service: Object):
    service["metadata"]["annotations"]["modelFormat"] = "content-arena"
    service["spec"]["predictor"]["model"] |= {"name": "", "resources": {}}
    assert job.created(service) == ""


def test_resources_of_your_own_are_taken(job: Caller, service: Object):
    service["spec"]["predictor"]["model"]["resources"] = {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}
    assert job.created(service) == ""


def test_labels_of_your_own_are_taken(job: Caller, service: Object):
    service["metadata"]["labels"]["example.com/team"] = "safety"
    service["spec"]["predictor"]["labels"]["team"] = "safety"
    assert job.created(service) == ""


def test_the_first_service_is_created_once(job: Caller, namespace: str, service: Object):
    assert job.created(service, dry_run=False) == ""
    assert "already exists" in job.created(service)
    Caller(namespace).delete("inferenceservices", SERVICE)


# Promotions.


@pytest.fixture
def serving(objects: list[Object], namespace: str, service: Object) -> Iterator[Callable[[str, Object], Caller]]:
    """Has version 1 serve in a mode, with a status; returns the administrator, who is bound by this guard too."""
    admin = Caller(namespace)

    def serve(mode: str, status: Object | None = None) -> Caller:
        service["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": mode}
        admin.create("inferenceservices", service)
        admin.merge("inferenceservices", SERVICE, {"status": {"deploymentMode": mode} | (status or {})}, part="status")
        return admin

    yield serve
    admin.delete("inferenceservices", SERVICE)


def in_place(uri: str, **predictor: object) -> Object:
    return {"spec": {"predictor": {"model": {"storageUri": uri}} | predictor}}


def canary(percent: int, uri: str = TWO, **model: object) -> Object:
    own = {"name": "kserve-container", "modelFormat": {"name": "content-arena"}, "storageUri": uri} | model
    return {"spec": {"canary": [{"trafficPercent": percent, "predictor": {"name": "v2", "model": own}}]}}


def ready(percent: int, is_ready: bool = True, name: str = "v2") -> Object:
    """The status of a service with a canary."""
    return {"canaryStatuses": [{"name": name, "ready": is_ready, "trafficPercent": percent}]}


PROMOTION = {"spec": {"predictor": {"name": "v2", "model": {"storageUri": TWO}}, "canary": None}}


def enters(admin: Caller, entry: Object, status: Object) -> None:
    """Has a canary in the spec, and then what KServe makes of it in the status."""
    assert admin.patched(SERVICE, entry, dry_run=False) == ""
    admin.merge("inferenceservices", SERVICE, {"status": {"canaryStatuses": None} | status}, part="status")


def test_a_canary_with_all_traffic_that_is_ready_takes_over(serving):
    admin = serving("Standard")
    assert "without having run as a canary" in admin.patched(SERVICE, PROMOTION)
    enters(admin, canary(100), ready(100))
    assert admin.patched(SERVICE, PROMOTION, dry_run=False) == ""
    assert admin.patched(SERVICE, {"spec": {"predictor": {"minReplicas": 2}}}) == ""
    # What an old manifest applied again would do.
    assert f"would change from {TWO} to {ONE}" in admin.patched(SERVICE, in_place(ONE, name="v1"))


@pytest.mark.parametrize(
    ("entry", "status", "promotion"),
    [
        (canary(0), ready(0), PROMOTION),
        (canary(50), ready(50), PROMOTION),
        (canary(100), {}, PROMOTION),
        (canary(100), ready(50), PROMOTION),
        (canary(100), ready(100, is_ready=False), PROMOTION),
        (canary(100), ready(100, name="v3"), PROMOTION),
        (canary(100), ready(100), in_place(THREE, name="v2")),
        (canary(100), ready(100), in_place(TWO, name="v3")),
        (canary(100), ready(100), in_place(TWO)),
        (canary(100), ready(100), {"spec": {"predictor": {"name": "v2"}}}),
        (canary(100, runtime="next"), ready(100), PROMOTION),
        # The field of the other mode, which KServe does not read here.
        (canary(0), ready(0), in_place(TWO, canaryTrafficPercent=0)),
        (canary(0), ready(0), in_place(TWO, canaryTrafficPercent=100)),
    ],
)  # fmt: skip
def test_anything_less_does_not_take_over_in_standard_mode(serving, entry, status, promotion):
    admin = serving("Standard")
    enters(admin, entry, status)
    assert "without having run as a canary" in admin.patched(SERVICE, promotion)


def bundle(digit: str, version: str = "2") -> list[Object]:
    """The variables that say which bundle it is, and one that does not."""
    return [
        {"name": "CONTENT_ARENA_LOG_LEVEL", "value": "debug"},
        {"name": "CONTENT_ARENA_MODEL_VERSION", "value": version},
        {"name": "CONTENT_ARENA_EXPECTED_SHA256", "value": digit * 64},
    ]


def test_the_bundle_that_was_a_canary_takes_over_and_no_other_at_its_address(serving):
    admin = serving("Standard")
    enters(admin, canary(100, env=bundle("a")), ready(100))
    for env in (bundle("b"), bundle("a", "3"), bundle("a")[:2], []):
        other = in_place(TWO, name="v2")
        other["spec"]["predictor"]["model"]["env"] = env
        assert "without having run as a canary" in admin.patched(SERVICE, other)
    promotion = in_place(TWO, name="v2")
    promotion["spec"]["predictor"]["model"]["env"] = bundle("a")[1:]
    assert admin.patched(SERVICE, promotion) == ""


def test_a_canary_keeps_its_model_as_long_as_it_has_its_name(serving):
    admin = serving("Standard")
    enters(admin, canary(100, env=bundle("a")), ready(100))
    assert "keeps its model" in admin.patched(SERVICE, canary(100, THREE, env=bundle("a")))
    assert "keeps its model" in admin.patched(SERVICE, canary(0, runtime="next", env=bundle("a")))
    assert "keeps its model" in admin.patched(SERVICE, canary(0, env=bundle("b")))
    assert admin.patched(SERVICE, canary(50, env=bundle("a")[1:])) == "", "another variable says nothing of the bundle"
    assert admin.patched(SERVICE, {"spec": {"canary": None}}) == ""


def test_a_canary_is_not_replaced_under_its_name_before_kserve_has_looked(serving):
    """The status would go on saying that the one before is ready."""
    admin = serving("Standard")
    enters(admin, canary(100), ready(100))
    assert admin.patched(SERVICE, {"spec": {"canary": None}}, dry_run=False) == ""
    assert "once KServe no longer lists that one" in admin.patched(SERVICE, canary(100, THREE))
    assert "once KServe no longer lists that one" in admin.patched(SERVICE, canary(0))
    enters(admin, {"spec": {"canary": None}}, {})
    enters(admin, canary(100, THREE), {})
    promotion = in_place(THREE, name="v2")
    assert "without having run as a canary" in admin.patched(SERVICE, promotion)
    admin.merge("inferenceservices", SERVICE, {"status": ready(100)}, part="status")
    assert admin.patched(SERVICE, promotion | {"spec": promotion["spec"] | {"canary": None}}) == ""


def test_nor_under_a_name_that_another_entry_leaves(serving):
    admin = serving("Standard")
    enters(admin, canary(100), ready(100))
    renamed = canary(100, THREE)
    other = copy.deepcopy(renamed["spec"]["canary"][0])
    other["predictor"]["name"] = "v3"
    renamed["spec"]["canary"].append(other)
    assert "keeps its model" in admin.patched(SERVICE, renamed)
    assert admin.patched(SERVICE, {"spec": {"canary": [other]}}, dry_run=False) == ""
    assert "once KServe no longer lists that one" in admin.patched(SERVICE, canary(100, THREE))


def test_another_runtime_takes_over_with_its_canary(serving):
    admin = serving("Standard")
    enters(admin, canary(100, runtime="next"), ready(100))
    promotion = copy.deepcopy(PROMOTION)
    promotion["spec"]["predictor"]["model"]["runtime"] = "next"
    assert admin.patched(SERVICE, promotion) == ""
    alone = {"spec": {"predictor": {"model": {"runtime": "next"}}}}
    assert "without having run as a canary" in admin.patched(SERVICE, alone)


def revisions(created: str, ready_one: str, percent: int = 100) -> Object:
    """The status of a service in Knative mode."""
    traffic = [{"revisionName": ready_one, "percent": percent}]
    return {"components": {"predictor": {
        "latestCreatedRevision": created, "latestReadyRevision": ready_one, "traffic": traffic}}}  # fmt: skip


@pytest.mark.parametrize("mode", ["Knative", "Serverless"])
def test_a_model_enters_without_users_in_knative_mode(serving, mode: str):
    admin = serving(mode, revisions("00001", "00001"))
    for percent in (None, 10, 100):
        assert "enters with canaryTrafficPercent 0" in admin.patched(
            SERVICE, in_place(TWO, canaryTrafficPercent=percent)
        )
    assert admin.patched(SERVICE, in_place(TWO, canaryTrafficPercent=0), dry_run=False) == ""
    assert admin.patched(SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": 10}}}) == ""
    assert admin.patched(SERVICE, in_place(ONE, canaryTrafficPercent=0)) == "", "it is withdrawn"


@pytest.mark.parametrize(
    ("percent", "status", "is_taken"),
    [
        (100, revisions("00002", "00002"), True),
        (100, revisions("00002", "00001"), False),
        (100, revisions("00002", "00002", 50), False),
        (100, {}, False),
        (50, revisions("00002", "00002", 50), False),
        # The end of a rollback: the last revision has the model that served before.
        (0, revisions("00003", "00003", 0), True),
        (0, revisions("00003", "00002", 0), False),
    ],
)
def test_the_latest_takes_over_ready_and_with_all_traffic_in_knative_mode(serving, percent, status, is_taken):
    admin = serving("Knative", revisions("00001", "00001"))
    assert admin.patched(SERVICE, in_place(TWO, canaryTrafficPercent=0), dry_run=False) == ""
    admin.merge("inferenceservices", SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": percent}}})
    admin.merge("inferenceservices", SERVICE, {"status": {"components": None}}, part="status")
    admin.merge("inferenceservices", SERVICE, {"status": status}, part="status")
    cleared = admin.patched(SERVICE, {"spec": {"predictor": {"canaryTrafficPercent": None}}})
    assert ("once the latest revision is ready" not in cleared) == is_taken
    assert (cleared == "") == is_taken


def test_no_other_mode_has_canaries(serving):
    admin = serving("ModelMesh")
    enters(admin, canary(100), ready(100))
    assert "without having run as a canary" in admin.patched(SERVICE, PROMOTION)


# Approvals.


@pytest.fixture(scope="module")
def people(objects: list[Object], namespace: str) -> None:
    """Two people who may write ConfigMaps here."""
    where = (f"--namespace={namespace}", "--dry-run=client", "--output=yaml")
    role = kubectl("create", "role", "people", "--verb=get,patch,create", "--resource=configmaps", *where)
    users = ("--user=alice@example.com", "--user=bob")
    binding = kubectl("create", "rolebinding", "people", "--role=people", *users, *where)
    kubectl("apply", "--filename=-", given=f"{role}---\n{binding}")
    body = {"metadata": {"name": "bobs"}}
    eventually(lambda: Caller(namespace, "bob").created(body, kind="configmaps") == "", "people may write")


@pytest.fixture
def record(people: None, namespace: str) -> Iterator[Callable[[str | None], Caller]]:
    """The record of a rollout, as a user sees it; the administrator if None."""
    admin = Caller(namespace)
    admin.create("configmaps", {"metadata": {"name": RECORD}, "data": {"state": "{}"}})
    yield lambda user: Caller(namespace, user)
    admin.delete("configmaps", RECORD)


def asks(**requests: str | None) -> Object:
    return {"metadata": {"annotations": {f"content-arena/{name}": text for name, text in requests.items()}}}


@pytest.mark.parametrize(
    "text",
    ["2/step-25 by bob", "2/step-25", "2/step-25 by", "2/step-25 by bob by alice@example.com",
     "2/step-25 by alice@example.com ", "2/step-25 by  alice@example.com", "2 by alice@example.com", "yes"],
)  # fmt: skip
def test_an_approval_in_another_name_is_refused(record, text: str):
    answer = record("alice@example.com").patched(RECORD, asks(approve=text), kind="configmaps")
    assert "VERSION/GATE by alice@example.com" in answer


def test_an_approval_in_the_own_name_is_taken_and_stays(record, namespace: str):
    alice, bob, rollout = record("alice@example.com"), record("bob"), record(account(namespace, "arena-rollout"))
    own = asks(approve="2/step-25 by alice@example.com")
    assert alice.patched(RECORD, own, kind="configmaps", dry_run=False) == ""
    assert bob.patched(RECORD, {"data": {"state": "{2}"}}, kind="configmaps") == "", "it is not bob's"
    assert "by bob" in bob.patched(RECORD, asks(approve="2/step-50 by alice@example.com"), kind="configmaps")
    assert "arena-rollout" in rollout.patched(RECORD, asks(approve="2/step-50 by alice@example.com"), kind="configmaps")
    assert rollout.patched(RECORD, asks(approve=None), kind="configmaps", dry_run=False) == "", "it is used"


def test_an_approval_does_not_come_with_a_new_record_either(record):
    body = {"metadata": {"name": "rollout-other"} | asks(approve="2/step-25 by bob")["metadata"]}
    assert "by alice@example.com" in record("alice@example.com").created(body, kind="configmaps")
    assert record("bob").created(body, kind="configmaps") == ""


def test_an_abort_is_taken_from_everybody(record):
    assert record("bob").patched(RECORD, asks(abort="2 by whoever: complaints"), kind="configmaps") == ""


def test_a_service_account_and_an_administrator_approve_in_their_own_names(record, namespace: str):
    name = account(namespace, "arena-rollout")
    assert record(name).patched(RECORD, asks(approve=f"2/step-25 by {name}"), kind="configmaps") == ""
    assert "has to name who writes it" in record(None).patched(
        RECORD, asks(approve="2/step-1 by me"), kind="configmaps"
    )
