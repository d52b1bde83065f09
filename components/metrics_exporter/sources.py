"""Which metric of MLflow becomes which metric of Prometheus. Names are without ``content_arena_``.

The figures of an evaluation are not here: their metrics stand in their rows of
:data:`content_arena.components.shared.figures.FIGURES`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One metric and where it comes from.

    Attributes:
        source: Its name in MLflow.
        name: The metric's name.
        help: The metric's help text.
        scale: What to multiply with to get the metric's unit.
    """

    source: str
    name: str
    help: str
    scale: float = 1.0


#: Status of an attack -> how many there were in a run's battle, seen and held-out strategies together.
ATTACKS = {status: f"gather_attacks.n_{status}" for status in ("success", "failed", "skipped")}

#: Whether the filter held -> attacks on toxic texts that it had caught, likewise.
ROUNDS = {"true": "gather_attacks.n_toxic_failed", "false": "gather_attacks.n_toxic_success"}

#: Strategies -> tag of the registry (by version), and metric of a battle against the version in VICTIM.
EVALUATION_EVASION = {"seen": "evasion_seen", "unseen": "evasion_unseen"}
VICTIM = "gather_attacks.victim_version"
BATTLE_EVASION = {"seen": "gather_attacks.evasion_seen", "unseen": "gather_attacks.evasion_held_out"}

#: A battle has ended when it is there.
BATTLE = "gather_attacks.n_attacks"
QUERIES = "gather_attacks.n_queries"

#: From the newest run that logged them.
LAST_RUN = (
    Source(BATTLE, "battle_attacks", "Attacks in the last battle."),
    Source(QUERIES, "battle_queries", "Different texts the filter was asked in the last battle."),
    Source("label_attacks.n_review", "review_queue_size", "Attacks of the last battle set aside for a person."),
    Source("label_attacks.n_labelled", "labelled_attacks", "Attacks labelled after the last battle."),
    Source("label_attacks.mean_confidence", "label_confidence", "Mean confidence of these labels, 0 to 1."),
)

#: What a finished training left, by stage: the source is ``<stage>.<name>``.
TRAINED = (
    Source("validation_f1", "trained_validation_f1", "F1 of the int8 model on validation texts, last training."),
    Source("best_epoch_f1", "trained_best_epoch_f1", "F1 of the best epoch, before int8, last training."),
    Source("epochs", "trained_epochs", "Epochs of the last training."),
    Source("steps", "trained_steps", "Optimiser steps of the last training."),
    Source("n_texts", "trained_texts", "Texts of the last training, validation included."),
    Source("threshold", "trained_threshold", "Threshold the last training chose."),
    Source("parity_agreement", "trained_parity_agreement", "Share of texts on which int8 agrees, last training."),
    Source("train_samples_per_second", "trained_samples_per_second", "Texts a second of the last training."),
)

#: Curves of the newest training: last values, so that scraping them draws the curve.
CURVES = (
    Source("loss", "training_loss", "Training loss of the last logged steps, newest training."),
    Source("eval_loss", "training_eval_loss", "Validation loss after the last epoch, newest training."),
    Source("eval_f1", "training_eval_f1", "Validation F1 after the last epoch, newest training."),
    Source("learning_rate", "training_learning_rate", "Learning rate, newest training."),
    Source("grad_norm", "training_gradient_norm", "Norm of the gradient, newest training."),
    Source("epoch", "training_epoch", "Passes over the training texts so far, newest training."),
)

#: The machine that trains, as MLflow's system metrics see it. MLflow's megabyte is 1e6 bytes.
SYSTEM = (
    Source(
        "system/cpu_utilization_percentage",
        "training_cpu_utilisation_ratio",
        "CPU utilisation of the node that trains, 0 to 1, while it trains.",
        0.01,
    ),
    Source(
        "system/system_memory_usage_megabytes",
        "training_memory_used_bytes",
        "Memory in use on the node that trains, while it trains.",
        1e6,
    ),
)
