"""The container image of the components on a cluster."""

from __future__ import annotations

import os

#: ``CONTENT_ARENA_IMAGE`` names another image, with registry and tag, when pipelines are compiled.
COMPONENT_IMAGE = os.environ.get("CONTENT_ARENA_IMAGE", "dev.local/content-arena/component-python:0.1.0")
