"""``arena compare``: filters of every kind, and what cannot be compared."""

import json
import ssl

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app
from tests import llm_server
from tests.components.attack_generation.certificates import Authority
from tests.components.attack_generation.filters import serving
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS, make_tiny_bundle

SECRET = "geheim-4711"


@pytest.fixture(scope="module")
def comments(tmp_path_factory):
    """Sixty toxic and sixty benign texts as a file."""
    path = tmp_path_factory.mktemp("comments") / "comments.csv"
    toxic, benign = [word for word in TOXIC_WORDS if word.isascii()], BENIGN_WORDS[:41]
    rows = [f"{benign[i % 41]} {benign[i * 7 % 41]} {toxic[i % 6]} {benign[i * 3 % 40]} {i},toxic" for i in range(60)]
    rows += [f"{benign[i % 41]} {benign[i * 11 % 41]} {benign[i * 5 % 37]} and {i + 60},benign" for i in range(60)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def arena(tmp_path, monkeypatch, comments):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(*arguments):
        few = ("--data", comments, "--split", "all", "--texts", "10", "--budget", "1", "--strategies", "leet_sub")
        return CliRunner().invoke(app, ["compare", *map(str, arguments), *map(str, few)])

    run.home = tmp_path / "home"
    return run


def test_bundles_side_by_side(arena, tiny_bundle, tmp_path):
    other = make_tiny_bundle(tmp_path / "other", bias=3.0)
    result = arena(tiny_bundle.path, other.path, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert [side["name"] for side in answer["sides"]] == ["A", "B"]
    assert answer["sides"][1]["clean_flagged"]["rate"] > answer["sides"][0]["clean_flagged"]["rate"]
    assert (answer["n_toxic"], answer["n_benign"]) == (10, 10)
    assert answer["pairs"][0]["wrong"]["p_value"] <= 1
    assert answer["sides"][0]["evasion_by_budget"][0]["queries"] == 1
    (page,) = arena.home.glob("reports/compare-*.html")
    assert answer["page"] == str(page)
    shown = arena(tiny_bundle.path, other.path, "--page", tmp_path / "page.html").stdout
    assert "toxic texts missed" in shown
    assert "\ufffd" not in shown
    assert (tmp_path / "page.html").is_file()


def test_filters_behind_urls_are_each_read_in_their_own_way(arena, tiny_bundle):
    with serving() as first, serving() as second:
        first.make = lambda body: {"predictions": [float("idiot" in text) for text in body["instances"]]}
        second.make = lambda body: {"results": [{"p": float("o" not in text)} for text in body["input"]]}
        result = arena(
            tiny_bundle.path, first.url, f"{second.url}/score?key={SECRET}", "--map", "C=results[].p",
            "--request", 'C={"input": "$texts"}', "--header", f"B=X-Key: {SECRET}", "--inverted", "C", "--json",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert first.asked[0]["X-Key"] == SECRET
        assert "X-Key" not in second.asked[0]
        assert second.paths[0] == f"/score?key={SECRET}"
    assert [side["given"] for side in json.loads(result.stdout)["sides"][1:]] == [first.url, f"{second.url}/score"]
    (page,) = arena.home.glob("reports/compare-*.html")
    assert SECRET not in result.stdout + result.stderr + page.read_text()


def test_a_comparison_goes_on_where_a_filter_died(arena, tiny_bundle):
    def answer(body):
        return {"predictions": [float("idiot" in text) for text in body["instances"]]}

    with serving() as first, serving() as second:
        first.make = answer
        # The first requests are those before the attacks.
        second.make = lambda body: answer(body) if len(second.paths) < 2 else {"nothing": "of use"}
        arguments = (first.url, second.url, tiny_bundle.path, "--json")
        result = arena(*arguments)
        assert result.exit_code == 2
        assert "the same command with --resume goes on from there" in result.stderr
        home = json.loads(CliRunner().invoke(app, ["home", "--json"]).stdout)
        assert "`arena compare --resume` goes on with it" in json.dumps(home)
        second.make = answer
        n_asked = len(first.paths)
        resumed = arena(*arguments, "--resume")
        assert resumed.exit_code == 0, resumed.output
        # The first filter is asked again about four texts, whether it is the same one, and about nothing else.
        assert len(first.paths) - n_asked <= 4
        fresh = arena(*arguments)
        assert len(first.paths) - n_asked > 4
        assert "no comparison of just these filters" in arena(*arguments, "--resume").stderr
    found, anew = (
        [side | {"texts_per_second": None} for side in json.loads(each.stdout)["sides"]] for each in (resumed, fresh)
    )
    assert found == anew
    assert [side["texts_per_second"] is None for side in json.loads(resumed.stdout)["sides"][:1]] == [True]
    assert not list(arena.home.glob("battles/*"))


def test_filters_behind_https_are_each_verified_in_their_own_way(arena, tmp_path):
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.signed("server"))
    with serving(tls) as first, serving(tls) as second:
        for server in (first, second):
            server.make = lambda body: {"predictions": [float("idiot" in text) for text in body["instances"]]}
        result = arena(first.url, second.url, "--cacert", f"A={authority.ca_file}", "--insecure", "B", "--json")
        assert result.exit_code == 0, result.output
        assert f"the certificate of {second.url} is not verified" in result.stderr
        result = arena(first.url, second.url, "--insecure", "A")
        assert result.exit_code == 2
        assert f"no answer from {second.url}" in result.stderr
        assert "cannot be verified" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["champion"], "give two to 8 filters"),
        (["champion", "previous"], "there is no arena in"),
        (["nobody", "http://127.0.0.1:9"], "no victim 'nobody'"),
        (["http://127.0.0.1:9", "http://127.0.0.1:9", "--map", "openai"], "write --map LETTER=..."),
        (["http://127.0.0.1:9", "http://127.0.0.1:9", "--map", "C=openai"], "no filter behind a URL"),
        (["http://127.0.0.1:9", "http://127.0.0.1:9", "--strategies", "magic"], "magic"),
        (["http://127.0.0.1:9", "http://127.0.0.1:9"], "no answer from"),
        (["http://127.0.0.1:9", "http://127.0.0.1:9", "--inverted", "D"], "no filter behind a URL"),
    ],
)
def test_what_cannot_be_compared_ends_with_2(arena, arguments, told):
    result = arena(*arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_settings_file_says_how_an_llm_is_asked(tmp_path, monkeypatch, comments, tiny_bundle):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    other = make_tiny_bundle(tmp_path / "other", bias=3.0)
    file = tmp_path / "settings.toml"
    file.write_text(
        "[llm]\ntemperature = 0.25\nmax_tokens = 77\n"
        "[attack]\nbudget = 1\ntexts_per_label = 4\nstrategies = ['llm_paraphrase']\n"
    )

    def compared(*options):
        given = ["compare", tiny_bundle.path, other.path, "--data", comments, "--split", "all", "--json"]
        return CliRunner().invoke(app, [str(argument) for argument in (*given, "--settings", file, *options)])

    with llm_server.serving() as llm:
        monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
        result = compared()
        assert result.exit_code == 0, result.output
        assert {(body["temperature"], body["max_tokens"]) for body in llm.bodies} == {(0.25, 77)}
    answer = json.loads(result.stdout)
    assert (answer["n_toxic"], answer["n_benign"], answer["budget"]) == (4, 4, 1)
    assert [row["strategy"] for row in answer["strategies"]] == ["llm_paraphrase"]
    assert json.loads(compared("--strategies", "leet_sub", "--texts", "3").stdout)["n_toxic"] == 3
    file.write_text("[attack]\nvictim_map = 'openai'\n")
    refused = compared()
    assert (refused.exit_code, "--map A=openai" in " ".join(refused.stderr.split())) == (2, True)
