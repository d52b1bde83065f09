"""The model, its confidence and its answer to unexpected errors, without a server."""

import asyncio
import gzip
import logging
import threading

import numpy as np
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from kserve.model_repository import ModelRepository

from content_arena.components.predictor import model as models
from content_arena.components.predictor.deadline import DeadlineError
from content_arena.components.predictor.limits import SMALL_BODY_BYTES, Limits
from content_arena.components.predictor.middleware.boundary import BoundaryMiddleware
from content_arena.components.predictor.middleware.large_bodies import LARGE_BODIES, HeldBytes
from content_arena.components.predictor.rest import endpoints
from content_arena.components.predictor.scoring.admission import OverloadedError
from content_arena.components.predictor.scoring.engine import Engine, ScoreError
from content_arena.components.predictor.scoring.judgement import confidence
from content_arena.components.predictor.scoring.scheduler import ClosingError, Scheduler
from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring.filter import ContentFilter


class HeldFilter(ContentFilter):
    """Blocks until a test releases it."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.at_work, self.let_go = threading.Event(), threading.Event()

    def score_windows(self, batch):
        self.at_work.set()
        assert self.let_go.wait(20)
        return super().score_windows(batch)


class BrokenFilter(ContentFilter):
    """Returns a score that is no probability."""

    def score_windows(self, batch):
        scores = super().score_windows(batch)
        scores[-1] = np.nan
        return scores


def query(n):
    return models.Query(["you idiot"] * n, None)


def test_refuses_when_too_much_waits_and_recovers(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    # Each text has four tokens: two words, and one at each end. Small requests have a quarter of the queue.
    model = models.ContentFilterModel(Engine(held, Limits(queue_tokens=160)))

    async def scenario():
        first = asyncio.create_task(model.predict(query(8)))
        await asyncio.to_thread(held.at_work.wait, 20)
        with pytest.raises(OverloadedError):
            await model.predict(query(3))
        second = asyncio.create_task(model.predict(query(2)))
        held.let_go.set()
        answers = [len((await task)["predictions"]) for task in (first, second)]
        return [*answers, len((await model.predict(query(10)))["predictions"])]

    assert asyncio.run(scenario()) == [8, 2, 10]
    model.stop()


def test_a_score_that_is_no_number_is_an_error_not_benign(tiny_bundle):
    model = models.ContentFilterModel(Engine(BrokenFilter(tiny_bundle, threads=1)))
    with pytest.raises(ScoreError):
        asyncio.run(model.predict(query(1)))
    with pytest.raises(BundleError, match="warm-up"):
        model.load()
    assert not model.ready
    model.stop()


def test_a_job_given_up_frees_its_place(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits(queue_tokens=160))
    first, second = (scheduler.submit(["you idiot"] * 5) for _ in range(2))
    assert held.at_work.wait(20)
    with pytest.raises(OverloadedError):
        scheduler.submit(["you idiot"] * 5)
    second.result.cancel()
    third = scheduler.submit(["you idiot"] * 5)
    held.let_go.set()
    assert [len(job.result.result(20)) for job in (first, third)] == [5, 5]
    scheduler.close()
    scheduler.join()
    with pytest.raises(ClosingError):
        scheduler.submit(["you idiot"])


def test_an_accepted_job_that_turns_out_cheaper_is_not_refused_after_it_was_read(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits(queue_tokens=1_000))
    first = scheduler.submit(["you idiot"])
    assert held.at_work.wait(20)
    # Estimated as 700 tokens, which is less than three quarters of the queue; it has 600. Small jobs fill the rest.
    large = scheduler.submit(["idiot idiot idiot idiot"] * 100)
    small = scheduler.submit(["you idiot"] * 60)
    assert large.charge == 700
    held.let_go.set()
    assert [len(job.result.result(20)) for job in (first, small, large)] == [1, 60, 100]
    assert large.n_tokens == 600
    scheduler.close()
    scheduler.join()


@pytest.mark.parametrize("n_short", [1, 320])
def test_the_shortest_goes_first_and_the_oldest_is_not_forgotten(tiny_bundle, n_short):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits())
    finished = []

    def submit(name, n_texts):
        job = scheduler.submit(["you idiot"] * n_texts)
        job.result.add_done_callback(lambda _: finished.append(name))
        return job

    # The first is at work on its first batch, of 8 texts, while the others arrive.
    jobs = [submit("huge", 48)]
    assert held.at_work.wait(20)
    jobs += [submit("long", 24), *(submit("short", 1) for _ in range(n_short))]
    held.let_go.set()
    for job in jobs:
        job.result.result(20)
    scheduler.close()
    scheduler.join()
    assert finished.index("short") < min(finished.index("huge"), finished.index("long"))
    # Huge has five batches of 32 tokens to go: an eighth of the work while there are 320 short ones of 4 tokens.
    assert (finished[-1] == "huge") == (n_short == 1)


def test_a_flood_of_requests_is_scored_and_not_only_read(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    windows, score, flood, n_before = content_filter.windows, content_filter.score_windows, [], []

    def read(texts):
        # While a request is read, the next one comes.
        if len(flood) < 100:
            flood.append(scheduler.submit(["you idiot"]))
        return windows(texts)

    content_filter.windows = read
    content_filter.score_windows = lambda batch: n_before.append(len(flood)) or score(batch)
    scheduler = Scheduler(content_filter, Limits())
    scheduler.submit(["you idiot"]).result.result(20)
    for job in flood:
        job.result.result(20)
    assert n_before[0] < 5
    scheduler.close()
    scheduler.join()


def test_the_oldest_has_an_eighth_of_the_work_and_what_it_had_before_counts(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits(queue_tokens=400_000))
    batches = []
    score = held.score_windows
    held.score_windows = lambda batch: batches.append([len(window.ids) for window in batch]) or score(batch)
    # Batches of eight windows of 32 tokens, beside such of short requests of 20 tokens.
    jobs = [scheduler.submit(["idiot " * 30] * 230)]
    assert held.at_work.wait(20)
    n_short = 2_000
    jobs += [scheduler.submit(["idiot " * 18]) for _ in range(n_short)]
    held.let_go.set()
    for job in jobs[1:]:
        job.result.result(60)
    jobs[0].result.cancel()
    scheduler.close()
    scheduler.join()
    last_short = max(place for place, batch in enumerate(batches) if max(batch) == 20)
    of_huge = [place for place, batch in enumerate(batches[1:last_short]) if max(batch) > 20]
    # It was read in ten steps and had a batch before the others came: these count as 11 batches of 256 tokens.
    most = n_short * 20 / 7
    assert most - 11 * 256 - 512 <= 256 * len(of_huge) <= most - 11 * 256 + 256
    # It waits until the others had their part of these and of its next batch.
    assert abs(20 * 8 * of_huge[0] - 7 * 12 * 256) <= 256


def test_short_requests_share_batches_in_the_order_they_came_in(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits())
    sizes, finished = [], []
    score = held.score_windows
    held.score_windows = lambda batch: sizes.append(len(batch)) or score(batch)
    jobs = [scheduler.submit(["you idiot"])]
    assert held.at_work.wait(20)
    # One window of 27 tokens among those of 4, with which it shares no batch.
    for name, text in [*[("short", "you idiot")] * 16, ("longer", "idiot " * 25), *[("short", "you idiot")] * 64]:
        jobs.append(scheduler.submit([text]))
        jobs[-1].result.add_done_callback(lambda _, name=name: finished.append(name))
    held.let_go.set()
    for job in jobs:
        job.result.result(20)
    scheduler.close()
    scheduler.join()
    assert sorted(sizes) == [1, 1, *[8] * 10]
    assert finished.index("longer") == 16


def test_a_text_that_the_model_fails_on_spoils_no_other_request(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits())
    score = held.score_windows

    def fails(batch):
        if any(window.text == "you scum" for window in batch):
            raise RuntimeError
        return score(batch)

    jobs = [scheduler.submit(["nice day"])]
    assert held.at_work.wait(20)
    held.score_windows = fails
    jobs += [scheduler.submit([text]) for text in ("you idiot", "you scum", "nice day")]
    held.let_go.set()
    results = [job.result.exception(20) or job.result.result().item() for job in jobs]
    scheduler.close()
    scheduler.join()
    assert isinstance(results[2], RuntimeError)
    assert results[1] > 0.5
    assert results[3] == pytest.approx(results[0], abs=1e-6)


def test_every_unfinished_job_is_told_when_the_queue_closes(tiny_bundle):
    held = HeldFilter(tiny_bundle, threads=1)
    scheduler = Scheduler(held, Limits())
    jobs = [scheduler.submit(["you idiot"] * 20) for _ in range(3)]
    assert held.at_work.wait(20)
    scheduler.close()
    for job in jobs:
        with pytest.raises(ClosingError):
            job.result.result(20)
    held.let_go.set()
    scheduler.join()


@pytest.mark.parametrize("threads", [1, 4])
def test_scores_are_those_of_the_filter_however_texts_are_cut_into_steps(tiny_bundle, threads):
    content_filter = ContentFilter(tiny_bundle, threads=threads)
    scheduler = Scheduler(content_filter, Limits())
    rng = np.random.default_rng(0)
    requests = [
        [
            " ".join(rng.choice(["you", "idiot", "nice", "day"], rng.integers(1, 200)))
            for _ in range(rng.integers(1, 40))
        ]
        for _ in range(12)
    ]
    jobs = [scheduler.submit(texts) for texts in requests]
    for texts, job in zip(requests, jobs, strict=True):
        np.testing.assert_allclose(job.result.result(60), content_filter.score_all(texts), atol=1e-6)
    scheduler.close()
    scheduler.join()


def test_is_ready_only_after_the_warm_up(tiny_bundle):
    model = models.ContentFilterModel(Engine(ContentFilter(tiny_bundle, threads=1)))
    assert not model.ready
    assert model.load()
    assert model.ready
    model.stop()


@pytest.mark.parametrize("path", ["/v1/models/content-filter:predict", "/v2/models/content-filter/infer"])
def test_the_wait_for_other_large_bodies_counts_towards_the_deadline(tiny_bundle, path):
    model = models.ContentFilterModel(Engine(ContentFilter(tiny_bundle, threads=1)))
    repository, app = ModelRepository(), FastAPI()
    repository.update(model)
    model.load()
    endpoints.register(app, models.FilterDataPlane(repository), deadline=0.05)
    let_go = threading.Event()
    LARGE_BODIES.submit(let_go.wait, 5)
    try:
        with TestClient(app) as client, pytest.raises(DeadlineError):
            client.post(path, content=b" " * SMALL_BODY_BYTES + b'{"instances": ["you idiot"]}')
    finally:
        let_go.set()
        model.stop()


def test_the_wait_for_a_body_to_be_unpacked_is_bounded():
    app = FastAPI()
    app.add_middleware(BoundaryMiddleware, held=HeldBytes(1024), body_seconds=0.05)

    async def read(request: Request):
        return (await request.body()).decode()

    app.add_api_route("/", read, methods=["POST"])
    let_go = threading.Event()
    LARGE_BODIES.submit(let_go.wait, 5)
    try:
        answer = TestClient(app).post("/", content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})
    finally:
        let_go.set()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize(
    ("score", "threshold", "expected"),
    [
        (0.5, 0.5, 0.0),
        (1.0, 0.5, 1.0),
        (0.0, 0.5, 1.0),
        (0.95, 0.9, 0.5),
        (0.45, 0.9, 0.5),
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 1.0),
        (1.0, 1.0, 0.0),
        (0.0, 1.0, 1.0),
    ],
)
def test_confidence_is_relative_to_the_threshold(score, threshold, expected):
    scores = np.array([score], dtype=np.float32)
    assert confidence(scores, scores >= threshold, threshold) == pytest.approx([expected], abs=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=2), st.floats(0, 1))
def test_confidence_is_a_share_and_grows_with_the_distance(values, threshold):
    scores = np.sort(np.array(values, dtype=np.float32))
    verdicts = scores >= threshold
    sure = confidence(scores, verdicts, threshold)
    assert sure.dtype == np.float32
    assert np.all((sure >= 0) & (sure <= 1))
    assert np.all(np.diff(sure[verdicts]) >= 0)
    assert np.all(np.diff(sure[~verdicts]) <= 0)


def test_an_unexpected_error_is_answered_without_details(caplog, monkeypatch):
    secret = "hunter2"

    async def failing(scope, receive, send):
        raise RuntimeError(secret)

    sent = []

    async def send(message):
        sent.append(message)

    # kserve's logging configuration may have cut its loggers off from the root, where caplog listens.
    monkeypatch.setattr(logging.getLogger("kserve"), "propagate", True)
    with caplog.at_level(logging.ERROR):
        asyncio.run(BoundaryMiddleware(failing, HeldBytes(0), 1.0)({"type": "http", "headers": []}, None, send))
    assert sent[0]["status"] == 500
    assert sent[1]["body"] == b'{"error": "internal error"}'
    assert "RuntimeError on unmatched" in caplog.text
    assert secret not in caplog.text
