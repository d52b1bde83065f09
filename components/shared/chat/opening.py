"""Opens the LLM that the environment names."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from content_arena.components.shared.chat import packaged
from content_arena.components.shared.chat.request import Chat
from content_arena.components.shared.chat.settings import (
    BASE_URL_VARIABLE,
    KEY_VARIABLE,
    MODEL_VARIABLE,
    ChatSettings,
)
from content_arena.components.shared.errors import ChatError


def open_chat(settings: ChatSettings) -> Chat:
    """The LLM that the environment names, or else the small one of an installed package.

    Raises:
        ChatError: There is none, or what names it is incomplete.
    """
    url, model = (os.environ.get(name, "").strip() for name in (BASE_URL_VARIABLE, MODEL_VARIABLE))
    if url:
        from content_arena.components.shared.chat.api import ChatApi

        if not model:
            raise ChatError(f"{BASE_URL_VARIABLE} is set and {MODEL_VARIABLE} is not: set it to the name of a model")
        return ChatApi(completions_url(url), model, _key(), settings)
    if not packaged.is_installed():
        raise ChatError(
            f"there is no LLM to ask: set {BASE_URL_VARIABLE} (such as https://HOST/v1, a server of OpenAI's API), "
            f"{MODEL_VARIABLE}, and {KEY_VARIABLE} if it wants a key; or, for trials with a small, weak model on this "
            f"machine, {packaged.HOW_TO_INSTALL}"
        )
    return packaged.PackagedLlm(settings)


def _key() -> str:
    """The key that the environment holds; "" if there is none.

    Raises:
        ChatError: It cannot be sent in a header (RFC 9110); the message does not hold it.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ChatError(
            f"{KEY_VARIABLE} holds a character that no key has (a letter that is not ASCII, or the end of a line): "
            "copy the key again"
        )
    return key


def completions_url(base_url: str) -> str:
    """Where chats are completed.

    Args:
        base_url: As OpenAI's clients take it, with the version: ``https://HOST/v1``. Without a path, ``/v1`` is added.

    Raises:
        ChatError: It is no such URL, or has a login in it.
    """
    try:
        parts = urlsplit(base_url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    # Not quoted: where a password has a slash in it, its parts look like anything.
    if not known or "@" in base_url or parts.query or parts.fragment:
        raise ChatError(
            f"{BASE_URL_VARIABLE} has to be such as https://HOST/v1, without a login and parameters: the key is "
            f"{KEY_VARIABLE}"
        )
    path = parts.path.rstrip("/") or "/v1"
    return parts._replace(path=path.removesuffix("/chat/completions") + "/chat/completions").geturl()
