"""The container image every component runs in on a cluster."""

from __future__ import annotations

import os

#: The project's own image; a registry prefix and a tag come with the build (``CONTENT_ARENA_IMAGE``).
COMPONENT_IMAGE = os.environ.get("CONTENT_ARENA_IMAGE", "content-arena/component-python:0.1.0")
