"""``arena rollout`` called in this process: its shortest options, and what it answers."""

import json

from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app
from tests.components.canary_rollout.stand_in.served import NAMESPACE, SERVICE

TWO = "s3://models/content-filter/2"
WHERE = ["--service", SERVICE, "--namespace", NAMESPACE]
#: The shortest rollout: without pods that answer it ends held at its first step.
QUICK = [
    *WHERE, "--no-registry", "--plan", "0,100", "--bake", "0", "--warmup", "0", "--min-requests", "0",
    "--inconclusives", "0", "--settle", "0.1", "--interval", "0.05", "--leave-when-held", "--pod-access", "direct",
    "--keep", "0",
]  # fmt: skip
START = ["start", "2", "--storage-uri", TWO, *QUICK]
RESUME = ["resume", *WHERE, "--no-registry", "--settle", "0.1", "--interval", "0.05", "--leave-when-held"]
EVERY = {
    "start": START, "status": ["status", *WHERE], "watch": ["watch", *WHERE], "approve": ["approve", *WHERE],
    "abort": ["abort", *WHERE], "resume": RESUME, "reconcile": ["reconcile", *WHERE, "--no-registry"],
    "undo": ["undo", *WHERE, "--no-registry", "--reason", "complaints", "--settle", "0.1", "--interval", "0.05"],
}  # fmt: skip


def rollout(*arguments):
    return CliRunner().invoke(app, ["rollout", *(str(argument) for argument in arguments)])


def answer(*arguments):
    result = rollout(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def is_refused(result, *words):
    """Exit code 2, and one line that says why."""
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.strip()]
    for word in words:
        assert word in line
