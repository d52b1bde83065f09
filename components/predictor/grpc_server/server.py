"""gRPC's server: the port, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from grpc import aio

from content_arena.components.predictor.grpc_server.service import Service
from content_arena.components.predictor.limits import MAX_MESSAGE_BYTES, Limits
from content_arena.components.shared.errors import InputError

#: Of gRPC's compression algorithms, none: it unpacks a message whole, however much comes out of it.
_UNCOMPRESSED = 1
#: Seconds that calls are still told where the server is going, and that their answers may take.
_LINGER_SECONDS = 0.5


class GrpcServer:
    """Serves a service on a port, without encryption; for the event loop."""

    def __init__(self, reserved: socket.socket, service: Service, limits: Limits) -> None:
        """Takes what is served.

        Args:
            reserved: Bound to the address, and closed before gRPC binds it: gRPC takes no sockets, and listens on a
                port as soon as it has it.
            service: Answers the calls.
            limits: What a request may cost.
        """
        self._reserved = reserved
        self._service = service
        self._limits = limits
        self._server: aio.Server | None = None

    async def start(self) -> None:
        """Listens.

        Raises:
            InputError: The port is in use by now.
        """
        self._server = aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_concurrent_streams", self._limits.calls),
                ("grpc.compression_enabled_algorithms_bitset", _UNCOMPRESSED),
                # Else another server of this user could listen on the same port, and get a part of the calls.
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers((self._service.handlers(),))
        host, port = self._reserved.getsockname()[:2]
        self._reserved.close()
        try:
            self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            raise InputError(
                f"gRPC port {port} on {host} is in use: choose another, or stop what listens there"
            ) from None
        await self._server.start()

    async def stop(self, seconds: float) -> None:
        """Refuses calls, waits so many seconds for those in flight, and closes the port.

        From the moment that gRPC is told to stop it cancels what arrives, and for clients CANCELLED is no reason to ask
        another server. So they are told UNAVAILABLE first, and a moment longer, for those that come meanwhile.
        """
        if self._server is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._service.calls.close()
        await asyncio.sleep(_LINGER_SECONDS)
        await self._server.stop(_LINGER_SECONDS)
