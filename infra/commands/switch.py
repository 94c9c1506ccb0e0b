"""`invoke switch`: what it asks, and what it shows."""

from __future__ import annotations

from infra.app import App
from infra.boundary import task
from infra.console import Console
from infra.errors import UsageError
from infra.migrations import SchemaState
from infra.switch_survey import Surveyed
from infra.switching import Session
from infra.transfer.wording import size


@task(
    help={
        "target": "local, supabase or neon",
        "yes": "do not ask, which needs the target's name for one that is not local: --yes neon",
    },
    optional=["yes"],
)
def switch(app: App, target: str, yes: str | bool = "") -> None:
    """Point the stack at another target, surveyed before and after; `switch local` goes back."""
    if yes and yes != target and (yes is not True or _name(target)):
        raise UsageError(f"--yes does not name target {target!r}", f"Name it: `--yes {target}`.")
    if app.switching.is_at(target):
        app.console.line(f"the stack is on {target} already")
        return
    with app.switching.switching(target, app.console.line) as session:
        confirm(app.console, session, yes=yes)
        state = session.run()
    origin = session.old.target
    app.console.line(
        f"the stack is on {target}, its schema {state.status}; `invoke switch {origin}` goes back"
    )
    app.console.line("restart what runs outside of the stack: programs read .env when they start")


def confirm(console: Console, session: Session, *, yes: str | bool) -> None:
    """Show from where to where, what is lost on the way, and ask.

    A target that is not local has to be named in full.
    """
    new = session.new.target
    console.line(f"content: {session.freshness.text}")
    if session.found.schema is not None and session.found.schema.status == "empty":
        console.line(f"{new} holds no data: its schema is still to be made")
    if session.old.target == "local":
        console.line("the local database is stopped, so that nobody writes to it any more")
    else:
        console.line(
            f"programs outside of the stack write to {session.old.target} until you restart them: "
            "a hosted database cannot be stopped from here"
        )
    console.confirm(
        source=_line(session.left),
        target=_line(session.found),
        question="Switch?",
        yes=bool(yes),
        name=_name(new),
    )


def _name(target: str) -> str:
    """Return what has to be typed in full; nothing where a plain yes will do."""
    return "" if target == "local" else target


def _line(found: Surveyed) -> str:
    subject = f"{found.name}: {found.endpoint}"
    if found.schema is None or found.size is None:
        return f"{subject} ({found.problem})"
    return f"{subject} ({size(found.size)}, schema {_stand(found.schema)})"


def _stand(schema: SchemaState) -> str:
    at = ", ".join(schema.current)
    match schema.status:
        case "at head":
            return f"at head, {at}"
        case "behind":
            return f"at {at}, which is migrated to {schema.head}"
        case "empty":
            return f"empty, which is migrated to {schema.head}"
        case "foreign":
            return "not known to alembic"
        case _:
            return f"at {at}, which this code does not know"
