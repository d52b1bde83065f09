"""Errors that the server answers itself get the form of the API that was called; where keys are found."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from content_arena.components.predictor.adapters.catalogue import Adapters
from content_arena.components.predictor.adapters.options import NAMES, AdapterOptions
from content_arena.components.predictor.adapters.perspective import key_of

PATHS = {"perspective": "/v1alpha1/comments:analyze", "openai": "/v1/moderations", "fms": "/api/v1/text/contents"}


@pytest.fixture(scope="module")
def client():
    """An application that answers with the status that it is asked for, with every adapter's layer around it."""

    async def fail(request):
        status = int(request.query_params["status"])
        return JSONResponse({"error": "why"}, status, {"Retry-After": "1"})

    async def stream(_):
        return StreamingResponse(iter([b'{"err', b'or": "why"}']), 503, {"Content-Type": "application/json"})

    app = Starlette(routes=[*(Route(path, fail) for path in PATHS.values()), Route("/other", fail)])
    app.routes.append(Route("/health", stream))
    Adapters(AdapterOptions(NAMES)).add_layer(app)
    return TestClient(app)


GOOGLE = {401: "UNAUTHENTICATED", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}
GOOGLE |= {503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
OPENAI = {401: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_exceeded"}


@pytest.mark.parametrize("status", GOOGLE)
def test_the_servers_errors_have_the_apis_form(client, status):
    answers = {name: client.get(path, params={"status": status}) for name, path in PATHS.items()}
    for answer in answers.values():
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "1")
        assert int(answer.headers["content-length"]) == len(answer.content)
    error = answers["perspective"].json()["error"]
    assert error == {"code": status, "message": "why", "status": GOOGLE[status]}
    error = answers["openai"].json()["error"]
    assert (error["message"], error["type"]) == ("why", OPENAI.get(status, "server_error"))
    assert answers["fms"].json() == {"code": status, "message": "why"}


def test_an_answer_in_parts_is_rewritten_as_a_whole(client):
    assert client.get("/health").json() == {"code": 503, "message": "why"}


def test_other_paths_and_successes_stay_as_they_are(client):
    assert client.get("/other", params={"status": 503}).json() == {"error": "why"}
    assert client.get(PATHS["openai"], params={"status": 200}).json() == {"error": "why"}


def test_a_key_is_found_in_the_query_and_in_googles_header():
    assert key_of({"query_string": b"alt=json&key=a%2Bb", "headers": []}) == "a+b"
    assert key_of({"query_string": b"", "headers": [(b"x-goog-api-key", b"abc")]}) == "abc"
    assert key_of({"query_string": b"key=", "headers": []}) is None
