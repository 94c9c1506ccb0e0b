from __future__ import annotations

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from backend import envfile
from infra import connection_string
from infra.connection_string import ConnectionString
from infra.errors import ConfigurationError, UsageError

HOST = "ep-calm-sea-a1b2c3d4.eu-central-1.aws.neon.tech"
PLACE = f"{HOST}:5432/neondb"
CANARY = "Kestrel"

# Whatever can stand on one line. Line ends and NUL are refused, surrogates are no text.
ONE_LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
# The signs that connection strings are built of.
SIGNS = st.text(alphabet="#/?@:&=%+[]'\"\\;,.- ab1", max_size=10)
NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)


def one(text: str) -> ConnectionString:
    (found,) = connection_string.parse(text)
    return found


def password(text: str) -> str:
    found = one(text).password
    return found.reveal() if found else ""


def outcome(text: str) -> ConnectionString | str:
    """Return what a text says, or what is said of it."""
    try:
        return one(text)
    except (UsageError, ConfigurationError) as error:
        return f"{error.message}\n{error.hint}"


def looks_encoded(secret: str) -> bool:
    return re.search("%[0-9A-Fa-f]{2}", secret) is not None


def percent(text: str) -> str:
    return quote(text, safe="")


@settings(max_examples=200)
@given(NAMES, ONE_LINE | SIGNS, NAMES)
@example("postgres.ref", string.punctuation, "name with spaces")
@example(",", ",", ",")
def test_a_url_that_is_percent_encoded_says_what_was_encoded(
    user: str, secret: str, database: str
) -> None:
    secret = f"{secret}{CANARY}"
    url = f"postgresql://{percent(user)}:{percent(secret)}@{HOST}:5432/{percent(database)}"

    for text in (
        url,
        f"psql '{url}?sslmode=require'",
        f'DATABASE_URL="{url}"',
        f"{url}?pgbouncer=",
    ):
        found = one(text)
        assert (found.user, password(text), found.database) == (user, secret, database)
        assert (found.host, found.port) == (HOST, 5432)


@settings(max_examples=100)
@given(NAMES, ONE_LINE | SIGNS)
@example("u", string.punctuation)
def test_a_jdbc_url_that_is_percent_encoded_says_what_was_encoded(user: str, secret: str) -> None:
    secret = f"{secret}{CANARY}"
    query = (
        f"user={percent(user)}&password={percent(secret)}&sslmode=require&channelBinding=require"
    )

    found = one(f"jdbc:postgresql://{PLACE}?{query}")

    assert found.password
    assert (found.user, found.password.reveal()) == (user, secret)
    assert (found.database, found.sslmode, found.ignored) == (
        "neondb",
        "require",
        ("channel_binding",),
    )


@settings(max_examples=100)
@given(NAMES, ONE_LINE | SIGNS, NAMES)
@example("u", string.punctuation, "d")
def test_a_keyword_string_is_read_as_libpq_wrote_it(user: str, secret: str, name: str) -> None:
    secret = f"{secret}{CANARY}"
    text = make_conninfo(host=HOST, user=user, password=secret, dbname=name, port=5432)

    found = one(text)

    assert (found.host, found.port, found.user, found.database) == (HOST, 5432, user, name)
    assert password(text) == secret


@settings(max_examples=100)
@given(ONE_LINE | SIGNS)
@example(string.punctuation)
def test_variables_are_read_as_they_stand_in_an_env_file(secret: str) -> None:
    secret = f"{secret}{CANARY}"
    text = f"PGHOST='{HOST}'\nPGDATABASE='neondb'\nPGUSER='u'\nPGPASSWORD={envfile.quote(secret)}\n"

    assert password(f"{text}PGSSLMODE='require'\nPGCHANNELBINDING='require'\n") == secret


@settings(max_examples=500)
@given(SIGNS, SIGNS)
@example("p@ss/w#rd?:", "")
@example("", "@x.y/z?a=b")
@example("50%", "off")
@example("%40", "@")
def test_a_password_that_is_not_encoded_comes_whole_or_not_at_all(before: str, after: str) -> None:
    secret = f"{before}{CANARY}{after}"
    # What looks encoded is taken to be.
    assume(not looks_encoded(secret))

    for url in (f"postgresql://u:{secret}@{PLACE}", f"postgres://u:{secret}@{PLACE}?ssl=true"):
        found = outcome(url)
        if isinstance(found, str):
            assert CANARY not in found
        else:
            assert found.password
            assert (found.password.reveal(), found.host, found.database) == (secret, HOST, "neondb")


@settings(max_examples=300)
@given(SIGNS, SIGNS)
@example("", "&b=c")
@example("", "&b=c&d")
@example("a+b", "")
@example("", ";")
@example("", " # main")
def test_a_jdbc_password_that_is_not_encoded_comes_whole_or_not_at_all(
    before: str, after: str
) -> None:
    secret = f"{before}{CANARY}{after}"
    assume(not looks_encoded(secret))

    # Blanks at the end of a line are no part of it.
    for written, query in ((secret, "&sslmode=require"), (secret.rstrip(), " ")):
        found = outcome(f"jdbc:postgresql://{PLACE}?user=u&password={written}{query}")
        if isinstance(found, str):
            assert CANARY not in found
        else:
            assert found.password
            assert found.password.reveal() == written


SHAPES = [
    f"postgresql://user:{CANARY}@{PLACE}?sslmode=require&channel_binding=require",
    f"psql 'postgresql://user:a@b/{CANARY}@{PLACE}?sslmode=require'",
    f"jdbc:postgresql://{PLACE}?user=user&password={CANARY}&sslmode=require",
    f"host={HOST} user=user password='{CANARY} {CANARY}' dbname=neondb",
    f"PGHOST='{HOST}'\nPGUSER='user'\nPGPASSWORD='{CANARY}'\nPGDATABASE='neondb'",
    f"PGPASSWORD={CANARY} psql -h {HOST} -U user -d neondb",
]


@pytest.mark.parametrize("text", SHAPES)
def test_a_string_that_is_cut_short_shows_no_password(text: str) -> None:
    for end in range(len(text) + 1):
        assert CANARY not in str(outcome(text[:end]))


@settings(max_examples=300)
@given(st.sampled_from(SHAPES), st.data())
def test_a_string_that_lost_a_piece_is_refused_without_its_password(
    text: str, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))

    found = outcome(text[:begin] + text[end:])

    assert not isinstance(found, str) or CANARY not in found


NEON = f"postgresql://neondb_owner:npg_x1@{PLACE}?sslmode=require&channel_binding=require"

QUERY = "user=neondb_owner&password=npg_x1&sslmode=require"
KEYWORDS = (
    f"host={HOST} dbname=neondb user=neondb_owner password='npg_x1' sslmode=require"
    " channel_binding=require"
)
VARIABLES = "PGSSLMODE=require PGCHANNELBINDING=require PGPASSWORD='npg_x1'"


@pytest.mark.parametrize(
    "text",
    [
        NEON,
        f"  {NEON}  \n",
        f"\ufeff{NEON}\r\n",
        NEON.replace("postgresql://", "postgres://"),
        NEON.replace("postgresql://", "postgresql+psycopg://"),
        NEON.replace("postgresql://", "postgresql+psycopg_async://"),
        NEON.replace("postgresql://", "postgresql+asyncpg://").replace("sslmode=", "ssl="),
        NEON.replace("sslmode=require", "ssl=true"),
        NEON.replace(":5432", ":"),
        f"psql '{NEON}'",
        f'$ psql "{NEON}"',
        f"psql {NEON} -c 'select 1'",
        f"psql -d '{NEON}'",
        f"psql --dbname='{NEON}'",
        f'DATABASE_URL="{NEON}"',
        f"DATABASE_URL={NEON}",
        f"export DATABASE_URL='{NEON}';",
        f"DATABASE_URL={NEON}  # the main branch",
        f'$env:DATABASE_URL = "{NEON}"',
        f"set DATABASE_URL={NEON}",
        f"DATABASE_URL: {NEON}",
        f'"DATABASE_URL": "{NEON}",',
        f"# Connect with\nDATABASE_URL={NEON}\nNODE_ENV=production\n",
        f"DATABASE_URL={NEON}\nDATABASE_URL_AGAIN={NEON}\n",
        f"postgresql://{PLACE}?{QUERY}&channel_binding=require",
        f"postgresql:///neondb?host={HOST}&{QUERY}&channel_binding=require",
        f"jdbc:postgresql://{PLACE}?{QUERY}&channelBinding=require",
        KEYWORDS,
        KEYWORDS.replace("dbname", "database").replace(" user", "\n username"),
        f'psql "{KEYWORDS}"',
        f"{VARIABLES} psql -h {HOST} -U neondb_owner neondb",
        f"{VARIABLES} psql \\\n  --host={HOST} \\\n  --username neondb_owner -d neondb",
        f"{VARIABLES} PGHOST={HOST} PGDATABASE=neondb PGUSER=neondb_owner".replace(
            " ", "\nexport "
        ),
    ],
)
def test_one_string_in_every_shape_says_the_same(text: str) -> None:
    found = one(text)

    assert (found.host, found.port or 5432, found.database) == (HOST, 5432, "neondb")
    assert (found.user, password(text), found.placeholder) == ("neondb_owner", "npg_x1", "")
    assert (found.sslmode, found.sslrootcert, found.options) == ("require", "", "")
    assert found.ignored == ("channel_binding",)


def test_what_is_left_out_is_empty() -> None:
    found = one(f"postgresql://{HOST}")

    assert found == ConnectionString(HOST, None, "", "", None, "", "", "", "", ())


def test_foreign_parameters_are_named_and_options_are_kept() -> None:
    found = one(
        f"postgresql://u:p@{PLACE}?pgbouncer=true&connection_limit=1&gssencmode=disable&mine=1"
        "&target_session_attrs=read-write&options=endpoint%3Dep-x&sslrootcert=/ca.crt"
    )

    assert found.ignored == (
        "connection_limit",
        "gssencmode",
        "mine",
        "pgbouncer",
        "target_session_attrs",
    )
    assert (found.options, found.sslrootcert) == ("endpoint=ep-x", "/ca.crt")


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("options=reference%3Dabc", "reference=abc"),
        ("options=endpoint=ep-x", "endpoint=ep-x"),
        ("options=-c%20jit%3Don", "-c jit=on"),
        ("options=-c jit=on", "-c jit=on"),
    ],
)
def test_startup_options_are_read_encoded_and_not(query: str, options: str) -> None:
    assert one(f"postgresql://u:p@{PLACE}?{query}").options == options


@pytest.mark.parametrize(
    "placeholder",
    [
        "[YOUR-PASSWORD]",
        "[YOUR_PASSWORD]",
        "[PASSWORD]",
        "[DB-PASSWORD]",
        "<password>",
        "YOUR_PASSWORD",
        "your-db-password",
        "${PGPASSWORD}",
        "****************",
        "npg_************",
        "change-me",
    ],
)
def test_a_placeholder_is_no_password(placeholder: str) -> None:
    found = one(f"postgresql://u:{placeholder}@{PLACE}")

    assert (found.password, found.placeholder) == (None, placeholder)


@pytest.mark.parametrize("secret", ["password", "my[password]", "**", "$PG", "<b>"])
def test_a_weak_password_is_one(secret: str) -> None:
    assert password(f"postgresql://u:{secret}@{PLACE}") == secret


def test_an_address_of_version_6_needs_no_brackets_afterwards() -> None:
    assert one("postgresql://u:p@[2001:DB8::1]:6543/d").host == "2001:db8::1"
    assert one("postgresql://u:p@[2001:DB8::1]/d").port is None


def test_a_text_may_hold_several_strings() -> None:
    direct, pooled = connection_string.parse(
        f'DIRECT_URL="postgresql://u:p@{HOST}/d"\nDATABASE_URL="postgresql://u:p@pool.{HOST}/d"'
    )

    assert (direct.host, pooled.host) == (HOST, f"pool.{HOST}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no connection string was given"),
        ("\n# only a comment\n", "no connection string was given"),
        ("hello", "the connection string is not understood"),
        ("https://console.neon.tech/app", "the connection string is not understood"),
        (f"postgresql://u:p@{HOST}/d/e", "the connection string is not understood"),
        (f"postgresql://u:p@{HOST}/d?sslmode", "the connection string is not understood"),
        (f"host={HOST} password='p", "the connection string is not understood"),
        (f"host={HOST} password='p'q", "the connection string is not understood"),
        ("psql --host=a.b --unknown", "the psql command is not understood"),
        ("psql -h 'a.b", "the psql command is not understood"),
        (f"connect to {NEON}", "what stands before the connection string is not understood"),
        (f"psql '{NEON}", "the quotes of the connection string are not closed"),
        (f"{NEON[:40]}\n{NEON[40:]}", "the connection string does not stand on one line"),
        (f"postgresql://u:x@y.z/d?e=f@{PLACE}", "the connection string can be read in two ways"),
        (f"postgresql://u:a@b%40c@{PLACE}", "the password is percent-encoded in part only"),
        (f"postgresql://u:a%b%40c@{PLACE}", "the password is percent-encoded in part only"),
        (
            f"postgresql://u:%e9t%e9@{PLACE}",
            "the connection string is percent-encoded, but not as UTF-8",
        ),
        (
            f"postgresql://u:a%0Ab@{PLACE}",
            "the password holds a line end, which cannot stand in .env",
        ),
        (
            f"postgresql://u%07:p@{PLACE}",
            "the user of the connection string holds a character that cannot be printed",
        ),
        (
            f"host={HOST} password=a def=b",
            "the password may go on in what follows it, which is no known parameter",
        ),
        (
            f"jdbc:postgresql://{PLACE}?user=u&password=a+b",
            "the password can be read in two ways",
        ),
        ("postgresql://u:p@/d", "the connection string names no host"),
        ("dbname=d user=u", "the connection string names no host"),
        ("postgresql://u:p@a.b,c.d/e", "the connection string names several hosts"),
        ("postgresql://u:p@a.b:1,c.d:2/e", "the connection string names several hosts"),
        (
            "postgresql://u:p@server/d",
            "the host is no full name, nor an address",
        ),
        (
            "host=db.[YOUR-PROJECT].supabase.co user=u",
            "the host is no full name, nor an address",
        ),
        ("postgresql://u:p@a.b:65536/d", "the port of the connection string is no port number"),
        ("host=a.b port=many", "the port of the connection string is no port number"),
        (
            f"postgresql://u:p@{PLACE}?sslmode=strict",
            "the sslmode of the connection string does not exist",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        connection_string.parse(text)

    assert caught.value.message == message


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "[::1]",
        "db",
        "host.docker.internal",
        "%2Fvar%2Frun%2Fpostgresql",
    ],
)
def test_a_string_for_this_machine_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="leads to this machine, not to a vendor"):
        connection_string.parse(f"postgresql://u:p@{host}:5432/d")


def test_a_problem_of_variables_is_named_without_their_values() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connection_string.parse(f"PGHOST={HOST}\nPGPASSWORD={CANARY}$HOME\n")

    assert caught.value.message == "the text: line 2: PGPASSWORD holds a $ that Compose expands"
