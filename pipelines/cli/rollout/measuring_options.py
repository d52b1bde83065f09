"""The options of ``arena rollout`` for what both variants are measured with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.options import language


class PodAccessChoice(StrEnum):
    """How the pods of a variant are reached."""

    AUTO = "auto"
    DIRECT = "direct"
    PROXY = "proxy"


@dataclass(frozen=True)
class MeasuringOptions:
    """Options of the measuring. An option that is not given keeps the value recorded when the rollout began."""

    limit: Annotated[
        list[str],
        typer.Option(
            "--limit",
            help="NAME=VALUE of a bound, such as p95_seconds=0.8 (seconds) or evasion_margin=0.02 (a share); repeat. "
            "An unknown name lists all bounds with their defaults.",
        ),
    ] = field(default_factory=list)
    absolute_bounds: Annotated[
        bool | None,
        typer.Option(
            "--absolute-bounds/--relative-bounds",
            help="Whether the bounds hold whatever the champion's figures are; otherwise a figure may be as bad as the "
            "champion's and its margin.",
        ),
    ] = None
    prometheus: Annotated[
        str | None, typer.Option(help="URL of a Prometheus that scrapes the pods; their own /metrics if not given.")
    ] = None
    pod_access: Annotated[
        PodAccessChoice,
        typer.Option(
            "--pod-access",
            help="How probes and scrapes reach the pods: directly, or through the API server's proxy. auto is direct "
            "inside a cluster and proxy elsewhere.",
        ),
    ] = PodAccessChoice.AUTO
    probe_corpus: Annotated[
        Path | None,
        typer.Option(
            help="Corpus (Parquet of prepare_corpus) whose test texts are the probes; the embedded one if not given."
        ),
    ] = None
    lang: Annotated[str | None, typer.Option(help="Language of the texts, ISO 639-1.", callback=language)] = None
    probe_texts: Annotated[
        int | None, typer.Option(min=1, help="Texts of each label that each variant is attacked with.")
    ] = None
    probe_budget: Annotated[int | None, typer.Option(min=1, help="Queries on each attacked text.")] = None
    probe_rounds: Annotated[int | None, typer.Option(min=1, hidden=True, help="Former name of --probe-budget.")] = None

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings for ``RunOptions.overrides``.

        Raises:
            InputError: A bound does not exist, or its value makes no sense.
        """
        from content_arena.components.canary_rollout.launch import PodAccess, is_in_pod

        default = PodAccess.DIRECT if is_in_pod() else PodAccess.PROXY
        is_auto = self.pod_access is PodAccessChoice.AUTO
        overrides = {
            "limits": limits(self.limit),
            "absolute_bounds": self.absolute_bounds,
            "prometheus": self.prometheus,
            "pod_access": default if is_auto else PodAccess(self.pod_access.value),
            "corpus": self.probe_corpus,
            "lang": self.lang,
            "texts_per_label": self.probe_texts,
            "budget": self.probe_budget if self.probe_rounds is None else self.probe_rounds,
        }
        return {name: value for name, value in overrides.items() if value is not None}


@dataclass(frozen=True)
class FirstMeasuringOptions(MeasuringOptions):
    """Options of the measuring for a rollout that begins: nothing is recorded yet, so they have defaults."""

    absolute_bounds: Annotated[
        bool,
        typer.Option(
            "--absolute-bounds/--relative-bounds",
            help="Whether the bounds hold whatever the champion's figures are; otherwise a figure may be as bad as the "
            "champion's and its margin.",
        ),
    ] = RolloutSettings.absolute_bounds
    lang: Annotated[str, typer.Option(help="Language of the texts, ISO 639-1.", callback=language)] = "en"
    probe_texts: Annotated[int, typer.Option(min=1, help="Texts of each label that each variant is attacked with.")] = (
        RolloutSettings.probe_texts
    )
    probe_budget: Annotated[int, typer.Option(min=1, help="Queries on each attacked text.")] = (
        RolloutSettings.probe_budget
    )


def limits(given: Sequence[str]) -> dict[str, float]:
    """Bounds by name.

    Raises:
        InputError: A bound does not exist, or its value is not a number of 0 or more.
    """
    from content_arena.components.canary_rollout.launch import Limits

    names, values = [field.name for field in fields(Limits)], {}
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in names:
            defaults = ", ".join(f"{field.name}={field.default}" for field in fields(Limits))
            raise InputError(f"there is no limit {name!r}: wanted NAME=VALUE with one of these names: {defaults}")
        try:
            values[name] = float(value)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise InputError(f"limit {name} is {value!r}, wanted a number")
        if values[name] < 0:
            raise InputError(f"limit {name} is {value}, which nothing can meet: wanted 0 or more")
    return values
