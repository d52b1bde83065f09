"""What a request may cost, and how long it may take.

A text's cost is what the model computes for it: the tokens of its windows after it was read. A core computes some
thousands of them in a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from content_arena.components.shared.limits import MAX_TEXT_LENGTH

KIB = 1024
MIB = 1024 * KIB

#: Most texts in a request.
MAX_INSTANCES = 256
#: 256 texts of 5,000 characters, every character as two JSON escapes (12 bytes), and the frame.
MAX_BODY_BYTES = 16 * MIB
#: Bodies up to this size are parsed on the event loop and not counted; larger ones are parsed one after another.
SMALL_BODY_BYTES = 64 * KIB
#: A message over gRPC: 256 texts of 5,000 characters of four bytes, and the rest, which is as large as a small body.
MAX_MESSAGE_BYTES = MAX_INSTANCES * 4 * MAX_TEXT_LENGTH + SMALL_BODY_BYTES
#: Seconds until a request has a 504, unless the operator names others.
DEADLINE_SECONDS = 30.0
#: Seconds for requests in flight after SIGTERM. The manifests give the pod 40 (``terminationGracePeriodSeconds``),
#: of which 5 pass before the signal (``preStop``). On a busy node the process took 9 seconds to end.
DRAIN_SECONDS = 15
#: Seconds that the answers to unfinished requests may take after that.
FAREWELL_SECONDS = 5


@dataclass(frozen=True)
class Limits:
    """Bounds of one server.

    Attributes:
        text_tokens: Most tokens in the windows of a text: 64 windows of 128 tokens. A text of 5,000 characters has at
            most 46, if a character is one token at most and reading does not make it longer.
        request_tokens: Most tokens in the windows of a request's texts: 256 windows of 128 tokens.
        queue_tokens: Tokens that may wait or be at work, for every thread: what a slow core scores by the deadline. A
            quarter is for small requests (see scoring/admission.py).
        deadline: Seconds until a request whose body was read and unpacked has an answer.
        body_seconds: Seconds that a body may take to arrive, and again to be unpacked if it is packed.
        held_bytes: Bytes of large bodies in memory, over all requests.
        calls: Calls over gRPC at once. Messages of up to 64 KiB are not counted, and so many are 64 MiB.
        cached_windows: Windows whose scores are kept for the next request that has them; 0 for none.
    """

    text_tokens: int = 8_192
    request_tokens: int = 32_768
    queue_tokens: int = 65_536
    deadline: float = DEADLINE_SECONDS
    body_seconds: float = 10.0
    held_bytes: int = 64 * MIB
    calls: int = 1024
    cached_windows: int = 0
