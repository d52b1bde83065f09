"""When probes are sent: once a judgement, again when they are old, in threads so that the loop goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from content_arena.components.canary_rollout.analysis.checks import Probes
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.endpoints import PodAddresses, PodTransport, Variant, ready
from content_arena.components.canary_rollout.measuring.probes import Battery, PodsVictim, probe


@dataclass
class Probing:
    """A battle against one variant: under way, over, or broken off.

    Attributes:
        begun: When, seconds since the epoch.
        victim: Whom it is fought against; None where nobody was there.
        result: What it gave; None until it is over, and if it broke off.
        broke: Why it broke off; empty if it did not.
        done: Set when it is over.
    """

    begun: float
    victim: PodsVictim | None = None
    result: Probes | None = None
    broke: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def versions(self) -> frozenset[str]:
        """Every ``model_version`` that answered so far."""
        return self.victim.versions if self.victim else frozenset()

    @property
    def answers(self) -> int:
        """Requests answered so far."""
        return self.victim.answers if self.victim else 0

    @property
    def errors(self) -> int:
        """Those answered with a status of 500 or more."""
        return self.victim.errors if self.victim else 0


class Prober:
    """Keeps the latest battle against each variant."""

    def __init__(
        self,
        battery: Callable[[], Battery],
        pods: Callable[[str], Sequence[Json]],
        transport: PodTransport | None = None,
        *,
        share: float = 0.5,
        stale_seconds: float = 900.0,
        retry_seconds: float = 15.0,
        pause_seconds: float = 0.5,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Takes what to probe with, and how to reach whom.

        Args:
            battery: Made when it is first needed.
            pods: The pods that a label selector finds.
            transport: How a pod is reached; by its address if None.
            share: Of the time, spent asking: one small request at a time, so that users keep the rest.
            stale_seconds: Figures older than this are taken again; the old ones count until then.
            retry_seconds: A battle that broke off is fought again after so long.
            pause_seconds: Before a request that was answered with 5xx is sent again.
            start: Has work done beside the loop; in a thread if None.
        """
        self._battery, self._pods, self._doors = battery, pods, transport or PodAddresses()
        self._share, self._stale_seconds, self._retry_seconds = share, stale_seconds, retry_seconds
        self._pause_seconds = pause_seconds
        self._start = start or _in_thread
        self._made: Battery | None = None
        self._making = threading.Lock()
        self._labels, self._since = ("", ""), 0.0
        self._latest: dict[str, Probing] = {}
        self._under_way: dict[str, Probing] = {}
        self._stop = threading.Event()

    def look(self, since: float, now: float, champion: Variant, challenger: Variant) -> tuple[Probing, Probing]:
        """The latest battle against each variant, over or not; begins one where it is due.

        Args:
            since: Battles that were over before count no more, so that none is judged twice; seconds since the epoch.
            now: Seconds since the epoch.
            champion: Variant that served before.
            challenger: Variant that is rolled out.
        """
        labels = (champion.labels, challenger.labels)
        if labels != self._labels:
            self.close()
            self._labels, self._latest, self._under_way, self._stop = labels, {}, {}, threading.Event()
        if since != self._since:
            # What is under way has not been judged, and may take longer than a window.
            self._since, self._latest = since, {}
        return self._of(champion, now), self._of(challenger, now)

    def close(self) -> None:
        """Breaks off what is under way."""
        self._stop.set()

    def _of(self, variant: Variant, now: float) -> Probing:
        role = variant.role
        if role in self._under_way and self._under_way[role].done.is_set():
            self._latest[role] = self._under_way.pop(role)
        latest = self._latest.get(role)
        patience = self._stale_seconds if latest and latest.result else self._retry_seconds
        if role not in self._under_way and (latest is None or now - latest.begun >= patience):
            self._under_way[role] = self._begin(variant, now)
        # What is over tells more than what has just begun; nothing is under way if it was over at once.
        return self._latest.get(role) or self._under_way[role]

    def _begin(self, variant: Variant, now: float) -> Probing:
        pods = ready(self._pods(variant.labels)) if variant.labels else []
        if not pods:
            nobody = Probing(now, broke=f"no pod of the {variant.role} is ready")
            nobody.done.set()
            return nobody
        urls = [self._doors.url(pod) for pod in pods]
        victim = PodsVictim(
            urls, self._doors.session(), self._share, self._stop, pause_seconds=self._pause_seconds
        )  # fmt: skip
        probing = Probing(now, victim)
        self._start(lambda: self._fight(probing))
        return probing

    def _fight(self, probing: Probing) -> None:
        try:
            with self._making:
                self._made = self._made or self._battery()
            probing.result = probe(self._made, probing.victim)
        except (Exception, SystemExit) as error:
            # Whatever it is, nothing was measured: the loop says so and goes on. A stage ends itself with SystemExit.
            probing.broke = str(error) or type(error).__name__
        finally:
            probing.done.set()


def _in_thread(work: Callable[[], None]) -> None:
    # A daemon: a rollout that is over, or killed, does not wait for its probes.
    threading.Thread(target=work, name="probes", daemon=True).start()
