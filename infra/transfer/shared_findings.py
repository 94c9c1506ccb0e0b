"""What a hosting platform decides about a transfer into, or out of, the database it shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra.postgres.shared_database import Content
from infra.postgres.survey import Survey
from infra.transfer.findings import Finding, listed


@dataclass(frozen=True)
class Shared:
    """The database that is loaded in place, and the extensions that the source's tables need.

    `discard` says that what is there may go once it is archived.
    """

    content: Content
    used: frozenset[str]
    database: str
    discard: bool

    @property
    def keeps(self) -> bool:
        """Tell whether there is something to be archived first."""
        return bool(self.content.objects) and not self.content.loading


def of_source(source: Survey) -> Iterator[Finding]:
    """Tell what stays with the platform when its customer leaves."""
    if source.platform_schemas:
        yield Finding(
            "platform's schemas",
            "not carried",
            f"schemas of the hosting platform stay there: {listed(source.platform_schemas)}",
            names=source.platform_schemas,
        )
    if source.platform_extensions:
        yield Finding(
            "platform's extensions",
            "not carried",
            "extensions of the hosting platform, which no table, view or default is made of: "
            f"{listed(source.platform_extensions)}",
            names=source.platform_extensions,
        )
    if source.platform_ties:
        yield Finding(
            "ties to the platform",
            "not carried",
            f"foreign keys, triggers and policies that need it: {listed(source.platform_ties)}",
            names=source.platform_ties,
        )
    if source.platform_needs:
        yield Finding(
            "needs of the platform",
            "refused",
            f"these cannot be made without the platform: {listed(source.platform_needs)}",
            "Drop them on the source, or make them of tables and types of your own.",
            source.platform_needs,
        )


def of_target(source: Survey, shared: Shared) -> Iterator[Finding]:
    """Decide about everything that a load in place has to fit in with."""
    content = shared.content
    yield Finding(
        "load in place",
        "note",
        f"no other database can take the place of {shared.database!r}: it is filled as it stands, "
        "and is whole when the transfer has ended",
    )
    yield from _content(shared)
    yield from _names(source, content)
    yield from _extensions(source, shared)
    yield Finding(
        "rights of everybody",
        "adapted",
        "what is made there from now on is not granted to anon and authenticated any more, and no "
        "right is carried that would show a table to them",
    )
    yield Finding(
        "settings of the database",
        "not carried",
        "settings and comment of the database: the platform's stay",
    )


def _content(shared: Shared) -> Iterator[Finding]:
    objects, hooks = shared.content.objects, shared.content.hooks
    if not shared.keeps:
        return
    if hooks:
        yield Finding(
            "use by the platform",
            "refused",
            f"the platform's own tables use what is there: {listed(hooks)}",
            "Drop these at the target first, and make them again after the transfer.",
            hooks,
        )
    if shared.discard:
        yield Finding(
            "what is there",
            "adapted",
            f"{len(objects)} objects there are archived first and then removed: {listed(objects)}",
            names=objects,
        )
    else:
        yield Finding(
            "what is there",
            "refused",
            f"database {shared.database!r} is not empty: {listed(objects)}",
            "`--discard-previous` makes an archive of it in data/archives and then removes it.",
            objects,
        )


def _names(source: Survey, content: Content) -> Iterator[Finding]:
    names = tuple(str(table) for table in source.tables if table.schema in content.platform_schemas)
    if names:
        yield Finding(
            "names of schemas",
            "refused",
            f"tables lie in schemas that are the platform's there: {listed(names)}",
            "Move them to another schema on the source: `ALTER TABLE … SET SCHEMA …`.",
            names,
        )


def _extensions(source: Survey, shared: Shared) -> Iterator[Finding]:
    for extension in source.extensions:
        there = shared.content.extensions.get(extension.name)
        if there is None or there == extension.schema or extension.name not in shared.used:
            continue
        yield Finding(
            f"place of extension {extension.name}",
            "refused",
            f"extension {extension.name} is in schema {there} there and in {extension.schema} on "
            "the source, whose tables name it so",
            f"Run `ALTER EXTENSION {extension.name} SET SCHEMA {there}` on the source, or drop it "
            "at the target.",
            (extension.name,),
        )
