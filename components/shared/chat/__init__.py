"""LLMs: what one is asked, where it is, and how it is asked, through OpenAI's API or in this process."""

from content_arena.components.shared.chat.opening import open_chat
from content_arena.components.shared.chat.request import Chat, NoAnswerError, Request
from content_arena.components.shared.chat.settings import LLM_VARIABLES, ChatSettings

__all__ = ["LLM_VARIABLES", "Chat", "ChatSettings", "NoAnswerError", "Request", "open_chat"]
