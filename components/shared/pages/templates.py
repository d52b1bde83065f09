"""The templates of HTML pages, which lie beside the modules that fill them and share the frame ``page.html``."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


@functools.cache
def template(folder: Path, name: str) -> Template:
    """A template; it escapes everything, and a name that is not given is an error.

    Args:
        folder: Where it lies.
        name: Its file.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
