from content_arena.components.canary_rollout.kube.client import FIELD_MANAGER
from content_arena.components.canary_rollout.kube.spec_diff import described

SPEC = {"predictor": {"minReplicas": 2, "model": {"storageUri": "s3://1"}}, "canary": [{"trafficPercent": 25}]}


def service(spec, *writers):
    fields = [
        {"manager": name, "time": time, "fieldsV1": {field: {}}} for name, time, field in writers
    ]  # fmt: skip
    return {"metadata": {"name": "filter", "managedFields": fields}, "spec": spec}


def test_every_kind_of_change_is_named():
    after = {
        "predictor": {"minReplicas": 4, "model": {"storageUri": "s3://1"}, "timeout": 7},
        "canary": [{"trafficPercent": 50}],
    }
    assert described(SPEC, service(after)) == (
        "spec.canary[0].trafficPercent is 50 instead of 25, spec.predictor.minReplicas is 4 instead of 2, "
        "spec.predictor.timeout is set to 7"
    )
    assert described(SPEC, service({"predictor": SPEC["predictor"]})) == (
        'spec.canary was removed (was [{"trafficPercent": 25}])'
    )


def test_a_field_that_may_hold_a_secret_is_named_and_not_quoted():
    before, after = ({"predictor": {"model": {"env": [{"name": "TOKEN", "value": value}]}}} for value in ("old", "new"))
    assert described(before, service(after)) == "spec.predictor.model.env was changed"
    assert described(SPEC, service({**SPEC, "predictor": {**SPEC["predictor"], "args": ["--key=secret"]}})) == (
        "spec.predictor.args was changed"
    )


def test_many_changes_stay_one_line():
    after = {"predictor": {f"field-{n}": "x" * 500 for n in range(9)}}
    text = described(SPEC, service(after))
    assert "and 8 more" in text
    assert len(text) < 500


def test_the_last_other_writer_of_the_spec_is_named():
    writers = (
        ("kubectl-create", "2026-01-01T00:00:00Z", "f:spec"), ("kubectl-edit", "2026-01-02T00:00:00Z", "f:spec"),
        ("kserve", "2026-01-03T00:00:00Z", "f:status"), (FIELD_MANAGER, "2026-01-04T00:00:00Z", "f:spec"),
    )  # fmt: skip
    assert described(None, service(SPEC, *writers)) == (
        "its spec is not as the rollout wrote it (by kubectl-edit at 2026-01-02T00:00:00Z)"
    )
