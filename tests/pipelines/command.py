"""The command `arena` as a process, with a loop that is small."""

import os
import subprocess
import sys
import time
from pathlib import Path

ARENA = [sys.executable, "-c", "from content_arena.pipelines.cli.app import main; main()"]
#: Floors that a loop so small can reach.
SETTINGS = Path(__file__).with_name("small.toml")
NO_FLOORS = ["--settings", str(SETTINGS)]
SMALL = ["--max-texts", "240", "--texts", "16", "--budget", "2", "--epochs", "1", "--device", "cpu", *NO_FLOORS]


def environment(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return {**kept, "ARENA_HOME": str(home)}


def arena(home, *arguments, **variables):
    settings = environment(home) | variables
    return subprocess.run([*ARENA, *arguments], env=settings, capture_output=True, text=True, timeout=600)


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
