"""Exports: who may ask, what stands in the file, what never does, and when it is gone."""

import csv
import io
import logging
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client as Browser
from django.urls import reverse
from hypothesis import example, given
from hypothesis import strategies as st

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant
from callprivacy.audit.models import Event
from callprivacy.calls import kinds
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport
from callprivacy.calls.selectors import masks
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import exports, reveals
from callprivacy.calls.services.exports import Due
from callprivacy.calls.tasks import exports as tasks
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.scale import some

CANARY = "+14045554686"
WHY = {"reason": "Monthly report for the practice owner"}
ASK = "/clients/dentist/calls/export/"


@pytest.fixture
def cast(db: None, settings: Any, tmp_path: Path) -> Cast:
    settings.MEDIA_ROOT = tmp_path
    return assemble()


def _ask(cast: Cast, filters: CallFilters | None = None, *, at: datetime = NOON) -> CallExport:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return exports.request_export(
            client=cast.dentist,
            filters=filters or CallFilters(),
            reason=WHY["reason"],
            by=Actor.staff(user_id=cast.alice.user_id),
            at=at,
        )


def _write(export: CallExport, *, at: datetime = NOON) -> bool:
    return exports.write_export(due=Due(export.agency_id, export.pk), clock=lambda: at)


def _again(export: CallExport) -> CallExport:
    with job_scope(agency_id=export.agency_id):
        return CallExport.objects.get(pk=export.pk)


def _body(answer: Any) -> str:
    """What a streamed answer says."""
    return b"".join(answer.streaming_content).decode()


def _text(cast: Cast, export: CallExport) -> str:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        opened = exports.open_export(
            export=_fetch(export), by=Actor.staff(user_id=cast.alice.user_id), at=NOON
        )
        with opened:
            return opened.read().decode()


def _fetch(export: CallExport) -> CallExport:
    return CallExport.objects.get(pk=export.pk)


def _rows(cast: Cast, export: CallExport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text(cast, export).removeprefix("\ufeff"))))


def _events(cast: Cast, action: str) -> list[Event]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action=action))


# --- Doors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 403), ("carol", 403), ("mallory", 404)])
def test_an_export_is_asked_for_by_who_may(cast: Cast, who: str, status: int) -> None:
    browser = signed_in(getattr(cast, who))

    assert browser.get(ASK).status_code == status
    assert browser.post(ASK, WHY).status_code == (302 if status == 200 else status)
    with job_scope(agency_id=cast.acme.pk):
        assert CallExport.objects.count() == (status == 200)


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 403), ("carol", 403), ("mallory", 404)])
def test_an_export_is_seen_and_taken_by_who_may(cast: Cast, who: str, status: int) -> None:
    make.call(cast.dentist, CANARY)
    export = _ask(cast)
    _write(export)
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.update(expires_at=datetime(2999, 1, 1, tzinfo=NOON.tzinfo))
    browser = signed_in(getattr(cast, who))

    for name in ("calls:export", "calls:export_progress"):
        assert browser.get(reverse(name, args=["dentist", export.pk])).status_code == status
    taken = browser.post(reverse("calls:take_export", args=["dentist", export.pk]))

    assert taken.status_code == status
    if status == 200:
        assert "4686" in _body(taken)
        assert "no-store" in taken["Cache-Control"]
        assert taken["Content-Disposition"].startswith("attachment")
        assert len(_events(cast, "export.downloaded")) == 1


def test_the_name_of_a_client_stays_inside_a_files_name(cast: Cast) -> None:
    client = make.client(cast.acme, make.HOSTILE_NAME)
    make.grant(cast.alice, client, Role.OFFICER)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        by = Actor.staff(user_id=cast.alice.user_id)
        export = exports.request_export(
            client=client, filters=CallFilters(), reason=WHY["reason"], by=by, at=make.now()
        )
    _write(export, at=make.now())

    taken = signed_in(cast.alice).post(reverse("calls:take_export", args=[client.slug, export.pk]))

    assert taken.status_code == 200
    assert re.fullmatch(
        r'attachment; filename="calls-acme-a-filenameevilhtml-x-evil-1-[\d-]+\.csv"',
        taken["Content-Disposition"],
    )
    assert "X-Evil" not in taken


def test_a_stranger_is_sent_to_sign_in(cast: Cast) -> None:
    export = _ask(cast)
    for name in ("calls:export", "calls:export_progress"):
        assert Browser().get(reverse(name, args=["dentist", export.pk])).status_code == 302
    assert Browser().get(ASK).status_code == 302
    assert Browser().post(reverse("calls:take_export", args=["dentist", export.pk])).status_code == 302


def test_an_export_of_another_client_is_not_found(cast: Cast) -> None:
    export = _ask(cast)

    for name in ("calls:export", "calls:export_progress"):
        assert signed_in(cast.alice).get(reverse(name, args=["plumber", export.pk])).status_code == 404


def test_a_file_is_not_taken_by_a_link(cast: Cast) -> None:
    export = _ask(cast)

    assert (
        signed_in(cast.alice).get(reverse("calls:take_export", args=["dentist", export.pk])).status_code
        == 405
    )


# --- Asking -------------------------------------------------------------------------------------------------


def test_the_reason_is_written_down_first(cast: Cast) -> None:
    signed_in(cast.alice).post(ASK + "?source=", WHY)

    [event] = _events(cast, "export.requested")
    assert event.client_id == cast.dentist.pk
    assert event.reason_hash


def test_without_a_sentence_nothing_is_exported(cast: Cast) -> None:
    page = signed_in(cast.alice).post(ASK, {"reason": "because"}).content.decode()

    assert "at least 15 characters" in page
    assert not _events(cast, "export.requested")
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(reveals.ReasonTooShortError),
    ):
        exports.request_export(
            client=cast.dentist,
            filters=CallFilters(),
            reason="because",
            by=Actor.staff(user_id=cast.alice.user_id),
            at=NOON,
        )


def test_a_wrong_filter_is_not_exported(cast: Cast) -> None:
    answer = signed_in(cast.alice).post(ASK + "?outcome=nonsense", WHY)

    assert "The filter is not right" in answer.content.decode()
    assert not _events(cast, "export.requested")


def test_the_filter_of_the_address_is_shown_and_kept(cast: Cast) -> None:
    address = ASK + "?outcome=missed&from_on=2026-11-01"

    page = signed_in(cast.alice).get(address).content.decode()
    signed_in(cast.alice).post(address, WHY)

    assert "Missed" in page
    with job_scope(agency_id=cast.acme.pk):
        [export] = CallExport.objects.all()
    assert export.filters == {"outcome": "missed", "from_on": "2026-11-01"}
    assert CallFilters.from_json(export.filters).as_json() == export.filters


# --- The file -----------------------------------------------------------------------------------------------


def test_the_file_holds_masked_rows_of_one_client_in_its_zone(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14045550100")
    call = make.call(
        cast.dentist, CANARY, at=datetime(2026, 7, 1, 16, 5, 9, tzinfo=NOON.tzinfo),
        tracking_number_id=number.pk, tags=["a", "b"], value_cents=1250, qualified=False, first_call=True,
    )  # fmt: skip
    make.call(cast.dentist, None, at=datetime(2026, 1, 1, 16, tzinfo=NOON.tzinfo), seconds=None)
    make.call(cast.plumber, CANARY)
    export = _ask(cast)

    assert _write(export)

    text = _text(cast, export)
    assert text.startswith('\ufeff"Started","Time zone"')
    assert "4045554686" not in text
    first, second = _rows(cast, export)
    assert call.caller is not None
    assert first == {
        "Started": "2026-07-01T12:05:09-04:00",
        "Time zone": "America/New_York",
        "Caller": f"Caller {call.caller.label}",
        "Number (masked)": "'+1 ••• ••• 4686",
        "Country": "",
        "State or province": "",
        "Number called": "'+14045550100",
        "Direction": "Inbound",
        "Outcome": "Answered",
        "Seconds": "95",
        "Source": "Google Ads",
        "Campaign": "",
        "Medium": "",
        "First call": "yes",
        "Qualified": "no",
        "Value": "12.50",
        "Tags": "a, b",
        "Recording": "",
    }
    assert second["Started"] == "2026-01-01T11:00:00-05:00"
    assert (second["Number (masked)"], second["Seconds"]) == (masks.WITHHELD, "")


def test_the_filter_decides_what_is_written(cast: Cast) -> None:
    make.call(cast.dentist, CANARY, source="Bing")
    make.call(cast.dentist, CANARY, source="Yelp")
    export = _ask(cast, CallFilters(source="Bing"))

    _write(export)

    assert [row["Source"] for row in _rows(cast, export)] == ["Bing"]


def test_batches_join_without_gap_or_repeat(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH", 3)
    for index in range(8):
        make.call(cast.dentist, CANARY, at=NOON - timedelta(minutes=index), seconds=index)
    export = _ask(cast)

    _write(export)

    assert [row["Seconds"] for row in _rows(cast, export)] == [str(index) for index in range(8)]
    assert _again(export).rows == 8


@pytest.mark.parametrize(
    "text",
    some(
        ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\uff1d1", "\ufeff=1"],
        one_in=5,
    ),
)
def test_no_cell_is_a_formula(cast: Cast, text: str) -> None:
    make.call(cast.dentist, CANARY, source=text, campaign=f'x"{text}', medium=f"a;{text}")
    export = _ask(cast)
    _write(export)

    [row] = _rows(cast, export)

    assert row["Source"].startswith("'")
    assert all(
        cell.lstrip(" \u00a0\ufeff")[:1] not in set("=+-@\t\r\n\uff1d") or cell == "" for cell in row.values()
    )


@given(st.text())
@example("\x85=1+1")
@example("\u2028@SUM(A1)")
def test_a_cell_never_begins_like_a_formula(text: str) -> None:
    cell = plain_cell(text)

    assert cell.lstrip(" \u00a0\ufeff\0")[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") or not cell
    assert not set(cell) & set("\r\n")


def test_the_file_is_sealed_on_disk(cast: Cast) -> None:
    make.call(cast.dentist, CANARY, source="Readable source")
    _write(_ask(cast))

    [path] = [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert b"Readable" not in path.read_bytes()
    assert b"Started" not in path.read_bytes()


# --- The job ------------------------------------------------------------------------------------------------


def test_who_asked_is_told_and_it_is_written_down(cast: Cast) -> None:
    export = _ask(cast)

    assert _write(export)
    assert not _write(export)

    done = _again(export)
    assert (done.state, done.expires_at) == (JobState.DONE, NOON + timedelta(days=7))
    assert len(_events(cast, "export.written")) == 1
    with job_scope(agency_id=cast.acme.pk):
        [told] = Notification.objects.filter(kind=kinds.EXPORT_READY)
    assert told.user_id == cast.alice.user_id


def test_a_worker_that_is_busy_with_it_keeps_it_and_a_dead_one_loses_it(cast: Cast) -> None:
    export = _ask(cast)
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.filter(pk=export.pk).update(
            state=JobState.RUNNING, due_at=NOON + timedelta(minutes=2)
        )

    assert not _write(export, at=NOON + timedelta(minutes=1))
    with job_scope(agency_id=cast.acme.pk):
        assert exports.due_exports(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=2)) == [
            Due(cast.acme.pk, export.pk)
        ]
    assert _write(export, at=NOON + timedelta(minutes=2))


def test_what_was_sent_is_not_sent_again_while_workers_are_busy(cast: Cast) -> None:
    export = _ask(cast)
    minute = timedelta(minutes=1)

    def sent(at: datetime) -> int:
        with job_scope(agency_id=cast.acme.pk):
            return len(exports.due_exports(agency_id=cast.acme.pk, at=at))

    assert [sent(NOON + n * minute) for n in range(12)] == [1, *[0] * 9, 1, 0]
    assert _write(export, at=NOON + 12 * minute)
    assert sent(NOON + 60 * minute) == 0


def test_a_killed_run_leaves_no_file_and_the_next_writes_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, CANARY)
    export = _ask(cast)

    def fail(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(exports, "_rows", fail)
        with pytest.raises(RuntimeError, match="killed"):
            _write(export)
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]

    assert _write(export, at=NOON + timedelta(minutes=2))
    assert len(_rows(cast, export)) == 1


def test_one_that_was_taken_away_meanwhile_leaves_no_file(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, CANARY)
    export = _ask(cast)
    lines = exports._lines

    def cancel(rows: Any) -> str:
        with job_scope(agency_id=cast.acme.pk):
            CallExport.objects.filter(pk=export.pk).update(state=JobState.CANCELLED)
        return lines(rows)

    monkeypatch.setattr(exports, "_lines", cancel)

    assert not _write(export)
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_who_lost_the_grant_gets_no_file(cast: Cast) -> None:
    export = _ask(cast)
    with job_scope(agency_id=cast.acme.pk):
        ClientGrant.objects.filter(user_id=cast.alice.user_id).delete()

    assert not _write(export)

    assert _again(export).state == JobState.CANCELLED
    assert len(_events(cast, "export.cancelled")) == 1


def test_one_that_does_not_finish_within_a_day_is_given_up(cast: Cast) -> None:
    export = _ask(cast)

    assert not _write(export, at=NOON + timedelta(days=1, minutes=1))

    assert _again(export).state == JobState.FAILED


def test_a_file_is_gone_after_seven_days(cast: Cast) -> None:
    export = _ask(cast)
    _write(export)
    later = NOON + timedelta(days=7)

    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(exports.ExportGoneError),
    ):
        exports.open_export(export=_fetch(export), by=make.JOB, at=later)
    with job_scope(agency_id=cast.acme.pk):
        assert exports.delete_expired(agency_id=cast.acme.pk, at=later - timedelta(seconds=1)) == 0
        assert exports.delete_expired(agency_id=cast.acme.pk, at=later) == 1
        assert exports.delete_expired(agency_id=cast.acme.pk, at=later) == 0

    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert len(_events(cast, "export.expired")) == 1
    page = signed_in(cast.alice).post(reverse("calls:take_export", args=["dentist", export.pk]))
    assert page.status_code == 410
    assert "The file is deleted" in page.content.decode()


def test_a_file_that_vanished_is_gone(cast: Cast) -> None:
    export = _ask(cast)
    _write(export)
    for path in Path(settings.MEDIA_ROOT).rglob("*"):
        if path.is_file():
            path.unlink()

    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(exports.ExportGoneError),
    ):
        exports.open_export(export=_fetch(export), by=make.JOB, at=NOON)


@pytest.mark.django_db(transaction=True)
def test_the_sweep_finds_what_no_message_announced(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    cast = assemble()
    export = _ask(cast)
    sent: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tasks.write_export, "apply_async", lambda *, kwargs, **_: sent.append(kwargs))
        tasks.sweep_exports()

    assert sent == [{"agency_id": cast.acme.pk, "export_id": str(export.pk)}]
    tasks.write_export(agency_id=cast.acme.pk, export_id=str(export.pk), later="argument")
    # It was asked for at the suite's noon and written by the real clock, hence given up or done, never left
    # waiting.
    assert _again(export).state != JobState.QUEUED
    tasks.sweep_exports()


@pytest.mark.django_db(transaction=True)
def test_an_export_is_sent_to_the_worker_once_it_is_committed(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path
    cast = assemble()
    make.call(cast.dentist, CANARY)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.write_export, "delay", lambda **given: sent.append(given))
    browser = signed_in(cast.alice)

    answer = browser.post(ASK, WHY)

    [given_] = sent
    assert set(given_) == {"agency_id", "export_id"}
    tasks.write_export(**given_)
    assert "Take the file" in browser.get(answer["Location"]).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert CallExport.objects.get(pk=UUID(given_["export_id"])).state == JobState.DONE


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_export_waits_for_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = assemble()

    def refuse(**_: Any) -> None:
        raise OSError("nobody listens")

    monkeypatch.setattr(tasks.write_export, "delay", refuse)

    assert signed_in(cast.alice).post(ASK, WHY).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert CallExport.objects.get().state == JobState.QUEUED


def test_an_account_manager_may_export_what_was_granted(cast: Cast) -> None:
    dave = make.person(cast.acme, "dave", Role.ACCOUNT_MANAGER)
    make.grant(dave, cast.dentist)

    assert signed_in(dave).get(ASK).status_code == 200
    assert "Export" in signed_in(dave).get("/calls/", {"client": "dentist"}).content.decode()
    assert signed_in(dave).get("/clients/plumber/calls/export/").status_code == 404


def test_no_number_in_logs_or_in_the_trail(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    make.call(cast.dentist, CANARY)
    with caplog.at_level(logging.DEBUG):
        export = _ask(cast)
        _write(export)

    assert "4045554686" not in caplog.text
    with job_scope(agency_id=cast.acme.pk):
        assert "4045554686" not in str(list(Event.objects.values()))
