"""What a user installs: the wheel, in an environment that holds nothing else of the project."""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.import_graph import PREFIX, ROOT, modules

#: What setuptools reads. The tree itself is not built in: that would leave build/ and *.egg-info behind.
_SOURCES = ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "components", "pipelines")
#: Files that modules read beside themselves.
_DATA = (".html", ".jsonl", ".toml")
#: Imports every module below a package and prints where each came from.
_IMPORT_ALL = """
import importlib, json, pkgutil
import content_arena
def fail(name):
    raise
found = {}
for info in pkgutil.walk_packages(content_arena.__path__, "content_arena.", onerror=fail):
    found[info.name] = importlib.import_module(info.name).__file__
print(json.dumps(found))
"""


def run(*command: object, **options) -> str:
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the sources, with the setuptools of this environment: no package index is asked."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in _SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
        "--disable-pip-version-check", "--wheel-dir", target, source)  # fmt: skip
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A virtual environment with the wheel. It finds the packages the wheel needs where this environment has them."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", wheel)  # fmt: skip
    (site,) = (folder / "lib").glob("python*/site-packages")
    # A .pth file in a folder that is added by a .pth file is not read, so the editable install is not found this way.
    needs = [path for path in sys.path if Path(path).name == "site-packages"]
    (site / "needs.pth").write_text("\n".join(needs) + "\n")
    return folder


def test_it_holds_every_module_and_every_file_that_modules_read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("content_arena/")}
    expected = {
        f"content_arena/{path.relative_to(ROOT)}"
        for folder in ("components", "pipelines")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", *_DATA)
    }
    assert held == expected


def test_its_version_is_that_of_setup_cfg(wheel, environment):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    version = config["metadata"]["version"]
    assert wheel.name == f"content_arena-{version}-py3-none-any.whl"
    assert run(environment / "bin/arena", "--version").strip() == f"content-arena {version}"


def test_every_module_can_be_imported(environment, tmp_path):
    python = environment / "bin/python"
    found = json.loads(run(python, "-c", _IMPORT_ALL, cwd=tmp_path).splitlines()[-1])
    assert set(found) == {f"{PREFIX}{name}" for name in modules()}
    assert all(Path(path).is_relative_to(environment) for path in found.values()), found
