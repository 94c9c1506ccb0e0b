"""Why a server refuses a statement, where that has to do with how it is hosted or reached."""

from __future__ import annotations

import re

from backend.causes import Cause
from backend.login_causes import ENDED, LOST, NO_CONNECTION_LEFT

_POOLED = (
    "Between statements a pooler in transaction mode changes the session: the admin endpoint must"
    " not be one, so {direct}; an application sets prepare_threshold to None there."
)

READ_ONLY = Cause(
    "read-only",
    "{target} database at {where} is read-only: {said}",
    "That is so where default_transaction_read_only is set (by whoever freezes the database, by"
    " the host of a full disk, or by another client of the same pooler), and on a read replica.",
    re.compile(r"in a read-only transaction"),
    state="25006",
)

STATEMENT_CAUSES = (
    READ_ONLY,
    Cause(
        "statement timeout",
        "{target} server at {where} ended a statement that took too long (statement_timeout)",
        "Raise it for the role with ALTER ROLE {role} SET statement_timeout = '1h', then repeat the"
        " command; Supabase's default is 2 minutes, 8 and 3 seconds for the roles of its API.",
        re.compile(r"canceling statement due to statement timeout"),
        state="57014",
    ),
    Cause(
        "replica role",
        "user {user!r} may not set {name} on the {target} server at {where}",
        "Neon lets nobody set it, Supabase not within functions: load triggers and foreign keys"
        " after the rows, as `invoke transfer` does, or ALTER TABLE … DISABLE TRIGGER USER.",
        re.compile(r'permission denied to set parameter "(?P<name>session_replication_role)"'),
        state="42501",
    ),
    Cause(
        "timescaledb catalog",
        "user {user!r} may not set {name} on the {target} server at {where}",
        "A dump of TimescaleDB's own tables cannot be loaded without a superuser: use"
        " `invoke transfer`, which makes the hypertables anew and copies their rows.",
        re.compile(r'permission denied to set parameter "(?P<name>timescaledb\.\w+)"'),
        state="42501",
    ),
    Cause(
        "superuser setting",
        "user {user!r} may not set {name} on the {target} server at {where}",
        "Leave the setting out, or let the vendor set it; only a superuser may.",
        re.compile(r'permission denied to set parameter "(?P<name>[^"]+)"'),
        state="42501",
    ),
    Cause(
        "default privileges",
        "user {user!r} may not change another role's default privileges on the {target} server at"
        " {where}",
        "Restore with --no-privileges (also called --no-acl), and grant afterwards.",
        re.compile(r"permission denied to change default privileges"),
        state="42501",
    ),
    Cause(
        "extension owner",
        "extension {name!r} belongs to the vendor on the {target} server at {where}",
        "Leave COMMENT ON EXTENSION and ALTER EXTENSION out of the restore: take their lines out of"
        " what pg_restore --list prints, and give the rest to --use-list.",
        re.compile(r'must be owner of extension "?(?P<name>[^"\s]+)"?'),
        state="42501",
    ),
    Cause(
        "apache edition",
        '{target} server at {where} has TimescaleDB\'s edition "{name}", which cannot do this:'
        " {said}",
        "Compression, continuous aggregates and policies need the community edition, which hosted"
        " databases do not have: `invoke transfer` leaves them out or makes tables of them.",
        re.compile(r'not supported under the current "(?P<name>\w+)" license'),
        state="0A000",
    ),
    Cause(
        "prepared statement lost",
        "pooler at {where} lost a prepared statement: {said}",
        _POOLED,
        re.compile(r'prepared statement "[^"]*" does not exist'),
        state="26000",
    ),
    Cause(
        "prepared statement of another",
        "pooler at {where} has given us the session of another client: {said}",
        _POOLED,
        re.compile(r'prepared statement "[^"]*" already exists'),
        state="42P05",
    ),
    Cause(
        "settings refused",
        "pooler at {where} takes no SET: {said}",
        _POOLED,
        re.compile(r"ESETNOTALLOWED|session-level SET statements are not allowed"),
    ),
    Cause(
        "empty search_path",
        "relation {name!r} is not found in {target} database {database!r} at {where}",
        "Where the table is there, the session's search_path is empty: a restore leaves it so on a"
        " pooler in transaction mode. The admin endpoint must not be one, so {direct}; until the"
        " pooler has new sessions, name the schema with the table.",
        # A name with its schema is looked up without search_path.
        re.compile(r'relation "(?P<name>[^".]+)" does not exist'),
        state="42P01",
    ),
    Cause(
        "newer client tools",
        "{target} server at {where} is older than the client tools: it knows no {name}",
        "Use pg_dump and pg_restore of the server's major version: set TOOLS_IMAGE in .env.",
        re.compile(r'unrecognized configuration parameter "(?P<name>transaction_timeout)"'),
        state="42704",
    ),
    NO_CONNECTION_LEFT,
    ENDED,
    LOST,
)

# Which of the four it is, told by asking the server.
REPLICA = Cause(
    "read replica",
    "{target} server at {where} is a read replica",
    "Set {HOST} in .env to the primary's endpoint.",
)
FROZEN = Cause(
    "frozen",
    "{target} database at {where} is frozen: default_transaction_read_only is set for its {owner}",
    "Somebody wants nothing to change there; once that is over: ALTER {thawed} RESET"
    " default_transaction_read_only.",
)
DISK_FULL = Cause(
    "read-only server",
    "{target} server at {where} is read-only as a whole",
    "A vendor does that when the disk or the plan's limit is full (Supabase's free plan: 500 MB):"
    " make room or raise the limit in the dashboard, then repeat the command.",
)
ONE_SESSION = Cause(
    "read-only session",
    "a session of the {target} server at {where} is read-only, the database is not",
    "Another client of the same pooler has set it, and the pooler passed it on: the admin endpoint"
    " must not be a pooler's in transaction mode, so {direct}.",
)
READ_ONLY_CAUSES = (REPLICA, FROZEN, DISK_FULL, ONE_SESSION)
