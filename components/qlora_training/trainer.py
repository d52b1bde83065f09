"""Trains the adapter and the head of a quantised model with the Trainer of transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from content_arena.components.qlora_training import base_models, category_task, dataset, ngram_branch, weight_averaging
from content_arena.components.qlora_training.arithmetic import training_dtype
from content_arena.components.qlora_training.category_task import CategoryTask, Targets, is_toxic
from content_arena.components.qlora_training.ngram_branch import NgramBranch
from content_arena.components.qlora_training.quantised_model import build_model
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.stage import Progress, log

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import (
        EvalPrediction,
        PreTrainedTokenizerFast,
        TrainerCallback,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )
    from transformers.modeling_outputs import SequenceClassifierOutput

_CHECKPOINT_FILES = ("adapter_model.safetensors", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth")


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        model: With the adapter of the best epoch, averaged with the one that the training began with, if any.
        tokenizer: The base model's.
        ngrams: Fitted on the same training split; None if the settings ask for none.
        metrics: train_samples_per_second, best_epoch_f1 (of the encoder on validation, at that epoch's best threshold),
            epochs, steps.
    """

    model: PeftModel
    tokenizer: PreTrainedTokenizerFast
    metrics: dict[str, float]
    ngrams: NgramBranch | None = None


def train(
    table: pd.DataFrame,
    settings: TrainingSettings,
    checkpoints: Path,
    stage: str = "train_qlora",
    report_to: Sequence[str] = (),
    adapter: Path | None = None,
) -> Trained:
    """Trains, or resumes from the last complete checkpoint below ``checkpoints``.

    Args:
        table: From :func:`dataset.training_table` or :func:`dataset.read_through`.
        settings: How to train.
        checkpoints: Folder for the checkpoints of exactly this table, these settings and this adapter.
        stage: Name of the stage that progress is logged for.
        report_to: Trackers of transformers' Trainer; ``mlflow`` logs into the active MLflow run.
        adapter: See :func:`content_arena.components.qlora_training.quantised_model.build_model`.

    Raises:
        InputError: The base model cannot be loaded or cannot read the language.
    """
    from peft.helpers import disable_input_dtype_casting
    from transformers import DataCollatorWithPadding, EarlyStoppingCallback, Trainer
    from transformers.trainer_callback import PrinterCallback

    _silence_transformers()
    tokenizer = base_models.load_tokenizer(settings.base_model, settings.lang)
    base_models.check_readable(settings.base_model, tokenizer, table["text"].tolist(), settings.lang)
    # The n-grams, which are fitted anew, need all texts.
    seen = table if adapter is None else dataset.rehearsed(table, settings.rehearsed_share, settings.seed)
    targets = Targets(table)
    training, validation = (_tokenised(seen, split, tokenizer, settings, targets) for split in ("train", "validation"))
    model = build_model(settings, adapter)
    task = None
    if settings.category_weight and targets.are_many and category_task.reads_one_vector(model):
        task = CategoryTask(model, targets)
    trainer = Trainer(
        model=model,
        args=_arguments(settings, checkpoints, report_to),
        train_dataset=training,
        # Batches of texts of similar length need the least padding. The Trainer groups the training data only.
        eval_dataset=sorted(validation, key=lambda row: len(row["input_ids"])),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=_f1,
        compute_loss_func=_loss(dataset.class_weights([is_toxic(row["labels"]) for row in training]), task, settings),
        callbacks=[EarlyStoppingCallback(settings.patience), _stage_log(stage)],
    )
    trainer.remove_callback(PrinterCallback)
    if task is not None:
        trainer.add_callback(category_task.saved_with_checkpoints(task))
    last = last_complete_checkpoint(checkpoints, [] if task is None else [category_task.WEIGHTS])
    if last is not None:
        log(stage, f"resuming from {last.name}")
        if task is not None:
            task.load(last)
    # On a CPU peft does not see that autocast is on, and widens the input of every adapter, which autocast narrows
    # again. The values stay the same without it, and a step takes a sixth less time.
    with disable_input_dtype_casting(model):
        result = trainer.train(resume_from_checkpoint=str(last) if last else None)
    metrics = {
        "train_samples_per_second": float(result.metrics["train_samples_per_second"]),
        "best_epoch_f1": float(trainer.state.best_metric or 0.0),
        "epochs": float(result.metrics["epoch"]),
        "steps": float(trainer.state.global_step),
    }
    if task is not None:
        task.remove()
    rows = table[table["split"] == "train"]
    ngrams = ngram_branch.fit(dataset.read_texts(rows), rows["label"].tolist()) if settings.ngrams else None
    if adapter is not None:
        weight_averaging.average(model, adapter, settings.champion_share)
    return Trained(model, tokenizer, metrics, ngrams)


def last_complete_checkpoint(folder: Path, more_files: Sequence[str] = ()) -> Path | None:
    """The newest complete checkpoint; incomplete ones, from a process killed while it wrote, are removed.

    Args:
        folder: Holds checkpoints.
        more_files: Names of the files that a complete one has beside those of every checkpoint.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        if _is_complete(path, (*_CHECKPOINT_FILES, *more_files)):
            return path
        shutil.rmtree(path)
    return None


def _is_complete(checkpoint: Path, names: Sequence[str]) -> bool:
    if not all((checkpoint / name).is_file() for name in names):
        return False
    # Written last of the Trainer's own, so if it is whole, so are the others.
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _silence_transformers() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _tokenised(
    table: pd.DataFrame, split: str, tokenizer: PreTrainedTokenizerFast, settings: TrainingSettings, targets: Targets
) -> list[dataset.TokenisedText]:
    rows = table[table["split"] == split]
    return dataset.tokenise(dataset.read_texts(rows), targets.numbers(rows), tokenizer, settings.max_length)


def _arguments(settings: TrainingSettings, checkpoints: Path, report_to: Sequence[str]) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    on_cuda = settings.on_cuda()
    micro_batch = min(16, settings.batch_size) if on_cuda else settings.batch_size
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=max(1, settings.batch_size // micro_batch),
        per_device_eval_batch_size=64,
        gradient_checkpointing=on_cuda,
        gradient_checkpointing_kwargs={"use_reentrant": False} if on_cuda else None,
        optim="adamw_8bit" if on_cuda else "adamw_torch_fused",
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_share,
        bf16=training_dtype(on_cuda) == torch.bfloat16,
        use_cpu=not on_cuda,
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        greater_is_better=True,
        logging_steps=5,
        disable_tqdm=True,
        report_to=list(report_to),
        seed=settings.seed,
        data_seed=settings.seed,
        dataloader_pin_memory=on_cuda,
    )


def _f1(prediction: EvalPrediction) -> dict[str, float]:
    """F1 at the epoch's best threshold, not at 0.5, because the export chooses a threshold as well."""
    import numpy as np
    from sklearn.metrics import precision_recall_curve

    benign, toxic = np.asarray(prediction.predictions, dtype=np.float64).T
    precision, recall, _ = precision_recall_curve(is_toxic(np.asarray(prediction.label_ids)), toxic - benign)
    return {"f1": float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())}


def _loss(
    weights: Sequence[float], task: CategoryTask | None, settings: TrainingSettings
) -> Callable[..., torch.Tensor]:
    """Cross-entropy with weights [benign, toxic] and the loss of the auxiliary task, as the Trainer calls it."""
    import torch

    def loss(
        outputs: SequenceClassifierOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        logits = outputs["logits"].float()
        weight = torch.tensor(weights, device=logits.device)
        total = torch.nn.functional.cross_entropy(logits, is_toxic(labels), weight=weight, reduction="sum")
        if task is not None:
            total = total + settings.category_weight * task.loss(labels)
        return total / (num_items_in_batch if num_items_in_batch is not None else len(labels))

    return loss


def _stage_log(stage: str) -> TrainerCallback:
    """A callback that logs steps and epochs as lines of a stage."""
    from transformers import TrainerCallback

    class StageLog(TrainerCallback):
        def __init__(self) -> None:
            self.progress: Progress | None = None
            self.loss = ""

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            self.progress = Progress(stage, state.max_steps, "steps")

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            if self.progress is not None:
                self.progress.at(state.global_step, self.loss)

        def on_log(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            logs: dict[str, float] | None = None,
            **_: object,
        ) -> None:
            if logs and "loss" in logs:
                self.loss = f"loss {logs['loss']:.3f}"

        def on_evaluate(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            metrics: dict[str, float] | None = None,
            **_: object,
        ) -> None:
            if metrics and "eval_f1" in metrics:
                log(stage, f"epoch {state.epoch:.0f}: validation F1 {metrics['eval_f1']:.3f}")

    return StageLog()
