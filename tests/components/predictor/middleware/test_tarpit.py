"""Which answers are delayed."""

import asyncio

import pytest

from content_arena.components.predictor.middleware.tarpit import LARGE_BYTES, TarpitMiddleware

LARGE = [(b"content-length", str(LARGE_BYTES + 1).encode())]
HOUR = 3_600


def answer(status, headers, seconds, kind="http", ended=None):
    """What a client got of an application that answers at once; the event loop runs until there is no more to do."""
    sent, ended = [], [] if ended is None else ended

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b"{}"})
        ended.append(True)

    async def send(message):
        sent.append(message)

    async def ask():
        asked = asyncio.create_task(TarpitMiddleware(app, seconds)({"type": kind, "headers": headers}, None, send))
        for _ in range(10):
            await asyncio.sleep(0)
        asked.cancel()

    asyncio.run(ask())
    return [message["type"].removeprefix("http.response.") for message in sent]


@pytest.mark.parametrize("status", [400, 408, 413, 429])
@pytest.mark.parametrize(
    "headers",
    [LARGE, [(b"transfer-encoding", b"chunked")], [(b"host", b"a"), *LARGE], [(b"content-length", b"-1")]],
    ids=["large", "of unknown length", "with other headers", "of a length that is none"],
)
def test_a_large_request_that_is_refused_waits(status, headers):
    ended = []
    assert answer(status, headers, HOUR, ended=ended) == []
    assert ended, "the layers inside hold the body while the answer waits"
    assert answer(status, headers, 0) == ["start", "body"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, LARGE),
        (503, LARGE),
        (504, LARGE),
        (429, [(b"content-length", str(LARGE_BYTES).encode())]),
        (429, []),
    ],
)
def test_no_other_waits(status, headers):
    assert answer(status, headers, HOUR) == ["start", "body"]


def test_what_is_no_request_passes():
    assert answer(400, LARGE, HOUR, kind="lifespan") == ["start", "body"]
