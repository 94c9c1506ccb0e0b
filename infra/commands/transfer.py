"""`invoke transfer`: one target's database straight into another's place."""

from __future__ import annotations

from infra import render
from infra.app import App
from infra.archives import default_jobs
from infra.boundary import task
from infra.transfer.stream.options import Options, width

JOBS = default_jobs()


@task(
    help={
        "from_": "the target to read: source, local, supabase or neon",
        "to": "the target to replace: local, supabase or neon",
        "jobs": "connections at once",
        "partition_by": "without TimescaleDB there: one partition for each chunk, day, week, month",
        "hypertables": "make hypertables of tables that are partitioned by ranges",
        "discard_previous": "drop the kept copy first; at supabase: what is there, once archived",
        "plan": "look only: what would be carried, and what it would take",
        "json": "print the plan as JSON",
        "yes": "do not ask, which needs the target's name for one that is not local: --yes neon",
    },
    optional=["yes"],
)
def transfer(
    app: App,
    from_: str = "",
    to: str = "",
    jobs: int = JOBS,
    partition_by: str = "chunk",
    hypertables: bool = False,
    discard_previous: bool = False,
    plan: bool = False,
    json: bool = False,
    yes: str = "",
) -> None:
    """Stream one target's database into the place of another's, which is kept beside it."""
    options = Options(jobs, width(partition_by), hypertables=hypertables)
    if to == "local":
        app.stack.require_database()
    if plan or json:
        made = app.transfers.plan(from_, to, options, discard=discard_previous)
        render.plan(app.console, made, as_json=json)
        return
    with app.transfers.transferring(from_, to, options, discard=discard_previous) as session:
        render.confirm_transfer(app.console, session, yes=yes)
        with app.console.progress("transferring") as progress:
            arrived, lines = session.run(progress)
    render.transferred(app.console, arrived, lines, from_, session.before)
