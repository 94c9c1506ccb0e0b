"""Command lines of pg_dump and pg_restore: built here, run elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

DUMP = "dump"
LISTS = "lists"

# What each list keeps back. Names with no schema are printed as a dash.
_EXTENSION = re.compile(r"^\d+; \d+ \d+ (?:EXTENSION - |COMMENT - EXTENSION )")
_CATALOG = re.compile(
    r"^\d+; \d+ \d+ (?:TABLE DATA|SEQUENCE SET) (?:_timescaledb_catalog|_timescaledb_config) "
)
_COLUMN_STATS = re.compile(r" TABLE DATA _timescaledb_catalog chunk_column_stats ")

# pg_restore of 17 and newer sets this on every connection; older servers do not know it.
UNKNOWN_SETTING = 'unrecognized configuration parameter "transaction_timeout"'
TRANSACTION_TIMEOUT_MAJOR = 17


def pg_dump(*, database: str, snapshot: str, jobs: int) -> list[str]:
    """Dump in the given snapshot, in parallel, into the folder `dump`.

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
        f"--dbname={_conninfo(database)}",
    ]


def table_of_contents() -> list[str]:
    """List the dump's entries."""
    return ["pg_restore", "--list", DUMP]


def lists(table_of_contents: str) -> dict[str, str]:
    """Split the entries into the lists that the stages of a restore use.

    Extensions are left out: they are created beforehand, in the version that the source had.
    TimescaleDB's catalog is a list of its own because its tables refer to each other by foreign
    keys that the dump knows nothing of, so it must not be loaded in parallel.
    """
    entries = [line for line in table_of_contents.splitlines() if re.match(r"^\d+;", line)]
    kept = [line for line in entries if not _EXTENSION.match(line)]
    catalog = [line for line in kept if _CATALOG.match(line)]
    statistics = [line for line in catalog if _COLUMN_STATS.search(line)]
    split = {
        "objects.list": [line for line in kept if line not in set(catalog)],
        "catalog.list": [line for line in catalog if line not in statistics],
        "column-stats.list": statistics,
    }
    return {name: "\n".join(lines) + "\n" for name, lines in split.items() if lines}


def restore_stages(
    *, database: str, jobs: int, lists: Sequence[str], role: str | None, strict: bool
) -> list[list[str]]:
    """Build the stages of a restore, in the order that TimescaleDB needs.

    `strict` stops at the first error; without it the caller has to judge the errors.
    """

    def stage(section: str, name: str, workers: int = 1) -> list[str]:
        argv = ["pg_restore", "--no-password", "--no-owner", "--no-privileges", "--no-tablespaces"]
        if strict:
            argv.append("--exit-on-error")
        if role is not None:
            argv.append(f"--role={role}")
        if workers > 1:
            argv.append(f"--jobs={workers}")
        argv += [f"--section={section}", f"--use-list={LISTS}/{name}"]
        return [*argv, f"--dbname={_conninfo(database)}", DUMP]

    stages = [stage("pre-data", "objects.list")]
    if "catalog.list" in lists:
        stages.append(stage("data", "catalog.list"))
    if "column-stats.list" in lists:
        # TimescaleDB 2.16 to 2.20.2 leaves rows there that break their own foreign key.
        replica = ["env", "PGOPTIONS=-c session_replication_role=replica"]
        stages.append([*replica, *stage("data", "column-stats.list")])
    stages.append(stage("data", "objects.list", jobs))
    stages.append(stage("post-data", "objects.list", jobs))
    return stages


def unexpected_errors(stderr: str) -> list[str]:
    """Return pg_restore's complaints but for the one setting that old servers do not know."""
    complaints = [
        line for line in stderr.splitlines() if re.match(r"pg_restore: (error|fatal):", line)
    ]
    return [line for line in complaints if UNKNOWN_SETTING not in line]


def major_version(version: str) -> int:
    """Read the major version from what `pg_dump --version` prints."""
    match = re.search(r"\) (\d+)", version)
    return int(match.group(1)) if match else 0


def _conninfo(database: str) -> str:
    # A bare name with an equals sign or a scheme in it would be read as a connection string.
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"
