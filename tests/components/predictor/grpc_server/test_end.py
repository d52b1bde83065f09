"""SIGTERM, and ports that are taken: nothing is lost, and nobody is left without an answer."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc import StatusCode

from tests.components.predictor.conftest import MODULE, SLOW, clean_environment
from tests.components.predictor.test_limits import HUGE, PENDING, wait_for
from tests.ports import free_ports

from .conftest import SERVICE, asked, running_grpc


def test_who_is_ended_answers_all_calls_that_it_took(tiny_bundle):
    with running_grpc(tiny_bundle.path, "--threads", "2", "--log_format", "json") as port:
        answers, finished = {}, threading.Event()
        message = asked(["you idiot", "you are an idiot " * 50]).SerializeToString()

        def ask(client):
            number = 0
            # Each client on a connection of its own.
            with grpc.insecure_channel(port.address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
                infer = channel.unary_unary(SERVICE + "ModelInfer")
                while not finished.is_set():
                    number += 1
                    name = f"{client}-{number}"
                    try:
                        _, call = infer.with_call(message, timeout=60, metadata=(("x-request-id", name),))
                    except grpc.RpcError as error:
                        call = error
                    answers[name] = call.code()
                    if call.code() is not StatusCode.OK:
                        return

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, client) for client in range(8)]
            try:
                wait_for(lambda: len(answers) > 80)
                port.server.process.send_signal(signal.SIGTERM)
                assert port.server.process.wait(60) == 0
                # What comes later finds no server.
                for future in asking:
                    future.result(30)
            finally:
                finished.set()
        wait_for(lambda: '"Finished server process' in port.server.log)
    lines = [json.loads(line) for line in port.server.lines]
    taken = {line["request_id"]: line["status_code"] for line in lines if line["message"] == "request"}
    assert set(taken.values()) <= {200, 503}
    assert {name for name, code in answers.items() if code is StatusCode.OK} == {
        name for name, status in taken.items() if status == 200
    }
    assert set(answers.values()) == {StatusCode.OK, StatusCode.UNAVAILABLE}
    assert "Traceback" not in port.server.log


def test_what_cannot_be_finished_is_told_so_and_the_process_is_gone(tiny_bundle):
    with running_grpc(tiny_bundle.path, "--threads", "1", module=SLOW) as port, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(port.send, "ModelInfer", asked(HUGE)) for _ in range(2)]
        wait_for(lambda: port.server.metrics()[PENDING] == 2 * len(HUGE))
        port.server.process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        replies = [call.result() for call in calls]
        assert port.server.process.wait(30) == 0
        assert time.monotonic() - start < 15
    assert [(reply.code, reply.details, reply.metadata["retry-after"]) for reply in replies] == [
        (StatusCode.UNAVAILABLE, "the server is about to end", "1")
    ] * 2
    assert "Traceback" not in port.server.log


def ended(bundle, *arguments):
    command = [sys.executable, "-m", MODULE, "--model_dir", str(bundle), "--host", "127.0.0.1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean_environment())


def test_a_port_that_is_taken_is_named(tiny_bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = ended(tiny_bundle.path, "--port", 0, "--grpc_port", port)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: port {port} on 127.0.0.1 is in use")


@pytest.mark.parametrize("value", ["-1", "65536", "x", ""])
def test_what_is_no_port_is_refused(tiny_bundle, value):
    result = ended(tiny_bundle.path, "--grpc_port", value)
    assert result.returncode == 2
    assert "a port is 0 to 65535" in result.stderr


def test_http_and_grpc_on_one_port_are_refused(tiny_bundle):
    port = free_ports(1)[0]
    result = ended(tiny_bundle.path, "--port", port, "--grpc_port", port)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"cannot share port {port}" in result.stderr
