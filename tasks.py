"""Slipway's commands. Each one parses, calls one function in `infra`, and shows the result."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.exceptions import Exit

from infra import archives as archive_store
from infra import checks, migrations, render, stack, verification
from infra.app import App
from infra.boundary import task
from infra.commands.probe import probe
from infra.commands.switch import switch
from infra.commands.target_set import target_set
from infra.commands.transfer import transfer
from infra.engine import images

JOBS = archive_store.default_jobs()


@task()
def up(app: App) -> None:
    """Start the stack, bring the schema to head, show how it is."""
    notice = stack.pg14_notice(app.settings)
    if notice:
        app.console.warn(notice)
    with app.console.step("starting services"):
        app.stack.start()
    app.recover()
    with app.console.step("migrating"):
        lines = app.stack.migrate()
    render.lines(app.console, lines)
    render.status(app.console, app.stack.status(), app.local.undoable())


@task()
def down(app: App) -> None:
    """Stop the stack and remove its containers; the data stays."""
    app.stack.stop()
    app.console.line("stopped; the data stays")


@task(help={"json": "print JSON"})
def status(app: App, json: bool = False) -> None:
    """Show the services, the schema, and what can be undone."""
    render.status(app.console, app.stack.status(), app.local.undoable(), as_json=json)


@task(
    help={
        "service": "db, redis or migrator; all of them without it",
        "follow": "go on until Ctrl-C",
        "tail": "how many lines to begin with",
    },
)
def logs(app: App, service: str = "", follow: bool = False, tail: int = 100) -> None:
    """Show what the services wrote."""
    services = [service] if service else []
    raise Exit(code=app.runner.attach(app.compose.logs(services, follow=follow, tail=tail)))


@task(help={"command": "run this SQL and leave", "superuser": "as postgres, not as the owner"})
def psql(app: App, command: str = "", superuser: bool = False) -> None:
    """Open psql on the local database, as its owner."""
    raise Exit(code=app.runner.attach(app.stack.psql(command, superuser=superuser)))


@task(
    help={
        "sql": "print the statements instead, for `plain` PostgreSQL or for `timescaledb`",
        "back_to": "take the schema back to this revision, `base` for none at all",
        "yes": "do not ask",
    }
)
def migrate(app: App, sql: str = "", back_to: str = "", yes: bool = False) -> None:
    """Reconcile roles and bring the schema of the active target to head."""
    if sql:
        app.console.line(stack.migration_sql(sql))
        return
    if back_to:
        render.confirm_downgrade(app.console, app.settings.config.admin, back_to, yes=yes)
        migrations.downgrade(app.settings.config.admin, back_to)
        return
    with app.console.step("migrating"):
        lines = app.stack.migrate()
    render.lines(app.console, lines)


@task(
    help={"message": "what the revision does", "empty": "do not compare models and database"},
)
def revision(app: App, message: str, empty: bool = False) -> None:
    """Write a new Alembic revision from the difference between models and database."""
    path = migrations.revision(app.settings.config.admin, message, autogenerate=not empty)
    app.console.line(f"wrote {path.relative_to(app.root)}")


@task()
def stamp(app: App) -> None:
    """Tell Alembic that the database already has the models' schema; checked first."""
    migrations.stamp(app.settings.config.admin)
    app.console.line(f"schema: {stack.describe(migrations.state(app.settings.config.admin))}")


@task()
def schema_check(app: App) -> None:
    """Compare the database with the models; exit code 9 on a difference."""
    app.stack.check_schema()
    app.console.line("the database has the models' schema")


@task(recovers=False, help={"json": "print JSON"})
def targets(app: App, json: bool = False) -> None:
    """Show which targets are configured and which one is active."""
    render.targets(app.console, app.settings.targets(), as_json=json)


@task(recovers=False, help={"tests": "also the images that only the tests use"})
def build_images(app: App, tests: bool = False) -> None:
    """Build the stack's images from distribution packages, where no registry can be reached."""
    images.build_images(
        app.runner,
        root=app.root,
        report=app.console.line,
        only=images.ALL_TAGS if tests else (),
    )


@task(
    help={
        "jobs": "connections at once",
        "plan": "look only: what would be carried, and what it would take",
        "json": "print the plan as JSON",
    }
)
def export_local(app: App, jobs: int = JOBS, plan: bool = False, json: bool = False) -> None:
    """Make an archive of the old install (SOURCE_DB_* in .env), which is only read."""
    if plan or json:
        planned = archive_store.plan_export(app.settings, app.tools, jobs=jobs)
        render.plan(app.console, planned.plan, as_json=json)
        return
    with app.console.progress("exporting") as progress:
        done, lines = archive_store.export_local(
            app.settings, app.engine, app.tools, app.journal, jobs=jobs, progress=progress
        )
    render.archive(app.console, done, lines)


@task(help={"json": "print JSON"})
def archives(app: App, json: bool = False) -> None:
    """List the archives, newest first, and what can be undone."""
    found = archive_store.listing(app.settings, app.journal)
    render.archives(app.console, found, app.local.undoable(), as_json=json)


@task(
    help={
        "archive": "its name, as `invoke archives` shows it",
        "to": "the target to replace: local",
        "jobs": "connections at once",
        "yes": "do not ask",
        "plan": "look only: what would be carried, and what it would take",
        "json": "print the plan as JSON",
        "discard_previous": "drop the copy of the restore before first, to make room",
    },
)
def restore(
    app: App,
    archive: str,
    to: str = "",
    jobs: int = JOBS,
    yes: bool = False,
    plan: bool = False,
    json: bool = False,
    discard_previous: bool = False,
) -> None:
    """Put an archive in the place of a target's database, which is kept beside it."""
    app.stack.require_database()
    if plan or json:
        render.plan(app.console, app.local.plan(archive, to, jobs=jobs), as_json=json)
        return
    with app.local.restoring(archive, to, jobs=jobs, discard=discard_previous) as session:
        render.confirm_restore(app.console, session, yes=yes)
        with app.console.progress("restoring") as progress:
            arrived, lines = session.run(progress)
    render.restored(app.console, arrived, lines)


@task(
    help={
        "expected": "an archive or a target",
        "found": "the target to compare with it",
        "jobs": "connections at once",
        "json": "print JSON",
    },
)
def verify(app: App, expected: str, found: str, jobs: int = JOBS, json: bool = False) -> None:
    """Compare an archive or a target with a target; exit code 8 on any difference."""
    with app.console.progress("comparing", quiet=json) as progress:
        compared = verification.compare_sides(
            app.settings, expected, found, jobs=jobs, progress=progress
        )
    render.comparison(app.console, compared, expected, found, as_json=json)


@task(help={"yes": "do not ask"})
def undo(app: App, yes: bool = False) -> None:
    """Put the database back that the last restore replaced; again to return to the restored one."""
    app.stack.require_database()
    render.confirm_undo(app.console, app.local.require_undoable(), yes=yes)
    app.local.undo()
    app.console.line("the database that had been replaced is live again")


@task(recovers=False, help={"layer": "unit, integration, e2e or faults"})
def test(app: App, layer: str = "") -> None:
    """Run lint, types and every test; or the tests of one layer."""
    raise Exit(code=checks.test(app.runner, app.root, layer))


@task(recovers=False)
def lint(app: App) -> None:
    """Check style, formatting and types."""
    raise Exit(code=checks.lint(app.runner, app.root))


@task(
    recovers=False,
    help={"what": "receipt, stream or chunks", "rows": "how many ticks receipt and stream have"},
)
def bench(app: App, what: str = "", rows: int = 20_000_000) -> None:
    """Measure receipts, transfers beside other tools', and what a chunk costs; or one of these."""
    raise Exit(code=checks.bench(app.runner, app.root, what, rows))


namespace = Collection(
    up,
    down,
    status,
    logs,
    psql,
    migrate,
    revision,
    stamp,
    schema_check,
    targets,
    probe,
    target_set,
    build_images,
    export_local,
    archives,
    restore,
    transfer,
    verify,
    undo,
    switch,
    test,
    lint,
    bench,
)
