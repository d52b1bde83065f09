"""The filter as a KServe model, and the data plane that decodes its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from kserve import InferRequest, InferResponse, Model
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from kserve.protocol.dataplane import DataPlane

from content_arena.components.predictor import metrics, protocol
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scheduler import Scheduler
from content_arena.components.shared.errors import ArenaError, BundleError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

MODEL_NAME = "content-filter"
#: A short text, one in another script, one of several windows, one whose canonical text is empty, one without words.
_WARM_UP = ("Warm-up.", "준비 운동", "warm up " * (MAX_TEXT_LENGTH // 8), "\u200b", "!?")


class DeadlineError(ArenaError):
    """The texts were not scored in time (HTTP 504)."""


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
    """Scores texts in threads (see scheduler.py), so that the event loop can answer health probes and metrics."""

    def __init__(self, content_filter: ContentFilter, limits: Limits | None = None) -> None:
        """Takes a loaded filter; :meth:`load` has to be called before the model is ready.

        Args:
            content_filter: What scores.
            limits: What a request may cost; the defaults if None.
        """
        super().__init__(MODEL_NAME)
        self.version = content_filter.version
        self.lang = content_filter.bundle.spec.lang
        self.limits = limits or Limits()
        self._filter = content_filter
        self._scheduler = Scheduler(content_filter, self.limits)
        self._pending = 0

    def load(self) -> bool:
        """Warms up with every kind of input; the model is ready once their scores are probabilities.

        Raises:
            BundleError: The model failed, or its scores are no probabilities.
        """
        self.ready = False
        try:
            self._judge(self._filter.score(list(_WARM_UP)))
        except ArenaError as error:
            raise self._warm_up_error(str(error)) from error
        except Exception as error:  # ONNX Runtime has many classes of errors; whatever it is, the model is not served.
            raise self._warm_up_error(type(error).__name__) from error
        self.ready = True
        return True

    def _warm_up_error(self, reason: str) -> BundleError:
        return BundleError(f"the model in {self._filter.bundle.path} fails its warm-up: {reason}")

    def close_queue(self) -> None:
        """Ends the requests that are not finished with a :class:`ClosingError`; none is accepted any more."""
        self._scheduler.close()

    def stop(self) -> None:
        """Ends the threads after the batch that each is scoring."""
        self.ready = False
        self._scheduler.close()
        self._scheduler.join()
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
        """Scores a checked request; a cancelled one is given up.

        Raises:
            RequestError: A text is too much work.
            ScoreError: The model gave no probabilities.
            ArenaError: See :meth:`Scheduler.submit`.
        """
        job = self._scheduler.submit(payload.texts)
        self._wait_for(len(payload.texts))
        try:
            scores = await asyncio.wrap_future(job.result)
        finally:
            self._wait_for(-len(payload.texts))
        judgement = self._judge(scores)
        if not metrics.is_probe(headers):
            metrics.observe(self.version, judgement.scores, judgement.verdicts, job.seconds)
        if payload.request is None:
            return protocol.v1_answer(judgement)
        return protocol.v2_answer(judgement, payload.request)

    def _wait_for(self, n: int) -> None:
        self._pending += n
        metrics.PENDING.labels(self.version).set(self._pending)

    def _judge(self, scores: npt.NDArray[np.float32]) -> protocol.Judgement:
        if not bool(np.all((scores >= 0) & (scores <= 1))):
            raise ScoreError("the model's scores are no probabilities")
        verdicts = self._filter.is_toxic(scores)
        sure = protocol.confidence(scores, verdicts, self._filter.threshold)
        return protocol.Judgement(scores, verdicts, sure, self.version)


class FilterDataPlane(DataPlane):
    """kserve's data plane with stricter decoding: a body that cannot be read is a :class:`RequestError`.

    CloudEvents are not decoded: nothing here sends them, and kserve answers bad ones with 500.
    """

    def decode(
        self,
        body: bytes,
        headers: Mapping[str, str],
        protocol_version: str = PredictorProtocol.REST_V1.value,
        model_name: str = MODEL_NAME,
    ) -> tuple[object, dict[str, Any]]:
        """A body as parsed JSON (V1) or as a V2 request, without attributes."""
        if protocol_version == PredictorProtocol.REST_V2.value:
            return protocol.read_v2(body, headers.get(INFERENCE_CONTENT_LENGTH_HEADER), model_name), {}
        return protocol.parse_json(body), {}

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
