"""Names of languages, as people write them: ``en``, ``eng``, ``English``, ``en-US``."""

from __future__ import annotations

import functools

from content_arena.components.shared.errors import InputError


@functools.cache
def language_code(written: str) -> str | None:
    """The ISO 639 code of a language: of two letters where there is one; None if no language is called so.

    Args:
        written: A code of two or three letters, with or without a region, or a name in any of the usual languages.
    """
    import langcodes

    text = written.strip().replace("_", "-")
    if not text:
        return None
    try:
        code = langcodes.get(langcodes.standardize_tag(text, macro=True))
        if code.is_valid() and code.language not in (None, "und"):
            return code.language
    except ValueError:
        pass
    try:
        return langcodes.find(text).language if len(text) > 3 or not text.isascii() else None
    except LookupError:
        return None


def language_name(code: str) -> str:
    """The English name of a language."""
    import langcodes

    return langcodes.get(code).language_name()


def require_code(written: str, parameter: str) -> str:
    """The ISO 639 code of a language.

    Args:
        written: As for :func:`language_code`.
        parameter: How messages name what was given.

    Raises:
        InputError: No language is called so.
    """
    code = language_code(written)
    if code is None:
        name = repr(written) if written.replace("-", "").isalnum() and len(written) < 30 else "(another text)"
        raise InputError(f"{parameter} {name} is no language; give its ISO 639 code, such as en or ko, or its name")
    return code
