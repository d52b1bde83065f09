"""A server of OpenAI's chat completions for tests: a stand-in for a real LLM, over real HTTP, with its bad days.

It writes by rule, so a test knows what it should have written.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "sk-geheim-4711"


def completion(content, finish_reason="stop", **message):
    """The body of an answer."""
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "stand-in",
        "choices": [{"index": 0, "finish_reason": finish_reason, "logprobs": None,
                     "message": {"role": "assistant", "content": content, "refusal": None, **message}}],
    }  # fmt: skip


def data_of(body):
    """The texts in a request, read as a careful LLM would."""
    return json.loads(body["messages"][1]["content"].removeprefix("<data>").removesuffix("</data>"))


def rewritten(body):
    """What the LLM writes: the words in reverse order, and for a twin something friendly."""
    words = " ".join(reversed(data_of(body)["text"].split()))
    asked = body["messages"][0]["content"]
    wanted = (
        {"implicit": f"hm, {words}", "benign": f"lovely {words}"} if '"implicit"' in asked else {"text": f"so {words}"}
    )
    return json.dumps(wanted)


class LlmServer:
    """What the server does, and what it was asked.

    Attributes:
        answer: Body of a request to the answer: a completion, content, a response, or a coroutine of one.
        bodies: Of all requests.
        authorisations: Headers of all requests.
        times: When they came, monotonic seconds.
        most_at_once: Requests that were under way at the same time, at most.
    """

    def __init__(self):
        self.url = ""
        self.reset()

    def reset(self):
        self.answer = rewritten
        self.bodies, self.authorisations, self.times = [], [], []
        self.under_way = self.most_at_once = 0

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.authorisations.append(request.headers.get("authorization"))
        self.times.append(time.monotonic())
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            found = self.answer(body)
            if asyncio.iscoroutine(found):
                found = await found
        finally:
            self.under_way -= 1
        if isinstance(found, Response):
            return found
        return JSONResponse(completion(found) if isinstance(found, str) else found)


def in_turn(*answers):
    """An answer for each request, the last one for all that follow; functions get the body."""
    left = list(answers)

    def answer(body):
        found = left.pop(0) if len(left) > 1 else left[0]
        return found(body) if callable(found) and not isinstance(found, Response) else found

    return answer


def error(status, headers=None, **facts):
    """An answer with OpenAI's object of an error."""
    return JSONResponse(
        {"error": {"message": "no", "type": "x", "param": None, "code": None, **facts}}, status, headers
    )


@contextmanager
def serving():
    """The server, until the block ends."""
    llm = LlmServer()
    app = Starlette(routes=[Route("/v1/chat/completions", llm.complete, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    llm.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield llm
    finally:
        server.should_exit = True
        thread.join()
