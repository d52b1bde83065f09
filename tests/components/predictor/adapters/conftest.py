"""A real server with every adapter on."""

import pytest

from tests.components.predictor.conftest import running

ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"
DISCOVERY = "/$discovery/rest?version=v1alpha1"
MODERATIONS, CONTENTS = "/v1/moderations", "/api/v1/text/contents"


@pytest.fixture(scope="session")
def suggestions(tmp_path_factory):
    return tmp_path_factory.mktemp("suggestions") / "suggested.jsonl"


@pytest.fixture(scope="session")
def adapters(tiny_bundle, suggestions):
    options = ["--api_adapters", "perspective, openai,fms", "--suggestions", str(suggestions)]
    with running(tiny_bundle.path, "--model_version", "7", *options) as server:
        yield server


@pytest.fixture(scope="session")
def score(adapters):
    """What the predict endpoint says of a text."""
    return lambda text: adapters.predict(json={"instances": [text]}).json()["predictions"][0]["toxic_score"]
