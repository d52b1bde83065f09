"""Users who send requests all the time, and record the answers."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime

from tests.components.canary_rollout.variants_under_test import texts

_TEXTS = texts(400)
_PATH = "/v1/models/content-filter:predict"


class Users:
    """``n`` users of a host, each with a connection of its own that is opened again after an error."""

    def __init__(self, port: int, host: str, n: int = 4, pause: float = 0.005, address: str = "127.0.0.1") -> None:
        self._address, self._host, self._pause = (address, port), host, pause
        self._stopped = threading.Event()
        self._answers: list[tuple[float, int, str]] = []
        self._bad: list[tuple[int, str]] = []
        self._threads = [threading.Thread(target=self._call, args=(k,), daemon=True) for k in range(n)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def since(self, begin: float = 0.0) -> list[tuple[float, int, str]]:
        """Time, status and version of each answer; status 0 if the connection failed."""
        return [answer for answer in list(self._answers) if answer[0] >= begin]

    def statuses(self, begin: float = 0.0) -> Counter[int]:
        return Counter(status for _, status, _ in self.since(begin))

    def versions(self, begin: float = 0.0) -> Counter[str]:
        return Counter(version for _, status, version in self.since(begin) if status == 200)

    def lost(self, begin: float = 0.0) -> dict[int, int]:
        """Answers other than 200, by status."""
        return {status: n for status, n in self.statuses(begin).items() if status != 200}

    def bad(self) -> list[str]:
        """When each answer other than 200 was asked for (UTC), and what came."""
        return [line for _, line in list(self._bad)]

    def unrouted(self) -> int:
        """Number of answers that Envoy itself gave because its route named no cluster that it had: 500, empty."""
        return sum(length == 0 and " 500 " in line for length, line in list(self._bad))

    def _call(self, number: int) -> None:
        connection = None
        # Each user sends the texts in an order of their own.
        own = random.Random(number).sample(_TEXTS, len(_TEXTS))
        for text in itertools.cycle(own):
            if self._stopped.wait(self._pause):
                return
            began, status, version, content = time.monotonic(), 0, "", b""
            at = datetime.now(UTC)
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(*self._address, timeout=30)
                body = json.dumps({"instances": [text]})
                connection.request("POST", _PATH, body, {"Host": self._host, "Content-Type": "application/json"})
                response = connection.getresponse()
                content, status = response.read(), response.status
                if status == 200:
                    version = json.loads(content)["predictions"][0]["model_version"]
            except (OSError, http.client.HTTPException) as error:
                connection, content = None, repr(error).encode()
            if status != 200:
                line = f"{at:%H:%M:%S.%f} {status} {content[:200].decode(errors='replace')}"
                self._bad.append((len(content), line))
            self._answers.append((began, status, version))
