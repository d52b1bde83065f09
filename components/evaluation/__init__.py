"""Evaluation: challenger against champion on the same held-out texts and attacks."""
