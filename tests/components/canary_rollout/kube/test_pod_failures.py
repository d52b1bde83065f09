"""Pods as a real API server returned them, shortened."""

import pytest

from content_arena.components.canary_rollout.kube.pod_failures import failure, trouble


def pod(*, init=(), main=()):
    return {"metadata": {"name": "p"}, "status": {"initContainerStatuses": list(init), "containerStatuses": list(main)}}


def container(name="kserve-container", **status):
    return {"name": name, "ready": False, "restartCount": 0, "state": {}, "lastState": {}} | status


def died(code=3, **more):
    return {"terminated": {"exitCode": code, "reason": "Error"} | more}


WAITING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}


def test_a_crash_is_reported_with_the_end_of_the_log():
    crashed = container(state=WAITING, lastState=died(3), restartCount=2)
    assert failure([pod(main=[crashed])], lambda pod, name: "loading\nno such bundle\n") == (
        "kserve-container of pod p: CrashLoopBackOff, exit code 3: loading no such bundle"
    )


def only_trouble(found):
    """What is named, and does not speak against the version."""
    assert failure([found], lambda *_: "") == ""
    return trouble([found], lambda *_: "")


def test_a_crash_is_no_trouble_that_may_pass():
    crashed = container(state=WAITING, lastState=died(3), restartCount=2)
    assert trouble([pod(main=[crashed])], lambda *_: "") == ""


def test_a_bundle_that_can_not_be_loaded_is_a_trouble():
    failing = container("storage-initializer", state=died(1), restartCount=2)
    assert "storage-initializer of pod p: Error, exit code 1" in only_trouble(pod(init=[failing]))
    waiting = container("storage-initializer", state=WAITING, lastState=died(1), restartCount=1)
    assert "storage-initializer of pod p: CrashLoopBackOff" in only_trouble(pod(init=[waiting]))


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"])
def test_an_image_that_is_not_there_is_a_trouble(reason):
    missing = container(state={"waiting": {"reason": reason, "message": "no such image"}})
    assert only_trouble(pod(main=[missing])) == f"kserve-container of pod p: {reason} (no such image)"


def test_a_pod_that_no_node_has_room_for_is_a_trouble():
    message = "0/1 nodes are available: 1 Insufficient cpu."
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pending = {"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [scheduled]}}
    assert only_trouble(pending) == f"pod p has no node: {message}"


@pytest.mark.parametrize(
    "status",
    [
        container(state={"waiting": {"reason": "ContainerCreating"}}),
        container(state={"running": {}}),
        container(state={"running": {}}, lastState=died(), restartCount=1),
        container(state={"running": {}}, lastState=died(), restartCount=5, ready=True),
        container(state=died(0)),
    ],
    ids=["being made", "starting", "died once", "recovered", "init that is done"],
)
def test_a_container_that_may_still_serve_is_no_failure(status):
    assert only_trouble(pod(main=[status])) == ""
