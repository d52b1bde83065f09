"""What urllib3 logs of requests to a filter and to an LLM: never a key, nor a login."""

import logging
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from content_arena.components.attack_generation.victims import open_victim
from content_arena.components.attack_generation.victims.logins import Login
from content_arena.components.shared.chat.api import ChatApi
from content_arena.components.shared.chat.request import Request
from content_arena.components.shared.chat.settings import ChatSettings
from content_arena.components.shared.errors import ArenaError
from tests.components.attack_generation.filters import serving

SECRET = "geheim-4711"
LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")


def ask_filter(host):
    victim = open_victim(f"http://user:{SECRET}@{host}/v1/models/m?api_key={SECRET}", login=Login())
    with suppress(ArenaError):
        victim.score(["a text"])


def ask_llm(host):
    settings = ChatSettings(timeout_seconds=2)
    chat = ChatApi(f"http://{host}/v1/chat/completions?api_key={SECRET}", "m", SECRET, settings, longest_wait=0.01)
    with suppress(ArenaError):
        chat.ask(Request("say it", {"text": "a text"}, ("text",)))


@contextmanager
def speaking(answer):
    """A server that says these bytes to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("ask", [ask_filter, ask_llm])
def test_no_line_has_a_key(ask, caplog):
    caplog.set_level(logging.DEBUG)
    # The kubernetes client, where a test before this one made it, has set this logger to WARNING.
    caplog.set_level(logging.DEBUG, logger="urllib3")
    with serving() as busy:
        busy.status = lambda n: 429 if n == 1 else 400
        busy.headers = {"Retry-After": "0"}
        ask(busy.url.removeprefix("http://"))
        assert len(busy.paths) > 1, "it was asked again"
        assert all(SECRET in path for path in busy.paths), "the key is sent"
    with speaking(b"") as breaks_off:
        ask(breaks_off)
    with speaking(b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\n{}") as wrong_headers:
        ask(wrong_headers)
    lines = [record.getMessage() for record in caplog.records if record.name in LOGGERS]
    assert any("Failed to parse headers" in line for line in lines)
    assert any("POST" in line and "?... HTTP" in line for line in lines)
    assert any(record.levelno >= logging.WARNING for record in caplog.records)
    assert SECRET not in caplog.text
