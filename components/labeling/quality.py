"""Which labels of a corpus are probably wrong, and which of its sources label otherwise than the rest.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"),
by cleanlab: a label is doubtful if a model that was not trained on the text gives it less than such labels usually get.
The model is a logistic regression on TF-IDF of words and parts of words, cross-validated by base_id, because it takes
seconds and knows any language. The champion cannot be asked: it has learnt these very labels.

Nothing is changed here: a person has to look. README.md has the figures of how many are found.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.evaluation.statistics import wilson
from content_arena.components.shared import records
from content_arena.components.shared.figures import Rate
from content_arena.components.shared.records import sha256_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_FOLDS = 5
#: With fewer texts of a label, or originals, the model learns nothing.
_MIN_TEXTS = 50
#: More texts are not looked at: those with the lowest hashes of their ids are.
_MAX_TEXTS = 20_000


@dataclass(frozen=True)
class Doubtful:
    """A text whose label is probably wrong.

    Attributes:
        sample_id: The text.
        label: Its label.
        source: Where it comes from.
        probability: Of its label, as a model says that was not trained on the text.
    """

    sample_id: str
    label: str
    source: str
    probability: float


@dataclass(frozen=True)
class SourceLabels:
    """The labels of one source beside those of all others.

    Attributes:
        source: Its name.
        doubtful: Share of its labels that are doubtful.
        others: The same share of all other sources.
    """

    source: str
    doubtful: Rate
    others: Rate

    @property
    def stands_out(self) -> bool:
        """Whether more of its labels are doubtful, beyond what chance explains: the intervals do not overlap."""
        mine, theirs = self.doubtful.low, self.others.high
        return mine is not None and theirs is not None and mine > theirs


@dataclass(frozen=True)
class CorpusLabels:
    """What was found in a corpus.

    Attributes:
        n_checked: How many texts were looked at; 0 if there are too few to learn from.
        doubtful: Texts whose labels are doubtful, the most doubtful first, as many as were asked for.
        sources: Every source with enough texts, if there are several.
    """

    n_checked: int = 0
    doubtful: tuple[Doubtful, ...] = ()
    sources: tuple[SourceLabels, ...] = ()

    @property
    def odd_sources(self) -> list[SourceLabels]:
        """The sources that label otherwise than the rest."""
        return [each for each in self.sources if each.stands_out]

    def as_json(self) -> str:
        """A document that names texts by their ids."""
        return json.dumps(asdict(self) | {"odd_sources": [each.source for each in self.odd_sources]}, indent=1)


def check(corpus: pd.DataFrame, most: int) -> CorpusLabels:
    """Looks for wrong labels.

    Args:
        corpus: Rows of Sample. The guard set is left out.
        most: How many doubtful labels to name; 0 looks at nothing.
    """
    texts = corpus[corpus["split"] != records.GUARD].reset_index(drop=True)
    if len(texts) > _MAX_TEXTS:
        rank = texts["sample_id"].map(sha256_of)
        texts = texts.loc[rank.sort_values().index[:_MAX_TEXTS]].reset_index(drop=True)
    per_label = texts.groupby("label")["base_id"].nunique()
    if not most or len(per_label) < len(records.LABELS) or per_label.min() < _MIN_TEXTS:
        return CorpusLabels()
    from cleanlab.filter import find_label_issues

    is_toxic = (texts["label"] == "toxic").to_numpy().astype(np.int64)
    probabilities = _held_out(texts, is_toxic)
    ranked = find_label_issues(
        is_toxic, probabilities, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    doubtful = [
        Doubtful(
            sample_id=str(texts.at[place, "sample_id"]),
            label=str(texts.at[place, "label"]),
            source=str(texts.at[place, "source"]),
            probability=round(float(probabilities[place, is_toxic[place]]), 4),
        )
        for place in map(int, ranked[:most])
    ]
    is_doubtful = np.isin(np.arange(len(texts)), ranked)
    return CorpusLabels(len(texts), tuple(doubtful), _by_source(texts["source"], is_doubtful))


def _held_out(texts: pd.DataFrame, is_toxic: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Probabilities of benign and toxic, float64[n, 2], by models that were trained on other originals."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    found: npt.NDArray[np.float64] = cross_val_predict(
        LogisticRegression(C=5, solver="liblinear", random_state=0),
        # The weights of words do not depend on labels, so they may be counted on all texts.
        _counted(texts["text"]),
        is_toxic,
        groups=texts["base_id"],
        cv=StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0),
        method="predict_proba",
    )
    return found


def _counted(texts: pd.Series) -> csr_matrix:
    """TF-IDF of words and of parts of words, float64[n, features], of those that occur in two texts.

    Languages that put no spaces between words have whole sentences for words, which occur in one text each: of these
    only the parts are counted.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    kinds = (
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True),
    )
    blocks = [csr_matrix((len(texts), 1))]
    for kind in kinds:
        # scikit-learn has no other way to say that nothing occurs twice.
        with contextlib.suppress(ValueError):
            blocks.append(kind.fit_transform(texts))
    return csr_matrix(hstack(blocks))


def _by_source(sources: pd.Series, is_doubtful: npt.NDArray[np.bool_]) -> tuple[SourceLabels, ...]:
    names: Mapping[str, int] = {str(name): int(n) for name, n in sources.value_counts().sort_index().items()}
    compared = []
    for name, n in names.items():
        if min(n, len(sources) - n) >= _MIN_TEXTS:
            is_mine = (sources == name).to_numpy(dtype=bool)
            compared.append(SourceLabels(name, wilson(is_doubtful[is_mine]), wilson(is_doubtful[~is_mine])))
    return tuple(compared)
