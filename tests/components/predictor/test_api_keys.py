"""Where keys come from, whose a key is, and how many requests it may send; without a server."""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.predictor.middleware.access import Access
from content_arena.components.predictor.middleware.api_keys import ApiKeys
from content_arena.components.predictor.middleware.door import (
    API_KEYS_FILE_VARIABLE,
    API_KEYS_VARIABLE,
    LOG_SALT_VARIABLE,
    PROBE_TOKEN_VARIABLE,
    Door,
    DoorOptions,
)
from content_arena.components.predictor.middleware.guard import GuardMiddleware
from content_arena.components.predictor.middleware.rates import Rate, RateLimiter
from content_arena.components.shared.errors import InputError

BOT, GAME = "bot-key-0123456789", "game=key=0123456789"


def test_a_file_has_lines_of_names_and_keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the chat\nbot={BOT}\n\n game = {GAME} \r\n")
    keys = ApiKeys.load(path)
    assert keys.names == ["bot", "game"]
    assert [keys.name_of(key) for key in (BOT, GAME, "nobodys-key-0123456789", "")] == ["bot", "game", None, None]


def test_a_folder_is_read_as_kubernetes_mounts_a_secret(tmp_path):
    hidden = tmp_path / "..2026_11_29"
    hidden.mkdir()
    for name, key in {"bot": BOT, "game": f"{GAME}\n"}.items():
        (hidden / name).write_text(key)
        (tmp_path / name).symlink_to(f"..data/{name}")
    (tmp_path / "..data").symlink_to(hidden.name)
    keys = ApiKeys.load(tmp_path)
    assert keys.names == ["bot", "game"]
    assert keys.name_of(GAME) == "game"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no key"),
        ("# none", "no key"),
        (BOT, "line 1 is not NAME=KEY"),
        (f"bot={BOT}\nbot={GAME}", "line 2 repeats the name 'bot'"),
        (f"bot={BOT}\ngame={BOT}", "two names have the same key"),
        ("bot=short", "key of bot must have 16"),
        ("bot=", "key of bot must have 16"),
        (f"bot={BOT} {BOT}", "without spaces"),
        (f"bot={BOT}ä", "ASCII"),
        (f"rollout={BOT}", "kept for a rollout"),
        (f"{BOT} {BOT}=bot", "a name has at most"),
    ],
)
def test_what_cannot_be_a_key_is_refused_and_never_quoted(text, words):
    with pytest.raises(InputError, match=words) as refusal:
        ApiKeys.parse(text, "$KEYS")
    assert "$KEYS" in str(refusal.value)
    assert BOT not in str(refusal.value)


def test_a_path_without_keys_does_not_open_the_door(tmp_path):
    for path, words in ((tmp_path, "no key"), (tmp_path / "none", "cannot be read: No such file")):
        with pytest.raises(InputError, match=words):
            Door.of(DoorOptions(api_keys=path), {})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        ApiKeys.load(tmp_path / "bytes")


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_any_text_is_somebodys_key_or_nobodys(text):
    keys = ApiKeys({"bot": BOT})
    assert keys.name_of(text) == ("bot" if text == BOT else None)


def test_the_door_takes_secrets_from_files_and_the_environment_only(tmp_path):
    assert Door.of(DoorOptions(), {}) == Door()
    assert Door.of(DoorOptions(), {API_KEYS_VARIABLE: f"bot={BOT}"}).keys.names == ["bot"]
    (tmp_path / "game").write_text(GAME)
    assert Door.of(DoorOptions(), {API_KEYS_FILE_VARIABLE: str(tmp_path)}).keys.names == ["game"]
    door = Door.of(
        DoorOptions(tmp_path, key_rate=2.5, log_format="json", log_text_hashes=True),
        {PROBE_TOKEN_VARIABLE: "token", LOG_SALT_VARIABLE: "salt"},
    )
    assert (door.rate, door.probe_token, door.logs_json, door.log_salt) == (Rate(2.5, 2), "token", True, "salt")
    assert door.described()[0] == "API keys of game; each 2.5 requests a second, 2 at once"
    assert all(secret not in "".join(door.described()) for secret in (GAME, "token=", "salt"))


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ({}, {API_KEYS_VARIABLE: ""}, "no key"),
        ({}, {API_KEYS_FILE_VARIABLE: ""}, "is empty"),
        ({}, {API_KEYS_VARIABLE: f"bot={BOT}", API_KEYS_FILE_VARIABLE: "/keys"}, "give one of them"),
        ({"key_rate": 1}, {}, "needs API keys"),
        ({"key_burst": 1}, {API_KEYS_VARIABLE: f"bot={BOT}"}, "needs a rate"),
        ({"key_rate": 0.0}, {API_KEYS_VARIABLE: f"bot={BOT}"}, "more than 0"),
        ({"key_rate": float("nan")}, {API_KEYS_VARIABLE: f"bot={BOT}"}, "more than 0"),
        ({"key_rate": 1, "key_burst": 0}, {API_KEYS_VARIABLE: f"bot={BOT}"}, "1 request or more"),
        ({"log_format": "xml"}, {}, "text or json"),
        ({"log_text_hashes": True}, {}, "log format"),
    ],
)
def test_options_without_effect_are_refused(options, environment, words):
    with pytest.raises(InputError, match=words):
        Door.of(DoorOptions(**options), environment)


def test_a_door_that_is_open_says_so():
    assert "every client is served" in Door().described()[0]
    assert "probes of a rollout are counted as users' requests" in Door().described()[1]


def status_at(path, query):
    """The answer to a request that has its key in the query, if at all; only /other looks there."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    access = Access(ApiKeys({"bot": BOT}))
    layer = GuardMiddleware(app, access, "m", key_finders={"/other": lambda scope: scope["query"]})
    routes = SimpleNamespace(routes=[])
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query": query, "app": routes}
    asyncio.run(layer(scope, None, send))
    return sent[0]["status"]


def test_another_apis_clients_may_have_their_key_elsewhere():
    assert [status_at("/other", BOT), status_at("/other", None), status_at("/other", GAME)] == [200, 401, 401]
    assert status_at("/v1/models/m:predict", BOT) == 401


def test_a_burst_and_then_the_rate():
    now = [0.0]
    limiter = RateLimiter(Rate(2, 3), lambda: now[0])
    assert [limiter.wait("bot") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.wait("game") == 0
    now[0] = 0.4
    assert limiter.wait("bot") == pytest.approx(0.1)
    now[0] = 0.5
    assert [limiter.wait("bot") for _ in range(2)] == [0, 0.5]
    now[0] = 100
    assert [limiter.wait("bot") for _ in range(4)] == [0, 0, 0, 0.5]


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_never_more_than_a_burst_and_the_rate_and_who_keeps_to_the_rate_is_never_refused(rate, burst, pauses):
    now = [0.0]
    limiter = RateLimiter(Rate(rate, burst), lambda: now[0])
    admitted = 0
    for pause in pauses:
        now[0] += pause
        admitted += limiter.wait("bot") == 0
        assert admitted <= burst + rate * now[0] + 1e-3
    steady = RateLimiter(Rate(rate, 1), lambda: now[0])
    for _ in range(50):
        now[0] += 1 / rate
        assert steady.wait("bot") == 0
