"""The whole loop from the outside, small: a real encoder, a real QLoRA run, a real registry, a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from content_arena.components.registry_promotion.registry import Registry

pytestmark = pytest.mark.slow

ARENA = [sys.executable, "-c", "from content_arena.pipelines.cli import main; main()"]
SMALL = ["--max-texts", "240", "--texts", "16", "--rounds", "2", "--epochs", "2", "--device", "cpu"]
STAGES = {
    "prepare_corpus",
    "bootstrap_champion",
    "generate_attacks",
    "gather_attacks",
    "label_attacks",
    "train_qlora",
    "evaluate_challenger",
    "promote_challenger",
}


def environment(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return {**kept, "ARENA_HOME": str(home)}


def arena(home, *arguments):
    return subprocess.run([*ARENA, *arguments], env=environment(home), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("arena") / "home"


@pytest.fixture(scope="module")
def first(home):
    finished = arena(home, "run", *SMALL, "--seed", "7", "--json")
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def second(home, first):
    finished = arena(home, "run", *SMALL, "--seed", "7", "--json")
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_the_answer_has_what_scripts_read(first):
    assert first["generation"] == 1
    assert first["champion_version"] == "1"
    assert first["challenger_version"] == "2"
    assert isinstance(first["promoted"], bool)
    assert first["reasons"]
    headline = {"clean_f1", "evasion", "evasion_seen", "evasion_unseen", "perturbed_benign_fpr", "latency_p95_ms"}
    assert set(first["metrics"]) == {"champion", "challenger"}
    assert all(set(figures) == headline for figures in first["metrics"].values())
    assert len(first["attack_set_sha256"]) == 64
    assert set(first["seconds"]) == STAGES
    assert all(seconds > 0 for seconds in first["seconds"].values())
    assert "<html" in Path(first["report"]).read_text()


def test_the_next_round_meets_the_champion_with_the_same_attacks_and_remembers_the_last(home, first, second):
    assert second["attack_set_sha256"] == first["attack_set_sha256"]
    assert second["generation"] == 2
    assert second["champion_version"] == (first["challenger_version"] if first["promoted"] else "1")
    logs = [path.read_text() for path in sorted((home / "runs").glob("*/log.txt"))]
    assert any("the attacks of 2 battle(s)" in log for log in logs)


def test_raw_logs_go_to_a_file_and_progress_to_standard_error(home, second):
    finished = arena(home, "battle", "--texts", "4", "--rounds", "1", "--max-texts", "240")
    assert "executor_main" not in finished.stdout + finished.stderr
    assert "generate_attacks: " in finished.stderr
    assert "char_typo" in finished.stdout


def test_a_served_champion_is_attacked_over_http_with_the_same_result(home, second):
    options = ["--texts", "8", "--rounds", "2", "--max-texts", "240", "--seed", "3", "--json"]
    process = subprocess.Popen([*ARENA, "serve", "--port", "18473"], env=environment(home), stderr=subprocess.DEVNULL)
    try:
        url = "http://127.0.0.1:18473"
        wait_until(lambda: answers(f"{url}/v2/health/ready"), 60)
        answer = requests.post(f"{url}/v1/models/content-filter:predict", json={"instances": ["hello"]}, timeout=10)
        champion = json.loads(arena(home, "status", "--json").stdout)["champion"]["version"]
        assert answer.json()["predictions"][0]["model_version"] == champion
        over_http = json.loads(arena(home, "battle", "--victim", url, *options).stdout)
        over_v2 = f"{url}/v2/models/content-filter/infer"
        assert (
            json.loads(arena(home, "battle", "--victim", over_v2, *options).stdout)["strategies"]
            == over_http["strategies"]
        )
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    local = json.loads(arena(home, "battle", "--victim", "champion", *options).stdout)
    assert local["attack_set_sha256"] == over_http["attack_set_sha256"]
    assert local["strategies"] == over_http["strategies"]


def test_an_endpoint_that_is_not_there_is_said(home, second):
    finished = arena(home, "battle", "--victim", "http://127.0.0.1:9", "--max-texts", "240")
    assert finished.returncode == 2
    assert "is the server up?" in finished.stderr


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


def answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
