"""What a bundle scores beside toxicity: in the answers of KServe's protocols and of the other APIs."""

import asyncio

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from kserve import InferInput, InferRequest, ModelRepository
from kserve.protocol.infer_type import RequestedOutput

from content_arena.components.predictor.adapters.catalogue import Adapters
from content_arena.components.predictor.adapters.options import AdapterOptions
from content_arena.components.predictor.model import ContentFilterModel, FilterDataPlane
from content_arena.components.predictor.protocol import RequestError
from content_arena.components.predictor.scoring.engine import Engine
from content_arena.components.shared.scoring.filter import ContentFilter

from ...tiny_bundle import make_tiny_bundle

TEXTS = ["you idiot", "nice day"]
ASKED = {"attributes": True}
SCORED = {"IDENTITY_ATTACK": 0.5, "INSULT": 0.5, "PROFANITY": 0.5}
#: Rises with the toxic words; see tiny_bundle.py.
RISING = "IDENTITY_ATTACK"


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    made = make_tiny_bundle(tmp_path_factory.mktemp("scored") / "bundle", attributes=SCORED)
    return ContentFilter(made, version="8", threads=1)


def loaded(content_filter):
    model = ContentFilterModel(Engine(content_filter))
    model.load()
    return model


@pytest.fixture(scope="module")
def model(scorer):
    return loaded(scorer)


@pytest.fixture(scope="module")
def without(tiny_bundle):
    return loaded(ContentFilter(tiny_bundle, version="7", threads=1))


def answered(model, payload):
    async def scenario():
        return await model.predict(await model.preprocess(payload))

    return asyncio.run(scenario())


def tensor(parameters=None, outputs=()):
    data = InferInput("text", [len(TEXTS)], "BYTES", data=TEXTS)
    named = [RequestedOutput(name) for name in outputs] or None
    return InferRequest("content-filter", [data], parameters=parameters, request_outputs=named)


def client_of(model):
    repository = ModelRepository()
    repository.update(model)
    app = FastAPI()
    Adapters(AdapterOptions(("perspective", "openai", "fms"))).register(app, FilterDataPlane(repository), model)
    return TestClient(app)


@pytest.fixture(scope="module")
def client(model):
    return client_of(model)


@pytest.fixture(scope="module")
def expected(scorer):
    """The scores of each text by name, toxicity first."""
    names = ("TOXICITY", *scorer.attributes)
    return [dict(zip(names, row, strict=True)) for row in scorer.score_all(TEXTS).tolist()]


def attributes_of(row):
    return pytest.approx({name: score for name, score in row.items() if name != "TOXICITY"}, abs=1e-5)


def test_v1_has_them_if_they_are_asked_for(model, expected):
    found = answered(model, {"instances": TEXTS, "parameters": ASKED})["predictions"]
    assert [prediction["attributes"] for prediction in found] == [attributes_of(row) for row in expected]
    plain = answered(model, {"instances": TEXTS})["predictions"]
    assert all("attributes" not in prediction for prediction in plain)
    assert [one["toxic_score"] for one in found] == pytest.approx([row["TOXICITY"] for row in expected], abs=1e-5)


def test_v2_has_an_output_for_each(model, expected):
    outputs = {output.name: output for output in answered(model, tensor(ASKED)).outputs}
    assert outputs["INSULT"].data == pytest.approx([row["INSULT"] for row in expected], abs=1e-5)
    assert outputs["INSULT"].datatype == "FP32"
    assert set(SCORED) < set(outputs)
    alone, _ = answered(model, tensor(outputs=["INSULT"])).to_rest()
    assert [output["name"] for output in alone["outputs"]] == ["INSULT"]
    assert not set(SCORED) & {output.name for output in answered(model, tensor()).outputs}


def test_a_version_without_says_that_it_has_none(without):
    found = answered(without, {"instances": TEXTS, "parameters": ASKED})["predictions"]
    assert [prediction["attributes"] for prediction in found] == [{}, {}]
    assert len(answered(without, tensor(ASKED)).outputs) == 4
    with pytest.raises(RequestError, match="unknown output"):
        answered(without, tensor(outputs=["INSULT"]))


@pytest.mark.parametrize(
    "payload", [{"instances": TEXTS, "parameters": {"attributes": 1}}, tensor({"attributes": "x"})]
)
def test_the_parameter_is_true_or_false(model, payload):
    with pytest.raises(RequestError, match="attributes is true or false"):
        answered(model, payload)


def analyze(client, text, attributes, **more):
    body = {"comment": {"text": text}, "requestedAttributes": attributes, **more}
    return client.post("/v1alpha1/comments:analyze", json=body)


def test_perspective_serves_what_the_bundle_scores(client, expected):
    asked = {"TOXICITY": {}, **{name: {} for name in SCORED}, "THREAT": {}}
    scores = analyze(client, TEXTS[0], asked, dropUnsupportedAttributes=True).json()["attributeScores"]
    found = {name: score["summaryScore"]["value"] for name, score in scores.items()}
    assert found == pytest.approx(expected[0], abs=1e-5)


def test_perspective_scores_an_attribute_alone_by_sentence_and_by_its_own_threshold(client, expected):
    asked = {RISING: {"scoreThreshold": expected[1][RISING] + 0.1}}
    scores = analyze(client, "you idiot. nice day", asked, spanAnnotations=True).json()["attributeScores"]
    assert list(scores) == [RISING]
    assert [(span["begin"], span["end"]) for span in scores[RISING]["spanScores"]] == [(0, 10)]


def test_perspective_refuses_the_others_and_says_what_there_is(client):
    message = analyze(client, TEXTS[0], {"THREAT": {}}).json()["error"]["message"]
    assert message == "Unknown requested attribute: THREAT (served here: TOXICITY, IDENTITY_ATTACK, INSULT, PROFANITY)"


def test_a_refused_language_names_an_attribute_that_was_asked_for(client):
    error = analyze(client, TEXTS[0], {"INSULT": {}}, languages=["de"]).json()["error"]
    assert error["details"][0]["languageNotSupportedByAttributeError"]["attribute"] == "INSULT"


def test_the_discovery_document_names_the_attributes(client, without):
    asked = "/$discovery/rest?version=v1alpha1"
    assert "TOXICITY, IDENTITY_ATTACK, INSULT, PROFANITY." in client.get(asked).json()["description"]
    assert "Attributes: TOXICITY." in client_of(without).get(asked).json()["description"]


def test_openai_has_the_categories_that_mean_the_same(client, expected):
    toxic, benign = client.post("/v1/moderations", json={"input": TEXTS}).json()["results"]
    assert toxic["category_scores"]["harassment"] == pytest.approx(expected[0]["INSULT"], abs=1e-5)
    assert toxic["category_scores"]["hate"] == pytest.approx(expected[0]["IDENTITY_ATTACK"], abs=1e-5)
    assert toxic["category_applied_input_types"]["hate"] == ["text"]
    assert toxic["categories"]["harassment/threatening"] is None
    assert toxic["category_applied_input_types"]["harassment/threatening"] == []
    assert toxic["categories"]["hate"] is (expected[0]["IDENTITY_ATTACK"] >= SCORED["IDENTITY_ATTACK"])
    assert [benign["categories"][name] for name in ("toxicity", "harassment", "hate")] == [False] * 3


def test_fms_detects_attributes_where_they_are_asked_for(client, expected, without):
    def detected(client, **parameters):
        asked = {"contents": TEXTS, "detector_params": parameters}
        answer = client.post("/api/v1/text/contents", json=asked, headers={"detector-id": "any"})
        assert answer.status_code == 200
        return [{(one["detection"], one["detection_type"]) for one in found} for found in answer.json()]

    toxic = ("toxic", "toxicity")
    assert detected(client) == [{toxic}, set()]
    assert detected(client, attributes=True) == [
        {(name.lower(), "attribute") for name, least in SCORED.items() if row[name] >= least} | also
        for row, also in zip(expected, [{toxic}, set()], strict=True)
    ]
    assert ("identity_attack", "attribute") in detected(client, attributes=True)[0]
    assert detected(client_of(without), attributes=True) == [{toxic}, set()]


def test_fms_refuses_a_wish_that_is_no_wish(client):
    asked = {"contents": TEXTS, "detector_params": {"attributes": "all"}}
    answer = client.post("/api/v1/text/contents", json=asked, headers={"detector-id": "any"})
    assert (answer.status_code, answer.json()["message"]) == (422, "detector_params.attributes must be true or false")
