"""The jobs that wait for a step, found by age, by work and by the length of their next batch.

A busy server has more than a thousand of them and takes hundreds of steps a second, under the lock that every request
needs. To look at all of them took a tenth of its threads' time, so nothing here does. Not safe by itself to call from
several threads.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator

from content_arena.components.predictor.scoring.admission import is_small
from content_arena.components.predictor.scoring.jobs import Job, Part, width
from content_arena.components.shared.scoring.windows import BATCH_TOKENS

#: Windows of different requests go together if they differ by no more tokens. A batch costs some 10 tokens of work
#: beside that on its tokens (all-MiniLM-L6-v2 in int8), so that a window with more padding is better off alone.
_PADDING = 8


#: Entries of jobs that have gone are cleared when there are as many, beside one for each job that is there.
_MOST_GONE = 1_000


class Waiting:
    """Jobs, each of which is in one of two groups: small ones that are not read, and the others."""

    def __init__(self) -> None:
        self._unread: dict[int, Job] = {}
        self._others: dict[int, Job] = {}
        # Heaps keep entries of jobs that have gone, which are dropped when they come first, or when they are too many.
        self._unread_by_age: list[int] = []
        self._by_age: list[int] = []
        self._by_work: list[tuple[int, int]] = []
        #: Of the jobs that have a batch, by the tokens of its longest window.
        self._by_width: defaultdict[int, dict[int, Job]] = defaultdict(dict)
        self._n_ready = 0

    def add(self, job: Job) -> None:
        """Adds a job, whose work does not change until it is taken out."""
        if not job.is_read and is_small(job.charge):
            self._unread[job.number] = job
            heapq.heappush(self._unread_by_age, job.number)
            return
        self._others[job.number] = job
        heapq.heappush(self._by_age, job.number)
        heapq.heappush(self._by_work, (job.n_steps, job.number))
        if len(self._by_work) > 2 * len(self._others) + _MOST_GONE:
            self._by_work = sorted((other.n_steps, number) for number, other in self._others.items())
            self._by_age = sorted(self._others)
        if job.batches:
            self._by_width[width(job.batches[0])][job.number] = job
            self._n_ready += 1

    def discard(self, job: Job) -> None:
        """Takes a job out if it is there."""
        self._unread.pop(job.number, None)
        if self._others.pop(job.number, None) is not None and job.batches:
            del self._by_width[width(job.batches[0])][job.number]
            self._n_ready -= 1

    @property
    def has_batches(self) -> bool:
        """Whether a job has a batch to be scored."""
        return self._n_ready > 0

    def take_unread(self, n_characters: int) -> list[Job]:
        """Takes out the oldest small jobs that are not read, until they have that many characters to be read."""
        found: list[Job] = []
        while n_characters > 0 and (number := _first(self._unread_by_age, self._unread)) is not None:
            job = self._unread.pop(number)
            n_characters -= sum(map(len, job.texts[job.n_read :]))
            found.append(job)
        return found

    def oldest(self) -> Job | None:
        """The oldest of both groups."""
        found = (_first(self._unread_by_age, self._unread), _first(self._by_age, self._others))
        number = min((number for number in found if number is not None), default=None)
        return None if number is None else self._unread.get(number) or self._others[number]

    def oldest_and_least(self) -> tuple[Job, Job] | None:
        """Of the others the oldest, and that with the fewest batches left, of two with as many the older."""
        number = _first(self._by_age, self._others)
        if number is None:
            return None
        while (work := self._by_work[0]) and not self._is_present(*work):
            heapq.heappop(self._by_work)
        return self._others[number], self._others[work[1]]

    def take_company(self, first: Part, most: int) -> Iterator[Job]:
        """Takes out the jobs whose next batches are scored together with a part.

        Those of the least padding come first, and of those the ones that have had a batch for longest.

        A batch costs more than its tokens do: eight windows of 20 tokens took 1.4 times as long one by one.

        Args:
            first: What is scored in any case.
            most: Windows of the batch.
        """
        wanted = widest = width(first.windows)
        n = len(first.windows)
        for job in list(self._near(wanted, most - n)):
            if n == most:
                return
            wider, more = max(widest, width(job.batches[0])), n + len(job.batches[0])
            if more <= most and more * wider <= BATCH_TOKENS:
                widest, n = wider, more
                self.discard(job)
                yield job

    def _near(self, wanted: int, most: int) -> Iterator[Job]:
        """Jobs with about that wide batches of ``most`` windows at most, the nearest first; ``most`` of each width."""
        for distance in range(_PADDING + 1):
            for each in sorted({wanted - distance, wanted + distance}):
                jobs = self._by_width.get(each, {}).values()
                yield from itertools.islice((job for job in jobs if len(job.batches[0]) <= most), most)

    def _is_present(self, work: int, number: int) -> bool:
        job = self._others.get(number)
        return job is not None and job.n_steps == work


def _first(heap: list[int], present: dict[int, Job]) -> int | None:
    """The least number that is present, after those that have gone are dropped."""
    while heap and heap[0] not in present:
        heapq.heappop(heap)
    return heap[0] if heap else None
