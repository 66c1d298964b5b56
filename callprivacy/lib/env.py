"""
Reading the environment.

What is missing or wrong raises SettingError, which names the variable and says what to do about it, so that
nothing starts half configured.
"""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import getaddresses
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

_SENDER = re.compile(r"(AC[0-9a-zA-Z]{2,62}):(\S+)@(\+[1-9][0-9]{6,14})", re.ASCII).fullmatch
_PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII).fullmatch
_HOST = re.compile(r"\w[\w.-]*", re.ASCII).fullmatch
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII).fullmatch
_MAILBOX = re.compile(r"[^@\s<>\",;]+@[^@\s<>\",;]+").fullmatch
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ENCODED = (
    "In a name or password write % as %25, / as %2F, # as %23, ? as %3F, @ as %40, : as %3A and $ as %24; make"
    ' that by python3 -c "import urllib.parse as u; print(u.quote(input(), safe=str()))".'
)
"""What the remedy of an address says whose password may hold signs that mean something there."""
IN_MEMORY = 1024 * 1024
"""How much of a bucket's file is held in memory while it is read; the rest lies in a file without a name."""


class SettingError(ImproperlyConfigured):
    """A setting is missing or wrong; the text names the variable and the remedy."""

    def __init__(self, name: str, fact: str, remedy: str) -> None:
        super().__init__(f"{name} {fact}. {remedy}")
        self.name = name


def text(name: str, *, remedy: str) -> str:
    """
    Return a variable that must be there.

    :raises SettingError: it is missing or empty.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise SettingError(name, "is not set", remedy)
    return value


def optional(name: str, default: str = "") -> str:
    """Return a variable that may be missing."""
    return os.environ.get(name, "").strip() or default


def choice(name: str, *, among: tuple[str, ...], default: str) -> str:
    """
    Return one of a few words.

    :raises SettingError: it is another one.
    """
    value = optional(name, default)
    if value not in among:
        words = " or ".join(among)
        raise SettingError(name, f"is not {words}", f"Write {words}, or leave it out for {default}.")
    return value


def whole_number(name: str, *, default: int, at_least: int = 0) -> int:
    """
    Return a whole number.

    :raises SettingError: it is something else, or too small.
    """
    raw = optional(name, str(default))
    if not raw.isascii() or not raw.isdigit() or int(raw) < at_least:
        raise SettingError(
            name, "is not a whole number", f"Write a number of at least {at_least}, such as {default}."
        )
    return int(raw)


def secret(name: str, *, at_least: int, remedy: str) -> str:
    """
    Return a secret of a least length.

    :raises SettingError: it is missing or too short to be one.
    """
    value = text(name, remedy=remedy)
    if len(value) < at_least:
        raise SettingError(name, f"is shorter than {at_least} characters", remedy)
    return value


def secrets(name: str, *, at_least: int) -> list[str]:
    """
    Return secrets of a least length each, which stand with spaces between; none where nothing is set.

    :raises SettingError: one is too short to be one.
    """
    values = optional(name).split()
    for place, value in enumerate(values, start=1):
        if len(value) < at_least:
            raise SettingError(
                name,
                f"holds a secret shorter than {at_least} characters in place {place}",
                "Write the keys of before, with spaces between.",
            )
    return values


def secret_bytes(name: str, *, length: int, remedy: str) -> bytes:
    """
    Return a secret of exactly `length` bytes, written in base64.

    :raises SettingError: it is missing, no base64, or of another length.
    """
    try:
        value = base64.b64decode(text(name, remedy=remedy), validate=True)
    except binascii.Error:
        raise SettingError(name, "is not base64", remedy) from None
    if len(value) != length:
        raise SettingError(name, f"does not hold {length} bytes", remedy)
    return value


def fernet_keys(name: str, *, remedy: str) -> list[str]:
    """
    Return the keys of a comma list, newest first; each is 32 bytes in URL-safe base64.

    :raises SettingError: none is given or one is no such key.
    """
    keys = [key.strip() for key in text(name, remedy=remedy).split(",") if key.strip()]
    for place, key in enumerate(keys, start=1):
        try:
            length = len(base64.b64decode(key, altchars=b"-_", validate=True))
        except binascii.Error:
            length = 0
        if length != 32:
            raise SettingError(name, f"holds no key in place {place}", remedy)
    if len(set(keys)) != len(keys):
        raise SettingError(name, "names the same key twice", remedy)
    return keys


def public_keys(name: str) -> list[str]:
    """
    Return public keys of Ed25519 in hex, which stand with spaces between; none where nothing is set. Behind a key and
    an @ may stand the instant from which on nothing that it signs is believed.

    :raises SettingError: one is no such key, its end is no instant, or it stands there again.
    """
    keys = optional(name).split()
    remedy = (
        "Write 64 hex digits for each key, with spaces between; behind one that was stolen @ and an instant with"
        " its zone, such as @2026-11-24T12:00:00Z (docs/trail.md)."
    )
    for place, key in enumerate(keys, start=1):
        digits, ends, instant = key.partition("@")
        if not _PUBLIC_KEY(digits):
            raise SettingError(name, f"holds no public key in place {place}", remedy)
        if ends and not _is_instant(instant):
            raise SettingError(name, f"holds no instant behind the key in place {place}", remedy)
    named = [key.partition("@")[0].lower() for key in keys]
    if any("@" in key and named.count(digits) > 1 for key, digits in zip(keys, named, strict=True)):
        raise SettingError(name, "holds a key with its end, and again", remedy)
    return keys


def _is_instant(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def hosts(name: str) -> frozenset[str]:
    """
    Return names or addresses of hosts, which stand with spaces between; none where nothing is set.

    :raises SettingError: one is neither.
    """
    found = optional(name).split()
    for place, host in enumerate(found, start=1):
        if not _HOST(host) and not _is_address(host):
            raise SettingError(
                name,
                f"holds no host in place {place}",
                "Write hosts with spaces between, without ports, such as: postgres 10.0.0.7",
            )
    return frozenset(found)


def hosts_and_ports(name: str) -> frozenset[str]:
    """
    Return hosts by name or IPv4 address, each with its port, which stand with spaces between; none where nothing is
    set. Names are in lower case, as addresses are compared.

    :raises SettingError: one is no host, or has no port.
    """
    found = optional(name).lower().split()
    for place, one in enumerate(found, start=1):
        host, _, port = one.rpartition(":")
        if not _HOST(host) or not _PORT(port) or not 1 <= int(port) <= 65535:
            raise SettingError(
                name,
                f"holds no host with a port in place {place}",
                "Write hosts with their ports and spaces between, such as: tracker.example.com:443 127.0.0.1:8080",
            )
    return frozenset(found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def sender(name: str, *, default: str) -> str:
    """
    Return the sender of mail, an address with or without a name before it.

    :raises SettingError: it is no address, or more than one.
    """
    raw = optional(name)
    if raw and [bool(_MAILBOX(address)) for _, address in getaddresses([raw])] != [True]:
        raise SettingError(
            name,
            "is no address that mail can come from",
            "Write noreply@calls.example.com, or Acme <noreply@calls.example.com>; a name with other signs than"
            ' letters stands in "quotation marks".',
        )
    return raw or default


def public_address(name: str, *, remedy: str, default: str = "") -> SplitResult:
    """
    Return the address of a site, ours or a vendor's: scheme and host, no path.

    :raises SettingError: it is no address, or plain http to somewhere that is not this machine.
    """
    raw = (optional(name, default) or text(name, remedy=remedy)).rstrip("/")
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        raise SettingError(name, "is not an address", remedy) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingError(name, "does not start with https:// and a host", remedy)
    if parts.path or parts.query or parts.fragment or parts.username:
        raise SettingError(name, "has more than a scheme, a host and a port", remedy)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingError(
            name, "is plain http to another machine", "Write https://, plain http is for 127.0.0.1."
        )
    return parts


def listening(host: str, port: int) -> str:
    """The address that a server listens on, as gunicorn reads it: with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host and _is_address(host) else f"{host}:{port}"


def twilio_sender(name: str) -> tuple[str, str, str] | None:
    """
    Return an account of Twilio's, its token and the number that it sends from; None where nothing is set.

    :raises SettingError: it is set and not written as ACCOUNT:TOKEN@NUMBER.
    """
    raw = optional(name)
    if not raw:
        return None
    found = _SENDER(raw)
    if found is None:
        raise SettingError(
            name, "is no sender", "Write ACCOUNT:TOKEN@NUMBER, such as AC0123:secret@+12125550100."
        )
    return found[1], found[2], found[3]


def database(name: str, *, remedy: str) -> dict[str, Any]:
    """
    Return Django's settings of a PostgreSQL address, with everything that libpq understands in it.

    :raises SettingError: it is missing, libpq cannot read it, or a sign of a password stands bare in it.
    """
    raw = text(name, remedy=remedy)
    if not raw.startswith(("postgresql://", "postgres://")):
        raise SettingError(name, "does not start with postgresql://", remedy)
    try:
        parts: dict[str, Any] = dict(conninfo_to_dict(raw))
    except psycopg.ProgrammingError:
        raise SettingError(name, "cannot be read", f"{remedy} {ENCODED}") from None
    # libpq takes the part of a password behind a bare / for the database, and that behind a bare @ for the host.
    # Of an address without a path the first / is in what is asked for, where a socket's or a file's path may hold an @.
    front, _, behind = raw.partition("://")[2].partition("/")
    behind = "" if "?" in front.rpartition("@")[2] else behind.partition("?")[0]
    named = [host for host in str(parts.get("host", "")).split(",") if not host.startswith("/")]
    if "@" in behind or any("@" in host[1:] for host in named):
        raise SettingError(name, "has an @ where none belongs", f"{remedy} {ENCODED}")
    if any(port and not _PORT(port) for port in str(parts.get("port", "")).split(",")):
        raise SettingError(name, "has a port that is none", f"{remedy} {ENCODED}")
    if not parts.get("dbname"):
        raise SettingError(name, "names no database", remedy)
    return {
        "ENGINE": "callprivacy.lib.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": parts,
    }


def redis_address(name: str, *, remedy: str) -> str:
    """
    Return a Redis address as redis-py reads it: redis://, rediss:// or unix://, in lower case.

    :raises SettingError: it is missing, of another kind, or a sign of a password stands bare in it.
    """
    raw = text(name, remedy=remedy)
    scheme, mark, rest = raw.partition("://")
    if not mark or scheme.lower() not in {"redis", "rediss", "unix"}:
        raise SettingError(name, "does not start with redis://, rediss:// or unix://", remedy)
    address = f"{scheme.lower()}://{rest}"
    parts = _whole(name, address, remedy=remedy)
    if parts.scheme == "unix" and parts.netloc and "@" not in parts.netloc:
        raise SettingError(name, "has no path from / on", f"{remedy} {ENCODED}")
    if (
        parts.scheme == "unix"
        and not parts.netloc.endswith("@")
        and "@" in parts.netloc
        and "@" in parts.path
    ):
        raise SettingError(name, "has an @ where none belongs", f"{remedy} {ENCODED}")
    return address


def _whole(name: str, raw: str, *, remedy: str) -> SplitResult:
    """
    Return the parts of an address whose name and password end where its writer meant it.

    :raises SettingError: its port is none, or an @ stands behind its host.
    """
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        raise SettingError(name, "has a port that is none", f"{remedy} {ENCODED}") from None
    # A socket's or a certificate's path may hold one, unless it can be what ends a password.
    asked = "".join(part.partition("=")[0] for part in parts.query.split("&"))
    if parts.scheme.startswith("smtp") or not (parts.path or "@" in parts.netloc):
        asked = parts.query
    path = "" if parts.scheme == "unix" else parts.path
    if "@" in path + asked + parts.fragment:
        raise SettingError(name, "has an @ where none belongs", f"{remedy} {ENCODED}")
    return parts


def broker_address(address: str) -> str:
    """
    The same Redis address as Celery writes it: a socket has a scheme of its own there, and over TLS it asks for no
    certificate unless it is told to.
    """
    parts = urlsplit(address)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parts.query):
        query = f"{parts.query}&ssl_cert_reqs=required".lstrip("&")
        return parts._replace(query=query).geturl()
    if parts.scheme != "unix":
        return address
    database_number = parse_qs(parts.query).get("db", ["0"])[0]
    password = f":{quote(unquote(parts.password), safe='')}@" if parts.password else ""
    return f"redis+socket://{password}{parts.path}?virtual_host={database_number}"


def folders_apart(*names: str) -> list[Path | None]:
    """
    Return folders that must not lie in one another; None for each that is not named.

    :raises SettingError: some are named and others are not, one is no whole path, or one lies in another.
    """
    raw = {name: optional(name) for name in names}
    given = {name: Path(value) for name, value in raw.items() if value}
    if not given:
        return [None] * len(names)
    for name in names:
        if name not in given:
            raise SettingError(name, "is not set", f"{next(iter(given))} is: the folders belong together.")
        if not given[name].is_absolute():
            raise SettingError(name, "is no whole path", "Write the path from / on.")
    resolved = {name: path.resolve() for name, path in given.items()}
    for one, path in resolved.items():
        for other, outer in resolved.items():
            if one != other and path.is_relative_to(outer):
                raise SettingError(
                    one,
                    f"lies in {other}",
                    "Write folders apart, best on different disks: who has one lacks the rest.",
                )
    return [resolved[name] for name in names]


def mailer(name: str, *, files: Path) -> dict[str, Any]:
    """
    Return one entry of Django's MAILERS: a mail server by its address, or files when none is named.

    :raises SettingError: the address is of no known kind, or a sign of a password stands bare in it.
    """
    raw = optional(name)
    if not raw:
        return {
            "BACKEND": "callprivacy.lib.mail_files.EmailBackend",
            "OPTIONS": {"file_path": str(files)},
        }
    remedy = (
        "Write smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465, or leave it out."
    )
    parts = _whole(name, raw, remedy=remedy)
    kinds: dict[str, dict[str, Any]] = {
        "smtp": {"port": parts.port or 587, "use_tls": parts.hostname not in LOOPBACK},
        "smtps": {"port": parts.port or 465, "use_ssl": True},
    }
    if parts.scheme not in kinds or not parts.hostname:
        raise SettingError(name, "is not the address of a mail server", remedy)
    options = kinds[parts.scheme] | {"host": parts.hostname, "timeout": 10}
    if parts.username:
        options |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def recordings_storage(name: str) -> dict[str, Any]:
    """
    Return the entry of Django's STORAGES for stored recordings: our own folder, or a bucket of S3's kind.

    Keys of the bucket come from where its programs look for them (AWS_ACCESS_KEY_ID and its like), never from here.

    :raises SettingError: it is no bucket's address.
    """
    raw = optional(name)
    if not raw:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
        }
    return _bucket(name, raw)


def drop_storage(name: str) -> dict[str, Any] | None:
    """
    Return the entry of Django's STORAGES for files that are dropped: a folder, or a bucket of S3's kind; None for none.

    :raises SettingError: it is neither.
    """
    raw = optional(name)
    if not raw:
        return None
    if raw.startswith("s3:"):
        return _bucket(name, raw)
    if not Path(raw).is_absolute():
        raise SettingError(name, "is no folder", "Write /srv/drop, or s3://bucket/folder.")
    return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": raw}}


def _bucket(name: str, raw: str) -> dict[str, Any]:
    remedy = "Write s3://bucket/folder?endpoint_url=https://s3.example.com&region_name=eu-central-1, or leave it out."
    parts = urlsplit(raw)
    options = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if parts.scheme != "s3" or not parts.hostname or parts.username or parts.port:
        raise SettingError(name, "is not the address of a bucket", remedy)
    if options.keys() - {"endpoint_url", "region_name"}:
        raise SettingError(name, "says more than endpoint_url and region_name", remedy)
    if not options.get("endpoint_url", "https://").startswith("https://"):
        raise SettingError(name, "names an endpoint without https", remedy)
    from botocore.config import Config  # noqa: PLC0415  most houses have no bucket, and it takes a while to load

    # Where nothing is said, botocore waits a minute for each of five tries.
    patience = Config(
        connect_timeout=4, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.hostname,
            "location": parts.path.strip("/"),
            "default_acl": None,
            "file_overwrite": False,
            "max_memory_size": IN_MEMORY,
            "client_config": patience,
            **options,
        },
    }


def fill_from(file: Path, environ: Mapping[str, str] | None = None) -> None:
    """Set what the file (lines of NAME=value) says and the environment does not; it may be missing."""
    known = os.environ if environ is None else environ
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        name, mark, value = line.partition("=")
        if mark and not name.startswith("#") and name not in known:
            os.environ[name] = value


def fill_with_nothing() -> None:
    """Let a program that needs no database start: what the environment does not say gets a value that opens nothing."""
    for name, value in {
        "CALLPRIVACY_URL": "http://127.0.0.1:8000",
        "CALLPRIVACY_SECRET_KEY": token_urlsafe(64),
        "CALLPRIVACY_SIGNING_KEY": base64.b64encode(token_bytes(32)).decode(),
        "FIELD_ENCRYPTION_KEY": base64.urlsafe_b64encode(token_bytes(32)).decode(),
        "DATABASE_URL": "postgresql:///nothing",
        "VAULT_DATABASE_URL": "postgresql:///nothing",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }.items():
        os.environ.setdefault(name, value)
