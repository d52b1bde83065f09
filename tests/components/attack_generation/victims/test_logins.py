"""Logins are sent with requests and stand nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation.settings import HEADERS_VARIABLE, QUERY_VARIABLE
from content_arena.components.attack_generation.victims import EndpointVictim, open_victim
from content_arena.components.attack_generation.victims.addresses import shown
from content_arena.components.attack_generation.victims.logins import Login, split
from content_arena.components.shared.errors import InputError, VictimError
from tests.components.attack_generation import faulty_proxy

SECRET = "geheim-4711"


def test_a_login_in_the_url_is_used_and_not_shown(reply):
    url = reply.url.replace("http://", f"http://user:{SECRET}%2F%40@") + f"/v1/models/theirs?api_key={SECRET}"
    victim = open_victim(url)
    victim.score(["a"])
    assert reply.paths == [f"/v1/models/theirs:predict?api_key={SECRET}"]
    assert reply.asked[0]["Authorization"] == "Basic dXNlcjpnZWhlaW0tNDcxMS9A"
    assert victim.version == f"{reply.url}/v1/models/theirs"
    assert SECRET not in f"{victim.url}{victim.version}{victim._connection.session.auth!r}"


def test_headers_come_from_the_environment_of_a_stage(reply, monkeypatch):
    given, login = split(f"{reply.url}?key={SECRET}", [f"Authorization: Bearer {SECRET}", "Host: filter.example"])
    assert given == reply.url
    assert login.as_environment() == {
        HEADERS_VARIABLE: f"Authorization: Bearer {SECRET}\nHost: filter.example",
        QUERY_VARIABLE: f"key={SECRET}",
    }
    for name, value in login.as_environment().items():
        monkeypatch.setenv(name, value)
    open_victim(given).score(["a"])
    assert reply.asked[0]["Authorization"] == f"Bearer {SECRET}"
    assert reply.asked[0]["Host"] == "filter.example"
    assert reply.paths[0].endswith(f"?key={SECRET}")


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_no_error_holds_a_login(reply, status):
    reply.status = status
    url = reply.url.replace("http://", f"http://user:{SECRET}@") + f"/v1/models/a?api_key={SECRET}"
    victim = EndpointVictim(url, longest_wait=0.01)
    with pytest.raises(VictimError) as caught:
        victim.score(["a"])
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_log_holds_a_login_when_a_connection_breaks_off(reply, caplog):
    with faulty_proxy.before(reply.url) as proxy:
        proxy.reset("dead", lambda n: n <= 2)
        EndpointVictim(f"{proxy.url}/v1/models/a?api_key={SECRET}", longest_wait=0.01).score(["a"])
    assert proxy.n_requests == 3
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@127.0.0.1:9/v1/models/a?key={SECRET}",
        f"http://user:{SECRET}/x@host/v1/models/a",
        f"http://user:{SECRET}@host/v1/models?k={SECRET}",
        f"http://user:{SECRET}@/v1/models/a",
        f"user:{SECRET}@host:8080/v1/models/a",
        f"http://user:1/{SECRET}@host/v1/models/a",
    ],
)
def test_a_url_that_is_refused_is_shown_without_its_login(url):
    with pytest.raises((InputError, VictimError)) as caught:
        open_victim(url).score(["a"])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "line", [f"Bearer {SECRET}", f"A: {SECRET}\nB: 1", f"A b: {SECRET}", f"A: {SECRET}\u2028x", ": x"]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(line):
    with pytest.raises(InputError, match="header 1 cannot be sent") as caught:
        split("http://host", [line])
    assert SECRET not in str(caught.value)


def test_two_logins_and_headers_for_no_url_are_refused():
    with pytest.raises(InputError, match="two logins"):
        split("http://user:pw@host", ["authorization: Bearer x"])
    with pytest.raises(InputError, match="behind a URL"):
        split("champion", ["A: b"])
    assert split("champion") == ("champion", Login())


_PART = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@/?#"), min_size=6, max_size=20)


@given(
    _PART, st.sampled_from(["http://u:{}@host/a", "http://{}@host", "http://host/a?k={}", "u:{}@host", "http://h#{}"])
)
def test_what_is_shown_holds_no_login(secret, form):
    secret = f"~{secret}~"
    assert secret not in shown(form.format(secret))


def test_netrc_is_not_asked_where_a_login_is_given(reply, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password wrong\n")
    monkeypatch.setenv("NETRC", os.fspath(tmp_path / "netrc"))
    EndpointVictim(reply.url, login=Login({"Authorization": "Bearer right"})).score(["a"])
    assert reply.asked[0]["Authorization"] == "Bearer right"
