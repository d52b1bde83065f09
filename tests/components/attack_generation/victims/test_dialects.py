"""Filters that speak something else than KServe's protocols, and their bad days."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation.settings import MAPPINGS, Reading
from content_arena.components.attack_generation.victims import EndpointVictim, open_victim
from content_arena.components.attack_generation.victims.dialects import PRESETS, dialect
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.attack_generation.victims.orientation import right_way_round
from content_arena.components.shared.errors import InputError, VictimError

TEXTS = ["you idiot", "hello"]
KSERVE_HF = "kserve-huggingface"


def ask(reply, mapping, answer, request="", path="/v1/models/theirs", **reading):
    reply.make = answer if callable(answer) else lambda body: answer
    victim = open_victim(reply.url + path, reading=Reading(mapping, request, **reading))
    scores = victim.score(TEXTS)
    return scores.astype(float).round(3).tolist(), (scores >= victim.threshold).tolist(), victim


def test_the_presets_are_those_that_the_help_names():
    assert tuple(PRESETS) == MAPPINGS


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        ({"predictions": [{"0": 0.03, "1": 0.97}, {"0": 0.8, "1": 0.2}]}, [0.97, 0.2]),
        ({"predictions": [1, 0]}, [1.0, 0.0]),
    ],
)
def test_kserves_hugging_face_runtime(reply, answer, scores):
    got, flagged, victim = ask(reply, KSERVE_HF, answer)
    assert (got, flagged) == (scores, [True, False])
    assert victim.only_verdicts == (set(scores) <= {0.0, 1.0})


def test_two_columns_of_a_tensor_are_two_classes(reply):
    answer = {"outputs": [{"name": "output-0", "shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}]}
    assert ask(reply, "", answer, path="/v2/models/theirs")[:2] == ([0.9, 0.2], [True, False])


@pytest.mark.parametrize("said", [[1, 0], [True, False], ["toxic", "benign"], ["1", "0"]])
def test_a_verdict_in_any_form_sets_the_threshold(reply, said):
    predictions = [{"toxic_score": 0.2, "is_toxic": said[0]}, {"toxic_score": 0.1, "is_toxic": said[1]}]
    assert ask(reply, "", {"predictions": predictions})[1] == [True, False]
    tensors = [{"name": "toxic_score", "data": [0.2, 0.1]}, {"name": "is_toxic", "data": said}]
    assert ask(reply, "", {"outputs": tensors}, path="/v2/models/a")[1] == [True, False]


def test_perspective(reply):
    def answer(body):
        score = 0.9 if "idiot" in body["comment"]["text"] else 0.1
        return {"attributeScores": {"TOXICITY": {"summaryScore": {"value": score, "type": "PROBABILITY"}}}}

    assert ask(reply, "perspective", answer, path="?key=k")[0] == [0.9, 0.1]
    assert set(reply.paths) == {"/v1alpha1/comments:analyze?key=k"}


def test_openai_whose_verdict_is_no_function_of_the_highest_score(reply):
    results = [
        {"flagged": True, "category_scores": {"a": 0.4, "b": 0.1}},
        {"flagged": False, "category_scores": {"a": 0.45}},
    ]
    scores, flagged, victim = ask(reply, "openai", {"results": results}, path="/")
    assert flagged == [True, False]
    assert scores == [0.7, 0.225]
    assert reply.paths == ["/v1/moderations"]
    assert victim.threshold > 0.225


def test_fms_detectors_say_nothing_about_a_text_that_they_pass(reply):
    found = [[{"start": 0, "end": 9, "detection": "has_HAP", "detection_type": "hap", "score": 0.8}], []]
    assert ask(reply, "fms", found, path="")[:2] == ([0.9, 0.0], [True, False])
    assert reply.paths == ["/api/v1/text/contents"]


def test_a_chat_model_that_guards(reply):
    def answer(body):
        said = "unsafe\nS1" if "idiot" in body["messages"][0]["content"] else "safe"
        return {"choices": [{"message": {"content": said}}]}

    request = '{"model": "guard", "messages": [{"role": "user", "content": "$text"}]}'
    got = ask(reply, "choices[0].message.content", answer, request, path="/v1/chat/completions")
    assert got[1] == [True, False]
    assert set(reply.paths) == {"/v1/chat/completions"}


def test_a_mapping_of_ones_own(reply):
    answer = {"results": [{"p": 0.9, "bad": "yes"}, {"p": 0.95, "bad": "no"}]}
    assert ask(reply, "results[].p", answer, path="/score")[0] == [0.9, 0.95]
    assert ask(reply, "{score: results[].p, verdict: results[].bad}", answer, path="/score")[1] == [True, False]
    assert ask(reply, "results[].{score: p, verdict: bad}", answer, path="/score")[1] == [True, False]


@pytest.mark.parametrize(
    ("mapping", "request_", "message"),
    [
        ("results[", "", "no expression of JMESPath"),
        ("a", "{", "no JSON"),
        ("a", "[]", "texts go"),
        ("a", '{"q": "text"}', "texts go"),
        ("a", '{"q": "is it toxic: $text"}', "a value of its own"),
        ("kserve-v2", '{"inputs": "$texts"}', "leave --request out"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(mapping, request_, message):
    with pytest.raises(InputError, match=message):
        open_victim("http://host/a", reading=Reading(mapping, request_))


def test_a_mapping_is_for_a_url(tiny_bundle):
    with pytest.raises(InputError, match="--inverted are for a filter behind one"):
        open_victim(str(tiny_bundle.path), reading=Reading(inverted=True))


@pytest.mark.parametrize(
    "answer",
    [
        {"results": [{"p": "you idiot"}, {"p": "x"}]},
        {"results": []},
        {"results": [{"p": 0.2}]},
        {"other": 3},
        [1, 2],
        7,
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_shape(reply, answer):
    with pytest.raises(VictimError, match=r"it answered .*say how to read it with --map") as caught:
        ask(reply, "results[].p", answer, path="/score")
    assert "idiot" not in str(caught.value)


def test_a_login_page_is_named(reply):
    with pytest.raises(VictimError, match=r"a web page and no scores: a login page\?.*--header"):
        ask(reply, "", b"<!doctype html><title>Sign in</title>")
    reply.status, reply.headers = 302, {"Location": "https://login.example/sso?to=secret"}
    with pytest.raises(VictimError, match=r"leads to https://login\.example/sso: a login page") as caught:
        ask(reply, "", {})
    assert "secret" not in str(caught.value)
    reply.headers = {"Location": "/elsewhere"}
    with pytest.raises(VictimError, match=r"leads to http://127\.0\.0\.1:\d+/elsewhere: give that URL"):
        ask(reply, "", {})


def test_a_filter_that_is_turned(reply):
    predictions = [{"toxic_score": 0.1, "is_toxic": False}, {"toxic_score": 0.8, "is_toxic": True}]
    scores, flagged, _ = ask(reply, "", {"predictions": predictions}, inverted=True)
    assert (scores, flagged) == ([0.9, 0.2], [True, False])


def test_a_filter_that_is_read_the_wrong_way_round_is_said():
    check = right_way_round("http://host", can_be_turned=True)
    labels = ["toxic"] * 20 + ["benign"] * 20
    rng = np.random.default_rng(0)
    low, high = rng.uniform(0, 0.6, 20), rng.uniform(0.4, 1, 20)
    with pytest.raises(VictimError, match=r"wrong way round: its mean score is 0\.\d+ for 20 toxic.*--inverted"):
        check(labels, np.concatenate([low, high]))
    check(labels, np.concatenate([high, low]))
    check(labels, np.full(40, 0.5))
    check(labels[:20], low)


def test_a_filter_that_died_is_not_asked_twice_about_what_it_answered(reply, tmp_path):
    texts = [f"text {number}" for number in range(10)]
    reply.make = lambda body: {"predictions": [float(text[-1]) / 10 for text in body["instances"]]}
    reply.status = lambda n: 500 if n > 3 else 200
    with pytest.raises(VictimError, match="HTTP 500"):
        EndpointVictim(reply.url, batch_size=2, longest_wait=0.01, journal=Journal(tmp_path / "a.jsonl")).score(texts)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"cut off": [0.')
    reply.status = 200
    n_before = len(reply.paths)
    resumed = EndpointVictim(reply.url, batch_size=2, journal=Journal(tmp_path / "a.jsonl")).score(texts)
    assert resumed.astype(float).round(1).tolist() == [number / 10 for number in range(10)]
    # Two of the answers are asked for again one by one, the four new texts in two requests.
    assert len(reply.paths) - n_before <= 4 + 2
    assert "text" not in (tmp_path / "a.jsonl").read_text()


def test_a_filter_that_answers_otherwise_than_before_is_said(reply, tmp_path):
    EndpointVictim(reply.url, journal=Journal(tmp_path / "a.jsonl")).score(TEXTS)
    reply.make = lambda body: {"predictions": [0.9] * len(body["instances"])}
    with pytest.raises(VictimError, match="answers otherwise than before"):
        EndpointVictim(reply.url, journal=Journal(tmp_path / "a.jsonl")).score(TEXTS)


@given(st.text(min_size=1))
def test_a_text_does_not_break_out_of_its_place(text):
    speaks = dialect("a", '{"prompt": ["before", "$text"], "n": 1}', "http://host/a")
    assert speaks.body([text]) == {"prompt": ["before", text], "n": 1}
