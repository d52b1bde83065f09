"""Forgets texts: takes them out of every copy, and puts them on the list of what never comes back.

The order makes it safe to kill at any point and to ask again. The list comes first: from then on nothing imports the
text. Pages and documents come next, then tables, and kept corpora last, because ids are looked up in tables. Each copy
is replaced in one step.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from content_arena.components.corpus_versions import search, versions
from content_arena.components.corpus_versions.cutting import Cut, cut
from content_arena.components.corpus_versions.lineage import Found, trained_on
from content_arena.components.corpus_versions.places import RUNS, Copy
from content_arena.components.corpus_versions.search import Fetched, Hits
from content_arena.components.corpus_versions.versions import CorpusVersion
from content_arena.components.corpus_versions.wanted import Wanted
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import forgotten as lists
from content_arena.components.shared.mlflow_tracking.forgotten import Erasure, ForgottenTexts


@dataclass(frozen=True)
class Place:
    """A copy that holds one of the texts.

    Attributes:
        kind: What it is, for people.
        name: Its path or address.
        n_places: How many rows, examples or passages hold one.
    """

    kind: str
    name: str
    n_places: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What forgetting does.

    Attributes:
        hits: The texts, and where tables hold them.
        places: The copies that it changes.
        remaining: Copies that it cannot change: the arena did not write them, or they cannot be read.
        corpora: The kept corpora among the copies.
        versions: Versions of the model that were trained on the texts, or may have been, each with how.
        forgotten_on: When the texts were forgotten before; None if they were not.
    """

    hits: Hits
    places: Sequence[Place]
    remaining: Sequence[Place]
    corpora: Sequence[CorpusVersion]
    versions: Mapping[int, str]
    forgotten_on: str | None


class Forgetting:
    """One request to forget."""

    def __init__(self, registry: Registry, fetched: Sequence[Fetched]) -> None:
        """Takes where to look; :func:`looking_at` makes one."""
        self._registry = registry
        self._client = registry.client
        self._fetched = fetched
        self._kept = versions.kept(self._client)
        self._forgotten = lists.read(registry.uri)

    def plan(self, asked: str, *, is_text: bool = False) -> Plan:
        """What forgetting would do; changes nothing.

        Args:
            asked: An id or a text.
            is_text: Whether it is a text whatever ids there are.

        Raises:
            InputError: No copy holds such a text and none was forgotten; or an id names several texts.
        """
        by_run = {version.run_id: version.sha256 for version in self._kept}
        hits = search.find(asked, self._fetched, by_run, is_text=is_text)
        wanted = hits.wanted()
        found = [
            (each, Place(each.copy.kind, each.copy.name, cut_out.n_places))
            for each, cut_out in ((each, _cut(each, wanted)) for each in self._fetched)
            if cut_out is not None
        ]
        damaged = [each for each in self._fetched if each.is_damaged]
        known = self._known(hits)
        if not known and not found:
            raise InputError(
                "no corpus, battle, review queue or page here holds this text, or a text with this id; ids are in the "
                "columns sample_id and base_id of a file that `arena data restore` writes"
            )
        return Plan(
            hits=hits,
            places=[
                *(place for each, place in found if each.copy.is_ours),
                *(_damaged(each) for each in damaged if _is_of_no_use(each)),
            ],
            remaining=[
                *(place for each, place in found if not each.copy.is_ours),
                *(_damaged(each) for each in damaged if not _is_of_no_use(each)),
            ],
            corpora=[version for version in self._kept if version.run_id in hits.in_kept],
            versions={version: "recorded when it was forgotten" for each in known for version in each.versions}
            | trained_on(self._registry, self._found(hits)),
            forgotten_on=min((each.day for each in known), default=None),
        )

    def carry_out(self, plan: Plan) -> Plan:
        """Forgets the texts; returns the plan with the corpora as they are now.

        Raises:
            LibraryError: A copy could not be changed. Ask again once the cause is gone.
        """
        forgotten = lists.with_key(self._registry.uri)
        self._remember(forgotten, plan)
        wanted = plan.hits.wanted()
        for each in sorted(self._fetched, key=lambda each: (bool(each.columns), each.is_kept_corpus)):
            found = _cut(each, wanted) if each.copy.is_ours else None
            if found is not None:
                _replace(each.copy, found)
            elif _is_of_no_use(each):
                each.path.unlink(missing_ok=True)
        for version in versions.kept(self._client):
            if version.erased and (version.run_id in plan.hits.in_kept or version.left == version.sha256):
                versions.record_remainder(self._client, version)
        now = {version.run_id: version for version in versions.kept(self._client)}
        return replace(plan, corpora=[now[version.run_id] for version in plan.corpora])

    def _remember(self, forgotten: ForgottenTexts, plan: Plan) -> None:
        for key in plan.hits.keys:
            before = forgotten.erasures.get(forgotten.hash_of(key))
            day = before.day if before else time.strftime("%Y-%m-%d")
            models = tuple(sorted({*plan.versions, *(before.versions if before else ())}))
            lists.remember(self._client, forgotten, key, Erasure(day, models))
            for version in plan.corpora:
                if key in plan.hits.in_kept[version.run_id]:
                    versions.record_erasure(self._client, version, forgotten.hash_of(key), day)

    def _known(self, hits: Hits) -> list[Erasure]:
        """What is kept about those of the texts that were forgotten before."""
        if not len(self._forgotten):
            return []
        known = (self._forgotten.erasures.get(self._forgotten.hash_of(key)) for key in hits.keys)
        return [erasure for erasure in known if erasure is not None]

    def _found(self, hits: Hits) -> Found:
        battles: dict[str, int] = {}
        for run_id, lang in hits.in_battles.items():
            with during(f"asking when run {run_id} began"):
                started = int(self._client.get_run(run_id).info.start_time)
            battles[lang] = min(started, battles.get(lang, started))
        return Found(hits.in_corpora, battles)


@contextmanager
def looking_at(registry: Registry, copies: Sequence[Copy]) -> Iterator[Forgetting]:
    """A request to forget, with every copy on this machine until the block ends.

    Args:
        registry: Of the versions, and of MLflow.
        copies: Where texts may lie.
    """
    with tempfile.TemporaryDirectory(prefix="arena-forget-") as folder:
        yield Forgetting(registry, list(search.fetch(copies, Path(folder))))


def _cut(each: Fetched, wanted: Wanted) -> Cut | None:
    if each.is_damaged:
        return None
    with during(f"reading {each.copy.name}"):
        return cut(each.path, wanted)


def _is_of_no_use(each: Fetched) -> bool:
    """Whether it is a table that a killed run left half-written: it may hold texts, and nobody can read it."""
    return each.is_damaged and each.copy.kind == RUNS


def _damaged(each: Fetched) -> Place:
    return Place(f"{each.copy.kind}, damaged", each.copy.name, 0)


def _replace(copy: Copy, found: Cut) -> None:
    with tempfile.TemporaryDirectory(prefix="arena-forget-") as folder:
        file = Path(folder) / "file"
        found.write(file)
        copy.replace(file)
