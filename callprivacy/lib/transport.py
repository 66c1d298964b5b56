"""
How this process speaks to what it needs: sealed by TLS, on this machine, or in the clear, as the settings say.

Mail and the trackers' interfaces cannot be set up in the clear to another machine: their settings refuse it. A database
or Valkey can, on a private network whose hosts `CALLPRIVACY_PLAIN_HOSTS` names.

The owner, whose release is checked, speaks to the databases by addresses of its own: the app's are looked at as well.
"""

import os
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from callprivacy.lib import env

_VERIFIED: Final = frozenset({"verify-ca", "verify-full"})
_BUCKET_ADDRESSES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_BUCKETS: Final = {
    "recordings": ("recordings", "CALLPRIVACY_RECORDINGS"),
    "drop": ("dropped files", "CALLPRIVACY_DROP"),
}
"""Name among Django's STORAGES -> what lies in the bucket, and the variable that names it."""
_ADDRESS: Final = "Write postgresql://user:password@host:5432/database."
_APPS: Final = {"default": "DATABASE_URL", "vault": "VAULT_DATABASE_URL"}
_OWNERS: Final = {"default": "DATABASE_OWNER_URL", "vault": "VAULT_DATABASE_OWNER_URL"}
"""Alias of a database -> the variable by which the app, or the owner, knows it."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    A connection by its settings.

    :ivar what: to what, in words. :ivar is_sealed: nobody on the way reads it: by TLS, or because it stays here.
    :ivar is_verified: nobody on the way can pose as the other end. :ivar to_do: what to write so that it is both.
    """

    what: str
    host: str
    is_sealed: bool
    is_verified: bool
    to_do: str

    @property
    def is_allowed(self) -> bool:
        """Whether it is sealed, or the operator named its host as one of a private network."""
        return self.is_sealed or self.host in settings.CALLPRIVACY_PLAIN_HOSTS


def lines() -> list[Line]:
    """Every connection that the settings describe; for the owner, the app's own two as far as its variables are set."""
    owner = settings.CALLPRIVACY_ROLE == "owner"
    variables = _OWNERS if owner else _APPS
    found = [
        _database(f"the database {alias}", variable, settings.DATABASES[alias])
        for alias, variable in variables.items()
    ]
    if owner:
        found += [
            _database(f"the database {alias} of the app", variable, env.database(variable, remedy=_ADDRESS))
            for alias, variable in _APPS.items()
            if variable not in unknown_to_the_owner()
        ]
    found += [_valkey(settings.REDIS_URL), *_mail(), *_buckets()]
    return found


def unknown_to_the_owner() -> list[str]:
    """The variables of the app's databases that are not set where the owner runs."""
    if settings.CALLPRIVACY_ROLE != "owner":
        return []
    return [variable for variable in _APPS.values() if not env.optional(variable)]


def in_the_clear() -> list[Line]:
    """Those that anybody on the way could read, and that nobody allowed."""
    return [line for line in lines() if not line.is_allowed]


def _is_here(host: str) -> bool:
    return not host or host.startswith(("/", "127.")) or host in env.LOOPBACK


def _database(what: str, variable: str, found: dict[str, Any]) -> Line:
    hosts = str(found["HOST"] or found["OPTIONS"].get("hostaddr", "")).split(",")
    away = [host for host in hosts if not _is_here(host)]
    # Of several, one that nobody allowed: libpq may come to any of them.
    away.sort(key=settings.CALLPRIVACY_PLAIN_HOSTS.__contains__)
    mode = str(found["OPTIONS"].get("sslmode") or os.environ.get("PGSSLMODE", "prefer"))
    return Line(
        what,
        away[0] if away else "",
        is_sealed=not away or mode == "require" or mode in _VERIFIED,
        is_verified=not away or mode in _VERIFIED,
        to_do=f"Write ?sslmode=verify-full&sslrootcert=/path/to/ca.pem behind {variable}, or sslrootcert=system.",
    )


def _valkey(address: str) -> Line:
    parts = urlsplit(address)
    host = "" if parts.scheme == "unix" or _is_here(parts.hostname or "") else parts.hostname or ""
    checks = parse_qs(parts.query).get("ssl_cert_reqs", ["required"])[0].lower()
    return Line(
        "Valkey",
        host,
        is_sealed=not host or parts.scheme == "rediss",
        is_verified=not host or (parts.scheme == "rediss" and checks in {"required", "cert_required"}),
        to_do="Write rediss:// in REDIS_URL, with ?ssl_ca_certs=/path/to/ca.pem where the authority is your own.",
    )


def _mail() -> list[Line]:
    options: dict[str, Any] = settings.MAILERS["default"].get("OPTIONS", {})
    host = str(options.get("host", ""))
    if not host:
        return []
    is_here = _is_here(host)
    is_tls = bool(options.get("use_tls") or options.get("use_ssl"))
    return [
        Line(
            "the mail server",
            "" if is_here else host,
            is_sealed=is_here or is_tls,
            is_verified=is_here or is_tls,
            to_do="Write smtp:// (STARTTLS) or smtps:// in MAIL_URL.",
        )
    ]


def _buckets() -> list[Line]:
    """One for each bucket that files are kept in or taken from."""
    return [
        _bucket(name, found["OPTIONS"])
        for name, found in settings.STORAGES.items()
        if "bucket_name" in found.get("OPTIONS", {})
    ]


def _bucket(name: str, options: dict[str, Any]) -> Line:
    of, variable = _BUCKETS.get(name, (name, "its address"))
    given = options.get("endpoint_url") or next(
        (os.environ[address] for address in _BUCKET_ADDRESSES if os.environ.get(address)), "https://"
    )
    parts = urlsplit(str(given))
    is_sealed = parts.scheme == "https" or _is_here(parts.hostname or "-")
    return Line(
        f"the bucket of {of}",
        parts.hostname or "",
        is_sealed=is_sealed,
        is_verified=is_sealed,
        to_do=f"Write https:// in endpoint_url of {variable}, and in AWS_ENDPOINT_URL if it is set.",
    )
