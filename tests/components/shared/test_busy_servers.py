"""Requests are repeated when a server is busy or had an accident, and no more often than is said."""

import threading

import pytest
import requests
from requests.adapters import HTTPAdapter

from content_arena.components.shared.busy_servers import BusyRetry, WaitEndedError, n_repeats
from tests.components.attack_generation.filters import serving


@pytest.fixture(scope="module")
def server():
    with serving() as reply:
        yield reply


@pytest.fixture
def post(server):
    """Asks the server, which answers ``statuses`` in turn and then 200, with a retry that a test makes."""

    def ask(*statuses, **options):
        answers = iter(statuses)
        server.paths.clear()
        server.make = lambda body: (next(answers, 200), {})
        session = requests.Session()
        retry = BusyRetry.of(options.pop("repeats", 8), 0.01, **{"accidents": 2, **options})
        session.mount("http://", HTTPAdapter(max_retries=retry))
        return session.post(server.url, json={}, timeout=5)

    server.headers = {}
    return ask


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_accident_is_repeated_twice(post, server, status):
    assert post(status, status).status_code == 200
    answer = post(*[status] * 9)
    assert (answer.status_code, n_repeats(answer), len(server.paths)) == (status, 2, 3)
    assert post(status, accidents=0).status_code == status


def test_a_busy_server_is_repeated_oftener_and_is_no_accident(post):
    assert post(429, 500, 429, 429, 502, 429, 429).status_code == 200
    answer = post(*[429] * 9)
    assert (answer.status_code, n_repeats(answer)) == (429, 8)
    assert post(429, 500, repeats=1).status_code == 500


def test_a_busy_server_that_names_a_time_has_no_accident(post, server):
    server.headers = {"Retry-After": "1"}
    assert post(*[503] * 7).status_code == 200


def test_which_answers_are_accidents_can_be_said(post, server):
    answer = post(504, statuses=(502,))
    assert (answer.status_code, len(server.paths)) == (504, 1)
    assert post(502, statuses=(502,)).status_code == 200


@pytest.mark.parametrize("broken", [0, 2])
def test_silence(server, broken):
    server.paths.clear()
    over = threading.Event()
    server.make = lambda body: (over.wait(5), {})[1]
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=BusyRetry.of(8, 0.01, broken=broken)))
    with pytest.raises(requests.RequestException):
        session.post(server.url, json={}, timeout=0.1)
    over.set()
    assert len(server.paths) == 1 + broken


def test_a_failure_of_tls_is_not_repeated(server):
    session = requests.Session()
    # Each of 40 repeats would wait for a minute.
    session.mount("https://", HTTPAdapter(max_retries=BusyRetry.of(40, 60, broken=2, accidents=2)))
    with pytest.raises(requests.exceptions.SSLError):
        session.post(server.url.replace("http://", "https://"), json={}, timeout=5)


def test_a_wait_ends_when_nobody_wants_the_answer(post, server):
    ended = threading.Event()
    ended.set()
    server.headers = {"Retry-After": "60"}
    with pytest.raises(WaitEndedError):
        post(429, ended=ended)
