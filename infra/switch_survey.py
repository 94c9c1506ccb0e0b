"""What a switch must know of a target before it, and what has to be true after it."""

from __future__ import annotations

from dataclasses import dataclass

from backend.config import Endpoint
from infra import migrations
from infra.errors import RefusedError, SlipwayError, TargetError, TargetLostError
from infra.migrations import SchemaState
from infra.postgres import inventory, login
from infra.postgres.changes import written
from infra.postgres.connection import connect
from infra.settings import Settings

_LOCAL = "local"
# Of these the migrator makes the newest schema.
_MIGRATABLE = {"at head", "behind", "empty"}

_MAY_CREATE = """
SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
    OR COALESCE(pg_catalog.has_schema_privilege(
         pg_catalog.to_regnamespace('public')::pg_catalog.oid, 'CREATE'), false)
"""


@dataclass(frozen=True)
class Surveyed:
    """A target as it was found: its size in bytes, its schema, how many row changes it counts.

    `problem` says why nothing is known of it.
    """

    name: str
    endpoint: Endpoint
    size: int | None = None
    schema: SchemaState | None = None
    written: int | None = None
    problem: str | None = None


def look(settings: Settings) -> Surveyed:
    """Survey the target that the stack leaves; that it does not answer may be the reason to."""
    endpoint = settings.config.admin
    try:
        return _survey(settings)
    except SlipwayError as error:
        return Surveyed(endpoint.target, endpoint, problem=error.message)


def require(settings: Settings) -> Surveyed:
    """Survey the target that the stack is to use; raises TargetError or RefusedError.

    A local database that refuses the superuser's password is taken as it is: the migrator sets it.
    """
    endpoint = settings.config.admin
    try:
        return _survey(settings)
    except TargetError as error:
        if endpoint.target != _LOCAL or isinstance(error, TargetLostError):
            raise
        return Surveyed(_LOCAL, endpoint, problem=error.message)


def migrates(new: Surveyed, old: Surveyed) -> bool:
    """Tell whether the migrator has to bring the schema to head, or leave it as it is.

    A schema that Alembic does not know is only used where the stack is on such a one already:
    somebody's own database, that was transferred. RefusedError for any other.
    """
    if new.schema is None or new.schema.status in _MIGRATABLE:
        return True
    if old.schema is None or _stand(old.schema) != _stand(new.schema):
        stands = (
            "not known to alembic"
            if new.schema.status == "foreign"
            else f"at {', '.join(new.schema.current)}, a revision that this code does not know"
        )
        there = f"unlike that of {old.name}" if old.schema else f"and {old.name} does not answer"
        raise RefusedError(
            f"the schema of {new.name} is {stands}, {there}",
            f"Bring the data there with `invoke transfer --from {old.name} --to {new.name}`, or "
            "use the version of the code that belongs to that schema.",
        )
    return False


def verify(settings: Settings, *, migrated: bool) -> SchemaState:
    """Use the target once as admin and as the application; raises TargetError, MigrationError."""
    config = settings.config
    with connect(config.admin, "target", autocommit=True):
        pass
    login.check(config.app)
    state = migrations.state(config.admin)
    if migrated and state.status != "at head":
        raise TargetError(
            f"the schema of {config.target} is {state.status} after it was migrated",
            "Somebody else works on it; see pg_stat_activity there.",
        )
    return state


def _survey(settings: Settings) -> Surveyed:
    endpoint = settings.highest(settings.config.target)
    with connect(endpoint, "target", autocommit=True) as connection:
        facts = inventory.facts(connection)
        count = written(connection)
        ((may_create,),) = inventory.query(connection, _MAY_CREATE)
    if not may_create:
        raise RefusedError(
            f"{endpoint.target} user {endpoint.user!r} may make neither schemas nor tables in "
            f"database {endpoint.database!r}",
            f"Set {endpoint.target.upper()}_DB_USER in .env to the owner of the database.",
        )
    return Surveyed(
        endpoint.target,
        settings.config.admin,
        size=facts.size,
        schema=migrations.state(endpoint),
        written=count,
    )


def _stand(schema: SchemaState) -> tuple[str, tuple[str, ...]]:
    return schema.status, schema.current
