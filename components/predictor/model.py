"""The filter as a KServe model, and the data plane that decodes its requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from kserve import InferRequest, InferResponse, Model
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v2_datamodels import InferenceRequest

from content_arena.components.predictor import metrics, protocol
from content_arena.components.shared.errors import ArenaError, BundleError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

MODEL_NAME = "content-filter"
#: Largest number of texts that wait or are being scored; one core scores about as many in ten seconds.
MAX_PENDING_TEXTS = 4_096
#: A short text, one in another script, one of several windows, one whose canonical text is empty, one without words.
_WARM_UP = ("Warm-up.", "준비 운동", "warm up " * (MAX_TEXT_LENGTH // 8), "\u200b", "!?")


class OverloadedError(ArenaError):
    """Too many texts are waiting; the client can try again later (HTTP 503)."""


class ScoreError(ArenaError):
    """The model's output is no probability (HTTP 500): no text passes the filter on it."""


@dataclass(frozen=True)
class Query:
    """A checked request.

    Attributes:
        texts: 1 to 256 texts.
        request: The V2 request they came in; None for V1.
    """

    texts: list[str]
    request: InferRequest | None


class ContentFilterModel(Model):
    """Scores texts in threads, so that the event loop can answer health probes and metrics."""

    def __init__(self, content_filter: ContentFilter) -> None:
        """Takes a loaded filter; :meth:`load` has to be called before the model is ready."""
        super().__init__(MODEL_NAME)
        self.version = content_filter.version
        self._filter = content_filter
        # More threads than sessions: while one waits for its batches, another tokenises.
        self._executor = ThreadPoolExecutor(2 * content_filter.threads, thread_name_prefix="request")
        self._pending = 0

    def load(self) -> bool:
        """Warms up with every kind of input; the model is ready once their scores are probabilities.

        Raises:
            BundleError: The model failed, or its scores are no probabilities.
        """
        self.ready = False
        try:
            self._judge(list(_WARM_UP))
        except ArenaError as error:
            raise self._warm_up_error(str(error)) from error
        except Exception as error:  # ONNX Runtime has many classes of errors; whatever it is, the model is not served.
            raise self._warm_up_error(type(error).__name__) from error
        self.ready = True
        return True

    def _warm_up_error(self, reason: str) -> BundleError:
        return BundleError(f"the model in {self._filter.bundle.path} fails its warm-up: {reason}")

    def stop(self) -> None:
        """Ends the threads: texts that are being scored are finished, waiting ones are dropped."""
        self.ready = False
        self._executor.shutdown(cancel_futures=True)
        self._filter.close()

    def get_input_types(self) -> list[protocol.TensorSpec]:
        """The V2 input tensor."""
        return protocol.INPUTS

    def get_output_types(self) -> list[protocol.TensorSpec]:
        """The V2 output tensors."""
        return protocol.OUTPUTS

    async def preprocess(
        self, payload: dict[str, Any] | InferRequest, headers: Mapping[str, str] | None = None
    ) -> Query:
        """Checks a request.

        Raises:
            RequestError: See :func:`content_arena.components.predictor.protocol.texts_of`.
        """
        return Query(protocol.texts_of(payload), payload if isinstance(payload, InferRequest) else None)

    async def predict(self, payload: Query, headers: Mapping[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Scores a checked request.

        Raises:
            OverloadedError: Too many texts are waiting.
            ScoreError: The model gave no probabilities.
        """
        n = len(payload.texts)
        if self._pending + n > MAX_PENDING_TEXTS:
            raise OverloadedError(f"{self._pending} texts are waiting already: try again later")
        self._wait_for(n)
        try:
            loop = asyncio.get_running_loop()
            judgement, seconds = await loop.run_in_executor(self._executor, self._judge, payload.texts)
        finally:
            self._wait_for(-n)
        if not metrics.is_probe(headers):
            metrics.observe(self.version, judgement.scores, judgement.verdicts, seconds)
        if payload.request is None:
            return protocol.v1_answer(judgement)
        return protocol.v2_answer(judgement, payload.request)

    def _wait_for(self, n: int) -> None:
        self._pending += n
        metrics.PENDING.labels(self.version).set(self._pending)

    def _judge(self, texts: list[str]) -> tuple[protocol.Judgement, float]:
        start = time.perf_counter()
        scores = self._filter.score(texts)
        seconds = time.perf_counter() - start
        if scores.shape != (len(texts),) or not bool(np.all((scores >= 0) & (scores <= 1))):
            raise ScoreError("the model's scores are no probabilities")
        verdicts = self._filter.is_toxic(scores)
        sure = protocol.confidence(scores, verdicts, self._filter.threshold)
        return protocol.Judgement(scores, verdicts, sure, self.version), seconds


class FilterDataPlane(DataPlane):
    """kserve's data plane with stricter decoding: a body that cannot be read is a :class:`RequestError`.

    CloudEvents are not decoded: nothing here sends them, and kserve answers bad ones with 500.
    """

    def decode(
        self,
        body: InferenceRequest | bytes,
        headers: Mapping[str, str],
        protocol_version: str = PredictorProtocol.REST_V1.value,
        model_name: str = MODEL_NAME,
    ) -> tuple[object, dict[str, Any]]:
        """A body as parsed JSON (V1) or as a V2 request, without attributes."""
        if protocol_version == PredictorProtocol.REST_V2.value:
            return protocol.read_v2(body, headers.get(INFERENCE_CONTENT_LENGTH_HEADER), model_name), {}
        return protocol.parse_json(cast(bytes, body)), {}

    def encode(
        self,
        model_name: str,
        response: dict[str, Any] | InferResponse,
        headers: Mapping[str, str],
        req_attributes: dict[str, Any],
    ) -> tuple[dict[str, Any] | bytes, dict[str, str]]:
        """A response's body, and, if it has binary tensors, the header with the position of the first."""
        if not isinstance(response, InferResponse):
            return response, {}
        body, json_length = response.to_rest()
        return body, {} if json_length is None else {INFERENCE_CONTENT_LENGTH_HEADER: str(json_length)}
