"""Reads data sets of the Hugging Face hub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from content_arena.components.corpus_preparation.tables import sources
from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

HUB_PREFIX = "hf://"
_NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:/(?P<split>[\w.-]+))?", re.ASCII)
_FETCH = "fetch its files (for example in a browser) and give the path of one"


def read_hub(data: str) -> Columns:
    """Reads a data set of the hub.

    Args:
        data: ``hf://owner/name[:config][/split]``; the split is train if none is named.

    Raises:
        InputError: No such data set, config or split; it is a script; or the hub is not reached.
    """
    match = _NAME.fullmatch(data.removeprefix(HUB_PREFIX))
    if match is None:
        raise InputError(f"{named('data')} is no data set of the hub; write {HUB_PREFIX}owner/name[:config][/split]")
    import datasets

    datasets.disable_progress_bars()
    if not _is_reached():
        _stay_offline()
    try:
        dataset = datasets.load_dataset(match["name"], match["config"], split=match["split"] or "train")
    except Exception as error:  # Four packages without a common error: hub, HTTP client, Arrow, datasets.
        raise InputError(_reason(data, match["name"], error)) from error
    return Columns(tuple(dataset.column_names), len(dataset), lambda name: _cells(dataset, name))


def _is_reached() -> bool:
    """Whether the hub answers at all. Without this question the libraries try for minutes."""
    import huggingface_hub.constants

    return sources.answers(huggingface_hub.constants.ENDPOINT)


def _stay_offline() -> None:
    """Lets the libraries look into their cache only, in this process."""
    import datasets
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True


def _cells(dataset: Dataset, name: str) -> list[object]:
    """The cells of a column; the labels of a class by their names, None where a text has none (-1)."""
    import datasets

    feature = dataset.features[name]
    cells: list[object] = list(dataset[name])
    if isinstance(feature, datasets.ClassLabel):
        return [feature.int2str(cell) if isinstance(cell, int) and cell >= 0 else None for cell in cells]
    return cells


def _reason(data: str, name: str, error: Exception) -> str:
    """Why a data set could not be loaded, and what to do."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    kinds = {kind.__name__ for link in chain for kind in type(link).__mro__}
    if any("scripts are no longer supported" in str(link) for link in chain):
        return (
            f"{data} is a script, which would have to be run here to read it, and is not; look on its page for a copy "
            f"without one (often the branch refs/convert/parquet), or {_FETCH}"
        )
    if "GatedRepoError" in kinds or any("gated" in str(link) for link in chain):
        return f"{data} is shared only with users that its owner accepted: ask there, set HF_TOKEN, or {_FETCH}"
    if any("OfflineModeIsEnabled" in f"{type(link).__name__} {link}" for link in chain):
        return f"{data} is not in the cache, and this machine does not reach the hub or is told not to; {_FETCH}"
    if "DatasetNotFoundError" in kinds or "RepositoryNotFoundError" in kinds:
        return f"the hub has no data set {name}, or not for everybody; check the name in {data}, or set HF_TOKEN"
    if kinds & {"ConnectionError", "ConnectError", "Timeout", "TimeoutException", "LocalEntryNotFoundError"}:
        return f"{data} cannot be loaded: this machine does not reach the hub ({type(error).__name__}); {_FETCH}"
    return f"{data} cannot be loaded ({type(error).__name__}); check name, config and split, or {_FETCH}"
