"""
The trail's places refuse, fill up, hang or do not answer: no deed without its event, and no seal that is not kept.

The event is a row of the deed's own transaction; the file outside gets seals, and never keeps a deed waiting
(docs/adr/0145).
"""

import errno
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from django.db import DatabaseError, connections

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import people
from callprivacy.audit import services
from callprivacy.audit.models import Seal
from callprivacy.audit.services import sink
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.audit.trails import seal, seal_now, superuser, verify, write
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, settings: object) -> None:
    settings.CALLPRIVACY_STATE = tmp_path / "state"  # type: ignore[attr-defined]  # a fixture of pytest-django's


@contextmanager
def _full_disk(room: int) -> Iterator[None]:
    """No file of this process may grow beyond `room` bytes: what a full disk answers, at the same place."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _no_reader(path: Path, kind: str) -> Iterator[None]:
    """A pipe that is open and full, or a socket that somebody listens at and never reads."""
    if kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listens:
            listens.bind(str(path))
            listens.listen()
            yield
        return
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        with suppress(BlockingIOError):
            while True:
                os.write(end, bytes(65536))
        yield
    finally:
        os.close(end)


@pytest.mark.parametrize(
    "fault", some(["gone", "full", "a pipe", "a full pipe", "a socket", "a folder"], one_in=3)
)
def test_a_seal_that_cannot_be_kept_outside_is_not_made(fault: str) -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk, 3)
    path = sink.path_of(acme.pk)
    kept = path.read_bytes()
    began = time.monotonic()
    if fault == "full":
        with _full_disk(len(kept) + 100), pytest.raises(services.SinkError):
            seal(acme.pk)
    else:
        path.unlink()
        if fault == "a pipe":
            os.mkfifo(path)
        if fault == "a folder":
            path.mkdir()
        held = _no_reader(path, fault) if fault in {"a full pipe", "a socket"} else nullcontext()
        with held, pytest.raises(services.SinkError):
            seal(acme.pk)
    assert time.monotonic() - began < 5
    with job_scope(agency_id=acme.pk):
        assert Seal.objects.count() == 1
    if fault == "a folder":
        path.rmdir()
    elif fault not in {"gone", "full"}:
        path.unlink()
    path.write_bytes(kept)

    assert seal(acme.pk) == 3
    assert verify(acme.pk).holds


def _promote(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        bob = Membership.objects.select_related("agency", "user").get(pk=cast.bob.pk)
        people.change_role(
            membership=bob, role=Role.ADMIN, by=Actor.staff(user_id=cast.alice.user_id), at=NOON
        )


def _role(cast: Cast) -> str:
    with job_scope(agency_id=cast.acme.pk):
        return Membership.objects.get(pk=cast.bob.pk).role


@pytest.mark.parametrize("call", [pytest.param("write", marks=pytest.mark.thorough), "fsync"])
def test_a_sink_that_hangs_keeps_no_deed_waiting_and_no_seal_is_made(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The disk below the file does not answer, as that of another machine that is gone."""
    seal(cast.acme.pk)
    hangs, released = threading.Event(), threading.Event()
    found: list[BaseException] = []

    def hang(*_: object) -> int:
        hangs.set()
        assert released.wait(60)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def sealing() -> None:
        try:
            seal(cast.acme.pk)
        except BaseException as error:  # noqa: BLE001  (told by the assertion below)
            found.append(error)
        finally:
            connections.close_all()

    write(cast.acme.pk, 1)
    with monkeypatch.context() as patch:
        patch.setattr(f"callprivacy.audit.services.sink.os.{call}", hang)
        sealer = threading.Thread(target=sealing)
        sealer.start()
        try:
            assert hangs.wait(20)
            began = time.monotonic()
            _promote(cast)
            assert _role(cast) == Role.ADMIN
            assert seal_now(cast.acme.pk) == 0
            assert time.monotonic() - began < 5
        finally:
            released.set()
            sealer.join(30)
    assert [type(error) for error in found] == [services.SinkError]
    with job_scope(agency_id=cast.acme.pk):
        assert Seal.objects.count() == 1
    # A line that did reach the file is made good first: its seal is made again and covers the first of the two.
    assert seal(cast.acme.pk) == (1 if call == "fsync" else 2)
    assert verify(cast.acme.pk).holds


FAULTS = {
    "no right to write it": (
        "REVOKE INSERT ON audit_event FROM callprivacy_test_app",
        "GRANT INSERT ON audit_event TO callprivacy_test_app",
    ),
    "refused by the table": (
        "ALTER TABLE audit_event ADD CONSTRAINT full_now CHECK (false) NOT VALID",
        "ALTER TABLE audit_event DROP CONSTRAINT full_now",
    ),
    "locked": pytest.param(
        "BEGIN; LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE", "ROLLBACK", marks=pytest.mark.thorough
    ),
}


@pytest.mark.parametrize(("fault", "undo"), FAULTS.values(), ids=list(FAULTS))
def test_a_deed_whose_event_cannot_be_written_is_not_done(cast: Cast, fault: str, undo: str) -> None:
    before = _role(cast)
    with superuser() as line:
        for statement in fault.split("; "):
            line.execute(statement.encode())
        began = time.monotonic()
        with pytest.raises(DatabaseError):
            _promote(cast)
        assert time.monotonic() - began < 5
        connections.close_all()
        line.execute(undo.encode())
    assert _role(cast) == before
    _promote(cast)
    assert _role(cast) == Role.ADMIN
