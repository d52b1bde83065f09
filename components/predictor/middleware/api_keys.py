"""API keys: which client a key belongs to.

Keys come from a Kubernetes Secret, as a file, as a mounted folder or as an environment variable. Only their SHA-256 is
kept in memory, and only their names go into logs and metrics.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from content_arena.components.shared.errors import InputError

#: A guessed key shall take longer than a client has: 16 random characters are more than 64 bits.
MIN_KEY_LENGTH = 16
MAX_KEY_LENGTH = 512
#: What a rollout's probes are counted as; no key may have this name.
ROLLOUT = "rollout"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: What goes into a header as it is: ASCII without spaces.
_KEY = re.compile(r"[!-~]+")


class ApiKeys:
    """The keys of all clients.

    Attributes:
        names: The clients' names, sorted.
    """

    def __init__(self, keys: Mapping[str, str], source: str = "the API keys") -> None:
        """Takes keys by their names.

        Args:
            keys: At least one.
            source: Where they are from, for the errors.

        Raises:
            InputError: There is none, a name or a key has characters that it may not have, a key is short, or two
                names have the same key. The message never holds a key.
        """
        if not keys:
            raise InputError(f"{source}: there is no key; give at least one, or none of the options for API keys")
        for name, key in keys.items():
            _check(name, key, source)
        self._digests = {name: _digest(key) for name, key in keys.items()}
        if len(set(self._digests.values())) < len(keys):
            raise InputError(f"{source}: two names have the same key; make one key for each client")
        self.names = sorted(keys)

    @classmethod
    def load(cls, path: Path) -> ApiKeys:
        """Reads a file of lines ``NAME=KEY``, or a folder with a file for each key, as Kubernetes mounts a Secret.

        Raises:
            InputError: There is nothing at the path, it cannot be read, or see the constructor.
        """
        try:
            if path.is_dir():
                # Kubernetes keeps the files in a hidden folder `..data`, and has links to them beside it.
                files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
                return cls({file.name: file.read_text("utf-8").strip() for file in files}, str(path))
            return cls.parse(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the API keys in {path} cannot be read: {_reason(error)}") from None

    @classmethod
    def parse(cls, text: str, source: str) -> ApiKeys:
        """Reads lines ``NAME=KEY``; empty lines and those that begin with ``#`` are left out.

        Raises:
            InputError: A line is none of these, a name comes twice, or see the constructor.
        """
        return cls(_by_name(text.splitlines(), source), source)

    def name_of(self, key: str) -> str | None:
        """The client that a key belongs to; None if it is nobody's.

        Takes the same time for every key: digests are compared, in constant time, and all of them.
        """
        if len(key) > MAX_KEY_LENGTH:
            return None
        digest = _digest(key)
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _by_name(lines: Iterable[str], source: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, key = line.partition("=")
        if not equals:
            raise InputError(f"{source}: line {number} is not NAME=KEY")
        if name.strip() in keys:
            raise InputError(f"{source}: line {number} repeats the name {name.strip()!r}")
        keys[name.strip()] = key.strip()
    return keys


def _check(name: str, key: str, source: str) -> None:
    if not _NAME.fullmatch(name):
        # A name may be a key that was put on the wrong side.
        raise InputError(f"{source}: a name has at most 63 letters, digits, '.', '_' and '-', and one has others")
    if name == ROLLOUT:
        raise InputError(f"{source}: the name {ROLLOUT} is kept for a rollout's probes; choose another")
    if not MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InputError(
            f"{source}: the key of {name} must have {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} ASCII characters without "
            "spaces; `openssl rand -hex 24` makes one"
        )


def _digest(key: str) -> bytes:
    # Headers are Latin-1: what is no ASCII is no key, and has a digest all the same.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else (error.strerror or type(error).__name__)
