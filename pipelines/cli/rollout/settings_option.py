"""The option ``--settings`` of ``arena rollout start``: the plan and the measuring of a settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from content_arena.pipelines.definitions.settings_file import RunSettings, load

#: The option for each setting of [rollout] but ``limits``: a limit of the file holds unless an option names it too.
OPTIONS = {
    "steps": "plan",
    "bake_seconds": "bake",
    "warmup_seconds": "warmup",
    "min_requests": "min_requests",
    "failure_limit": "failures",
    "inconclusive_limit": "inconclusives",
    "window_seconds": "window",
    "start_seconds": "start_timeout",
    "move_seconds": "move_timeout",
    "deadline_seconds": "deadline",
    "keep_seconds": "keep",
    "approvals": "approve_before",
    "prometheus": "prometheus",
    "probe_texts": "probe_texts",
    "probe_budget": "probe_budget",
    "kserve_version": "kserve_version",
    "runtime": "runtime",
    "absolute_bounds": "absolute_bounds",
}


def _apply(context: typer.Context, given: RunSettings | None) -> RunSettings | None:
    """Makes the settings of [rollout] the defaults of the options; an option given on the command line wins."""
    if given is None:
        return None
    values = {**given.rollout, **given.settings.get("rollout", {})}
    context.default_map = {**(context.default_map or {})} | {
        OPTIONS[name]: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in values.items()
        if name in OPTIONS
    }
    return given


SettingsOption = Annotated[
    RunSettings | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        parser=lambda path: load(Path(path)),
        callback=_apply,
        is_eager=True,
        help="TOML file with settings by section. Only [rollout] is used; an option given here wins over it.",
    ),
]
