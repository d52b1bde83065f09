"""Texts a second that a victim scores in a battle, against a bare inference loop over the same texts.

The battle's side is all of ``battle.fight``: perturbing, reading, tokenising, scoring, keeping records. The bare side
does nothing but tokenise and score: two one-thread ONNX Runtime sessions on two Python threads, batches of eight sorted
by length. It is timed on the texts as the model reads them (canonical, words restored: the same tokens as in the
battle) and as the attacker wrote them. Goal: 0.95 of the bare loop on the texts as they are read, tokenising included.

The same battle is also fought with one text a query, in this process and against a server in a process of its own: the
batches of a battle should make it 1.9 and 8 times as fast.

    python -m tests.benchmarks.battle_throughput --bundle FOLDER

measures on a filter that exists.
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
from content_arena.components.attack_generation.victims import EndpointVictim, Victim
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.shared import records
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import NGRAM_INPUT, ContentFilter
from content_arena.components.shared.scoring.ngrams import ngram_ids, padded
from tests.benchmarks import report
from tests.components.predictor.conftest import running

_BATCH_SIZE = 8
_OURS = "battle, everything included"
#: One a query they take a while.
_TEXTS_OVER_HTTP = 60
_ONE_BY_ONE = "battle, one text a query"
#: Token ids of a text, and the hashes of its n-grams, int64[n]; empty if the model has no n-grams.
Row = tuple[list[int], npt.NDArray[np.int64]]
_NO_NGRAMS: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class Recorder:
    """A victim that records the texts it was asked about."""

    def __init__(self, victim: ContentFilter) -> None:
        self._victim = victim
        self.version, self.threshold = victim.version, victim.threshold
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        return self._victim.score(texts)


class OneAtATime:
    """A victim that is asked about one text after the other, as by an attack without levels."""

    def __init__(self, victim: Victim) -> None:
        self._victim = victim
        self.version = victim.version

    @property
    def threshold(self) -> float:
        return self._victim.threshold

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.concatenate([self._victim.score([text]) for text in texts])


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

    def tokenise(self, texts: Sequence[str]) -> list[Row]:
        """What the model is given of every text; the fast variant keeps no offsets, which are not needed here."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        has_ngrams = NGRAM_INPUT in self._names
        return [
            (encoding.ids, ngram_ids(text) if has_ngrams else _NO_NGRAMS)
            for encoding, text in zip(encodings, texts, strict=True)
        ]

    def score(self, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
        """Probability of toxic, float32[n]."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
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

    def _run(self, session: Any, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
        ids = np.zeros((len(rows), len(rows[-1][0])), dtype=np.int64)  # BERT's padding token is 0
        mask = np.zeros_like(ids)
        for row, (tokens, _) in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        if NGRAM_INPUT in self._names:
            inputs[NGRAM_INPUT] = padded([ngrams for _, ngrams in rows])
        (logits,) = session.run(["logits"], {name: inputs[name] for name in self._names})
        return 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))


def run(quick: bool = False, given: Path | None = None) -> None:
    """Measures and prints.

    Args:
        quick: Fewer texts and repetitions.
        given: Folder of a trained bundle; None trains one for an epoch.
    """
    per_label, repetitions = (60, 3) if quick else (250, 5)
    with tempfile.TemporaryDirectory() as folder:
        if given is None:
            # In a process of its own: a battle's process holds no torch and none of its threads.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                pool.submit(make_bundle, Path(folder)).result()
        else:
            prepare("embedded", "en", Path(folder) / "corpus.parquet")
        bundle = bundles.load(given or Path(folder) / "bundle")
        corpus = records.read(records.Sample, Path(folder) / "corpus.parquet")
        samples = battle.sample_texts(corpus, "train", per_label, seed=0)
        compare(bundle, samples, repetitions)
        compare_over_http(bundle, samples.head(_TEXTS_OVER_HTTP), repetitions)


def make_bundle(folder: Path, epochs: int = 1, ngrams: bool = True) -> None:
    """Writes corpus.parquet and bundle/: trained on the embedded corpus, exported to int8.

    Speed does not depend on how good the model is, so parity, which one epoch may miss, is not asked for: a miss would
    change the arithmetic.

    Args:
        folder: Where to write.
        epochs: Of the training.
        ngrams: Whether the model has character n-grams beside its encoder.
    """
    from content_arena.components.qlora_training import dataset, export, trainer
    from content_arena.components.qlora_training.settings import TrainingSettings

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare("embedded", "en", folder / "corpus.parquet")
        table = dataset.training_table(records.read(records.Sample, folder / "corpus.parquet"), [], ())
        settings = TrainingSettings(base_model="all-MiniLM-L6-v2", device="cpu", epochs=epochs, ngrams=ngrams)
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
    read = [victim.reading(text) for text in asked]
    rows = bare.tokenise(read)
    difference = np.abs(bare.score(rows) - victim.score(asked)).max()  # also warms the bare loop up

    def fight(victim: Victim = victim) -> float:
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
        "bare loop, texts as they are read": lambda: loop(read),
        "bare loop, texts as they are read, tokenised beforehand": loop_tokenised,
        "bare loop, texts as the attacker wrote them": lambda: loop(asked),
        _ONE_BY_ONE: lambda: fight(OneAtATime(victim)),
    }
    measured = report.take_turns(sides, repetitions)
    victim.close()
    tokens = np.mean([len(ids) for ids, _ in rows])
    print("Battle throughput: all-MiniLM-L6-v2, int8 bundle; goal 0.95 of the bare loop on texts as they are read")
    print(
        f"  {len(samples)} texts x {len(attackers)} strategies, budget 3: {len(asked)} texts asked, of which "
        f"{len(set(read))} differ as they are read, {tokens:.1f} tokens each; medians of {repetitions} turns"
    )
    print(f"  largest difference between the scores of both sides: {difference:.1e}; {report.N_CORES} cores")
    report.show(measured, _OURS, "texts/s")


def compare_over_http(bundle: bundles.Bundle, samples: pd.DataFrame, repetitions: int) -> None:
    """Fights against a server, with full batches and with one text a query, and prints the rates.

    Args:
        bundle: What is served.
        samples: Texts to attack, rows of Sample.
        repetitions: Turns.
    """
    attackers = strategies.select("en")
    with running(bundle.path) as server:
        victim = EndpointVictim(server.url)

        def fight(victim: Victim = victim) -> float:
            started = time.perf_counter()
            n_queries = battle.fight(samples, victim, attackers).n_queries
            return n_queries / (time.perf_counter() - started)

        fight()  # warms the server up
        sides = {_OURS: fight, _ONE_BY_ONE: lambda: fight(OneAtATime(victim))}
        measured = report.take_turns(sides, repetitions)
    print(f"Battle throughput over HTTP: {len(samples)} texts; goal 8 times as fast as one text a query")
    report.show(measured, _OURS, "texts/s")


if __name__ == "__main__":
    report.command("battle_throughput", run)
