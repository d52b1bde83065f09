"""The version is set in setup.cfg, and every place that repeats it agrees."""

import configparser
import re
import subprocess

import pytest

from tests.import_graph import ROOT

#: An image of the project with its tag, as documents, manifests, tests and code name it.
_IMAGE = re.compile(r"content-arena/(?:component-python|predictor):(\d[\w.-]*)")


def setup_version() -> str:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["metadata"]["version"]


def texts() -> dict[str, str]:
    """Every text file of the checkout by its path."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode:
        pytest.skip("needs a git checkout, as it asks git for the project's files: git clone the repository")
    suffixes = (".py", ".md", ".yaml", ".env", ".cfg", "Dockerfile", "Makefile")
    return {
        name: (ROOT / name).read_text(encoding="utf-8") for name in names.stdout.split("\0") if name.endswith(suffixes)
    }


def test_every_tag_of_an_image_is_the_version():
    tags = {(name, tag) for name, text in texts().items() for tag in _IMAGE.findall(text)}
    assert len(tags) > 5
    # A variant of a build follows the version: 0.1.0-cuda.
    wrong = [(name, tag) for name, tag in sorted(tags) if tag.split("-")[0] != setup_version()]
    assert not wrong


@pytest.mark.parametrize("image", ["component", "predictor"])
def test_an_image_that_is_built_without_make_has_the_version(image):
    text = (ROOT / f"images/{image}/Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^ARG VERSION=(.*)$", text, re.MULTILINE) == [setup_version()]


def test_the_changelog_ends_with_the_version():
    """Newest first: what is not released yet, then the released versions, the newest of which is in setup.cfg."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert first == "Unreleased"
    assert released[0] == setup_version()
