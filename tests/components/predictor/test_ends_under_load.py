"""A server that is killed or ended while clients call all the time: what they get, and what is left for the next."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests

from content_arena.components.shared.scoring.filter import ContentFilter
from tests.ports import free_ports

from .conftest import MODULE, clean_environment, running
from .test_limits import wait_for

TEXTS = ["you idiot", "nice day", "you are an idiot " * 50]
#: Of what a client gets from a server that is not there any more; ChunkedEncodingError is an answer that was cut.
LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture(scope="module")
def scores(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    yield content_filter.score(TEXTS)
    content_filter.close()


class Clients:
    """Eight clients that ask all the time, each request over a connection of its own.

    Attributes:
        answers: By request id, status and body of what was answered.
        n_lost: Requests that got no answer.
    """

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.answers, self.n_lost = {}, 0
        self._finished = threading.Event()

    def _ask(self, client):
        number = 0
        while not self._finished.is_set():
            number += 1
            name = f"{client}-{number}"
            path, body = "/v1/models/content-filter:predict", {"instances": TEXTS}
            if client % 2:
                path = "/v1alpha1/comments:suggestscore"
                body = {"comment": {"text": f"you idiot {name} " * 300}}
                body["attributeScores"] = {"TOXICITY": {"summaryScore": {"value": 1}}}
            try:
                answer = requests.post(self.url + path, json=body, headers={"x-request-id": name}, timeout=60)
            except LOST:
                self.n_lost += 1
                time.sleep(0.01)
            else:
                assert answer.headers["x-request-id"] == name
                self.answers[name] = (answer.status_code, answer.json())

    @contextlib.contextmanager
    def asking(self):
        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(self._ask, client) for client in range(8)]
            try:
                yield self
            finally:
                self._finished.set()
        for future in asking:
            future.result()

    def get_more(self, n=40):
        """Waits until clients of both kinds have got so many answers more."""
        for kind in (0, 1):
            before = self._n_of(kind)
            wait_for(lambda kind=kind, before=before: self._n_of(kind) > before + n // 2)

    def _n_of(self, kind):
        return sum(int(name[0]) % 2 == kind for name in list(self.answers))


@pytest.fixture
def arguments(tmp_path):
    suggestions = tmp_path / "suggested.jsonl"
    return ("--threads", "2", "--api_adapters", "perspective", "--suggestions", str(suggestions), "--cache", "16")


def test_a_killed_server_leaves_nothing_and_the_next_one_serves_on_its_port(tiny_bundle, scores, arguments, tmp_path):
    (temporary := tmp_path / "temporary").mkdir()
    environment = {"TMPDIR": str(temporary), "HOME": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = (*arguments, "--port", str(port := free_ports(1)[0]))
    clients = Clients(port)
    with clients.asking():
        for _ in range(2):
            with running(tiny_bundle.path, *arguments, environment=environment) as server:
                assert server.port == port
                clients.get_more()
                # `running` kills it with SIGKILL, in the midst of requests.
            n_lost = clients.n_lost
            wait_for(lambda n_lost=n_lost: clients.n_lost > n_lost)
            assert "Traceback" not in server.log
            assert not list(temporary.iterdir())
        with running(tiny_bundle.path, *arguments, environment=environment):
            clients.get_more()
    for name, (status, body) in clients.answers.items():
        assert status == 200, (name, body)
        if "predictions" in body:
            given = [prediction["toxic_score"] for prediction in body["predictions"]]
            np.testing.assert_allclose(given, scores, atol=1e-6)
    # What a client was told is kept is there, once, and only a kill may have torn a line.
    whole, n_torn = defaultdict(int), 0
    for line in (tmp_path / "suggested.jsonl").read_text().splitlines():
        try:
            whole[json.loads(line)["text"].split()[2]] += 1
        except ValueError:
            n_torn += 1
    assert whole.keys() >= {name for name in clients.answers if int(name[0]) % 2}
    assert set(whole.values()) == {1}
    assert n_torn <= 2


def test_who_is_ended_answers_all_requests_that_it_took(tiny_bundle, scores, arguments):
    arguments = (*arguments, "--port", str(port := free_ports(1)[0]), "--log_format", "json")
    clients = Clients(port)
    command = [sys.executable, "-m", MODULE, "--model_dir", str(tiny_bundle.path), "--host", "127.0.0.1", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment()) as server:
        with ThreadPoolExecutor(1) as reading, clients.asking():
            log = reading.submit(server.stderr.read)
            try:
                clients.get_more()
                server.send_signal(signal.SIGTERM)
                assert server.wait(60) == 0
            finally:
                server.kill()
            n_lost = clients.n_lost
            wait_for(lambda: clients.n_lost > n_lost)
        lines = [json.loads(line) for line in log.result().splitlines()]
    taken = {line["request_id"]: line["status_code"] for line in lines if line["message"] == "request"}
    assert taken == {name: status for name, (status, _) in clients.answers.items()}
    assert set(taken.values()) == {200}
    for _, body in clients.answers.values():
        if "predictions" in body:
            given = [prediction["toxic_score"] for prediction in body["predictions"]]
            np.testing.assert_allclose(given, scores, atol=1e-6)
