"""The clients that users have, each with one address changed, or through the host's name."""

import pytest

from . import named_host
from .conftest import DISCOVERY


def test_openai(adapters):
    openai = pytest.importorskip("openai", reason="needs openai of the extra dev")
    with openai.OpenAI(base_url=f"{adapters.url}/v1", api_key="any", max_retries=0) as client:
        answer = client.moderations.create(input=["you idiot", "nice day"], model="omni-moderation-latest")
        assert [result.flagged for result in answer.results] == [True, False]
        assert answer.results[0].category_scores.toxicity > 0.9
        assert answer.results[0].categories.harassment is None
        with pytest.raises(openai.BadRequestError) as refused:
            client.moderations.create(input="")
    assert refused.value.param == "input"


@pytest.fixture
def google(adapters):
    """Google's client as its documentation builds it, with one address changed."""
    discovery = pytest.importorskip(
        "googleapiclient.discovery", reason="needs google-api-python-client, which is 111 MB: pip install it"
    )
    with discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="any",
        discoveryServiceUrl=adapters.url + DISCOVERY,
        static_discovery=False,
    ) as service:
        yield service


def test_googles_client(google):
    body = {"comment": {"text": "you idiot"}, "requestedAttributes": {"TOXICITY": {}}, "doNotStore": True}
    answer = google.comments().analyze(body=body).execute()
    assert answer["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.9
    suggested = {"comment": {"text": "nice day"}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0}}}}
    assert google.comments().suggestscore(body=suggested | {"clientToken": "t"}).execute() == {"clientToken": "t"}


def test_googles_client_reads_our_errors(google):
    from googleapiclient.errors import HttpError

    with pytest.raises(HttpError, match="Comment must be non-empty") as refused:
        google.comments().analyze(body={"comment": {"text": ""}, "requestedAttributes": {"TOXICITY": {}}}).execute()
    assert refused.value.status_code == 400
    assert refused.value.error_details[0]["errorType"] == "COMMENT_EMPTY"


@pytest.fixture
def named(adapters, tmp_path, monkeypatch):
    """The server behind the name of Google's host."""
    certificate = tmp_path / "host.pem"
    named_host.write_certificate(certificate)
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(certificate))
    with named_host.in_front_of(adapters.port, certificate) as port:
        named_host.resolve(monkeypatch, port)
        yield


@pytest.mark.usefixtures("named")
def test_perspectiveapi():
    perspective = pytest.importorskip("perspective.blocking", reason="needs perspectiveapi of the extra dev")
    assert perspective.Perspective("any").score("you idiot").toxicity > 0.9


@pytest.mark.usefixtures("named")
def test_pyspective(suggestions):
    pyspective = pytest.importorskip("pyspective.pyspective", reason="needs PySpective of the extra dev")
    client = pyspective.PyspectiveAPI("any")
    assert client.score("you idiot", "TOXICITY")["TOXICITY"] > 0.9
    before = suggestions.read_text()
    assert client.suggest("you moron", 1) == "Successed"
    assert "you moron" in suggestions.read_text().removeprefix(before)
