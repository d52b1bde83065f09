"""The filter as a KServe model, and the data plane that decodes its requests."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from kserve import InferRequest, InferResponse, Model
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from kserve.protocol.dataplane import DataPlane

from content_arena.components.predictor import metrics, protocol
from content_arena.components.predictor.explanation import Occlusion
from content_arena.components.predictor.judgement import (
    INPUTS,
    OUTPUTS,
    Judgement,
    TensorSpec,
    confidence,
    v1_answer,
    v2_answer,
)
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scheduler import Job, RequestTooLargeError, Scheduler
from content_arena.components.shared.errors import ArenaError, BundleError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

MODEL_NAME = "content-filter"
#: A short text, one in another script, one of several windows, one whose canonical text is empty, one without words.
_WARM_UP = ("Warm-up.", "준비 운동", "warm up " * (MAX_TEXT_LENGTH // 8), "\u200b", "!?")

#: A text without a word may be read as more tokens than the whole text.
_EXTRA_TOKENS = 4
#: Reads what an answer shows; a text that is scored is read by the scheduler.
_READING = ThreadPoolExecutor(1, thread_name_prefix="reading")

T = TypeVar("T")


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
        wants_reading: Whether the answer has what the model read.
        wants_attributes: Whether the answer has what is scored beside toxicity.
    """

    texts: list[str]
    request: InferRequest | None
    wants_reading: bool = False
    wants_attributes: bool = False


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
        #: What is scored beside toxicity, with the score from which a text has it.
        self.attributes = dict(content_filter.bundle.spec.attributes)
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
            self._judge(self._filter.score_all(list(_WARM_UP)), seconds=0.0)
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

    def get_input_types(self) -> list[TensorSpec]:
        """The V2 input tensor."""
        return INPUTS

    def get_output_types(self) -> list[TensorSpec]:
        """The V2 output tensors."""
        return OUTPUTS

    async def preprocess(
        self, payload: dict[str, Any] | InferRequest, headers: Mapping[str, str] | None = None
    ) -> Query:
        """Checks a request.

        Raises:
            RequestError: See :func:`content_arena.components.predictor.protocol.texts_of`.
        """
        request = payload if isinstance(payload, InferRequest) else None
        texts = protocol.texts_of(payload, self._filter.attributes)
        return Query(texts, request, protocol.wants_reading(payload), protocol.wants_attributes(payload))

    async def predict(self, payload: Query, headers: Mapping[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Scores a checked request; a cancelled one is given up.

        Raises:
            RequestError: A text is too much work.
            ScoreError: The model gave no probabilities.
            ArenaError: See :meth:`Scheduler.submit`.
        """
        start = time.perf_counter()
        scores, job = await self._scored(payload.texts)
        waited = time.perf_counter() - start
        judgement = self._judge(scores, job.seconds)
        if payload.wants_attributes:
            judgement = replace(judgement, attributes=dict(zip(self._filter.attributes, scores.T[1:], strict=True)))
        if not metrics.is_probe(headers):
            metrics.observe(self.version, judgement.scores, judgement.verdicts, job.seconds, waited)
        if payload.wants_reading:
            judgement = replace(judgement, read_as=await _in_reading_thread(lambda: self._read(payload.texts)))
        if payload.request is None:
            return v1_answer(judgement)
        return v2_answer(judgement, payload.request)

    async def explain(self, payload: Query, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The V1 answer to a checked request, and for each text what was read and what each word contributes.

        A text is scored once more for each of its words. All of that is bounded like a request's texts: of a long text,
        or of one among many, neighbouring words are explained together. Nothing is counted in the metrics of scores.

        Raises:
            RequestTooLargeError: The texts are too long to be explained in one request.
            ArenaError: See :meth:`predict`.
        """
        budget = self.limits.request_tokens // len(payload.texts)
        judged, explanations, seconds = [], [], 0.0
        for text in payload.texts:
            scores, job = await self._scored([text])
            judged.append(scores)
            most = (budget - job.n_tokens) // (job.n_tokens + _EXTRA_TOKENS)
            if most < 1:
                raise RequestTooLargeError("the texts are too long to be explained at once: send fewer in one request")
            cut = functools.partial(Occlusion.of, text, self._filter.reading, most)
            occlusion = await _in_reading_thread(cut)
            scores_without, job_without = await self._scored(occlusion.texts())
            without = self._judge(scores_without, job_without.seconds).scores
            explanations.append(occlusion.explained(float(scores[0, 0]), without.tolist()))
            seconds += job.seconds + job_without.seconds
        answer = v1_answer(self._judge(np.concatenate(judged), seconds))
        return answer | {"explanations": explanations}

    async def _scored(self, texts: list[str]) -> tuple[npt.NDArray[np.float32], Job]:
        job = self._scheduler.submit(texts)
        self._wait_for(len(texts))
        try:
            return await asyncio.wrap_future(job.result), job
        finally:
            self._wait_for(-len(texts))

    def _read(self, texts: list[str]) -> list[str]:
        return [self._filter.reading(text) for text in texts]

    def _wait_for(self, n: int) -> None:
        self._pending += n
        metrics.PENDING.labels(self.version).set(self._pending)

    def _judge(self, scores: npt.NDArray[np.float32], seconds: float) -> Judgement:
        if not bool(np.all((scores >= 0) & (scores <= 1))):
            raise ScoreError("the model's scores are no probabilities")
        scores = scores[:, 0]
        verdicts = self._filter.is_toxic(scores)
        sure = confidence(scores, verdicts, self._filter.threshold)
        return Judgement(scores, verdicts, sure, self.version, seconds)


async def _in_reading_thread(read: Callable[[], T]) -> T:
    """Reads beside the event loop, one request after another; one that is given up meanwhile is not begun."""
    return await asyncio.get_running_loop().run_in_executor(_READING, read)


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

    async def explained(self, model_name: str, payload: object, headers: dict[str, str]) -> dict[str, Any]:
        """The answer to a decoded V1 request for explanations.

        Raises:
            RequestError: It is no such request.
            ArenaError: See :meth:`ContentFilterModel.explain`.
        """
        model = await self.get_model(model_name)
        query = await model.preprocess(payload, headers)
        explanation: dict[str, Any] = await model.explain(query, headers)
        return explanation

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
