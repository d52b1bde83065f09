"""What holds for a request, whatever protocol it comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.middleware.access import Access
from content_arena.components.predictor.middleware.accounting import Accounting
from content_arena.components.predictor.middleware.door import Door
from content_arena.components.predictor.middleware.large_bodies import HeldBytes
from content_arena.components.predictor.middleware.request_log import RequestLog
from content_arena.components.predictor.probe_token import ProbeToken


@dataclass(frozen=True)
class Rules:
    """One object of each rule: what is counted is counted over all protocols.

    Attributes:
        accounting: What is counted and logged.
        access: Who may come in; everybody if None.
        held: Bytes of large bodies in memory.
    """

    accounting: Accounting
    access: Access | None
    held: HeldBytes

    @classmethod
    def of(cls, door: Door, limits: Limits, version: Callable[[], str]) -> Rules:
        """The rules of a server.

        Args:
            door: Who may come in, and what is logged.
            limits: What a request may cost.
            version: Of the model that is served now.
        """
        log = RequestLog(hashes_texts=door.log_text_hashes, salt=door.log_salt) if door.logs_json else None
        accounting = Accounting(version, ProbeToken(door.probe_token), log)
        access = Access(door.keys, door.rate) if door.keys else None
        return cls(accounting, access, HeldBytes(limits.held_bytes))
