"""Sends the probes in threads beside the control loop: once for each judgement, and again when they are old."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from content_arena.components.canary_rollout.analysis.check import Subject
from content_arena.components.canary_rollout.analysis.checks import Probes
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.measuring.endpoints import PodAddresses, PodTransport, Variant, ready
from content_arena.components.canary_rollout.measuring.probes import PodsVictim, ProbeSet, probe
from content_arena.components.shared.errors import ArenaError


@dataclass
class Probing:
    """A battle against one variant: under way, finished or failed.

    Attributes:
        begun: When it began, seconds since the epoch.
        victim: The pods that are attacked; None if no pod was ready.
        result: The result; None before the end, and if the battle failed.
        failure: Why it failed; empty if it did not.
        done: Set at the end.
    """

    begun: float
    victim: PodsVictim | None = None
    result: Probes | None = None
    failure: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def versions(self) -> frozenset[str]:
        """Every ``model_version`` that has answered so far."""
        return self.victim.versions if self.victim else frozenset()

    @property
    def answers(self) -> int:
        """Requests answered so far."""
        return self.victim.answers if self.victim else 0

    @property
    def errors(self) -> int:
        """Requests answered so far with a status of 500 or more."""
        return self.victim.errors if self.victim else 0


@dataclass(frozen=True)
class ProbeTiming:
    """How often and how fast probes are sent.

    Attributes:
        share: Part of the time spent on requests, one small request at a time. The rest is left to users.
        stale_seconds: Results older than this are measured again. The old ones count until then.
        retry_seconds: A battle that failed is fought again after this time.
        pause_seconds: Pause before a request that was answered with 5xx is repeated.
    """

    share: float = 0.5
    stale_seconds: float = 900.0
    retry_seconds: float = 15.0
    pause_seconds: float = 0.5


class Prober:
    """Keeps the latest battle against each variant."""

    def __init__(
        self,
        probe_set: Callable[[int], ProbeSet],
        pods: Callable[[str], Sequence[Json]],
        transport: PodTransport | None = None,
        *,
        timing: ProbeTiming = ProbeTiming(),
        token: str | None = None,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Sends nothing yet.

        Args:
            probe_set: Makes the probes of a draw; called when they are first needed.
            pods: Returns the pods that a label selector matches.
            transport: How a pod is accessed; by its address if None.
            timing: How often and how fast probes are sent.
            token: What the predictors know a probe by; None for those of version 0.1.0, which need none.
            start: Runs work in the background; in a thread if None.
        """
        self._make_probe_set, self._pods, self._transport = probe_set, pods, transport or PodAddresses()
        self._timing, self._token, self._start = timing, token, start or _in_thread
        self._drawn = _Drawn(lambda: self._make_probe_set(0))
        self._labels, self._draw, self._since = ("", ""), 0, 0.0
        self._latest: dict[Subject, Probing] = {}
        self._under_way: dict[Subject, Probing] = {}
        self._stop = threading.Event()

    def latest(
        self, since: float, now: float, champion: Variant, challenger: Variant, draw: int = 0
    ) -> tuple[Probing, Probing]:
        """The latest battle against each variant, finished or not. Starts one where it is due.

        Args:
            since: Results from before this time are not used again, so that none is judged twice; seconds since the
                epoch.
            now: Seconds since the epoch.
            champion: The variant that served before.
            challenger: The variant that is rolled out.
            draw: Which draw of texts to send. A battle with another draw is stopped and does not count.
        """
        labels = (champion.labels, challenger.labels)
        if (labels, draw) != (self._labels, self._draw):
            self.close()
            if draw != self._draw:
                # A new object, so that a battle that has not begun yet does not leave its texts behind.
                self._drawn = _Drawn(lambda: self._make_probe_set(draw))
            self._labels, self._draw, self._stop = labels, draw, threading.Event()
            self._latest, self._under_way = {}, {}
        if since != self._since:
            # A battle that is under way is kept: it has not been judged yet, and may take longer than a window.
            self._since, self._latest = since, {}
        return self._of(champion, now), self._of(challenger, now)

    def close(self) -> None:
        """Stops the battles that are under way."""
        self._stop.set()

    def _of(self, variant: Variant, now: float) -> Probing:
        role = variant.role
        if role in self._under_way and self._under_way[role].done.is_set():
            self._latest[role] = self._under_way.pop(role)
        latest = self._latest.get(role)
        patience = self._timing.stale_seconds if latest and latest.result else self._timing.retry_seconds
        if role not in self._under_way and (latest is None or now - latest.begun >= patience):
            self._under_way[role] = self._begin(variant, now)
        # A finished battle is more informative than one that has just begun.
        return self._latest.get(role) or self._under_way[role]

    def _begin(self, variant: Variant, now: float) -> Probing:
        pods = ready(self._pods(variant.labels)) if variant.labels else []
        if not pods:
            none_ready = Probing(now, failure=f"no pod of the {variant.role} is ready")
            none_ready.done.set()
            return none_ready
        urls = [self._transport.url(pod) for pod in pods]
        share, pause = self._timing.share, self._timing.pause_seconds
        session, token = self._transport.session(), self._token
        victim = PodsVictim(urls, session, share, self._stop, pause_seconds=pause, token=token)
        probing = Probing(now, victim)
        drawn = self._drawn
        self._start(lambda: _fight(probing, victim, drawn))
        return probing


class _Drawn:
    """A draw of probes, which the first battle that needs them makes."""

    def __init__(self, make: Callable[[], ProbeSet]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: ProbeSet | None = None

    def get(self) -> ProbeSet:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def _fight(probing: Probing, victim: PodsVictim, drawn: _Drawn) -> None:
    try:
        probing.result = probe(drawn.get(), victim)
    except (ArenaError, OSError, SystemExit) as error:
        # Errors of requests are OSErrors. A stage reports unusable input by SystemExit.
        probing.failure = str(error) or type(error).__name__
    except Exception as error:
        # A defect. The loop shows the reason and continues without a result; the traceback goes to the log.
        probing.failure = str(error) or type(error).__name__
        LOG.exception("the probes failed")
    finally:
        probing.done.set()


def _in_thread(work: Callable[[], None]) -> None:
    # A daemon thread: the end of a rollout does not wait for its probes.
    threading.Thread(target=work, name="probes", daemon=True).start()
