"""Writes the seven dashboards beside this file: ``python build.py``. With ``--check`` it only compares them.

Exit codes: 0 done or up to date, 1 (with --check) out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import inference
import machine
import rollout
import training
from grafana import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (
    machine.SYSTEM,
    training.TRAINING,
    inference.INFERENCE,
    training.TRAINING_DETAIL,
    inference.INFERENCE_DETAIL,
    training.BATTLES,
    rollout.ROLLOUT,
)


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    folder = Path(__file__).parent
    stale = []
    for dashboard in DASHBOARDS:
        path = folder / f"{dashboard.name}.json"
        text = json.dumps(dashboard.as_dict(), indent=1) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(("out of date: " if "--check" in arguments else "written: ") + ", ".join(stale))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
