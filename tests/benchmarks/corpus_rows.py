"""Rows a second from a file to a divided corpus, against the same with near-duplicates by prefix filtering alone.

Both sides read, mask, compare and divide the same rows and have to drop the same ones. The rows are synthetic: 5 to 40
words of a vocabulary of 50,000 by Zipf's law, frequent words shorter, 3 % repeated exactly and 3 % with one character
changed. ``python -m tests.benchmarks.corpus_rows 2000000`` prepares that many rows once and prints what it took. Goal:
2,000,000 rows within 300 s and 4 GiB on two cores.
"""

from __future__ import annotations

import contextlib
import csv
import io
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from content_arena.components.corpus_preparation import cleaning
from content_arena.components.corpus_preparation.prepare import Prepared, examine
from tests.benchmarks import prefix_filter, report

_OURS = "ours"
_N_WORDS = 50_000
_LETTERS = list("etaoinshrdlucmfwypvbgk")
_REPEATED, _EDITED = 0.03, 0.06
_MAX_TEXTS = 8_000
_CHUNK = 50_000


def run(quick: bool = False) -> None:
    """Measures and prints.

    Args:
        quick: Fewer rows and repetitions.
    """
    n_rows, repetitions = (10_000, 1) if quick else (100_000, 3)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "rows.csv"
        write(path, n_rows)
        dropped: set[tuple[float, float]] = set()
        sides = {
            _OURS: lambda: _rate(path, n_rows, dropped),
            "near-duplicates by prefix filtering alone": lambda: _other(path, n_rows, dropped),
        }
        measured = report.take_turns(sides, repetitions)
    same = "the same rows" if len(dropped) == 1 else f"NOT the same rows: {sorted(dropped)}"
    print(f"Preparing a corpus: {n_rows:,} rows of CSV, one process; both sides dropped {same}")
    report.show(measured, _OURS, "rows/s")


def write(path: Path, n_rows: int, seed: int = 7) -> None:
    """Writes rows with a text and a label as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(_rows(n_rows, seed))


def _rows(n_rows: int, seed: int) -> Iterator[tuple[str, int]]:
    generator = np.random.default_rng(seed)
    words = _vocabulary(generator)
    share = 1 / np.arange(1, _N_WORDS + 1)
    cumulated = np.cumsum(share / share.sum())
    earlier: list[tuple[str, int]] = []
    for start in range(0, n_rows, _CHUNK):
        n = min(_CHUNK, n_rows - start)
        lengths = generator.integers(5, 41, n)
        drawn = words[np.searchsorted(cumulated, generator.random(lengths.sum())).clip(0, _N_WORDS - 1)]
        ends = np.cumsum(lengths)
        kind, label, place = generator.random(n), generator.random(n) < 0.3, generator.random((n, 2))
        for row in range(n):
            if kind[row] < _EDITED and earlier:
                text, its_label = earlier[int(place[row, 0] * len(earlier))]
                at = int(place[row, 1] * len(text))
                yield (text if kind[row] < _REPEATED else f"{text[:at]}z{text[at + 1 :]}"), its_label
                continue
            text = " ".join(drawn[ends[row] - lengths[row] : ends[row]])
            if len(earlier) < _CHUNK:
                earlier.append((text, int(label[row])))
            else:
                earlier[int(place[row, 0] * _CHUNK)] = text, int(label[row])
            yield text, int(label[row])


def _vocabulary(generator: np.random.Generator) -> np.ndarray:
    """Words of which the frequent ones are short, as in a language."""
    longest = 2 + np.log2(np.arange(1, _N_WORDS + 1)) / 2
    share = 1 / np.arange(2, len(_LETTERS) + 2)
    lengths = np.maximum(2, generator.normal(longest, 1.5).round()).astype(int)
    letters = generator.choice(_LETTERS, int(lengths.sum()), p=share / share.sum())
    ends = np.cumsum(lengths)
    return np.array(["".join(letters[end - n : end]) for end, n in zip(ends, lengths, strict=True)], dtype=object)


def _rate(path: Path, n_rows: int, dropped: set[tuple[float, float]]) -> float:
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        counts = _prepared(path).counts
    seconds = time.perf_counter() - started
    dropped.add((counts["dropped_exact_duplicate"], counts["dropped_near_duplicate"]))
    return n_rows / seconds


def _other(path: Path, n_rows: int, dropped: set[tuple[float, float]]) -> float:
    def found(texts: list[str], **_: object) -> object:
        return prefix_filter.near_duplicates(texts)

    with mock.patch.object(cleaning, "near_duplicates", found):
        return _rate(path, n_rows, dropped)


def _prepared(path: Path) -> Prepared:
    return examine(str(path), "en", max_texts=_MAX_TEXTS)


def main(n_rows: int) -> None:
    """Prepares rows once, with the lines of the stage, and prints time and memory."""
    report.pin()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, n_rows)
        before = resource.getrusage(resource.RUSAGE_SELF)
        started, neighbours = time.perf_counter(), report.Neighbours()
        _prepared(path)
        seconds, others, after = time.perf_counter() - started, neighbours.share(), resource.getrusage(0)
        size = path.stat().st_size
    of_cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{n_rows:,} rows ({size / 1e6:,.0f} MB): {seconds:.0f} s, {of_cpu:.0f} s of them of a processor")
    print(f"  peak memory {after.ru_maxrss / 2**20:.2f} GiB; other processes took {others:.0%} of the cores meanwhile")


if __name__ == "__main__":
    main(int(sys.argv[1]))
