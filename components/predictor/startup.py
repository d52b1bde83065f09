"""What is loaded before the server listens: the bundle, its shadow, and what takes over another bundle later."""

from __future__ import annotations

import logging
import threading

from content_arena.components.predictor.arguments import ServeOptions
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.model import ContentFilterModel
from content_arena.components.predictor.reload import Loader, Reloader
from content_arena.components.predictor.scoring.engine import Engine
from content_arena.components.predictor.scoring.shadow import Shadow
from content_arena.components.predictor.sources import BundleSource, Located, opened, opened_if_other
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.scoring.bundle import Bundle
from content_arena.components.shared.scoring.filter import ContentFilter

logger = logging.getLogger("kserve.content_arena")


def loaded(source: BundleSource, options: ServeOptions) -> tuple[ContentFilterModel, Reloader]:
    """A model that is warm, and its reloader.

    Raises:
        ArenaError: A bundle cannot be served; nothing is left behind.
    """
    limits = Limits(deadline=options.deadline, cached_windows=options.cache)
    loader = Loader(source, limits, options.threads, options.expected_sha256)
    shadow = Shadow(_shadow_filter(*_opened(options.shadow))) if options.shadow else None
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
    if options.shadow is None or shadow is None:
        return model, Reloader(model, loader.next_after)
    shadow.yield_to(lambda: model.is_busy)
    renewal = ShadowRenewal(shadow, options.shadow)

    def load(serving: Engine) -> Engine | None:
        renewal.begin()
        return loader.next_after(serving)

    return model, Reloader(model, load)


class ShadowRenewal:
    """Looks at the shadow's source again at every reload, beside what serves: neither waits for the other."""

    def __init__(self, shadow: Shadow, source: BundleSource) -> None:
        """Takes the shadow and where its bundle comes from."""
        self._shadow = shadow
        self._source = source
        self._turn = threading.Lock()
        self._digest, self._version = shadow.digest, shadow.version

    def begin(self) -> None:
        """Renews in a thread that does not keep the process alive: a download may take minutes."""
        threading.Thread(target=self.renew, name="load-shadow", daemon=True).start()

    def renew(self) -> None:
        """Has the shadow score with the bundle that is there now; one that cannot be loaded is logged, and left out."""
        with self._turn:
            try:
                found = opened_if_other(self._source, self._version, self._digest)
                if found is None:
                    return
                content_filter = _shadow_filter(*found)
            except ArenaError as error:
                logger.error("the shadow's bundle was not loaded, version %s goes on: %s", self._version, error)
                return
            self._digest, self._version = content_filter.bundle.spec.digest, content_filter.version
            self._shadow.replace(content_filter)


def _opened(source: BundleSource) -> tuple[Located, Bundle]:
    located = source.locate()
    return located, opened(located, None)


def _shadow_filter(located: Located, bundle: Bundle) -> ContentFilter:
    # One thread: a shadow takes little of the processors.
    return ContentFilter(bundle, located.version, threads=1)
