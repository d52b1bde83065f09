"""Free ports for the servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket

#: From here on up, other for each process. Ports and gRPC ports end below 32,768, where Linux begins to give ports to
#: clients: a server can not have the port of a client that is connected.
_NUMBERS = itertools.count(12_000 + 97 * os.getpid() % 10_000)


def free_ports(n: int) -> list[int]:
    """Free ports whose gRPC ports, 10,000 above, are free as well; none that this process was given before."""
    free = (port for port in _NUMBERS if all(_is_free(candidate) for candidate in (port, port + 10_000)))
    return list(itertools.islice(free, n))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
