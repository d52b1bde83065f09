"""How errors name what they ask a person to change."""

from __future__ import annotations


def named(parameter: str) -> str:
    """A parameter as whoever runs the command line knows it, and as whoever runs a pipeline does."""
    return f"--{parameter.replace('_', '-')} ({parameter} in a pipeline)"
