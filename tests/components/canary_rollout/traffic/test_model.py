"""What a predictor serves, in its spec."""

from content_arena.components.canary_rollout.traffic.model import (
    Model,
    configured_sha256,
    configured_version,
    model_of,
    runtime_of,
    version_of,
)


def predictor(*env):
    return {"model": {"storageUri": "s3://models/content-filter/7/", "env": list(env)}}


def test_the_version_is_configured_or_the_end_of_the_bundles_address():
    variable = {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "8"}
    assert version_of(predictor(variable)) == "8"
    assert version_of(predictor()) == "7"
    assert configured_version(predictor()) is None


def test_another_bundle_keeps_the_other_variables_and_changes_no_original():
    given = predictor({"name": "A", "value": "1"}, {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "7"})
    assert model_of(given, Model("s3://x", "9", "", "")) == {
        "storageUri": "s3://x",
        "env": [{"name": "A", "value": "1"}, {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "9"}],
    }
    assert configured_version(given) == "7"
    assert model_of(predictor(), Model("s3://x", None, "", "")) == {"storageUri": "s3://x", "env": None}


def test_another_bundle_has_its_own_digest_or_none():
    given = predictor({"name": "CONTENT_ARENA_EXPECTED_SHA256", "value": "a" * 64})
    assert configured_sha256(given) == "a" * 64
    assert configured_sha256(predictor()) == ""
    other = model_of(given, Model("s3://x", None, "b" * 64, ""))
    assert other["env"] == [{"name": "CONTENT_ARENA_EXPECTED_SHA256", "value": "b" * 64}]
    assert model_of(given, Model("s3://x", None, "", ""))["env"] is None


def test_a_runtime_is_only_written_where_it_is_another_one():
    given = predictor()
    assert runtime_of(given) == ""
    given["model"]["runtime"] = "content-arena"
    assert runtime_of(given) == "content-arena"
    for runtime in ("", "content-arena"):
        assert "runtime" not in model_of(given, Model("s3://x", None, "", runtime))
    assert model_of(given, Model("s3://x", None, "", "next"))["runtime"] == "next"
