"""A folder or bucket that is slow gets on, holds one worker at most, and says so where it does not."""

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
from tests.calls.test_drops import GOOD, OTHER, drop, opened, root, take
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


def outlasts(*_: Any, **__: Any) -> Any:
    raise SoftTimeLimitExceeded


def refused(cast: Cast, way: Connection) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        return drops.refused_of(Connection.objects.get(pk=way.pk))


@pytest.mark.parametrize("stage", ["bringing", pytest.param("delete", marks=pytest.mark.thorough)])
def test_a_file_that_outlasts_the_worker_waits_for_somebody_and_those_behind_it_are_read(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    way, other = opened(cast), opened(cast)
    slow, behind = drop(root, way, "a.csv", GOOD), drop(root, way, "b.csv", OTHER)
    elsewhere = drop(root, other, "a.csv", GOOD)
    deed = getattr(folders, stage)

    def slowly(found: folders.Found) -> Any:
        return outlasts() if found.path.endswith(f"{way.pk.hex[:8]}/a.csv") else deed(found)

    with monkeypatch.context() as patched:
        patched.setattr(folders, stage, slowly)
        with pytest.raises(SoftTimeLimitExceeded):
            take(cast)
        take(cast)  # the next minute's
    assert slow.exists()
    assert not behind.exists()
    assert not elsewhere.exists()
    (kept,) = refused(cast, way)
    assert kept.startswith("•.csv (")
    assert "it is too slow" in kept
    base = f"/clients/dentist/connections/{way.pk}/"
    page = signed_in(cast.alice).get(base).content.decode()
    assert "it is too slow" in page
    assert "The folder is not read" not in page
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind="drop_refused").count == 1
    assert take(cast) == 0
    assert signed_in(cast.alice).post(f"{base}dropped/again/").status_code == 302
    assert take(cast) == 1
    assert not slow.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind="drop_refused").exists()


def test_a_file_that_ends_each_worker_waits_for_somebody_and_those_behind_it_are_read(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = opened(cast)
    heavy, behind = drop(root, way, "a.csv", GOOD), drop(root, way, "b.csv", OTHER)

    def ends(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(imports, "_read", ends)
        for _ in range(imports.TRIES):
            with pytest.raises(MemoryError):
                take(cast)
    assert take(cast) == 1
    assert heavy.exists()
    assert not behind.exists()
    (kept,) = refused(cast, way)
    assert "3 workers in a row ended while they read it: drop it in smaller files" in kept
    assert take(cast) == 0


def test_what_was_read_before_the_time_was_over_is_not_refused_for_it(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is slow to say what lies there, not the file that was in hand last."""
    way = opened(cast)
    drop(root, way, "a.csv", GOOD)
    drop(root, way, "b.csv", OTHER)
    find = folders.found
    monkeypatch.setattr(folders, "found", lambda *at: outlasts() if at[1] == "b.csv" else find(*at))
    with pytest.raises(SoftTimeLimitExceeded):
        take(cast)
    assert refused(cast, way) == []
    with job_scope(agency_id=cast.acme.pk):
        assert drops.fault_of(Connection.objects.get(pk=way.pk)).startswith("It is too slow")


def test_folders_have_their_turn_by_chance(cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose large files keep coming takes all the time of a run, and is not the first of each."""
    ways, begun = {opened(cast).pk, opened(cast).pk}, list[Any]()
    ticks = iter([NOON, NOON + timedelta(minutes=2)] * 60)

    def files(way: Connection, **_: Any) -> list[Any]:
        begun.append(way.pk)
        return []

    monkeypatch.setattr(drops, "_files", files)
    for _ in range(60):
        drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks))
    assert len(begun) == 60
    assert set(begun) == ways


def test_once_the_time_is_over_nothing_is_looked_into_either(cast: Cast, root: Path) -> None:
    way = opened(cast)
    with job_scope(agency_id=cast.acme.pk):
        drops.ask_look(connection=way, at=NOON)
    drops.take(agency_id=cast.acme.pk, until=NOON, clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert drops.look_of(Connection.objects.get(pk=way.pk)) == drops.Look(None)


def test_a_folder_that_outlasts_the_worker_says_so_until_it_does_not(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = opened(cast)
    drop(root, way, "calls.csv", GOOD)
    with monkeypatch.context() as patched:
        patched.setattr(folders, "names_in", outlasts)
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
