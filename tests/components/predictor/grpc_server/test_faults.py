"""A fault of the server: the client gets no details, and the log gets the lines of code without the message."""

import asyncio
import logging

import grpc
import pytest
from grpc import StatusCode, aio

from content_arena.components.predictor.grpc_server.calls import Calls, Method
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.middleware.door import Door
from content_arena.components.predictor.middleware.rules import Rules

SECRET = "hunter2"


def test_a_fault_is_answered_and_logged_without_its_message(caplog, monkeypatch):
    async def failing(call):
        raise RuntimeError(call.message.decode())

    async def scenario():
        calls = Calls(Rules.of(Door(), Limits(), lambda: "7"), Limits())
        server = aio.server()
        handlers = {"Fail": calls.handler(Method("/s/Fail", failing))}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(aio.AioRpcError) as failed:
                await channel.unary_unary("/s/Fail")(SECRET.encode())
        await server.stop(None)
        return failed.value

    # kserve's logging configuration may have cut its loggers off from the root, where caplog listens.
    monkeypatch.setattr(logging.getLogger("kserve"), "propagate", True)
    with caplog.at_level(logging.INFO):
        error = asyncio.run(scenario())
    assert (error.code(), error.details()) == (StatusCode.INTERNAL, "internal error")
    assert "RuntimeError on /s/Fail" in caplog.text
    assert "in failing" in caplog.text
    assert SECRET not in caplog.text
