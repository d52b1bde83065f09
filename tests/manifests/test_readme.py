"""The first hour of manifests/README.md, as far as it can be checked without a cluster."""

import re
import subprocess

from tests.manifests.readme import commands, first_hour
from tests.manifests.rendering import MANIFESTS, Renderer, name_of

#: A command for each step, in order.
STEPS = (
    "manifests/secrets/make-secrets",
    "kubectl apply -k manifests/overlays/kind",
    "kubectl apply -k manifests/jobs/arena-run",
    "wait --for=condition=Ready --timeout=10m inferenceservice/content-filter",
    "curl ",
)


def test_it_has_every_step_in_order():
    script = first_hour()
    places = [script.index(step) for step in STEPS]
    assert places == sorted(places)


def test_it_is_a_script():
    done = subprocess.run(["bash", "-n"], input=first_hour(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_restore_has_its_steps_in_order():
    over, deleted = commands("Restoring over what is there"), commands("After the namespace was deleted")
    for script, steps in (
        (over, ("--replicas=0", "apply -k manifests/jobs/restore", "job/restore", "--replicas=1", "rollout status")),
        (deleted, ("apply -k manifests/jobs/serve-champion", "job/serve-champion", "inferenceservice/content-filter")),
    ):
        places = [script.index(step) for step in steps]
        assert places == sorted(places)
        assert subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True).returncode == 0


def test_what_it_applies_and_waits_for_is_there(manifests: Renderer):
    script = first_hour()
    applied = re.findall(r"apply -k (\S+)", script)
    assert all((MANIFESTS.parent / folder / "kustomization.yaml").is_file() for folder in applied)
    objects = {name_of(item).lower() for folder in applied for item in manifests.objects(folder.split("/", 1)[1])}
    awaited = set(re.findall(r" ((?:job|deployment|statefulset)/[\w-]+)", script))
    assert awaited
    assert awaited <= objects
