"""Checks pass or fail where the data is clear, and are inconclusive where it is not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis import intervals
from content_arena.components.canary_rollout.analysis.bounds import Bounds
from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, worst
from content_arena.components.canary_rollout.analysis.checks import (
    Probes,
    Window,
    judge_probes,
    judge_traffic,
    judge_versions,
)
from content_arena.components.canary_rollout.analysis.intervals import Ratio
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.verdict import Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
LIMITS = Limits()
BOUNDS = Bounds(LIMITS)
EDGES = (0.01, 0.1, 0.5, 1.0, 5.0, math.inf)
GOOD = Window(
    requests=10_000, errors=0, throttled=0, edges=EDGES, latencies=(5_000, 4_900, 90, 10, 0, 0),
    texts=10_000, flagged=1_000, scores=(9_000, 500, 500), versions=frozenset({"2"}),
)  # fmt: skip
NOTHING = Window(0, 0, 0, EDGES, (0,) * 6, 0, 0, (0, 0, 0), frozenset())


def by_name(checks):
    return {check.label: check.verdict for check in checks}


def traffic(**changes):
    return by_name(judge_traffic(GOOD, replace(GOOD, **changes), BOUNDS))


def test_equal_variants_pass_everything():
    checks = judge_traffic(GOOD, GOOD, BOUNDS)
    assert worst(checks) is PASS
    assert {"errors, bound", "errors, champion", "throttled, bound", "p95, bound", "p99, champion", "flagged",
            "scores"} <= set(by_name(checks))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"errors": 500}, {"errors, bound", "errors, champion"}),
        ({"throttled": 1_000}, {"throttled, bound", "throttled, champion"}),
        ({"latencies": (0, 0, 9_000, 1_000, 0, 0)}, {"p95, bound", "p95, champion", "p99, champion"}),
        ({"flagged": 4_000}, {"flagged"}),
        ({"flagged": 10, "scores": (9_000, 500, 500)}, set()),
        ({"scores": (100, 400, 9_500)}, {"scores"}),
    ],
    ids=["5xx", "429", "slow", "flags more", "flags a little less", "scores elsewhere"],
)
def test_a_clearly_worse_figure_fails(changes, failed):
    found = {name for name, verdict in traffic(**changes).items() if verdict is FAIL}
    assert found == failed


def test_the_reason_has_value_interval_count_and_limit():
    reason = judge_traffic(GOOD, replace(GOOD, errors=500), BOUNDS)[0].reason
    assert "0.05 [" in reason
    assert "on 10000, wanted at most 0.01" in reason


def test_little_data_is_inconclusive_even_when_it_looks_perfect():
    few = replace(GOOD, requests=20, latencies=(20, 0, 0, 0, 0, 0), texts=10, flagged=1, scores=(8, 1, 1))
    verdicts = by_name(judge_traffic(GOOD, few, BOUNDS))
    assert PASS not in {verdicts[name] for name in ("errors, bound", "p95, bound", "p99, bound", "scores")}
    assert FAIL not in verdicts.values()


def test_no_data_is_inconclusive_on_either_side():
    assert set(by_name(judge_traffic(GOOD, NOTHING, BOUNDS)).values()) == {INCONCLUSIVE}
    against_nothing = by_name(judge_traffic(NOTHING, GOOD, BOUNDS))
    assert {verdict for name, verdict in against_nothing.items() if not name.endswith("bound")} == {INCONCLUSIVE}


def test_no_limit_that_is_not_a_number_lets_anything_pass():
    nan = Bounds(Limits(**dict.fromkeys(Limits.__dataclass_fields__, math.nan)))
    probes = some_probes(60, 10)
    checks = [*judge_traffic(GOOD, GOOD, nan), *judge_probes(probes, probes, nan)]
    assert {check.verdict for check in checks} == {INCONCLUSIVE}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [({"2"}, PASS), ({"1"}, FAIL), ({"1", "2"}, FAIL), (set(), INCONCLUSIVE)],
    ids=["the challenger", "the champion", "both", "no answers"],
)
def test_the_versions_that_answered_are_compared(found, verdict):
    assert judge_versions(Kind.VERSION, Subject.CHALLENGER, frozenset(found), "2").verdict is verdict


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ([], INCONCLUSIVE),
        ([PASS, PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, FAIL, PASS], FAIL),
    ],
    ids=str,
)
def test_the_worst_counts(verdicts, wanted):
    assert worst([Check(Kind.READY, Subject.CHALLENGER, verdict, "") for verdict in verdicts]) is wanted


# Probes.


def names(n):
    return [f"text-{i}" for i in range(n)]


def some_probes(n, evaded, flagged=0, wrong=0):
    """``n`` texts of each kind; so many evaded, flagged though benign, judged wrong."""
    toxic = [i % 2 == 0 for i in range(n)]
    return Probes(
        Ratio.rate([i < evaded for i in range(n)], names(n)),
        Ratio.rate([i < flagged for i in range(n)], names(n)),
        Ratio.f1([label != (i < wrong) for i, label in enumerate(toxic)], toxic, names(n)),
        frozenset({"2"}),
    )


def probes(champion, challenger):
    return by_name(judge_probes(champion, challenger, BOUNDS))


def test_the_same_answers_pass_although_each_alone_is_uncertain():
    same = some_probes(200, 30, 40, 10)
    assert set(probes(same, same).values()) == {PASS}


@pytest.mark.parametrize(
    ("challenger", "failed"),
    [
        (some_probes(400, 240), {"evasion, bound", "evasion, champion"}),
        (some_probes(400, 40, flagged=300), {"benign flagged, bound", "benign flagged, champion"}),
        (some_probes(400, 40, wrong=300), {"F1, bound", "F1, champion"}),
    ],
    ids=["lets attacks past", "flags benign text", "judges clean text wrong"],
)
def test_a_figure_of_the_probes_that_is_clearly_worse_fails(challenger, failed):
    found = probes(some_probes(400, 40), challenger)
    assert {name for name, verdict in found.items() if verdict is FAIL} == failed


def test_a_better_challenger_is_not_held_against_it():
    assert worst(judge_probes(some_probes(400, 80, 80, 20), some_probes(400, 20, 20, 5), BOUNDS)) is PASS


def test_a_battle_in_which_nothing_was_caught_is_inconclusive():
    empty = replace(some_probes(100, 10), evasion=Ratio.rate([], []))
    found = probes(some_probes(100, 10), empty)
    assert {found["evasion, bound"], found["evasion, champion"]} == {INCONCLUSIVE}


def test_a_handful_of_texts_passes_nothing():
    assert set(probes(some_probes(29, 0), some_probes(29, 0)).values()) == {INCONCLUSIVE}


def test_no_success_among_few_texts_is_no_proof_of_zero():
    figure, _, _ = intervals.compare(*[Ratio.rate([False] * 30, names(30))] * 2)
    assert figure.low == pytest.approx(0)
    assert figure.high > 0.1


@pytest.mark.parametrize(("texts", "verdict"), [(30, INCONCLUSIVE), (60, INCONCLUSIVE), (90, PASS)])
def test_agreement_on_few_texts_is_no_proof_of_agreement(texts, verdict):
    same = some_probes(texts, texts // 10, texts // 10)
    found = probes(same, same)
    assert {found["evasion, champion"], found["benign flagged, champion"], found["F1, champion"]} == {verdict}


def test_small_disagreements_widen_the_difference_by_little():
    """On each of 100 texts one of 20 attacks succeeds, another one for each model."""
    clusters = [f"text-{i // 20}" for i in range(2_000)]
    ours = Ratio.rate([i % 20 == 0 for i in range(2_000)], clusters)
    more = Ratio.rate([i % 20 == 0 or i % 40 == 1 for i in range(2_000)], clusters)
    _, _, apart = intervals.compare(more, ours)
    assert apart.rate == pytest.approx(0.025)
    assert 0.01 < apart.low < apart.high < 0.04


def test_f1_equals_scikit_learns():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    flagged, toxic = rng.random(200) < 0.4, rng.random(200) < 0.5
    figure, _, apart = intervals.compare(*[Ratio.f1(flagged, toxic, names(200))] * 2)
    assert figure.rate == pytest.approx(f1_score(toxic, flagged))
    assert apart.rate == 0
    assert -0.05 < apart.low < 0 < apart.high < 0.05


def test_trials_on_one_text_count_as_one():
    alone = Ratio.rate([i < 100 for i in range(500)], names(500))
    repeated = Ratio.rate([i // 10 < 10 for i in range(500)], [f"text-{i // 10}" for i in range(500)])
    narrow, wide = (intervals.compare(ratio, ratio)[0] for ratio in (alone, repeated))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@settings(max_examples=40)
@given(st.integers(1, 150), st.data())
def test_a_figure_beyond_its_limit_never_passes_and_one_within_never_fails(n, data):
    counts = [data.draw(st.integers(0, n)) for _ in range(6)]
    champion, challenger = some_probes(n, *counts[:3]), some_probes(n, *counts[3:])
    found = probes(champion, challenger)
    for name, ours, theirs, limit, margin in (
        ("evasion", counts[3], counts[0], LIMITS.evasion, LIMITS.evasion_margin),
        ("benign flagged", counts[4], counts[1], LIMITS.benign_flagged, LIMITS.benign_margin),
    ):
        # In whole texts: 0.3 * 10 is not quite 3.
        allowed = max(limit * n, theirs + margin * n)
        assert found[f"{name}, bound"] is not (PASS if ours > allowed + 1e-9 else FAIL)
        assert found[f"{name}, champion"] is not (PASS if ours - theirs > margin * n + 1e-9 else FAIL)


@given(st.lists(st.integers(0, 1_000), min_size=3, max_size=3).filter(any))
def test_psi_of_equal_histograms_is_zero(counts):
    assert intervals.psi(counts, counts)[0] == pytest.approx(0)


@pytest.mark.parametrize("true", [0.0, 0.25])
def test_an_index_is_above_the_highest_as_often_as_expected(true):
    """Draws 2,000 times from two distributions with this index, over 20 bins."""
    rng, texts = np.random.default_rng(0), 2_000
    p = np.full(20, 1 / 20)
    q = p + np.tile([1, -1], 10) * tilt(p, true)
    above = 0
    for _ in range(2_000):
        value, noise = intervals.psi(rng.multinomial(texts, p), rng.multinomial(texts, q))
        above += value > intervals.highest_psi(true, noise, 20, 0.95)
    assert 0.03 < above / 2_000 < 0.07


def tilt(p, true):
    """By how much every other bin of an even distribution rises for an index of ``true``."""
    from scipy.optimize import brentq

    def apart(by):
        q = p + np.tile([1, -1], len(p) // 2) * by
        return np.sum((q - p) * np.log(q / p)) - true

    return brentq(apart, 0, 0.9 * p[0])


def in_bins(shares, texts):
    counts = tuple(round(share * texts) for share in shares)
    return replace(GOOD, requests=texts, texts=texts, flagged=texts // 10, scores=counts)


@pytest.mark.parametrize(("texts", "verdict"), [(60, INCONCLUSIVE), (600, INCONCLUSIVE), (10_000, FAIL)])
def test_scores_slightly_too_far_apart_fail_on_enough_texts(texts, verdict):
    checks = by_name(judge_traffic(in_bins((0.7, 0.2, 0.1), texts), in_bins((0.42, 0.38, 0.2), texts), BOUNDS))
    assert checks["scores"] is verdict


def test_quantiles_are_prometheus_own():
    assert intervals.quantile(EDGES, GOOD.latencies, 0.25) == pytest.approx(0.005)
    assert intervals.quantile(EDGES, GOOD.latencies, 0.5) == pytest.approx(0.01)
    assert intervals.quantile(EDGES, GOOD.latencies, 0.95) == pytest.approx(0.01 + 0.09 * 4_500 / 4_900)
    assert intervals.quantile(EDGES, GOOD.latencies, 1.0) == pytest.approx(1.0)
    assert intervals.quantile(EDGES, (0, 0, 0, 0, 0, 7), 0.5) == math.inf
    assert math.isnan(intervals.quantile(EDGES, NOTHING.latencies, 0.5))


# Repeated tests.


def failed_after(error_rate, seed, answers=1_500, every=3):
    """Number of answers after which a challenger with random errors fails; None if never."""
    errors = np.cumsum(np.random.default_rng(seed).random(answers) < error_rate)
    for n in range(every, answers, every):
        window = replace(GOOD, requests=n, errors=int(errors[n - 1]))
        if by_name(judge_traffic(GOOD, window, BOUNDS))["errors, bound"] is FAIL:
            return n
    return None


def test_repeated_tests_do_not_fail_a_challenger_within_its_bound():
    assert sum(failed_after(0.008, seed, answers=400, every=10) is not None for seed in range(30)) <= 1


@pytest.mark.parametrize(("error_rate", "within"), [(1.0, 30), (0.5, 30), (0.1, 150), (0.05, 600)])
def test_real_errors_fail_soon(error_rate, within):
    assert all((failed_after(error_rate, seed, within + 3) or math.inf) <= within for seed in range(5))


@pytest.mark.parametrize(("requests", "errors", "verdict"), [
    (17, 1, INCONCLUSIVE), (29, 29, INCONCLUSIVE), (30, 1, INCONCLUSIVE), (30, 2, INCONCLUSIVE), (30, 3, FAIL),
])  # fmt: skip
def test_one_error_among_the_first_answers_fails_no_challenger(requests, errors, verdict):
    assert traffic(requests=requests, errors=errors)["errors, bound"] is verdict


def test_a_slow_challenger_fails_on_its_first_answers():
    found = traffic(requests=30, latencies=(0, 0, 0, 30, 0, 0))
    assert {found["p95, bound"], found["p95, champion"]} == {FAIL}


# Texts arrive in requests.


def test_many_texts_in_few_requests_are_few():
    """100 requests of 100 similar texts each are worth as much as 100 texts."""
    batched = replace(GOOD, requests=100)
    assert traffic(requests=100, texts=10_000, flagged=1_800)["flagged"] is INCONCLUSIVE
    assert traffic(flagged=2_200)["flagged"] is FAIL
    alone = intervals.share_of(10, 100)
    together = intervals.share_of(1_000, 10_000, batched.requests)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    found = by_name(judge_traffic(batched, batched, BOUNDS))
    assert found["flagged"] is PASS
    few = replace(GOOD, requests=10)
    found = by_name(judge_traffic(few, few, BOUNDS))
    assert {found["flagged"], found["scores"]} == {INCONCLUSIVE}


def test_no_texts_of_one_request_fail_a_challenger():
    one = replace(GOOD, requests=1, texts=4_096, flagged=4_096, scores=(0, 0, 4_096))
    found = by_name(judge_traffic(GOOD, one, BOUNDS))
    assert {found["flagged"], found["scores"]} == {INCONCLUSIVE}


# Latency.


def slowness(champion, challenger, limits=LIMITS):
    ours, theirs = (replace(GOOD, latencies=latencies) for latencies in (champion, challenger))
    return by_name(judge_traffic(ours, theirs, Bounds(limits)))


def test_nothing_is_judged_beyond_the_last_bin():
    slowest = (0, 0, 0, 0, 0, 10_000)
    found = slowness(slowest, slowest, replace(LIMITS, p95_seconds=6.0))
    assert {found["p95, bound"], found["p95, champion"]} == {INCONCLUSIVE}
    # 1.5 times 4.7 s is beyond 5 s as well.
    found = slowness((0, 0, 0, 0, 10_000, 0), slowest)
    assert {found["p95, champion"], found["p95, bound"]} == {INCONCLUSIVE}
    judged = judge_traffic(None, replace(GOOD, latencies=slowest), BOUNDS)
    assert by_name(judged)["p95, bound"] is FAIL


def test_a_champions_place_in_its_bin_counts_and_not_the_end_of_it():
    """Its p95 is 0.11 s, in a bin that ends at 0.5 s: 1.5 times that end let a challenger of 1 s pass."""
    champion, challenger = (0, 9_488, 512, 0, 0, 0), (0, 0, 5_000, 5_000, 0, 0)
    assert intervals.quantile(EDGES, champion, 0.95) == pytest.approx(0.11, abs=0.001)
    limits = replace(LIMITS, p95_seconds=5.0, p99_seconds=5.0)
    assert slowness(champion, challenger, limits)["p95, champion"] is FAIL
    assert slowness(champion, champion, limits)["p95, champion"] is PASS


@given(st.lists(st.integers(0, 5_000), min_size=5, max_size=5).filter(any))
def test_an_equal_challenger_is_never_slower(counts):
    found = slowness((*counts, 0), (*counts, 0))
    assert FAIL not in {found["p95, champion"], found["p99, champion"]}
