"""The waiting jobs are found as if all of them were looked at."""

import tracemalloc
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.predictor.scoring.admission import is_small
from content_arena.components.predictor.scoring.jobs import Job, width
from content_arena.components.predictor.scoring.waiting import Waiting
from content_arena.components.shared.scoring.windows import BATCH_TOKENS, Window

#: Tokens of the windows of each batch of a job; an unread job has none.
JOBS = st.lists(
    st.one_of(
        st.lists(st.lists(st.integers(1, 128), min_size=1, max_size=3).map(sorted), min_size=1, max_size=3),
        st.sampled_from(["a small text", "a large text " * 400]),
    ),
    max_size=12,
)


def made(number, what):
    """A job that is read, with these batches, or one that is not."""
    if isinstance(what, str):
        job = Job([what], most=10_000)
    else:
        job = Job(["a text"], most=10_000)
        job.n_read = 1
        job.batches = deque([Window(0, [7] * size, "") for size in batch] for batch in what)
    job.number = number
    return job


def filled(jobs, gone):
    waiting = Waiting()
    for job in jobs:
        waiting.add(job)
    for job in gone:
        waiting.discard(job)
    return waiting


@st.composite
def waitings(draw):
    """A queue, and the jobs that are in it: some have gone, some of these came again with a batch less."""
    jobs = [made(number, what) for number, what in enumerate(draw(JOBS))]
    gone = [job for job in jobs if draw(st.booleans())]
    waiting = filled(jobs, gone)
    back = [job for job in gone if len(job.batches) > 1 and draw(st.booleans())]
    for job in back:
        job.take()
        waiting.add(job)
    return waiting, [job for job in jobs if job not in gone or job in back]


def is_unread(job):
    return not job.is_read and is_small(job.charge)


@given(waitings())
def test_the_oldest_and_that_of_the_least_work_are_found(given_):
    waiting, jobs = given_
    others = [job for job in jobs if not is_unread(job)]
    assert waiting.oldest() is min(jobs, key=lambda job: job.number, default=None)
    assert waiting.has_batches == any(job.batches for job in jobs)
    if others:
        oldest, least = waiting.oldest_and_least()
        assert oldest is min(others, key=lambda job: job.number)
        assert least is min(others, key=lambda job: (job.n_steps, job.number))
    else:
        assert waiting.oldest_and_least() is None


@given(waitings(), st.integers(1, 40))
def test_small_jobs_are_taken_oldest_first_until_there_is_enough_to_read(given_, n_characters):
    waiting, jobs = given_
    unread = sorted(filter(is_unread, jobs), key=lambda job: job.number)
    taken = waiting.take_unread(n_characters)
    assert taken == unread[: -(-n_characters // len("a small text"))]
    assert waiting.take_unread(10**6) == unread[len(taken) :]


@given(waitings(), st.integers(1, 128), st.integers(1, 8))
def test_company_fits_into_the_batch_and_is_taken_out(given_, tokens, most):
    waiting, jobs = given_
    first = made(99, [[tokens]]).take()
    taken = list(waiting.take_company(first, most))
    assert len({id(job) for job in taken}) == len(taken)
    batches = [first.windows, *(job.batches[0] for job in taken)]
    assert sum(map(len, batches)) <= max(1, most)
    if taken:
        assert sum(map(len, batches)) * max(map(width, batches)) <= BATCH_TOKENS
    left = [job for job in jobs if job not in taken]
    assert waiting.oldest() is min(left, key=lambda job: job.number, default=None)
    assert waiting.has_batches == any(job.batches for job in left)


def test_the_nearest_come_first():
    waiting = filled([made(0, [[20]]), made(1, [[24]]), made(2, [[23]]), made(3, [[33]])], [])
    taken = list(waiting.take_company(made(4, [[24]]).take(), most=3))
    assert [job.number for job in taken] == [1, 2]


def test_batches_that_are_too_large_hide_none_that_fits():
    large = [made(number, [[20] * 8]) for number in range(8)]
    small = [made(number, [[20]]) for number in range(8, 12)]
    taken = list(filled(large + small, []).take_company(made(99, [[20]]).take(), most=8))
    assert taken == small


def test_jobs_that_have_gone_take_no_memory_for_long():
    waiting, least = Waiting(), made(0, [[3]])
    waiting.add(least)
    tracemalloc.start()
    try:
        for number in range(1, 20_000):
            job = made(number, [[3], [3]])
            waiting.add(job)
            waiting.discard(job)
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()
    assert waiting.oldest_and_least() == (least, least)


def test_a_job_that_is_not_there_is_discarded_too():
    waiting = Waiting()
    waiting.discard(made(0, [[3]]))
    assert waiting.oldest() is None
