"""A server of metrics that a test writes, for a Prometheus to scrape."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler


class Exposition(BaseHTTPRequestHandler):
    """Answers every request with the lines of :meth:`lines`."""

    def lines(self) -> list[str]:
        """The metrics, in Prometheus' text format."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """One scrape."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("\n".join([*self.lines(), ""]).encode())

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""
