"""The filters under attack: anything that scores texts, in this process or behind a URL."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.documents import Json
from content_arena.components.shared.errors import InputError, VictimError

if TYPE_CHECKING:
    import requests

Scores = npt.NDArray[np.float32]
#: Score and verdict of a text; None if the server answers scores only.
Answer = tuple[float, bool | None]
#: The accepted forms of an endpoint's URL, for error messages.
URL_FORMS = (
    "http://HOST[:PORT] (the model content-filter), http://HOST/v1/models/NAME[:predict] or "
    "http://HOST/v2/models/NAME[/infer]"
)
_TIMEOUT_SECONDS = 60.0
#: With the second that our predictor asks for, longer than its queue takes (its deadline of 30 seconds).
_REPEATS = 40
_LONGEST_WAIT_SECONDS = 10.0
_OUR_MODEL = "/v1/models/content-filter:predict"
_V1_MODEL = re.compile(r"/v1/models/[^/:]+")
_V2_MODEL = re.compile(r"/v2/models/[^/:]+(/versions/[^/:]+)?")
#: Where the part of a path begins that belongs to either protocol; a prefix such as the API server's `/api/v1/` may
#: come before it.
_MODELS = re.compile(r"/v[12]/models(/|$)")
#: A path that begins like that of either protocol, but names no models.
_INCOMPLETE = re.compile(r"(.*/proxy)?/v[12](/|$)")
_WITHOUT_SCHEME = re.compile(r"[\w.-]+:\d+(/.*)?|\[[0-9a-fA-F:]+\](:\d+)?(/.*)?|[\w.-]+/v[12]/.*", re.ASCII)


class Victim(Protocol):
    """A filter under attack.

    Attributes:
        version: Name of the model that answers; part of every attack record.
        threshold: See the property.
    """

    @property
    def version(self) -> str:
        """Name of the model that answers."""
        ...

    @property
    def threshold(self) -> float:
        """A text is flagged if its score is at least this.

        Read it after scoring: the threshold of an endpoint is inferred from its answers.
        """
        ...

    def score(self, texts: Sequence[str]) -> Scores:
        """Probability of toxic for n texts, float32[n]."""
        ...


class CachedVictim:
    """Asks a victim once for each different text, and counts the queries.

    An attacker can remember answers, so a cached one costs no budget.
    """

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.n_queries = 0
        self._answers: dict[str, np.float32] = {}

    @property
    def version(self) -> str:
        """The victim's."""
        return self.victim.version

    @property
    def threshold(self) -> float:
        """The victim's."""
        return self.victim.threshold

    def knows(self, text: str) -> bool:
        """Whether a query for this text is answered from the cache."""
        return text in self._answers

    def score(self, texts: Sequence[str]) -> Scores:
        """See :meth:`Victim.score`.

        Raises:
            VictimError: The answer is not one probability for each text.
        """
        new = list(dict.fromkeys(text for text in texts if text not in self._answers))
        if new:
            scores = np.asarray(self.victim.score(new), dtype=np.float32)
            if scores.shape != (len(new),) or not np.all((scores >= 0) & (scores <= 1)):
                raise VictimError(f"victim {self.version} did not answer with {len(new)} probabilities")
            self.n_queries += len(new)
            self._answers.update(zip(new, scores, strict=True))
        return np.fromiter((self._answers[text] for text in texts), np.float32, len(texts))


class EndpointVictim:
    """A filter behind KServe's V1 or V2 HTTP protocol.

    Neither protocol states a server's threshold. If its answers have ``is_toxic``, the threshold is inferred: it is set
    between the highest score of a text that was not flagged and the lowest score of one that was. It then agrees with
    all verdicts so far. For other servers it is the argument ``threshold``.

    A server that is too busy (429, or 503 with ``Retry-After``) is asked again, after the time that it names.
    """

    def __init__(
        self, url: str, threshold: float = 0.5, batch_size: int = 64,
        *, repeats: int = _REPEATS, longest_wait: float = _LONGEST_WAIT_SECONDS,
    ) -> None:  # fmt: skip
        """Takes any of :data:`URL_FORMS`; no request is made yet.

        Args:
            url: A base URL means V1 and the model name ``content-filter``.
            threshold: For servers that answer scores only.
            batch_size: Texts in a request.
            repeats: How often a server that is too busy is asked again at most.
            longest_wait: Seconds before that at most, whatever the server asks for.

        Raises:
            InputError: The URL has none of these forms.
        """
        import requests
        from requests.adapters import HTTPAdapter

        from content_arena.components.attack_generation.busy_servers import BusyRetry

        self.url = endpoint(url)
        self._v2 = urlsplit(self.url).path.endswith("/infer")
        self.version = url
        self._fixed_threshold = threshold
        self._unflagged, self._flagged = -math.inf, math.inf
        self._batch_size = batch_size
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=BusyRetry.of(repeats, longest_wait)))

    @property
    def threshold(self) -> float:
        """Inferred from ``is_toxic`` if the answers have it, else the constructor's."""
        if math.isinf(self._unflagged) and math.isinf(self._flagged):
            return self._fixed_threshold
        if math.isinf(self._flagged):
            return float(np.nextafter(np.float32(self._unflagged), np.float32(np.inf)))
        if math.isinf(self._unflagged):
            return self._flagged
        return (self._unflagged + self._flagged) / 2

    def score(self, texts: Sequence[str]) -> Scores:
        """See :meth:`Victim.score`.

        Raises:
            VictimError: No connection, an HTTP error, or an answer that does not follow the protocol.
        """
        batches = [list(texts[i : i + self._batch_size]) for i in range(0, len(texts), self._batch_size)]
        return np.array([score for batch in batches for score in self._ask(batch)], dtype=np.float32)

    def _ask(self, batch: list[str]) -> list[float]:
        import requests

        body: Json = {"instances": batch}
        if self._v2:
            body = {"inputs": [{"name": "text", "shape": [len(batch)], "datatype": "BYTES", "data": batch}]}
        try:
            response = self._session.post(self.url, json=body, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise VictimError(f"no answer from {self.url} ({type(error).__name__}): is the server up?") from error
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and len(batch) > 1:
            half = len(batch) // 2
            return self._ask(batch[:half]) + self._ask(batch[half:])
        if response.status_code != 200:
            raise VictimError(
                f"{self.url} answered HTTP {response.status_code} instead of scores{_advice_on(response)}"
            )
        try:
            answers = _read_v2(response.json()) if self._v2 else _read_v1(response.json())
        except (KeyError, TypeError, ValueError) as error:
            raise VictimError(f"{self.url} answered something that is not scores: {error!r}") from error
        if len(answers) != len(batch):
            raise VictimError(f"{self.url} answered {len(answers)} scores for {len(batch)} texts")
        # Battles compare float32 scores with the threshold, so it is inferred from float32 scores.
        answers = [(float(np.float32(score)), flagged) for score, flagged in answers]
        self._infer_threshold(answers)
        return [score for score, _ in answers]

    def _infer_threshold(self, answers: Sequence[Answer]) -> None:
        for score, flagged in answers:
            if flagged is True:
                self._flagged = min(self._flagged, score)
            elif flagged is False:
                self._unflagged = max(self._unflagged, score)
        if self._unflagged >= self._flagged:
            raise VictimError(f"{self.url} flags by something other than its score, or its model changed in mid-battle")


def _advice_on(response: requests.Response) -> str:
    from content_arena.components.attack_generation.busy_servers import n_repeats

    if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return f": is it the right URL? {URL_FORMS}"
    if repeats := n_repeats(response):
        return f", and was asked {repeats} times more: it is too busy, so try later or give it more threads or replicas"
    return ""


def open_victim(spec: str, tracking_uri: str | None = None, threshold: float = 0.5) -> Victim:
    """Opens the filter that ``spec`` names.

    Args:
        spec: An http(s) URL, a bundle folder, an alias of the registry (``champion``) or a version number.
        tracking_uri: MLflow server for aliases and versions; the environment's if None.
        threshold: For endpoints that answer scores only.

    Raises:
        InputError: No filter has that name, or the URL has an unknown form.
        RegistryError: The registry has no such alias or version.
        BundleError: The bundle is broken.
    """
    from content_arena.components.registry.registry import Registry
    from content_arena.components.shared.filter import ContentFilter

    if spec.startswith(("http://", "https://")):
        return EndpointVictim(spec, threshold)
    if spec in Registry.ALIASES or spec.isdecimal():
        registry = Registry(tracking_uri)
        version = registry.resolve(spec)
        return ContentFilter.open(registry.download(version), version=str(version))
    if Path(spec).is_dir():
        return ContentFilter.open(spec)
    if _WITHOUT_SCHEME.fullmatch(spec):
        raise InputError(f"no victim {spec!r}: a URL begins with http:// or https://, so give http://{spec}")
    raise InputError(
        f"no victim {spec!r}: give an alias ({', '.join(Registry.ALIASES)}), a version number, a bundle folder, or a "
        f"URL: {URL_FORMS}"
    )


def endpoint(url: str) -> str:
    """Completes any of :data:`URL_FORMS` to the URL that texts are posted to.

    Raises:
        InputError: The URL has no host, or its path belongs to one of the protocols but names no model.
    """
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise InputError(f"{url} is no URL of a filter: give {URL_FORMS}")
    path = parts.path.rstrip("/")
    protocol = _MODELS.search(path) or _INCOMPLETE.match(path)
    # A prefix, such as a gateway's, is kept.
    route = path[protocol.start() :] if protocol else path
    if _V1_MODEL.fullmatch(route):
        path += ":predict"
    elif _V2_MODEL.fullmatch(route):
        path += "/infer"
    elif not route.endswith((":predict", "/infer")):
        if protocol:
            raise InputError(f"{url} names no model to ask: give {URL_FORMS}")
        path += _OUR_MODEL
    return parts._replace(path=path).geturl()


def _read_v1(answer: Json) -> list[Answer]:
    """Score and verdict of each prediction; a number alone is a score."""
    read: list[Answer] = []
    for prediction in answer["predictions"]:
        if isinstance(prediction, dict):
            read.append((float(prediction["toxic_score"]), prediction.get("is_toxic")))
        else:
            read.append((float(prediction), None))
    return read


def _read_v2(answer: Json) -> list[Answer]:
    """Score and verdict from the output tensors; a single output is scores."""
    tensors = {output["name"]: output["data"] for output in answer["outputs"]}
    scores = tensors["toxic_score"] if "toxic_score" in tensors else next(iter(tensors.values()))
    verdicts = tensors.get("is_toxic", [None] * len(scores))
    return [(float(score), verdict) for score, verdict in zip(scores, verdicts, strict=True)]
