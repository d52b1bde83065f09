"""Filters behind https://: real servers, whom they are trusted by, and what is said where they are not."""

import ssl
import warnings

import pytest

from content_arena.components.attack_generation.victims import EndpointVictim, open_victim
from content_arena.components.attack_generation.victims.tls import USUAL, Tls
from content_arena.components.shared.errors import InputError, VictimError
from tests.components.attack_generation.certificates import Authority
from tests.components.attack_generation.filters import serving

TEXTS = ["you idiot", "hello"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def context(files, clients_ca=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*files)
    if clients_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(clients_ca)
    return made


@pytest.fixture(scope="module")
def secure(authority):
    with serving(context(authority.signed("server"))) as reply:
        yield reply


@pytest.fixture(scope="module")
def choosy(authority):
    """A server that asks its clients for a certificate."""
    with serving(context(authority.signed("choosy"), authority.ca_file)) as reply:
        yield reply


def test_a_ca_that_is_named_is_trusted(secure, authority, monkeypatch, tmp_path):
    assert EndpointVictim(secure.url, tls=Tls(authority.ca_file)).score(TEXTS).tolist() == [0.5, 0.5]
    # What is said counts more than what the environment says to every program.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", Authority(tmp_path).ca_file)
    assert EndpointVictim(secure.url, tls=Tls(authority.ca_file)).score(TEXTS).tolist() == [0.5, 0.5]
    assert EndpointVictim(secure.url, tls=Tls(insecure=True)).score(TEXTS).tolist() == [0.5, 0.5]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.ca_file)
    assert EndpointVictim(secure.url).score(TEXTS).tolist() == [0.5, 0.5]


def test_a_stage_is_told_by_its_environment(secure, authority, monkeypatch):
    tls = Tls(authority.ca_file, *authority.signed("me"))
    for name, value in tls.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Tls.from_environment() == tls
    assert open_victim(secure.url).score(TEXTS).tolist() == [0.5, 0.5]


def test_nobody_else_is_trusted_and_it_is_said_at_once_with_what_to_do(secure, authority, tmp_path):
    asked = len(secure.paths)
    for tls in (USUAL, Tls(Authority(tmp_path).ca_file)):
        with pytest.raises(VictimError, match=r"cannot be verified \(.*--cacert FILE, or --insecure") as caught:
            EndpointVictim(f"{secure.url}?key=geheim-4711", tls=tls).score(TEXTS)
        assert "geheim" not in str(caught.value)
    assert len(secure.paths) == asked


def test_without_verification_there_is_no_word_at_each_request(secure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EndpointVictim(secure.url, batch_size=1, tls=Tls(insecure=True)).score(TEXTS)


@pytest.mark.parametrize(
    ("options", "advice"), [({"days": -1}, "has expired.*has to be renewed"), ({"host": "10.1.2.3"}, "a name that")]
)
def test_a_certificate_that_is_old_or_of_another_host(authority, options, advice):
    with (
        serving(context(authority.signed("other", **options))) as reply,
        pytest.raises(VictimError, match=advice),
    ):
        EndpointVictim(reply.url, tls=Tls(authority.ca_file)).score(TEXTS)


def test_a_server_that_wants_a_certificate_of_its_clients(choosy, authority, tmp_path):
    tls = Tls(authority.ca_file, *authority.signed("client"))
    assert EndpointVictim(choosy.url, tls=tls).score(TEXTS).tolist() == [0.5, 0.5]
    # What the client sees of a refusal, after which the server closes the connection, depends on what comes first.
    refused = r"--cert FILE --key FILE|is the server up"
    with pytest.raises(VictimError, match=refused):
        EndpointVictim(choosy.url, longest_wait=0.01, tls=Tls(authority.ca_file)).score(TEXTS)
    stranger = Authority(tmp_path).signed("stranger")
    with pytest.raises(VictimError, match=refused):
        EndpointVictim(choosy.url, longest_wait=0.01, tls=Tls(authority.ca_file, *stranger)).score(TEXTS)


def test_a_server_without_tls(reply):
    with pytest.raises(VictimError, match="does not speak TLS: give http://"):
        EndpointVictim(reply.url.replace("http://", "https://")).score(TEXTS)


def test_what_cannot_be_used_is_refused(authority, tmp_path):
    (tmp_path / "text.pem").write_text("no certificate")
    cert, key = authority.signed("mine")
    _, hidden = authority.signed("hidden", password=b"geheim")
    for tls, told in (
        (Tls(str(tmp_path / "away.pem")), "there is no file .*away.pem"),
        (Tls(str(tmp_path / "text.pem")), "text.pem holds no certificates"),
        (Tls(authority.ca_file, insecure=True), "leave one out"),
        (Tls(key_file=key), "give that with --cert"),
        (Tls(cert_file=cert), "mine.pem: no certificate and its key"),
        (Tls(cert_file=cert, key_file=hidden), "hidden.key: no certificate and its key .*without a password"),
    ):
        with pytest.raises(InputError, match=told):
            tls.check()
    Tls(authority.ca_file, cert, key).check()
