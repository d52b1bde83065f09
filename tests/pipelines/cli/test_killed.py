"""After signal 9 in the middle of a stage the loop can be run again, and the registry is consistent."""

import json
import signal
import subprocess
import time

import psutil
import pytest

from content_arena.components.registry.registry import Registry
from tests.pipelines.command import ARENA, SMALL, arena, environment, wait_until

pytestmark = pytest.mark.slow


def test_killed_in_any_stage_the_next_run_works_and_there_is_one_champion(tmp_path):
    home = tmp_path / "home"
    for stage in ("bootstrap_champion", "evaluate_challenger"):
        process = subprocess.Popen(
            [*ARENA, "run", *SMALL, "--json"], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        for line in process.stderr:
            if line.startswith(f"{stage}:"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not stages_running(home), 30)
    finished = arena(home, "run", *SMALL, "--json")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["champion_version"] == "1"
    aliases = Registry(f"sqlite:///{home / 'mlflow.db'}").aliases()
    assert "champion" in aliases


def stages_running(home):
    """Processes of stages that work for an arena's home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(home) in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found
