"""A run that would fill the disk is refused before it starts."""

import shutil
from collections import namedtuple

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution import room
from content_arena.pipelines.execution.home import ArenaHome

Usage = namedtuple("Usage", "total used free")


def with_free(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - free, free))


def test_a_new_home_needs_what_a_first_run_was_measured_to_leave(tmp_path):
    assert 150e6 < room.needed(ArenaHome(tmp_path / "new"), 1) < 250e6


def test_a_home_that_was_used_needs_what_its_runs_left(tmp_path):
    for name, size in (("artifacts/models/m-1", 300_000), ("runs/one", 500_000)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(b"x" * size)
    home = ArenaHome(tmp_path)
    assert 0.8e6 <= room.needed(home, 1) < 1e6
    assert room.needed(home, 5) < 5 * room.needed(home, 1), "the files of some runs are kept, not of all"


def test_too_little_room_is_said_before_anything_is_made(tmp_path, monkeypatch):
    with_free(monkeypatch, 20_000_000)
    home = ArenaHome(tmp_path / "deeper" / "new")
    with pytest.raises(InputError, match=r"new has 20 MB free, and the run needs \d+ MB or more: `arena home clean`"):
        room.require(home)
    assert not (tmp_path / "deeper").exists()


def test_enough_room(tmp_path, monkeypatch):
    with_free(monkeypatch, 10**10)
    room.require(ArenaHome(tmp_path), generations=10)
