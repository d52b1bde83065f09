"""Writes README.md beside this file: every command, the settings file, and the stages, from what declares them.

Run ``python -m content_arena.pipelines.cli.documentation`` after a change to a command, a setting or a stage; a test
compares the file with what this module would write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Protocol, Union, cast, get_args, get_origin, get_type_hints

import typer

from content_arena.components.canary_rollout.launch import Limits
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.registry.floors import DEFAULT_FLOORS
from content_arena.components.registry.gates import DEFAULT_GATES
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.definitions.settings_file import SHARED, sections
from content_arena.pipelines.definitions.stage_table import STAGES

README = Path(__file__).with_name("README.md")
_HEAD = """# The command line

Written by `python -m content_arena.pipelines.cli.documentation`; a test compares it with `--help`.

Results go to standard output, everything else to standard error. With `--json` standard output is one object and
nothing else. If a command cannot do what was asked, or an option is wrong, the object is `{"error": "..."}`.

| exit code | means |
|---|---|
| 0 | done; for a run: it ended in a verdict, yes or no |
| 1 | the answer is no: gates, floors or --fail-over failed, data is refused, a rollout went back; see each command |
| 2 | an option, a file or a value cannot be used, a server does not answer, or a stage of a local run broke down |
| 3 | a rollout waits for a person |
| 130 | stopped by Ctrl-C |
"""
_SETTINGS = """## Settings file

`arena run`, `battle`, `compare`, `attack`, `compile`, `submit` and `rollout start` take `--settings FILE`, a TOML file
with one section for each stage. `rollout start` reads `[rollout]` alone, `compare` and `attack` read `[attack]` and
`[llm]`. An option on the command line wins over the file, and the file over
the default. Unknown sections and names are refused, and so are values of the wrong type or out of range.

A setting that is a parameter of the pipelines (bold in the tables) becomes the argument of that name. All others reach
the stages in the pipelines' parameter `settings`. In the dashboard of Kubeflow Pipelines it is given as JSON:
`{"training": {"lora_rank": 8}}`.

```toml
[attack]
budget = 5
held_out_strategies = ["space_join", "wild_respell"]

[training]
epochs = 6
lora_rank = 8

[gates]
clean_f1 = 0.01          # the challenger may be one point worse
perturbed_benign_fpr = 0.0

[floors]
clean_auroc = 0.85       # no version with less becomes champion

[promotion]
guard = "elsewhere.csv"

[rollout]
steps = [0, 10, 50, 100]
bake_seconds = 600

[rollout.limits]
p95_seconds = 0.8
```
"""
_GATES = """### `[gates]`

By how much the challenger may be worse than the champion, by name of a figure of the evaluation. Naming a figure
that has no gate adds one. A gate that is not named keeps its rule, so no setting removes a gate. The margins are
recorded with the verdict. A gate on the guard set is not judged where there is none, unless `require_guard` is set.

"""
_FLOORS = """### `[floors]`

The least value of a figure, from 0 to 1, with which a version may become champion, the first one included. Naming a
figure that has no floor adds one. The floors are recorded with the verdict. A first version below a floor is refused,
and the run ends without a champion; the next run begins anew.

"""


_TOML: dict[object, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}


class Option(Protocol):
    """An option or argument of a command, as far as it is used; typer's copy of click is private."""

    name: str
    param_type_name: str
    opts: list[str]
    secondary_opts: list[str]
    metavar: str | None
    default: object
    required: bool


class Command(Protocol):
    """A command, as far as it is used."""

    params: list[Option]
    help: str


def markdown() -> str:
    """The README."""
    parts = [_HEAD, *_commands(), _SETTINGS, *_sections(), _stages()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def commands() -> Iterator[tuple[str, Command]]:
    """Every command with its full name, such as "arena rollout start", in the order of ``--help``."""
    yield from _leaves("arena", cast("Command", typer.main.get_command(app)))


def _leaves(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    if getattr(command, "invoke_without_command", False) and name != "arena":
        yield name, command
    for word, part in below.items():
        yield from _leaves(f"{name} {word}", part)


def _commands() -> Iterator[str]:
    for name, command in commands():
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
        usage = " ".join([name, *(f"[{argument.name.upper()}]" for argument in arguments), "[OPTIONS]"])
        rows = [
            (_names(parameter), _default(parameter), _cell(getattr(parameter, "help", None) or ""))
            for parameter in shown
        ]
        yield f"## `{usage}`\n\n{command.help.strip()}\n\n" + _table(("option", "default", "meaning"), rows)


def _names(parameter: Option) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return names + (f" `{_cell(parameter.metavar)}`" if parameter.metavar else "")


def _default(parameter: Option) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    default = parameter.default
    if parameter.required:
        return "required"
    if default is None or default == "" or default == [] or default is False:
        return ""
    if default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{getattr(default, 'value', default)}`"


def _sections() -> Iterator[str]:
    for section, kind in sections().items():
        yield _section(section, kind)
        if section == RolloutSettings.SECTION:
            yield _section(f"{section}.limits", Limits)
    yield _GATES + _table(("figure", "the challenger passes with"), [(f"`{g.metric}`", g.rule) for g in DEFAULT_GATES])
    yield _FLOORS + _table(("figure", "floor"), [(f"`{floor.metric}`", f"{floor.least:g}") for floor in DEFAULT_FLOORS])


def _section(section: str, kind: type[Any]) -> str:
    described, hints = _attributes(kind), get_type_hints(kind)
    rows = []
    for setting in fields(kind):
        if setting.name in SHARED:
            continue
        parameter = PARAMETERS.get(setting.name)
        is_parameter = parameter is not None and parameter.section == section
        name = f"**`{setting.name}`**" if is_parameter else f"`{setting.name}`"
        rows.append(
            (name, _type(hints[setting.name]), _setting_default(setting), _cell(described.get(setting.name, "")))
        )
    return f"### `[{section}]`\n\n" + _table(("setting", "type", "default", "meaning"), rows)


def _attributes(kind: type[Any]) -> dict[str, str]:
    """The descriptions of a dataclass's fields, from its docstring and those of its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, attributes = (base.__doc__ or "").partition("Attributes:\n")
        for match in re.finditer(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", attributes, re.MULTILINE):
            found[match[1]] = " ".join(match[2].split())
    return found


def _type(hint: object) -> str:
    """A type hint under its name in TOML."""
    if get_origin(hint) in (UnionType, Union):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}s"
    return _TOML.get(hint, "table")


def _setting_default(setting: Field[Any]) -> str:
    value = setting.default if setting.default_factory is MISSING else setting.default_factory()
    shown = list(value) if isinstance(value, tuple) else value
    return "" if shown is None or shown in ([], {}) else f"`{shown}`"


def _stages() -> str:
    rows = [
        (
            f"`{stage.name}`",
            stage.title,
            f"[{stage.package}](../../components/{stage.package}/README.md)",
            " to ".join(stage.resources.cpu),
            " to ".join(stage.resources.memory),
            f"{stage.resources.timeout} s",
            "yes" if stage.gpu else "",
        )
        for stage in STAGES
    ]
    columns = ("stage", "in the dashboard", "component", "CPU", "memory", "time limit", "`--gpu`")
    return "## Stages\n\n" + _table(columns, rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    README.write_text(markdown(), encoding="utf-8")
