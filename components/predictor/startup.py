"""What is loaded before the server listens: the bundle, its shadow, and what takes over another bundle later."""

from __future__ import annotations

from content_arena.components.predictor.arguments import ServeOptions
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.model import ContentFilterModel
from content_arena.components.predictor.reload import Loader, Reloader
from content_arena.components.predictor.shadow import Shadow
from content_arena.components.predictor.sources import BundleSource, opened
from content_arena.components.shared.filter import ContentFilter


def loaded(source: BundleSource, options: ServeOptions) -> tuple[ContentFilterModel, Reloader]:
    """A model that is warm, and its reloader.

    Raises:
        ArenaError: A bundle cannot be served; nothing is left behind.
    """
    limits = Limits(deadline=options.deadline)
    loader = Loader(source, limits, options.threads, options.expected_sha256)
    shadow = _shadow(options.shadow) if options.shadow else None
    try:
        model = ContentFilterModel(loader.first(), limits, shadow)
    except BaseException:
        if shadow:
            shadow.stop()
        raise
    try:
        model.load()
    except BaseException:
        model.stop()
        raise
    if shadow:
        shadow.yield_to(lambda: model.is_busy)
    return model, Reloader(model, loader.next_after)


def _shadow(source: BundleSource) -> Shadow:
    located = source.locate()
    # One session: a shadow takes little of the processors, and no more memory than it needs.
    return Shadow(ContentFilter(opened(located, None), located.version, threads=1))
