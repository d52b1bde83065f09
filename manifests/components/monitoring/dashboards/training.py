"""The dashboards of what runs in pipelines: training, training detail, battles. All from MLflow, by the exporter."""

from __future__ import annotations

from grafana import Dashboard, Panel

_ALL = 'namespace="$namespace"'
_VERSION = "{{alias}} version {{model_version}}"


def _of(metric: str, *more: str) -> str:
    return f"content_arena_{metric}{{{', '.join((_ALL, *more))}}}"


def _curve(title: str, metric: str, unit: str = "short", text: str = "") -> Panel:
    return Panel(title, {"{{stage}}": _of(f"training_{metric}")}, unit, help=text)


def _trained(title: str, metric: str, unit: str = "short", text: str = "") -> Panel:
    return Panel(title, {"{{stage}}": _of(f"trained_{metric}")}, unit, "stat", text, width=6)


TRAINING = Dashboard(
    "content-arena-training",
    "Content Arena / Training",
    "Whether the loop runs, and whether the champion gets better.",
    (
        Panel(
            "Champion's age",
            {"version {{model_version}}": "time() - " + _of("model_promoted_timestamp_seconds", 'alias="champion"')},
            "s",
            "stat",
            width=6,
        ),
        Panel(
            "Newest version's age",
            {"": f"time() - {_of('last_registered_timestamp_seconds')}"},
            "s",
            "stat",
            width=6,
            help="Alert above 14 days.",
        ),
        Panel("Generation", {_VERSION: _of("model_generation")}, kind="stat", width=6),
        Panel(
            "Versions",
            {"registered": _of("registered_versions"), "rejected": _of("rejected_versions")},
            kind="stat",
            width=6,
        ),
        Panel(
            "F1",
            {f"{_VERSION}, {{{{split}}}}": _of("model_f1_score")},
            "percentunit",
            help="On unperturbed texts. Alert below 0.7.",
        ),
        Panel(
            "Gates",
            {"{{gate}}": _of("gate_passed")},
            kind="stat",
            help="The newest challenger that was judged: 1 passed, 0 did not. All have to pass.",
        ),
        Panel(
            "What the gates saw",
            {"{{gate}} {{model}}": _of("gate_figure"), "{{gate}} limit": _of("gate_limit")},
            kind="bargauge",
        ),
        Panel("Runs", {"{{status}}": _of("pipeline_runs")}),
        Panel(
            "Decisions",
            {
                "retrain: {{retrain}}": _of("retraining_decisions_total"),
                "promoted: {{promoted}}": _of("promotions_total"),
            },
        ),
        Panel("Stages", {"{{stage}}": _of("stage_duration_seconds")}, "s", "bargauge", help="The last time each ran."),
    ),
)

TRAINING_DETAIL = Dashboard(
    "content-arena-training-detail",
    "Content Arena / Training detail",
    "The newest training while it runs, and what the last ones left.",
    (
        Panel("Training now", {"{{stage}}": _of("training_running")}, kind="stat", width=6),
        _trained("Validation F1", "validation_f1", "percentunit", "Of the int8 model, which is the one that serves."),
        _trained("F1 of the best epoch", "best_epoch_f1", "percentunit", "Before export and int8."),
        _trained("int8 agrees", "parity_agreement", "percentunit", "Share of texts with the same verdict."),
        _trained("Speed", "samples_per_second", text="Texts a second."),
        _trained("Epochs", "epochs"),
        _trained("Texts", "texts"),
        _trained("Threshold", "threshold"),
        _curve("Loss", "loss"),
        _curve("Validation loss", "eval_loss"),
        _curve("Validation F1 by epoch", "eval_f1", "percentunit"),
        _curve("Learning rate", "learning_rate"),
        _curve("Gradient norm", "gradient_norm"),
        _curve("Epoch", "epoch"),
        Panel("Steps", {"{{stage}}": _of("trained_steps")}, help="Optimiser steps of the last finished training."),
        Panel(
            "CPU while training",
            {"node": _of("training_cpu_utilisation_ratio")},
            "percentunit",
            help="Of the whole node; empty while nothing trains. So are the next three.",
        ),
        Panel("Memory while training", {"node": _of("training_memory_used_bytes")}, "bytes"),
        Panel("GPU memory while training", {"GPU {{gpu}}": _of("gpu_memory_used_bytes")}, "bytes"),
        Panel("GPU while training", {"GPU {{gpu}}": _of("gpu_utilisation_ratio")}, "percentunit"),
    ),
)

BATTLES = Dashboard(
    "content-arena-battles",
    "Content Arena / Battles",
    "What gets past the filter.",
    (
        Panel("Battles", {"{{status}}": _of("battles_total")}, kind="stat", width=6),
        Panel("Since the last battle", {"": f"time() - {_of('last_battle_timestamp_seconds')}"}, "s", "stat", width=6),
        Panel(
            "Last battle",
            {"attacks": _of("battle_attacks"), "texts asked": _of("battle_queries")},
            kind="stat",
            width=6,
        ),
        Panel(
            "For a person", {"": _of("review_queue_size")}, kind="stat", width=6, help="Set aside by the last battle."
        ),
        Panel(
            "Detection",
            {f"{_VERSION}, {{{{strategies}}}} ({{{{source}}}})": _of("detection_rate")},
            "percentunit",
            help="1 - evasion. Alert below 50 % for the champion.",
        ),
        Panel(
            "Evasion in comparisons",
            {f"{_VERSION}, {{{{strategies}}}}": _of("evasion_rate", 'source="evaluation"')},
            "percentunit",
            help="Test texts; each version as it was last compared.",
        ),
        Panel(
            "Evasion in battles",
            {f"{_VERSION}, {{{{strategies}}}}": _of("evasion_rate", 'source="battle"')},
            "percentunit",
            help="Validation texts; the last battle against each version.",
        ),
        Panel(
            "Evasion by strategy",
            {"{{strategy}}, {{model}}": _of("strategy_evasion_rate")},
            "percentunit",
            "bargauge",
            help="In the last comparison; champion and challenger as they were then.",
        ),
        Panel(
            "False alarms",
            {_VERSION: _of("perturbed_benign_fpr")},
            "percentunit",
            help="Share of benign texts flagged after the same attacks.",
        ),
        Panel(
            "Telling perturbed texts apart",
            {
                f"AUROC, {_VERSION}": _of("perturbed_auroc"),
                f"evasion at matched false alarms, {_VERSION}": _of("evasion_matched_rate"),
            },
            "percentunit",
            help="Toxic against benign texts after the same attacks, whatever a version's own threshold is.",
        ),
        Panel("Attacks", {"{{status}}": _of("attacks_total")}, help="All battles."),
        Panel(
            "Rounds",
            {"detected: {{detected}}": _of("rounds_total")},
            help="Attacks on toxic texts that the filter had caught, all battles.",
        ),
        Panel("Texts asked", {"all battles": _of("attack_queries_total")}),
        Panel("Labelled", {"attacks": _of("labelled_attacks")}, help="After the last battle."),
        Panel("Confidence of labels", {"mean": _of("label_confidence")}, "percentunit"),
    ),
)
