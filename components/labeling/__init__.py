"""Labeling: gives attacks a label for training, with a confidence, and finds those that need a review."""
