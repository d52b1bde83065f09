"""A proxy before a filter's server that has bad days."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

#: Status, headers and body of an answer in place of the server's; None for a connection that breaks off.
FAULTS = {
    "429": (429, {"Retry-After": "0"}, b"{}"),
    "503": (503, {"Retry-After": "0"}, b""),
    "login page": (200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>"),
    "redirect": (302, {"Location": "https://login.example/sso?to=here"}, b""),
    "shape": (200, {"Content-Type": "application/json"}, b'{"surprise": ["a text"]}'),
    "dead": None,
}


class Proxy:
    """What the proxy does, and what it saw.

    Attributes:
        fault: One of FAULTS.
        is_bad: Whether request number n (from 1) meets the fault.
        n_requests: How many came.
        n_passed: How many of them the server answered.
    """

    def __init__(self, target):
        self.target, self.url = target, ""
        self.reset()

    def reset(self, fault="dead", is_bad=lambda n: False):
        self.fault, self.is_bad = fault, is_bad
        self.n_requests = self.n_passed = 0


@contextmanager
def before(target):
    """The proxy, until the block ends.

    Args:
        target: URL of the server.
    """
    proxy, lock = Proxy(target), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                proxy.n_requests += 1
                is_bad = proxy.is_bad(proxy.n_requests)
                proxy.n_passed += not is_bad
            answer = FAULTS[proxy.fault] if is_bad else self.forwarded(body)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def forwarded(self, body):
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            answer = requests.post(proxy.target + self.path, data=body, headers=kept, timeout=30)
            type_of_content = answer.headers.get("content-type", "application/json")
            return answer.status_code, {"Content-Type": type_of_content}, answer.content

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    proxy.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield proxy
    finally:
        http.shutdown()
        http.server_close()
