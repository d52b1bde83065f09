"""Leader election by a Lease: only one process at a time runs the rollout of a service.

It works as client-go's leader election does. The clocks of two machines are never compared: a waiting process regards
the holder as dead if the Lease does not change for its whole duration, by the waiting process's own clock. The holder
stops writing well before that.

``kubernetes.leaderelection`` is not used, for two reasons. Older versions of the client that are supported here lock
by ConfigMaps only, which would need a wider Role. And it waits for the lock forever, while a second rollout has to end
with an error.
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
from typing import Self

from content_arena.components.canary_rollout.kube.client import (
    AwayError,
    ClusterError,
    ConflictError,
    Json,
    RolloutClient,
)
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.shared.errors import ArenaError


class HeldError(ArenaError):
    """Another process holds the lease."""


def lease_name(service: str) -> str:
    """Name of the Lease for a service's rollouts."""
    return f"rollout-{service}"


def holder_name() -> str:
    """A name for this process that no other process ever has, not even a restart of the same container."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


class Lease:
    """The right to roll out one service: a context manager that renews the Lease in a thread of its own."""

    def __init__(
        self,
        client: RolloutClient,
        service: str,
        *,
        holder: str | None = None,
        seconds: int = 30,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Sends no request yet.

        Args:
            client: Of the service's namespace.
            service: Name of the InferenceService.
            holder: Name of this process; a unique one if None.
            seconds: How long the Lease lasts without being renewed.
            clock: Monotonic time in seconds.
            sleep: Waits that many seconds.
        """
        self.name, self.holder = lease_name(service), holder or holder_name()
        self._client, self._seconds = client, seconds
        self._clock, self._sleep = clock, sleep
        self._renewed_at = float("-inf")
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Takes the Lease, also that of a dead holder once it has expired.

        Raises:
            HeldError: Its holder is alive.
            ClusterError: The API server refuses.
        """
        found = self._wait_until_free()
        try:
            self._write(found)
        except ConflictError as error:
            raise HeldError(f"another rollout took the Lease {self.name} just now") from error

    def ensure(self) -> None:
        """Makes sure that this process holds the Lease for long enough to write something; renews it if necessary.

        Raises:
            HeldError: Another process holds it by now.
            AwayError: The API server does not answer.
        """
        if self._clock() - self._renewed_at > self._seconds / 2:
            self.renew()

    def renew(self) -> None:
        """Extends the Lease.

        Raises:
            HeldError: Another process holds it by now.
            ClusterError: The API server refuses.
        """
        with self._lock:
            found = self._client.lease(self.name)
            holder = ((found or {}).get("spec") or {}).get("holderIdentity")
            if holder not in (None, "", self.holder):
                raise HeldError(f"{holder} runs this rollout by now (Lease {self.name})")
            self._write(found)

    def release(self) -> None:
        """Frees the Lease, so that the next process begins at once. If the API server is unavailable, it expires."""
        with self._lock:
            self._renewed_at = float("-inf")
            try:
                found = self._client.lease(self.name)
                if found and (found.get("spec") or {}).get("holderIdentity") == self.holder:
                    self._client.write_lease(found | {"spec": found["spec"] | {"holderIdentity": ""}})
            except ClusterError:
                return

    def __enter__(self) -> Self:
        """Takes the Lease and keeps renewing it."""
        self.acquire()
        self._thread = threading.Thread(target=self._renew_until_stopped, name=self.name, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops renewing the Lease and releases it."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
        self.release()

    def _wait_until_free(self) -> Json | None:
        """Waits until the Lease is free or has expired; returns it as last read.

        Raises:
            HeldError: Its holder renewed it while this process waited.
        """
        seen, since = None, self._clock()
        while True:
            found = self._client.lease(self.name)
            spec = (found or {}).get("spec") or {}
            record = (spec.get("holderIdentity"), spec.get("renewTime"))
            if not record[0] or record[0] == self.holder:
                return found
            if seen is not None and record != seen:
                raise HeldError(
                    f"{record[0]} is rolling out already (Lease {self.name}): `arena rollout watch` shows its progress"
                )
            duration = spec.get("leaseDurationSeconds") or self._seconds
            if seen is None:
                waiting = "%s holds the Lease %s: waiting to see whether it is renewed within %s s"
                LOG.info(waiting, record[0], self.name, duration)
            seen = record
            if self._clock() - since > duration:
                return found
            self._sleep(1.0)

    def _renew_until_stopped(self) -> None:
        while not self._stopped.wait(self._seconds / 6):
            try:
                self.renew()
            except (AwayError, ConflictError):
                continue
            except ArenaError:
                # The rollout's own next call of `ensure` raises the same error and reports it.
                return

    def _write(self, found: Json | None) -> None:
        began = self._clock()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = (found or {}).get("spec") or {}
        is_own = before.get("holderIdentity") == self.holder
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self._seconds,
            "acquireTime": before.get("acquireTime", now) if is_own else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (not is_own and found is not None),
        }
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name}}
        self._client.write_lease((found or body) | {"spec": spec})
        # The time before the request, because its answer may have taken a while.
        self._renewed_at = began
