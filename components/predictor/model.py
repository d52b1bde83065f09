"""The filter as a KServe model, and the data plane that decodes its requests."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from kserve import InferRequest, InferResponse, Model
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from kserve.protocol.dataplane import DataPlane

from content_arena.components.predictor import metrics, protocol
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.middleware.accounting import note_version
from content_arena.components.predictor.scoring.engine import Engine, in_reading_thread
from content_arena.components.predictor.scoring.explanation import Occlusion
from content_arena.components.predictor.scoring.judgement import INPUTS, OUTPUTS, TensorSpec, v1_answer, v2_answer
from content_arena.components.predictor.scoring.scheduler import RequestTooLargeError
from content_arena.components.predictor.scoring.shadow import Shadow

MODEL_NAME = "content-filter"
#: A text without a word may be read as more tokens than the whole text.
_EXTRA_TOKENS = 4
_KEPT: ContextVar[Engine | None] = ContextVar("the engine that the present request stays with", default=None)


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
    """Scores texts in threads (see scoring/scheduler.py), so that the event loop can answer health probes and metrics.

    Its engine can be replaced while requests are with it: each of them is answered by the one that it began with.
    """

    def __init__(self, engine: Engine, limits: Limits | None = None, shadow: Shadow | None = None) -> None:
        """Takes what scores; :meth:`load` has to be called before the model is ready.

        Args:
            engine: The bundle that is served first.
            limits: What a request may cost; the defaults if None.
            shadow: Scores users' texts a second time; None for no shadow.
        """
        super().__init__(MODEL_NAME)
        self.limits = limits or Limits()
        self._engine = engine
        self._replaced: set[Engine] = set()
        self._has_one = threading.Event()
        self._has_one.set()
        self._shadow = shadow

    @property
    def serving(self) -> Engine:
        """The bundle that is served; of a request that keeps one, this."""
        return _KEPT.get() or self._engine

    @property
    def version(self) -> str:
        """What answers name as the version."""
        return self.serving.version

    @property
    def lang(self) -> str:
        """ISO 639-1 code of the language that the bundle was trained on."""
        return self.serving.lang

    @property
    def attributes(self) -> Mapping[str, float]:
        """What is scored beside toxicity, with the score from which a text has it."""
        return self.serving.attributes

    @property
    def is_busy(self) -> bool:
        """Whether there are requests for all threads."""
        return self._engine.is_busy

    def load(self) -> bool:
        """Warms up with every kind of input; the model is ready once their scores are probabilities.

        Raises:
            BundleError: The model failed, or its scores are no probabilities.
        """
        self.ready = False
        self._engine.warm_up()
        metrics.announce(self._engine.version, self._engine.alias)
        self.ready = True
        return True

    def replace(self, engine: Engine) -> None:
        """Serves another bundle from now on; the one before ends when the last request has left it.

        Args:
            engine: Warmed up.
        """
        before, self._engine = self._engine, engine
        self._has_one.clear()
        metrics.withdraw(before.version, before.alias)
        metrics.announce(engine.version, engine.alias)
        self._replaced.add(before)
        self._end_if_unused(before)

    def wait_for_replaced(self) -> None:
        """Waits until the bundle before has ended, and its memory is free; not for the event loop."""
        self._has_one.wait()

    def close_queue(self) -> None:
        """Ends the requests that are not finished with a :class:`ClosingError`; none is accepted any more."""
        for engine in (self._engine, *self._replaced):
            engine.close_queue()

    def stop(self) -> None:
        """Ends the threads after the batch that each is scoring."""
        self.ready = False
        if self._shadow:
            self._shadow.stop()
        for engine in (self._engine, *self._replaced):
            engine.stop()

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
        texts = protocol.texts_of(payload, list(self.attributes))
        return Query(texts, request, protocol.wants_reading(payload), protocol.wants_attributes(payload))

    async def predict(self, payload: Query, headers: Mapping[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Scores a checked request; a cancelled one is given up.

        Raises:
            RequestError: A text is too much work.
            ScoreError: The model gave no probabilities.
            ArenaError: See :meth:`Scheduler.submit`.
        """
        with self._in_use() as engine:
            judgement, waited = await engine.judged(payload.texts, with_attributes=payload.wants_attributes)
            if not metrics.is_probe(headers):
                metrics.observe(judgement, waited)
                if self._shadow:
                    self._shadow.offer(payload.texts, judgement)
            if payload.wants_reading:
                judgement = replace(judgement, read_as=await engine.read(payload.texts))
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
        with self._in_use() as engine:
            for text in payload.texts:
                scores, job = await engine.scored([text])
                judged.append(scores)
                most = (budget - job.n_tokens) // (job.n_tokens + _EXTRA_TOKENS)
                if most < 1:
                    raise RequestTooLargeError(
                        "the texts are too long to be explained at once: send fewer in one request"
                    )
                occlusion = await in_reading_thread(functools.partial(Occlusion.of, text, engine.reading, most))
                scores_without, job_without = await engine.scored(occlusion.texts())
                without = engine.judge(scores_without, job_without.seconds).scores
                explanations.append(occlusion.explained(float(scores[0, 0]), without.tolist()))
                seconds += job.seconds + job_without.seconds
            answer = v1_answer(engine.judge(np.concatenate(judged), seconds))
        return answer | {"explanations": explanations}

    @contextlib.contextmanager
    def one_bundle(self) -> Iterator[None]:
        """Keeps the present request with one bundle, which is asked for its language first and for scores then."""
        with self._in_use() as engine:
            _KEPT.set(engine)  # For the rest of the request's task: its answer is not made yet.
            yield

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[Engine]:
        """The engine that a request stays with, and that metrics and log name."""
        engine = self.serving
        note_version(engine.version)
        engine.n_requests += 1
        try:
            yield engine
        finally:
            engine.n_requests -= 1
            self._end_if_unused(engine)

    def _end_if_unused(self, engine: Engine) -> None:
        if engine in self._replaced and not engine.n_requests:
            self._replaced.remove(engine)
            # Its threads end after their present step; still, the event loop does not wait for them.
            arguments = ([engine], self._has_one)
            threading.Thread(target=_end, args=arguments, name="end-engine", daemon=True).start()


def _end(engines: list[Engine], has_ended: threading.Event) -> None:
    """Ends an engine, which is taken out of the list: nothing else refers to it then, and its memory is free."""
    try:
        engines.pop().stop()
        # glibc keeps what was freed: without this a server needs twice the memory after some reloads.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    finally:
        has_ended.set()


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
