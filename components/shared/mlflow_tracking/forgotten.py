"""The list of texts that were erased on request: what is on it is left out of every later corpus.

A text itself is not kept. The list holds keyed hashes (HMAC-SHA256, RFC 2104) of the form in which texts are compared.
A plain hash would not do: insults are short and much alike, so whoever reads the list could try them one by one. The
key is random and lies in the arena's home, while the list lies in MLflow, which more people and more backups see.
Whoever has both can still try texts, as the arena itself does with every text that it imports.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from content_arena.components.shared.atomic import replacing
from content_arena.components.shared.documents import Fields
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.home import KEY_FILE, KEY_VARIABLE, home_folder
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import database, tracking

_KEY_BYTES = 32
_TAG = "content_arena.forgotten."
#: Tag with the hash of nothing, by which the key of a list is recognised.
_CHECK_TAG = "content_arena.forgotten_check"


@dataclass(frozen=True)
class Erasure:
    """What is kept about a text that was erased.

    Attributes:
        day: When it was asked for, as 2026-11-29.
        versions: Versions of the registered model that were trained on it, or may have been.
    """

    day: str
    versions: tuple[int, ...] = ()

    def as_tag(self) -> str:
        """The value of the tag that holds it."""
        return json.dumps({"day": self.day, "versions": list(self.versions)})

    @classmethod
    def from_tag(cls, value: str) -> Erasure:
        """Reads it back.

        Raises:
            InputError: It is no such tag.
        """
        try:
            fields = Fields(json.loads(value), "the list of forgotten texts")
        except ValueError as error:
            raise InputError("the list of forgotten texts has an entry that is no JSON") from error
        return cls(fields.text("day"), tuple(int(number) for number in fields.numbers("versions")))


@dataclass(frozen=True)
class ForgottenTexts:
    """The list.

    Attributes:
        key: Of the hashes; None if the list is empty and there is none yet.
        erasures: What is known of each text, by its keyed hash.
    """

    key: bytes | None = field(default=None, repr=False)
    erasures: Mapping[str, Erasure] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many texts are on it."""
        return len(self.erasures)

    def holds(self, compared: str) -> bool:
        """Whether a text is on it.

        Args:
            compared: The text as corpora compare it, see corpus_preparation.cleaning.comparison_key.
        """
        return bool(self.erasures) and self.hash_of(compared) in self.erasures

    def hash_of(self, compared: str) -> str:
        """The keyed hash of a text, as hexadecimal digits."""
        if self.key is None:
            raise InputError(f"there is no key to recognise forgotten texts by; {_advice()}")
        return hmac.digest(self.key, compared.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def read(tracking_uri: str | None) -> ForgottenTexts:
    """The list that an MLflow server or database keeps; empty where there is no MLflow yet.

    Args:
        tracking_uri: Of MLflow; that of the environment if None.

    Raises:
        InputError: Texts were forgotten and the key is not here, or is another one: what cannot be recognised would
            come back.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    path = database.path_of(uri) if uri else None
    if not uri or (path is not None and not path.exists()):
        return ForgottenTexts()
    tags = _tags(tracking.connect(uri))
    erasures = {name.removeprefix(_TAG): Erasure.from_tag(tag) for name, tag in tags.items() if name.startswith(_TAG)}
    forgotten = ForgottenTexts(_key(), erasures)
    if _CHECK_TAG in tags and (forgotten.key is None or forgotten.hash_of("") != tags[_CHECK_TAG]):
        whose = "is not here" if forgotten.key is None else "is another one"
        raise InputError(
            f"{len(erasures)} texts were forgotten, and the key that recognises them {whose}: {_advice()}. Without it "
            "they would come back"
        )
    return forgotten


def with_key(tracking_uri: str) -> ForgottenTexts:
    """The list, with a key that is made if there is none.

    Raises:
        InputError: See :func:`read`.
    """
    found = read(tracking_uri)
    if found.key is None:
        _make_key(home_folder() / KEY_FILE)
        found = ForgottenTexts(_key(), found.erasures)
    return found


def remember(client: tracking.Client, forgotten: ForgottenTexts, compared: str, erasure: Erasure) -> None:
    """Puts a text on the list, in one request; again with another erasure, that one is kept.

    Args:
        client: Of MLflow.
        forgotten: From :func:`with_key`.
        compared: The text as corpora compare it.
        erasure: What is to be kept about it.
    """
    uri = str(client.tracking_uri)
    with during(f"keeping what was forgotten (MLflow at {uri})"):
        experiment = tracking.experiment(client, uri)
        client.set_experiment_tag(experiment, _CHECK_TAG, forgotten.hash_of(""))
        client.set_experiment_tag(experiment, _TAG + forgotten.hash_of(compared), erasure.as_tag())


def _tags(client: tracking.Client) -> Mapping[str, str]:
    with during(f"reading what was forgotten (MLflow at {client.tracking_uri})"):
        found = client.get_experiment_by_name(tracking.EXPERIMENT)
    return found.tags if found is not None else {}


def _key() -> bytes | None:
    path = home_folder() / KEY_FILE
    given = os.environ.get(KEY_VARIABLE)
    where = KEY_VARIABLE if given else str(path)
    if not given:
        if not path.exists():
            return None
        with during(f"reading {path}"):
            given = path.read_text(encoding="ascii")
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES:
        raise InputError(f"{where} is no key: {2 * _KEY_BYTES} hexadecimal digits are wanted")
    return key


def _make_key(path: Path) -> None:
    with during(f"making {path}"), replacing(path) as unfinished:
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_hex(_KEY_BYTES), encoding="ascii")


def _advice() -> str:
    return f"copy {KEY_FILE} from the home that forgot them into {home_folder()}, or set {KEY_VARIABLE}"
