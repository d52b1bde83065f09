"""The loop in containers: the same components, the same attacks, and no success without outputs."""

import json

import pytest
from kfp import dsl

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.pipelines.execution import engines
from content_arena.pipelines.execution import local as runner
from content_arena.pipelines.execution.home import ArenaHome
from tests import containers
from tests.pipelines.command import NO_FLOORS, arena

SMALL = [
    "--max-texts",
    "240",
    "--texts",
    "16",
    "--budget",
    "2",
    "--epochs",
    "1",
    "--device",
    "cpu",
    *NO_FLOORS,
    "--json",
]


@pytest.fixture(scope="module")
def image():
    return containers.require(COMPONENT_IMAGE)


@pytest.mark.slow
def test_containers_come_to_a_verdict_over_the_same_attacks(image, tmp_path):
    found = {}
    for kind in ("subprocess", "docker"):
        finished = arena(tmp_path / kind, "run", *SMALL, "--seed", "5", "--runner", kind)
        assert finished.returncode == 0, finished.stderr
        found[kind] = json.loads(finished.stdout)
    assert found["docker"]["attack_set_sha256"] == found["subprocess"]["attack_set_sha256"]
    assert found["docker"]["reasons"]


def test_a_database_elsewhere_is_seen_by_containers_too(image, tmp_path):
    database = tmp_path / "registry" / "mlflow.db"
    finished = arena(
        tmp_path / "home", "battle", "--runner", "docker", "--victim", "champion", "--max-texts", "240",
        MLFLOW_TRACKING_URI=f"sqlite:///{database}",
    )  # fmt: skip
    assert finished.returncode == 2
    assert "the registry has no champion" in finished.stderr
    assert database.is_file()


def test_a_container_that_vanished_is_no_success(image, tmp_path):
    @dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
    def vanishes() -> str:
        import os

        os._exit(0)

    @dsl.pipeline(name="vanish")
    def pipeline():
        vanishes()

    home = ArenaHome(tmp_path / "home")
    engine = engines.containers(home, image, [])
    with pytest.raises(runner.StageCrashedError):
        runner.run(pipeline, {}, home, lambda line: None, engine).parameter("vanishes", "Output")


def test_a_refusal_in_a_container_is_one_line(image, tmp_path):
    (tmp_path / "empty.csv").write_text("text,label\n")
    finished = arena(tmp_path / "home", "run", "--runner", "docker", "--data", str(tmp_path / "empty.csv"))
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


def test_an_image_that_is_not_here_is_said(image, tmp_path):
    with pytest.raises(InputError, match=r"no image content-arena/none:0.*make images"):
        engines.containers(ArenaHome(tmp_path), "content-arena/none:0", [])


def test_without_an_engine_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="no Docker engine answers"):
        engines.containers(ArenaHome(tmp_path), "any", [])
