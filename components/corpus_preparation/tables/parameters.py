"""How error messages name a parameter."""

from __future__ import annotations


def named(parameter: str) -> str:
    """The name of a parameter on the command line and in a pipeline."""
    return f"--{parameter.replace('_', '-')} ({parameter} in a pipeline)"
