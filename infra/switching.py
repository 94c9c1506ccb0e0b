"""Pointing the stack at another target: survey, migrate, flip `.env`, restart, survey again.

`.env` is replaced in one step and says at every moment which target is the one. What comes before
that is taken back when anything fails, what comes after it too; whatever a kill leaves is finished
or taken back by the next command, as `.env` says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend import config, envfile
from infra import probing, switch_survey
from infra import settings as configuration
from infra.engine.client import Engine
from infra.engine.compose import selection, selection_for
from infra.engine.tools import ClientTools
from infra.errors import ConfigurationError, RefusedError, SlipwayError
from infra.migrations import SchemaState
from infra.stack import Stack
from infra.switch_history import Freshness, freshness
from infra.switch_survey import Surveyed
from infra.transfer.journal import SWITCH, Entry, Journal, Record

_LOCAL = "local"
_SOURCE = "source"
_DATABASE = "db"
# From then on services may have been stopped or changed.
_CHANGED = {"migrated", "left", "flipped", "restarted"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """A switch between its survey and its end: nobody else switches or transfers meanwhile."""

    switching: Switching
    old: Stack
    new: Stack
    left: Surveyed
    found: Surveyed
    freshness: Freshness
    migrates: bool
    record: Record
    say: Say

    def run(self) -> SchemaState:
        """Migrate, flip and restart; return where the schema of the new target stands."""
        return self.switching.run(self)


class Switching:
    """What makes another target the stack's."""

    def __init__(self, stack: Stack, engine: Engine, tools: ClientTools, journal: Journal) -> None:
        self._stack = stack
        self._settings = stack.settings
        self._engine = engine
        self._tools = tools
        self._journal = journal

    def is_at(self, name: str) -> bool:
        """Tell whether nothing is to be done; UsageError, ConfigurationError for a wrong name."""
        self._check(name)
        return self._stack.selection == selection_for(self._settings, name)

    @contextmanager
    def switching(self, name: str, say: Say) -> Iterator[Session]:
        """Hold the checkout for one switch, both ends surveyed; RefusedError where it cannot be.

        What fails inside is taken back at once.
        """
        self._check(name)
        old, new = self._stack, self._stack.on(selection_for(self._settings, name))
        self._refuse_environment(new)
        startable = new.services.startable()
        record = self._journal.begin(
            SWITCH, database=new.settings.config.admin.database, archive=old.target
        )
        with self._settled(record, say):
            present = old.services.present()
            starts = _DATABASE in startable and _DATABASE not in present
            record.reach(
                "begun",
                target=name,
                before=old.selection,
                after=new.selection,
                present=present,
                starts_database=starts,
            )
            self._journal.refuse_beside(record.entry)
            if starts:
                say("starting the local database")
                new.services.start([_DATABASE])
            if name != _LOCAL:
                probing.probe(new.settings, self._engine, self._tools, name).require_all()
            found, left = switch_survey.require(new.settings), switch_survey.look(old.settings)
            migrates = switch_survey.migrates(found, left)
            record.reach("surveyed")
            copied = freshness(self._journal, active=old.target, target=name, written=left.written)
            yield Session(self, old, new, left, found, copied, migrates, record, say)

    def run(self, session: Session) -> SchemaState:
        """Do what was confirmed."""
        new, record, say = session.new, session.record, session.say
        record.reach("confirmed")
        if session.migrates:
            say(f"migrating {new.target}")
            new.migrate()
        record.reach("migrated")
        if new.target != _LOCAL:
            # Two databases that are both written to would split the history.
            if _DATABASE in record.entry.facts["present"]:
                say("stopping the local database")
            self._remove_database()
        record.reach("left")
        self._journal.boundary("flipping")
        envfile.update(self._env_file, new.selection)
        record.reach("flipped")
        say("restarting what depends on it")
        self._start(new, record)
        record.reach("restarted")
        # From the file again: what every other program will read.
        read = configuration.load(self._settings.root)
        state = switch_survey.verify(read, migrated=session.migrates)
        record.reach("done")
        return state

    def settle(self, entry: Entry) -> str:
        """Finish a switch that was killed, or take it back, as `.env` says; tell which in a line.

        Raises SlipwayError where containers cannot be started or stopped.
        """
        record = self._journal.reopen(entry)
        origin, facts = entry.archive, entry.facts
        what = f"the switch from {origin} to {facts['target']}"
        if self._is_selected(facts["before"]):
            self._take_back(record)
            return f"{what} was taken back; the stack is on {origin} as before"
        if not self._is_selected(facts["after"]):
            record.close("taken back")
            return f"{what} was interrupted, and .env has been changed since: it stays as it is"
        self._start(self._stack.on(facts["after"]), record)
        record.close("finished")
        return f"{what} had been made and is finished"

    @contextmanager
    def _settled(self, record: Record, say: Say) -> Iterator[None]:
        try:
            yield
        except BaseException:
            if record.entry.state:
                try:
                    line = self._take_back(record)
                except SlipwayError as error:
                    line = f"not taken back yet, the next command does it: {error.message}"
                if line:
                    say(line)
            raise
        record.close("done")

    def _take_back(self, record: Record) -> str | None:
        """Make everything as it was; return a line about it where it had been changed."""
        origin, facts, state = record.entry.archive, record.entry.facts, record.entry.state
        if self._is_selected(facts["after"]):
            envfile.update(self._env_file, facts["before"])
        if facts["starts_database"]:
            self._remove_database()
        changed = state in _CHANGED
        if changed and facts["present"]:
            services = self._stack.on(facts["before"]).services
            present = [name for name in services.startable() if name in facts["present"]]
            services.start(present)
        record.close("taken back")
        return f"taken back: the stack is on {origin} as before" if changed else None

    def _start(self, stack: Stack, record: Record) -> None:
        """Start the target's services and those that were there; what has changed is made anew."""
        if stack.target != _LOCAL:
            # Somebody may have started it since.
            self._remove_database()
        services = stack.services
        wanted = {*services.own, *record.entry.facts["present"]}
        services.start([name for name in services.startable() if name in wanted])

    def _remove_database(self) -> None:
        # Under the overlay Compose does not know it.
        self._stack.on_local().services.remove_database()

    @property
    def _env_file(self) -> Path:
        return self._settings.root / ".env"

    def _is_selected(self, chosen: Mapping[str, str]) -> bool:
        return selection(envfile.read(self._env_file)) == chosen

    def _check(self, name: str) -> None:
        if name == _SOURCE:
            raise RefusedError(
                "the source is only read: no stack can be on it",
                "Move it with `invoke transfer --from source --to TARGET` and switch to that.",
            )
        self._settings.admin(name)

    def _refuse_environment(self, new: Stack) -> None:
        """Raise ConfigurationError where the environment would go before `.env`."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / ".env"
            file.touch()
            envfile.update(file, new.selection)
            seen = config.merged(env_file=file)
        for name, value in new.selection.items():
            if seen[name] != value:
                raise ConfigurationError(
                    f"{name} is {seen[name]!r} in the environment, which goes before .env",
                    f"Run `unset {name}`, and the command again.",
                )
