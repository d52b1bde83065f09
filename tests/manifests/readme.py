"""What manifests/README.md tells a user to run."""

from __future__ import annotations

import re

from tests.manifests.rendering import MANIFESTS


def commands(title: str) -> str:
    """The indented commands below a heading as a script of bash, up to the next heading or bold paragraph."""
    text = (MANIFESTS / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(title)}$(.*?)^(?:#|\*\*If)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    return "".join(f"{line.strip()}\n" for line in re.findall(r"^(?: {4}| {7})(kubectl .*)$", section[1], re.MULTILINE))


def first_hour() -> str:
    """The commands of "The first hour" as a script of bash, without those that make images and load them."""
    text = (MANIFESTS / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^### The first hour$(.*?)^### ", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    return "".join(re.findall(r"^ *```sh\n(.*?)^ *```$", section[1], re.MULTILINE | re.DOTALL))
