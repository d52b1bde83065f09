"""How a filter is asked and how its answer is read: presets for known services, and a mapping of the user's own.

A request is a template in JSON: the text ``$texts`` in it stands for the list of texts, ``$text`` for one text of a
request of its own. Texts are put in as values of JSON, so none can break out of its place. The answer is read by an
expression of JMESPath (https://jmespath.org) that gives one value a text, or an object of two lists, score and verdict;
:mod:`values` reads each value.

Sources of the presets: the inference protocols of KServe and the README of its Hugging Face runtime; the references of
Perspective's ``comments:analyze``, OpenAI's moderations and the detector API of the FMS guardrails orchestrator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from content_arena.components.attack_generation.victims import addresses
from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.attack_generation.victims.tensors import answers_of
from content_arena.components.attack_generation.victims.values import UnreadableError, answer_of, shape_of
from content_arena.components.shared.documents import Json
from content_arena.components.shared.errors import InputError

#: Fills a request: what stands for all texts, and what stands for one.
ALL, ONE = "$texts", "$text"
_INSTANCES = {"instances": ALL}


@dataclass(frozen=True)
class Dialect:
    """How one kind of filter is asked, and how it answers.

    Attributes:
        request: Template of a request's body.
        answers: Expression of JMESPath.
        path: Where texts are posted if the URL has no path; None if the URL is completed as KServe's protocols say.
        own_verdict: Whether the verdict is no function of the score. The score is then halved, and put above one half
            for a text that is flagged, so that the threshold is one half.
    """

    request: object
    answers: str = ""
    path: str | None = ""
    own_verdict: bool = False

    @property
    def texts_at_once(self) -> bool:
        """Whether a request takes several texts."""
        return not _holds(self.request, ONE)

    def url(self, given: str) -> str:
        """Where texts are posted."""
        return addresses.endpoint(given) if self.path is None else addresses.with_path(given, self.path)

    def body(self, texts: Sequence[str]) -> Json:
        """A request for texts; for one, if a request takes no more."""
        filled = _filled(self.request, {ALL: list(texts), ONE: texts[0]})
        if not isinstance(filled, dict):
            raise InputError("the request is no object of JSON")
        return filled

    def read(self, answer: object, n_texts: int) -> list[Answer]:
        """Scores and verdicts of a request's texts.

        Raises:
            UnreadableError: The answer does not have one for each text.
        """
        found = [answer_of(value) for value in self._values(answer)]
        if len(found) != n_texts:
            raise UnreadableError(f"{len(found)} scores for {n_texts} texts")
        return [_folded(*each) for each in found] if self.own_verdict else found

    def _values(self, answer: object) -> list[object]:
        found = self._search(answer)
        if not self.texts_at_once:
            return [found]
        if isinstance(found, dict):
            lists = {name: values for name, values in found.items() if isinstance(values, list)}
            if lists and len(lists) == len(found) and len({len(values) for values in lists.values()}) == 1:
                return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        if not isinstance(found, list):
            raise UnreadableError(f"{shape_of(found)} where a list of scores was expected")
        return found

    @cached_property
    def _search(self) -> Callable[[object], object]:
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            compiled = jmespath.compile(self.answers)
        except JMESPathError as error:
            raise InputError(f"the mapping is no expression of JMESPath: {' '.join(str(error).split())}") from error

        def search(answer: object) -> object:
            try:
                return compiled.search(answer)
            except JMESPathError as error:
                raise UnreadableError("values of another type than the mapping expects") from error

        return search


class _Version2(Dialect):
    """KServe's V2 protocol, whose answer is tensors."""

    def read(self, answer: object, n_texts: int) -> list[Answer]:
        return answers_of(answer, n_texts)

    def body(self, texts: Sequence[str]) -> Json:
        return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}]}


_V1 = Dialect(_INSTANCES, "predictions", path=None)
PRESETS: dict[str, Dialect] = {
    "kserve-v1": _V1,
    "kserve-v2": _Version2(None, path=None),
    "kserve-huggingface": _V1,
    "perspective": Dialect(
        {"comment": {"text": ONE}, "requestedAttributes": {"TOXICITY": {}}, "doNotStore": True},
        "attributeScores.TOXICITY.summaryScore.value",
        path="/v1alpha1/comments:analyze",
    ),
    "openai": Dialect(
        {"input": ALL},
        # Servers with this API may leave categories null that they do not score.
        "{score: results[].max(values(category_scores)[?@ != `null`]), verdict: results[].flagged}",
        path="/v1/moderations",
        own_verdict=True,
    ),
    "fms": Dialect(
        {"contents": ALL, "detector_params": {}},
        "{score: map(&(max([*].score) || `0`), @), verdict: map(&(length(@) > `0`), @)}",
        path="/api/v1/text/contents",
        own_verdict=True,
    ),
}


def dialect(mapping: str, request: str, url: str) -> Dialect:
    """The dialect of a filter.

    Args:
        mapping: Name of a preset, or an expression of JMESPath; "" for the protocol of KServe that the URL names.
        request: Template of a request in JSON; "" for the preset's, or V1's.
        url: Of the filter.

    Raises:
        InputError: The mapping is no expression, or the request no template.
    """
    if not mapping and not request:
        return PRESETS["kserve-v2" if addresses.endpoint(url).partition("?")[0].endswith("/infer") else "kserve-v1"]
    preset = PRESETS.get(mapping or "kserve-v1")
    if preset is not None and not request:
        return preset
    if isinstance(preset, _Version2):
        raise InputError(f"the request of {mapping} is always the same: leave --request out, or give an expression")
    made = Dialect(
        _template(request) if request else _INSTANCES,
        preset.answers if preset else mapping,
        path=preset.path if preset else "",
        own_verdict=preset.own_verdict if preset else True,
    )
    made._search  # noqa: B018 - an expression that cannot be used is refused here
    return made


def _template(request: str) -> object:
    try:
        template = json.loads(request)
    except ValueError as error:
        raise InputError(f"the request is no JSON: {error}") from error
    if not isinstance(template, dict) or not (_holds(template, ALL) or _holds(template, ONE)):
        raise InputError(
            f'the request has to be an object with "{ALL}" or "{ONE}" in it, where the texts go, as a value of its own'
        )
    return template


def _holds(template: object, place: str) -> bool:
    if isinstance(template, dict):
        return any(_holds(value, place) for value in template.values())
    if isinstance(template, list):
        return any(_holds(value, place) for value in template)
    return template == place


def _filled(template: object, values: dict[str, object]) -> object:
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    return values.get(template, template) if isinstance(template, str) else template


def _folded(score: float, said: bool | None) -> Answer:
    if said is None:
        return score, None
    return (0.5 + score / 2 if said else min(score / 2, 0.499)), said
