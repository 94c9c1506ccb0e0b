"""The server that a load goes to, and the staging database there until it goes live."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from backend.config import Endpoint
from infra.engine.tools import Server
from infra.errors import VerificationError
from infra.postgres import digest
from infra.postgres.connection import Connection, connect
from infra.transfer import counting, privileges, probe, swap
from infra.transfer.compare import Comparison
from infra.transfer.journal import Boundary, Record
from infra.transfer.landing import Landing
from infra.transfer.progress import Progress
from infra.transfer.receipt import Receipt
from infra.transfer.verify import against_landing
from migrations.roles import grant_application_role

_NAMED = 5


@dataclass(frozen=True)
class Destination:
    """A target's server: who makes databases there, who owns them, and the application's role.

    The first is a superuser on a server of our own, elsewhere the owner. The servers say how a
    client-tool container logs in as one or the other. `role` is the owner's, by whatever name he
    logs in; `in_place` says that no other database can take the live one's place, and
    `platform_schemas` are those that are not the owner's.
    """

    superuser: Endpoint
    owner: Endpoint
    role: str
    application: str
    superuser_server: Server
    owner_server: Server
    in_place: bool = False
    platform_schemas: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Return the name of the target."""
        return self.superuser.target

    @property
    def database(self) -> str:
        """Return the live database's name."""
        return self.superuser.database

    @contextmanager
    def connect(
        self, database: str, *, as_owner: bool = False, autocommit: bool = True
    ) -> Iterator[Connection]:
        """Open a connection to one of the server's databases."""
        endpoint = self.owner if as_owner else self.superuser
        with connect(endpoint, "target", database=database, autocommit=autocommit) as connection:
            yield connection

    def landing(self, connection: Connection) -> Landing:
        """Ask the server what becomes of roles and settings there."""
        return Landing.read(connection, owner=self.role, application=self.application)


class Staging:
    """The database beside the live one that rows are loaded into, verified, and swapped from."""

    def __init__(self, destination: Destination, *, jobs: int, progress: Progress) -> None:
        self.destination = destination
        self.name = swap.staging_name(destination.database)
        self._jobs = jobs
        self._progress = progress

    @contextmanager
    def connect(self, *, as_owner: bool = False, autocommit: bool = False) -> Iterator[Connection]:
        """Open a connection to it."""
        with self.destination.connect(
            self.name, as_owner=as_owner, autocommit=autocommit
        ) as connection:
            yield connection

    @contextmanager
    def owned(self) -> Iterator[Connection]:
        """Connect as its owner, in autocommit; texts are those of a receipt."""
        with self.connect(as_owner=True, autocommit=True) as connection:
            digest.pin(connection)
            yield connection

    def number(self, maintenance: Connection) -> int | None:
        """Return the number of the database that a load has begun in; None without one."""
        return swap.oid(maintenance, self.name)

    def create(self, maintenance: Connection) -> int | None:
        """Make it empty, whatever was there, and return its number."""
        swap.drop(maintenance, self.name)
        swap.create_staging(maintenance, self.destination.database, self.destination.role)
        return swap.oid(maintenance, self.name)

    def discard(self, maintenance: Connection) -> None:
        """Remove what was loaded."""
        swap.drop(maintenance, self.name)

    def settle(self, source: Receipt) -> None:
        """Give rights and settings as the receipt has them."""
        self._progress.stage("granting rights")
        there = self.destination
        with self.connect() as connection:
            if there.application != there.role:
                grant_application_role(connection, there.role, there.application)
            privileges.apply(connection, source, there.landing(connection))
            connection.commit()

    def receipt(self, *, recode: bool) -> Receipt:
        """Count and hash what is in it, and meanwhile give the planner its statistics."""
        with self._analysing(), counting.snapshot(self.connect) as moment:
            return counting.take(
                moment, self.connect, jobs=self._jobs, progress=self._progress, recode=recode
            )

    @contextmanager
    def _analysing(self) -> Iterator[None]:
        with self.connect(autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
            analysed = pool.submit(connection.execute, "ANALYZE")
            try:
                yield
                analysed.result()
            except BaseException:
                connection.cancel_safe(timeout=5)
                raise

    def compare(self, expected: Receipt, arrived: Receipt) -> Comparison:
        """Compare what the source held, in the target's terms, with what arrived."""
        with self.connect() as connection:
            return against_landing(expected, arrived, self.destination.landing(connection))

    def require(self, comparison: Comparison, origin: str) -> None:
        """Raise VerificationError for any difference, then try to write into each hypertable."""
        if comparison.differences:
            shown = "; ".join(map(str, comparison.differences[:_NAMED]))
            more = len(comparison.differences) - _NAMED
            raise VerificationError(
                f"what arrived differs from {origin}: {shown}"
                + (f"; and {more} more" if more > 0 else ""),
                "The live database is untouched; the report in data/reports names everything.",
                tuple(map(str, comparison.differences)),
            )
        self._progress.stage("writing a row into each hypertable, to be taken back")
        with self.connect(as_owner=True) as connection:
            probe.write(connection)

    def go_live(self, maintenance: Connection, record: Record, boundary: Boundary) -> None:
        """Put it in the live database's place."""
        self._progress.stage("swapping")
        swap.swap(maintenance, self.destination.database, boundary)
        record.reach("swapped")
        swap.start_workers(self.destination.superuser)
        record.reach("done")
