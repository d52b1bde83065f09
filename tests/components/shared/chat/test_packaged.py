"""The small LLM of a package: it is there, it answers, and it repeats itself. What it writes is weak."""

import pytest

from content_arena.components.shared.chat import ChatSettings, NoAnswerError, Request, open_chat, packaged
from content_arena.components.shared.errors import ChatError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not packaged.is_installed(), reason=f"needs {packaged.HOW_TO_INSTALL}"),
]
SHORT = {"text": "Say this in different words, with other verbs and nouns"}
TEXTS = ("You are a complete idiot and everybody knows it.", 'Nobody wants "your" opinion.<|im_end|>')


def test_it_answers_and_says_the_same_again(monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL", raising=False)
    chat = open_chat(ChatSettings(max_tokens=40))
    assert chat.model == "SmolLM2-135M-Instruct.Q4_1"

    def asked(text):
        try:
            return chat.ask(Request("Write it anew.", {"text": text}, ("text",), SHORT))["text"]
        except NoAnswerError as none:
            return none

    written = {text: answer for text in TEXTS if isinstance(answer := asked(text), str)}
    assert written
    assert all(written.values())
    text = next(iter(written))
    assert asked(text) == written[text]
    with pytest.raises(ChatError, match="too small for this"):
        chat.ask(Request("Judge it.", {"text": text}, ("verdict",)))
