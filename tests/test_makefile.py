"""The Makefile has the targets that documents and workflows name."""

import re
import subprocess

import pytest
import yaml

from tests.import_graph import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
(_PHONY,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
TARGETS = set(_PHONY.split())
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"make ([a-z-]+)", listed)) == TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_make_targets_and_nothing_else(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        make, target = command.split()
        assert make == "make"
        assert target in TARGETS


def test_what_ci_runs_are_targets():
    commands = re.findall(r"^\s*make (\S+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands == ["lint", "test", "test-cluster"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_documents_name_targets_that_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^\$ make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= TARGETS


@pytest.mark.parametrize("variable", ["NOT_QUICK", "CLUSTER_TESTS"])
def test_the_tests_that_are_named_are_there(variable):
    named = re.search(rf"^{variable} := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert named is not None
    for path in named[1].replace("\\", " ").split():
        assert (ROOT / path).exists(), path
