"""With what both variants are measured: told when a rollout begins, noted with it, found again when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from content_arena.components.canary_rollout.analysis.checks import Limits
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.kube.client import RolloutClient
    from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer


class PodAccess(StrEnum):
    """How the pods of a variant are reached, past gateway and Services."""

    DIRECT = "direct"
    PROXY = "proxy"


@dataclass(frozen=True)
class MeasuringConfig:
    """With what both variants are measured.

    Attributes:
        limits: The bounds.
        prometheus: URL of a Prometheus; the pods' own metrics if None.
        pod_access: How pods are reached.
        corpus: Parquet whose test split the probes are drawn from; the embedded corpus if None.
        lang: Of the texts.
        texts_per_label: Texts of each label to attack.
        budget: Queries allowed on a toxic text.
        seed: Of the attempts and the resampling.
    """

    limits: Limits = field(default_factory=Limits)
    prometheus: str | None = None
    pod_access: PodAccess = PodAccess.DIRECT
    corpus: Path | None = None
    lang: str = "en"
    texts_per_label: int = 120
    budget: int = 3
    seed: int = 0

    @property
    def has_password(self) -> bool:
        """Whether something of it is not noted."""
        return bool(self.prometheus) and _without_password(self.prometheus) != self.prometheus

    def recorded_config(self) -> dict[str, Any]:
        """What is not as usual, to be recorded with the rollout so that whoever resumes it judges by the same.

        Not how pods are reached: that depends on where a process runs. Nor a password: many may read the service.
        """
        usual = asdict(MeasuringConfig())
        found = {name: value for name, value in asdict(self).items() if value != usual[name] and name != "pod_access"}
        if "limits" in found:
            found["limits"] = {name: value for name, value in found["limits"].items() if value != usual["limits"][name]}
        if self.prometheus:
            found["prometheus"] = _without_password(self.prometheus)
        if self.corpus:
            found["corpus"] = str(self.corpus.absolute())
        return found

    @classmethod
    def of(cls, overrides: Mapping[str, Any], recorded_config: Mapping[str, Any] | None = None) -> MeasuringConfig:
        """As told, else as noted when the rollout began, else as usual; each bound by itself.

        Args:
            overrides: Values by the names of the attributes; ``limits`` by the names of its own.
            recorded_config: What :meth:`recorded_config` gave.

        Raises:
            InputError: What was noted can not be read, or the corpus is not here.
        """
        recorded_config = dict(recorded_config or {})
        # Rollouts recorded before version 0.2 call the budget "rounds".
        if "rounds" in recorded_config:
            recorded_config["budget"] = recorded_config.pop("rounds")
        try:
            values = {
                **recorded_config,
                **overrides,
                "limits": Limits(**{**recorded_config.get("limits", {}), **overrides.get("limits", {})}),
            }
            corpus = values.get("corpus")
            made = cls(**(values | {"corpus": None if corpus is None else Path(corpus)}))
        except TypeError as error:
            raise InputError(
                f"what the rollout is measured with can not be read ({error}): is this arena older than the one that "
                "began it?"
            ) from error
        if made.corpus is not None and not made.corpus.is_file():
            raise InputError(f"there is no corpus {made.corpus}: --probe-corpus says where the probes' texts are")
        return made

    def measurer(
        self, namespace: str, context: str | None, client: RolloutClient, warmup_seconds: float
    ) -> LiveMeasurer:
        """What measures; to be closed in the end.

        Args:
            namespace: Of the service.
            context: Of the kubeconfig; its current one if None.
            client: Of the service's namespace.
            warmup_seconds: So much of a window's beginning is not counted.

        Raises:
            InputError: The address of Prometheus is none.
        """
        from content_arena.components.canary_rollout.measuring.endpoints import ApiServerProxy, PodAddresses
        from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer
        from content_arena.components.canary_rollout.measuring.pod_metrics import PodMetrics
        from content_arena.components.canary_rollout.measuring.prober import Prober
        from content_arena.components.canary_rollout.measuring.probes import Battery, battery
        from content_arena.components.canary_rollout.measuring.prometheus import Prometheus

        transport = PodAddresses() if self.pod_access is PodAccess.DIRECT else ApiServerProxy(context)
        source = (
            Prometheus(self.prometheus, namespace, client.pods)
            if self.prometheus
            else PodMetrics(client.pods, transport)
        )

        def made() -> Battery:
            return battery(
                self.corpus, self.lang, texts_per_label=self.texts_per_label, budget=self.budget, seed=self.seed
            )

        prober = Prober(made, client.pods, transport)
        return LiveMeasurer(source, prober, self.limits, warmup_seconds=warmup_seconds, seed=self.seed)


def _without_password(url: str) -> str:
    """A URL without user and password, and without a query, which may hold a token."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
