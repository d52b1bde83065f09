"""What holds for every call: keys, rates, probes, metrics, the log, bounds and deadlines, on real servers."""

import asyncio
import json
import re
import time

import grpc
import pytest
from grpc import StatusCode, aio
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.components.predictor.conftest import SLOW
from tests.components.predictor.test_limits import HUGE, peak_mib, wait_for

from .conftest import MODEL, SERVICE, asked, running_grpc

BOT, GAME, TOKEN = "bot-key-0123456789", "game-key-0123456789", "token-of-the-rollout"
SECRET = "hunter2 is an idiot"
INFER = SERVICE + "ModelInfer"
REQUESTS = f'content_arena_api_requests_total{{method="POST",model_version="7",path="{INFER}",status="%d"}}'
KEY_REQUESTS = 'content_arena_api_key_requests_total{key="%s",model_version="7",status="%d"}'
PROBES = 'content_arena_probe_requests_total{model_version="7",status="200"}'
SCORED = 'content_arena_model_score_count{model_version="7"}'


@pytest.fixture(scope="module")
def keyed(tiny_bundle):
    arguments = ["--key_rate", "0.01", "--key_burst", "20", "--log_format", "json", "--log_text_hashes"]
    environment = {"CONTENT_ARENA_PROBE_TOKEN": TOKEN, "CONTENT_ARENA_API_KEYS": f"bot={BOT}\ngame={GAME}"}
    with running_grpc(tiny_bundle.path, *arguments, environment=environment) as port:
        yield port


def bearer(key):
    return (("authorization", f"Bearer {key}"),)


def grows(port, name, by=1):
    """Waits until a sample has grown; a call is counted before the client has its answer, or shortly after."""
    before = port.server.metrics().get(name, 0)

    def has_grown():
        return port.server.metrics().get(name, 0) == before + by

    return has_grown


def line_of(port, request_id):
    found = []

    def is_there():
        lines = [json.loads(line) for line in port.server.lines]
        found.extend(line for line in lines if line.get("request_id") == request_id)
        return bool(found)

    wait_for(is_there)
    return found[0]


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer("nobodys-key-0123456789"),
        (("authorization", BOT),),
        (("x-api-key", ""),),
        (("x-api-key", "x" * 5_000),),
        (("x-content-arena-probe", "true"),),
    ],
)
def test_without_a_valid_key_no_message_is_read(keyed, metadata):
    # The message would be an INVALID_ARGUMENT.
    reply = keyed.send("ModelInfer", b"\xff", metadata)
    assert reply.code is StatusCode.UNAUTHENTICATED
    assert "API key" in reply.details


def test_health_alone_is_open(keyed):
    for method in ("ServerLive", "ServerReady", "ModelReady"):
        assert keyed.send(method, pb.ModelReadyRequest(name=MODEL)).code is StatusCode.OK
    for method in ("ServerMetadata", "ModelMetadata", "RepositoryModelLoad", "RepositoryModelUnload"):
        assert keyed.send(method).code is StatusCode.UNAUTHENTICATED


def test_a_key_has_one_rate_for_http_and_grpc(keyed):
    for metadata in (
        bearer(BOT),
        (("authorization", f"bEARER  {BOT}"),),
        (("x-api-key", BOT),),
        # A gateway in front may have a token of its own.
        (*bearer("of-a-gateway"), *bearer(BOT)),
        (*bearer("of-a-gateway"), ("x-api-key", BOT)),
    ):
        keyed.infer(asked(["x"]), metadata)
    is_counted = grows(keyed, KEY_REQUESTS % ("bot", 200), 15)
    headers = {"x-api-key": BOT}
    assert [keyed.server.predict(json={"instances": ["x"]}, headers=headers).status_code for _ in range(15)] == [
        200
    ] * 15
    wait_for(is_counted)
    is_counted = grows(keyed, KEY_REQUESTS % ("bot", 429))
    reply = keyed.send("ModelInfer", asked(["x"]), bearer(BOT))
    assert reply.code is StatusCode.RESOURCE_EXHAUSTED
    assert 0 < int(reply.metadata["retry-after"]) <= 100
    wait_for(is_counted)
    keyed.infer(asked(["x"]), bearer(GAME))


def test_a_probe_with_the_token_needs_no_key_and_is_counted_apart(keyed):
    is_counted, before = grows(keyed, PROBES), keyed.server.metrics()
    reply = keyed.send("ModelInfer", asked([SECRET]), (("x-content-arena-probe", TOKEN), ("x-request-id", "probe-1")))
    assert reply.code is StatusCode.OK
    assert reply.metadata == {"x-request-id": "probe-1"}
    wait_for(is_counted)
    after = keyed.server.metrics()
    assert after[SCORED] == before[SCORED]
    assert after.get(REQUESTS % 200) == before.get(REQUESTS % 200)
    line = line_of(keyed, "probe-1")
    assert (line["probe"], line["key"]) == (True, "rollout")


@pytest.mark.parametrize("token", ["true", TOKEN[:-1], ""])
def test_a_probe_without_the_token_is_a_user(keyed, token):
    is_counted, before = grows(keyed, REQUESTS % 200), keyed.server.metrics()
    reply = keyed.send("ModelInfer", asked(["x"]), (*bearer(GAME), ("x-content-arena-probe", token)))
    assert (reply.code, reply.metadata["x-content-arena-probe"]) == (StatusCode.OK, "refused")
    wait_for(is_counted)
    after = keyed.server.metrics()
    assert after.get(PROBES, 0) == before.get(PROBES, 0)
    assert after[SCORED] == before[SCORED] + 1


def test_a_line_for_each_call_and_no_text_in_it(keyed):
    reply = keyed.send("ModelInfer", asked([SECRET, "nice day"]), (*bearer(GAME), ("x-request-id", "mine-1")))
    assert reply.metadata == {"x-request-id": "mine-1"}
    line = line_of(keyed, "mine-1")
    assert 0 < line.pop("response_time") < 30
    hashes = line.pop("text_hashes")
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in hashes)
    assert len(set(hashes)) == 2
    del line["timestamp"]
    assert line == {
        "level": "INFO",
        "logger": "content_arena.requests",
        "message": "request",
        "request_id": "mine-1",
        "http_method": "POST",
        "path": INFER,
        "status_code": 200,
        "model_version": "7",
        "key": "game",
        "instances": 2,
        "probe": False,
    }


def test_a_call_without_a_usable_id_gets_one(keyed):
    for metadata in ((), (("x-request-id", "two words"),), (("x-request-id", "x" * 129),)):
        reply = keyed.send("ModelInfer", b"\xff", (*bearer(GAME), *metadata))
        assert re.fullmatch("[0-9a-f]{32}", reply.metadata["x-request-id"])
        assert line_of(keyed, reply.metadata["x-request-id"])["status_code"] == 400


def test_every_line_is_json_and_none_has_a_text_or_a_secret(keyed):
    keyed.send("ModelInfer", asked([SECRET] * 257), bearer(GAME))
    keyed.send("ModelInfer", b"x" * 6_000_000, bearer(GAME))
    keyed.send("ModelInfer", asked([SECRET]), bearer(GAME), compression=grpc.Compression.Gzip)
    assert keyed.send("ModelInfer", asked([SECRET]), bearer(GAME)).code is StatusCode.OK
    assert all(secret not in keyed.server.log for secret in ("hunter2", BOT, GAME, TOKEN))
    logged = [json.loads(line) for line in keyed.server.lines]
    assert not any("exception" in line for line in logged)
    paths = {line["path"] for line in logged if line["message"] == "request" and line["status_code"] == 200}
    assert paths.isdisjoint(SERVICE + method for method in ("ServerLive", "ServerReady", "ModelReady"))


def test_a_message_over_the_limit_is_refused_and_counted(served):
    is_counted = grows(served, REQUESTS % 413)
    reply = served.send("ModelInfer", b"x" * 6_000_000)
    assert reply.code is StatusCode.RESOURCE_EXHAUSTED
    wait_for(is_counted)
    assert "Traceback" not in served.server.log


BOMBS = {
    "tensors": b"\x2a\x00" * 2_500_000,
    "raw contents": b"\x3a\x00" * 2_500_000,
    "elements": asked([""] * 2_000_000).SerializeToString(),
    "dimensions": asked(["x"], [1] * 4_000_000).SerializeToString(),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_large_message_is_refused_before_it_is_built(served, name):
    served.infer()
    before = peak_mib(served.server)
    assert served.send("ModelInfer", BOMBS[name]).code is StatusCode.INVALID_ARGUMENT
    # The message itself, in pieces and in one; the tensors would be 220 MiB.
    assert peak_mib(served.server) - before < 60


def test_a_packed_message_is_refused_before_it_is_unpacked(served):
    reply = served.send("ModelInfer", asked(["x"]), compression=grpc.Compression.Gzip)
    assert reply.code is StatusCode.UNIMPLEMENTED


def test_the_refusal_of_a_large_message_comes_a_second_later(served):
    start = time.perf_counter()
    assert served.send("ModelInfer", asked(["x" * 4_000] * 10, [11])).code is StatusCode.INVALID_ARGUMENT
    assert time.perf_counter() - start > 1


@pytest.fixture(scope="module")
def slow(tiny_bundle):
    """A quarter of a second for every batch, two seconds for a message, room for few large ones."""
    with running_grpc(tiny_bundle.path, "--threads", "1", "--deadline", "1", module=SLOW) as port:
        yield port


def test_the_servers_deadline(slow):
    is_counted = grows(slow, REQUESTS % 504)
    reply = slow.send("ModelInfer", asked(HUGE), timeout=20)
    assert (reply.code, reply.details) == (StatusCode.DEADLINE_EXCEEDED, "the texts were not scored in time")
    wait_for(is_counted)


def test_who_gives_up_is_counted_and_scored_no_more(slow):
    is_counted = grows(slow, REQUESTS % 499)
    assert slow.send("ModelInfer", asked(HUGE), timeout=0.2).code is StatusCode.DEADLINE_EXCEEDED
    wait_for(is_counted)
    wait_for(lambda: slow.server.metrics()['content_arena_model_pending_texts{model_version="7"}'] == 0)


def test_too_many_waiting_texts_are_told_with_the_time_to_try_again(slow):
    async def flood():
        async with aio.insecure_channel(slow.address) as channel:
            infer = channel.unary_unary(INFER)
            message = asked(HUGE).SerializeToString()
            return await asyncio.gather(*(_reply(infer(message)) for _ in range(20)))

    async def _reply(call):
        await call.code()
        return await call.code(), dict(await call.trailing_metadata()).get("retry-after")

    replies = asyncio.run(flood())
    assert (StatusCode.RESOURCE_EXHAUSTED, "1") in replies
    assert {code for code, _ in replies} == {StatusCode.RESOURCE_EXHAUSTED, StatusCode.DEADLINE_EXCEEDED}


def test_slow_senders_are_bounded_in_time_and_number(slow):
    async def many():
        async with aio.insecure_channel(slow.address) as channel:
            calls = [channel.stream_unary(INFER)() for _ in range(15)]
            start = time.perf_counter()
            codes = [await call.code() for call in calls]
            return codes, time.perf_counter() - start, [await call.details() for call in calls]

    codes, seconds, details = asyncio.run(many())
    # 64 MiB are 13 messages of the largest size.
    assert codes.count(StatusCode.RESOURCE_EXHAUSTED) == 2, details
    assert codes.count(StatusCode.DEADLINE_EXCEEDED) == 13, details
    assert seconds > 2
    slow.infer(asked(["x"]))


def test_http_and_grpc_have_one_bound_for_large_bodies(slow):
    async def scenario():
        async with aio.insecure_channel(slow.address) as channel:
            calls = [channel.stream_unary(INFER)() for _ in range(13)]
            await asyncio.sleep(0.7)
            body = b" " * 4_000_000 + b'{"instances": ["x"]}'
            answer = await asyncio.to_thread(slow.server.predict, data=body)
            for call in calls:
                call.cancel()
            return answer

    answer = asyncio.run(scenario())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    wait_for(lambda: slow.server.predict(data=b" " * 4_000_000 + b'{"instances": ["x"]}').status_code == 200)


def test_calls_at_once_are_bounded_but_for_health(slow):
    async def scenario():
        message = asked(["x"]).SerializeToString()
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with (
            aio.insecure_channel(slow.address, options) as one,
            aio.insecure_channel(slow.address, options) as two,
        ):
            calls = [channel.unary_unary(INFER)(message) for channel in (one, two) for _ in range(600)]
            live = two.unary_unary(SERVICE + "ServerLive")(b"")
            return [(await call.code(), await call.details()) for call in calls], await live.code()

    told, live = asyncio.run(scenario())
    assert (StatusCode.RESOURCE_EXHAUSTED, "too many requests at once") in told
    assert live is StatusCode.OK


def test_the_address_is_that_of_http(served):
    with grpc.insecure_channel(f"127.0.0.2:{served.port}") as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(0.5)
