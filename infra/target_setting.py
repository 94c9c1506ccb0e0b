"""What a vendor's connection string, and a person's answers, make of a target in `.env`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from backend import config, envfile, trust
from infra import connection_string, target_lines, vendor_strings
from infra.errors import UsageError
from infra.target_lines import Lines, Remarks
from infra.vendor_endpoints import DISPLAY, Vendor
from infra.vendor_strings import VendorString

About = Literal["password", "pooler", "certificate"]

_EXAMPLE = "change-me"
_CA = "prod-ca-2021.crt, from Database settings in Supabase's dashboard"
# The direct endpoint comes last: it then replaces only what migrations use.
_ORDER = ("transaction", "session", "direct")


@dataclass(frozen=True)
class Question:
    """Something that a person may know; an empty answer leaves it out."""

    about: About
    text: str


@dataclass(frozen=True)
class Setting:
    """The lines that change, what there is to say about them, and what comes next."""

    changes: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    next_steps: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """The lines as they follow from the string, before anything is asked."""

    vendor: Vendor
    before: Lines = field(repr=False)
    lines: Lines = field(repr=False)
    password_given: bool
    placeholder: str
    remarks: Remarks
    active: bool

    def questions(self) -> list[Question]:
        """Return what the string leaves open."""
        asked = []
        if not self.password_given:
            instead = f", in the place of {self.placeholder}" if self.placeholder else ""
            keep = "; empty: the one in .env" if self.lines["PASSWORD"] else ""
            user = self.lines["USER"]
            asked.append(Question("password", f"password of {user}{instead}{keep}: "))
        if self._lacks_pooler:
            asked.append(
                Question(
                    "pooler",
                    "host of the transaction pooler, for the application; empty: none, it uses"
                    f" {self.lines['HOST']}: ",
                )
            )
        if self._lacks_certificate(self.lines):
            asked.append(Question("certificate", f"path of {_CA}; empty: later: "))
        return asked

    def settle(self, answers: Mapping[About, str], root: Path) -> Setting:
        """Lay the answers over the lines and find what changes; UsageError without a password."""
        lines = self.lines
        if password := answers.get("password") or lines["PASSWORD"]:
            lines = {**lines, "PASSWORD": password}
        else:
            raise UsageError(
                f"the connection string holds {self.placeholder or 'nothing'} in the place of a"
                " password",
                "Put the password there, or run the command on a terminal to be asked for it.",
            )
        if pooler := answers.get("pooler", "").strip():
            lines = target_lines.with_pooler(_host_in(pooler), lines)
        if written := answers.get("certificate", "").strip():
            lines = {**lines, "SSLROOTCERT": certificate(written, root)}
        changes = {
            f"{self.vendor.upper()}_DB_{name}": value
            for name, value in lines.items()
            if value != self.before[name]
        }
        return Setting(
            changes,
            tuple(self.remarks.notes),
            tuple(self.remarks.warnings),
            tuple(self._next_steps(lines, changed=bool(changes))),
        )

    @property
    def _lacks_pooler(self) -> bool:
        admin = target_lines.admin_of(self.lines)
        direct = admin.vendor == "supabase" and admin.kind == "direct"
        return direct and not target_lines.has_pool(self.lines)

    def _lacks_certificate(self, lines: Lines) -> bool:
        verifies = lines["SSLMODE"].startswith("verify")
        return self.vendor == "supabase" and verifies and not lines["SSLROOTCERT"]

    def _next_steps(self, lines: Lines, *, changed: bool) -> list[str]:
        steps = []
        if self._lacks_certificate(lines):
            steps.append(f"set SUPABASE_DB_SSLROOTCERT in .env to the path of {_CA}")
        steps.append(f"run `invoke probe {self.vendor}`")
        if self.active and changed:
            steps.append(f"run `invoke up`: the stack on {self.vendor} still has the old lines")
        return steps


def require_vendor(target: str) -> Vendor:
    """Return the vendor of a target; UsageError for anything else, a string not repeated."""
    vendor = next((vendor for vendor in DISPLAY if vendor == target), None)
    if vendor:
        return vendor
    if re.search(r"[:=@/\s]", target):
        raise UsageError(
            "a connection string is not taken from the command line, which stands in the shell's"
            " history",
            "Remove that line from the history or change the password, then run `invoke target-set"
            " neon` or `invoke target-set supabase` and paste the string when asked.",
        )
    raise UsageError(
        f"target {target!r} takes no connection string",
        "Choose supabase or neon; the lines of local and source are set in .env by hand.",
    )


def certificate(written: str, root: Path) -> str:
    """Return the path of a CA's file as `.env` holds it; UsageError unless it can serve."""
    path = (Path.cwd() / Path(written).expanduser()).resolve()
    if fault := trust.fault(path):
        raise UsageError(
            f"the certificate's path {fault}: {written!r}", f"Give the path of the CA: {_CA}."
        )
    # In the checkout it is found wherever that lies.
    folder = root.resolve()
    return f"./{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else str(path)


def draft(vendor: Vendor, text: str, values: Mapping[str, str], root: Path, ca: str = "") -> Draft:
    """Derive a target's lines from the text; UsageError where it is not for this vendor.

    `values` is what `.env` in the folder `root` says, `ca` the path that `certificate` returned.
    """
    strings = [vendor_strings.read(vendor, given) for given in connection_string.parse(text)]
    strings.sort(key=lambda given: _ORDER.index(given.endpoint.kind))
    _require_one_database(strings)
    remarks = Remarks()
    before = {name: _value(values, f"{vendor.upper()}_DB_{name}") for name in target_lines.NAMES}
    lines = dict(before)
    for given in strings:
        lines = target_lines.derive(vendor, given, lines, remarks)
    passwords = {given.password.reveal() for given in strings if given.password}
    return Draft(
        vendor=vendor,
        before=before,
        lines={
            **lines,
            "PASSWORD": next(iter(passwords), "") or _password_before(lines, before),
            "SSLMODE": _sslmode(vendor, strings, remarks),
            "SSLROOTCERT": (
                ca
                or _certificate_named(strings, root, remarks)
                or _certificate_kept(vendor, lines, before, root, remarks)
            ),
        },
        password_given=bool(passwords),
        placeholder=next((given.placeholder for given in strings if given.placeholder), ""),
        remarks=remarks,
        active=values.get("DB_TARGET") == vendor,
    )


def write(setting: Setting, env_file: Path) -> list[str]:
    """Write the lines, all or none; return the names that the environment sets to something else.

    Nothing is written where nothing changes.
    """
    if not setting.changes:
        return []
    envfile.update(env_file, setting.changes)
    merged = config.merged(env_file=env_file)
    return [name for name, value in setting.changes.items() if merged[name] != value]


def _require_one_database(strings: Sequence[VendorString]) -> None:
    """Refuse strings that are not one pooled and one direct way into the same database."""
    same = {(given.endpoint.vendor, given.endpoint.project, given.database) for given in strings}
    hosts = {given.host for given in strings if given.endpoint.vendor is None}
    passwords = {given.password for given in strings if given.password}
    if max(len(same), len(hosts), len(passwords)) > 1:
        raise UsageError(
            "the text holds the connection strings of several databases or passwords",
            "Give that of one database; its pooled and its direct one may go together.",
        )


def _value(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    return "" if value == _EXAMPLE else value


def _password_before(lines: Lines, before: Lines) -> str:
    """Return the password in `.env` where it is that of the same role in the same place."""
    now, then = (target_lines.admin_of(each) for each in (lines, before))
    same = (now.project, now.vendor) == (then.project, then.vendor)
    if not same or (not now.project and lines["HOST"] != before["HOST"]):
        return ""
    roles = {each["USER"].removesuffix(f".{now.project}") for each in (lines, before)}
    return before["PASSWORD"] if len(roles) == 1 else ""


def _sslmode(vendor: Vendor, strings: Sequence[VendorString], remarks: Remarks) -> str:
    asked = next((given.sslmode for given in strings if given.sslmode), "")
    ours = strings[0].endpoint.vendor is not None
    if asked == "verify-ca" and not ours:
        return asked
    if asked == "disable" and not (ours and vendor == "neon"):
        remarks.warnings.append(
            "sslmode=disable: the password and all rows travel as anybody on the way can read them"
        )
        return asked
    if asked not in {"", "verify-full"}:
        refused = ", as Neon takes no connection without TLS" if asked == "disable" else ""
        remarks.notes.append(
            f"sslmode={asked} became verify-full{refused}: it checks the server's certificate and"
            " name"
        )
    return "verify-full"


def _certificate_named(strings: Sequence[VendorString], root: Path, remarks: Remarks) -> str:
    """Return the file that the string itself names, where it is on this machine."""
    named = next((given.sslrootcert for given in strings if given.sslrootcert), trust.SYSTEM)
    if named == trust.SYSTEM:
        return ""
    try:
        return certificate(named, root)
    except UsageError:
        remarks.notes.append("not taken over: sslrootcert, which names no certificate here")
        return ""


def _certificate_kept(
    vendor: Vendor, lines: Lines, before: Lines, root: Path, remarks: Remarks
) -> str:
    """Return the file in `.env`; Neon's certificates are among those that the machine trusts."""
    kept = before["SSLROOTCERT"]
    if kept == trust.SYSTEM or (vendor == "neon" and lines["HOST"] != before["HOST"]):
        return ""
    if kept and (fault := trust.fault(root / Path(kept).expanduser())):
        remarks.warnings.append(f"{vendor.upper()}_DB_SSLROOTCERT {fault}: {kept!r}")
    return kept


def _host_in(answer: str) -> str:
    """Return the host that was answered, by itself or in a whole connection string."""
    if "://" in answer:
        return connection_string.parse(answer)[0].host
    return connection_string.remote_host(answer.partition(":")[0])
