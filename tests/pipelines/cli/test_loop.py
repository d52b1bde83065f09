"""The whole loop from the outside, small: a real encoder, a real QLoRA run, a real registry, a real server.

All tests share one home and what happens in it: a corpus whose labels mean nothing is refused, two runs are killed, two
end, and the champion is served. A test reads what the command said or left at its point of that history.

Commands that run stages are processes. Those that read the home are called in this process: it takes a new one seconds
to import MLflow.
"""

import json
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from click.testing import Result
from typer.testing import CliRunner

from content_arena.components.attack_generation.victims import open_victim
from content_arena.components.registry.registry import Registry
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.definitions.stage_table import GENERATION
from tests.conftest import is_ok
from tests.pipelines.command import ARENA, SMALL, arena, environment, wait_until
from tests.ports import free_ports

pytestmark = pytest.mark.slow

RUN = ["run", *SMALL, "--seed", "7", "--json"]
EMBEDDED = Path(__file__).parents[3] / "components" / "corpus_preparation" / "corpus" / "en.jsonl"


@dataclass(frozen=True)
class Refused:
    """What the commands said while the only version was a refused one."""

    run: subprocess.CompletedProcess
    status: Result
    status_json: Result
    serve: Result


@dataclass(frozen=True)
class Generation:
    """The answer of a run, its log, and the aliases after it."""

    answer: dict[str, Any]
    log: str
    aliases: dict[str, int]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("arena") / "home"


@pytest.fixture(scope="module")
def refused(home, tmp_path_factory):
    """A run on random labels, four texts of five toxic: F1 alone would not show it."""
    draw = random.Random(2)
    rows = [{"text": text, "label": "toxic" if draw.random() < 0.8 else "benign"} for text in embedded_texts(300)]
    data = tmp_path_factory.mktemp("data") / "random.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    few = ["--texts", "8", "--budget", "1", "--epochs", "1", "--device", "cpu"]
    run = arena(home, "run", "--data", str(data), *few, "--json")
    return Refused(run, read(home, "status"), read(home, "status", "--json"), read(home, "serve"))


@pytest.fixture(scope="module")
def killed(home, refused):
    """Two runs that got signal 9 in the middle of a stage."""
    for stage in ("bootstrap_champion", "train_qlora"):
        process = subprocess.Popen(
            [*ARENA, *RUN], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in process.stderr:
            if line.startswith(f"{stage}:"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not stages_running(home), 30)


@pytest.fixture(scope="module")
def first(home, killed):
    return generation(home)


@pytest.fixture(scope="module")
def second(home, first):
    return generation(home)


def embedded_texts(n):
    rows = [json.loads(line) for line in EMBEDDED.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in random.Random(1).sample(rows, n)]


def read(home, *arguments):
    """The answer of a command that runs no stage."""
    variables = {"ARENA_HOME": str(home), "MLFLOW_TRACKING_URI": None}
    return CliRunner().invoke(app, arguments, env=variables)


def stages_running(home):
    """Processes of stages that work for an arena's home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(home) in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found


def generation(home):
    """Runs the loop once."""
    finished = arena(home, *RUN)
    assert finished.returncode == 0, finished.stderr
    log = max(home.glob("runs/*/log.txt"), key=lambda path: path.stat().st_mtime).read_text()
    aliases = Registry(f"sqlite:///{home / 'mlflow.db'}").aliases()
    return Generation(json.loads(finished.stdout), log, {alias: found.version for alias, found in aliases.items()})


def test_random_labels_make_no_champion(refused):
    assert refused.run.returncode == 1, refused.run.stderr
    answer = json.loads(refused.run.stdout)
    assert (answer["promoted"], answer["champion_version"], answer["challenger_version"]) == (False, None, "1")
    failed = [floor["metric"] for floor in answer["floors"] if not floor["passed"]]
    assert "clean_auroc" in failed
    assert any(reason.startswith("clean_auroc ") and "below the floor" in reason for reason in answer["reasons"])
    assert answer["metrics"]["challenger"]["clean_auroc"] < 0.8
    assert set(answer["seconds"]) == set(GENERATION)
    page = Path(answer["report"]).read_text()
    assert "Version 1 is refused: there is no champion" in page
    assert "check that the labels are right" in page


def test_nothing_has_an_alias_and_what_was_refused_is_seen(refused):
    assert refused.status.exit_code == 0
    assert "There is no champion" in refused.status.stdout
    assert "1 (rejected: " in refused.status.stdout
    assert json.loads(refused.status_json.stdout) == {}
    assert refused.serve.exit_code == 2
    assert "version 1 was refused" in refused.serve.stderr


def test_a_better_corpus_starts_anew(first):
    answer = first.answer
    assert (answer["champion_version"], answer["challenger_version"], answer["generation"]) == ("2", "3", 1)
    assert {floor["metric"]: floor["least"] for floor in answer["floors"]} == {"clean_f1": 0.0, "clean_auroc": 0.0}
    assert {gate["gate"] for gate in answer["gates"]} >= {"clean_f1", "evasion", "guard_auroc"}


def test_killed_in_any_stage_the_next_run_works_and_there_is_one_champion(first):
    assert first.answer["champion_version"] == "2"
    assert "champion" in first.aliases
    # The second one had labelled its attacks when it was killed.
    assert "the attacks of 2 battle(s)" in first.log


def test_the_answer_has_what_scripts_read(first):
    first = first.answer
    assert first["generation"] == 1
    assert first["champion_version"] == "2"
    assert first["challenger_version"] == "3"
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


def test_the_next_round_meets_the_champion_with_the_same_attacks_and_remembers_the_last(first, second):
    before, after = first.answer, second.answer
    assert after["attack_set_sha256"] == before["attack_set_sha256"]
    assert after["generation"] == 2
    assert after["champion_version"] == (before["challenger_version"] if before["promoted"] else "2")
    assert "the attacks of 3 battle(s)" in second.log


def test_a_served_champion_is_attacked_over_http_with_the_same_result(home, second):
    options = ["--texts", "8", "--budget", "2", "--max-texts", "240", "--seed", "3"]
    texts = ["hello", "you idiot", "have a nice day"]
    (port,) = free_ports(1)
    process = subprocess.Popen([*ARENA, "serve", "--port", str(port)], env=environment(home), stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ok(f"{url}/v2/health/ready"), 60)
        answer = requests.post(f"{url}/v1/models/content-filter:predict", json={"instances": ["hello"]}, timeout=10)
        champion = json.loads(read(home, "status", "--json").stdout)["champion"]["version"]
        assert answer.json()["predictions"][0]["model_version"] == champion
        over_http = json.loads(arena(home, "battle", "--victim", url, *options, "--json").stdout)
        over_v1, over_v2 = (
            open_victim(address).score(texts) for address in (url, f"{url}/v2/models/content-filter/infer")
        )
        assert over_v2 == pytest.approx(over_v1, abs=1e-6)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finished = arena(home, "battle", "--victim", "champion", *options)
    # Raw logs go to a file, progress to standard error, and the table alone to standard output.
    assert "executor_main" not in finished.stdout + finished.stderr
    assert "generate_attacks: " in finished.stderr
    assert "char_typo" in finished.stdout
    battle = json.loads(read(home, "battles", "--json").stdout)["battles"][-1]["battle"]
    assert f"arena battles {battle}" in finished.stdout
    local = json.loads(read(home, "battles", battle, "--json").stdout)
    assert local["attack_set_sha256"] == over_http["attack_set_sha256"]
    assert local["strategies"] == over_http["strategies"]
