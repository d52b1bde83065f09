r"""Our searches beside TextAttack's DeepWordBug: the same filter, texts and budget, in turn.

TextAttack needs older releases of what the arena stands on, so it has an environment of its own, whose Python
``CONTENT_ARENA_TEXTATTACK_PYTHON`` names. Without it nothing is measured, and that is said. An environment::

    python3.11 -m venv FOLDER
    FOLDER/bin/pip install textattack==0.3.10 'transformers<4.50' 'numpy<2' 'datasets<4' 'pyarrow<20' 'pandas<2.3' \
        'scipy<1.14' 'setuptools<80' torch --extra-index-url https://download.pytorch.org/whl/cpu
    CONTENT_ARENA_TEXTATTACK_PYTHON=FOLDER/bin/python python -m tests.benchmarks --only deepwordbug

TextAttack is measured twice. With its own wrapper it runs the model in torch, padded to 512 tokens. With our engine
every question goes through a pipe to :class:`~content_arena.components.shared.scoring.filter.ContentFilter`, as a
battle's does without the pipe. A success is a text below the filter's threshold. The query about the unchanged text
counts on all sides.

Goals: 40 times as many texts a second as its own wrapper, 1.4 times as many queries a second as it asks of our engine,
and its success rate with half its queries.

    python -m tests.benchmarks.deepwordbug --bundle FOLDER --corpus corpus.parquet

measures on a filter that exists. It has to be trained without n-grams, which the wrapper cannot read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.attack_generation import battle, searched, strategies
from content_arena.components.attack_generation.outcomes import got_past, judged, toxic_caught
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.evaluation.statistics import wilson
from content_arena.components.qlora_training import mean_pooling
from content_arena.components.shared import records
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.benchmarks import report
from tests.benchmarks.battle_throughput import make_bundle

PYTHON_VARIABLE = "CONTENT_ARENA_TEXTATTACK_PYTHON"
_SIDE = Path(__file__).with_name("deepwordbug_side.py")
_BUDGET = 20
#: With its own wrapper a text takes seconds.
_TEXTS_OF_WRAPPER = 8
_OURS, _GREEDY = "ours, evolving", "ours, greedy"
_ENGINE, _WRAPPER = "DeepWordBug, our engine", "DeepWordBug, its own wrapper"
#: The strategy that makes the edits of DeepWordBug: swaps, drops, doubles or replaces a letter.
_LIKE_DEEPWORDBUG = "char_typo"


@dataclass(frozen=True)
class Attacked:
    """What one side did to the texts.

    Attributes:
        seconds: It took.
        n_asked: Texts that the model scored.
        outcomes: Of each text that was attacked: whether it got past, and with how many queries.
    """

    seconds: float
    n_asked: int
    outcomes: Sequence[tuple[bool, int]]

    def __str__(self) -> str:
        share = wilson([won for won, _ in self.outcomes])
        return (
            f"{share.rate:.0%} of {share.n} texts got past ({share.low:.0%} to {share.high:.0%}), "
            f"{mean(queries for _, queries in self.outcomes):.1f} queries a text"
        )


class TextAttack:
    """TextAttack in its own environment."""

    def __init__(self, python: str, model: Path, victim: ContentFilter) -> None:
        """Starts it, and waits until it has loaded the model.

        Args:
            python: Its interpreter.
            model: Folder of the model for its own wrapper.
            victim: Answers what it asks otherwise.
        """
        cache = model / "cache"
        cache.mkdir()
        # With this file there, TextAttack tries no downloads when it is imported.
        (cache / "post_install_check_3").touch()
        self._victim = victim
        self._process = subprocess.Popen(
            [python, str(_SIDE), str(model), mean_pooling.__file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env=os.environ | {"TA_CACHE_DIR": str(cache), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        ready = self._read()
        self.version, self.stop_words = ready["version"], ready["stop_words"]

    def attack(self, texts: Sequence[str], budget: int, *, own_wrapper: bool, seed: int = 0) -> Attacked:
        """Attacks toxic texts, with at most ``budget`` queries each."""
        self._write({"texts": list(texts), "budget": budget, "seed": seed, "own_wrapper": own_wrapper})
        while "ask" in (line := self._read()):
            self._write({"scores": self._scores(line["ask"])})
        return Attacked(line["seconds"], line["n_asked"], [(won, queries) for won, queries in line["outcomes"]])

    def wrapped_scores(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The scores of its own wrapper, float64[n]."""
        self._write({"texts": list(texts), "budget": 0, "own_wrapper": True})
        return np.asarray(self._read()["scores"])

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=60)

    def _scores(self, texts: Sequence[str]) -> list[float]:
        """Scores with the filter's threshold moved to 0.5, where TextAttack has it."""
        scores, threshold = self._victim.score(texts).astype(float), self._victim.threshold
        toxic, benign = scores * (1 - threshold), (1 - scores) * threshold
        moved: list[float] = (toxic / (toxic + benign)).tolist()
        return moved

    def _write(self, message: object) -> None:
        assert self._process.stdin is not None
        print(json.dumps(message), file=self._process.stdin, flush=True)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"TextAttack ended with {self._process.wait()}: does {PYTHON_VARIABLE} have all it needs?")
        answer: dict[str, Any] = json.loads(line)
        return answer


def search(
    texts: pd.DataFrame, victim: ContentFilter, method: str, budget: int, names: Sequence[str] | None = None
) -> Attacked:
    """One of our searches on toxic texts that the filter flags.

    Args:
        texts: Rows of Sample.
        victim: The filter.
        method: Name of the search.
        budget: Queries for each text, the one about the text itself included.
        names: Of the strategies; those of a default run if None.
    """
    attackers = strategies.select("en", names=names)
    started = time.perf_counter()
    fought = searched.search(texts, victim, attackers, Plan(method, budget - 1)).battle
    seconds = time.perf_counter() - started
    caught = toxic_caught(judged(fought.attacks))
    queries = (caught["n_queries"] + 1).tolist()
    return Attacked(seconds, fought.n_queries, list(zip(got_past(caught).tolist(), queries, strict=True)))


def make_torch_model(bundle: Path, folder: Path) -> None:
    """Writes the bundle's model for transformers: its adapter, merged into the weights that it was trained on."""
    import torch
    from peft import PeftModel

    from content_arena.components.qlora_training.quantised_model import load_quantised
    from content_arena.components.qlora_training.settings import TrainingSettings

    spec = bundles.load(bundle).spec
    if spec.ngram_version is not None:
        raise SystemExit(f"{bundle} was trained with n-grams, which TextAttack's wrapper cannot read")
    base = load_quantised(TrainingSettings(base_model=spec.base_model)).dequantize().to("cpu", torch.float32)
    PeftModel.from_pretrained(base, bundle / bundles.ADAPTER).merge_and_unload().save_pretrained(str(folder))
    shutil.copy(bundle / bundles.TOKENIZER, folder)


def compare(bundle: Path, corpus: Path, n_texts: int, repetitions: int) -> None:
    """Attacks in turn, and prints rates and successes.

    Args:
        bundle: The filter of all sides.
        corpus: Parquet of Sample, whose test split is attacked.
        n_texts: Toxic texts; those that the filter flags are attacked.
        repetitions: Turns.
    """
    victim = ContentFilter(bundles.load(bundle))
    drawn = battle.sample_texts(records.read(records.Sample, corpus), "test", n_texts, seed=0)
    toxic = drawn[drawn["label"] == "toxic"]
    table = toxic[victim.is_toxic(victim.score(toxic["text"].tolist()))]
    texts = table["text"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        _elsewhere(make_torch_model, bundle, Path(folder))
        other = TextAttack(os.environ[PYTHON_VARIABLE], Path(folder), victim)
        done: dict[str, list[Attacked]] = {_OURS: [], _GREEDY: [], _ENGINE: [], _WRAPPER: []}

        def rate(name: str, attacked: Attacked) -> float:
            done[name].append(attacked)
            return len(attacked.outcomes) / attacked.seconds

        sides = {
            _OURS: lambda: rate(_OURS, search(table, victim, "evolving", _BUDGET)),
            _GREEDY: lambda: rate(_GREEDY, search(table, victim, "greedy", _BUDGET)),
            _ENGINE: lambda: rate(_ENGINE, other.attack(texts, _BUDGET, own_wrapper=False)),
            _WRAPPER: lambda: rate(_WRAPPER, other.attack(texts[:_TEXTS_OF_WRAPPER], _BUDGET, own_wrapper=True)),
        }
        # Once before it counts: tables are read and sessions warmed up.
        search(table.head(2), victim, "evolving", _BUDGET)
        for own_wrapper in (False, True):
            other.attack(texts[:1], _BUDGET, own_wrapper=own_wrapper)
        measured = report.take_turns(sides, repetitions)
        print(
            f"DeepWordBug of TextAttack {other.version}, {other.stop_words} stop words: {len(texts)} toxic test texts "
            f"that the filter flags, at most {_BUDGET} queries each; its own wrapper gets the first {_TEXTS_OF_WRAPPER}"
        )
        # As the filter reads them, because the wrapper has no Reader.
        read = [victim.reading(text) for text in texts[:_TEXTS_OF_WRAPPER]]
        difference = np.abs(other.wrapped_scores(read) - victim.score(texts[:_TEXTS_OF_WRAPPER])).max()
        print(f"  largest difference of model and filter, on texts as the filter reads them: {difference:.2f}")
        report.show(measured, _OURS, "texts/s")
        for name, each in done.items():
            measured[name] = measured[name].times([attacked.n_asked / len(attacked.outcomes) for attacked in each])
        report.show(measured, _OURS, "queries/s")
        show_successes(table, victim, other)
        other.close()
    victim.close()


def show_successes(table: pd.DataFrame, victim: ContentFilter, other: TextAttack) -> None:
    """Prints what gets past with the budget and with half of it, for each side and three seeds of TextAttack's."""
    for budget in (_BUDGET, _BUDGET // 2):
        print(f"  at most {budget} queries a text")
        for seed in range(3):
            print(f"    DeepWordBug, seed {seed}: {other.attack(table['text'], budget, own_wrapper=False, seed=seed)}")
        for names, said in (
            (None, "strategies of a default run"),
            ((_LIKE_DEEPWORDBUG,), f"{_LIKE_DEEPWORDBUG} alone"),
        ):
            for method in ("greedy", "evolving"):
                print(f"    ours, {method}, {said}: {search(table, victim, method, budget, names)}", flush=True)


def run(quick: bool = False) -> None:
    """Measures on a filter that is trained for it, or says why not.

    Args:
        quick: Fewer texts and turns, and a filter of one epoch.
    """
    main(["--texts", "30", "--turns", "1", "--epochs", "1"] if quick else [])


def main(arguments: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.deepwordbug")
    parser.add_argument("--bundle", type=Path, help="the filter; one is trained if it is not given")
    parser.add_argument("--corpus", type=Path, help="Parquet of samples whose test split is attacked")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4, help="of the filter that is trained")
    given = parser.parse_args(arguments)
    if (given.bundle is None) != (given.corpus is None):
        parser.error("--bundle and --corpus belong together")
    if not os.environ.get(PYTHON_VARIABLE):
        print(f"DeepWordBug: skipped, {PYTHON_VARIABLE} names no Python with TextAttack", flush=True)
        return
    with tempfile.TemporaryDirectory() as made:
        if given.bundle is None:
            _elsewhere(make_bundle, Path(made), given.epochs, False)
        bundle, corpus = given.bundle or Path(made) / "bundle", given.corpus or Path(made) / "corpus.parquet"
        compare(bundle, corpus, given.texts, given.turns)


def _elsewhere(make: Any, *arguments: object) -> None:
    """Calls a function in a process of its own: this one holds no torch and none of its threads."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(make, *arguments).result()


if __name__ == "__main__":
    main()
