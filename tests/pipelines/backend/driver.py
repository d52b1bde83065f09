"""The part of Kubeflow Pipelines' driver, played by hand: walks a compiled pipeline and hands out its tasks.

It resolves inputs as the backend's driver of release 2.17 does (backend/src/v2/driver there), and refuses what that
refuses: above all, a parameter without a value that enters a group (an exit handler, a loop, a condition).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
_CONDITION = re.compile(r"inputs\.parameter_values\['(.+)'\] == (true|false)")
#: What a value has to be, by parameter type.
_TYPES = {
    "STRING": str, "BOOLEAN": bool, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": int | float, "LIST": list, "STRUCT": dict,
    "TASK_FINAL_STATUS": dict,
}  # fmt: skip


class DriverError(Exception):
    """The backend's driver would fail here."""


class TaskFailedError(Exception):
    """A task ended with another exit code than 0."""


class TerminatedError(Exception):
    """A person terminated the run."""


@dataclass
class Values:
    """Parameters and artifacts by name: what goes into a task or comes out of it.

    Attributes:
        parameters: None where a pipeline's parameter was given no value and has no default.
        artifacts: Each a list of the runtime artifacts under that name.
    """

    parameters: Json = field(default_factory=dict)
    artifacts: dict[str, list[Json]] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What a pod is made of.

    Attributes:
        name: The executor's, less "exec-".
        component: Signature: input and output definitions.
        container: Image, command, args, env, resources.
        settings: Its part of the platform document: secrets, security context, node selector, claims.
        inputs: Resolved.
        run_id: Of the pipeline run.
        pipeline: Name of the pipeline.
    """

    name: str
    component: Json
    container: Json
    settings: Json
    inputs: Values
    run_id: str
    pipeline: str


Launch = Callable[[Task], Values]


class Driver:
    """One run of a compiled pipeline."""

    def __init__(self, package: Path, run_id: str, launch: Launch) -> None:
        """Reads a package that ``arena compile`` wrote; ``launch`` runs a task and returns its outputs."""
        self.spec, platform = yaml.load_all(package.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        self._settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self._run_id, self._launch = run_id, launch

    @property
    def executors(self) -> dict[str, tuple[Json, Json]]:
        """Container and platform settings of every executor."""
        containers = self.spec["deploymentSpec"]["executors"]
        return {
            name.removeprefix("exec-"): (executor["container"], self._settings[name])
            for name, executor in containers.items()
        }

    def run(self, given: Json) -> None:
        """Runs every task, the exit task whatever happened.

        Args:
            given: Values of the pipeline's parameters, as a client sends them.

        Raises:
            DriverError: The backend would refuse.
            TaskFailedError: A task failed; the exit task has run.
            TerminatedError: ``launch`` raised it; the exit task has run.
        """
        definitions = self.spec["root"]["inputDefinitions"]["parameters"]
        unknown = given.keys() - definitions.keys()
        if unknown:
            raise DriverError(f"the pipeline has no parameter {', '.join(sorted(unknown))}")
        parameters = {name: given.get(name, one.get("defaultValue")) for name, one in definitions.items()}
        typed = {
            name: None if value is None else _checked(name, value, definitions[name])
            for name, value in parameters.items()
        }
        self._group(self.spec["root"], Values(typed))

    def _group(self, component: Json, scope: Values) -> Values:
        """Runs the tasks of a group in an order that their dependencies allow."""
        waiting = dict(component["dag"]["tasks"])
        done: dict[str, Values] = {}
        ended: Exception | None = None
        while waiting:
            name = next(name for name, task in waiting.items() if not waiting.keys() & set(_upstream(task)))
            task = waiting.pop(name)
            whatever = task.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
            if ended and not whatever:
                continue
            try:
                done[name] = self._task(task, scope, done, _status(ended))
            except (TaskFailedError, TerminatedError) as error:
                ended = ended or error
        if ended:
            raise ended
        outputs = component["dag"].get("outputs", {}).get("artifacts", {})
        return Values(artifacts={name: _selected(output, done) for name, output in outputs.items()})

    def _task(self, task: Json, scope: Values, done: dict[str, Values], status: str) -> Values:
        component_name = task["componentRef"]["name"]
        component = self.spec["components"][component_name]
        inputs = self._inputs(task, component, scope, done, status)
        condition = task.get("triggerPolicy", {}).get("condition")
        if condition and not _holds(condition, inputs):
            return Values()
        if "dag" not in component:
            name = component["executorLabel"]
            container = self.spec["deploymentSpec"]["executors"][name]["container"]
            return self._launch(
                Task(
                    name.removeprefix("exec-"), component, container, self._settings[name], inputs, self._run_id,
                    self.spec["pipelineInfo"]["name"],
                )
            )  # fmt: skip
        iterator = task.get("parameterIterator")
        if iterator is None:
            return self._group(component, inputs)
        turns = [
            self._group(component, Values(inputs.parameters | {iterator["itemInput"]: item}, inputs.artifacts))
            for item in json.loads(iterator["items"]["raw"])
        ]
        names = turns[0].artifacts
        return Values(artifacts={name: [one for turn in turns for one in turn.artifacts[name]] for name in names})

    def _inputs(self, task: Json, component: Json, scope: Values, done: dict[str, Values], status: str) -> Values:
        definitions = component.get("inputDefinitions", {})
        sources = task.get("inputs", {})
        resolved = Values()
        for name, source in sources.get("parameters", {}).items():
            definition = definitions["parameters"][name]
            value = self._parameter(source, scope, done, status)
            if value is None:
                if definition.get("isOptional"):
                    continue
                raise DriverError(f"the resolved input parameter is null: {name} of {task['taskInfo']['name']}")
            resolved.parameters[name] = _checked(name, value, definition)
        for name, source in sources.get("artifacts", {}).items():
            if "componentInputArtifact" in source:
                resolved.artifacts[name] = scope.artifacts[source["componentInputArtifact"]]
            else:
                output = source["taskOutputArtifact"]
                resolved.artifacts[name] = done[output["producerTask"]].artifacts[output["outputArtifactKey"]]
        return resolved

    def _parameter(self, source: Json, scope: Values, done: dict[str, Values], status: str) -> Any:
        if "componentInputParameter" in source:
            return scope.parameters.get(source["componentInputParameter"])
        if "taskOutputParameter" in source:
            output = source["taskOutputParameter"]
            return done[output["producerTask"]].parameters[output["outputParameterKey"]]
        if "taskFinalStatus" in source:
            producer = source["taskFinalStatus"]["producerTask"]
            return {"state": status, "pipelineJobResourceName": self._run_id, "pipelineTaskName": producer, "error": {}}
        constant = source["runtimeValue"]["constant"]
        if constant == "{{$.pipeline_job_uuid}}":
            return self._run_id
        if "{{" in str(constant):
            raise DriverError(f"no such placeholder: {constant}")
        return constant


def _upstream(task: Json) -> list[str]:
    return task.get("dependentTasks", [])


def _status(ended: Exception | None) -> str:
    """The status that an exit task gets. On a cluster, a run that a person terminated is still running then."""
    if ended is None:
        return "COMPLETE"
    return "RUNNING" if isinstance(ended, TerminatedError) else "FAILED"


def _selected(output: Json, done: dict[str, Values]) -> list[Json]:
    (selector,) = output["artifactSelectors"]
    return done[selector["producerSubtask"]].artifacts[selector["outputArtifactKey"]]


def _holds(condition: str, inputs: Values) -> bool:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise DriverError(f"not a condition of ours: {condition}")
    return inputs.parameters[found[1]] is (found[2] == "true")


def _checked(name: str, value: Any, definition: Json) -> Any:
    """The value as protobuf carries it: 3 and 3.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    kind = definition["parameterType"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise DriverError(f"input parameter {name!r} type mismatch: expect {kind}, got {value!r}")
    return value
