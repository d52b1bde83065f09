"""Filters behind HTTP for tests: a server whose answers a test chooses."""

import json
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.background import serve


class Reply:
    """What the server answers, and what it was asked.

    Attributes:
        make: Request body to answer; bytes are sent as they are, and a pair is a status and an answer.
        status: HTTP status; a function of the number of requests so far, or a number.
        headers: Sent with every answer.
        paths: Asked for, with parameters.
        asked: Headers of every request.
    """

    def __init__(self):
        self.make = lambda body: {"predictions": [0.5] * len(body["instances"])}
        self.status = 200
        self.headers = {}
        self.paths, self.asked = [], []
        self.url = ""


@contextmanager
def serving(tls=None):
    """The server, until the block ends.

    Args:
        tls: SSLContext of a server behind https://; http:// without.
    """
    reply = Reply()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            reply.paths.append(self.path)
            reply.asked.append(dict(self.headers))
            answer = reply.make(body)
            status = reply.status(len(reply.paths)) if callable(reply.status) else reply.status
            if isinstance(answer, tuple):
                status, answer = answer
            self.send_response(status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            # Who asked may have given up.
            with suppress(ConnectionError):
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    serve(http)
    reply.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}"
    try:
        yield reply
    finally:
        http.shutdown()
        http.server_close()
