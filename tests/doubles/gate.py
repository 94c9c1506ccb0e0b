"""The door of a server that sleeps: it takes every connection and asks where to take it.

It passes bytes on and understands none of them, so TLS goes through it from end to end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_BLOCK = 1 << 18


class Gate:
    """Forwards a port of its own, at all addresses, to other ports of this machine.

    `upstream` is asked for each connection and may take its time.
    """

    def __init__(self, upstream: Callable[[], int]) -> None:
        self._upstream = upstream
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=128)  # noqa: S104 - as asked
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._sockets):
            _close(connection)
        # One may still be waiting for its port, which nobody must take away before.
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # The gate is closed.
            self._sockets.append(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        port = self._upstream()
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except OSError:
            _close(client)  # The server is down, and so is its port.
            return
        self._sockets.append(server)
        with suppress(OSError):  # The client may be gone by now.
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = threading.Thread(target=_copy, args=(server, client), daemon=True)
        answers.start()
        _copy(client, server)
        answers.join()


def _copy(reader: socket.socket, writer: socket.socket) -> None:
    buffer = memoryview(bytearray(_BLOCK))
    with suppress(OSError):  # The other direction may have closed both.
        while size := reader.recv_into(buffer):
            writer.sendall(buffer[:size])
    _close(writer)
    _close(reader)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        # The thread that reads here must wake up: the system closes nothing that is being read.
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
