"""What manifests/README.md tells a user to run."""

from __future__ import annotations

import re

from tests.manifests.rendering import MANIFESTS


def first_hour() -> str:
    """The commands of "The first hour" as a script of bash, without those that make images and load them."""
    text = (MANIFESTS / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^### The first hour$(.*?)^### ", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    return "".join(re.findall(r"^ *```sh\n(.*?)^ *```$", section[1], re.MULTILINE | re.DOTALL))
