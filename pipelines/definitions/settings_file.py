"""Settings files: every setting of a run in one TOML document, by section.

A setting that is a parameter of the pipelines becomes an argument; all others go into the parameter ``settings``, from
which every stage reads its own section. Nothing here imports kfp or typer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.corpus_preparation.settings import CorpusSettings
from content_arena.components.evaluation.settings import EvaluationSettings
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.promotion.settings import PromotionSettings
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.retraining_policy.policy import Policy
from content_arena.components.shared import settings
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.definitions.parameters import PARAMETERS

#: Settings that all stages share. They have options and parameters of their own, and cannot be set in a section.
SHARED = ("lang", "seed")
#: Settings of [rollout] that are separate inputs of the stage, fixed when a pipeline is compiled.
ROLLOUT_INPUTS = ("steps", "bake_seconds", "min_requests", "approvals", "limits", "prometheus", "runtime")
GATES = "gates"
FLOORS = "floors"


@dataclass(frozen=True)
class RunSettings:
    """The content of a settings file.

    Attributes:
        arguments: Settings that are parameters of the pipelines, by name.
        settings: All others by section: the argument ``settings`` of a pipeline.
        rollout: Inputs of the stage roll_out, by name.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rollout: Mapping[str, Any] = field(default_factory=dict)

    def for_pipeline(self, names: Collection[str]) -> dict[str, Any]:
        """The arguments of a pipeline that has parameters of these names."""
        found = {name: value for name, value in self.arguments.items() if name in names}
        if self.settings:
            found["settings"] = {section: dict(values) for section, values in self.settings.items()}
        return found


def sections() -> dict[str, type[Any]]:
    """The dataclass that declares the settings of a section, by section; gates and floors have none."""
    from content_arena.components.canary_rollout.settings import RolloutSettings

    kinds = (
        AttackSettings,
        CorpusSettings,
        TrainingSettings,
        EvaluationSettings,
        LabelingSettings,
        PromotionSettings,
        Policy,
        RolloutSettings,
        ChatSettings,
    )
    return {kind.SECTION: kind for kind in kinds}


def load(path: Path) -> RunSettings:
    """Reads a settings file.

    Raises:
        InputError: The file cannot be read, or something in it is not known or not of the right type.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"settings file {path} cannot be read: {error}") from error
    try:
        return check(document)
    except InputError as error:
        raise InputError(f"settings file {path}: {error}") from error


def check(document: Mapping[str, Any]) -> RunSettings:
    """Checks a settings document and divides it.

    Raises:
        InputError: A section or a name is unknown, or a value is of the wrong type or out of range.
    """
    readers: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        name: _reader(kind) for name, kind in sections().items()
    } | {GATES: _gates, FLOORS: _floors}
    unknown = sorted(set(document) - set(readers))
    if unknown:
        raise InputError(f"there is no section [{'], ['.join(unknown)}]; there is: [{'], ['.join(readers)}]")
    arguments: dict[str, Any] = {}
    rest: dict[str, dict[str, Any]] = {}
    rollout: dict[str, Any] = {}
    for section, given in document.items():
        if not isinstance(given, Mapping):
            raise InputError(f"{section} is {given!r}, wanted a section [{section}] with names and values")
        for name, value in readers[section](given).items():
            if section == "rollout" and name in ROLLOUT_INPUTS:
                rollout[name] = value
            elif name in PARAMETERS and PARAMETERS[name].section == section:
                arguments[name] = value
            else:
                rest.setdefault(section, {})[name] = value
    return RunSettings(arguments, rest, rollout)


def _reader(kind: type[Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def read(given: Mapping[str, Any]) -> dict[str, Any]:
        checked = settings.check(kind, kind.SECTION, given, without=SHARED)
        try:
            made = asdict(kind(**checked))
        except InputError as error:
            raise InputError(f"section [{kind.SECTION}]: {error}") from error
        # Tuples become lists, as in the JSON of a pipeline's parameter.
        return {name: list(made[name]) if isinstance(made[name], tuple) else made[name] for name in checked}

    return read


def _gates(given: Mapping[str, Any]) -> dict[str, Any]:
    from content_arena.components.registry.gates import gates_from

    gates_from(given)
    return dict(given)


def _floors(given: Mapping[str, Any]) -> dict[str, Any]:
    from content_arena.components.registry.floors import floors_from

    floors_from(given)
    return dict(given)
