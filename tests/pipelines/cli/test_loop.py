"""The whole loop from the outside, small: a real encoder, a real QLoRA run, a real registry, a real server."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from content_arena.pipelines.definitions.stage_table import GENERATION
from tests.conftest import free_ports
from tests.pipelines.command import ARENA, SMALL, arena, environment, wait_until

pytestmark = pytest.mark.slow


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
    assert all(set(figures) >= headline for figures in first["metrics"].values())
    assert len(first["attack_set_sha256"]) == 64
    corpus = first["corpus"]
    assert corpus["rows_read"] > 240
    assert corpus["rows_dropped"]["over_max_texts"] > 0
    assert set(corpus["labels"]) == {"toxic", "benign"}
    assert any(warning.startswith("drew ") for warning in corpus["warnings"])
    assert set(first["seconds"]) == set(GENERATION)
    assert all(seconds > 0 for seconds in first["seconds"].values())
    assert "<html" in Path(first["report"]).read_text()


def test_the_next_round_meets_the_champion_with_the_same_attacks_and_remembers_the_last(home, first, second):
    assert second["attack_set_sha256"] == first["attack_set_sha256"]
    assert second["generation"] == 2
    assert second["champion_version"] == (first["challenger_version"] if first["promoted"] else "1")
    logs = [path.read_text() for path in sorted((home / "runs").glob("*/log.txt"))]
    assert any("the attacks of 2 battle(s)" in log for log in logs)


def test_raw_logs_go_to_a_file_and_progress_to_standard_error(home, second):
    finished = arena(home, "battle", "--texts", "4", "--budget", "1", "--max-texts", "240")
    assert "executor_main" not in finished.stdout + finished.stderr
    assert "generate_attacks: " in finished.stderr
    assert "char_typo" in finished.stdout


def test_a_served_champion_is_attacked_over_http_with_the_same_result(home, second):
    options = ["--texts", "8", "--budget", "2", "--max-texts", "240", "--seed", "3", "--json"]
    (port,) = free_ports(1)
    process = subprocess.Popen([*ARENA, "serve", "--port", str(port)], env=environment(home), stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
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


def answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
