"""Reads the answers of KServe's V2 protocol (the Open Inference Protocol): tensors, by name."""

from __future__ import annotations

from collections.abc import Mapping

from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.attack_generation.victims.values import (
    UnreadableError,
    answer_of,
    of_classes,
    probability,
    shape_of,
    verdict,
)

_SCORES, _VERDICTS = "toxic_score", "is_toxic"


def answers_of(answer: object, n_texts: int) -> list[Answer]:
    """Scores and verdicts; the first output holds the scores if none is named ``toxic_score``.

    An output of two columns holds the probabilities or logits of two classes, of which the second is toxic.

    Raises:
        UnreadableError: There are no such tensors, or they do not have a value for each text.
    """
    outputs = answer.get("outputs") if isinstance(answer, Mapping) else None
    if not isinstance(outputs, list) or not outputs or not all(isinstance(output, Mapping) for output in outputs):
        raise UnreadableError(f"{shape_of(answer)} where an object with outputs was expected")
    data = {str(output.get("name")): output.get("data") for output in outputs}
    verdicts = data.get(_VERDICTS)
    scores = data.get(_SCORES, None if set(data) == {_VERDICTS} else next(iter(data.values())))
    # Scores may be of two classes; a verdict is one value a text.
    for name, values, lengths in (("scores", scores, (n_texts, 2 * n_texts)), ("verdicts", verdicts, (n_texts,))):
        if values is not None and (not isinstance(values, list) or len(values) not in lengths):
            raise UnreadableError(f"{shape_of(values)} as {name} for {n_texts} texts")
    if isinstance(scores, list) and len(scores) == 2 * n_texts:
        scores = [of_classes(*scores[i : i + 2]) for i in range(0, len(scores), 2)]
    if scores is None and verdicts is None:
        raise UnreadableError(f"{shape_of(answer)} where scores were expected")
    if verdicts is None:
        return [answer_of(score) for score in scores or []]
    if scores is None:
        return [answer_of(verdict(said)) for said in verdicts]
    return [(probability(score), verdict(said)) for score, said in zip(scores, verdicts, strict=True)]
