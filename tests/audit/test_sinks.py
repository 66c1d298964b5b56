"""The trail's places refuse, fill up or do not answer: no deed without its event, and no seal that is not kept."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from tests.audit.trails import seal, superuser, verify, write
from tests.cast import Cast
from tests.make import NOON

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


@pytest.mark.parametrize("fault", ["gone", "full", "a pipe", "a folder"])
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
        with pytest.raises(services.SinkError):
            seal(acme.pk)
    assert time.monotonic() - began < 5
    with job_scope(agency_id=acme.pk):
        assert Seal.objects.count() == 1
    if fault == "a folder":
        path.rmdir()
    elif fault == "a pipe":
        path.unlink()
    path.write_bytes(kept)

    assert seal(acme.pk) == 3
    assert verify(acme.pk).holds


def _promote(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        bob = Membership.objects.select_related("agency", "user").get(pk=cast.bob.pk)
        people.change_role(
            membership=bob, role=Role.OFFICER, by=Actor.staff(user_id=cast.alice.user_id), at=NOON
        )


def _role(cast: Cast) -> str:
    with job_scope(agency_id=cast.acme.pk):
        return Membership.objects.get(pk=cast.bob.pk).role


FAULTS = {
    "no right to write it": (
        "REVOKE INSERT ON audit_event FROM callprivacy_test_app",
        "GRANT INSERT ON audit_event TO callprivacy_test_app",
    ),
    "refused by the table": (
        "ALTER TABLE audit_event ADD CONSTRAINT full_now CHECK (false) NOT VALID",
        "ALTER TABLE audit_event DROP CONSTRAINT full_now",
    ),
    "locked": ("BEGIN; LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE", "ROLLBACK"),
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
    assert _role(cast) == Role.OFFICER
