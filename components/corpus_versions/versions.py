"""Versions of corpora: each is kept once, under the SHA-256 of its texts, labels and splits.

They are artifacts in MLflow, as labelled attacks are: in the home of an arena on one machine, in the object storage
behind the MLflow server on a cluster. Tags of the run that kept a corpus describe it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_versions.wanted import key_of
from content_arena.components.shared import records
from content_arena.components.shared.atomic import replacing
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import during, without_credentials
from content_arena.components.shared.mlflow_tracking import forgotten as lists
from content_arena.components.shared.mlflow_tracking import tracking
from content_arena.components.shared.mlflow_tracking.forgotten import ForgottenTexts
from content_arena.components.shared.mlflow_tracking.tracking import Tracking

FOLDER, FILE = "corpus", "corpus.parquet"
_SHA256 = "content_arena.corpus_sha256"
_FACTS = "content_arena.corpus"
#: Digest of what is left after texts were forgotten.
_LEFT = "content_arena.corpus_left"
#: With the keyed hash of a text that was forgotten: the day.
_ERASED = "content_arena.corpus_erased."
_SHORT_HASH = 16
_MIN_PREFIX = 4
_ADVICE = "`arena data list` shows the versions that are kept"


@dataclass(frozen=True, kw_only=True)
class CorpusVersion:
    """A corpus that is kept.

    Attributes:
        sha256: Digest of the corpus as it was kept, see :func:`records.corpus_digest`; versions of the model name it.
        left: Digest of what is left of it; the same if no text of it was forgotten.
        run_id: The MLflow run that kept it.
        day: When it was kept.
        lang: ISO 639-1 code.
        source: What it was read from, without credentials.
        rows: Its texts as it was kept, by split.
        erased: Days on which texts of it were forgotten, a day for each text.
    """

    sha256: str
    left: str
    run_id: str
    day: str
    lang: str
    source: str
    rows: Mapping[str, int]
    erased: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """All of its texts, as it was kept."""
        return sum(self.rows.values())


@dataclass(frozen=True)
class Restored:
    """A corpus that was restored.

    Attributes:
        version: The version that was asked for.
        sha256: Digest of what was restored: the version's, or another one if texts of it were forgotten.
        n_rows: Its texts.
        path: The file.
    """

    version: CorpusVersion
    sha256: str
    n_rows: int
    path: Path


def keep(tracking_uri: str | None, run: Tracking, corpus: pd.DataFrame, source: str) -> None:
    """Keeps a corpus with a run, unless the same one is kept already. The guard set is no part of it.

    Args:
        tracking_uri: Of MLflow; the environment's if None.
        run: The run.
        corpus: Rows of Sample.
        source: What it was read from.

    Raises:
        InputError: It holds a text that was forgotten.
    """
    _require_none(lists.read(tracking_uri), corpus)
    texts = corpus[corpus["split"] != records.GUARD]
    sha256 = records.corpus_digest(texts)
    if any(sha256 == version.sha256 == version.left for version in kept(run.client)):
        return
    facts = {
        "lang": str(texts["lang"].iloc[0]),
        "source": without_credentials(source),
        "rows": {split: int((texts["split"] == split).sum()) for split in records.SPLITS},
        "day": time.strftime("%Y-%m-%d"),
    }
    with during(f"keeping the corpus (MLflow at {run.uri})"), tempfile.TemporaryDirectory() as folder:
        records.write(records.Sample, texts, Path(folder) / FILE)
        run.client.log_artifact(run.run_id, str(Path(folder) / FILE), FOLDER)
        run.client.set_tag(run.run_id, _FACTS, json.dumps(facts))
        # Last: of a run that is killed before, the corpus does not count as kept.
        run.client.set_tag(run.run_id, _SHA256, sha256)


def kept(client: tracking.Client) -> list[CorpusVersion]:
    """Every corpus that is kept, oldest first."""
    return [_described(run) for run in tracking.every_run(client, f"tags.`{_SHA256}` LIKE '%'")]


def find(client: tracking.Client, sha256: str) -> CorpusVersion:
    """The version that a digest names, or the beginning of one.

    Args:
        client: Of MLflow.
        sha256: Digest of a version as it was kept, or of what is left of it; or at least its first four digits.

    Raises:
        InputError: None is called so, or several are.
    """
    wanted = sha256.strip().lower()
    if len(wanted) < _MIN_PREFIX:
        raise InputError(f"{sha256!r} is too short to name a corpus: give at least {_MIN_PREFIX} digits; {_ADVICE}")
    versions = kept(client)
    # A digest of what is left may also be that of a version: the version is meant then.
    by_digest = {version.left: version for version in versions} | {version.sha256: version for version in versions}
    found = sorted(digest for digest in by_digest if digest.startswith(wanted))
    if len(found) > 1:
        raise InputError(f"{len(found)} corpora begin with {wanted}: give more digits, such as {found[0][:16]}")
    if found:
        return by_digest[found[0]]
    raise InputError(f"no corpus {wanted} is kept here; {_ADVICE}")


def read(client: tracking.Client, version: CorpusVersion) -> pd.DataFrame:
    """The texts of a version that are left: rows of Sample.

    Raises:
        InputError: Its file is gone or damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        with during(f"reading corpus {version.sha256[:12]} (MLflow at {client.tracking_uri})"):
            path = client.download_artifacts(version.run_id, f"{FOLDER}/{FILE}", folder)
        return records.read(records.Sample, path)


def restore(client: tracking.Client, version: CorpusVersion, path: Path, forgotten: ForgottenTexts) -> Restored:
    """Writes a version as a file that `arena run --data` takes as it stands: the same texts, ids, labels and splits.

    Args:
        client: Of MLflow.
        version: Which.
        path: The Parquet file to write; one that is there is replaced.
        forgotten: Texts that are left out, even if a process was killed before they were taken out of this version.

    Raises:
        InputError: The version's file is gone or damaged, or nothing is left of it.
    """
    texts = without(read(client, version), forgotten)
    if texts.empty:
        raise InputError(f"nothing is left of corpus {version.sha256[:12]}: all of its texts were forgotten")
    with during(f"writing {path}"), replacing(path) as unfinished:
        records.write(records.Sample, texts, unfinished)
    return Restored(version, records.corpus_digest(texts), len(texts), path)


def without(corpus: pd.DataFrame, forgotten: ForgottenTexts) -> pd.DataFrame:
    """The rows of a corpus whose texts were not forgotten; each keeps its split."""
    if not len(forgotten):
        return corpus
    return corpus[[not forgotten.holds(key_of(text)) for text in corpus["text"]]]


def record_erasure(client: tracking.Client, version: CorpusVersion, keyed_hash: str, day: str) -> None:
    """Records that a text of a version is forgotten; called before it is taken out, and harmless again.

    Args:
        client: Of MLflow.
        version: Which.
        keyed_hash: Of the text, see :meth:`ForgottenTexts.hash_of`.
        day: When.
    """
    with during(f"recording what is erased from corpus {version.sha256[:12]} (MLflow at {client.tracking_uri})"):
        client.set_tag(version.run_id, _ERASED + keyed_hash[:_SHORT_HASH], day)


def record_remainder(client: tracking.Client, version: CorpusVersion) -> str:
    """Records the digest of what is left of a version; returns it."""
    left = records.corpus_digest(read(client, version))
    with during(f"recording what is left of corpus {version.sha256[:12]} (MLflow at {client.tracking_uri})"):
        client.set_tag(version.run_id, _LEFT, left)
    return left


def _require_none(forgotten: ForgottenTexts, corpus: pd.DataFrame) -> None:
    """Refuses a corpus that was prepared before a text of it was forgotten, and reused since."""
    n_forgotten = len(corpus) - len(without(corpus, forgotten))
    if n_forgotten:
        raise InputError(
            f"{n_forgotten} texts of this corpus were forgotten after it was prepared: Kubeflow Pipelines reused it; "
            "give another --data-version, so that the data is read again"
        )


def _described(run: tracking.Run) -> CorpusVersion:
    tags = run.data.tags
    facts = json.loads(tags[_FACTS])
    return CorpusVersion(
        sha256=tags[_SHA256],
        left=tags.get(_LEFT, tags[_SHA256]),
        run_id=run.info.run_id,
        day=facts["day"],
        lang=facts["lang"],
        source=facts["source"],
        rows=facts["rows"],
        erased=tuple(sorted(day for name, day in tags.items() if name.startswith(_ERASED))),
    )
