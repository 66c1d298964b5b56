"""
What the suite stands on: the servers, the template databases, and each worker's clones of them.

Several runs at once share one set of servers; who joins first starts them, who leaves last stops them. They lie in
memory where there is enough of it, else in `.state/test`: ext4 looks at every file that it deleted within the last five
seconds whenever it makes one, and clones are made of hundreds of files and thrown away by hundreds.
`DATABASE_URL` (a superuser, since PostgreSQL reads the suite's clock) and `REDIS_URL` name other servers.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
import redis
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests import clock
from tools import services

if TYPE_CHECKING:
    import io

    from pytest_django.plugin import DjangoDbBlocker

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state" / "test"
OWNER = "callprivacy_test_owner"
ROLES = {"default": "callprivacy_test_app", "vault": "callprivacy_test_vault"}
"""Database -> the role that the product opens it as."""
ALIASES = tuple(ROLES)
_VARIABLES = {"default": "DATABASE_URL", "vault": "VAULT_DATABASE_URL"}
_OWNER_VARIABLES = {"default": "DATABASE_OWNER_URL", "vault": "VAULT_DATABASE_OWNER_URL"}
_GIVEN_DATABASE, _GIVEN_REDIS = "CALLPRIVACY_TEST_DATABASE_URL", "CALLPRIVACY_TEST_REDIS_URL"
patience: dict[str, float] = {}
"""How long the product waits for a hint, in seconds; the suite waits longer."""
_TEMPLATE_LOCK = 0x63_70_74_65
_MEMORY = Path("/dev/shm")  # noqa: S108 what lies there is made private and checked
_MEMORY_AT_LEAST = 4 << 30
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "jit": "off",
    # Thousands of connections are made, each of which would derive the password four thousand times over.
    "scram_iterations": "1",
    "log_min_messages": "fatal",
}


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Set what the settings ask for, with secrets of this run; workers inherit them."""
    # A hundred processes are started that all read the same code: the first one compiles it.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    clock.prepare(environ)
    if _GIVEN_DATABASE in environ:
        return
    environ[_GIVEN_DATABASE] = environ.get("DATABASE_URL", "")
    environ[_GIVEN_REDIS] = environ.get("REDIS_URL", "")
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    ours = {
        "DJANGO_SETTINGS_MODULE": "callprivacy.settings",
        "CALLPRIVACY_ROLE": "app",
        "CALLPRIVACY_URL": "http://127.0.0.1:8000",
        "CALLPRIVACY_SECRET_KEY": _kept_secret_key(),
        # Tests move Python's clock by days, and PostgreSQL's stays.
        "CALLPRIVACY_SCOPE_HOURS": str(50 * 365 * 24),
        "CALLPRIVACY_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "CALLPRIVACY_PROXY_COUNT": "0",
        "CALLPRIVACY_LOG_LEVEL": "INFO",
        "FIELD_ENCRYPTION_KEY": fernet_key,
        "MAIL_URL": "",
    }
    environ.update(ours)


def _kept_secret_key() -> str:
    """The same for every run of this checkout: the template believes what it signs."""
    STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    return services.kept_secret(STATE / "secret-key") * 2


# --- The servers ------------------------------------------------------------------------


def place() -> services.Place:
    """Where the servers lie; in memory, where this checkout has a folder already or there is room for one."""
    mine = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
    folder = _MEMORY / f"callprivacy-{os.geteuid()}-{mine}"
    if folder.is_dir() or (
        os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_AT_LEAST
    ):
        found = services.Place.of(folder)
        (folder / "checkout").write_text(f"{ROOT}\n", encoding="utf-8")
        return found
    return services.Place.of(STATE)


def _forget_others() -> None:
    """Free the memory of servers whose checkout is not there any more."""
    for folder in _MEMORY.glob(f"callprivacy-{os.geteuid()}-*"):
        named = folder / "checkout"
        if named.is_file() and not Path(named.read_text(encoding="utf-8").strip()).is_dir():
            shutil.rmtree(folder, ignore_errors=True)


class _Servers:
    """The servers of this run, and our mark that we use them."""

    def __init__(self) -> None:
        self.mark: io.TextIOWrapper | None = None
        self.number: io.TextIOWrapper | None = None
        self.admin_url = ""
        self.redis_url = ""
        self.redis_url_of_site = ""

    def join(self) -> None:
        """Use the servers, and start those that are not up."""
        self.admin_url, self.redis_url = os.environ[_GIVEN_DATABASE], os.environ[_GIVEN_REDIS]
        self.redis_url_of_site = self.redis_url
        if self.admin_url and self.redis_url:
            return
        STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        with services.locked(STATE / "start.lock"):
            where = place()
            self.mark = (STATE / "users.lock").open("a")
            fcntl.flock(self.mark, fcntl.LOCK_SH)
            if not self.admin_url:
                postgres = services.Postgres(where, settings=_FAST)
                if not postgres.is_up():
                    _forget_others()
                    _start_afresh_if_broken(postgres)
                self.admin_url = postgres.url("postgres")
            if not self.redis_url:
                valkey = services.Valkey(where, durable=False, databases=1024)
                if not valkey.is_up():
                    valkey.start(stays=True)
                number = self._take_number()
                self.redis_url = valkey.url(number)
                # A running site takes messages off its queue that a test beside it has put into its own.
                self.redis_url_of_site = valkey.url(number + 1)
                for url in (self.redis_url, self.redis_url_of_site):
                    with redis.Redis.from_url(url) as client:
                        client.flushdb()

    def _take_number(self) -> int:
        """The first even number of a database that no other process has, ours until we end."""
        for number in range(0, 1024, 2):
            taken = (STATE / f"valkey-{number}.lock").open("a")
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.number = taken
                return number
            taken.close()
        raise RuntimeError("Five hundred processes use the tests' Valkey.")

    def leave(self) -> None:
        """Stop the servers, unless somebody else still uses them."""
        if self.mark is None:
            return
        with services.locked(STATE / "start.lock"):
            self.mark.close()
            self.mark = None
            if self.number is not None:
                self.number.close()
            with services.locked(STATE / "users.lock", wait=False) as alone:
                if alone:
                    where = place()
                    services.Postgres(where, settings=_FAST).stop()
                    services.Valkey(where).stop()
                    where.forget_if_elsewhere()


def _start_afresh_if_broken(postgres: services.Postgres) -> None:
    """Start the server; it keeps nothing worth repairing, so one that a power cut broke is made anew."""
    try:
        postgres.start(stays=True)
    except services.ServiceError:
        shutil.rmtree(postgres.data, ignore_errors=True)
        postgres.start(stays=True)


# --- The databases ----------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """One database for each alias."""

    names: dict[str, str]
    urls: dict[str, str]
    owner_urls: dict[str, str]

    def environment(self) -> dict[str, str]:
        """What a subprocess needs to work on this pair."""
        return {_VARIABLES[alias]: self.urls[alias] for alias in ALIASES} | {
            _OWNER_VARIABLES[alias]: self.owner_urls[alias] for alias in ALIASES
        }


def _address(admin_url: str, *, user: str, database: str) -> str:
    parts: dict[str, Any] = dict(conninfo_to_dict(admin_url))
    parts |= {"user": user, "dbname": database}
    login = f"{quote(user)}:{quote(_password(admin_url, user))}"
    rest = {key: value for key, value in parts.items() if key not in {"user", "password", "dbname"}}
    return f"postgresql://{login}@/{quote(database)}?{urlencode(rest)}"


def _password(admin_url: str, role: str) -> str:
    """A password that every run derives alike and that who lacks the administrator's cannot know."""
    return hashlib.sha256(f"{role} {admin_url}".encode()).hexdigest()[:40]


def _fingerprint() -> str:
    """What the template depends on: models, migrations, the versions that are pinned, and what signs scopes."""
    found = hashlib.sha256(os.environ["CALLPRIVACY_SECRET_KEY"].encode())
    kinds = ("migrations/*.py", "models.py", "enums.py", "rls.py", "router.py", "scope.py")
    # Rooms lie in the project package and beside it.
    files = {
        file for kind in kinds for room in ("*", "callprivacy/*") for file in ROOT.glob(f"{room}/{kind}")
    }
    for file in sorted(
        files
        | {
            ROOT / "requirements.txt",
            ROOT / "tools" / "migrating.py",
            ROOT / "tests" / "ground.py",
            ROOT / "tests" / "clock.py",
        }
    ):
        if file.is_file():
            found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:10]


class Databases:
    """The template of the code as it stands, and clones of it."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.fingerprint = _fingerprint()
        self.run = secrets.token_hex(4)
        self.made = 0
        self.home: Pair | None = None
        self.current: Pair | None = None
        self.cast: Any = None
        self._with_cast: Pair | None = None
        self._stage: Pair | None = None
        # Kept open: its name tells other runs that our databases are in use.
        self.admin = psycopg.connect(
            admin_url, autocommit=True, application_name=f"callprivacy-tests {self.fingerprint} {self.run}"
        )

    def _pair(self, prefix: str) -> Pair:
        names = {alias: f"{prefix}_{alias}" for alias in ALIASES}
        return Pair(
            names,
            {
                alias: _address(self.admin_url, user=ROLES[alias], database=name)
                for alias, name in names.items()
            },
            {alias: _address(self.admin_url, user=OWNER, database=name) for alias, name in names.items()},
        )

    def _execute(self, statement: LiteralString, **names: str) -> None:
        identifiers = {key: sql.Identifier(value) for key, value in names.items()}
        self.admin.execute(sql.SQL(statement).format(**identifiers))

    def prepare(self) -> None:
        """Make the template, unless a run has done so; drop what earlier runs left behind."""
        self.admin.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        try:
            self._sweep()
            template = self._pair(f"cptemplate_{self.fingerprint}")
            if not all(self._exists(name) for name in template.names.values()):
                self._make_template(template)
        finally:
            self.admin.execute("SELECT pg_advisory_unlock(%s)", [_TEMPLATE_LOCK])

    def _exists(self, name: str) -> bool:
        return (
            self.admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
        )

    def _sweep(self) -> None:
        """Drop the databases of runs, and the templates of code, that nobody uses any more."""
        rows = self.admin.execute(
            "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'callprivacy-tests %'"
        ).fetchall()
        used = {word for (name,) in rows for word in name.split()[1:]}
        databases = self.admin.execute(
            r"SELECT datname FROM pg_database WHERE datname LIKE 'cptest\_%' OR datname LIKE 'cptemplate\_%'"
        ).fetchall()
        for (name,) in databases:
            if name.split("_")[1] not in used:
                self._drop(name)

    def _drop(self, name: str) -> None:
        if self._exists(name):
            self._execute("ALTER DATABASE {name} IS_TEMPLATE false", name=name)
            self._execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)

    def _make_template(self, template: Pair) -> None:
        self.admin.execute(
            services.role_statements(
                {role: _password(self.admin_url, role) for role in (OWNER, *ROLES.values())}
            ).encode()
        )
        self._execute("GRANT {owner} TO CURRENT_USER", owner=OWNER)
        part = self._pair(f"cptemplate_{self.fingerprint}_part")
        for name in (*template.names.values(), *part.names.values()):
            self._drop(name)
        for alias, name in part.names.items():
            self._execute("CREATE DATABASE {name} OWNER {owner} TEMPLATE template0", name=name, owner=OWNER)
            inside = _address_of_admin(self.admin_url, name)
            with psycopg.connect(inside, autocommit=True) as connection:
                connection.execute(
                    services.grant_statements(database=name, owner=OWNER, app=ROLES[alias]).encode()
                )
                clock.move_database(connection)
            self._set_clock(name)
        _migrate(part)
        for alias in ALIASES:
            self._execute(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS false IS_TEMPLATE true", name=part.names[alias]
            )
            self._execute(
                "ALTER DATABASE {part} RENAME TO {name}", part=part.names[alias], name=template.names[alias]
            )

    def clone(self, of: Pair | None = None) -> Pair:
        """
        Return a fresh pair, made from the template, or from a pair that nobody is connected to.

        File by file: block by block through the log, as is usual, takes thrice as long for databases this small.
        """
        self.made += 1
        pair = self._pair(f"cptest_{self.run}_{self.made}")
        template = of or self._pair(f"cptemplate_{self.fingerprint}")
        for alias in ALIASES:
            name = pair.names[alias]
            self._execute(
                "CREATE DATABASE {name} OWNER {owner} TEMPLATE {template} STRATEGY FILE_COPY",
                name=name, owner=OWNER, template=template.names[alias],
            )  # fmt: skip
            self._set_clock(name)
            self._execute("REVOKE ALL ON DATABASE {name} FROM PUBLIC", name=name)
            self._execute("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {app}", name=name, app=ROLES[alias])
        return pair

    def _set_clock(self, name: str) -> None:
        self.admin.execute(
            sql.SQL("ALTER DATABASE {} SET tests.clock_offset = {}").format(
                sql.Identifier(name), sql.Literal(clock.database_offset())
            )
        )

    def with_cast(self) -> Pair:
        """A pair in which the cast is there already, committed: a pattern that nobody connects to."""
        if self._with_cast is None:
            from tests import cast

            before, pair = self.current, self.clone()
            assert before is not None
            point_to(pair)
            self.cast = cast.assemble()
            point_to(before)
            self._with_cast = pair
        return self._with_cast

    def stage(self) -> Pair:
        """This worker's own pair with the cast in it, for tests that roll back."""
        if self._stage is None:
            self._stage = self.clone(self.with_cast())
        return self._stage

    def end(self) -> None:
        """Drop what was kept for the whole of a run."""
        for pair in (self.home, self._stage, self._with_cast):
            if pair is not None:
                self.drop(pair)

    def drop(self, pair: Pair) -> None:
        """Drop a pair, whoever is still connected to it."""
        for name in pair.names.values():
            self._execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)


def _address_of_admin(admin_url: str, database: str) -> str:
    return psycopg.conninfo.make_conninfo(admin_url, dbname=database)


def _migrate(pair: Pair) -> None:
    """Migrate as the owner, in a process of its own: settings are read once."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.migrating"],
        env=os.environ | pair.environment() | {"CALLPRIVACY_ROLE": "owner"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"The template could not be migrated:\n{done.stdout}{done.stderr}")


# --- What the hooks call ----------------------------------------------------------------

servers = _Servers()


def join() -> None:
    """Start or join the servers and set Django up; no database exists until one is cloned."""
    servers.join()
    state = STATE / f"run-{os.getpid()}"
    (state / "static").mkdir(parents=True, exist_ok=True)
    nowhere = {
        alias: _address(servers.admin_url, user=role, database="not_cloned_yet")
        for alias, role in ROLES.items()
    }
    os.environ |= {
        "CALLPRIVACY_STATE": str(state),
        "REDIS_URL": servers.redis_url,
        **Pair({}, nowhere, nowhere).environment(),
    }
    import django
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A crowded machine may let Valkey stand still for longer than a person would wait.
    patience.update(settings.CACHES["hints"]["OPTIONS"])
    for cache in ("default", "hints"):
        settings.CACHES[cache]["OPTIONS"] = {"socket_timeout": 20, "socket_connect_timeout": 20}
    django.setup()


def leave() -> None:
    """Forget this run's files and leave the servers."""
    shutil.rmtree(STATE / f"run-{os.getpid()}", ignore_errors=True)
    servers.leave()


@dataclass
class Standing:
    """The cast of the pair in use, where it is there from the start."""

    cast: Any = None


standing = Standing()
_kept: dict[tuple[str, str], Any] = {}


def point_to(pair: Pair, *, cast: Any = None) -> None:
    """Make Django, its future connections and future subprocesses use the pair."""
    from django.db import connections

    standing.cast = cast
    connections.close_all()
    for alias in ALIASES:
        connections.settings[alias]["NAME"] = pair.names[alias]
        connections[alias].settings_dict["NAME"] = pair.names[alias]
    os.environ |= pair.environment()


def turn_to(pair: Pair, *, cast: Any) -> None:
    """The same, for going back and forth: connections to either pair stay open."""
    from django.db import connections

    standing.cast = cast
    for alias in ALIASES:
        settings = connections.settings[alias]
        _kept[alias, settings["NAME"]] = connections[alias]
        settings["NAME"] = pair.names[alias]
        kept = _kept.pop((alias, pair.names[alias]), None)
        if kept is None:
            del connections[alias]
        else:
            connections[alias] = kept
        connections[alias].settings_dict["NAME"] = pair.names[alias]
    os.environ |= pair.environment()


@contextlib.contextmanager
def staying_at(pair: Pair, databases: Databases, blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let every test meanwhile find this pair, as a file's tests do that share one."""
    shared, databases.current = databases.current, pair
    assert shared is not None
    with blocker.unblock():
        point_to(pair)
    yield
    databases.current = shared
    with blocker.unblock():
        point_to(shared)


def count_anew() -> None:
    """Let what follows meet nothing that was counted before: it has names of its own in Valkey."""
    from django.core.cache import caches

    mine = secrets.token_hex(6)
    for alias in ("default", "hints"):
        caches.settings[alias]["KEY_PREFIX"] = mine
        caches[alias].key_prefix = mine


def close_kept() -> None:
    """Close what `turn_to` keeps open."""
    while _kept:
        _kept.popitem()[1].close()


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """Refuse connections to anything but this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(line: socket.socket, address: Any) -> None:
        if line.family not in {socket.AF_INET, socket.AF_INET6} or address[0] == "localhost":
            return
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(address[0]).is_loopback:
                return
        raise RuntimeError(f"A test tried to reach {address[0]}, which is not this machine.")

    def checked_connect(line: socket.socket, address: Any) -> None:
        check(line, address)
        connect(line, address)

    def checked_connect_ex(line: socket.socket, address: Any) -> int:
        check(line, address)
        return connect_ex(line, address)

    socket.socket.connect = checked_connect  # type: ignore[method-assign,assignment]  # watched from outside
    socket.socket.connect_ex = checked_connect_ex  # type: ignore[method-assign,assignment]  # watched from outside
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]  # watched from outside
        socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]  # watched from outside
