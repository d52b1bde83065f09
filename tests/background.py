"""HTTP servers of tests, in threads."""

import socketserver
import threading


def serve(server: socketserver.BaseServer) -> threading.Thread:
    """Serves in a thread that ``server.shutdown()`` ends at once.

    By itself a server looks twice a second whether it is to end, and most tests take less time than that.
    """
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    return thread
