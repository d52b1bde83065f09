"""Records of a rollout are read back, also those of earlier versions."""

import json

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.reporting.history import History, Record, read

CHECK = Check(Kind.BOUND, Subject.P95, Verdict.FAIL, "too slow", 0.3, 0.2, 0.4, None, 0.05, slower_than=0.5)
RECORD = Record(
    at=1.0, phase="baking", step=1, percent=25, share=25, action="measure", reason="a test", verdict=Verdict.FAIL,
    checks=(CHECK,), approvals=("step-25 by alice",),
)  # fmt: skip


def test_a_record_is_read_back(tmp_path):
    history = History(tmp_path / "rollout.jsonl")
    history.append(RECORD)
    assert history.records() == [RECORD]


def test_checks_keep_their_names_in_the_file(tmp_path):
    history = History(tmp_path / "rollout.jsonl")
    history.append(RECORD)
    (check,) = json.loads(history.path.read_text())["checks"]
    assert check["name"] == "p95, bound, share slower than 0.5 s"
    assert (check["kind"], check["subject"], check["verdict"]) == ("bound", "p95", "fail")


def test_a_record_with_names_alone_is_read(tmp_path):
    given = RECORD.as_dict()
    given["checks"] = [
        {name: value for name, value in check.items() if name not in ("kind", "subject", "slower_than")}
        for check in given["checks"]
    ]
    path = tmp_path / "rollout.jsonl"
    path.write_text(json.dumps(given) + "\n")
    assert read(path) == [RECORD]
