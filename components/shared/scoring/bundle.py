"""The bundle: a trained filter as one folder, which needs neither pickle nor torch.

    bundle.json      base model, threshold, versions, metrics, SHA-256 of every other file
    model.onnx       int8 weights; inputs of the tokenizer and, if it was trained with them, ``ngrams`` int64[batch,
                     width]; outputs ``logits`` float32[batch, 2] (benign, toxic) and, if it scores attributes too,
                     ``attributes`` float32[batch, their number], probabilities, in the alphabetical order of names
    tokenizer/       tokenizer.json
    adapter/         the LoRA adapter as safetensors, from which a later training can start
    lexicon.json     the Reader's words and their costs; without this file words are not restored
    LICENSE.encoder  the licence of the encoder it was trained from, where the encoder came with one
    model_card.md    a description for people

The folder is complete or absent: it is written under another name and then renamed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring.ngrams import NGRAM_VERSION
from content_arena.components.shared.text.canonical import CANONICAL_VERSION, VERSIONS

MANIFEST = "bundle.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer/tokenizer.json"
ADAPTER = "adapter"
LEXICON = "lexicon.json"
ENCODER_LICENCE = "LICENSE.encoder"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class BundleSpec:
    """The content of bundle.json.

    Attributes:
        base_model: Name of the encoder it was trained from.
        lang: ISO 639-1 code of the corpus.
        threshold: A text is toxic if its score is at least this.
        max_length: Tokens in one window, special tokens included.
        canonical_version: Version of the canonicaliser it was trained behind.
        ngram_version: Version of the hashed n-grams (ngrams.py) that it was trained with; None for a model without.
        attributes: What it scores beside toxicity (see attributes.py), and for each the score from which a text has it;
            empty for a model without.
        metrics: Figures of the training run, by name.
        training: Parameters of the training run, by name.
        files: SHA-256 (hex) of every other file, by path relative to the folder.
        format: Version of this layout.
    """

    base_model: str
    lang: str
    threshold: float
    max_length: int
    canonical_version: str = CANONICAL_VERSION
    ngram_version: int | None = None
    attributes: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of bundle.json, which holds the SHA-256 of every other file."""
        return hashlib.sha256(_dump(self).encode()).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, with all files present and unchanged."""

    path: Path
    spec: BundleSpec

    @property
    def digests(self) -> frozenset[str]:
        """The SHA-256 (hex) that the bundle may be known by: of bundle.json as it lies there, and of its content.

        They differ for a bundle of an earlier release, whose bundle.json has fewer fields; a registry of that time
        has the first.
        """
        return frozenset({_sha256(self.path / MANIFEST), self.spec.digest})

    @property
    def model_path(self) -> Path:
        """The int8 ONNX file."""
        return self.path / MODEL

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer.json file."""
        return self.path / TOKENIZER

    @property
    def lexicon_path(self) -> Path | None:
        """The Reader's lexicon; None in a bundle that was trained without one."""
        path = self.path / LEXICON
        # A bundle in the making lists no files yet; in a finished one every file that is read is listed with its hash.
        return path if path.is_file() and (not self.spec.files or LEXICON in self.spec.files) else None


def seal(folder: Path, spec: BundleSpec, destination: Path) -> Bundle:
    """Makes a bundle at ``destination`` from a folder of finished files.

    Args:
        folder: All files but bundle.json, on the file system of ``destination``; the folder is moved there.
        spec: Content of bundle.json; ``files`` is computed here.
        destination: Must not exist or be empty.

    Raises:
        BundleError: The destination is not empty.
    """
    files = {str(p.relative_to(folder)): _sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    spec = BundleSpec(**{**asdict(spec), "files": files})
    (folder / MANIFEST).write_text(_dump(spec), encoding="utf-8")
    if destination.exists():
        if any(destination.iterdir()):
            raise BundleError(f"{destination} exists and is not empty")
        destination.rmdir()
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, destination)
    return Bundle(destination, spec)


def find(path: str | Path) -> Path:
    """Finds the bundle folder at or below ``path``: a registered MLflow model or an S3 prefix has folders around it.

    Raises:
        BundleError: There is none, or more than one.
    """
    root = Path(path)
    if (root / MANIFEST).is_file():
        return root
    found = sorted(p.parent for p in root.rglob(MANIFEST)) if root.is_dir() else []
    if len(found) != 1:
        raise BundleError(f"{'no' if not found else len(found)} bundle{'s' if found else ''} ({MANIFEST}) in {root}")
    return found[0]


def load(path: str | Path) -> Bundle:
    """Opens a bundle and checks every file against its SHA-256.

    Raises:
        BundleError: Missing or changed files, unknown fields, another format, an unknown canonicaliser.
    """
    folder = find(path)
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST} cannot be read: {error}") from error
    known = {f.name for f in fields(BundleSpec)}
    required = {"base_model", "lang", "threshold", "max_length", "canonical_version", "files", "format"}
    if not isinstance(raw, dict) or set(raw) - known or required - set(raw):
        raise BundleError(f"{folder / MANIFEST} is not a bundle of format {FORMAT}")
    spec = BundleSpec(**raw)
    _check_values(folder, spec)
    if spec.format != FORMAT:
        raise BundleError(f"bundle {folder} has format {spec.format}, this code reads {FORMAT}")
    if spec.canonical_version not in VERSIONS:
        raise BundleError(
            f"bundle {folder} was trained behind canonicaliser {spec.canonical_version}, this code has "
            f"{', '.join(VERSIONS)}: train again, or serve it with the release that made it"
        )
    if spec.ngram_version not in (None, NGRAM_VERSION):
        raise BundleError(
            f"bundle {folder} was trained with n-grams of version {spec.ngram_version}, this code has {NGRAM_VERSION}: "
            "train again, or serve it with the release that made it"
        )
    for name in (MODEL, TOKENIZER):
        if name not in spec.files:
            raise BundleError(f"bundle {folder} lists no {name}")
    for name, expected in spec.files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise BundleError(f"bundle {folder} lists a file outside itself: {name}")
        if not file.is_file():
            raise BundleError(f"bundle {folder} misses {name}: copy it again")
        if _sha256(file) != expected:
            raise BundleError(f"{name} in bundle {folder} was changed (SHA-256 differs): copy it again")
    return Bundle(folder, spec)


def _check_values(folder: Path, spec: BundleSpec) -> None:
    threshold, max_length = spec.threshold, spec.max_length
    if not _is_share(threshold):
        raise BundleError(f"bundle {folder} has threshold {threshold!r}, it has to be a number from 0 to 1")
    if not isinstance(spec.attributes, dict) or not all(map(_is_share, spec.attributes.values())):
        raise BundleError(f"bundle {folder} has attributes that are no names with numbers from 0 to 1")
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
        raise BundleError(f"bundle {folder} has max_length {max_length!r}, it has to be a number of tokens")
    if not isinstance(spec.files, dict):
        raise BundleError(f"bundle {folder} lists no files")


def _is_share(value: object) -> bool:
    # The comparison is written so that NaN fails it.
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= 1


def _dump(spec: BundleSpec) -> str:
    content = asdict(spec)
    if not spec.attributes:  # The digest of a bundle from before there were any stays what it was.
        del content["attributes"]
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
