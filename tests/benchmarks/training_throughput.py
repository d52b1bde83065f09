"""Samples a second in training: ours against the plain Hugging Face recipe, same texts, same base model.

All sides run through transformers' Trainer on the CPU with batches of 32, and one callback times them all: from the
start of the epoch to the end of each optimiser step, so collating counts and evaluating does not. The plain recipe is
the one of the tutorials: AutoModelForSequenceClassification, every weight trained in float32, every text padded to the
512 tokens that the model can take. Its variants take one thing from ours each: padding to the longest text of a batch
instead, or the quantised model with its adapter. Goal: at least twice the plain recipe.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training import base_models, dataset, quantised_model, trainer
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared import records
from tests.benchmarks import report

_BATCH_SIZE = 32
_OURS = "ours: QLoRA, bfloat16, batches of like length"


def run(quick: bool = False) -> None:
    """Measures and prints.

    Args:
        quick: Fewer steps and repetitions.
    """
    repetitions, n_padded, n_dynamic = (1, 1, 8) if quick else (3, 3, 20)
    settings = TrainingSettings(base_model=base_models.EMBEDDED, device="cpu", epochs=1, batch_size=_BATCH_SIZE)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            prepare("embedded", "en", Path(folder) / "corpus.parquet")
        corpus = records.read(records.Sample, Path(folder) / "corpus.parquet")
        table = dataset.training_table(corpus, [], ())
        sides = {
            _OURS: lambda: _ours(table, settings),
            "plain recipe, padded to 512": lambda: _plain(table, _plain_model, n_padded, pad_to_max=True),
            "plain recipe, padded to the longest of a batch": lambda: _plain(table, _plain_model, n_dynamic),
            "plain recipe, padded to 512, our QLoRA model": lambda: _plain(
                table, lambda: quantised_model.build_model(settings), n_padded, pad_to_max=True, bf16=True
            ),
        }
        measured = report.take_turns(sides, repetitions)
    n_train = int((table["split"] == "train").sum())
    print("Training throughput: all-MiniLM-L6-v2, batch 32, optimiser steps only; goal 2 times the plain recipe")
    print(
        f"  {n_train} training texts of the embedded corpus; steps timed: ours one whole epoch, padded to 512 "
        f"{n_padded}, the longest of a batch {n_dynamic}, each plain run after one step untimed; "
        f"medians of {repetitions} turn(s) on {report.N_CORES} cores"
    )
    report.show(measured, _OURS, "samples/s")


def _ours(table: pd.DataFrame, settings: TrainingSettings) -> float:
    """Samples a second of ``trainer.train``; its first step counts."""
    from transformers import trainer as transformers_trainer

    timer = _step_timer(skip=0)
    callbacks = [*transformers_trainer.DEFAULT_CALLBACKS, timer]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(transformers_trainer, "DEFAULT_CALLBACKS", callbacks),
    ):
        trainer.train(table, settings, Path(folder))
    return int((table["split"] == "train").sum()) / timer.seconds


def _plain(
    table: pd.DataFrame, make_model: Callable[[], Any], n_steps: int, pad_to_max: bool = False, bf16: bool = False
) -> float:
    """Samples a second of the tutorials' recipe, over ``n_steps`` steps after a first one."""
    import transformers

    transformers.logging.set_verbosity_error()
    tokenizer = base_models.load_tokenizer(base_models.EMBEDDED, "en")
    train = table[table["split"] == "train"]
    padding = "max_length" if pad_to_max else False
    encoded = tokenizer(train["text"].tolist(), padding=padding, truncation=True)
    columns = [encoded["input_ids"], encoded["attention_mask"], train["label"].tolist()]
    rows = [
        dict(zip(("input_ids", "attention_mask", "labels"), row, strict=True)) for row in zip(*columns, strict=True)
    ]
    collator = transformers.default_data_collator if pad_to_max else transformers.DataCollatorWithPadding(tokenizer)
    timer = _step_timer(skip=1)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=_BATCH_SIZE, max_steps=n_steps + 1, use_cpu=True, bf16=bf16,
            disable_tqdm=True, report_to=[], save_strategy="no", dataloader_pin_memory=False,
        )  # fmt: skip
        transformers.Trainer(
            model=make_model(), args=arguments, train_dataset=rows, data_collator=collator, callbacks=[timer]
        ).train()
    return _BATCH_SIZE * timer.n_steps / timer.seconds


def _plain_model() -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    location = base_models.resolve(base_models.EMBEDDED, "en")
    return AutoModelForSequenceClassification.from_pretrained(location, num_labels=2, dtype=torch.float32)


def _step_timer(skip: int) -> Any:
    """A callback that sums the seconds of every step after the first ``skip``, evaluation left out."""
    from transformers import TrainerCallback

    class StepTimer(TrainerCallback):
        def __init__(self) -> None:
            self.seconds, self.n_steps = 0.0, 0
            self._last = 0.0

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._last = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            now = time.perf_counter()
            if state.global_step > skip:
                self.seconds += now - self._last
                self.n_steps += 1
            self._last = now

    return StepTimer()
