"""Texts a second that a victim scores in a battle, against a bare inference loop over the same texts.

The battle's side is all of ``battle.fight``: perturbing, canonicalising, tokenising, scoring, keeping records. The
bare side does nothing but tokenise and score: two one-thread ONNX Runtime sessions on two Python threads, batches of
eight sorted by length. It is timed on the texts as the model reads them (canonical: the same tokens as in the battle)
and as the attacker wrote them. Goal: 0.90 of the bare loop on the canonical texts, tokenising included.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pandas as pd
from tokenizers import Tokenizer

from content_arena.components.attack_generation import battle, strategies
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared import records
from content_arena.components.shared.canonical import canonicalise
from content_arena.components.shared.filter import ContentFilter
from tests.benchmarks import report

_BATCH_SIZE = 8
_OURS = "battle, everything included"


class Recorder:
    """A victim that records the texts it was asked about."""

    def __init__(self, victim: ContentFilter) -> None:
        self._victim = victim
        self.version, self.threshold = victim.version, victim.threshold
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        return self._victim.score(texts)


class BareLoop:
    """The least that scores texts: two one-thread sessions on two threads."""

    def __init__(self, bundle: bundles.Bundle) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(bundle.model_path)
        self._sessions = [
            ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for _ in range(report.N_CORES)
        ]
        self._names = [node.name for node in self._sessions[0].get_inputs()]
        self._tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(bundle.spec.max_length)
        self._pool = ThreadPoolExecutor(report.N_CORES)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text; the fast variant keeps no offsets, which are not needed here."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def score(self, rows: Sequence[list[int]]) -> npt.NDArray[np.float32]:
        """Probability of toxic, float32[n]."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        todo = deque(order[start : start + _BATCH_SIZE] for start in range(0, len(order), _BATCH_SIZE))
        scores = np.zeros(len(rows), dtype=np.float32)

        def work(session: Any) -> None:
            while True:
                try:
                    batch = todo.popleft()
                except IndexError:
                    return
                scores[batch] = self._run(session, [rows[i] for i in batch])

        list(self._pool.map(work, self._sessions))
        return scores

    def _run(self, session: Any, rows: Sequence[list[int]]) -> npt.NDArray[np.float32]:
        ids = np.zeros((len(rows), len(rows[-1])), dtype=np.int64)  # BERT's padding token is 0
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (logits,) = session.run(["logits"], {name: inputs[name] for name in self._names})
        return 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))


def run(quick: bool = False) -> None:
    """Measures and prints.

    Args:
        quick: Fewer texts and repetitions.
    """
    per_label, repetitions = (60, 3) if quick else (250, 5)
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a battle's process holds no torch and none of its threads.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            pool.submit(make_bundle, Path(folder)).result()
        bundle = bundles.load(Path(folder) / "bundle")
        corpus = records.read(records.Sample, Path(folder) / "corpus.parquet")
        samples = battle.sample_texts(corpus, "train", per_label, seed=0)
        compare(bundle, samples, repetitions)


def make_bundle(folder: Path) -> None:
    """Writes corpus.parquet and bundle/: one epoch on the embedded corpus, exported to int8.

    Speed does not depend on how good the model is, so parity, which one epoch may miss, is not asked for: a miss would
    change the arithmetic.
    """
    from content_arena.components.qlora_training import dataset, export, trainer
    from content_arena.components.qlora_training.settings import TrainingSettings

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare("embedded", "en", folder / "corpus.parquet")
        table = dataset.training_table(records.read(records.Sample, folder / "corpus.parquet"), [], ())
        settings = TrainingSettings(base_model="all-MiniLM-L6-v2", device="cpu", epochs=1)
        trained = trainer.train(table, settings, folder / "checkpoints")
        validation = table[table["split"] == "validation"]
        with mock.patch.object(export, "MIN_AGREEMENT", 0.0):
            export.export(trained, settings, validation, folder / "bundle")


def compare(bundle: bundles.Bundle, samples: pd.DataFrame, repetitions: int) -> None:
    """Fights and loops in turn, and prints the rates.

    Args:
        bundle: The model of both sides.
        samples: Texts to attack, rows of Sample.
        repetitions: Turns.
    """
    victim, bare, attackers = ContentFilter(bundle), BareLoop(bundle), strategies.select("en")
    recorder = Recorder(victim)
    battle.fight(samples, recorder, attackers)  # also warms the victim up
    asked = recorder.asked
    canonical = [canonicalise(text) for text in asked]
    rows = bare.tokenise(canonical)
    difference = np.abs(bare.score(rows) - victim.score(asked)).max()  # also warms the bare loop up

    def fight() -> float:
        started = time.perf_counter()
        n_queries = battle.fight(samples, victim, attackers).n_queries
        return n_queries / (time.perf_counter() - started)

    def loop(texts: list[str]) -> float:
        started = time.perf_counter()
        bare.score(bare.tokenise(texts))
        return len(texts) / (time.perf_counter() - started)

    def loop_tokenised() -> float:
        started = time.perf_counter()
        bare.score(rows)
        return len(rows) / (time.perf_counter() - started)

    sides = {
        _OURS: fight,
        "bare loop, canonical texts": lambda: loop(canonical),
        "bare loop, canonical texts, tokenised beforehand": loop_tokenised,
        "bare loop, texts as the attacker wrote them": lambda: loop(asked),
    }
    measured = report.take_turns(sides, repetitions)
    victim.close()
    tokens = np.mean([len(ids) for ids in rows])
    print("Battle throughput: all-MiniLM-L6-v2, int8 bundle; goal 0.90 of the bare loop on canonical texts")
    print(
        f"  {len(samples)} texts x {len(attackers)} strategies, budget 3: {len(asked)} texts asked, of which "
        f"{len(set(canonical))} differ once canonical, {tokens:.1f} tokens each; medians of {repetitions} turns"
    )
    print(f"  largest difference between the scores of both sides: {difference:.1e}; {report.N_CORES} cores")
    report.show(measured, _OURS, "texts/s")
