"""The probes: a battle against the pods of each variant, which measures evasion and false positives in the cluster.

Both variants get exactly the same attempts: text, strategy and seed determine a ladder's attempts before the first
request. The recorded attacks of an earlier battle would be biased: they are those that worked best on the champion.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from content_arena.components.attack_generation import battle, outcomes, reach, strategies
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.victims import Answer, CachedVictim, EndpointVictim
from content_arena.components.attack_generation.victims.addresses import endpoint
from content_arena.components.canary_rollout.analysis.checks import Probes
from content_arena.components.canary_rollout.analysis.intervals import Ratio
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError, VictimError

if TYPE_CHECKING:
    import requests

#: The predictor does not count a request with this header as a user's, if it holds the token that the predictor has.
#: The answer to a request with another one has the header with the second value.
PROBE_HEADER, _REFUSED = "x-content-arena-probe", "refused"
#: Sent without a token: a predictor refuses it, and one of version 0.1.0 accepts any value.
_NO_TOKEN = "true"  # noqa: S105
_COUNTED_AS_USERS = (
    "the predictor would count the probes as users' requests: make the Secret arena-probe before its pods start, and "
    "set CONTENT_ARENA_PROBE_TOKEN to the token in it"
)
#: Texts in a request. Few, because a user's request may have to wait for it.
_BATCH = 16
#: How often a request that is answered with 5xx is sent in all before the error counts.
_ATTEMPTS = 4


@dataclass(frozen=True)
class ProbeSet:
    """The texts and attacks that a variant is probed with.

    Attributes:
        clean: Rows of Sample that are sent unperturbed.
        attacked: Rows of Sample that are attacked, toxic and benign.
        strategies: The attacks, both seen in training and held out; those that the canonicaliser undoes are left out.
        budget: Queries that an attack may spend on a text.
        seed: Seed of the attempts.
    """

    clean: pd.DataFrame
    attacked: pd.DataFrame
    strategies: Sequence[Strategy]
    budget: int = 3
    seed: int = 0


def draw_probe_set(
    corpus: Path | None = None,
    lang: str = "en",
    *,
    texts_per_label: int = 120,
    clean_per_label: int = 150,
    budget: int = 3,
    seed: int = 0,
) -> ProbeSet:
    """Draws the probes from the test split, which no model was trained on.

    Args:
        corpus: Parquet of Sample; the embedded corpus if None.
        lang: ISO 639-1 code of the texts.
        texts_per_label: Number of texts of each label to attack.
        clean_per_label: Number of texts of each label to send unperturbed.
        budget: Queries that an attack may spend on a text.
        seed: The same seed gives the same probes.

    Raises:
        InputError: The corpus can not be read, its test split lacks toxic or benign texts, or the canonicaliser undoes
            every strategy for the language.
    """
    table = records.read(records.Sample, corpus) if corpus is not None else _embedded(lang)
    table = table[table["lang"] == lang]
    clean = battle.sample_texts(table, "test", max(clean_per_label, texts_per_label), seed)
    if clean["label"].nunique() < 2:
        raise InputError(f"probes need toxic and benign {lang} texts in the test split of {corpus or 'the corpus'}")
    undone = reach.undone(lang)
    chosen = [strategy for strategy in strategies.select(lang) if strategy.name not in undone]
    if not chosen:
        raise InputError(f"probes need a strategy that reaches the model, and every one for {lang} is undone")
    attacked = battle.sample_texts(table, "test", texts_per_label, seed)
    return ProbeSet(clean, attacked, chosen, budget, seed)


def _embedded(lang: str) -> pd.DataFrame:
    from content_arena.components.corpus_preparation.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.parquet"
        prepare("embedded", lang, path)
        return records.read(records.Sample, path)


class PodsVictim(EndpointVictim):
    """Queries the pods of one variant alternately, slowly, and without being counted as users' traffic.

    Attributes:
        versions: Every ``model_version`` that answered.
        answers: Number of requests answered.
        errors: Number of them with a status of 500 or more.
    """

    def __init__(
        self, urls: Sequence[str], session: requests.Session, share: float = 0.5, stop: threading.Event | None = None,
        *, pause_seconds: float = 0.5, token: str | None = None,
    ) -> None:  # fmt: skip
        """Sends nothing yet.

        Args:
            urls: Base URLs of the pods, one or more.
            session: A session that can open them.
            share: Largest part of the time spent on requests. The rest is left to users.
            stop: Once it is set, no more requests are sent.
            pause_seconds: Pause before a request that was answered with 5xx is repeated.
            token: What the predictors know a probe by; None for those of version 0.1.0, which need none.
        """
        endpoints = [endpoint(url) for url in urls]
        super().__init__(endpoints[0], batch_size=_BATCH, repeats=0)
        self._urls = itertools.cycle(endpoints)
        self._connection.session = session
        session.headers[PROBE_HEADER] = token or _NO_TOKEN
        session.hooks["response"].append(self._note)
        self._idle, self._stop, self._pause_seconds = 1 / share - 1, stop or threading.Event(), pause_seconds
        self.versions: frozenset[str] = frozenset()
        self.answers = self.errors = 0

    def _ask(self, batch: list[str]) -> list[Answer]:
        for attempt in itertools.count(1):
            self.url, errors = next(self._urls), self.errors
            try:
                return super()._ask(batch)
            except VictimError:
                if self.errors == errors or attempt == _ATTEMPTS or self._stop.wait(self._pause_seconds):
                    raise
        raise AssertionError("the loop above returns or raises")

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        if response.headers.get(PROBE_HEADER) == _REFUSED:
            raise VictimError(_COUNTED_AS_USERS)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise VictimError(f"the predictor asks probes for an API key: {_COUNTED_AS_USERS}")
        self.answers += 1
        self.errors += response.status_code >= 500
        self.versions |= frozenset(_versions(response))
        if self._stop.wait(self._idle * response.elapsed.total_seconds()):
            raise VictimError("the probes were stopped")


def _versions(response: requests.Response) -> Iterator[str]:
    try:
        predictions = response.json()["predictions"]
    except (KeyError, TypeError, ValueError):
        return
    for prediction in predictions:
        if isinstance(prediction, dict) and "model_version" in prediction:
            yield str(prediction["model_version"])


def probe(probe_set: ProbeSet, victim: PodsVictim) -> Probes:
    """Sends all probes to one variant.

    Raises:
        VictimError: It stopped answering, or the probes were stopped.
    """
    cached = CachedVictim(victim)
    clean_scores = cached.score(probe_set.clean["text"].tolist())
    fought = battle.fight(
        probe_set.attacked, cached, probe_set.strategies, seed=probe_set.seed, search=LadderSearch(probe_set.budget)
    )
    attacks = outcomes.judged(fought.attacks)
    caught, benign = outcomes.toxic_caught(attacks), outcomes.benign_perturbed(attacks)
    is_toxic = (probe_set.clean["label"] == "toxic").tolist()
    return Probes(
        evasion=Ratio.rate(outcomes.got_past(caught).tolist(), caught["base_id"].tolist()),
        benign_flagged=Ratio.rate(outcomes.flagged(benign).tolist(), benign["base_id"].tolist()),
        f1=Ratio.f1((clean_scores >= victim.threshold).tolist(), is_toxic, probe_set.clean["base_id"].tolist()),
        versions=victim.versions,
    )
