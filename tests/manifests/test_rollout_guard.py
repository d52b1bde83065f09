"""What an account that rolls out may write to an InferenceService: what a rollout writes, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.manifests.guards import Caller, account, eventually, installed, warnings, with_names
from tests.manifests.rendering import Object, Renderer, kubectl, services
from tests.manifests.service_fields import CONTAINER, POD, definition, example

SERVICE = "content-filter"
VERSION, SHA256 = "CONTENT_ARENA_MODEL_VERSION", "CONTENT_ARENA_EXPECTED_SHA256"
TWO = "s3://models/content-filter/2/"
GUARD = "a rollout"

#: Fields that a rollout writes, by the place of the spec.
WRITTEN = {
    "predictor": {
        "name", "minReplicas", "maxReplicas", "deploymentStrategy", "canaryTrafficPercent", "model",
    },
    "canary.predictor": {"name", "minReplicas", "deploymentStrategy", "model"},
    "model": {"storageUri", "env", "runtime"},
    # modelFormat only as it is, and resources only empty, as KServe's webhook adds them.
    "canary.model": {"storageUri", "env", "runtime", "name", "modelFormat", "resources"},
}  # fmt: skip
FORBIDDEN = {
    "predictor": POD,
    "canary.predictor": (*POD, "canaryTrafficPercent", "ephemeralContainers", "maxReplicas"),
    "model": (*CONTAINER, "modelFormat", "name"),
    "canary.model": tuple(name for name in CONTAINER if name != "resources"),
}
FIELDS = [(place, name) for place, names in FORBIDDEN.items() for name in names]


@pytest.fixture(scope="module")
def world(manifests: Renderer, namespace: str) -> Iterator[tuple[Caller, Caller]]:
    """A service behind the rollout's guard; yields the administrator and the account that rolls out."""
    admin, rollout = Caller(namespace), Caller(namespace, account(namespace, "arena-rollout"))
    with installed(manifests, namespace, ("rollout-guard",)) as objects:
        (service,) = services(objects)
        service["metadata"]["namespace"] = namespace
        admin.create("inferenceservices", service)
        eventually(lambda: GUARD in rollout.patched(SERVICE, exploit()), "the guard is active")
        yield admin, rollout


@pytest.fixture
def admin(world: tuple[Caller, Caller]) -> Caller:
    return world[0]


@pytest.fixture
def rollout(world: tuple[Caller, Caller]) -> Caller:
    return world[1]


def canary(percent: int = 0, **model: object) -> Object:
    """The patch by which a challenger enters, with more or other fields of its model."""
    env = [{"name": VERSION, "value": "2"}]
    own = {"name": "kserve-container", "modelFormat": {"name": "content-arena", "version": "1"}, "storageUri": TWO}
    predictor = {"name": "v2", "minReplicas": 1, "model": own | {"env": env} | model}
    return {"spec": {"canary": [{"trafficPercent": percent, "predictor": predictor}]}}


def exploit() -> Object:
    """Prints the password of PostgreSQL into a log that this account may read."""
    secret = {"secretKeyRef": {"name": "arena-postgresql", "key": "POSTGRES_PASSWORD"}}
    env = [{"name": VERSION, "value": "2"}, {"name": "PASSWORD", "valueFrom": secret}]
    return canary(0, env=env, command=["sh", "-c", "env"])


@pytest.fixture(scope="module")
def schemas(cluster: None) -> dict[str, Object]:
    """What the definition of the cluster has at each place of the spec, field by field."""
    return definition()


def changed(service: Object, place: str, name: str, value: object) -> Object:
    """A patch that sets one field, or takes it away where the service has it."""
    if place == "canary.model":
        return canary(**{name: value})
    if place == "canary.predictor":
        body = canary()
        body["spec"]["canary"][0]["predictor"][name] = value
        return body
    predictor = service["spec"]["predictor"]
    if name == "modelFormat":
        value = {"version": "9"}
    elif name in (predictor if place == "predictor" else predictor["model"]):
        value = None
    return {"spec": {"predictor": {name: value} if place == "predictor" else {"model": {name: value}}}}


def test_every_field_is_either_written_by_a_rollout_or_tried_here(schemas: dict[str, Object]):
    for place, known in schemas.items():
        assert set(known) == WRITTEN[place] | set(FORBIDDEN[place]), place


@pytest.mark.parametrize(("place", "name"), FIELDS)
def test_no_other_field_can_be_written(admin: Caller, rollout: Caller, schemas: dict[str, Object], place, name):
    body = changed(admin.get("inferenceservices", SERVICE), place, name, example(schemas[place][name]))
    assert admin.patched(SERVICE, body) == "", "the definition takes it"
    assert GUARD in rollout.patched(SERVICE, body)


def test_the_server_finds_nothing_wrong_with_the_policy(world: object, namespace: str):
    assert warnings("rollout-guard", namespace) == ""


def test_the_exploit_is_refused(rollout: Caller):
    """A canary without users that prints the password of PostgreSQL."""
    assert GUARD in rollout.patched(SERVICE, exploit())
    assert GUARD in rollout.patched(SERVICE, canary(command=["sh", "-c", "env"]))


SECRET = {"secretKeyRef": {"name": "arena-postgresql", "key": "POSTGRES_PASSWORD"}}


@pytest.mark.parametrize(
    "env",
    [
        [{"name": VERSION, "value": "2"}, {"name": "PASSWORD", "valueFrom": SECRET}],
        [{"name": VERSION, "valueFrom": SECRET}],
        [{"name": VERSION, "valueFrom": {"configMapKeyRef": {"name": "arena-settings", "key": "PGHOST"}}}],
        [{"name": VERSION, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        [{"name": VERSION, "value": "2"}, {"name": "LD_PRELOAD", "value": "/mnt/models/evil.so"}],
        [{"name": VERSION, "value": "two"}],
        [{"name": VERSION}],
        [{"name": VERSION, "value": "2"}, {"name": SHA256, "value": "any"}],
        [{"name": VERSION, "value": "2"}, {"name": SHA256, "valueFrom": SECRET}],
    ],
)
@pytest.mark.parametrize("place", ["canary", "stable"])
def test_a_variable_is_the_version_as_a_number_or_the_digest(rollout: Caller, place: str, env: list[Object]):
    body = canary(env=env) if place == "canary" else {"spec": {"predictor": {"model": {"env": env}}}}
    assert "CONTENT_ARENA_MODEL_VERSION to a number" in rollout.patched(SERVICE, body)


def test_the_digest_of_another_bundle_is_taken(rollout: Caller):
    for value in ("a" * 64, "0123456789abcdef" * 4):
        env = [{"name": VERSION, "value": "2"}, {"name": SHA256, "value": value}]
        assert rollout.patched(SERVICE, canary(env=env)) == ""


@pytest.mark.parametrize(
    "uri",
    [
        "s3://other/content-filter/2/", "s3://models-evil/2/", "s3://models/../mlflow/2/", "s3://models/./2/",
        "s3://models//2/", "s3://models/", "https://evil.example.com/2/", "pvc://data-postgresql-0/2/", "hf://owner/2",
        "s3://models/2/?endpoint=evil", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["canary", "stable"])
def test_a_model_lies_below_the_models_bucket(rollout: Caller, place: str, uri: str):
    body = canary(storageUri=uri) if place == "canary" else {"spec": {"predictor": {"model": {"storageUri": uri}}}}
    assert "below s3://models/ and to no other" in rollout.patched(SERVICE, body)


def test_what_the_webhook_of_kserve_adds_is_taken(rollout: Caller):
    assert rollout.patched(SERVICE, canary(resources={})) == ""
    assert GUARD in rollout.patched(SERVICE, canary(resources={"limits": {"nvidia.com/gpu": "1"}}))


def test_a_runtime_is_one_of_the_list(rollout: Caller, relisted: Callable[[str], None]):
    of_stable = {"spec": {"predictor": {"model": {"runtime": "next"}}}}
    serving = rollout.get("inferenceservices", SERVICE)["spec"]["predictor"]["model"]["runtime"]
    relisted(serving)
    refused = canary(runtime="kserve-huggingface")
    eventually(lambda: f"runtime to {serving} and to no other" in rollout.patched(SERVICE, refused), "one is listed")
    assert rollout.patched(SERVICE, canary(runtime=serving)) == ""
    assert "and to no other" in rollout.patched(SERVICE, of_stable)
    relisted(f"{serving} next")
    eventually(lambda: rollout.patched(SERVICE, canary(runtime="next")) == "", "the list is longer")
    assert rollout.patched(SERVICE, of_stable) == ""
    assert f"{serving} or next" in rollout.patched(SERVICE, canary(runtime="other"))
    # It is a takeover of what serves already: the runtime that serves may stay although the list has it no more.
    relisted("next")
    eventually(lambda: rollout.patched(SERVICE, canary(runtime="other")).endswith("to next and to no other"), "shorter")
    assert rollout.patched(SERVICE, canary(runtime=serving)) == ""


@pytest.fixture
def relisted(namespace: str) -> Iterator[Callable[[str], None]]:
    """Gives the guard another list of runtimes, as cluster.env does."""
    name = f"rollout-guard-{namespace}"
    policy = json.loads(kubectl("get", "validatingadmissionpolicy", name, "--output=json"))
    (index,) = [i for i, variable in enumerate(policy["spec"]["variables"]) if variable["name"] == "runtimes"]
    path = f"/spec/variables/{index}/expression"
    before = policy["spec"]["variables"][index]["expression"]

    def put(expression: str) -> None:
        change = json.dumps([{"op": "replace", "path": path, "value": expression}])
        kubectl("patch", "validatingadmissionpolicy", name, "--type=json", f"--patch={change}")

    yield lambda names: put(with_names(before, names))
    put(before)


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"annotations": {"serving.kserve.io/storageSecretName": "arena-postgresql"}}},
        {"metadata": {"annotations": {"internal.serving.kserve.io/localmodel-pvc-name": "data-postgresql-0"}}},
        {"metadata": {"annotations": {"serving.kserve.io/deploymentMode": "Knative"}}},
        {"metadata": {"annotations": {"serving.kserve.io/deploymentMode": None}}},
        {"metadata": {"labels": {"app.kubernetes.io/name": "mlflow"}}},
        {"metadata": {"labels": {"content-arena/uses-postgresql": "true"}}},
        {"metadata": {"labels": {"content-arena/owner": None}}},
        {"metadata": {"finalizers": ["example.com/never"]}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1-2"}]}},
        {"spec": {"transformer": {"containers": [{"name": "kserve-container", "image": "evil"}]}}},
        {"spec": {"explainer": {"containers": [{"name": "kserve-container", "image": "evil"}]}}},
        canary(modelFormat={"name": "sklearn"}),
        canary(name="other-container"),
    ],
)
def test_nothing_else_can_be_written_either(admin: Caller, rollout: Caller, body: Object):
    assert admin.patched(SERVICE, body) == ""
    assert GUARD in rollout.patched(SERVICE, body)


def test_variables_of_the_one_that_serves_stay(admin: Caller, rollout: Caller):
    """One may refer to a Secret: a challenger has it too, under the same name and by the same runtime."""
    kept = [{"name": "TOKEN", "valueFrom": SECRET}, {"name": VERSION, "value": "1"}]
    admin.merge("inferenceservices", SERVICE, {"spec": {"predictor": {"model": {"env": kept}}}})
    try:
        assert rollout.patched(SERVICE, canary(env=[kept[0], {"name": VERSION, "value": "2"}])) == ""
        assert "are those of the one that serves" in rollout.patched(SERVICE, canary())
        other = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "arena-s3", "key": "AWS_ACCESS_KEY_ID"}}}
        assert GUARD in rollout.patched(SERVICE, canary(env=[other, kept[1]]))
    finally:
        admin.merge("inferenceservices", SERVICE, {"spec": {"predictor": {"model": {"env": [kept[1]]}}}})


def test_the_annotations_of_version_0_1_0_can_be_removed(admin: Caller, rollout: Caller):
    admin.merge("inferenceservices", SERVICE, {"metadata": {"annotations": {"content-arena/rollout": "{}"}}})
    assert GUARD in rollout.patched(SERVICE, {"metadata": {"annotations": {"content-arena/rollout": "{1}"}}})
    removal = {"metadata": {"annotations": {"content-arena/rollout": None}}}
    assert rollout.patched(SERVICE, removal, dry_run=False) == ""


def test_who_may_delete_services_is_not_asked(admin: Caller):
    assert admin.patched(SERVICE, canary(command=["sh", "-c", "true"])) == ""
