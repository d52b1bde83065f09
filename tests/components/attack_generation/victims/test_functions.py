"""Python functions as victims."""

import numpy as np
import pytest

from content_arena.components.attack_generation.generate import generate_attacks
from content_arena.components.attack_generation.settings import FUNCTIONS_VARIABLE, Reading
from content_arena.components.attack_generation.victims import open_victim
from content_arena.components.attack_generation.victims.functions import absolute
from content_arena.components.attack_generation.victims.opening import check
from content_arena.components.shared.errors import InputError, VictimError

TEXTS = ["you idiot", "hello"]


@pytest.fixture
def function(tmp_path):
    """Names a function with this body, which gets ``texts``."""

    def make(body):
        path = tmp_path / "own_filter.py"
        path.write_text(f"import numpy as np\n\n\ndef score(texts):\n    {body}\n")
        return f"python:{path}:score"

    return make


@pytest.mark.parametrize(
    ("body", "scores", "flagged"),
    [
        ("return [0.25, 1]", [0.25, 1.0], [False, True]),
        ("return np.array([0.25, 0.75], dtype=np.float32)", [0.25, 0.75], [False, True]),
        ("return (np.float32(0.25), np.bool_(True))", [0.25, 1.0], [False, True]),
        ("return [True, False]", [1.0, 0.0], [True, False]),
        ("return ['unsafe', 'safe']", [1.0, 0.0], [True, False]),
        ("return [{'score': 0.25, 'verdict': True}, {'score': 0.125, 'verdict': False}]", [0.25, 0.125], [True, False]),
    ],
)
def test_what_a_function_returns_is_read(function, body, scores, flagged):
    victim = open_victim(function(body))
    found = victim.score(TEXTS)
    assert (found.dtype, found.tolist()) == (np.float32, scores)
    assert (found >= victim.threshold).tolist() == flagged


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return [0.5]", "1 values for 2 texts"),
        ("return 0.5", "a number where a list"),
        ("return None", "null where a list"),
        ("return set(texts)", "set where a list"),
        ("return [0.5, 7]", "a number outside 0 to 1"),
        ("return [0.5, texts[0]]", "a text where a verdict"),
        ("raise KeyError(texts[0])", r"raised KeyError for 2 texts, in .*own_filter\.py, line 5"),
    ],
)
def test_what_is_wrong_with_what_a_function_returns_is_named_without_a_text(function, body, told):
    with pytest.raises(VictimError, match=told) as caught:
        open_victim(function(body)).score(TEXTS)
    assert "own_filter.py:score" in str(caught.value)
    assert TEXTS[0] not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("python:", "names no function: give python:MODULE:FUNCTION"),
        ("python:os.path", "names no function"),
        ("python:no_such_module:score", "there is no module no_such_module"),
        ("python:no.such.module:score", "there is no module no.such.module"),
        ("python:away.py:score", "there is no file away.py"),
    ],
)
def test_what_names_no_function_is_refused_at_once(spec, told):
    with pytest.raises(InputError, match=told):
        check(spec, Reading())


def test_what_is_no_function_is_refused_when_it_is_opened(function, tmp_path):
    with pytest.raises(InputError, match="os has no function nothing"):
        open_victim("python:os:nothing")
    with pytest.raises(InputError, match="os:sep is no function"):
        open_victim("python:os:sep")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=r"broken\.py cannot be imported: ZeroDivisionError"):
        open_victim(f"python:{tmp_path / 'broken.py'}:score")
    with pytest.raises(InputError, match="--map, --request and --inverted are for a filter behind one"):
        check(function("return []"), Reading("openai"))


def test_a_file_is_found_from_another_folder(function, tmp_path, monkeypatch):
    spec = function("return [0.5] * len(texts)")
    monkeypatch.chdir(tmp_path)
    assert absolute("python:own_filter.py:score") == spec
    assert absolute("python:os.path:exists") == "python:os.path:exists"


def test_a_stage_runs_no_code_that_nobody_allowed(function, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(FUNCTIONS_VARIABLE, raising=False)
    spec = function(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(SystemExit) as ended:
        generate_attacks(
            *(tmp_path / name for name in "abcd"), victim=spec, lang="en", pipeline_run="r",
            tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        )  # fmt: skip
    assert ended.value.code == 2
    assert "not by a pipeline" in "".join(capsys.readouterr())
    assert not (tmp_path / "ran").exists()
