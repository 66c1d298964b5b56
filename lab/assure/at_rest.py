"""
Row 17: what people said on every way that writes, looked for in the bytes of every file that a running installation has
written: databases with their log of writes, Valkey's files, backups, logs, mails, media, and whatever else there is.
"""

import base64
import binascii
import gzip
import hmac
import json
import os
import quopri
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from lab.assure import kills
from lab.assure.rows import ROOT, Figure
from tools import arguments

PEOPLE = 300


def at_rest(seconds: float) -> Figure:
    """The bytes of everything that a running installation has written."""
    return kills.own_process("at_rest", seconds=seconds, module="lab.assure.at_rest")


def _at_rest() -> dict[str, Any]:
    """Canaries of many people through the door and the forms; then every file of the installation is searched."""
    from lab.faults import site as sites

    chance = random.Random(17)
    state = sites.STATE
    with sites.standing() as (site, clock):
        from tests.rules.scanner import Canary, Scanner

        numbers = [
            f"+1{chance.choice((212, 404, 617))}{chance.randrange(2_000_000, 9_999_999)}"
            for _ in range(PEOPLE)
        ]
        names = [
            f"Zq{secrets.token_hex(5).capitalize()} Wx{secrets.token_hex(5).capitalize()}" for _ in range(60)
        ]
        canaries = [Canary("number", number) for number in numbers[:60]] + [
            Canary("name", name) for name in names
        ]
        scanner = Scanner(canaries)
        plain = {number[2:].encode() for number in numbers}, {name.lower().encode() for name in names}
        _story(site, clock, numbers, names)
        backup(state)
        from django.db import connections

        site.postgres.sql("CHECKPOINT", database="postgres")
        connections.close_all()
        import redis

        with redis.Redis.from_url(site.valkey.url()) as line:
            line.save()
        stores = _stores(state)
        sizes = {
            store: sum(file.stat().st_size for file in files if file.exists())
            for store, files in stores.items()
        }
        hits = [
            f"{store}: {os.path.relpath(file, state)}: {', '.join(sorted(what))}"
            for store, files in stores.items()
            for file in files
            if (what := _searched(scanner, file, *plain))
        ]
        empty = [f"{store}: nothing to search" for store, size in sizes.items() if not size]
        caught = _planted_at_rest(site, scanner, numbers, names)
    said = ", ".join(f"{store} {size / 1e3:,.0f} kB" for store, size in sizes.items())
    return {
        "said": f"{PEOPLE} people and {len(names)} names; searched: {said}",
        "failures": hits + empty,
        "trials": 0,
        "caught": caught,
    }


class _Line(requests.Session):
    """Asks one address, follows nothing, and wants the answer that is expected."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.trust_env = url, False

    def ask(self, method: str, path: str, expected: int, **said: Any) -> requests.Response:
        """:raises SystemExit: the answer has another status."""
        answer = self.request(method, self.url + path, allow_redirects=False, timeout=60, **said)
        if answer.status_code != expected:
            raise SystemExit(
                f"{method} {path} answered {answer.status_code}, not {expected}: {answer.text[-300:]}"
            )
        return answer


def _story(site: Any, clock: Any, numbers: list[str], names: list[str]) -> None:
    """
    What people say on every way that writes: each calls by a signed event that also says a name, some events are forged
    or broken, files hold names, an officer searches, reveals, exports and writes numbers where they do not belong.

    Web and worker run as in production, with logs of every request.
    """
    from callprivacy.accounts.enums import Role
    from callprivacy.audit import services as audit
    from callprivacy.calls.services import connections as ways
    from callprivacy.tenancy.scope import job_scope
    from lab.faults import site as sites
    from lab.faults.history import SECRET
    from tests import make

    at = clock.now()
    agency = make.agency("At rest", at=at)
    officer = make.person(agency, "olivia", Role.OFFICER, at=at)
    client = make.client(agency, "Dentist", at=at)
    make.grant(officer, client)
    with job_scope(agency_id=agency.pk):
        way = ways.create_connection(
            client=client, provider="callrail", name="CallRail", secret=SECRET, by=make.JOB, at=at
        )
    os.environ |= {"CALLPRIVACY_LOG_LEVEL": "INFO", "CALLPRIVACY_LOG_FORMAT": "json"}
    site.start("web", "worker")
    _until(lambda: site.is_ready("web"), "The web does not listen.")
    with _Line(f"http://127.0.0.1:{site.port}") as line:
        for number, caller in enumerate(numbers):
            _call(
                line,
                f"/hooks/callrail/{way.key}/",
                _event(number, caller, names[number % len(names)], at),
                number,
            )
        for name in names:
            with job_scope(agency_id=agency.pk):
                audit.record(
                    "number.revealed",
                    subject=client,
                    by=make.JOB,
                    at=at,
                    reason=f"{name} asked to be called.",
                )
        _until(lambda: _is_taken_in(site, agency.pk), "The inbox was not worked off.")
        _at_the_pages(line, officer, client, (numbers, names), at)
    folder = sites.STATE / "mail"
    _until(lambda: _is_written(site, agency.pk, folder), "The file, the export or a mail was not written.")


def _event(number: int, caller: str, name: str, at: datetime) -> bytes:
    event = {
        "id": number, "start_time": at.isoformat(), "direction": "inbound", "duration": "61", "answered": True,
        "customer_phone_number": caller, "customer_name": name, "note": f"{name} asks",
        "tracking_phone_number": "+14045550100",
        "recording": f"https://app.callrail.com/calls/{number}/recording?access_key={number}",
    }  # fmt: skip
    return json.dumps(event).encode()


def _call(line: _Line, path: str, body: bytes, number: int) -> None:
    """An event as its tracker signs it; beside every tenth a forged one, and one that is true and cannot be read."""
    from lab.faults.history import SECRET

    bodies = [(body, 200), (body[:-20], 200), (body, 403)] if number % 10 == 0 else [(body, 200)]
    for content, expected in bodies:
        secret = SECRET if expected == 200 else "another"
        signature = base64.b64encode(hmac.digest(secret.encode(), content, "sha1")).decode()
        headers = {"Signature": signature, "Content-Type": "application/json"}
        line.ask("POST", path, expected, data=content, headers=headers)


def _until(is_so: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit(otherwise)
        time.sleep(0.5)


def _is_taken_in(site: Any, agency_id: int) -> bool:
    from callprivacy.calls.enums import InboxState
    from callprivacy.calls.models import Inbox
    from callprivacy.celery import app
    from callprivacy.tenancy.scope import job_scope

    site.keep()
    app.send_task("calls.sweep_inbox", retry=False)
    with job_scope(agency_id=agency_id):
        return not Inbox.objects.filter(state=InboxState.WAITING).exists()


def _at_the_pages(
    line: _Line, officer: Any, client: Any, said: tuple[list[str], list[str]], at: datetime
) -> None:
    """What an officer does in a browser, and what somebody does who has not signed in."""
    from django.conf import settings

    from callprivacy.calls.models import Call
    from callprivacy.calls.selectors.calls import CallFilters
    from callprivacy.calls.services import exports
    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.scope import job_scope, staff_scope
    from tests.rules.world import browser_of

    numbers, names = said

    def post(path: str, expected: int, files: Any = None, **given: str) -> requests.Response:
        return line.ask(
            "POST", path, expected, data={"csrfmiddlewaretoken": line.cookies["csrf"], **given}, files=files
        )

    line.ask("GET", "/accounts/login/", 200)
    post("/accounts/login/", 200, login=f"{names[3].replace(' ', '.')}@caller.example", password=names[4])
    post("/accounts/password/reset/", 302, email=officer.user.email)
    line.cookies.set(
        settings.SESSION_COOKIE_NAME, browser_of(officer.user).cookies[settings.SESSION_COOKIE_NAME].value
    )
    with job_scope(agency_id=client.agency_id):
        call = Call.objects.filter(client=client, caller__isnull=False)[0]
    post("/calls/search/", 302, number=numbers[5])
    line.ask("GET", "/calls/search/", 200)
    reason = f"{names[5]} asked for a call back."
    post(f"/clients/{client.slug}/calls/{call.pk}/reveal/", 200, reason_kind="call_back", reason=reason)
    line.ask("GET", f"/calls/?source={numbers[6]}&q={names[6]}", 200)
    line.ask("GET", f"/clients/{client.slug}/calls/{numbers[7]}/", 404)
    rows = "".join(
        f"{name},{number},{at:%Y-%m-%d} 09:00:07,61\n" for name, number in zip(names, numbers, strict=False)
    )
    file = f"Name,Phone Number,Start Time,Duration (seconds)\n{rows}"
    for name in names[7:9]:  # the first of both is begun, the other lies there as it came
        upload = {"file": (f"{name}.csv", file.encode(), "text/csv")}
        given = {"format": "callrail", "connection": "", "time_zone": "America/New_York"}
        draft = post(f"/clients/{client.slug}/imports/new/", 302, files=upload, **given).headers["Location"]
        if name == names[7]:
            post(f"{draft}start/", 302)
    with staff_scope(agency_id=client.agency_id, user_id=officer.user_id):
        exports.request_export(
            client=client, filters=CallFilters(), reason=f"A report that {names[9]} asked for.",
            by=Actor.staff(user_id=officer.user_id), at=at,
        )  # fmt: skip


# What an officer is sent: by the web for a forgotten password, by the worker for what was made.
_MAILS = {
    "the link to a new password": b"/accounts/password/reset/key/",
    "word of the export": b"CallPrivacy: something waits for you",
}


def unsent(folder: Path, expected: dict[str, bytes]) -> list[str]:
    """Which of the mails that are expected by a part of their text are not in the folder."""
    mails = [quopri.decodestring(file.read_bytes()) for file in folder.glob("*") if file.is_file()]
    return [what for what, text in expected.items() if not any(text in mail for mail in mails)]


def _is_written(site: Any, agency_id: int, mails: Path) -> bool:
    from callprivacy.calls.enums import JobState
    from callprivacy.calls.models import CallExport, CallImport
    from callprivacy.celery import app
    from callprivacy.tenancy.scope import job_scope

    site.keep()
    for task in ("calls.sweep_imports", "calls.sweep_exports", "work.send_mail"):
        app.send_task(task, retry=False)
    with job_scope(agency_id=agency_id):
        are_done = all(
            model.objects.filter(state=JobState.DONE).exists() for model in (CallImport, CallExport)
        )
    return are_done and not unsent(mails, _MAILS)


def backup(state: Path) -> None:
    """A dump of each database, as the owner makes it, lies beside the rest."""
    from callprivacy.vault import envelopes

    folders = {name: state / "dumps" / name for name in ("default", "vault", "keys")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    _, recipient = envelopes.new_identity()
    environ = os.environ | {
        "CALLPRIVACY_ROLE": "owner", "CALLPRIVACY_BACKUP_DIR": str(folders["default"]),
        "CALLPRIVACY_VAULT_BACKUP_DIR": str(folders["vault"]), "CALLPRIVACY_VAULT_BACKUP_KEYS": str(folders["keys"]),
        "CALLPRIVACY_BACKUP_RECIPIENTS": recipient,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "manage.py", "backup"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"No backup was made: {(done.stdout + done.stderr).strip()[-300:]}")


def _store_of(file: Path, state: Path) -> str:
    name = str(file)
    if "valkey" in name:
        return "Valkey's files"
    for folder, store in (("dumps", "backups"), ("mail", "mails"), ("media", "media")):
        if file.is_relative_to(state.resolve() / folder):
            return store
    if file.suffix == ".log":
        return "logs"
    is_data = "postgres" in name or "/base/" in name or "pg_wal" in name
    return "data with the log of writes" if is_data else "the rest"


def _stores(state: Path) -> dict[str, list[Path]]:
    """Every file of the installation, by what it is; a linked folder is followed."""
    from tools import services

    place = services.Place.of(state)
    found: dict[str, list[Path]] = {
        "data with the log of writes": [], "Valkey's files": [], "backups": [], "logs": [], "mails": [], "media": [],
        "the rest": [],
    }  # fmt: skip
    for root in sorted({state.resolve(), place.home.resolve()}):
        for file in sorted(root.rglob("*")):
            if (
                not file.is_file()
                or file.is_symlink()
                or "static" in file.parts
                or file.name == "secrets.env"
            ):
                continue
            store = _store_of(file, state)
            if file not in found[store]:
                found[store].append(file)
    return found


# What every canary looks like, so that a file is read once: numbers of three area codes, names that begin alike.
_NUMBERS = re.compile(rb"(212|404|617)[-.) ]{0,2}([2-9]\d\d)[-. ]?(\d{4})")
_NAMES = re.compile(rb"zq[0-9a-f]{10} wx[0-9a-f]{10}")
_IN_HEX = re.compile(rb"[0-9a-f]{20,}")
_IN_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{14,}")
_OF_ADDRESSES = bytes.maketrans(b"-_", b"+/")
# What is packed is unpacked in memory by the scanner, of files of this size.
_UNPACKED_AT_MOST = 300_000


def _searched(scanner: Any, file: Path, numbers: set[bytes], names: set[bytes]) -> set[str]:
    """What of the canaries is in a file: what bytes of any length show, and whatever small files have packed."""
    try:
        blob = file.read_bytes()
    except FileNotFoundError:
        return set()  # taken away since it was listed
    except OSError as error:
        return {f"it cannot be read ({type(error).__name__})"}
    small = len(blob) <= _UNPACKED_AT_MOST and "pg_" not in str(file) and "/base/" not in str(file)
    what: set[str] = scanner.find(blob) if small else set()
    return what | shown(blob, numbers, names)


def shown(blob: bytes, numbers: set[bytes], names: set[bytes]) -> set[str]:
    """
    What of the canaries is in bytes of any length: as it is, in UTF-16, in hex, in base64.

    :param numbers: ten digits each. :param names: in lower case.
    """
    what: set[str] = set()
    lower = blob.lower()
    from_hex, from_base64 = b"\n".join(_from_hex(lower)), b"\n".join(_from_base64(blob))
    for text in (lower, lower.replace(b"\0", b""), from_hex, from_hex.replace(b"\0", b""), from_base64):
        what |= {"number" for found in _NUMBERS.finditer(text) if b"".join(found.groups()) in numbers}
        what |= {"name" for found in _NAMES.findall(text) if found in names}
    return what


def _from_base64(blob: bytes) -> Iterator[bytes]:
    """What runs of its letters say, wherever in one a value begins."""
    for run in _IN_BASE64.findall(blob):
        for start in range(4):
            whole = run[start : start + (len(run) - start) // 4 * 4]
            yield binascii.a2b_base64(whole.translate(_OF_ADDRESSES)).lower()


def _from_hex(lower: bytes) -> Iterator[bytes]:
    """What runs of its signs say, at whichever of both a byte begins."""
    for run in _IN_HEX.findall(lower):
        for start in range(2):
            yield binascii.unhexlify(run[start : start + (len(run) - start) // 2 * 2]).lower()


def _planted_at_rest(site: Any, scanner: Any, numbers: list[str], names: list[str]) -> list[tuple[str, bool]]:
    """A canary where somebody careless would leave it, in each store; the same search finds it."""
    import redis

    caught = []
    plain = {number[2:].encode() for number in numbers}, {name.lower().encode() for name in names}

    def again(store: str) -> set[str]:
        files = _stores(Path(os.environ["CALLPRIVACY_STATE"]))[store]
        return set[str]().union(*(_searched(scanner, file, *plain) for file in files))

    site.postgres.sql(
        f"CREATE TABLE planted AS SELECT '{numbers[1]}'::text AS number, '{names[0].encode().hex()}'::text AS name;"
        " CHECKPOINT",
        database="postgres",
    )
    found = again("data with the log of writes")
    caught += [("a table with a number", "number" in found), ("a table with a name in hex", "name" in found)]
    with redis.Redis.from_url(site.valkey.url()) as line:
        line.set("planted", numbers[2])
        line.save()
    caught.append(("a number in Valkey", "number" in again("Valkey's files")))
    state = Path(os.environ["CALLPRIVACY_STATE"])
    in_base64 = base64.b64encode(f"of {numbers[4]}".encode())
    left: tuple[tuple[str, str, Path, bytes], ...] = (
        ("a packed name", "backups", state / "dumps/default/careless", gzip.compress(names[1].encode())),
        (
            "a number in base64",
            "backups",
            state / "dumps/vault/careless",
            bytes(10**6) + in_base64 + bytes(10),
        ),
        (
            "a number in hex without its +",
            "backups",
            state / "dumps/vault/careless-number",
            bytes(10**6) + numbers[6][1:].encode().hex().encode() + bytes(10),
        ),
        (
            "a name in hex",
            "backups",
            state / "dumps/vault/careless-name",
            bytes(10**6) + f"of {names[4]}".encode().hex().encode() + bytes(10),
        ),
        ("a name", "logs", state / "careless.log", f"asked by {names[2]}\n".encode()),
        ("a number", "mails", state / "mail/careless", f"For {numbers[5]}".encode()),
        ("a name in UTF-16", "media", state / "media/careless", names[3].encode("utf-16")),
        (
            "a number in UTF-16",
            "the rest",
            state / "careless",
            json.dumps({"said": numbers[3]}).encode("utf-16"),
        ),
    )
    for what, store, file, content in left:
        file.write_bytes(content)
        is_looked_at = file.resolve() in {one.resolve() for one in _stores(state)[store]}
        kind = "name" if " name" in what else "number"
        caught.append((f"{what} among {store}", is_looked_at and kind in _searched(scanner, file, *plain)))
    caught.append(("a mail that nobody sent", unsent(state / "mail", {"none": b"of nobody"}) == ["none"]))
    # A folder in a file's place is what can be read by nobody, whoever asks.
    caught.append(("a file that cannot be read", bool(_searched(scanner, state / "mail", *plain))))
    return caught


def main() -> int:
    """The trial in this process."""
    report = arguments.parse(__doc__, "name", "report", "seconds").report
    # So that what was started is ended where the suite's time is over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    Path(report).write_text(json.dumps(_at_rest()), encoding="utf-8")
    from lab.faults import site as sites

    shutil.rmtree(sites.STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
