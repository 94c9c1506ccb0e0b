"""Command lines of pg_dump and pg_restore: built here, run elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.reachability import another_try
from infra.postgres import names

DUMP = "dump"
LISTS = "lists"

# What no list holds; names with no schema are printed as a dash. Extensions are made beforehand, in
# the version that the source had. The others only a superuser may make, and nothing that a source
# brings along is run as one. Where hypertables keep their chunks is a matter of each server.
_LEFT_OUT = re.compile(
    r"^\d+; \d+ \d+ (?:(?:COMMENT|SECURITY LABEL) - )?"
    r"(?:EXTENSION|EVENT TRIGGER|SUBSCRIPTION|FOREIGN DATA WRAPPER|SERVER|USER MAPPING"
    r"|FOREIGN TABLE|SECURITY LABEL) "
    r"|^\d+; \d+ \d+ TABLE DATA _timescaledb_catalog tablespace "
)
_CATALOG = re.compile(
    r"^\d+; \d+ \d+ (?:TABLE DATA|SEQUENCE SET) (?:_timescaledb_catalog|_timescaledb_config) "
)
_COLUMN_STATS = re.compile(r" TABLE DATA _timescaledb_catalog chunk_column_stats ")

_SEQUENCE = re.compile(r"^\d+; \d+ \d+ SEQUENCE SET (?!_timescaledb_)")
_SETVAL = re.compile(
    r"^SELECT pg_catalog\.setval\('((?:[^']|'')*)', (-?\d+), (true|false)\);$", re.MULTILINE
)

_LOST = re.compile(
    r"server closed the connection|could not (?:receive|send) data|no connection to the server"
    r"|SSL connection has been closed|SSL SYSCALL error|terminating connection due to"
    r"|connection to server .* failed: (?:Connection|timeout|server closed|could not"
    r"|FATAL:  the database system is)"
)

_TORN = re.compile(r"^(pg_restore: (?:error|fatal): )(pg_restore: .*\n)", re.MULTILINE)

# pg_restore of 17 and newer sets this on every connection; older servers do not know it.
UNKNOWN_SETTING = 'unrecognized configuration parameter "transaction_timeout"'
TRANSACTION_TIMEOUT_MAJOR = 17


@dataclass(frozen=True)
class Stage:
    """One run of pg_restore; `reaches` is the state of a transfer when it is through.

    Only TimescaleDB's catalog needs a superuser; what the source wrote itself is never run as one.
    """

    argv: tuple[str, ...]
    reaches: str
    title: str
    superuser: bool = False


def pg_dump(*, database: str, snapshot: str, jobs: int, without: Sequence[str] = ()) -> list[str]:
    """Dump in the given snapshot, in parallel, into the folder `dump`; no schema of `without`.

    Which server, as whom and with what password stands in the environment, here and below.
    """
    return [
        "pg_dump",
        "--no-password",
        "--format=directory",
        f"--file={DUMP}",
        f"--jobs={jobs}",
        f"--snapshot={snapshot}",
        "--compress=zstd:3",
        "--quote-all-identifiers",
        "--lock-wait-timeout=60s",
        *_excluded(without),
        "--verbose",
        f"--dbname={_conninfo(database)}",
    ]


def schema_dump(*, database: str, snapshot: str, without: Sequence[str] = ()) -> list[str]:
    """Dump everything but rows in the given snapshot, into the file `dump`; not `without`.

    What TimescaleDB keeps for itself is left out at once: each chunk would be a table.
    """
    return [
        "pg_dump",
        "--no-password",
        "--format=custom",
        f"--file={DUMP}",
        "--schema-only",
        f"--snapshot={snapshot}",
        "--quote-all-identifiers",
        "--lock-wait-timeout=60s",
        "--exclude-schema=_timescaledb_*",
        "--exclude-schema=slipway_partitions",
        "--exclude-schema=slipway_stream",
        *_excluded(without),
        f"--dbname={_conninfo(database)}",
    ]


def _excluded(schemas: Sequence[str]) -> list[str]:
    # Quoted, a name is no pattern.
    return [f'--exclude-schema="{name}"' for name in schemas]


def table_of_contents(section: str = "") -> list[str]:
    """List the dump's entries, or those of one section."""
    return ["pg_restore", "--list", *([f"--section={section}"] if section else []), DUMP]


def pg_restore(
    *, database: str, list_file: str, jobs: int, strict: bool, section: str = ""
) -> tuple[str, ...]:
    """Restore the entries of a list; `strict` stops at the first error, else the caller judges.

    Asked for a section, pg_restore leaves out comments at the beginning of the list: it counts them
    to the section of what stands before them, which is all that is not listed.
    """
    words = ["pg_restore", "--no-password", "--no-owner", "--no-privileges", "--no-tablespaces"]
    if strict:
        words.append("--exit-on-error")
    if jobs > 1:
        words.append(f"--jobs={jobs}")
    words += ["--verbose", *([f"--section={section}"] if section else [])]
    words.append(f"--use-list={list_file}")
    return (*words, f"--dbname={_conninfo(database)}", DUMP)


def lists(
    table_of_contents: str,
    *,
    owners: Sequence[str] = (),
    without_publications: Sequence[str] = (),
    without_entries: Sequence[str] = (),
    orphaned_statistics: bool = False,
) -> dict[str, str]:
    """Split the entries into the lists that the stages of a restore use.

    TimescaleDB's catalog is a list of its own because its tables refer to each other by foreign
    keys that the dump knows nothing of, so it must not be loaded in parallel. Publications for all
    tables, which only a superuser may make, are named by the caller: no entry tells them apart.
    So are entries that cannot be made elsewhere, by their catalog and oid.
    Column statistics get a list of their own where TimescaleDB 2.16 to 2.20.2 has left rows that
    break their own foreign key.
    """
    entries = [line for line in table_of_contents.splitlines() if re.match(r"^\d+;", line)]
    # An entry ends with its owner, whose name may hold spaces as the others may.
    owner = "|".join([*map(re.escape, owners), r"\S+"])
    foreign = re.compile(rf"^\d+; \d+ \d+ FOREIGN TABLE (\S+) (.*?) (?:{owner})$")
    unwanted = [_publication(name, owner) for name in without_publications]
    unwanted += [re.compile(rf"^\d+; {re.escape(entry)} ") for entry in without_entries]
    unwanted += [_part_of(*found.groups()) for found in map(foreign.match, entries) if found]
    kept = [
        line
        for line in entries
        if not _LEFT_OUT.match(line) and not any(pattern.match(line) for pattern in unwanted)
    ]
    catalog = [line for line in kept if _CATALOG.match(line)]
    statistics = [line for line in catalog if orphaned_statistics and _COLUMN_STATS.search(line)]
    split = {
        "objects.list": [line for line in kept if line not in set(catalog)],
        "catalog.list": [line for line in catalog if line not in statistics],
        "column-stats.list": statistics,
    }
    return {name: "\n".join(lines) + "\n" for name, lines in split.items() if lines}


def sequence_entries(table_of_contents: str) -> str:
    """Return the entries that set sequences, as a list; empty where there are none."""
    lines = [line for line in table_of_contents.splitlines() if _SEQUENCE.match(line)]
    return "".join(f"{line}\n" for line in lines)


def print_entries(list_file: str) -> list[str]:
    """Print the statements of a list's entries instead of running them."""
    return ["pg_restore", "--section=data", f"--use-list={list_file}", "--file=-", DUMP]


def sequence_values(statements: str) -> dict[tuple[str, ...], tuple[int, bool]]:
    """Read from the dump's statements what each sequence, by schema and name, is set to."""
    return {
        names.parts(match.group(1).replace("''", "'")): (
            int(match.group(2)),
            match.group(3) == "true",
        )
        for match in _SETVAL.finditer(statements)
    }


def restore_stages(*, database: str, jobs: int, lists: Sequence[str], strict: bool) -> list[Stage]:
    """Build the stages of a restore, in the order that TimescaleDB needs.

    `strict` stops at the first error; without it the caller has to judge the errors.
    """

    def argv(section: str, name: str, workers: int = 1) -> tuple[str, ...]:
        return pg_restore(
            database=database,
            section=section,
            list_file=f"{LISTS}/{name}",
            jobs=workers,
            strict=strict,
        )

    stages = [Stage(argv("pre-data", "objects.list"), "schema", "making tables and types")]
    if "catalog.list" in lists:
        catalog = argv("data", "catalog.list")
        stages.append(Stage(catalog, "rows", "loading TimescaleDB's catalog", superuser=True))
    if "column-stats.list" in lists:
        # A replica checks no foreign keys.
        replica = ("env", "PGOPTIONS=-c session_replication_role=replica")
        statistics = (*replica, *argv("data", "column-stats.list"))
        title = "loading TimescaleDB's column statistics"
        stages.append(Stage(statistics, "rows", title, superuser=True))
    stages.append(Stage(argv("data", "objects.list", jobs), "rows", "loading rows"))
    post = argv("post-data", "objects.list", jobs)
    stages.append(Stage(post, "indexes", "making indexes and constraints"))
    return stages


def lost_connection(stderr: str) -> bool:
    """Tell from libpq's own words, which are English here, that the server went away.

    So it is with one that sleeps, or has no connection left at the moment.
    """
    return _LOST.search(stderr) is not None or another_try(stderr) is True


def unexpected_errors(stderr: str) -> list[str]:
    """Return pg_restore's complaints but for the one setting that old servers do not know.

    Workers write at the same time: a complaint may be torn after its first words by another line.
    """
    while (mended := _TORN.sub(r"\2\1", stderr)) != stderr:
        stderr = mended
    complaints = [
        line for line in stderr.splitlines() if re.match(r"pg_restore: (error|fatal):", line)
    ]
    return [line for line in complaints if UNKNOWN_SETTING not in line]


def _publication(name: str, owner: str) -> re.Pattern[str]:
    raw = ".".join(names.parts(name))
    plain, quoted = re.escape(raw), re.escape(raw.replace('"', '""'))
    return re.compile(
        rf'^\d+; \d+ \d+ (?:PUBLICATION - {plain} (?:{owner})$|COMMENT - PUBLICATION "{quoted}" '
        rf"|PUBLICATION TABLES? (?:IN SCHEMA )?\S+ {plain} )"
    )


def _part_of(schema: str, table: str) -> re.Pattern[str]:
    """Match what hangs on a table: its triggers, and comments on it and on its parts."""
    schema, quoted, table = map(re.escape, (schema, table.replace('"', '""'), table))
    return re.compile(
        rf"^\d+; \d+ \d+ (?:TRIGGER|RULE|DEFAULT|CONSTRAINT) {schema} {table} "
        rf'|^\d+; \d+ \d+ COMMENT {schema} (?:FOREIGN TABLE|COLUMN) "{quoted}"[ .]'
        rf'|^\d+; \d+ \d+ COMMENT {schema} (?:CONSTRAINT|TRIGGER|RULE) ".*" ON "{quoted}" '
    )


def major_version(version: str) -> int:
    """Read the major version from what `pg_dump --version` prints."""
    match = re.search(r"\) (\d+)", version)
    return int(match.group(1)) if match else 0


def _conninfo(database: str) -> str:
    # A bare name with an equals sign or a scheme in it would be read as a connection string.
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"
