"""KServe's version by the tag of its storage initialiser, and what follows for a rollout."""

import json

import pytest

from content_arena.components.canary_rollout.controller.beginning import RolloutRequest, refuse_old_kserve
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError
from content_arena.components.canary_rollout.kube.kserve_version import installed, parsed
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.standard import Standard
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.bench import QUICK, TWO


class Configured:
    """An API server with a ConfigMap of KServe's."""

    def __init__(self, answer):
        self.answer = answer

    def config_map(self, name, namespace=None):
        assert (name, namespace) == ("inferenceservice-config", "kserve")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def named(image):
    return Configured({"data": {"storageInitializer": json.dumps({"image": image})}})


@pytest.mark.parametrize(
    ("image", "number"),
    [
        ("kserve/storage-initializer:v0.21.0", (0, 21)),
        ("registry.example:5000/kserve/storage-initializer:0.20.1", (0, 20)),
        ("kserve/storage-initializer:v0.21.0-rc1@sha256:" + 64 * "0", (0, 21)),
        ("kserve/storage-initializer:v1.2", (1, 2)),
        ("kserve/storage-initializer:latest", None),
        ("registry.example:5000/kserve/storage-initializer", None),
        ("kserve/storage-initializer@sha256:" + 64 * "0", None),
    ],
)
def test_the_version_is_the_tag(image, number):
    found = installed(named(image))
    assert found.number == number
    assert image in str(found)


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"data": {}}, {"data": {"storageInitializer": "{"}}, {"data": {"storageInitializer": "[]"}},
     {"data": {"storageInitializer": '{"image": 7}'}}, ClusterError("forbidden")],
)  # fmt: skip
def test_a_version_that_nothing_tells_counts_as_too_old(answer):
    found = installed(Configured(answer))
    assert (found.number, found.has_route_weights) == (None, False)
    assert "of unknown version" in str(found)


def test_a_server_that_is_away_is_no_unknown_version():
    with pytest.raises(AwayError):
        installed(Configured(AwayError("away")))


@pytest.mark.parametrize("text", ["", "latest", "21", "0.x"])
def test_a_given_version_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="no version of KServe"):
        parsed(text)


@pytest.mark.parametrize(
    ("image", "given", "words"),
    [
        ("kserve/storage-initializer:v0.20.0", None, "KServe 0.20 .*before 0.21.*Knative mode"),
        ("kserve/storage-initializer:latest", None, "of unknown version.*--kserve-version"),
        ("kserve/storage-initializer:v0.21.0", "0.20", r"KServe 0.20 \(as given\)"),
    ],
)
def test_standard_mode_is_refused_by_name_where_a_canary_gets_no_share(image, given, words):
    request = RolloutRequest(TWO, QUICK, kserve_version=given)
    with pytest.raises(InputError, match=words):
        refuse_old_kserve(named(image), Standard(), request)
    refuse_old_kserve(named(image), Knative(), request)


def test_standard_mode_is_allowed_since_0_21():
    refuse_old_kserve(named("kserve/storage-initializer:v0.21.0"), Standard(), RolloutRequest(TWO, QUICK))
    request = RolloutRequest(TWO, QUICK, kserve_version="v0.21.3")
    refuse_old_kserve(named("kserve/storage-initializer:latest"), Standard(), request)
