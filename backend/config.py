"""The reader of the environment: which target, which endpoints, as whom, from where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy.engine import URL

from backend import envfile, trust
from backend.variables import Variables

TargetName = Literal["local", "supabase", "neon"]
TARGET_NAMES: tuple[TargetName, ...] = get_args(TargetName)
ENV_FILE = Path(__file__).resolve().parent.parent / ".env"

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Elsewhere than here nothing may go on in plaintext unless that is what was asked for.
_HOSTED_SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
# Only there is the pooler's name made of the server's.
_NEON = ".neon.tech"
# A hosted database that sleeps needs this long to wake. Seconds.
_CONNECT_TIMEOUT = 15


@dataclass(frozen=True, repr=False)
class Secret:
    """A password: it shows itself only when asked to."""

    _value: str

    def reveal(self) -> str:
        """Return the clear text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


@dataclass(frozen=True)
class Endpoint:
    """A way into a target: `admin` is direct or session-pooled, `app` may be transaction-pooled.

    `sslrootcert` is the path of a file of CA certificates, or `system` for the machine's.
    """

    target: str
    role: Literal["admin", "app"]
    host: str
    port: int
    database: str
    user: str
    password: Secret
    sslmode: str = "prefer"
    sslrootcert: str | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    def certificates(self) -> Path | None:
        """Return the file of those whose word is taken for the server, where it is asked for."""
        if self.sslrootcert == trust.SYSTEM:
            return trust.bundle() if self.sslmode == "verify-full" else None
        return Path(self.sslrootcert) if self.sslrootcert else None

    def conninfo(self) -> dict[str, Any]:
        """Return psycopg's keyword arguments."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password.reveal(),
            "connect_timeout": _CONNECT_TIMEOUT,
            **trust.parameters(self.sslmode, self.certificates()),
        }

    def sqlalchemy_url(self) -> URL:
        """Return the URL for SQLAlchemy's psycopg dialect; its text masks the password."""
        query = {
            "connect_timeout": str(_CONNECT_TIMEOUT),
            **trust.parameters(self.sslmode, self.certificates()),
        }
        return URL.create(
            "postgresql+psycopg",
            username=self.user,
            password=self.password.reveal(),
            host=self.host,
            port=self.port,
            database=self.database,
            query=query,
        )


@dataclass(frozen=True)
class RedisEndpoint:
    """Where Redis listens."""

    host: str
    port: int
    password: Secret


@dataclass(frozen=True)
class Config:
    """What the application and the migrator need to know.

    `redis` is None where no password for it is set: everything works without it. `superuser` and
    `socket_dir` exist on the local target only; the latter only where Compose shares the
    database's unix socket.
    """

    target: TargetName
    admin: Endpoint
    app: Endpoint
    redis: RedisEndpoint | None
    superuser: Endpoint | None
    socket_dir: Path | None


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Config:
    """Read the environment, and below it the `.env` file where there is one.

    Raises ConfigurationError with every missing, malformed or placeholder variable.
    """
    values = merged(environ, env_file)
    variables = Variables(values, (env_file or ENV_FILE).parent)
    config = from_variables(variables, in_container=runs_in_container(values))
    variables.check()
    return config


def merged(
    environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> dict[str, str]:
    """Lay the environment over the `.env` file, in Compose's order of precedence."""
    path = env_file or ENV_FILE
    outer = os.environ if environ is None else environ  # noqa: TID251 - this is the reader
    if env_file is None and not path.exists():
        return dict(outer)
    return {**envfile.read(path), **outer}


def runs_in_container(values: Mapping[str, str]) -> bool:
    """Tell whether Docker service names resolve here: what Compose says, then container marks."""
    explicit = values.get("SLIPWAY_IN_CONTAINER", "")
    if explicit:
        return explicit == "1"
    return any(mark.exists() for mark in _CONTAINER_MARKS)


def from_variables(variables: Variables, *, in_container: bool) -> Config:
    """Build the configuration, noting problems in `variables` instead of raising them."""
    target = variables.choice("DB_TARGET", TARGET_NAMES, "local")
    socket_dir = variables.text("DB_SOCKET_DIR")
    redis = _redis_endpoint(variables, in_container=in_container)
    if target == "local":
        admin, app, superuser = local_endpoints(variables, in_container=in_container)
        return Config(
            "local", admin, app, redis, superuser, Path(socket_dir) if socket_dir else None
        )
    admin, app = cloud_endpoints(variables, target)
    return Config("neon" if target == "neon" else "supabase", admin, app, redis, None, None)


def local_endpoints(
    variables: Variables, *, in_container: bool
) -> tuple[Endpoint, Endpoint, Endpoint]:
    """Return the owner's, the application's and the superuser's way into the Compose database."""
    host = "db" if in_container else variables.text("DB_HOST", "127.0.0.1")
    port = 5432 if in_container else variables.port("DB_PORT", 5432)
    database = variables.required("DB_NAME")

    def endpoint(role: Literal["admin", "app"], user: str, password: str) -> Endpoint:
        secret = Secret(variables.required(password))
        return Endpoint("local", role, host, port, database, user, secret)

    return (
        endpoint("admin", variables.required("DB_OWNER_USER"), "DB_OWNER_PASSWORD"),
        endpoint("app", variables.required("DB_USER"), "DB_PASSWORD"),
        endpoint("admin", "postgres", "POSTGRES_PASSWORD"),
    )


def cloud_endpoints(variables: Variables, target: str) -> tuple[Endpoint, Endpoint]:
    """Return the admin and the application endpoint of a hosted database."""
    prefix = f"{target.upper()}_DB"
    admin = Endpoint(
        target,
        "admin",
        variables.required(f"{prefix}_HOST"),
        variables.port(f"{prefix}_PORT", 5432),
        variables.required(f"{prefix}_NAME"),
        variables.required(f"{prefix}_USER"),
        Secret(variables.required(f"{prefix}_PASSWORD")),
        *_protection(variables, target),
    )
    app = Endpoint(
        target=target,
        role="app",
        host=variables.text(f"{prefix}_POOL_HOST") or _pool_host(target, admin.host),
        port=variables.port(f"{prefix}_POOL_PORT", admin.port),
        database=admin.database,
        user=variables.text(f"{prefix}_POOL_USER", admin.user),
        password=admin.password,
        sslmode=admin.sslmode,
        sslrootcert=admin.sslrootcert,
    )
    return admin, app


def source_endpoint(variables: Variables) -> Endpoint:
    """Return the way into the old local install, which is only ever read."""
    return Endpoint(
        "source",
        "admin",
        variables.required("SOURCE_DB_HOST"),
        variables.port("SOURCE_DB_PORT", 5432),
        variables.required("SOURCE_DB_NAME"),
        variables.required("SOURCE_DB_USER"),
        Secret(variables.required("SOURCE_DB_PASSWORD")),
        *_protection(variables, "source"),
    )


def _protection(variables: Variables, target: str) -> tuple[str, str | None]:
    """Return `sslmode` and `sslrootcert`."""
    prefix = f"{target.upper()}_DB"
    options, default = (
        (_SSL_MODES, "prefer") if target == "source" else (_HOSTED_SSL_MODES, "verify-full")
    )
    sslmode = variables.choice(f"{prefix}_SSLMODE", options, default)
    if sslmode == "disable":
        return sslmode, None
    name = f"{prefix}_SSLROOTCERT"
    trusted = variables.certificates(name)
    verified = sslmode in {"verify-ca", "verify-full"}
    if verified and not trusted and target == "supabase":
        variables.problem(
            f"{name} is missing: Supabase signs with a CA of its own, whose certificate is in the"
            " project's dashboard under Database settings"
        )
    elif sslmode == "verify-ca" and trusted in {"", trust.SYSTEM}:
        variables.problem(
            f"{name} names no file, and any server has a certificate that the machine trusts:"
            " verify-full asks for the right name as well"
        )
    return sslmode, trusted or (trust.SYSTEM if verified else None)


def _redis_endpoint(variables: Variables, *, in_container: bool) -> RedisEndpoint | None:
    if not variables.text("REDIS_PASSWORD"):
        return None
    return RedisEndpoint(
        "redis" if in_container else variables.text("REDIS_HOST", "127.0.0.1"),
        6379 if in_container else variables.port("REDIS_PORT", 6379),
        Secret(variables.required("REDIS_PASSWORD")),
    )


def _pool_host(target: str, host: str) -> str:
    label, _, domain = host.partition(".")
    if target == "neon" and host.endswith(_NEON) and not label.endswith("-pooler"):
        return f"{label}-pooler.{domain}"
    return host
