"""An LLM as a voter: what it is asked, what is kept of it, and that it decides nothing."""

import json

import pytest
from starlette.responses import Response

from content_arena.components.labeling import labeling, review
from content_arena.components.labeling.judge import Judge, JudgeVoter
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared import records
from content_arena.components.shared.chat import ChatSettings
from tests import llm_server
from tests.components.labeling.battles import battle
from tests.components.labeling.test_quality import corpus  # noqa: F401 - a fixture
from tests.llm_server import data_of, error


@pytest.fixture(scope="module")
def running():
    with llm_server.serving() as llm:
        yield llm


@pytest.fixture
def llm(running, monkeypatch, tmp_path):
    """A stand-in for an LLM that calls a text what its first word says; answers are kept in a home."""
    running.reset()
    running.answer = lambda body: json.dumps({"verdict": data_of(body)["text"].split()[0]})
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", running.url)
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    return running


def test_a_text_is_judged_once_and_without_its_original(llm):
    texts = dict.fromkeys(["toxic you f00l", "Benign. hello", "unclear xx", "perhaps so"], "you fool")
    judge = Judge.open(ChatSettings(temperature=0.9))
    verdicts = judge.verdicts(texts)
    assert verdicts.pop("unclear xx") != verdicts.get("unclear xx")  # NaN: it abstains
    assert verdicts == {"toxic you f00l": 1.0, "Benign. hello": 0.0}
    assert sorted(map(data_of, llm.bodies), key=str) == sorted(({"text": text} for text in texts), key=str)
    assert {body["temperature"] for body in llm.bodies} == {0.0}
    assert judge.summary(4) == (
        "stand-in judged 3 of 4 texts that wait for a person; 1 got no verdict: of another shape 1"
    )
    later = Judge.open(ChatSettings(temperature=0.9))
    assert later.verdicts(dict(list(texts.items())[:2])) == verdicts
    assert len(llm.bodies) == 4
    assert "judged 2 of 2 texts that wait for a person, 2 of them in an earlier run" in later.summary(2)


def test_a_broken_answer_is_asked_for_again_and_a_refused_key_is_told(llm):
    answer, llm.answer = llm.answer, lambda body: Response('{"choices": [')
    judge = Judge.open(ChatSettings())
    assert judge.verdicts({"toxic you": "you"}) == {}
    assert "1 got no verdict: connection broke 1" in judge.summary(1)
    llm.answer = lambda body: error(401)
    refused = Judge.open(ChatSettings())
    assert refused.verdicts({"toxic you": "you"}) == {}
    assert "CONTENT_ARENA_LLM_API_KEY" in refused.summary(1)
    llm.answer = answer
    assert Judge.open(ChatSettings()).verdicts({"toxic you": "you"}) == {"toxic you": 1.0}


def test_its_votes_stand_beside_the_others_and_change_no_label():
    table = battle("one", "two", "three")
    voted = review.with_votes(table, JudgeVoter({"one": 0.0, "two": float("nan")}))
    before, after = (each["votes"].map(json.loads).tolist() for each in (table, voted))
    assert [votes.pop("llm_judge", None) for votes in after] == [0.0, None, None]
    assert after == before
    assert voted.drop(columns="votes").equals(table.drop(columns="votes"))


@pytest.fixture
def written(tmp_path):
    """Where the stage writes."""
    return labeling.Outputs(*(tmp_path / name for name in ("labelled", "review", "tasks", "corpus_labels")))


@pytest.fixture
def label(tmp_path, corpus, written):  # noqa: F811
    """Labels three attacks, of which two wait for a person, and asks an LLM about n texts at most."""
    attacks = battle("toxic one", "benign two", "toxic three")[list(records.Attack.to_schema().columns)]
    # Of this one the victim is sure, so it does not wait.
    attacks.loc[2, "score_before"] = 0.99
    records.write(records.Attack, attacks, tmp_path / "attacks")
    records.write(records.Sample, corpus, tmp_path / "corpus")

    def label(n, **chat):
        return labeling.label_attacks(
            tmp_path / "attacks", tmp_path / "corpus", written, lang="en", pipeline_run=f"run{n}",
            tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
            settings=LabelingSettings(doubtful_labels=0, judged_texts=n), chat=ChatSettings(**chat),
        )  # fmt: skip

    return label


def votes_in(written):
    """The LLM's vote by text, None where it has none."""
    votes = records.read(records.LabelledAttack, written.labelled).set_index("perturbed_text")["votes"].map(json.loads)
    return {text: found.get("llm_judge") for text, found in votes.items()}


def test_the_stage_asks_about_texts_that_wait_and_no_more_than_it_is_told(llm, label, written, capsys):
    assert (label(0)["n_judged"], llm.bodies) == (0, [])
    assert label(1)["n_judged"] == 1
    assert label(9)["n_judged"] == 2
    assert len(llm.bodies) == 2
    assert "stand-in judged 2 of 2 texts that wait for a person, 1 of them in an earlier run" in capsys.readouterr().out
    assert votes_in(written) == {"toxic one": 1.0, "benign two": 0.0, "toxic three": None}


@pytest.mark.parametrize("n_answers", [0, 1])
def test_an_llm_that_stops_answering_costs_no_battle(llm, label, written, n_answers, capsys):
    """Its vote has no weight, so the attacks are labelled without it, and what it said by then is kept."""
    llm.answer = llm_server.in_turn(*[llm.answer] * n_answers, error(401))
    figures = label(9, at_once=1)
    assert (figures["n_labelled"], figures["n_judged"]) == (3, n_answers)
    assert sum(vote is not None for vote in votes_in(written).values()) == n_answers
    said = f"note: stand-in judged {n_answers} of 2 texts that wait for a person; then it could not be asked: "
    out = capsys.readouterr().out
    assert said in out
    assert "CONTENT_ARENA_LLM_API_KEY" in out


def test_no_llm_costs_no_battle(llm, label, written, monkeypatch, capsys):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL")
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    figures = label(9)
    assert (figures["n_labelled"], figures["n_judged"]) == (3, 0)
    assert "note: no LLM judged: there is no LLM to ask: set CONTENT_ARENA_LLM_BASE_URL" in capsys.readouterr().out
    assert set(votes_in(written).values()) == {None}
