"""The pods of each variant, and the access to a pod."""

import json
import re
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import certifi
import pytest
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from content_arena.components.canary_rollout.measuring.endpoints import (
    ApiServerProxy,
    PodAddresses,
    ReachError,
    port_of,
    ready,
    variants,
)
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.mode import StableSpec, View
from content_arena.components.shared.errors import InputError
from tests.background import serve
from tests.components.canary_rollout.variants_under_test import CHALLENGER, MODE, STABLE, pod, view


def test_standard_mode_selects_pods_by_their_deployments():
    champion, challenger = variants(view(), MODE, STABLE, CHALLENGER)
    assert champion.labels == "app=isvc.filter-v1-predictor"
    assert challenger.labels == "app=isvc.filter-v2-predictor"
    assert re.fullmatch(champion.pod_names, "filter-v1-predictor-5d4f6b7c8-x2x9z")
    assert not re.fullmatch(champion.pod_names, "filter-v11-predictor-5d4f6b7c8-x2x9z")


def test_a_stable_without_a_name_is_not_taken_for_every_variant():
    champion, _ = variants(view(), MODE, replace(STABLE, mode_state=StableSpec("").as_state()), CHALLENGER)
    assert champion.labels == "app=isvc.filter-predictor"
    assert re.fullmatch(champion.pod_names, "filter-predictor-5d4f6b7c8-x2x9z")
    assert not re.fullmatch(champion.pod_names, "filter-v2-predictor-5d4f6b7c8-x2x9z")


def test_knative_mode_selects_pods_by_their_revisions():
    service = {
        "metadata": {"name": "filter"},
        "spec": {"predictor": {"model": {"storageUri": CHALLENGER.storage_uri}}},
        "status": {"components": {"predictor": {"latestCreatedRevision": "filter-predictor-00002"}}},
    }
    stable = replace(STABLE, mode_state=StableSpec("v1", revision="filter-predictor-00001").as_state())
    champion, challenger = variants(View(service), Knative(), stable, CHALLENGER)
    assert champion.labels == "serving.knative.dev/revision=filter-predictor-00001"
    assert challenger.labels == "serving.knative.dev/revision=filter-predictor-00002"
    assert re.fullmatch(challenger.pod_names, "filter-predictor-00002-deployment-5d4f6b7c8-x2x9z")
    # A status that lags behind still names stable's revision.
    behind = replace(stable, mode_state=StableSpec("v1", revision="filter-predictor-00002").as_state())
    unknown = variants(View(service), Knative(), behind, CHALLENGER)[1]
    assert (unknown.labels, unknown.pod_names) == ("", "")


def test_only_pods_that_answer_users_are_ready():
    leaving = pod("leaving", 1)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pending = {"metadata": {"name": "pending"}, "status": {}}
    assert [p["metadata"]["name"] for p in ready([pod("a", 1), leaving, pending, pod("b", 1, ready=False)])] == ["a"]


def test_the_port_is_the_predictors_and_not_a_sidecars():
    found = pod("a", 9000)
    found["spec"]["containers"].insert(0, {"name": "queue-proxy", "ports": [{"containerPort": 8012}]})
    assert port_of(found) == 9000
    assert port_of({"spec": {"containers": [{"name": "kserve-container"}]}}) == 8080


def test_addresses_of_both_families():
    found = pod("a", 9000)
    assert PodAddresses().url(found) == "http://127.0.0.1:9000"
    found["status"]["podIP"] = "fd00::7"
    assert PodAddresses().url(found) == "http://[fd00::7]:9000"


def test_the_environments_proxy_is_not_used_for_pods(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert PodAddresses().session().trust_env is False


@pytest.fixture
def api_server(tmp_path, monkeypatch):
    """An API server that answers with the request, and a kubeconfig for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answers = {
                "forbidden": (403, {"kind": "Status", "message": 'user cannot get resource "pods/proxy"'}),
                "private": (403, {"detail": "for others"}),
            }
            usual = (200, [self.path, self.headers["Authorization"]])
            status, body = answers.get(self.path.rpartition("/")[2], usual)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve(http)
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{http.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "letmein"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    # The client reads the variable when it is imported.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    yield
    http.shutdown()


def test_from_outside_pods_are_accessed_through_the_api_server(api_server):
    transport = ApiServerProxy()
    asked, token = transport.session().get(f"{transport.url(pod('a', 9000))}/metrics", timeout=5).json()
    assert asked == "/api/v1/namespaces/arena/pods/a:9000/proxy/metrics"
    assert token == "Bearer letmein"


def test_a_refusal_of_the_api_server_is_not_mistaken_for_a_pods_answer(api_server):
    transport = ApiServerProxy()
    with pytest.raises(ReachError, match=r'cannot get resource "pods/proxy".*from inside the cluster'):
        transport.session().get(f"{transport.url(pod('a', 9000))}/forbidden", timeout=5)
    assert transport.session().get(f"{transport.url(pod('a', 9000))}/private", timeout=5).status_code == 403


@pytest.fixture
def api_server_named(tmp_path, monkeypatch):
    """An API server over TLS whose certificate is for ``api.example`` and not for its address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("api.example")]), critical=False)
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(private + certificate)
    (tmp_path / "ca.pem").write_bytes(certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "both.pem")
    http = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    http.socket = tls.wrap_socket(http.socket, server_side=True)
    serve(http)

    def asked(**cluster):
        cluster |= {
            "server": f"https://127.0.0.1:{http.server_port}",
            "certificate-authority": str(tmp_path / "ca.pem"),
        }
        config = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "letmein"}}],
        }
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        # A certificate bundle for other servers, as many companies set it.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
        transport = ApiServerProxy()
        return transport.session().get(transport.url(pod("a", 9000)), timeout=5)

    yield asked
    http.shutdown()


def test_the_certificate_is_checked_for_the_kubeconfigs_name(api_server_named):
    assert api_server_named(**{"tls-server-name": "api.example"}).status_code == 404


@pytest.mark.parametrize("cluster", [{}, {"tls-server-name": "other.example"}])
def test_a_certificate_for_another_name_is_refused(api_server_named, cluster):
    with pytest.raises(requests.exceptions.SSLError):
        api_server_named(**cluster)


def test_a_context_is_found_although_the_current_one_does_not_exist(api_server, tmp_path):
    path = tmp_path / "config"
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(config | {"current-context": "gone"}))
    assert ApiServerProxy("here").url(pod("a", 9000))
    del config["current-context"]
    path.write_text(yaml.safe_dump(config))
    assert ApiServerProxy("here").url(pod("a", 9000))
    with pytest.raises(InputError, match=r"there is no context elsewhere in .*: there is here"):
        ApiServerProxy("elsewhere")


def test_a_context_that_does_not_exist_is_refused(api_server):
    with pytest.raises(InputError, match=r"there is no context elsewhere in .*: there is here"):
        ApiServerProxy("elsewhere")
