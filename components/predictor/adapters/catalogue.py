"""Which adapters there are, which are on, and how they join the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from content_arena.components.predictor.adapters import detectors, moderations, perspective, perspective_messages
from content_arena.components.predictor.adapters.answers import AdapterError, ErrorForm, ErrorForms, refuse
from content_arena.components.predictor.adapters.options import AdapterOptions
from content_arena.components.predictor.adapters.scoring import Scorer
from content_arena.components.predictor.adapters.suggestions import suggestions_at
from content_arena.components.predictor.model import ContentFilterModel, FilterDataPlane

if TYPE_CHECKING:
    from starlette.types import Scope


@dataclass(frozen=True)
class Adapter:
    """Another service's API.

    Attributes:
        paths: All that it adds.
        error: Makes the body of a refusal from its status and its text.
        register: Adds its routes.
        key_of: Finds an API key where this API's clients put it; None if they use the header ``Authorization``. A key
            is ignored as long as the server has none, and never logged.
    """

    paths: tuple[str, ...]
    error: ErrorForm
    register: Callable[[FastAPI, Scorer], None]
    key_of: Callable[[Scope], str | None] | None = None


class Adapters:
    """The adapters that are on."""

    def __init__(self, options: AdapterOptions) -> None:
        """Makes them.

        Raises:
            InputError: Suggestions cannot be kept where they are to be.
        """
        every = _every(options.suggestions)
        self.chosen = [every[name] for name in options.names]

    @property
    def key_finders(self) -> dict[str, Callable[[Scope], str | None]]:
        """By path, where an API's clients have their key, if not in the usual headers."""
        return {path: adapter.key_of for adapter in self.chosen if adapter.key_of for path in adapter.paths}

    def register(self, app: FastAPI, dataplane: FilterDataPlane, model: ContentFilterModel) -> None:
        """Adds their routes, which have to come before kserve's."""
        app.add_exception_handler(AdapterError, refuse)
        scorer = Scorer(dataplane, model)
        for adapter in self.chosen:
            adapter.register(app, scorer)

    def add_layer(self, app: FastAPI) -> None:
        """Adds the layer that gives errors their form; it has to be outside of what answers with errors."""
        forms = {path: adapter.error for adapter in self.chosen for path in adapter.paths}
        if forms:
            app.add_middleware(ErrorForms, forms=forms)


def _every(suggestions: str | None) -> Mapping[str, Adapter]:
    kept = suggestions_at(suggestions) if suggestions else None
    return {
        "perspective": Adapter(
            perspective.PATHS,
            perspective_messages.error_body,
            partial(perspective.register, suggestions=kept),
            perspective.key_of,
        ),
        "openai": Adapter(moderations.PATHS, moderations.error_body, moderations.register),
        "fms": Adapter(detectors.PATHS, detectors.error_body, detectors.register),
    }
