"""What an LLM writes is asked for once, kept, replayed, and refused where it is no attack."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from content_arena.components.attack_generation.writing import prompts
from content_arena.components.attack_generation.writing.acceptance import problem_of
from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers, Question
from content_arena.components.shared.errors import ChatError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from tests.llm_server import completion, error, in_turn, rewritten

PARAPHRASE = "llm_paraphrase.1"
IMPLICIT = "llm_implicit.1"
SOURCE = "you are a fool"


@pytest.mark.parametrize("name", [PARAPHRASE, "translate_mix.1", IMPLICIT])
def test_a_prompt_is_a_versioned_file_that_fills_its_request(name):
    prompt = prompts.load(name)
    assert re.fullmatch(re.escape(name) + "-[0-9a-f]{8}", prompt.version)
    requests = [prompt.request(strength, SOURCE) for strength in range(len(prompt.strengths))]
    assert len({request.instructions for request in requests}) == len(prompt.strengths) == 3
    assert all("$" not in request.instructions and request.data == {"text": SOURCE} for request in requests)
    assert [prompt.strength_of(intensity) for intensity in (0.01, 1 / 3, 0.34, 2 / 3, 0.67, 1)] == [0, 0, 1, 1, 2, 2]


def test_a_text_is_asked_for_once_and_then_replayed(llm, write_with, tmp_path):
    path, prompt = tmp_path / "llm" / "written.jsonl", prompts.load(PARAPHRASE)
    first = write_with(path)
    with ThreadPoolExecutor(8) as pool:
        wrote = list(pool.map(lambda _: first.write(prompt, 0, SOURCE), range(8)))
    assert wrote == [{"text": "so fool a are you"}] * 8
    assert len(llm.bodies) == 1
    later = write_with(path)
    assert later.write(prompt, 0, SOURCE) == wrote[0]
    assert len(llm.bodies) == 1
    assert later.n_not_written == 0
    assert later.summary() == "stand-in wrote 1 texts, 1 of them in an earlier run"


def test_what_is_kept_belongs_to_prompt_model_parameters_strength_and_text(llm, write_with, tmp_path, monkeypatch):
    path, prompt = tmp_path / "written.jsonl", prompts.load(PARAPHRASE)
    write_with(path).write(prompt, 0, SOURCE)
    write_with(path).write(prompt, 1, SOURCE)
    write_with(path).write(prompt, 0, SOURCE + "!")
    write_with(path).write(prompts.load("translate_mix.1"), 0, SOURCE)
    write_with(path, temperature=0.1).write(prompt, 0, SOURCE)
    write_with(path, max_tokens=9).write(prompt, 0, SOURCE)
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "another")
    write_with(path).write(prompt, 0, SOURCE)
    assert len(llm.bodies) == 7
    # How it is reached and how long is waited makes no other text.
    write_with(path, at_once=2, timeout_seconds=5).write(prompt, 0, SOURCE)
    assert len(llm.bodies) == 7


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I'm sorry, but I can't help with that.", "refused"),
        ('{"text": "I cannot assist with rewriting this."}', "refused"),
        ('{"text": "죄송하지만 그 요청은 도와드릴 수 없습니다."}', "refused"),
        (error(400, code="content_filter"), "refused"),
        ('{"text": "You are  a FOOL!"}', "unchanged"),
        ('{"text": "half of', "cut off"),
        (completion('{"text": "half of"}', "length"), "cut off"),
        ('{"text": ""}', "empty"),
        ('{"answer": "a"}', "of another shape"),
        (json.dumps({"text": "x" * (MAX_TEXT_LENGTH + 1)}), "too long"),
    ],
    ids=["prose", "in JSON", "in Korean", "by the service", "same", "half", "limit", "empty", "shape", "long"],
)
def test_what_is_no_attack_is_counted_kept_and_not_passed_on(llm, write_with, tmp_path, answer, problem):
    path, prompt = tmp_path / "written.jsonl", prompts.load(PARAPHRASE)
    llm.answer = in_turn(answer, rewritten)
    first = write_with(path)
    assert first.write(prompt, 0, SOURCE) == {}
    assert first.not_written == {problem: 1}
    assert f"1 were not written, and are no attacks: {problem} 1" in first.summary()
    assert write_with(path).write(prompt, 0, SOURCE) == {}
    assert len(llm.bodies) == 1


def test_a_broken_connection_is_no_answer_to_keep(llm, write_with, tmp_path):
    path, prompt = tmp_path / "written.jsonl", prompts.load(PARAPHRASE)
    llm.answer = in_turn(Response('{"choices": [{"mess', media_type="application/json"), rewritten)
    assert write_with(path).write(prompt, 0, SOURCE) == {}
    assert write_with(path).write(prompt, 0, SOURCE) == {"text": "so fool a are you"}


def test_an_llm_that_cannot_be_asked_is_an_error_for_all_that_wait(llm, write_with):
    llm.answer = lambda body: error(401)
    writer = write_with()
    for _ in range(2):
        with pytest.raises(ChatError, match="API_KEY"):
            writer.write(prompts.load(PARAPHRASE), 0, SOURCE)


def test_a_twin_that_is_the_attack_itself_is_not_written():
    assert problem_of(SOURCE, {"implicit": "a wise one", "benign": "A wise one."}) == "unchanged"
    assert problem_of(SOURCE, {"implicit": "a wise one", "benign": "a wise man"}) == ""


@pytest.mark.parametrize(
    "text",
    ["I can't believe you are this dumb", "Sorry, I thought you were smart", "미안한데 너 바보야?", "as an air filter"],
)
def test_an_attack_is_not_taken_for_a_refusal(text):
    assert problem_of("you are stupid", {"text": text}) == ""


texts = st.text().filter(str.strip)


@given(kept=st.dictionaries(st.builds(Question, texts, texts, texts, st.integers(0, 2), texts),
                            st.builds(Answer, st.dictionaries(texts, texts), st.just("")), max_size=4),
       cut=st.integers(0, 20))  # fmt: skip
@settings(max_examples=20)
def test_what_is_kept_is_read_again_also_behind_an_unfinished_line(tmp_path_factory, kept, cut):
    path = tmp_path_factory.mktemp("kept") / "written.jsonl"
    lost = Question("p", "m", "{}", 0, "cut off")
    KeptAnswers(path).add(lost, Answer({"text": "never finished"}))
    path.write_text(path.read_text()[: -2 - cut])
    file = KeptAnswers(path)
    for question, answer in kept.items():
        file.add(question, answer)
    again = KeptAnswers(path)
    assert {question: again.get(question) for question in kept} == kept
    assert again.get(lost) is None
