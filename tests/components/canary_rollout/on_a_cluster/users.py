"""Users who call all along, and count what they are answered."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter

from tests.components.canary_rollout.variants_under_test import texts

_TEXTS = texts(400)
_PATH = "/v1/models/content-filter:predict"


class Users:
    """``n`` of them, each with a connection of its own that is opened anew when it breaks."""

    def __init__(self, port: int, host: str, n: int = 4, pause: float = 0.005) -> None:
        self._port, self._host, self._pause = port, host, pause
        self._stopped = threading.Event()
        self._met: list[tuple[float, int, str]] = []
        self._threads = [threading.Thread(target=self._call, args=(k,), daemon=True) for k in range(n)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def since(self, begin: float = 0.0) -> list[tuple[float, int, str]]:
        """When, with what status and by which version each was answered; status 0 where the connection broke."""
        return [met for met in list(self._met) if met[0] >= begin]

    def statuses(self, begin: float = 0.0) -> Counter[int]:
        return Counter(status for _, status, _ in self.since(begin))

    def versions(self, begin: float = 0.0) -> Counter[str]:
        return Counter(version for _, status, version in self.since(begin) if status == 200)

    def lost(self, begin: float = 0.0) -> dict[int, int]:
        """Answers other than 200, by status."""
        return {status: n for status, n in self.statuses(begin).items() if status != 200}

    def _call(self, number: int) -> None:
        connection = None
        # Nobody says what the others say at the time.
        own = random.Random(number).sample(_TEXTS, len(_TEXTS))
        for text in itertools.cycle(own):
            if self._stopped.wait(self._pause):
                return
            began, status, version = time.monotonic(), 0, ""
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                body = json.dumps({"instances": [text]})
                connection.request("POST", _PATH, body, {"Host": self._host, "Content-Type": "application/json"})
                answer = connection.getresponse()
                said, status = answer.read(), answer.status
                if status == 200:
                    version = json.loads(said)["predictions"][0]["model_version"]
            except (OSError, http.client.HTTPException):
                connection = None
            self._met.append((began, status, version))
