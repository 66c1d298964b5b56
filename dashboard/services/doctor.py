"""
What `manage.py doctor` looks at: the misconfigurations that are likely, each with what to do about it.

A look reads, and writes nothing but a key that ends by itself. What cannot be looked at is a finding too. Nothing that
is said names a person, a number, a password or a key.
"""

import os
import shutil
import smtplib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import redis
from django.conf import settings
from django.core.mail import mailers
from django.db import DatabaseError, connections

from callprivacy.audit import selectors as trail
from callprivacy.lib import figures, transport
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import envelopes, signing
from callprivacy.vault import files as vault_files
from dashboard.services import readiness
from retention.selectors import watch
from retention.services import own_folders

type Clock = Callable[[], datetime]

WRONG: Final = "wrong"
LOOK: Final = "look at"
_GIGABYTE: Final = 1 << 30
_SKEW: Final = timedelta(seconds=5)
_FEW: Final = 50
"""Requests from which on it is said how many proxies they came through."""

_SEE: Final = "See what is said about the databases and Valkey."
_REPORT: Final = (
    "See that what it looks at, such as a bucket and its keys, is set as README says. If it is, this is a fault of"
    " ours: report the kind."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that is not as it should be.

    :ivar grave: `WRONG` breaks a promise or the service; `LOOK` may be meant so.
    :ivar to_do: what to type or to change.
    """

    grave: str
    fact: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Looked:
    title: str
    findings: list[Finding]


def _wrong(fact: str, to_do: str) -> Finding:
    return Finding(WRONG, fact, to_do)


def _look(fact: str, to_do: str) -> Finding:
    return Finding(LOOK, fact, to_do)


def examine(clock: Clock) -> Iterator[Looked]:
    """Look at everything, one after the other. Outside any scope."""
    for title, check in CHECKS.items():
        found: list[Finding] = []
        try:
            found.extend(check(clock))
        except Exception as error:  # noqa: BLE001  whatever one look meets, the others are still wanted
            fact = f"It could not be looked at: {type(error).__name__}."
            is_outside = isinstance(error, DatabaseError | redis.RedisError | OSError)
            found.append(_wrong(fact, _SEE if is_outside else _REPORT))
        yield Looked(title, found)


# --- Databases and keys -----------------------------------------------------------------------------------------------


def ready(_clock: Clock) -> Iterator[Finding]:
    """What /readyz says."""
    todo = {
        "databases": "See that PostgreSQL runs, and that DATABASE_URL and VAULT_DATABASE_URL name it.",
        "broker": "See that Valkey runs, and that REDIS_URL names it with its password.",
        "migrations": "Run: make release.",
        "keys": "Put the key that sealed them back into FIELD_ENCRYPTION_KEY, behind the new one with a comma.",
        "restore": "Stop web, worker and beat, and do what is said, in that order (docs/backups.md).",
    }
    readiness.forget()
    yield from (_wrong(said, todo[part]) for part, said in readiness.look().items() if said)


def signing_key(_clock: Clock) -> Iterator[Finding]:
    """The newest seals were signed by a key that this installation believes."""
    known = signing.public_keys()
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            newest = trail.newest_seal(agency_id)
        if newest is not None and not newest.is_readable:
            yield _wrong("The trail's newest seal cannot be read.", "Run manage.py verify_audit.")
            return
        if newest is not None and newest.key_id not in known:
            yield _wrong(
                f"The trail's newest seal was signed by the key {newest.key_id}, which is nobody's here.",
                "Put that key's public half into CALLPRIVACY_EARLIER_PUBLIC_KEYS, or the key back (docs/trail.md).",
            )
            return


def two_databases(_clock: Clock) -> Iterator[Finding]:
    """A stolen copy of one must be noise without the other."""
    found = []
    for alias in readiness.DATABASES:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_database(), pg_postmaster_start_time()")
            found.append(cursor.fetchone())
    if found[0] == found[1]:
        yield _wrong(
            "DATABASE_URL and VAULT_DATABASE_URL name one and the same database: one dump holds calls and keys.",
            "Make a second database and name it in VAULT_DATABASE_URL (README, Databases).",
        )


def role(_clock: Clock) -> Iterator[Finding]:
    """The app's role can neither change tables nor walk around row security."""
    if settings.CALLPRIVACY_ROLE != "app":
        yield _wrong(
            "CALLPRIVACY_ROLE is owner.", "Leave it out: only migrations and backups are the owner's."
        )
    for alias, other in zip(readiness.DATABASES, reversed(readiness.DATABASES), strict=True):
        with connections[alias].cursor() as cursor:
            yield from powers(cursor, alias)
            yield from opens(cursor, alias, str(connections[other].settings_dict["NAME"]))


def opens(cursor: Any, alias: str, other: str) -> Iterator[Finding]:
    """The role behind a cursor may open the other database on its server as well."""
    cursor.execute(
        "SELECT has_database_privilege(oid, 'CONNECT') FROM pg_database"
        " WHERE datname = %s AND datname <> current_database()",
        [other],
    )
    if cursor.fetchone() == (True,):
        yield _wrong(
            f"The role of the app in {alias} may open the database {other} as well: injected SQL or one stolen password"
            " reaches calls and keys.",
            "Give the vault a role of its own (docs/upgrading.md, A role for the vault), and name it in"
            " VAULT_DATABASE_URL.",
        )


def powers(cursor: Any, alias: str) -> Iterator[Finding]:
    """What the role behind a cursor could do that the app must not."""
    cursor.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole OR rolcreatedb, EXISTS (SELECT FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v')"
        " AND pg_has_role(current_user, c.relowner, 'MEMBER')) FROM pg_roles WHERE rolname = current_user"
    )
    found = cursor.fetchone()
    words = ("is a superuser", "walks around row security", "may make roles or databases", "owns tables")
    for has, word in zip(found, words, strict=True):
        if has:
            yield _wrong(
                f"The role of the app in {alias} {word}: what PostgreSQL refuses for us, it does not refuse here.",
                "Make the roles as README, Databases, says, and name the app's in DATABASE_URL and the vault's in"
                " VAULT_DATABASE_URL.",
            )
            return


def clocks(clock: Clock) -> Iterator[Finding]:
    """Dates of the law are compared between machines."""
    for alias in readiness.DATABASES:
        before = clock()
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            there: datetime = cursor.fetchone()[0]
        off = max(before - there, there - clock())
        if off > _SKEW:
            yield _wrong(
                f"The clocks of this machine and of the database {alias} are {off.total_seconds():.0f} s apart.",
                "Run a time service (chrony, systemd-timesyncd) on both.",
            )


_NEWEST_MINOR: Final = {14: 23, 15: 19, 16: 15, 17: 10, 18: 6}
_KNOWN_ON: Final = date(2026, 12, 2)
"""The newest minor versions of PostgreSQL that were known to us, and on which day; there may be newer ones."""


def versions(_clock: Clock) -> Iterator[Finding]:
    """PostgreSQL has the fixes of its newest minor version."""
    for alias in readiness.DATABASES:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int")
            major, minor = divmod(cursor.fetchone()[0], 10_000)
        newest = _NEWEST_MINOR.get(major, minor)
        if minor < newest:
            yield _look(
                f"PostgreSQL of {alias} is {major}.{minor}. The newest that was known on {_KNOWN_ON:%Y-%m-%d} is"
                f" {major}.{newest}.",
                "Install the newest minor version: it needs no dump, only a restart.",
            )


# --- Valkey, worker, beat ---------------------------------------------------------------------------------------------


def valkey(_clock: Clock) -> Iterator[Finding]:
    """It throws nothing out, and keeps what it has over a restart."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as line:
        info: dict[str, Any] = line.info()
        policy = str(info.get("maxmemory_policy", "noeviction"))
        if policy != "noeviction":
            yield _wrong(
                f"Valkey's maxmemory-policy is {policy}: when it is full it throws queued jobs away.",
                "Set maxmemory-policy noeviction in its configuration, and: CONFIG SET maxmemory-policy noeviction.",
            )
        most = int(info.get("maxmemory", 0))
        if most and int(info.get("used_memory", 0)) > 0.9 * most:
            yield _wrong("Valkey's memory is nearly full: it will refuse jobs.", "Give it more maxmemory.")
        if not info.get("aof_enabled") and not _saves(line):
            yield _look(
                "Valkey keeps nothing over a restart: what is queued comes a minute later then.",
                "Set appendonly yes.",
            )


def _saves(line: redis.Redis) -> bool:
    """Whether it writes snapshots; True where it does not say."""
    try:
        found: Any = line.config_get("save")
    except redis.ResponseError:
        return True
    return bool(found.get("save"))


def processes(_clock: Clock) -> Iterator[Finding]:
    """A worker, and exactly one beat."""
    alive = [one for one in figures.read().processes if one.age < watch.PROCESS_LATE_AFTER]
    workers = [one for one in alive if one.kind == "worker"]
    beats = [one for one in alive if one.kind == "beat"]
    if not workers:
        yield _wrong(
            "No worker has said within 90 seconds that it is there: nothing is decided, erased or sent.",
            "Start it: celery -A callprivacy worker (Procfile, deploy/).",
        )
    if not beats:
        yield _wrong(
            "No beat has said within 90 seconds that it is there: nothing begins by itself.",
            "Start it: celery -A callprivacy beat (Procfile, deploy/). One of it.",
        )
    if len(beats) > 1:
        where = ", ".join(f"{one.host} ({one.pid})" for one in beats)
        yield _look(
            f"{len(beats)} beats run: {where}. No deed is done twice, but each asks for all of it.",
            "Run one. A beat that was started within the last 90 seconds may be counted with the one before it.",
        )


# --- The way in and out -----------------------------------------------------------------------------------------------


def address(_clock: Clock) -> Iterator[Finding]:
    """People reach it by https."""
    if settings.CALLPRIVACY_URL.startswith("http://"):
        yield _look(
            "CALLPRIVACY_URL is plain http: only this machine opens it, cookies are not bound to https, and mail"
            " names an address that nobody else reaches.",
            "Right for make run. Otherwise: CALLPRIVACY_URL=https://calls.example.com.",
        )


def proxy(_clock: Clock) -> Iterator[Finding]:
    """As many proxies are believed as there are."""
    counted = settings.CALLPRIVACY_PROXY_COUNT
    if settings.SECURE_SSL_REDIRECT and not counted:
        yield _wrong(
            "The address is https and no proxy is counted: every page leads to itself again.",
            "Set CALLPRIVACY_PROXY_COUNT=1, and let the proxy set X-Forwarded-For and X-Forwarded-Proto.",
        )
    seen = figures.read().forwarded
    requests = sum(seen.values())
    if requests < _FEW:
        return
    fewer = sum(count for entries, count in seen.items() if entries < counted)
    if counted and fewer > requests / 2:
        yield _wrong(
            f"CALLPRIVACY_PROXY_COUNT is {counted}, but most requests came with fewer addresses in X-Forwarded-For:"
            " a client can choose the address that is believed, or everybody counts as the proxy.",
            "Count the proxies that stand in front, and let each write X-Forwarded-For.",
        )
    if not counted and seen.get(0, 0) < requests / 2:
        yield _wrong(
            "Most requests came through a proxy, and none is counted: everybody has the proxy's address, and one who"
            " guesses passwords locks all out.",
            "Set CALLPRIVACY_PROXY_COUNT to the number of your proxies.",
        )


def mail(_clock: Clock) -> Iterator[Finding]:
    """The mail server takes us in."""
    if settings.CALLPRIVACY_MAIL_IS_FILES:
        yield _look(
            "MAIL_URL is not set: mail becomes files, and reaches nobody.",
            "Set MAIL_URL=smtp://user:password@host:587. On make run it is read at /mail/.",
        )
        return
    line = mailers.default
    try:
        line.open()
        line.close()
    except smtplib.SMTPAuthenticationError:
        yield _wrong("The mail server refuses user or password.", "Set both in MAIL_URL.")
    except (smtplib.SMTPException, OSError) as error:
        yield _wrong(
            f"The mail server does not take us in: {type(error).__name__}.",
            "See that host, port and kind (smtp://, smtps://) in MAIL_URL are right, and the certificate good.",
        )


def tls(_clock: Clock) -> Iterator[Finding]:
    """Nothing is spoken in the clear."""
    for line in transport.lines():
        if not line.is_allowed:
            yield _wrong(f"What goes to {line.what} ({line.host}) can be read on the way.", line.to_do)
        elif not line.is_sealed:
            yield _look(
                f"What goes to {line.what} ({line.host}) is in the clear, as you allowed.", line.to_do
            )
        elif not line.is_verified:
            yield _look(f"Nothing proves that {line.what} ({line.host}) is the one meant.", line.to_do)


# --- Disks, files, backups --------------------------------------------------------------------------------------------


def _folders() -> dict[str, Path]:
    named = {
        "CALLPRIVACY_STATE": settings.CALLPRIVACY_STATE,
        "CALLPRIVACY_BACKUP_DIR": settings.CALLPRIVACY_BACKUP_DIR,
        "CALLPRIVACY_VAULT_BACKUP_DIR": settings.CALLPRIVACY_VAULT_BACKUP_DIR,
        "CALLPRIVACY_VAULT_BACKUP_KEYS": settings.CALLPRIVACY_VAULT_BACKUP_KEYS,
    }
    return {name: Path(path) for name, path in named.items() if path is not None}


def _unseen() -> Iterator[Finding]:
    """What is not looked at since it is not there: the backups' folders are seen by those alone who write in them."""
    for name, path in _folders().items():
        if name != "CALLPRIVACY_STATE" and not path.is_dir():
            yield _look(
                f"{name} ({path}) is not visible from here, and was not looked at.",
                "Run the doctor in the worker: docker compose exec worker python manage.py doctor. Where it is"
                " missing there as well, make it or mount it (docs/deploying.md).",
            )


def room(_clock: Clock, *, share: float = 0.05, at_least: int = _GIGABYTE) -> Iterator[Finding]:
    """Every disk that is written to has a twentieth, and a gigabyte, left."""
    yield from _unseen()
    for name, path in _folders().items():
        if not path.is_dir():
            continue
        disk = shutil.disk_usage(path)
        if disk.free < max(share * disk.total, at_least):
            yield _wrong(
                f"The disk of {name} ({path}) has {disk.free / _GIGABYTE:.1f} GB left.",
                "Give it room: a full disk refuses what comes in.",
            )


def files(_clock: Clock) -> Iterator[Finding]:
    """Nobody else on this machine reads or changes what lies in the folders, and we can write."""
    state = Path(settings.CALLPRIVACY_STATE)
    if not os.access(state, os.W_OK | os.X_OK):
        yield _wrong(
            f"This process cannot write into {state}.", f"chown -R it to {os.geteuid()} (by number)."
        )
        return
    private = [
        state / "env",
        state / "mail",
        *_folders().values(),
        Path(settings.MEDIA_ROOT),
        state / "checkpoints",
    ]
    for path in dict.fromkeys(private):
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        # Accounts of services pass through the state folder; what lies in it is private by itself.
        allowed = 0o055 if path == state else 0o000
        if mode & 0o022 or (mode & 0o077 & ~allowed and path != Path(settings.MEDIA_ROOT)):
            yield _wrong(
                f"Others on this machine may read or change {path} (mode {mode:o}).",
                f"chmod {'700' if path.is_dir() else '600'} {path}",
            )
    if not (Path(str(settings.STATIC_ROOT)) / "staticfiles.json").is_file():
        yield _wrong("The static files are not collected: pages have no look.", "Run: make release.")
    yield from _unseen()


def folders(_clock: Clock) -> Iterator[Finding]:
    """What is swept is this installation's: files that are missing in another folder are not lost."""
    for folder in own_folders.foreign():
        yield _wrong(
            f"What lies in {vault_files.where(folder)} is not known to be this installation's: nothing is swept, and no"
            " row forgets its file.",
            "Mount the right folder, or have CALLPRIVACY_STATE and CALLPRIVACY_RECORDINGS name it in every process."
            " Only where the files are really lost: manage.py own_folders --why ... (docs/runbook.md, OtherFolder).",
        )


def backups(clock: Clock) -> Iterator[Finding]:
    """Both databases are backed up, to keys that somebody has, and tried out."""
    house = watch.house(clock())
    if house.staying:
        yield _wrong(
            f"Dumps of the vault lie past their last day: {house.staying}. What was erased since opens with them.",
            "See that the worker sees the two folders and may write there (docs/runbook.md, CopyStays).",
        )
    if not house.backups_expected:
        yield _look(
            "This installation makes no backups.",
            "Set the three folders and CALLPRIVACY_BACKUP_RECIPIENTS (docs/backups.md), unless others do it.",
        )
        return
    try:
        envelopes.check_recipients(settings.CALLPRIVACY_BACKUP_RECIPIENTS)
    except envelopes.EnvelopeError as error:
        yield _wrong(
            f"Backups have nobody to be sealed to. {error}", "manage.py backup --new-key FILE makes a pair."
        )
    late = watch.BACKUP_LATE_AFTER.total_seconds()
    for alias in readiness.DATABASES:
        age = house.backups.get(alias)
        if age is None or age > late:
            since = "never" if age is None else f"{age // 3600} hours ago"
            yield _wrong(
                f"The database {alias} was backed up {since}.",
                "Run manage.py backup each night: by cron, a systemd timer or your platform's scheduler.",
            )
    if house.drill_passed is False:
        yield _wrong("The newest restore drill failed.", "manage.py alerts says what did not hold.")
    if house.drill_age is None and not house.drill_expected:
        yield _look("No backup was ever put back on trial.", "manage.py restore_drill --identity FILE")


CHECKS: Final[dict[str, Callable[[Clock], Iterator[Finding]]]] = {
    "databases, Valkey, migrations, keys": ready,
    "the key that signs the trail": signing_key,
    "two databases apart": two_databases,
    "the role of the app": role,
    "versions": versions,
    "clocks": clocks,
    "Valkey's settings": valkey,
    "worker and beat": processes,
    "the address": address,
    "proxies": proxy,
    "mail": mail,
    "TLS": tls,
    "room on disks": room,
    "files": files,
    "whose files lie here": folders,
    "backups": backups,
}
