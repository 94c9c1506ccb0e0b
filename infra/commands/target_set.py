"""`invoke target-set`: a vendor's connection string becomes lines of `.env`."""

from __future__ import annotations

from collections.abc import Sequence

from backend import envfile
from infra import target_setting
from infra.app import App
from infra.boundary import task
from infra.console import Console
from infra.target_setting import Setting


@task(
    recovers=False,
    help={
        "target": "supabase or neon; the connection string is asked for, or read from a pipe",
        "ca": "the file of the CA that signed the server's certificate; Supabase has its own",
    },
)
def target_set(app: App, target: str, ca: str = "") -> None:
    """Take a vendor's connection string apart, and write its parts to .env."""
    vendor = target_setting.require_vendor(target)
    trusted = target_setting.certificate(ca, app.root) if ca else ""
    env_file = app.root / ".env"
    # The settings as a whole may be what is to be repaired.
    values = envfile.read(env_file)
    text = app.console.secret_input(f"connection string of {vendor} (not shown): ")
    draft = target_setting.draft(vendor, text, values, app.root, trusted)
    questions = draft.questions() if app.console.interactive else []
    answers = {
        asked.about: app.console.ask(asked.text, secret=asked.about == "password")
        for asked in questions
    }
    setting = draft.settle(answers, app.root)
    _show(app.console, setting, target_setting.write(setting, env_file))


def _show(console: Console, setting: Setting, overridden: Sequence[str]) -> None:
    for name, value in setting.changes.items():
        shown = "(not shown)" if name.endswith("_PASSWORD") else value
        console.line(f"wrote {name}={shown}")
    if not setting.changes:
        console.line("nothing was written: .env holds these lines already")
    for note in setting.notes:
        console.line(f"note: {note}")
    for warning in setting.warnings:
        console.warn(warning)
    for name in overridden:
        console.warn(f"{name} in the environment overrides the line in .env")
    for step in setting.next_steps:
        console.line(f"next: {step}")
