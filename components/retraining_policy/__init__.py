"""Retraining policy: decides whether to train a new challenger."""
