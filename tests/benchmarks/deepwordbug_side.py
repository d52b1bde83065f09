"""TextAttack's side of deepwordbug.py: runs in TextAttack's own environment, and needs nothing of this project there.

    PYTHON deepwordbug_side.py MODEL POOLING    MODEL: folder of a transformers model with its tokenizer.json
                                                POOLING: mean_pooling.py, which holds the model's class

A line of standard input is a job, ``{"texts": [...], "budget": 20, "seed": 0, "own_wrapper": false}``, and is answered
by a line with its figures; without a budget, by the wrapper's scores. With the own wrapper the model is TextAttack's to
run. Otherwise this asks for scores on standard output, ``{"ask": [...]}``, and reads them from standard input,
``{"scores": [...]}``: the engine of a battle is then the model. Seconds include those lines.

nltk's list of stop words is downloaded by TextAttack. Where that is impossible, scikit-learn's takes its place.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, TextIO

import nltk
import numpy as np
import torch

#: TextAttack pads to this where a tokenizer names no length, and this model's tokenizer names the same.
_LONGEST = 512


def replace_stop_words() -> str:
    """Replaces nltk's stop words where they are not there, and says whose are used; before TextAttack is imported."""
    try:
        nltk.corpus.stopwords.words("english")
    except LookupError:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        nltk.corpus.stopwords = SimpleNamespace(words=lambda language: sorted(ENGLISH_STOP_WORDS))
        return "scikit-learn's"
    return "nltk's"


STOP_WORDS = replace_stop_words()

import transformers  # noqa: E402 - TextAttack reads the stop words when it is imported
from textattack.attack_recipes import DeepWordBugGao2018  # noqa: E402
from textattack.models.wrappers import HuggingFaceModelWrapper, ModelWrapper  # noqa: E402


class OwnWrapper(HuggingFaceModelWrapper):  # type: ignore[misc]
    """TextAttack's wrapper of a transformers model; counts the texts that the model gets."""

    n_asked = 0

    def __call__(self, texts: Sequence[str]) -> Any:
        self.n_asked += len(texts)
        return super().__call__(list(texts))


class EngineWrapper(ModelWrapper):  # type: ignore[misc]
    """The engine at the other end of the pipe."""

    n_asked = 0

    def __init__(self, answers: TextIO, asks: TextIO) -> None:
        self.model = self  # TextAttack looks at its class.
        self._answers, self._asks = answers, asks

    def __call__(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        self.n_asked += len(texts)
        print(json.dumps({"ask": list(texts)}), file=self._asks, flush=True)
        toxic = np.asarray(json.loads(self._answers.readline())["scores"])
        return np.column_stack([1 - toxic, toxic])


def scored(wrapper: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Probabilities of toxic."""
    return {"scores": torch.as_tensor(wrapper(texts)).softmax(-1)[:, 1].tolist()}


def attacked(wrapper: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The figures of one job."""
    random.seed(job["seed"])
    torch.manual_seed(job["seed"])
    attack = DeepWordBugGao2018.build(wrapper)
    attack.goal_function.query_budget = job["budget"]
    wrapper.n_asked = 0
    started = time.perf_counter()
    results = [attack.attack(text, 1) for text in job["texts"]]
    seconds = time.perf_counter() - started
    outcomes = [
        (type(result).__name__ == "SuccessfulAttackResult", result.num_queries)
        for result in results
        if type(result).__name__ != "SkippedAttackResult"
    ]
    return {"seconds": seconds, "n_asked": wrapper.n_asked, "outcomes": outcomes}


def main() -> None:
    """Does jobs until standard input ends."""
    # What libraries print goes to standard error.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    folder, pooling = sys.argv[1:]
    tokenizer = transformers.BertTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", model_max_length=_LONGEST)
    model = runpy.run_path(pooling)["model_class"]().from_pretrained(folder).eval()
    wrappers = {True: OwnWrapper(model, tokenizer), False: EngineWrapper(sys.stdin, lines)}
    ready = {"version": version("textattack"), "stop_words": STOP_WORDS}
    print(json.dumps(ready), file=lines, flush=True)
    while line := sys.stdin.readline():
        job = json.loads(line)
        wrapper = wrappers[job["own_wrapper"]]
        answer = attacked(wrapper, job) if job["budget"] else scored(wrapper, job["texts"])
        print(json.dumps(answer), file=lines, flush=True)


if __name__ == "__main__":
    main()
