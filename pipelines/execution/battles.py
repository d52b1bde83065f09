"""The battles of a home: what each one was, its result, and what it takes to go on with one that was cut short."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from content_arena.components.shared.atomic import replacing
from content_arena.components.shared.documents import Fields
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution.home import ArenaHome

_RECORD, _ANSWERS = "battle.json", "answers.jsonl"


@dataclass(frozen=True)
class Battle:
    """A battle, finished or not.

    Attributes:
        folder: Where it is kept; its name is the battle's.
        begun: When, in local time.
        victim: The filter, without a login.
        arguments: Of the pipeline.
        result: What ``--json`` answers; None if the battle did not finish.
    """

    folder: Path
    begun: str
    victim: str
    arguments: Mapping[str, Any]
    result: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Names it in commands."""
        return self.folder.name

    @property
    def answers(self) -> Path:
        """The file of the filter's answers, which is there until the battle is finished."""
        return self.folder / _ANSWERS

    def is_resumable(self) -> bool:
        """Whether there are answers to go on from."""
        return self.result is None and self.answers.is_file()

    def forget(self) -> None:
        """Removes its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Keeps the result; the answers are not needed any more."""
        _write(Battle(self.folder, self.begun, self.victim, self.arguments, result))
        self.answers.unlink(missing_ok=True)


def begin(home: ArenaHome, victim: str, arguments: Mapping[str, Any]) -> Battle:
    """Keeps what a battle is, before it is fought."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    battle = Battle(home.battles / name, time.strftime("%Y-%m-%d %H:%M"), victim, arguments)
    battle.folder.mkdir(parents=True)
    _write(battle)
    return battle


def find(home: ArenaHome, name: str) -> Battle:
    """The battle of a name.

    Raises:
        InputError: There is none, or its record is damaged.
    """
    path = home.battles / name / _RECORD
    if Path(name).name != name or not path.is_file():
        raise InputError(f"there is no battle {name}: `arena battles` lists those that are kept")
    try:
        fields = Fields(json.loads(path.read_text(encoding="utf-8")), "the record")
        arguments, result = fields.raw("arguments"), fields.raw("result")
        if not isinstance(arguments, dict) or not isinstance(result, dict | None):
            raise InputError("the record has no arguments")
        return Battle(path.parent, fields.text("begun"), fields.text("victim"), arguments, result)
    except (OSError, ValueError, InputError) as error:
        raise InputError(f"the record of battle {name} cannot be read ({error}): remove {path.parent}") from error


def every(home: ArenaHome) -> list[Battle]:
    """All battles that can be read, the oldest first."""
    names = [path.parent.name for path in record_files(home)]
    return [battle for name in names if (battle := _readable(home, name)) is not None]


def needed_for(home: ArenaHome, name: str) -> str:
    """Why a battle's folder has to stay; "" for one that failed or cannot be read."""
    found = _readable(home, name)
    if found is None or not (found.result is not None or found.is_resumable()):
        return ""
    return "`arena battles` shows it" if found.result is not None else "`arena battle --resume` goes on with it"


def record_files(home: ArenaHome) -> list[Path]:
    """The records of all battles."""
    return sorted(home.battles.glob(f"*/{_RECORD}"))


def unfinished_files(home: ArenaHome) -> list[Path]:
    """What battles that were cut short left beside their records: hashes of texts with a filter's answers."""
    return sorted(path for path in home.battles.glob("*/*") if path.name != _RECORD)


def _readable(home: ArenaHome, name: str) -> Battle | None:
    try:
        return find(home, name)
    except InputError:
        return None


def _write(battle: Battle) -> None:
    """Replaces the record in one step: a process that is killed leaves the old one."""
    document = {
        "begun": battle.begun, "victim": battle.victim, "arguments": dict(battle.arguments), "result": battle.result
    }  # fmt: skip
    with replacing(battle.folder / _RECORD) as unfinished:
        unfinished.write_text(json.dumps(document, indent=1), encoding="utf-8")
