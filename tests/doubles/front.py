"""A front before a PostgreSQL server, on loopback, that answers as hosted servers' proxies do.

It speaks the protocol up to the login and then copies bytes, in a thread of the test's process.

Models:
- the answers to SSLRequest (TLS by a given certificate, or none) and to GSSENCRequest (any byte);
- a refused login: any ErrorResponse, scripted by a rule that sees the startup packet, whether it
  came by TLS and the server name (SNI) that TLS was asked for;
- the way in by cleartext password, where there is no server behind it;
- a ban after so many wrong passwords: the port refuses connections, as Supabase's servers do, or
  the circuit breaker of its pooler answers every login, right or wrong, and counts on;
- sleep: open connections are cut, told (57P01) or untold, when they are idle for so long or when
  the test says so; the next logins find no compute so many times, and then one that wakes slowly.

Does not model: pooling, a client's certificate, channel binding (TLS ends here, so a client that
requires it is refused), direct TLS without SSLRequest, bans by address or that end by themselves,
the pauses that a vendor puts before its refusals.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self
from weakref import WeakKeyDictionary

_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_BLOCK = 65536
_TICK = 0.02
_POLITE = 0.1
_ASK_FOR_PASSWORD = b"R" + struct.pack("!II", 8, 3)
_WRONG_PASSWORD = ("28P01", "28000")


@dataclass(frozen=True)
class Refusal:
    """An ErrorResponse; what vendors' proxies refuse has SQLSTATE XX000 nearly throughout."""

    text: str
    sqlstate: str = "XX000"
    severity: str = "FATAL"

    def message(self) -> bytes:
        fields = {"S": self.severity, "V": self.severity, "C": self.sqlstate, "M": self.text}
        body = b"".join(f"{kind}{value}\0".encode() for kind, value in fields.items()) + b"\0"
        return b"E" + struct.pack("!I", len(body) + 4) + body


TENANT_NOT_FOUND = Refusal("Tenant or user not found")
CIRCUIT_BREAKER = Refusal(
    "(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked"
)
COMPUTE_NOT_REACHED = Refusal("Couldn't connect to compute node", severity="ERROR")
ENDPOINT_NOT_SPECIFIED = Refusal(
    "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for "
    "SNI support or pass the endpoint ID (first part of the domain name) as a parameter: "
    "'?options=endpoint%3D<endpoint-id>'. See more at https://neon.tech/sni",
    severity="ERROR",
)
_ADMINISTRATOR = Refusal("terminating connection due to administrator command", "57P01")


@dataclass(frozen=True)
class Login:
    """A startup packet, and how it came."""

    parameters: Mapping[str, str]
    encrypted: bool
    server_name: str | None


Rule = Callable[[Login], Refusal | None]


def nobody(refusal: Refusal) -> Rule:
    """Refuse every login."""
    return lambda _: refusal


def tenant(reference: str) -> Rule:
    """Let in users of one project only, as Supabase's pooler does."""
    return lambda login: (
        None if login.parameters["user"].endswith(f".{reference}") else TENANT_NOT_FOUND
    )


def encrypted_only(refusal: Refusal) -> Rule:
    """Let nobody in without TLS."""
    return lambda login: None if login.encrypted else refusal


def named_endpoint(login: Login) -> Refusal | None:
    """Let in who says by name which endpoint is meant, as Neon's proxy does."""
    named = login.server_name or "endpoint=" in login.parameters.get("options", "")
    return None if named else ENDPOINT_NOT_SPECIFIED


class Front:
    """Listens on `host`:`port` from `with` on; everything public may be changed at any time.

    `upstream` is the server behind it; without one it asks for `password` itself and has nothing to
    offer whoever knows it. `connections` counts those accepted, `logins` the startup packets,
    `wrong_passwords` what they say, `cuts` the connections that sleep has ended.
    """

    def __init__(
        self,
        upstream: tuple[str, int] | None = None,
        *,
        host: str = "127.0.0.1",
        certificate: ssl.SSLContext | None = None,
        password: str | None = None,
        rule: Rule = lambda _: None,
    ) -> None:
        self.host, self.port = host, 0
        self.upstream = upstream
        self.certificate = certificate
        self.password = password
        self.rule = rule
        self.gss_answer = b"N"
        self.ban_after: int | None = None
        self.ban: Literal["refused", "circuit breaker"] = "refused"
        self.idle: float | None = None
        self.told = True
        self.failures_on_wake = 0
        self.seconds_to_wake = 0.0
        self.connections = self.logins = self.wrong_passwords = self.cuts = 0
        self._failures_left = 0
        self._asleep = False
        self._names: WeakKeyDictionary[ssl.SSLObject, str | None] = WeakKeyDictionary()
        self._open: set[asyncio.StreamWriter] = set()
        self._listener: socket.socket
        # The loop itself keeps no hold of its tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def banned(self) -> bool:
        return self.ban_after is not None and self.wrong_passwords >= self.ban_after

    def sleep(self) -> None:
        """Cut every connection; what comes next finds a compute that has to wake up."""
        self._run(self._sleep())

    def close(self) -> None:
        """Refuse connections, as a port does where nobody listens."""
        self._run(self._close())

    def listen(self) -> None:
        """Accept connections again, on the same port."""
        self._run(self._listen())

    def _run(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(timeout=10)

    async def _listen(self) -> None:
        # asyncio's own server loses a connection that it takes while it is closed.
        self._listener = socket.create_server((self.host, self.port), backlog=100)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        with suppress(BlockingIOError):
            taken, _ = self._listener.accept()
            taken.setblocking(False)
            self._tasks.add(self._loop.create_task(self._begin(taken)))

    async def _begin(self, taken: socket.socket) -> None:
        await self._loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._accept), taken
        )

    async def _close(self) -> None:
        if self._listener.fileno() != -1:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    async def _stop(self) -> None:
        await self._close()
        # Among them are connections that are taken and not yet answered.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._open:
                writer.transport.abort()
            await asyncio.wait(others, timeout=_TICK)

    async def _sleep(self) -> None:
        self._fall_asleep()
        for writer in list(self._open):
            self._cut(writer)

    def _fall_asleep(self) -> None:
        self._asleep = True
        self._failures_left = self.failures_on_wake

    def _cut(self, client: asyncio.StreamWriter) -> None:
        self.cuts += 1
        if self.told:
            client.write(_ADMINISTRATOR.message())
            client.close()
        else:
            client.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            # The client may go whenever it likes, and so may the server.
            with suppress(OSError, EOFError, ssl.SSLError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            closed = asyncio.ensure_future(writer.wait_closed())
            # The end of TLS waits for the other side, which may have gone or have stopped reading.
            await asyncio.wait([closed], timeout=_POLITE)
            writer.transport.abort()
            await asyncio.gather(closed, return_exceptions=True)
            self._open.remove(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            if code == _GSS:
                writer.write(self.gss_answer)
            elif code == _SSL and self.certificate is None:
                writer.write(b"N")
            elif code == _SSL:
                writer.write(b"S")
                await self._encrypt(writer)
            else:
                break
        packet = head + await reader.readexactly(length - 8)
        if code == _CANCEL:
            await self._forward(packet, reader, writer)
            return
        self.logins += 1
        refusal = await self._judge(self._login(packet, writer))
        if refusal is None and self.upstream is None:
            refusal = await self._check_password(reader, writer)
        if refusal is None:
            await self._forward(packet, reader, writer)
        else:
            writer.write(refusal.message())
            await writer.drain()

    async def _encrypt(self, writer: asyncio.StreamWriter) -> None:
        context = self.certificate
        assert context is not None

        def note(secured: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            self._names[secured] = name

        context.sni_callback = note
        await writer.start_tls(context)

    def _login(self, packet: bytes, writer: asyncio.StreamWriter) -> Login:
        words = packet[8:].decode().split("\0")
        secured = writer.get_extra_info("ssl_object")
        return Login(
            dict(zip(words[0:-2:2], words[1:-2:2], strict=True)),
            encrypted=secured is not None,
            server_name=self._names.get(secured) if secured is not None else None,
        )

    async def _judge(self, login: Login) -> Refusal | None:
        refusal = self.rule(login)
        if refusal is None and self.banned and self.ban == "circuit breaker":
            self.wrong_passwords += 1
            refusal = CIRCUIT_BREAKER
        if refusal is None and self._failures_left:
            self._failures_left -= 1
            refusal = COMPUTE_NOT_REACHED
        if refusal is None and self._asleep:
            await asyncio.sleep(self.seconds_to_wake)
            self._asleep = False
        return refusal

    async def _check_password(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Refusal:
        writer.write(_ASK_FOR_PASSWORD)
        _, length = struct.unpack("!cI", await reader.readexactly(5))
        given = (await reader.readexactly(length - 4)).rstrip(b"\0").decode()
        if given == self.password:
            return Refusal("there is no server behind this front")
        await self._note_wrong_password()
        return Refusal("password authentication failed for user", "28P01")

    async def _note_wrong_password(self) -> None:
        self.wrong_passwords += 1
        if self.banned and self.ban == "refused":
            await self._close()

    async def _forward(
        self, packet: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert self.upstream is not None
        answers, server = await asyncio.open_connection(*self.upstream)
        moved = [time.monotonic()]
        try:
            server.write(packet)
            work = [
                asyncio.create_task(self._copy(reader, server, moved)),
                asyncio.create_task(self._copy_answers(answers, writer, moved)),
                asyncio.create_task(self._watch(writer, moved)),
            ]
            try:
                await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)
        finally:
            server.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: list[float]
    ) -> None:
        while block := await reader.read(_BLOCK):
            moved[0] = time.monotonic()
            writer.write(block)
            await writer.drain()

    async def _copy_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: list[float]
    ) -> None:
        """Read the server's messages until the login is decided, then copy what comes."""
        decided = False
        while not decided:
            head = await reader.readexactly(5)
            kind, length = struct.unpack("!cI", head)
            body = await reader.readexactly(length - 4)
            if kind == b"E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                if fields.get(b"C") in _WRONG_PASSWORD:
                    await self._note_wrong_password()
            decided = kind == b"E" or (kind == b"R" and body == bytes(4))
            writer.write(head + body)
            await writer.drain()
        await self._copy(reader, writer, moved)

    async def _watch(self, writer: asyncio.StreamWriter, moved: list[float]) -> None:
        """Fall asleep once nothing has moved for long enough."""
        while True:
            if self.idle is not None and time.monotonic() - moved[0] > self.idle:
                break
            await asyncio.sleep(_TICK)
        self._fall_asleep()
        self._cut(writer)
