"""Presets for other people's filters, against the own adapters in a process of their own, on bad days too."""

import numpy as np
import pytest

from content_arena.components.attack_generation.victims import EndpointVictim
from content_arena.components.attack_generation.victims.dialects import PRESETS
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.attack_generation.victims.logins import Login
from content_arena.components.shared.errors import VictimError
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.components.attack_generation import faulty_proxy
from tests.components.predictor.conftest import running
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS

#: The preset, and what follows the address in the URL.
SERVED = {
    "kserve-v1": "", "kserve-v2": "/v2/models/content-filter", "perspective": "?key=k", "openai": "", "fms": ""
}  # fmt: skip
TOXIC = list(TOXIC_WORDS)
TEXTS = [f"{BENIGN_WORDS[i]} {TOXIC[i % 3] if i % 2 else BENIGN_WORDS[i + 1]} {i}" for i in range(12)]
DETECTOR = {"detector-id": "content-filter"}
every_preset = pytest.mark.parametrize("name", SERVED)


@pytest.fixture(scope="module")
def served(tiny_bundle):
    with (
        running(tiny_bundle.path, "--api_adapters", "perspective,openai,fms") as server,
        faulty_proxy.before(server.url) as proxy,
    ):
        yield proxy


@pytest.fixture
def proxy(served):
    served.reset()
    return served


@pytest.fixture
def open_preset(proxy, tmp_path):
    def make(name, journal="answers.jsonl", headers=DETECTOR):
        return EndpointVictim(
            proxy.url + SERVED[name], batch_size=4, longest_wait=0.01, speaks=PRESETS[name], login=Login(headers),
            journal=Journal(tmp_path / journal),
        )  # fmt: skip

    return make


def test_every_preset_but_that_of_a_runtime_that_is_no_package_here_is_served():
    assert set(PRESETS) - set(SERVED) == {"kserve-huggingface"}


@every_preset
def test_a_preset_reads_what_the_filter_says(open_preset, tiny_bundle, name):
    local, victim = ContentFilter(tiny_bundle), open_preset(name)
    scores, expected = victim.score(TEXTS), local.score(TEXTS)
    flagged = local.is_toxic(expected)
    assert 0 < flagged.sum() < len(TEXTS)
    if name == "perspective":  # It states scores, and leaves the cut-off to its clients.
        victim = EndpointVictim("http://host", threshold=local.threshold)
    np.testing.assert_array_equal(scores >= victim.threshold, flagged)
    if not PRESETS[name].own_verdict:
        np.testing.assert_allclose(scores, expected, atol=1e-6)


@every_preset
@pytest.mark.parametrize("fault", ["429", "503"])
def test_a_service_that_is_busy_is_waited_for(open_preset, proxy, name, fault):
    expected = open_preset(name).score(TEXTS[:4])
    proxy.reset(fault, lambda n: n <= 2)
    np.testing.assert_array_equal(open_preset(name).score(TEXTS[4:8] + TEXTS[:4])[4:], expected)
    assert proxy.n_requests - proxy.n_passed == 2


@every_preset
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("login page", r"a web page and no scores: a login page\?"),
        ("redirect", r"leads to https://login\.example/sso: a login page\?"),
        ("shape", "something that is not scores.*say how to read it with --map"),
        ("dead", "no answer from .*is the server up"),
    ],
)
def test_what_goes_wrong_in_mid_battle_is_named_and_the_battle_goes_on(open_preset, proxy, name, fault, said):
    proxy.reset(fault, lambda n: n > 2)
    with pytest.raises(VictimError, match=said) as caught:
        open_preset(name).score(TEXTS)
    assert "127.0.0.1" in str(caught.value)
    assert "k=k" not in str(caught.value)
    proxy.reset()
    resumed = open_preset(name).score(TEXTS)
    if PRESETS[name].texts_at_once:
        # Eight of twelve texts had an answer: four of these are asked again one by one, and the others in one request.
        assert proxy.n_requests == 4 + 1
    np.testing.assert_allclose(resumed, open_preset(name, "another.jsonl").score(TEXTS), atol=1e-6)


def test_a_request_that_a_service_does_not_take_is_named_with_what_may_be_missing(open_preset):
    with pytest.raises(VictimError, match=r"HTTP 422 .*it does not take such a request.*detector-id: NAME"):
        open_preset("fms", headers={}).score(TEXTS)
