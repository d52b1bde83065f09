"""The options of ``arena rollout`` for the plan of a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class PlanOptions:
    """Options of the plan of a rollout."""

    plan: Annotated[
        str,
        typer.Option(
            help="Percentages, rising from 0: the staging step without users. 0,100 is blue-green; a plan that ends "
            "below 100 needs an approval before the rest."
        ),
    ] = ",".join(map(str, Parameters.steps))
    bake: Annotated[float, typer.Option(min=0, help="Seconds each step is measured.")] = Parameters.bake_seconds
    warmup: Annotated[float, typer.Option(min=0, help="Seconds at each step's start that do not count.")] = (
        Parameters.warmup_seconds
    )
    min_requests: Annotated[
        int, typer.Option(min=0, help="Answers to users that have to be judged at each step above 0.")
    ] = Parameters.min_requests
    failures: Annotated[int, typer.Option(min=0, help="Failed judgements that a step survives.")] = (
        Parameters.failure_limit
    )
    inconclusives: Annotated[
        int, typer.Option(min=0, help="Inconclusive judgements in a row before an approval is needed.")
    ] = Parameters.inconclusive_limit
    window: Annotated[
        float,
        typer.Option(
            min=1,
            help="Seconds that a step is measured at most while probes are under way or there are too few answers; an "
            "approval is needed then.",
        ),
    ] = Parameters.window_seconds
    approve_before: Annotated[str, typer.Option(help="Steps that need an approval, such as 25,100.")] = ""
    start_timeout: Annotated[float, typer.Option(min=1, help="Seconds for pods to start, at each step.")] = (
        Parameters.start_seconds
    )
    move_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for the gateway to follow, in addition to that.")
    ] = Parameters.move_seconds
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds for the whole rollout, without waiting for a person.")
    ] = Parameters.deadline_seconds

    keep: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that the version before keeps its pods at 0 % after a promotion: an undo needs no new "
            "ones (Standard mode). The command stays for that long.",
        ),
    ] = Parameters.keep_seconds

    @property
    def parameters(self) -> Parameters:
        """The plan.

        Raises:
            InputError: The values contradict each other.
        """
        return parameters(
            self.plan,
            self.approve_before,
            bake_seconds=self.bake,
            warmup_seconds=self.warmup,
            min_requests=self.min_requests,
            failure_limit=self.failures,
            inconclusive_limit=self.inconclusives,
            window_seconds=self.window,
            start_seconds=self.start_timeout,
            move_seconds=self.move_timeout,
            deadline_seconds=self.deadline,
            keep_seconds=self.keep,
        )


def parameters(steps: str, approvals: str, **numbers: float) -> Parameters:
    """The plan from the texts of ``--plan`` and ``--approve-before``, and its other values by name.

    Raises:
        InputError: A percentage can not be read, or the values contradict each other.
    """
    return Parameters.from_dict(
        {"steps": _percentages("--plan", steps), "approvals": _percentages("--approve-before", approvals), **numbers}
    )


def _percentages(option: str, given: str) -> list[int]:
    try:
        return [int(part.strip().removesuffix("%")) for part in given.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"{option} is {given!r}, wanted percentages such as 0,1,5,25,50,100") from error
