"""Files that are dropped are read once, to their last line, and then they are gone; nobody else's are touched."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages

from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection
from callprivacy.calls.services import drops, imports
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import connect
from tests.calls.test_inbox import calls
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import moved
from tests.scale import some

pytestmark = pytest.mark.django_db

GOOD = moved("Date,From,Seconds\n2026-11-24 09:00:00,+12125550188,61\n2026-11-24 09:05:00,+12125550189,62\n")


@pytest.fixture
def cast() -> Cast:
    return assemble()


def dropped_into(settings: Any, folder: Path) -> Path:
    """Have files dropped into a folder of this machine."""
    settings.CALLPRIVACY_DROP = str(folder)
    settings.STORAGES = settings.STORAGES | {
        "drop": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder)},
        }
    }
    storages._storages.clear()  # type: ignore[attr-defined]  # Django keeps what it made of the settings before
    return folder


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    return dropped_into(settings, tmp_path)


def opened(cast: Cast, *, described: bool = True) -> Connection:
    way = connect(cast.dentist, "folder", "")
    if described:
        columns = {"started_at": "Date", "caller": "From", "seconds": "Seconds"}
        with job_scope(agency_id=cast.acme.pk):
            Connection.objects.filter(pk=way.pk).update(
                mapping={"format": "generic", "columns": columns, "slashes": ""}, time_zone="UTC"
            )
    return way


def drop(root: Path, way: Connection, name: str, text: str, *, minutes: int = 5) -> Path:
    path = root / "acme" / "dentist" / way.pk.hex[:8] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    at = (NOON - timedelta(minutes=minutes)).timestamp()
    os.utime(path, (at, at))
    return path


def take(cast: Cast) -> int:
    return drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: NOON)


def test_a_file_is_read_and_erased_and_one_that_changes_or_is_of_another_kind_is_left(
    cast: Cast, root: Path
) -> None:
    way = opened(cast)
    done = drop(root, way, "calls 1.csv", GOOD)
    fresh = drop(root, way, "fresh.csv", GOOD, minutes=0)
    other = drop(root, way, ".hidden.csv", GOOD)
    stranger = root / "acme" / "dentist" / "elsewhere.csv"
    stranger.write_text(GOOD)
    assert take(cast) == 1
    assert len(calls(cast.dentist)) == 2
    assert not done.exists()
    assert fresh.exists()
    assert other.exists()
    assert stranger.exists()


@pytest.mark.parametrize(
    "name",
    some(
        [
            "+14155550100.csv",
            "calls, march.csv",
            "calls[1].csv",
            "März.csv",
            "2026-11-01T00:00:00.csv",
            "-rf.csv",
            "C'alls & more;$(x).CSV",
            f"{'long' * 60}.csv",
        ],
        one_in=3,
    ),
)
def test_a_file_may_be_called_anything_that_can_be_printed(cast: Cast, root: Path, name: str) -> None:
    path = drop(root, opened(cast), name, GOOD)
    assert take(cast) == 1
    assert not path.exists()
    assert len(calls(cast.dentist)) == 2


@pytest.mark.parametrize(
    "name", some(["a\nb.csv", "\u202egnp.csv", "M\udce4rz.csv", "a\xa0b.csv", "a\\b.csv"], one_in=4)
)
def test_what_is_refused_for_its_name_waits_for_somebody(cast: Cast, root: Path, name: str) -> None:
    way = opened(cast)
    path = drop(root, way, name, GOOD)
    assert take(cast) == 0
    assert take(cast) == 0
    assert path.exists()
    with job_scope(agency_id=cast.acme.pk):
        (item,) = Item.objects.open().filter(kind="drop_refused")
        (kept,) = drops.refused_of(Connection.objects.get(pk=way.pk))
        assert not CallImport.objects.exists()
    assert item.count == 1
    assert kept.startswith("•")
    assert kept.endswith(".csv: its name has a backslash or a sign that cannot be printed: call it otherwise")
    assert kept.isprintable()
    assert (
        "cannot be printed"
        in signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()
    )
    path.rename(path.with_name("b.csv"))
    assert take(cast) == 1


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each time that what was refused is written down anew."""
    found: list[Any] = []
    renew = drops.renew_item

    def noted(**said: Any) -> None:
        found.append(said)
        renew(**said)

    monkeypatch.setattr(drops, "renew_item", noted)
    return found


@pytest.mark.thorough
def test_more_refused_names_than_are_remembered_are_passed_by(
    cast: Cast, root: Path, writes: list[Any]
) -> None:
    """Each minute would write all of them down anew, and forget what else was refused, to import it again."""
    way = opened(cast)
    bad = drop(root, way, "0.csv", "Something,Else\n1,2\n")
    for number in range(drops.REMEMBERED_AT_MOST + 30):
        drop(root, way, f"a{number}\n.csv", GOOD)
    done = drop(root, way, "z.csv", GOOD)
    for _ in range(9):
        before = len(writes)
        take(cast)
        assert len(writes) - before <= drops.FILES_AT_ONCE
    assert len(writes) == drops.REMEMBERED_AT_MOST
    assert not done.exists()
    assert bad.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.filter(state=JobState.FAILED).count() == 1
        assert Item.objects.open().get(kind="drop_refused").count == drops.REMEMBERED_AT_MOST
    # What is refused for what stands in it has its place all the same.
    drop(root, way, "zz.csv", "Something,Else\n1,2\n")
    for _ in range(3):
        take(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.filter(state=JobState.FAILED).count() == 2
    assert len(writes) == drops.REMEMBERED_AT_MOST + 1


def test_a_mark_is_forgotten_only_once_its_file_is_gone_or_mended(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch, writes: list[Any]
) -> None:
    monkeypatch.setattr(drops, "REMEMBERED_AT_MOST", 3)
    way = opened(cast)
    bad = [drop(root, way, f"{number}.csv", "Something,Else\n1,2\n") for number in range(4)]
    good = drop(root, way, "z.csv", GOOD)
    drop(root, way, "a\n.csv", GOOD)

    def state() -> tuple[int, int | None, bool]:
        """Imports that failed, what waits, and whether the page says that no more is read."""
        with job_scope(agency_id=cast.acme.pk):
            failed = CallImport.objects.filter(state=JobState.FAILED).count()
            item = Item.objects.open().filter(kind="drop_refused").first()
            is_said = drops.fault_of(Connection.objects.get(pk=way.pk)) == drops._FULL
        return failed, None if item is None else item.count, is_said

    for _ in range(3):
        assert take(cast) == 0
    assert state() == (3, 4, True)
    assert good.exists()
    assert len(writes) == 4  # three files, and the folder
    drop(root, way, "1.csv", OTHER)  # mended
    assert take(cast) == 1
    assert not bad[1].exists()
    assert take(cast) == 0  # the fourth has its place
    assert state() == (4, 4, True)
    bad[0].unlink()
    bad[2].unlink()
    assert take(cast) == 1
    assert not good.exists()
    assert state() == (4, 2, False)  # the fourth, and the name


def test_a_file_that_was_mended_is_read_where_it_is_as_large_as_before(cast: Cast, root: Path) -> None:
    way = opened(cast)
    bad = GOOD.replace("Date", "Dane")
    drop(root, way, "a.csv", bad)
    assert take(cast) == 0
    assert take(cast) == 0
    drop(root, way, "a.csv", GOOD)  # made to look as old as before
    assert (take(cast), take(cast)) == (1, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.filter(state=JobState.FAILED).count() == 1
        assert not Item.objects.open().filter(kind="drop_refused").exists()


def test_a_file_that_was_begun_is_finished_however_much_was_refused(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drops, "REMEMBERED_AT_MOST", 2)
    monkeypatch.setattr(imports, "BATCH", 1)
    way = opened(cast)
    begun = drop(root, way, "z.csv", GOOD)
    begin(cast)
    assert len(calls(cast.dentist)) == 1
    for number in range(3):
        drop(root, way, f"{number}.csv", "Something,Else\n1,2\n")
    other = drop(root, way, "y.csv", OTHER)
    later = NOON + timedelta(minutes=3)
    assert drops.take(agency_id=cast.acme.pk, until=later + timedelta(minutes=1), clock=lambda: later) == 1
    assert not begun.exists()
    assert len(calls(cast.dentist)) == 2
    assert other.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert drops.fault_of(Connection.objects.get(pk=way.pk)) == drops._FULL


def test_what_was_refused_before_names_were_remembered_is_refused_once_more_where_there_is_no_room(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drops, "REMEMBERED_AT_MOST", 2)
    way = opened(cast)
    for number in range(2):
        drop(root, way, f"{number}.csv", "Something,Else\n1,2\n")
    take(cast)
    with job_scope(agency_id=cast.acme.pk):
        row = Connection.objects.get(pk=way.pk)
        for one in row.mapping["drop_refused"]:
            del one["called"]
        row.save(update_fields=["mapping"])
    for _ in range(3):
        take(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.count() == 4
        assert len(drops.refused_of(Connection.objects.get(pk=way.pk))) == 2


def test_what_is_left_alone_keeps_nothing_waiting(cast: Cast, root: Path) -> None:
    """However much of it lies there: files of another kind, links, files that still change, files that were refused."""
    way = opened(cast)
    for number in range(drops.FILES_AT_ONCE * 2):
        drop(root, way, f"a{number}.pdf", "x")
        (drop(root, way, f"b{number}.part", "x").parent / f"b{number}.csv").symlink_to("/etc/hostname")
        drop(root, way, f"c{number}.csv", GOOD, minutes=0)
    done = drop(root, way, "z.csv", GOOD)
    assert take(cast) == 1
    assert not done.exists()
    with job_scope(agency_id=cast.acme.pk):
        drops.ask_look(connection=way, at=NOON)
    drops.look(agency_id=cast.acme.pk, connection_id=way.pk, clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        said = drops.look_of(Connection.objects.get(pk=way.pk))
    assert said == drops.Look(NOON, files=160, resting=40, others=120)


def test_looking_at_what_is_left_alone_ends_with_the_time(cast: Cast, root: Path) -> None:
    way = opened(cast)
    for number in range(9):
        drop(root, way, f"c{number}.csv", GOOD, minutes=0)
    done = drop(root, way, "z.csv", GOOD)
    ticks = iter([NOON + timedelta(seconds=20 * number) for number in range(99)])
    drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks))
    assert done.exists()
    assert next(ticks) < NOON + timedelta(minutes=3)


def test_before_somebody_said_how_it_is_read_it_stays(cast: Cast, root: Path) -> None:
    way = opened(cast, described=False)
    path = drop(root, way, "calls.csv", GOOD)
    assert take(cast) == 0
    assert path.exists()
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()
    assert "Import one file by hand first" in page
    assert way.pk.hex[:8] in page


def begin(cast: Cast) -> None:
    """A look that has time for one batch."""
    ticks = iter([NOON, NOON, NOON, NOON, NOON, *[NOON + timedelta(minutes=2)] * 50])
    drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks))


def test_a_killed_worker_goes_on_and_adds_nothing_twice(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    way = opened(cast)
    path = drop(root, way, "calls.csv", GOOD)

    begin(cast)
    assert path.exists()
    assert drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=9), clock=lambda: NOON + timedelta(minutes=3)) == 1  # fmt: skip  # noqa: E501
    assert len(calls(cast.dentist)) == 2
    assert not path.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert [row.state for row in CallImport.objects.all()] == [JobState.DONE]


def overwriting(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Do it once a file's first batch is in."""
    note = imports._Batch.note
    done: list[object] = []

    def noted(self: Any, *args: Any, **more: Any) -> None:
        note(self, *args, **more)
        if not done:
            done.append(deed())

    monkeypatch.setattr(imports._Batch, "note", noted)


OTHER = GOOD.replace("0188", "0177").replace("0189", "0178")


@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_overwritten_while_it_is_read_is_read_as_well(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    way = opened(cast)
    path = drop(root, way, "calls.csv", GOOD)
    at = path.stat().st_mtime

    def overwrite() -> None:
        new = path if in_place else path.with_name("new.tmp")
        new.write_text(OTHER)  # of the same size
        os.utime(new, (at, at))  # and made to look as old
        new.rename(path)

    overwriting(monkeypatch, overwrite)
    take(cast)
    assert path.read_text() == OTHER
    assert take(cast) == 1
    assert not path.exists()
    assert len(calls(cast.dentist)) == 4


@pytest.mark.parametrize("meanwhile", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_a_file_whose_import_was_stopped_waits_until_somebody_says_so(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    way = opened(cast)
    path, browser = drop(root, way, "calls.csv", GOOD), signed_in(cast.alice)

    def stop() -> str:
        with job_scope(agency_id=cast.acme.pk):
            row = CallImport.objects.get()
        shown = browser.post(f"/clients/dentist/imports/{row.pk}/cancel/", follow=True).content.decode()
        return " ".join(shown.split())

    if meanwhile:  # a worker reads it
        overwriting(
            monkeypatch,
            lambda: imports.cancel_import(row=CallImport.objects.get(), by=make.JOB, at=NOON),
        )
        assert take(cast) == 0
    else:
        ticks = iter([NOON, NOON, NOON, NOON, NOON, *[NOON + timedelta(minutes=2)] * 50])
        drops.take(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks))
        page = stop()
        assert "Stopped. The file stays in its folder; calls that came in by then stay." in page
        assert "The file stays in its folder and is not read until you say so" in page
        assert "deleted" not in page
    for _ in range(2):
        assert take(cast) == 0
    assert path.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert [row.state for row in CallImport.objects.all()] == [JobState.CANCELLED]
        assert Item.objects.open().get(kind="drop_refused").count == 1
    base = f"/clients/dentist/connections/{way.pk}/"
    assert "UTC): its import was stopped" in browser.get(base).content.decode()
    assert browser.post(f"{base}dropped/again/").status_code == 302
    later = make.now() + timedelta(minutes=1)
    assert drops.take(agency_id=cast.acme.pk, until=later + timedelta(minutes=1), clock=lambda: later) == 1
    assert not path.exists()
    assert len(calls(cast.dentist)) == 2


def test_what_is_overwritten_between_two_looks_is_not_gone_on_with_in_the_middle(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    way = opened(cast)
    path = drop(root, way, "calls.csv", GOOD)
    begin(cast)
    assert len(calls(cast.dentist)) == 1
    path.unlink()
    drop(root, way, "calls.csv", OTHER)
    later = NOON + timedelta(minutes=3)
    assert drops.take(agency_id=cast.acme.pk, until=later + timedelta(minutes=1), clock=lambda: later) == 1
    assert len(calls(cast.dentist)) == 3


def test_what_is_gone_once_it_is_read_is_done(
    cast: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(root, opened(cast), "calls.csv", GOOD)
    overwriting(monkeypatch, path.unlink)
    assert take(cast) == 1
    assert len(calls(cast.dentist)) == 2


def test_what_cannot_be_read_stays_once_and_somebody_hears_of_it(cast: Cast, root: Path) -> None:
    way = opened(cast)
    path = drop(root, way, "bad.csv", "Something,Else\n1,2\n")
    assert take(cast) == 0
    assert take(cast) == 0
    assert path.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.count() == 1
        assert Item.objects.open().filter(kind="drop_refused").count() == 1
    browser, base = signed_in(cast.alice), f"/clients/dentist/connections/{way.pk}/"
    assert "•••.csv (" in browser.get(base).content.decode()
    path.unlink()
    drop(root, way, "bad.csv", GOOD)
    assert browser.post(f"{base}dropped/again/").status_code == 302
    assert take(cast) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind="drop_refused").exists()


def test_of_a_folder_whose_connection_is_closed_nothing_waits(cast: Cast, root: Path) -> None:
    def waiting() -> list[int | None]:
        with job_scope(agency_id=cast.acme.pk):
            return list(Item.objects.open().filter(kind="drop_refused").values_list("count", flat=True))

    way, other = opened(cast), opened(cast)
    for one in (way, other):
        drop(root, one, "bad.csv", "Something,Else\n1,2\n")
    take(cast)
    assert waiting() == [2]
    browser, base = signed_in(cast.alice), f"/clients/dentist/connections/{way.pk}/"
    assert browser.post(f"{base}close/").status_code == 302
    assert waiting() == [1]
    assert browser.post(f"/clients/dentist/connections/{other.pk}/close/").status_code == 302
    assert waiting() == []
    assert browser.post(f"{base}open/").status_code == 302
    assert waiting() == [1]


def test_a_file_called_after_somebody_is_shown_and_kept_without_name_and_number(
    cast: Cast, root: Path
) -> None:
    way = opened(cast)
    drop(root, way, "Anna (212) 555-0188.csv", "Something,Else\n1,2\n")
    assert take(cast) == 0
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()
    assert moved("•••• (•••) •••-••••.csv (19 bytes, of 2026-11-24 11:55 UTC)") in page
    assert "555-0188" not in page
    with job_scope(agency_id=cast.acme.pk):
        kept = json.dumps(Connection.objects.get(pk=way.pk).mapping["drop_refused"], ensure_ascii=False)
    assert "Anna" not in kept
    assert "555-0188" not in kept


def test_what_was_written_down_with_words_before_is_shown_without(cast: Cast) -> None:
    way = opened(cast)
    way.mapping["drop_refused"] = [{"mark": "00", "shape": "Anna B•• •.csv.gz (21 bytes)"}]
    assert drops.refused_of(way) == ["•••• ••• •.csv.gz (21 bytes)"]


def test_a_link_to_what_is_not_theirs_and_a_pipe_are_not_opened(cast: Cast, root: Path) -> None:
    way = opened(cast)
    theirs = root / "globex" / "calls.csv"
    theirs.parent.mkdir()
    theirs.write_text(GOOD)
    done = drop(root, way, "z.csv", GOOD)
    (done.parent / "a.csv").symlink_to(theirs)
    os.mkfifo(done.parent / "b.csv")
    past = (NOON - timedelta(minutes=5)).timestamp()
    for path in (theirs, done.parent / "b.csv"):
        os.utime(path, (past, past))
    assert take(cast) == 1
    assert theirs.exists()
    assert not done.exists()
    with job_scope(agency_id=cast.acme.pk):
        assert CallImport.objects.count() == 1


def test_a_folder_that_cannot_be_read_is_said_and_others_are_not_kept_waiting(cast: Cast, root: Path) -> None:
    broken, way = opened(cast), opened(cast)
    drop(root, way, "calls.csv", GOOD)
    loop = root / "acme" / "dentist" / broken.pk.hex[:8]
    loop.symlink_to(loop)
    assert take(cast) == 1
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{broken.pk}/").content.decode()
    assert "It could not be read (" in page
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind="drop_refused").exists()
    loop.unlink()
    take(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind="drop_refused").exists()


def test_a_test_lists_and_counts_what_lies_there_and_reads_nothing(cast: Cast, root: Path) -> None:
    way = opened(cast, described=False)
    now = datetime.now(UTC)  # noqa: TID251  the page asks the clock itself
    for name, minutes in (("a.csv", 5), ("b.csv.gz", 5), ("fresh.csv", 0), ("notes.docx", 5)):
        path = drop(root, way, name, GOOD)
        at = (now - timedelta(minutes=minutes)).timestamp()
        os.utime(path, (at, at))
    browser, base = signed_in(cast.alice), f"/clients/dentist/connections/{way.pk}/"
    assert browser.post(f"{base}dropped/test/").status_code == 302
    assert "It is being looked into." in browser.get(base).content.decode()
    drops.look(agency_id=cast.acme.pk, connection_id=way.pk, clock=lambda: now)
    with job_scope(agency_id=cast.acme.pk):
        said = drops.look_of(Connection.objects.get(pk=way.pk))
    assert said == drops.Look(now, files=4, ready=2, resting=1, others=1)
    assert "4 files there" in browser.get(f"{base}dropped/now/").content.decode()
    assert calls(cast.dentist) == []
    drops.look(
        agency_id=cast.acme.pk, connection_id=way.pk, clock=lambda: now + timedelta(days=1)
    )  # nobody asked again
    with job_scope(agency_id=cast.acme.pk):
        assert drops.look_of(Connection.objects.get(pk=way.pk)) == said


def test_a_test_says_why_a_folder_does_not_open_and_the_beat_tests_where_no_worker_did(
    cast: Cast, root: Path
) -> None:
    way = opened(cast, described=False)
    loop = root / "acme" / "dentist" / way.pk.hex[:8]
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)
    base = f"/clients/dentist/connections/{way.pk}/"
    assert signed_in(cast.alice).post(f"{base}dropped/test/").status_code == 302
    assert take(cast) == 0
    page = signed_in(cast.alice).get(base).content.decode()
    assert "Failed" in page
    assert "It could not be read (" in page


def test_only_a_folder_has_files_to_count(cast: Cast, root: Path) -> None:
    other = connect(cast.dentist)
    browser, base = signed_in(cast.alice), f"/clients/dentist/connections/{other.pk}/"
    assert browser.post(f"{base}dropped/test/").status_code == 302
    assert browser.get(f"{base}dropped/now/").status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=other.pk).mapping == {}


def test_a_disk_that_is_not_mounted_is_no_empty_folder(cast: Cast, root: Path) -> None:
    way = opened(cast)
    root.rename(root.with_name("elsewhere"))
    assert take(cast) == 0
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{way.pk}/").content.decode()
    assert "whether the disk is mounted" in page


def test_without_a_folder_of_the_operator_nothing_is_looked_for(cast: Cast, settings: Any) -> None:
    settings.CALLPRIVACY_DROP = ""
    opened(cast)
    assert take(cast) == 0
