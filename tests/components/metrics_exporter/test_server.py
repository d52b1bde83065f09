"""The exporter as a process: arguments, HTTP, an MLflow that starts and stops, signals."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

MODULE = "content_arena.components.metrics_exporter.server"


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return kept | more


def run(*arguments, **more):
    command = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(**more), check=False)


@contextlib.contextmanager
def exporting(uri, *arguments, cwd=None, **more):
    """A running exporter: its base URL and process."""
    command = [sys.executable, "-m", MODULE, "--host", "127.0.0.1", "--port", "0", "--interval", "1"]
    process = subprocess.Popen(
        [*command, "--tracking-uri", uri, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(**more),
    )
    try:
        line = process.stderr.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", line)
        assert port, line
        yield f"http://127.0.0.1:{port[1]}", process
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def up(url):
    text = requests.get(f"{url}/metrics", timeout=10).text
    return float(re.search(r"^content_arena_exporter_up (\S+)$", text, re.MULTILINE)[1])


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no MLflow given"),
        (["--tracking-uri", "file:///tmp/hunter2"], "starts with one of"),
        (["--tracking-uri", "user:hunter2@host"], "starts with one of"),
        (["--tracking-uri", "http://mlflow", "--port", "65536"], "0 to 65535"),
        (["--tracking-uri", "http://mlflow", "--interval", "0"], "1 to 3600"),
        (["--tracking-uri", "http://mlflow", "--interval", "nan"], "1 to 3600"),
        (["--tracking-uri", "http://mlflow", "--colour"], "--colour"),
    ],
)
def test_bad_arguments_are_one_line(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert "hunter2" not in result.stderr


def test_a_taken_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = run("--tracking-uri", "http://127.0.0.1:9", "--host", "127.0.0.1", "--port", str(port))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert str(port) in result.stderr


def test_it_serves_what_mlflow_holds_and_writes_nothing(history, tmp_path):
    with exporting(history.uri, cwd=tmp_path, HOME=str(tmp_path)) as (url, _):
        wait_until(lambda: up(url) == 1)
        text = requests.get(f"{url}/metrics", timeout=10).text
        assert requests.get(f"{url}/readyz", timeout=10).status_code == 200
        assert requests.get(f"{url}/other", timeout=10).status_code == 404
    champion = f'alias="champion",bundle="sha-[0-9a-f]{{12}}",model_version="{history.champion}",source="registry"'
    assert re.search(rf"^content_arena_model_version{{{champion}}} 1.0$", text, re.MULTILINE)
    assert "process_resident_memory_bytes" in text
    assert list(tmp_path.iterdir()) == []


def test_mlflow_may_be_away_come_back_and_go_again(history, tmp_path):
    there = Path(history.uri.removeprefix("sqlite:///"))
    link = tmp_path / "mlflow.db"
    with exporting(f"sqlite:///{link}") as (url, _):
        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        wait_until(lambda: requests.get(f"{url}/readyz", timeout=10).status_code == 200)
        assert up(url) == 0
        link.symlink_to(there)
        wait_until(lambda: up(url) == 1)
        link.unlink()
        wait_until(lambda: up(url) == 0)
        assert "detection_rate" not in requests.get(f"{url}/metrics", timeout=10).text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(number):
    # A listener that accepts and never answers: the exporter is waiting for it when the signal comes.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        exporting(f"http://127.0.0.1:{silent.getsockname()[1]}") as (url, process),
    ):
        silent.settimeout(60)
        connection, _ = silent.accept()
        assert requests.get(f"{url}/readyz", timeout=10).status_code == 503
        start = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - start < 1
        connection.close()
