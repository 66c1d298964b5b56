"""
`make run`: everything that CallPrivacy needs on this machine, started together and ended together.

Servers that the environment names are used; the others are our own, private to the state folder. What is
made once (secrets, databases, the first agency or the demo) is kept for the next start.
"""

import base64
import contextlib
import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tools import arguments, services, supervise

ROOT = Path(__file__).resolve().parent.parent
OWNER, APP, VAULT = "callprivacy_owner", "callprivacy_app", "callprivacy_vault"
DATABASES = {"": "callprivacy", "VAULT_": "callprivacy_vault"}
_ROLES = {"": APP, "VAULT_": VAULT}
_GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "VAULT_DATABASE_URL", "VAULT_DATABASE_OWNER_URL")


def _shared_buffers() -> str:
    """An eighth of the machine's memory, at least 128 MB and at most 1 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return f"{max(128, min(memory // 8, 1024))}MB"


_POSTGRES = {
    "max_connections": "100",
    "shared_buffers": _shared_buffers(),
    # A large import writes gigabytes; each checkpoint in its midst makes it write whole pages once more.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    # Statements may carry a number; what failed is in the app's own log, masked.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


class RunError(RuntimeError):
    """The start stops here; the text says why and what to do."""


# --- Secrets and settings ----------------------------------------------------------------


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    lines = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: value for name, mark, value in lines if mark and not name.startswith("#")}


def _settings(state: Path, *, port: int, addresses: dict[str, str]) -> dict[str, str]:
    """Return the settings of this start: what is kept stays, and the addresses are today's."""
    file = state / "env"
    kept = _read(file)
    kept.setdefault("CALLPRIVACY_SECRET_KEY", secrets.token_urlsafe(64))
    kept.setdefault("FIELD_ENCRYPTION_KEY", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    kept.setdefault("CALLPRIVACY_SIGNING_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
    kept |= addresses
    kept["CALLPRIVACY_URL"] = f"http://127.0.0.1:{port}"
    heading = "# Made by `make run`. Whoever reads this file reads everything: keep it, and keep it apart.\n"
    lines = "".join(f"{name}={value}\n" for name, value in sorted(kept.items()))
    services.write_private(file, heading + lines)
    return kept


def _port() -> int:
    raw = os.environ.get("PORT", "8000")
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise RunError("PORT is not the number of a port. Write for example PORT=9000 make run.")
    port = int(raw)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", port))
        except OSError:
            raise RunError(
                f"Port {port} of this machine is taken. Choose another: PORT={port + 1000} make run."
            ) from None
    return port


# --- Databases ---------------------------------------------------------------------------


def _own_postgres(place: services.Place) -> tuple[services.Postgres, dict[str, str]]:
    """Start PostgreSQL with its roles and both databases; returns it and the four addresses."""
    postgres = services.Postgres(place, settings=_POSTGRES)
    postgres.start()
    passwords = {role: services.kept_secret(place.state / f"{role}.secret") for role in (OWNER, APP, VAULT)}
    try:
        postgres.sql(services.role_statements(passwords))
        there = set(postgres.sql("SELECT datname FROM pg_database").split())
        for prefix, name in DATABASES.items():
            if name not in there:
                postgres.sql(f"CREATE DATABASE {name} OWNER {OWNER};")
            postgres.sql(
                services.grant_statements(database=name, owner=OWNER, app=_ROLES[prefix]), database=name
            )
        # Where it was made before the vault had a role of its own.
        vault = DATABASES["VAULT_"]
        postgres.sql(
            services.handover_statements(database=vault, owner=OWNER, old=APP, new=VAULT), database=vault
        )
    except BaseException:
        postgres.stop()
        raise
    addresses = {}
    for prefix, name in DATABASES.items():
        role = _ROLES[prefix]
        addresses[f"{prefix}DATABASE_URL"] = postgres.url(name, user=role, password=passwords[role])
        addresses[f"{prefix}DATABASE_OWNER_URL"] = postgres.url(name, user=OWNER, password=passwords[OWNER])
    return postgres, addresses


def _given_databases() -> dict[str, str] | None:
    """
    Return the addresses the environment gives, or None when it gives none.

    :raises RunError: it gives some and not all.
    """
    given = {name: os.environ.get(name, "") for name in _GIVEN}
    if not any(given.values()):
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise RunError(
            f"{' and '.join(missing)} is not set, but others of the databases' addresses are. Set all four: "
            "the app's role for DATABASE_URL, the vault's for VAULT_DATABASE_URL, the owner's for the two with OWNER. "
            "Or set none, and PostgreSQL is started here."
        )
    return given


# --- Steps before the start --------------------------------------------------------------


def _manage(*arguments: str, environ: dict[str, str], show: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environ,
        text=True,
        stdout=None if show else subprocess.PIPE,
        check=False,
    )


def _fingerprint(environ: dict[str, str]) -> str:
    """What the databases and the static files were prepared for: the code, the packages, the addresses, the keys."""
    found = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        found.update((ROOT / name).read_bytes())
    packages = (file.parent for file in ROOT.glob("*/__init__.py"))
    files = [file for package in packages for file in package.rglob("*.py")]
    static = [file for file in (ROOT / "static").rglob("*") if file.is_file()]
    for file in sorted({*files, *static}):
        facts = file.stat()
        found.update(f"{file}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    keys = ("CALLPRIVACY_SECRET_KEY", "CALLPRIVACY_EARLIER_SECRET_KEYS")
    found.update("".join(environ.get(name, "") for name in (*_GIVEN, "REDIS_URL", *keys)).encode())
    return found.hexdigest()


def _prepare(state: Path, environ: dict[str, str]) -> None:
    """Migrate both databases as their owner, collect static files and check, unless nothing has changed."""
    mark, wanted = state / "prepared", _fingerprint(environ)
    if mark.is_file() and mark.read_text(encoding="ascii") == wanted:
        return
    done = subprocess.run(
        [sys.executable, "-m", "tools.release", "--here"],
        cwd=ROOT,
        env=environ | {"CALLPRIVACY_ROLE": "owner", "CALLPRIVACY_LOG_LEVEL": "WARNING"},
        check=False,
    )
    if done.returncode:
        raise RunError("The databases could not be prepared; what was said is above.")
    mark.write_text(wanted, encoding="ascii")


def _first_time(state: Path, environ: dict[str, str]) -> None:
    """On the first start, make the demo or the first agency, as chosen."""
    mark = state / "started-with"
    if mark.exists():
        return
    found = _what_there_is(environ)
    if found == "agency":
        mark.write_text("agency\n", encoding="ascii")
        return
    if found == "demo":
        if not (state / "demo.txt").exists():
            print(
                "There is a demo, but its logins are not known here. For a new one:\n"
                "    .venv/bin/python manage.py demo --remove\n"
                "and then make run again.",
                flush=True,
            )
            return
        mark.write_text("demo\n", encoding="ascii")
        return
    choice = "demo" if os.environ.get("DEMO") == "1" else ""
    if not choice and sys.stdin.isatty() and sys.stdout.isatty():
        choice = _ask()
    if choice == "demo":
        print("Making the demo: one agency, twelve clients, ninety days of calls ...", flush=True)
        done = _manage("demo", environ=environ, show=False)
        if done.returncode:
            raise RunError("The demo could not be made; what was said is above. Try again with make run.")
        services.write_private(state / "demo.txt", done.stdout)
    elif choice == "agency":
        name = _answer("Name of the agency: ")
        officer = _answer("E-mail of its compliance officer (you, perhaps): ")
        if _manage("create_agency", "--officer", officer, "--", name, environ=environ).returncode:
            raise RunError("The agency could not be made; what was said is above. Try again with make run.")
    else:
        print(
            "There is no agency yet. Make one:\n"
            "    .venv/bin/python manage.py create_agency NAME --officer EMAIL\n"
            "or look around first:\n"
            "    DEMO=1 make run",
            flush=True,
        )
        return
    mark.write_text(choice + "\n", encoding="ascii")


def _what_there_is(environ: dict[str, str]) -> str:
    """
    "nothing", "unfinished", "demo" or "agency", as `manage.py demo --look` says.

    :raises RunError: it cannot say.
    """
    done = _manage("demo", "--look", environ=environ, show=False)
    if done.returncode:
        raise RunError("The database cannot be asked which agencies there are; what was said is above.")
    return done.stdout.strip()


def _ask() -> str:
    """Which of the two, or "" where the input has ended."""
    print("\nThis is the first start.")
    print("  1  Try the demo (an invented agency with invented calls)")
    print("  2  Start my agency")
    while True:
        try:
            answer = input("Which one? [1] ").strip() or "1"
        except EOFError:
            return ""
        if answer in {"1", "2"}:
            return {"1": "demo", "2": "agency"}[answer]


def _answer(question: str) -> str:
    """
    Something, asked for until it is there.

    :raises RunError: the input has ended.
    """
    while True:
        try:
            answer = input(question).strip()
        except EOFError:
            raise RunError("The question was not answered. Try again with make run.") from None
        if answer:
            return answer


# --- The run itself ----------------------------------------------------------------------


def _keep_up(name: str, service: services.Postgres | services.Valkey) -> Callable[[], None]:
    """Return a check that starts the service again when it has ended."""
    state = {"failures": 0, "due": 0.0}

    def check() -> None:
        if service.process is None or service.process.poll() is None or time.monotonic() < state["due"]:
            return
        supervise.say(f"{name} ended ({service.process.returncode}); it is started again")
        state["failures"] += 1
        try:
            service.start()
            state["failures"] = 0
        except services.ServiceError as error:
            supervise.say(str(error))
        state["due"] = time.monotonic() + supervise.wait_before(int(state["failures"]) + 1)

    return check


def _lines(state: Path, environ: dict[str, str], port: int) -> list[str]:
    """Where to look: the demo's logins and its page of mail while there is one, otherwise the folder of mail."""
    lines = []
    demo = state / "demo.txt"
    if demo.exists():
        lines += demo.read_text(encoding="utf-8").strip().splitlines()
    if _mail_is_here(environ):
        where = (
            f"read at  http://127.0.0.1:{port}/mail/" if demo.exists() else f"written to  {state / 'mail'}"
        )
        lines.append(f"No mail server is set (MAIL_URL): mail is {where}")
    return [*lines, "Ctrl-C ends it; the data stays."]


def _mail_is_here(environ: dict[str, str]) -> bool:
    """Whether the mail page answers, as dashboard.views.mail decides."""
    is_public = environ.get("CALLPRIVACY_URL", "").startswith("https:")
    is_behind = environ.get("CALLPRIVACY_PROXY_COUNT", "").strip() not in {"", "0"}
    return not (environ.get("MAIL_URL", "").strip() or is_public or is_behind)


def _announcer(
    state: Path, environ: dict[str, str], port: int, started: float, ready: Callable[[], None]
) -> Callable[[], None]:
    """Return a check that says once where to look, and calls `ready`, as soon as the site answers."""
    said: list[bool] = []

    def check() -> None:
        if said or not _answers(port):
            return
        said.append(True)
        ready()
        first = f"CallPrivacy is ready after {time.monotonic() - started:.1f} s:  http://127.0.0.1:{port}/"
        lines = [first, *_lines(state, environ, port)]
        print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)

    return check


def _answers(port: int) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/accounts/login/")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return bool(answer.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _environment(state: Path, settings: dict[str, str], port: int) -> dict[str, str]:
    """
    What our processes see: the settings, then what the environment says, which goes first.

    An empty variable says nothing: it hides no setting.
    """
    inside = {"CALLPRIVACY_STATE": str(state), "PORT": str(port), "CALLPRIVACY_LOG_FORMAT": "text"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ours = settings | inside
    said = {name: value for name, value in os.environ.items() if value or name not in ours}
    return ours | said | {"PATH": path, "PYTHONUNBUFFERED": "1"}


def _run(state: Path, started: float) -> None:
    port = _port()
    with contextlib.ExitStack() as stack:
        addresses = _given_databases()
        beside: list[Callable[[], None]] = []
        place: services.Place | None = None
        if addresses is None or not os.environ.get("REDIS_URL"):
            place = services.Place.of(state)
        if addresses is None:
            assert place is not None  # noqa: S101 for the type checker
            postgres, addresses = _own_postgres(place)
            stack.callback(postgres.stop)
            beside.append(_keep_up("PostgreSQL", postgres))
        if not os.environ.get("REDIS_URL"):
            assert place is not None  # noqa: S101 for the type checker
            valkey = services.Valkey(place)
            valkey.start()
            stack.callback(valkey.stop)
            addresses["REDIS_URL"] = valkey.url()
            beside.append(_keep_up("Valkey", valkey))
        environ = _environment(state, _settings(state, port=port, addresses=addresses), port)
        _prepare(state, environ)
        _first_time(state, environ)
        kept = [
            supervise.Kept(name, command, environ, ROOT)
            for name, command in supervise.read_procfile(ROOT / "Procfile").items()
        ]
        supervisor = supervise.Supervisor(kept, beside)
        supervisor.on_tick = _announcer(state, environ, port, started, supervisor.hurry)
        supervisor.run()


def main() -> int:
    """Run until Ctrl-C; a reason not to start is one paragraph."""
    arguments.parse(__doc__)
    started = time.monotonic()
    state = Path(os.environ.get("CALLPRIVACY_STATE") or ROOT / ".state").resolve()
    try:
        state.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with services.locked(state / "run.lock", wait=False) as alone:
            if not alone:
                raise RunError(
                    f"CallPrivacy already runs with the data in {state}. Use that one, or end it first."
                )
            _run(state, started)
    except (RunError, services.ServiceError) as error:
        print(f"CallPrivacy does not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
