"""Why a server, or the proxy before it, lets nobody in.

libpq gives no SQLSTATE for a failed connection, and the proxies send XX000 for nearly everything:
their text is the only sign. docs/decisions/0017-vendor-texts.md says where the texts come from.
"""

from __future__ import annotations

import re

from backend.causes import Cause

_NOT_ADMITTED = "{target} database at {where} lets nobody in this way: {said}"
_HOST_RULES = "Check {SSLMODE} in .env, and the server's pg_hba.conf."

WRONG_NAME = Cause(
    "wrong name",
    "certificate of the {target} server at {where} is made out for {name!r}",
    "Set {HOST} in .env to the name that the vendor gives, not to an address or an alias; if"
    " it is that name, somebody else answers there.",
    re.compile(r'server certificate for "(?P<name>[^"]*)".* does not match host name'),
)
UNTRUSTED = Cause(
    "untrusted certificate",
    "certificate of the {target} server at {where} is not trusted: {said}",
    "Set {SSLROOTCERT} in .env to the file with the CA that the vendor offers.",
    re.compile(r"certificate verify failed|self-signed certificate"),
)
ASLEEP = Cause(
    "asleep",
    "{target} database at {where} sleeps and did not wake up in time",
    "Try again in some seconds; if it stays so, see in the console whether it is suspended.",
    re.compile(
        r"[Cc]ouldn't connect to compute node|[Cc]ontrol plane request failed"
        r"|[Ff]ailed to connect to compute"
    ),
    passing=True,
)
NO_DATABASE = Cause(
    "no database",
    "database {name!r} does not exist at {where}",
    "Databases there: {databases}. Set {NAME} in .env.",
    re.compile(r'(?:database "(?=[^"]*" does not exist)|no such database: )(?P<name>[^"\n]*)'),
    state="3D000",
)
REFUSED = Cause(
    "refused",
    "{target} database at {where} refuses user {user!r}: {said}",
    "Check {USER} and {PASSWORD} in .env, and that the server at {where} is the one you mean.",
    re.compile(
        r"password authentication failed|SASL authentication failed|no password supplied"
        r"|is not permitted to log in|user not found in the database|permission denied for database"
        r'|role "[^"]*" does not exist'
    ),
    local_hint="Run `invoke up`, which sets the roles' passwords to those in .env.",
    hosted_hint="Check {USER} and {PASSWORD} in .env before the next attempt: a few wrong passwords"
    " in a row lead to a ban.",
)
NO_CONNECTION_LEFT = Cause(
    "no connection left",
    "{target} database at {where} has no connection left: {said}",
    "Close other clients or give their pools fewer connections, and use fewer workers (--jobs).",
    re.compile(
        r"too many clients already|too many connections for|remaining connection slots"
        r"|no more connections allowed|max_client_conn|max client connections reached"
        r"|Too many connections to this endpoint|Failed to acquire permit"
        r"|no session was to be had in time|query_wait_timeout"
    ),
    state="53300",
    passing=True,
)
NO_IPV6 = Cause(
    "no IPv6",
    "{target} server at {where} has IPv6 addresses only, and no IPv6 leads there from here",
    "Use Supabase's session pooler (its host with port 5432, user postgres.<project>) as {HOST},"
    " {PORT} and {USER}, or buy the project's IPv4 add-on.",
    # Only where no IPv4 address was tried.
    re.compile(
        r"(?s)\A(?!.*[(\"]\d+\.\d+\.\d+\.\d+[)\"]).*[(\"][0-9a-f:]+[)\"], port \d+ failed: "
        r"(?:Network is unreachable|No route to host|Cannot assign requested address)"
    ),
)
TIMED_OUT = Cause(
    "timed out",
    "{target} database at {where} takes connections but did not answer a login in time",
    "Try again: it may be overloaded, or wake up more slowly than usual.",
    re.compile(r"timeout expired"),
    passing=True,
)
ENDED = Cause(
    "ended by the server",
    "{target} server at {where} ended the connection: {said}",
    "It sleeps when idle, or was restarted: repeat the command.",
    re.compile(r"terminating connection due to|SSL connection has been closed unexpectedly"),
    passing=True,
)
LOST = Cause(
    "connection lost",
    "connection to the {target} database at {where} was lost: {said}",
    "Repeat the command; where it happens again, look at the server's log and the network.",
    re.compile(
        r"SSL SYSCALL error|server closed the connection|connection to server was lost"
        r"|could not (?:receive|send) data|no connection to the server|the connection is lost"
        r"|consuming input failed|sending query.* failed"
    ),
    passing=True,
)

# In this order: what is said more exactly comes first.
LOGIN_CAUSES = (
    Cause(
        "unknown tenant",
        "{target} pooler at {where} knows no project for user {user!r}",
        "Compare {USER} (postgres.<project> on the pooler) and {HOST} (its aws-0, aws-1 differ"
        " from project to project) with the dashboard's Connect dialog.",
        re.compile(
            r"Tenant or user not found|\(ENOTFOUND\)|tenant/user .* not found"
            r"|no tenant identifier provided"
        ),
    ),
    Cause(
        "no database behind the pooler",
        "{target} pooler at {where} does not reach the database behind it: {said}",
        "See in the dashboard whether the project is paused or restarting, and try again in ten"
        " minutes: the pooler asks no earlier.",
        re.compile(
            r"ECIRCUITBREAKER.*(?:database credentials|upstream database)"
            r"|auth_query connection failed|connection to database not available"
        ),
    ),
    Cause(
        "banned",
        "{target} server at {where} takes no more logins after too many wrong passwords",
        "Stop whatever logs in with an old password, correct {PASSWORD} in .env, and try nothing"
        " for ten minutes: each attempt prolongs the ban.",
        re.compile(
            r"[Cc]ircuit ?breaker|ECIRCUITBREAKER"
            r"|[Tt]oo many authentication (?:failures|errors)|\(EBANNED\)"
        ),
    ),
    Cause(
        "full session pool",
        "{target} session pool at {where} is full",
        "Use fewer workers (--jobs) and a smaller pool in the application, which together must"
        " stay below the pool's size (15 on small projects), or the direct connection.",
        re.compile(
            r"MaxClientsInSessionMode|EMAXCLIENTSESSION|EMAXCONNSESSION"
            r"|max clients reached in session mode"
        ),
        passing=True,
    ),
    NO_CONNECTION_LEFT,
    Cause(
        "asked for GSSAPI",
        "{target} pooler at {where} does not understand the question for GSSAPI encryption",
        "Set {SSLMODE}=require in .env, which asks for TLS at once.",
        re.compile(r"invalid response to GSSAPI negotiation"),
    ),
    Cause(
        "no plaintext",
        "{target} server at {where} lets nobody in without TLS",
        "Set {SSLMODE}=verify-full in .env.",
        re.compile(
            r"no pg_hba\.conf entry for .*(?:SSL off|no encryption)|ESSLREQUIRED"
            r"|SSL connection is required|connection is insecure"
        ),
        hosted=True,
    ),
    Cause(
        "no rule for this host",
        _NOT_ADMITTED,
        _HOST_RULES,
        re.compile(r"no pg_hba\.conf entry|pg_hba\.conf rejects"),
        hosted_hint="Check {SSLMODE} in .env, and the project's network restrictions.",
    ),
    Cause(
        "no tls",
        "{target} server at {where} speaks no TLS, which {SSLMODE} asks for",
        "Check that {HOST} and {PORT} in .env are those of the server that you mean.",
        re.compile(r"server does not support SSL"),
    ),
    Cause(
        "no trust file",
        "file of trusted certificates {name!r} cannot be read",
        "Set {SSLROOTCERT} in .env to the file with the server's CA, or empty it to trust the CAs"
        " that this machine trusts.",
        re.compile(r'root certificate file "(?P<name>[^"]*)"'),
    ),
    WRONG_NAME,
    UNTRUSTED,
    Cause(
        "endpoint not named",
        "neon proxy at {where} cannot tell which endpoint is meant",
        "Set {HOST} in .env to the endpoint's name, not to an address; a libpq older than 14"
        " does not send it.",
        re.compile(r"[Ee]ndpoint ID is not specified"),
    ),
    Cause(
        "no such endpoint",
        "neon proxy at {where} knows no such endpoint",
        "Compare {HOST} in .env with the console: the branch may have been deleted or renamed.",
        re.compile(r"requested (?:endpoint|project|branch) could not be found"),
    ),
    Cause(
        "quota",
        "{target} project at {where} has used up its plan: {said}",
        "Raise the plan's limits in the console, or wait for the next billing period.",
        re.compile(r"has exceeded the .* quota|exceeded the compute time"),
    ),
    Cause(
        "address not allowed",
        "{target} server at {where} does not let this machine's address in",
        "Add the address to the project's allowed addresses, IPv4 and IPv6.",
        re.compile(
            r"IP address .* is not allowed to connect|not in tenant allow_list|EADDRNOTALLOWED"
        ),
    ),
    Cause(
        "startup parameter",
        "pooler at {where} takes no startup parameter {name}",
        "The admin endpoint must not be a pooler's: {direct}; or give the setting to the role"
        " (ALTER ROLE {role} SET …).",
        re.compile(r"unsupported startup parameter(?: in options)?: (?P<name>[\w.]+)"),
    ),
    ASLEEP,
    Cause(
        "starting",
        "{target} database at {where} is not up yet: {said}",
        "Wait until it has started, then repeat the command.",
        re.compile(r"the database system is "),
        state="57P03",
        passing=True,
    ),
    NO_DATABASE,
    REFUSED,
    NO_IPV6,
    TIMED_OUT,
    ENDED,
    LOST,
)
# Where libpq may say so of a server that it has not reached at all.
DOUBTFUL = (NO_IPV6, TIMED_OUT, ENDED, LOST)

# What no text is needed for.
UNKNOWN_HOST = Cause(
    "unknown host",
    "{target} host {host!r} is not a known name",
    "Check {HOST} in .env.",
    hosted_hint="Check {HOST} in .env, and in the dashboard that the project is not paused.",
)
NO_ANSWER = Cause(
    "no answer",
    "{target} database: nothing answers at {where}",
    "Start that server, or check {HOST} and {PORT} in .env.",
    passing=True,
    local_hint="Start the stack with `invoke up`.",
    hosted_hint="Check {HOST} and {PORT} in .env, and in the dashboard that the project runs; after"
    " wrong passwords this address may be banned: then try nothing for a while.",
)
NOT_ADMITTED = Cause(
    "not admitted",
    _NOT_ADMITTED,
    _HOST_RULES,
    # A server that is starting asks nobody for a password, whatever language it says so in.
    passing=True,
    hosted_hint="Compare {HOST}, {PORT} and {USER} in .env with the dashboard, and ask the vendor's"
    " list of connection errors about this text.",
)
EXPIRED = Cause(
    "expired",
    "certificate of the {target} server at {where} has expired on {expires}",
    "Wait until the server has a new one; if its date is not that old, correct this machine's"
    " clock.",
)
NOT_YET_VALID = Cause(
    "not yet valid",
    "certificate of the {target} server at {where} is not valid yet",
    "Correct this machine's clock.",
)
UNKNOWN_AUTHORITY = Cause(
    "unknown authority",
    "certificate of the {target} server at {where} is signed by {issuer!r}, which is not trusted",
    "Set {SSLROOTCERT} in .env to the file with the vendor's CA; Supabase offers it in the"
    " database's settings (prod-ca-2021.crt).",
)
# By what a look at the certificate tells.
TLS_CAUSES = (EXPIRED, NOT_YET_VALID, UNKNOWN_AUTHORITY, WRONG_NAME)
