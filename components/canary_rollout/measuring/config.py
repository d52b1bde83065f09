"""The measuring config: set when a rollout begins, recorded with it, and read again when it is resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.kube.client import RolloutClient
    from content_arena.components.canary_rollout.measuring.counters import Source
    from content_arena.components.canary_rollout.measuring.endpoints import PodTransport
    from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer
    from content_arena.components.canary_rollout.measuring.probes import ProbeSet

#: What the predictors know a probe by. A secret, so it is no part of the configuration, which is recorded.
PROBE_TOKEN_VARIABLE = "CONTENT_ARENA_PROBE_TOKEN"  # noqa: S105


class PodAccess(StrEnum):
    """How a single pod is accessed: by its address, or through the API server's proxy."""

    DIRECT = "direct"
    PROXY = "proxy"


@dataclass(frozen=True)
class MeasuringConfig:
    """How both variants are measured and judged.

    Attributes:
        limits: The bounds.
        absolute_bounds: Whether the limits hold whatever the champion's figures are.
        prometheus: URL of a Prometheus; the pods' own metrics if None.
        pod_access: How pods are accessed.
        corpus: Parquet whose test split the probes are drawn from; the embedded corpus if None.
        lang: ISO 639-1 code of the texts.
        texts_per_label: Number of texts of each label to attack.
        budget: Queries that an attack may spend on a text.
        seed: Seed of the attempts and of the resampling.
    """

    limits: Limits = field(default_factory=Limits)
    prometheus: str | None = None
    pod_access: PodAccess = PodAccess.DIRECT
    corpus: Path | None = None
    lang: str = "en"
    texts_per_label: int = 120
    budget: int = 3
    seed: int = 0
    absolute_bounds: bool = False

    @property
    def has_password(self) -> bool:
        """Whether the URL of Prometheus has a secret, which is left out of the record."""
        return self.prometheus is not None and _without_password(self.prometheus) != self.prometheus

    def as_record(self) -> dict[str, Any]:
        """All that differs from the defaults, for the rollout's record, so that a resume measures the same way.

        The access to pods is left out, because it depends on where a process runs. A password is left out, because many
        people may read the service.
        """
        defaults = asdict(MeasuringConfig())
        record = {name: value for name, value in asdict(self).items() if value != defaults[name]}
        record.pop("pod_access", None)
        if "limits" in record:
            limits = defaults["limits"]
            record["limits"] = {name: value for name, value in record["limits"].items() if value != limits[name]}
        if self.prometheus:
            record["prometheus"] = _without_password(self.prometheus)
        if self.corpus:
            record["corpus"] = str(self.corpus.absolute())
        return record

    @classmethod
    def of(cls, overrides: Mapping[str, Any], recorded: Mapping[str, Any] | None = None) -> MeasuringConfig:
        """Combines overrides, the recorded configuration and the defaults, in this order; each limit by itself.

        Args:
            overrides: Values by attribute name; ``limits`` is a mapping by the attribute names of
                :class:`~content_arena.components.canary_rollout.analysis.checks.Limits`.
            recorded: What :meth:`as_record` returned when the rollout began; None for a new rollout.

        Raises:
            InputError: The recorded configuration can not be read, or the corpus does not exist.
        """
        values = dict(recorded or {})
        # Rollouts recorded before version 0.2 call the budget "rounds".
        if "rounds" in values:
            values["budget"] = values.pop("rounds")
        try:
            limits = {**values.get("limits", {}), **overrides.get("limits", {})}
            values |= overrides
            corpus = values.get("corpus")
            config = cls(**(values | {"limits": Limits(**limits), "corpus": None if corpus is None else Path(corpus)}))
        except TypeError as error:
            raise InputError(
                f"the recorded measuring config can not be read ({error}): it may be of a newer version of the arena"
            ) from error
        if config.corpus is not None and not config.corpus.is_file():
            raise InputError(f"there is no corpus {config.corpus}: --probe-corpus names the file of the probes")
        return config

    def measurer(
        self, namespace: str, context: str | None, client: RolloutClient, warmup_seconds: float
    ) -> LiveMeasurer:
        """Makes the measurer, which the caller has to close.

        Args:
            namespace: Namespace of the service.
            context: Context of the kubeconfig; its current one if None.
            client: Of that namespace.
            warmup_seconds: Length of the first part of a window, which is not counted.

        Raises:
            InputError: The URL of Prometheus is invalid.
        """
        from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer
        from content_arena.components.canary_rollout.measuring.prober import Prober

        token = os.environ.get(PROBE_TOKEN_VARIABLE) or None
        prober = Prober(self._probe_set, client.pods, self._transport(context), token=token)
        return LiveMeasurer(
            self.source(namespace, context, client), prober, self.limits,
            is_absolute=self.absolute_bounds, warmup_seconds=warmup_seconds, seed=self.seed,
        )  # fmt: skip

    def source(self, namespace: str, context: str | None, client: RolloutClient) -> Source:
        """Makes the source of users' traffic; the arguments are those of :meth:`measurer`.

        Raises:
            InputError: The URL of Prometheus is invalid.
        """
        from content_arena.components.canary_rollout.measuring.pod_metrics import PodMetrics
        from content_arena.components.canary_rollout.measuring.prometheus import Prometheus

        if self.prometheus:
            return Prometheus(self.prometheus, namespace, client.pods)
        return PodMetrics(client.pods, self._transport(context))

    def _transport(self, context: str | None) -> PodTransport:
        from content_arena.components.canary_rollout.measuring.endpoints import ApiServerProxy, PodAddresses

        return PodAddresses() if self.pod_access is PodAccess.DIRECT else ApiServerProxy(context)

    def _probe_set(self, draw: int) -> ProbeSet:
        from content_arena.components.canary_rollout.measuring.probes import draw_probe_set

        return draw_probe_set(
            self.corpus, self.lang, texts_per_label=self.texts_per_label, budget=self.budget, seed=self.seed + draw
        )


def _without_password(url: str) -> str:
    """A URL without user and password, and without a query, which may hold a token."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
