"""What one client may cost a real server: its size, its memory, its time, and the others' turn."""

import contextlib
import gzip
import json
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from .conftest import SLOW, running

MIB = 1024 * 1024
IDIOT = json.dumps({"instances": ["you idiot"]}).encode()
#: About 900 tokens in each text, of 65,536 that may wait: four batches, of which each takes the slow server 1/4 s.
HUGE = ["you are an idiot " * 100] * 20
PENDING = 'content_arena_model_pending_texts{model_version="7"}'


@pytest.fixture
def slow(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "7", "--threads", "1", module=SLOW) as server:
        yield server


@contextlib.contextmanager
def in_flight(server, n_requests, texts):
    """Huge requests that the server has begun; gives their futures."""
    with ThreadPoolExecutor(n_requests) as pool:
        yield_to = [pool.submit(server.predict, json={"instances": texts}) for _ in range(n_requests)]
        wait_for(lambda: server.metrics()[PENDING] == n_requests * len(texts))
        try:
            yield yield_to
        finally:
            server.process.kill()


def wait_for(condition):
    for _ in range(2_000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


def peak_mib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def binary(n):
    tensor = {"name": "t", "shape": [n], "datatype": "BYTES", "parameters": {"binary_data_size": 4 * n}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + struct.pack("<I", 0) * n, {"inference-header-content-length": str(len(head))}


BOMBS = {
    "lists": (b"[" + b"[]," * (5 * MIB) + b"[]]", {}),
    "objects": (b'{"instances": [' + b"{}," * (5 * MIB) + b"{}]}", {}),
    "texts": (b'{"instances": [' + b'"",' * (5 * MIB) + b'""]}', {}),
    "numbers": (b'{"inputs": [' + b"1," * (7 * MIB) + b"1]}", {}),
    "nested": (b"[" * (15 * MIB), {}),
    "a string without an end": (b'{"instances": ["' + rb"\"" * (7 * MIB), {}),
    "a long string": (b'{"instances": ["' + b"x" * (15 * MIB) + b'"]}', {}),
    "elements": binary(3 * MIB),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("protocol", ["predict", "infer"])
def test_a_large_body_is_refused_before_it_is_built(server, name, protocol):
    body, headers = BOMBS[name]
    assert server.predict(json={"instances": ["you idiot"]}).ok
    before = peak_mib(server)
    assert getattr(server, protocol)(data=body, headers=headers).status_code == 400
    # The body itself, in pieces and in one, and what the allocator keeps of an earlier one; parsed, it is 400 MiB.
    assert peak_mib(server) - before < 100


def test_endpoints_that_need_no_body_read_none(server):
    before = peak_mib(server)
    repository = "/v2/repository/models/content-filter"
    paths = {"/v2/models/content-filter/versions/7/infer": 404, f"{repository}/unload": 404, f"{repository}/load": 200}
    for path, status in paths.items():
        response = requests.post(server.url + path, data=BOMBS["lists"][0], timeout=30)
        assert response.status_code == status
    assert peak_mib(server) - before < 50


def test_a_text_that_reading_makes_too_long_is_named_and_refused(make_bundle):
    # Version 1 of the canonicaliser makes four words of this character.
    with running(make_bundle(canonical_version="1").path) as server:
        response = server.predict(json={"instances": ["you idiot", "\ufdfa" * 5_000]})
        assert response.status_code == 400
        assert "instance 1 has" in response.json()["error"]
        assert server.predict(json={"instances": ["you idiot", "\ufdfa" * 500]}).status_code == 200


def test_a_request_of_too_much_work_is_refused_and_one_of_less_is_not(server):
    long_text = "you are an idiot " * 290
    response = server.predict(json={"instances": [long_text] * 256})
    assert response.status_code == 413
    assert "send fewer" in response.json()["error"]
    assert server.predict(json={"instances": [long_text] * 8}).status_code == 200


def test_gzip_is_served(server):
    for encoding in ("gzip", "GZIP", "x-gzip"):
        response = server.predict(data=gzip.compress(IDIOT), headers={"content-encoding": encoding})
        assert response.json()["predictions"][0]["is_toxic"]
    assert server.predict(data=IDIOT, headers={"content-encoding": "identity"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (IDIOT, "gzip", 400),
        (gzip.compress(IDIOT)[:-1], "gzip", 400),
        (gzip.compress(IDIOT) + b"x", "gzip", 400),
        (gzip.compress(IDIOT) * 2, "gzip", 400),
        (b"", "gzip", 400),
        (gzip.compress(b" " * (200 * MIB)), "gzip", 413),
        (IDIOT, "br", 415),
        (IDIOT, "gzip, gzip", 415),
        (IDIOT, "deflate", 415),
    ],
    ids=["plain", "cut", "more", "two", "empty", "bomb", "br", "twice", "deflate"],
)
def test_other_encodings_and_broken_gzip_are_refused(server, body, encoding, status):
    before = peak_mib(server)
    for send in (server.predict, server.infer):
        response = send(data=body, headers={"content-encoding": encoding})
        assert response.status_code == status
        assert list(response.json()) == ["error"]
    assert status != 415 or response.headers["accept-encoding"] == "gzip"
    assert peak_mib(server) - before < 60


def test_slow_senders_take_bounded_memory_and_leave_room_for_others(server):
    head = b"POST /v1/models/content-filter:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (16 * MIB)
    with contextlib.ExitStack() as stack:
        answers = []
        for _ in range(12):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            client.sendall(head + b" " * (8 * MIB))
            answers.append(client)
        # Seven times 8 MiB fit into 64; those that do not are told so, and others are served meanwhile.
        refused = 0
        for client in answers:
            client.settimeout(2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                answer = client.recv(65_536)
                refused += answer.startswith(b"HTTP/1.1 429") and b"retry-after: 1" in answer
        assert refused >= 1
        assert server.predict(data=IDIOT).status_code == 200
    wait_for(lambda: server.predict(data=b" " * (15 * MIB) + IDIOT).status_code == 200)


def test_a_large_body_that_is_no_request_is_answered_before_it_is_there(slow):
    with socket.create_connection(("127.0.0.1", slow.port), timeout=30) as client:
        head = b"POST /v1/models/content-filter:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (15 * MIB)
        client.sendall(head + b"[" + b"[]," * (MIB // 24))
        assert client.recv(65_536).startswith(b"HTTP/1.1 400")
    assert slow.predict(data=IDIOT).status_code == 200


def test_a_body_that_never_ends_is_given_up(slow):
    with socket.create_connection(("127.0.0.1", slow.port), timeout=30) as client:
        head = b"POST /v1/models/content-filter:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        client.sendall(head)
        assert client.recv(65_536).startswith(b"HTTP/1.1 408")


def test_a_short_request_does_not_wait_behind_huge_ones(slow):
    with in_flight(slow, 2, HUGE) as huge:
        for _ in range(3):
            assert slow.predict(data=IDIOT).json()["predictions"][0]["is_toxic"]
        assert not any(future.done() for future in huge)


def test_a_full_queue_is_told_with_the_time_to_try_again_and_small_requests_are_served(slow):
    with in_flight(slow, 2, HUGE):
        refused = slow.predict(json={"instances": HUGE})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert slow.predict(data=IDIOT).status_code == 200


def test_past_the_deadline_a_request_is_given_up_and_its_place_is_free(tiny_bundle):
    arguments = ("--model_version", "7", "--threads", "1", "--deadline", "1")
    with running(tiny_bundle.path, *arguments, module=SLOW) as server:
        assert server.predict(json={"instances": HUGE}).status_code == 504
        assert server.metrics()[PENDING] == 0
        assert server.predict(data=IDIOT).status_code == 200


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_deadline_is_a_positive_number_of_seconds(seconds, capsys):
    from content_arena.components.predictor.server import main

    with pytest.raises(SystemExit) as stop:
        main(["--deadline", seconds])
    assert stop.value.code == 2


def test_what_cannot_be_finished_is_told_so_and_the_process_is_gone(slow):
    with in_flight(slow, 2, HUGE) as huge:
        slow.process.send_signal(signal.SIGTERM)
        # The slow server gives two seconds where the real one gives fifteen.
        assert slow.process.wait(20) == 0
        for future in huge:
            answer = future.result()
            assert (answer.status_code, list(answer.json())) == (503, ["error"])
            assert answer.headers["connection"] == "close"
    assert "Traceback" not in slow.log
