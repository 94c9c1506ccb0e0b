"""What the journal tells of switches, and of how one target's content came from another's."""

from __future__ import annotations

from dataclasses import dataclass

from infra.transfer.journal import SWITCH, Entry, Journal

# After these a target holds what it was given.
_LOADS = ("transfer", "restore", "undo")


@dataclass(frozen=True)
class Freshness:
    """Whether a target holds all that the active one does, as far as anybody can tell."""

    fresh: bool
    text: str


def last_switch(journal: Journal, target: str) -> Entry | None:
    """Return the switch by which the stack came to its target; None where it never switched."""
    switches = [entry for entry in journal.entries() if entry.command == SWITCH and _done(entry)]
    return switches[-1] if switches and switches[-1].facts["target"] == target else None


def freshness(journal: Journal, *, active: str, target: str, written: int | None) -> Freshness:
    """Compare what has been written to the active target with what it was at the last transfer.

    `written` is what the active target's server counts now, None where it does not answer.
    """
    loads = [
        entry
        for entry in journal.entries()
        if entry.command in _LOADS and entry.facts.get("target", "local") == target and _done(entry)
    ]
    if not loads:
        return Freshness(
            fresh=False,
            text=f"no transfer into {target} is recorded here: what only {active} holds is not "
            f"in {target}",
        )
    last = loads[-1]
    if last.command != "transfer" or last.archive != active:
        origin = f" of {last.archive}" if last.archive else ""
        return Freshness(
            fresh=False,
            text=f"stale: {target} was last filled by the {last.command}{origin} at "
            f"{last.moment}; what only {active} holds is not in it",
        )
    when = f"transferred from {active} at {last.moment}"
    before = last.facts.get("written")
    # A server that crashed, or slept, may have begun to count anew.
    if before is None or written is None or written < before:
        return Freshness(
            fresh=False,
            text=f"perhaps stale: {when}; what {active} got since then cannot be told",
        )
    if written == before:
        return Freshness(fresh=True, text=f"fresh: {when}, no change there is known since")
    changes = written - before
    return Freshness(
        fresh=False,
        text=f"stale: {when}; {changes:,} row {'change' if changes == 1 else 'changes'} in "
        f"{active} since then {'is' if changes == 1 else 'are'} not in {target}",
    )


def _done(entry: Entry) -> bool:
    return entry.state == "done" or entry.outcome in {"done", "finished"}
