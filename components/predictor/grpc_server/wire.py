"""Looks through a large request before anything is built of it; a pure function on bytes.

protobuf makes some 80 bytes of memory of a tensor without content, which is two bytes of a message. So a large message
is walked through first. What it has beside its texts may be no more than a small message is.
Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from content_arena.components.predictor.limits import SMALL_BODY_BYTES
from content_arena.components.predictor.protocol import RequestError

_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10
_REQUEST, _TENSOR, _CONTENTS = "ModelInferRequest", "InferInputTensor", "InferTensorContents"
#: Numbers of the fields that are walked through as well.
_INSIDE = {(_REQUEST, 5): _TENSOR, (_TENSOR, 5): _CONTENTS}
#: Numbers of the fields that hold texts: raw_input_contents, bytes_contents.
_TEXTS = frozenset({(_REQUEST, 7), (_CONTENTS, 8)})
_BROKEN = "the message is no ModelInferRequest"


def check_message(message: bytes) -> None:
    """Refuses a ModelInferRequest that would make far more of a large message than a request's texts.

    The message may still be none afterwards.

    Raises:
        RequestError: It has too much beside its texts, or is no message.
    """
    open_messages = [(_REQUEST, len(message))]
    position = n_text_bytes = 0
    while position < len(message):
        while position == open_messages[-1][1]:
            open_messages.pop()
        kind, end = open_messages[-1]
        key, position = _varint(message, position)
        field, wire_type = (kind, key >> 3), key & 7
        if wire_type == _LENGTH_DELIMITED:
            length, position = _varint(message, position)
            if position + length > end:
                raise RequestError(_BROKEN)
            if field in _INSIDE:
                open_messages.append((_INSIDE[field], position + length))
            else:
                position += length
                n_text_bytes += length if field in _TEXTS else 0
        elif wire_type == _VARINT:
            _, position = _varint(message, position)
        elif wire_type in (_EIGHT_BYTES, _FOUR_BYTES):
            position += 8 if wire_type == _EIGHT_BYTES else 4
        else:
            raise RequestError(_BROKEN)
        if position > end:
            raise RequestError(_BROKEN)
        if position - n_text_bytes > SMALL_BODY_BYTES:
            raise RequestError(f"the message has more than {SMALL_BODY_BYTES} bytes beside its texts")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    number = 0
    for n_before, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * n_before)
        if byte < 0x80:
            return number, position + n_before + 1
    raise RequestError(_BROKEN)
