"""A request that offers an upgrade is answered as without the offer; and what else the protocol has to go on doing."""

import json
import socket

import pytest

BODY = json.dumps({"instances": ["you idiot"]}).encode()
PATH = b"POST /v1/models/content-filter:predict HTTP/1.1\r\nHost: x\r\n"
#: As Java's HttpClient and curl --http2 send it.
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAA\r\n"
WEBSOCKET = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
)
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
REQUESTS = {
    "h2c": PATH + H2C + LENGTH + BODY,
    "h2c, chunked": PATH + H2C + CHUNKED,
    "websocket": PATH + WEBSOCKET + LENGTH + BODY,
    "offer in other case": PATH + H2C.lower().replace(b"upgrade:", b"UPGRADE:") + LENGTH + BODY,
    "none": PATH + LENGTH + BODY,
}


def exchange(server, *pieces, n_answers=1):
    """Status and parsed body of each answer on one connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        stream = client.makefile("rb")
        for piece in pieces:
            client.sendall(piece)
        return [_answer(stream) for _ in range(n_answers)]


def _answer(stream):
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return status, stream.read(length)


def is_toxic(answer):
    status, body = answer
    assert status == 200, body
    return json.loads(body)["predictions"][0]["is_toxic"]


@pytest.mark.parametrize("name", REQUESTS)
def test_the_body_behind_an_offer_is_read(server, name):
    request = REQUESTS[name]
    (answer,) = exchange(server, request)
    assert is_toxic(answer)
    # In two pieces, cut between the headers and the body and inside of both.
    for cut in (30, request.index(b"\r\n\r\n") + 2, request.index(b"\r\n\r\n") + 4, len(request) - 3):
        (answer,) = exchange(server, request[:cut], request[cut:])
        assert is_toxic(answer)


def test_the_connection_goes_on_after_an_offer(server):
    everything = [*REQUESTS.values(), *REQUESTS.values()]
    assert all(map(is_toxic, exchange(server, b"".join(everything), n_answers=len(everything))))


def test_a_client_that_waits_for_100_gets_it(server):
    head = PATH + H2C + b"Expect: 100-continue\r\n" + LENGTH
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(head)
        assert client.recv(1024).startswith(b"HTTP/1.1 100")
        client.sendall(BODY)
        assert is_toxic(_answer(client.makefile("rb")))


@pytest.mark.parametrize(
    "request_",
    [
        PATH + H2C + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n{",
        b"{}\r\n\r\n",
    ],
    ids=["broken chunk", "connect", "no HTTP"],
)
def test_what_cannot_be_read_ends_the_connection(server, request_):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(request_)
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert is_toxic(exchange(server, REQUESTS["none"])[0])
