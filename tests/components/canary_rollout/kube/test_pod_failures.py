"""Pods as a real API server returned them, shortened."""

import pytest

from content_arena.components.canary_rollout.kube.pod_failures import failure


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


def test_a_storage_initialiser_that_keeps_failing_is_a_failure():
    failing = container("storage-initializer", state=died(1), restartCount=2)
    assert "storage-initializer of pod p: Error, exit code 1" in failure([pod(init=[failing])], lambda *_: "")


def test_a_missing_image_is_named():
    missing = container(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    assert failure([pod(main=[missing])], lambda *_: "") == (
        "kserve-container of pod p: ImagePullBackOff (no such image)"
    )


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
    assert failure([pod(main=[status])], lambda *_: "not read") == ""
