"""Retraining policy: whether a new challenger is worth its training."""
