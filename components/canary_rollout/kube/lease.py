"""One rollout of a service at a time, by a Lease.

Not ``kubernetes.leaderelection``: of the client's supported versions the older know only ConfigMaps as locks, which
would widen the Role, and it candidates for ever, where a second rollout is to be told so and to end.

As in client-go's leader election no clocks of two machines are compared: a holder is dead once its lease was not
renewed for as long as it lasts, by the watch of whoever waits; and a holder stops writing well before that.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, ConflictError
from content_arena.components.canary_rollout.traffic.mode import Json
from content_arena.components.shared.errors import ArenaError


class HeldError(ArenaError):
    """Another rollout holds the lease."""


class Leases(Protocol):
    """What a lease needs of a cluster; see :class:`~content_arena.components.canary_rollout.kube.client.Cluster`."""

    def lease(self, name: str) -> Json | None:
        """The Lease of that name."""
        ...

    def write_lease(self, body: Json) -> Json:
        """Makes or replaces it, guarded."""
        ...


def lease_name(service: str) -> str:
    """Of the Lease of a service's rollouts."""
    return f"rollout-{service}"


def holder_name() -> str:
    """Names this process: no two are the same, not even two lives of one container."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


class Lease:
    """The right to roll out one service; a context manager that renews it in a thread of its own."""

    def __init__(
        self,
        cluster: Leases,
        service: str,
        *,
        holder: str | None = None,
        seconds: int = 30,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Asks nothing yet.

        Args:
            cluster: Where it is.
            service: Name of the InferenceService.
            holder: Who asks; this process if None.
            seconds: How long it lasts without being renewed.
            clock: Seconds, never going back.
            sleep: Waits so many seconds.
            say: Where it is said that a holder is waited for, who may be dead.
        """
        self.name, self.holder = lease_name(service), holder or holder_name()
        self._cluster, self._seconds = cluster, seconds
        self._clock, self._sleep, self._say = clock, sleep, say
        self._renewed_at = float("-inf")
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Takes the lease, from a dead holder too once its lease has run out.

        Raises:
            HeldError: Its holder lives.
            ClusterError: The API server refuses.
        """
        seen, since = None, self._clock()
        while True:
            found = self._cluster.lease(self.name)
            spec = (found or {}).get("spec") or {}
            record = (spec.get("holderIdentity"), spec.get("renewTime"))
            if not record[0] or record[0] == self.holder:
                break
            if seen is not None and record != seen:
                raise HeldError(
                    f"{record[0]} is rolling out already (Lease {self.name}): `arena rollout watch` shows how far"
                )
            lasts = spec.get("leaseDurationSeconds") or self._seconds
            if seen is None:
                self._say(f"{record[0]} holds the Lease {self.name}: it is dead if it does not renew it for {lasts} s")
            seen = record
            if self._clock() - since > lasts:
                break
            self._sleep(1.0)
        try:
            self._write(found)
        except ConflictError as error:
            raise HeldError(f"another rollout took the Lease {self.name} just now") from error

    def ensure(self) -> None:
        """Makes sure that it is still held, for long enough to write something; renews it if need be.

        Raises:
            HeldError: Another holds it by now.
            AwayError: The API server does not answer.
        """
        if self._clock() - self._renewed_at > self._seconds / 2:
            self.renew()

    def renew(self) -> None:
        """Holds it for longer.

        Raises:
            HeldError: Another holds it by now.
            ClusterError: The API server refuses.
        """
        with self._lock:
            found = self._cluster.lease(self.name)
            holder = ((found or {}).get("spec") or {}).get("holderIdentity")
            if holder not in (None, "", self.holder):
                raise HeldError(f"{holder} has taken this rollout over (Lease {self.name})")
            self._write(found)

    def release(self) -> None:
        """Lets the next one begin at once. Left to expire if the API server does not answer."""
        with self._lock:
            self._renewed_at = float("-inf")
            try:
                found = self._cluster.lease(self.name)
                if found and (found.get("spec") or {}).get("holderIdentity") == self.holder:
                    self._cluster.write_lease(found | {"spec": found["spec"] | {"holderIdentity": ""}})
            except ClusterError:
                return

    def __enter__(self) -> Self:
        """Takes it, and renews it from now on."""
        self.acquire()
        self._thread = threading.Thread(target=self._keep, name=self.name, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops renewing it and lets go."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
        self.release()

    def _keep(self) -> None:
        while not self._stopped.wait(self._seconds / 6):
            try:
                self.renew()
            except (AwayError, ConflictError):
                continue
            except ArenaError:
                # The rollout itself finds out by `ensure`, and says why.
                return

    def _write(self, found: Json | None) -> None:
        began = self._clock()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = (found or {}).get("spec") or {}
        is_mine = before.get("holderIdentity") == self.holder
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self._seconds,
            "acquireTime": before.get("acquireTime", now) if is_mine else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (not is_mine and found is not None),
        }
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name}}
        self._cluster.write_lease((found or body) | {"spec": spec})
        # From before the call: the answer may have taken its time.
        self._renewed_at = began
