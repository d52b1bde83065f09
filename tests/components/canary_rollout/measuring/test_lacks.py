"""What time brings to a measurement, and what it does not. Without predictors: the probes and counts are made up."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.verdict import Lack, Verdict
from content_arena.components.canary_rollout.measuring.counters import Counted
from content_arena.components.canary_rollout.measuring.interface import Moment
from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer
from content_arena.components.canary_rollout.measuring.prober import Probing
from tests.components.canary_rollout.analysis.test_checks import GOOD, some_probes
from tests.components.canary_rollout.variants_under_test import CHALLENGER, MODE, STABLE, view

UNREAD = Check(Kind.METRICS, Subject.BOTH, Verdict.INCONCLUSIVE, "metrics of pod a can not be read")


class Asked:
    """A victim that has answered without errors."""

    answers, errors = 100, 0

    def __init__(self, version):
        self.versions = frozenset({version})


def probing(version, *, done=True, failure=""):
    result = replace(some_probes(200, 20, 20, 5), versions=frozenset({version})) if done and not failure else None
    made = Probing(0.0, Asked(version), result, failure)
    if done:
        made.done.set()
    return made


def measured(*, done=True, failure="", requests=10_000, ready=1, checks=(), percent=50):
    class Prober:
        def latest(self, *_):
            return probing("1"), probing("2", done=done, failure=failure)

    class Source:
        def count(self, *_):
            few = replace(GOOD, requests=requests) if requests else replace(GOOD, requests=0, versions=frozenset())
            return Counted(replace(GOOD, versions=frozenset({"1"})), few, checks)

    measurer = LiveMeasurer(Source(), Prober(), Limits())
    return measurer.measure(Moment(0.0, 0.0, 100.0, percent, STABLE, CHALLENGER, view(ready), MODE))


def test_a_verdict_lacks_nothing():
    found = measured()
    assert (found.verdict, found.lacks) == (Verdict.PASS, None)


@pytest.mark.parametrize("percent", [0, 50])
def test_probes_that_are_under_way_come_with_time(percent):
    found = measured(done=False, percent=percent)
    assert (found.verdict, found.lacks) == (Verdict.INCONCLUSIVE, Lack.PROBES)
    assert measured(done=False, checks=(UNREAD,), percent=percent).lacks is Lack.PROBES


@pytest.mark.parametrize("requests", [0, 20])
def test_too_few_answers_come_with_time(requests):
    found = measured(requests=requests)
    assert (found.verdict, found.lacks) == (Verdict.INCONCLUSIVE, Lack.ANSWERS)


@pytest.mark.parametrize("trouble", [{"failure": "no answer"}, {"ready": 0}, {"checks": (UNREAD,)}], ids=str)
def test_trouble_does_not_pass_with_time(trouble):
    assert measured(**trouble).lacks is None
    found = measured(requests=20, **trouble)
    assert (found.verdict, found.lacks) == (Verdict.INCONCLUSIVE, None)
