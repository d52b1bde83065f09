"""Takes over another bundle while the server serves: the new one is made ready beside the old one, then they change.

A bundle that cannot be served leaves the old one where it is. The next one is loaded when the last request has left
the one before: there are never more than two.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.model import ContentFilterModel
from content_arena.components.predictor.scoring.engine import Engine
from content_arena.components.predictor.scoring.scheduler import ClosingError
from content_arena.components.predictor.sources import BundleSource, Located, opened, opened_if_other
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.scoring.bundle import Bundle
from content_arena.components.shared.scoring.filter import ContentFilter

logger = logging.getLogger("kserve.content_arena")


class ReloadError(ArenaError):
    """The new bundle cannot be served, and the old one still is (HTTP 422)."""


class ReloadingError(ArenaError):
    """A bundle is being loaded already (HTTP 409)."""


@dataclass(frozen=True)
class Loader:
    """Makes engines of what a source has.

    Attributes:
        source: Where bundles come from.
        limits: What a request may cost.
        threads: Model sessions in parallel; the number of CPUs this process may use if None.
        expected: SHA-256 (hex) that a bundle has to have; None for any.
    """

    source: BundleSource
    limits: Limits
    threads: int | None = None
    expected: str | None = None

    def first(self) -> Engine:
        """An engine of the bundle that is there now.

        Raises:
            ArenaError: There is no bundle, or it is another one than was meant, or it cannot be loaded.
        """
        located = self.source.locate()
        return self._engine(located, opened(located, self.expected))

    def next_after(self, serving: Engine) -> Engine | None:
        """An engine of the bundle that is there now; None if that is what serves already.

        Raises:
            ArenaError: See :meth:`first`.
        """
        found = opened_if_other(self.source, serving.version, serving.digest, self.expected)
        return None if found is None else self._engine(*found)

    def _engine(self, located: Located, bundle: Bundle) -> Engine:
        return Engine(ContentFilter(bundle, located.version, self.threads), self.limits, located.alias)


class Reloader:
    """Loads one bundle at a time; for the event loop, but for :meth:`request`."""

    def __init__(self, model: ContentFilterModel, load: Callable[[Engine], Engine | None]) -> None:
        """Takes what is served, and what makes the next.

        Args:
            model: Serves the new bundle as soon as it is warm.
            load: Makes an engine of the bundle that is there now; None if it is the one it is given, which serves.
        """
        self._model = model
        self._load = load
        self._loading: Future[Engine | None] | None = None
        self._is_requested = False
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None  # Kept: the event loop holds its tasks by weak references.

    async def reload(self) -> str:
        """Serves the bundle that is there now.

        Returns:
            Its version.

        Raises:
            ReloadingError: One is being loaded already.
            ReloadError: It cannot be served; the old one still is.
            ClosingError: The server is about to end.
        """
        if self._is_closed:
            raise ClosingError("the server is about to end")
        if self._loading is not None:
            raise ReloadingError("a bundle is being loaded already: try again when it is ready")
        before = self._model.serving
        self._loading = _in_thread(lambda: self._made_ready(before))
        try:
            engine = await asyncio.wrap_future(self._loading)
        except ClosingError:
            raise
        except Exception as error:  # Whatever is wrong with a new bundle, the old one serves on.
            why = str(error) if isinstance(error, ArenaError) else type(error).__name__
            message = f"the bundle was not loaded, version {before.version} still serves: {why}"
            logger.error(message)
            raise ReloadError(message) from error
        finally:
            self._loading = None
            self._begin()
        if engine is None:
            logger.info("version %s serves already, nothing was loaded", before.version)
            return before.version
        self._model.replace(engine)
        logger.info("serving %s version %s instead of %s", self._model.name, engine.version, before.version)
        return engine.version

    def request(self) -> None:
        """Asks for :meth:`reload` from a signal handler, at any time; what fails is logged.

        If a bundle is being loaded, there is another turn after it: it may have read the old one.
        """
        self._is_requested = True
        if self._loop is not None and not self._is_closed:
            # Not in the context of the request that the signal interrupts: it may have kept an earlier bundle.
            self._loop.call_soon_threadsafe(self._begin, context=contextvars.Context())

    def start(self) -> None:
        """The server serves from now on, on the present event loop; does what was requested before."""
        self._loop = asyncio.get_running_loop()
        self._begin()

    def close(self) -> None:
        """Gives up what is being loaded: the server is about to end."""
        self._is_closed = True
        if self._loading is not None:
            with contextlib.suppress(InvalidStateError):
                self._loading.set_exception(ClosingError("the server is about to end"))

    def _begin(self) -> None:
        """Does what was requested, unless a bundle is being loaded: it calls this when it is there."""
        if self._is_requested and self._loading is None and not self._is_closed:
            self._is_requested = False
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        # Logged already; of several requests at once, one may find that another has begun.
        with contextlib.suppress(ReloadError, ReloadingError, ClosingError):
            await self.reload()

    def _made_ready(self, before: Engine) -> Engine | None:
        # There is memory for two bundles, and the one before this may have requests until their deadline.
        self._model.wait_for_replaced()
        with during("loading the bundle"):
            engine = self._load(before)
            if engine is not None:
                try:
                    engine.warm_up()
                except BaseException:
                    engine.stop()
                    raise
        return engine


def _in_thread(make: Callable[[], Engine | None]) -> Future[Engine | None]:
    """The result of work in a thread that does not keep the process alive: a download may take minutes."""
    future: Future[Engine | None] = Future()

    def work() -> None:
        try:
            made = make()
        except BaseException as error:  # Whatever it is, who waits is told.
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
            return
        try:
            future.set_result(made)
        except InvalidStateError:  # It was given up meanwhile.
            if made is not None:
                made.stop()

    threading.Thread(target=work, name="load-bundle", daemon=True).start()
    return future
