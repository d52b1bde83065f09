"""A check has a kind and a subject. Its name is for people, and for records of earlier versions."""

import pytest

from content_arena.components.canary_rollout.analysis.check import SUBJECTS, Check, Kind, Subject, label_of
from content_arena.components.canary_rollout.analysis.verdict import Verdict

PAIRS = [(kind, subject) for kind, subjects in SUBJECTS.items() for subject in subjects]


@pytest.mark.parametrize(
    ("kind", "subject", "slower_than", "name"),
    [
        (Kind.BOUND, Subject.ERRORS, None, "errors, bound"),
        (Kind.CHAMPION, Subject.BENIGN_FLAGGED, None, "benign flagged, champion"),
        (Kind.BOUND, Subject.P95, 0.5, "p95, bound, share slower than 0.5 s"),
        (Kind.DRIFT, Subject.FLAGGED, None, "flagged"),
        (Kind.VERSION, Subject.CHALLENGER, None, "version"),
        (Kind.VERSION, Subject.CHAMPION, None, "champion's version"),
        (Kind.PROBED_VERSION, Subject.CHALLENGER, None, "version, probes"),
        (Kind.PROBED_VERSION, Subject.CHAMPION, None, "champion's version, probes"),
        (Kind.ANSWERS, Subject.CHALLENGER, None, "errors, probes"),
        (Kind.PROBES, Subject.CHAMPION, None, "probes of the champion"),
        (Kind.COUNTS, Subject.CHALLENGER, None, "challenger's counts"),
    ],
)
def test_names_are_those_of_earlier_records(kind, subject, slower_than, name):
    check = Check(kind, subject, Verdict.PASS, "a reason", slower_than=slower_than)
    assert check.name == name
    assert check.label == name.partition(", share")[0]
    old = {"name": name, "verdict": "pass", "reason": "a reason", "value": None, "low": None, "high": None,
           "least": None, "most": None}  # fmt: skip
    assert Check.from_dict(old) == check


def test_every_kind_and_subject_has_a_label_of_its_own():
    assert set(SUBJECTS) == set(Kind) - {Kind.OTHER}
    assert len({label_of(*pair) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize(("kind", "subject"), PAIRS)
def test_a_record_is_read_back(kind, subject):
    check = Check(kind, subject, Verdict.FAIL, "a reason", 0.5, 0.4, 0.6, None, 0.3)
    assert Check.from_dict(check.as_dict()) == check
    assert check.as_dict()["name"] == check.name


def test_a_name_of_another_version_is_kept_as_it_is():
    check = Check.from_dict({"name": "charm, share slower than 1 s", "verdict": "inconclusive", "reason": "unknown"})
    assert (check.kind, check.name, check.label) == (Kind.OTHER, *["charm, share slower than 1 s"] * 2)
