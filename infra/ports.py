"""Ports of this machine; standard library only, because the bootstrap asks too."""

from __future__ import annotations

import os
import socket


def is_free(port: int) -> bool:
    """Tell whether nobody answers on the port of 127.0.0.1 and a program may listen there."""
    # macOS lets one bind beside a server that listens on all addresses: ask that server first.
    with socket.socket() as client:
        client.settimeout(0.5)
        if client.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as server:
        if os.name == "posix":
            # A connection that is only closing takes no port away. On Windows the option means
            # something else: it would let us share the port.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except PermissionError:
            # Below 1024 only root may listen here, but the engine, which publishes ports, may.
            return True
        except OSError:
            return False
    return True
