"""The InferenceService of the first champion, from the template of the manifests."""

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.kube import service_creation
from content_arena.components.canary_rollout.kube.client import AwayError
from content_arena.components.promotion import first_service
from content_arena.components.registry import tags
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import InputError
from tests.import_graph import ROOT

TEMPLATE = {
    "inference-service.yaml": (ROOT / "manifests/base/arena/predictor/inference-service.yaml").read_text(),
    "owner": "promotion",
}
KNATIVE = {"patch-90-knative.yaml": (ROOT / "manifests/components/knative/inference-service.yaml").read_text()}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


class Cluster:
    def __init__(self, template=TEMPLATE):
        self._template, self.made = template, []

    def template(self, name):
        return self._template if name == "content-filter-template" else None

    def has_service(self, name):
        return any(body["metadata"]["name"] == name for body in self.made)

    def create_service(self, body):
        self.made.append(body)


def champion(version=7):
    return RegisteredVersion(version, "0" * 64, 0, tags={tags.STORAGE_URI: f"s3://models/content-filter/{version}/"})


def test_its_runtime_is_that_of_the_release():
    def runtime(template):
        return first_service.manifest(template, "content-filter", champion())["spec"]["predictor"]["model"].get(
            "runtime"
        )

    assert runtime(TEMPLATE | {"runtime": "content-arena-9"}) == "content-arena-9"
    # A template of before has it in its manifest.
    of_before = {"patch-00.yaml": "spec: {predictor: {model: {runtime: content-arena}}}"}
    assert runtime(TEMPLATE | of_before) == "content-arena"
    assert runtime(TEMPLATE) is None


def test_it_is_created_once_from_the_address_that_was_published():
    cluster = Cluster()
    (line,) = first_service.ensure(cluster, "content-filter", champion())
    assert "s3://models/content-filter/7/" in line
    (body,) = cluster.made
    predictor = body["spec"]["predictor"]
    assert predictor["name"] == "v7"
    assert predictor["model"]["storageUri"] == "s3://models/content-filter/7/"
    assert predictor["model"]["env"] == [
        {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "7"},
        {"name": "CONTENT_ARENA_EXPECTED_SHA256", "value": "0" * 64},
    ]
    assert predictor["storageContainerName"] == "content-arena"
    assert first_service.ensure(cluster, "content-filter", champion(8)) == []
    assert len(cluster.made) == 1


def test_after_a_restore_a_command_creates_it_for_the_champion_that_is_there(monkeypatch, capsys):
    cluster, aliases = Cluster(), {"champion": champion()}
    monkeypatch.setattr(Registry, "__init__", lambda self, uri: None)
    monkeypatch.setattr(Registry, "aliases", lambda self: aliases)
    monkeypatch.setattr(service_creation, "ServiceCreationClient", lambda namespace: cluster)
    monkeypatch.delenv(first_service.SERVICE, raising=False)
    assert first_service.main() == 2
    assert "CONTENT_ARENA_SERVICE is not set" in capsys.readouterr().err
    monkeypatch.setenv(first_service.SERVICE, "arena/content-filter")
    assert first_service.main() == 0
    assert len(cluster.made) == 1
    assert "is created, from s3://models/content-filter/7/" in capsys.readouterr().out
    assert first_service.main() == 0
    assert "is there already" in capsys.readouterr().out
    aliases.clear()
    assert first_service.main() == 2
    assert "no champion that was published" in capsys.readouterr().err


def test_where_gitops_owns_it_the_manifest_is_printed_and_nothing_created():
    cluster = Cluster(TEMPLATE | {"owner": "gitops"})
    _, *lines = first_service.ensure(cluster, "content-filter", champion())
    assert yaml.safe_load("\n".join(lines)) == first_service.manifest(TEMPLATE, "content-filter", champion())
    assert not cluster.made


def test_patches_apply_in_the_order_of_their_names_and_null_removes():
    sizes = {
        "patch-10.yaml": "spec: {predictor: {minReplicas: 3}}",
        "patch-20.yaml": "spec: {predictor: {minReplicas: 5}}",
    }
    body = first_service.manifest(TEMPLATE | KNATIVE | sizes, "content-filter", champion())
    assert body["spec"]["predictor"]["minReplicas"] == 5
    # Knative names revisions itself.
    assert "name" not in body["spec"]["predictor"]
    assert body["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Knative"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"inference-service.yaml": ": no"}, "is no InferenceService"),
        ({"inference-service.yaml": "metadata: {name: content-filter}"}, "is no InferenceService"),
        ({}, "is no InferenceService"),
        (TEMPLATE | {"owner": "nobody"}, "wanted promotion or gitops"),
        (TEMPLATE | {"patch-1.yaml": "metadata: {name: other}"}, "describes other"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(template, message):
    with pytest.raises(InputError, match=message):
        first_service.ensure(Cluster(template), "content-filter", champion())


def test_without_a_template_or_a_named_service_nothing_is_created(monkeypatch):
    monkeypatch.delenv(first_service.SERVICE, raising=False)
    assert first_service.serve_first(champion()) == []
    cluster = Cluster(None)
    (line,) = first_service.ensure(cluster, "content-filter", champion())
    assert "no ConfigMap content-filter-template" in line
    assert not cluster.made


def test_a_champion_that_is_not_published_is_not_served(monkeypatch):
    monkeypatch.setenv(first_service.SERVICE, "a/b")
    assert first_service.serve_first(None) == []
    assert first_service.serve_first(RegisteredVersion(1, "0" * 64, 0)) == []


@pytest.mark.parametrize("named", ["content-filter", "/content-filter"])
def test_a_name_without_a_namespace_is_a_line_that_says_what_is_wanted(monkeypatch, named):
    monkeypatch.setenv(first_service.SERVICE, "other/service")
    # What is given wins over the environment.
    (line,) = first_service.serve_first(champion(), named)
    assert f"{named} is not created: wanted NAMESPACE/NAME" in line


def patched(model):
    return TEMPLATE | {"patch-1.yaml": f"spec: {{predictor: {{model: {model}}}}}"}


@pytest.mark.parametrize(
    "template",
    [
        *map(patched, ["text", "[a]", "5", "{env: text}", "{env: 5}", "{env: {a: b}}", "{env: [a]}", "{env: [[a]]}"]),
        patched("2026-99-99"),
        TEMPLATE | {"patch-1.yaml": "&a {spec: *a}"},
        TEMPLATE | {"patch-1.yaml": "spec: {predictor: [a]}"},
        TEMPLATE | {"patch-1.yaml": "text"},
    ],
)
def test_a_patch_of_another_shape_is_a_line_and_no_failure(monkeypatch, template):
    from content_arena.components.canary_rollout.kube import service_creation

    cluster = Cluster(template)
    monkeypatch.setattr(service_creation, "ServiceCreationClient", lambda namespace: cluster)
    (line,) = first_service.serve_first(champion(), "content-arena/content-filter")
    assert "ConfigMap content-filter-template is no InferenceService with a model" in line
    assert not cluster.made


@given(JSON, JSON)
def test_no_patch_of_the_model_breaks_the_stage(model, variables):
    for patch in (model, {"env": variables}):
        template = TEMPLATE | {"patch-1.yaml": yaml.safe_dump({"spec": {"predictor": {"model": patch}}})}
        with contextlib.suppress(InputError):
            body = first_service.manifest(template, "content-filter", champion())
            assert body["spec"]["predictor"]["model"]["storageUri"] == champion().storage_uri


def test_an_api_server_that_is_away_is_a_line_and_no_failure(monkeypatch):
    from content_arena.components.canary_rollout.kube import service_creation

    def away(namespace):
        raise AwayError("the API server does not answer")

    monkeypatch.setattr(service_creation, "ServiceCreationClient", away)
    monkeypatch.setenv(first_service.SERVICE, "content-arena/content-filter")
    (line,) = first_service.serve_first(champion())
    assert "does not answer; the next run tries again" in line


@given(JSON, JSON)
def test_a_merge_patch_is_idempotent(target, patch):
    once = first_service.merged(target, patch)
    assert first_service.merged(once, patch) == once


@given(JSON)
def test_an_empty_patch_changes_nothing_of_an_object(target):
    if isinstance(target, dict):
        assert first_service.merged(target, {}) == target
