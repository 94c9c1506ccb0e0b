"""`invoke switch`: what it asks, and what it shows."""

from __future__ import annotations

from infra.app import App
from infra.boundary import task
from infra.console import Console
from infra.errors import UsageError
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
def switch(app: App, target: str, yes: str = "") -> None:
    """Point the stack at another target, surveyed before and after; `switch local` goes back."""
    if app.switching.is_at(target):
        app.console.line(f"the stack is on {target} already")
        return
    with app.switching.switching(target, app.console.line) as session:
        confirm(app.console, session, yes=yes)
        state = session.run()
    origin = session.old.name
    app.console.line(
        f"the stack is on {target}, its schema {state.status}; `invoke switch {origin}` goes back"
    )
    app.console.line("restart what runs outside of the stack: programs read .env when they start")


def confirm(console: Console, session: Session, *, yes: str | bool) -> None:
    """Show from where to where, what is lost on the way, and ask.

    A target that is not local has to be named in full.
    """
    new, old = session.new.name, session.old.name
    name = "" if new == "local" else new
    if yes and yes != new and (name or yes is not True):
        raise UsageError(f"--yes does not name target {new!r}", f"Name it: `--yes {new}`.")
    console.line(f"content: {session.freshness.text}")
    if session.found.schema is not None and session.found.schema.status == "empty":
        console.line(f"{new} holds no data: its schema is made anew")
    if old == "local":
        console.line("the local database is stopped, so that nobody writes to it any more")
    else:
        console.line(
            f"programs outside of the stack write to {old} until you restart them: "
            "a hosted database cannot be stopped from here"
        )
    console.confirm(
        source=_line(session.left, "as it is"),
        target=_line(session.found, "brought to head" if session.migrates else "left as it is"),
        question="Switch?",
        yes=bool(yes),
        name=name,
    )


def _line(found: Surveyed, fate: str) -> str:
    subject = f"{found.name}: {found.endpoint}"
    if found.problem is not None:
        return f"{subject} ({found.problem})"
    schema = found.schema
    stands = "unknown" if schema is None else " ".join([schema.status, *schema.current])
    return f"{subject} ({size(found.size or 0)}, schema {stands}, {fate})"
