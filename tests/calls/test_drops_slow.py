"""A folder or bucket that is slow gets on, holds one worker at most, and says so where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.cache import caches
from redis.exceptions import ConnectionError as NoRedisError

from callprivacy.calls.channels import folders
from callprivacy.calls.models import Connection
from callprivacy.calls.services import drops, imports
from callprivacy.calls.tasks import drops as tasks
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from tests.accounts.browsers import signed_in
from tests.calls.test_drops import GOOD, drop, opened, root, take
from tests.calls.test_inbox import calls
from tests.cast import Cast, assemble
from tests.make import NOON

__all__ = ["root"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return assemble()


def test_a_file_that_was_long_on_its_way_is_gone_on_with_once_it_is_here(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be brought anew the next minute, as long, and nothing of it ever be in."""
    monkeypatch.setattr(imports, "BATCH", 1)
    now = [NOON]
    bring = folders.bringing

    @contextmanager
    def slowly(found: folders.Found) -> Iterator[BinaryIO]:
        with bring(found) as source:
            now[0] += timedelta(minutes=3)
            yield source

    monkeypatch.setattr(folders, "bringing", slowly)
    way = opened(cast)
    path, later = drop(root, way, "a.csv", GOOD), drop(root, way, "b.csv", GOOD)
    assert drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(seconds=35), clock=lambda: now[0]) == 1
    assert not path.exists()
    assert later.exists()  # its time is over
    assert len(calls(cast.dentist)) == 2


def test_a_folder_that_outlasts_the_worker_says_so_until_it_does_not(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = opened(cast)
    drop(root, way, "calls.csv", GOOD)

    def outlasts(_: Any) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr(folders, "bringing", outlasts)
        with pytest.raises(SoftTimeLimitExceeded):
            take(cast)
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()
    assert "It is too slow" in page
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind="drop_refused").exists()
    assert take(cast) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not drops.fault_of(Connection.objects.get(pk=way.pk))
        assert not Item.objects.open().filter(kind="drop_refused").exists()


def test_a_look_that_outlasts_the_worker_says_so_as_well(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = opened(cast)
    with job_scope(agency_id=cast.acme.pk):
        drops.ask_look(connection=way, at=NOON)

    def outlasts(_: Any) -> list[str]:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(folders, "names_in", outlasts)
    with pytest.raises(SoftTimeLimitExceeded):
        drops.look(agency_id=cast.acme.pk, connection_id=way.pk, clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        said = drops.look_of(Connection.objects.get(pk=way.pk))
    assert said is not None
    assert said.fault.startswith("It is too slow")


# --- The task ---


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[Any]:
    """What the task asks for: for whom, and until when."""
    found: list[Any] = []
    settings.CALLPRIVACY_DROP = "/srv/drop"
    monkeypatch.setattr(drops, "take", lambda *, agency_id, until, clock: found.append((agency_id, until)))
    return found


def test_agencies_share_one_time(cast: Cast, taken: list[Any]) -> None:
    tasks.take_drops()
    assert {cast.acme.pk, cast.globex.pk} <= {agency_id for agency_id, _ in taken}
    assert len({until for _, until in taken}) == 1


def test_one_worker_at_a_time_looks_into_folders(cast: Cast, taken: list[Any]) -> None:
    caches["hints"].set(tasks.FLAG, 1)
    tasks.take_drops()
    assert not taken
    caches["hints"].delete(tasks.FLAG)
    tasks.take_drops()
    assert taken
    assert caches["hints"].get(tasks.FLAG) is None  # the next minute's may


def test_one_that_fails_or_is_ended_lets_the_next_one(
    cast: Cast, taken: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def outlasts(**_: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(drops, "take", outlasts)
    with pytest.raises(SoftTimeLimitExceeded):
        tasks.take_drops()
    assert caches["hints"].get(tasks.FLAG) is None


def test_without_valkey_folders_are_looked_into(
    cast: Cast, taken: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise NoRedisError

    for name in ("add", "delete"):
        monkeypatch.setattr(caches["hints"], name, away)
    tasks.take_drops()
    assert taken


def test_its_limit_leaves_time_for_a_slow_file_and_ends_before_another_worker_is_given_it() -> None:
    soft, hard = tasks.take_drops.soft_time_limit, tasks.take_drops.time_limit
    assert timedelta(minutes=3) < timedelta(seconds=soft) - drops.READ_FOR
    assert soft < hard < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
