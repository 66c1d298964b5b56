"""A client that leaves waits for its second file: it has everything still, and what concerns it can still be done."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Model

from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.services import leaving
from callprivacy.lib import figures
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import services as vault
from callprivacy.vault.models import (
    Caller,
    CallTombstone,
    ClientKey,
    RecordingKey,
    Suppression,
    Tombstone,
    Watermark,
)
from callprivacy.vault.services import keys
from callprivacy.work.models import Item, Notification
from consent.enums import WaitingState
from consent.models import VendorTask
from retention.enums import DESTROYING, EndState
from retention.kinds import TAKEN_AGAIN
from retention.models import Hold, Offboarding
from retention.selectors import watch
from retention.services import files_sweep, holds, offboarding, sweeping
from retention.services.offboarding import working
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.retention.test_holds import REASON, place
from tests.retention.test_offboarding import ask, deed, filled, now, taken, unpacked, work, written
from tests.retention.test_offboarding_late import (
    LATER,
    _begun,
    calls_left,
    finishes,
    is_shut,
    pressed,
    says_no,
)
from tests.retention.test_vendors import AT_CALLRAIL, begin, end, live, recorded
from tests.scale import some

pytestmark = pytest.mark.django_db


def waits_again(cast: Cast, second: Membership) -> None:
    """The client is gone, and its second file waits to be taken."""
    taken(written(cast, second))
    says_no(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert (now(cast).state, is_shut(cast)) == (EndState.WRITTEN, True)


def the_file(cast: Cast) -> Path:
    key = now(cast).file_key
    assert key is not None
    return Path(settings.MEDIA_ROOT) / "sealed" / str(cast.dentist.pk) / key.hex


def loses(cast: Cast) -> None:
    the_file(cast).unlink()


def breaks(cast: Cast) -> None:
    the_file(cast).write_bytes(the_file(cast).read_bytes()[:-1])


@pytest.mark.parametrize("lost", some([loses, breaks], one_in=2))
def test_a_file_that_is_lost_before_anything_goes_is_written_anew(
    cast: Cast, second: Membership, lost: Any
) -> None:
    taken(written(cast, second))
    lost(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert (now(cast).state, now(cast).came_since, calls_left(cast)) == (EndState.WRITTEN, 1, 1)
    assert "the file is lost here" in signed_in(cast.alice).get("/clients/dentist/leave/").content.decode()
    assert "contact" in finishes(cast)["suppressions.csv"]


def test_a_file_that_is_lost_before_it_is_taken_is_written_anew_with_the_next_link(
    cast: Cast, second: Membership
) -> None:
    waits_again(cast, second)
    loses(cast)
    row = {"row": str(now(cast).pk)}
    answer = signed_in(cast.alice).post("/clients/dentist/leave/link/", row, follow=True)
    page = answer.content.decode()
    assert "The file is lost. It is being rewritten" in page
    work(cast, make.now())
    assert "withdrawn" in finishes(cast)["ledger.csv"]


def test_a_lost_file_that_the_daily_look_has_noticed_is_written_anew_all_the_same(
    cast: Cast, second: Membership
) -> None:
    make.own_folders()
    waits_again(cast, second)
    text = deed(cast, "new_link", at=LATER)
    loses(cast)
    files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=LATER)
    assert (now(cast).state, now(cast).file_key) == (EndState.WRITTEN, None)

    with pytest.raises(offboarding.NoFileError):
        taken(text, LATER)

    assert now(cast).state == EndState.WRITING
    work(cast, LATER)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


def test_whose_lease_is_over_destroys_nothing(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_again(cast, second)
    taken(deed(cast, "new_link", at=LATER), LATER)
    deed(cast, "begin_erasing", at=LATER)
    destroyed: list[int] = []

    def overtaken(**_: object) -> list[object]:
        with job_scope(agency_id=cast.acme.pk):
            Offboarding.objects.update(leased_until=LATER + timedelta(days=1))
        return []

    monkeypatch.setattr(leaving, "empty_folders", overtaken)
    monkeypatch.setattr(vault, "destroy_client", lambda *, client_id: destroyed.append(client_id))
    work(cast, LATER)
    assert destroyed == []
    assert now(cast).state == EndState.ERASING


def test_a_file_that_its_link_finds_lost_is_written_anew_at_once_and_waits_in_the_queue(
    cast: Cast, second: Membership
) -> None:
    waits_again(cast, second)
    text = deed(cast, "new_link", at=LATER)
    loses(cast)
    with job_scope(agency_id=cast.acme.pk):
        Item.objects.filter(kind="offboarding").update(due_at=NOON)

    for _ in range(2):
        with pytest.raises(offboarding.NoFileError):
            taken(text, LATER)

    assert now(cast).state == EndState.WRITING
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="offboarding.file_lost").count() == 1
        assert Item.objects.open().filter(kind="offboarding", due_at__gt=LATER).exists()
    work(cast, LATER)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_an_end_that_a_fault_stops_three_times_rings_and_one_that_a_hold_stops_does_not(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError("The disk is away.")

    taken(written(cast, second))
    deed(cast, "begin_erasing", at=LATER)
    with monkeypatch.context() as patch:
        patch.setattr(working, "erase_on", fails)
        figures.begin_task()
        for hours in range(3):
            work(cast, LATER + timedelta(hours=hours))
    assert figures.has_fault()
    with job_scope(agency_id=cast.acme.pk):
        assert watch.read(cast.acme, LATER).endings_stopped == 1
    place(cast)
    figures.begin_task()
    work(cast, LATER + timedelta(hours=9))
    assert not figures.has_fault()
    assert "A hold is open" in now(cast).last_error
    with job_scope(agency_id=cast.acme.pk):
        assert watch.read(cast.acme, LATER).endings_stopped == 0


@pytest.mark.thorough
def test_nothing_was_destroyed_and_who_acts_on_it_is_told(cast: Cast, second: Membership) -> None:
    waits_again(cast, second)
    with job_scope(agency_id=cast.acme.pk):
        told = Notification.objects.filter(kind=TAKEN_AGAIN, client=cast.dentist)
        assert set(told.values_list("user_id", flat=True)) == {cast.alice.user_id, second.user_id}
        item = Item.objects.open().get(kind=offboarding.KIND)
        assert item.due_at == LATER + timedelta(days=7)
    link = 'href="/clients/dentist/leave/"'
    page = signed_in(cast.alice).get("/retention/leaving/").content.decode()
    assert link in page
    assert "nothing was destroyed yet" in page
    assert link not in signed_in(cast.carol).get("/retention/leaving/").content.decode()


def test_a_hold_can_be_placed_and_lifted_until_the_end(cast: Cast, second: Membership) -> None:
    waits_again(cast, second)
    browser = signed_in(cast.alice)
    said = _asked()
    assert browser.post("/clients/dentist/holds/new/", said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        hold = Hold.objects.open().get()
    taken(deed(cast, "new_link", at=LATER), LATER)
    with pytest.raises(offboarding.HeldError):
        deed(cast, "begin_erasing", at=LATER)
    assert browser.post(f"/clients/dentist/holds/{hold.pk}/review/").status_code == 200
    assert browser.post(f"/clients/dentist/holds/{hold.pk}/lift/").status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.update(lifted_at=LATER)
    finishes(cast)
    assert browser.post("/clients/dentist/holds/new/", said).status_code == 403


def test_once_its_keys_go_no_hold_is_placed_any_more_and_who_comes_next_ends_it(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_again(cast, second)
    taken(deed(cast, "new_link", at=LATER), LATER)
    deed(cast, "begin_erasing", at=LATER)
    with monkeypatch.context() as killed:
        killed.setattr(vault, "destroy_client", _is_killed)
        work(cast, LATER)
    assert now(cast).state == EndState.ERASING
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        with pytest.raises(holds.TooLateError, match="Nothing is left"):
            place(cast)
        assert not Hold.objects.exists()
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=None)
    for numbers in ({}, {"scope": "numbers", "numbers": "+14155550101"}):
        said = _asked() | numbers
        refused = signed_in(cast.alice).post("/clients/dentist/holds/new/", said)
        assert refused.status_code == 403

    work(cast, LATER + timedelta(hours=1))

    assert now(cast).state == EndState.DONE


class _Killed(BaseException):
    """What no worker catches."""


def _is_killed_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's own keys are gone, and what lies below them is still there."""
    whole = keys._destroy

    def killed(model: type[Model], order: str, client_id: int) -> None:
        if model is not ClientKey:
            raise _Killed
        whole(model, order, client_id)

    monkeypatch.setattr(keys, "_destroy", killed)


def test_who_is_killed_between_the_clients_keys_and_what_lies_below_them_is_followed_by_another(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_again(cast, second)
    taken(deed(cast, "new_link", at=LATER), LATER)
    deed(cast, "begin_erasing", at=LATER)
    with monkeypatch.context() as patched:
        _is_killed_between(patched)
        with pytest.raises(_Killed):
            work(cast, LATER)
    mine = {"client_id": cast.dentist.pk}
    assert not ClientKey.objects.filter(**mine).exists()
    assert Suppression.objects.filter(**mine).exists()

    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=LATER)
    work(cast, LATER + timedelta(hours=1))

    assert now(cast).state == EndState.DONE
    below = (Caller, RecordingKey, Tombstone, CallTombstone, Watermark, Suppression)
    assert not [model for model in below if model._default_manager.filter(**mine).exists()]
    assert ClientKey.objects.filter(**mine).count() == 1


def test_no_hold_is_widened_once_the_keys_go(cast: Cast, second: Membership) -> None:
    waits_again(cast, second)
    hold = place(cast)
    with job_scope(agency_id=cast.acme.pk):
        Offboarding.objects.update(state=EndState.ERASING, step=DESTROYING)
        with pytest.raises(holds.TooLateError, match="Nothing is left"):
            holds.add_calls(hold=hold, call_ids=[], by=make.JOB, at=LATER)


def _asked() -> dict[str, str]:
    return {
        "name": "Case 7", "matter": "Smith against Dentist", "reason": "An order of the court of 12 May.",
        "scope": "everything", "review_on": (make.now().date() + timedelta(days=30)).isoformat(),
    }  # fmt: skip


def _is_killed(**_: object) -> None:
    raise RuntimeError("killed")


def test_a_step_at_a_vendor_can_be_done_while_the_file_waits(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "callrail", AT_CALLRAIL)
    begin(client, recording)
    end(client, recording)
    with job_scope(agency_id=cast.acme.pk):
        task = VendorTask.objects.for_client(client).get()
        Client.objects.filter(pk=client.pk).update(archived_at=NOON)
    url = f"/clients/dentist/consent/steps/{task.pk}/"
    assert signed_in(cast.alice).post(f"{url}sent/", {"words": "Please."}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        task.refresh_from_db()
    assert task.state == WaitingState.SENT


def test_in_a_second_round_nobody_takes_the_client_back(cast: Cast, second: Membership) -> None:
    taken(written(cast, second))
    says_no(cast)
    pressed(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    with job_scope(agency_id=cast.acme.pk):
        Offboarding.objects.update(waits_since=LATER - timedelta(hours=1))
    work(cast, LATER + timedelta(minutes=1))
    at = LATER + timedelta(hours=2)
    assert (now(cast).state, now(cast).came_since, is_shut(cast)) == (EndState.WRITTEN, 2, True)
    unpacked(taken(deed(cast, "new_link", at=at), at))
    deed(cast, "begin_erasing", at=at)
    work(cast, at)
    assert (now(cast).state, is_shut(cast)) == (EndState.DONE, True)


@pytest.mark.django_db(transaction=True)
def test_who_places_a_hold_as_the_client_goes_is_waited_for(cast: Cast) -> None:
    filled(cast)
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    taken(deed(cast, "new_link"))
    deed(cast, "begin_erasing", at=LATER)
    is_placed, may_commit = threading.Event(), threading.Event()

    def hold() -> None:
        with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
            holds.place_hold(
                client=cast.dentist, extent=holds.Wanted(), name="Case 7", matter="", reason=REASON,
                review_on=NOON.date() + timedelta(days=30), ends_on=None, people=[], placed_by=cast.alice.user_id,
                at=LATER,
            )  # fmt: skip
            is_placed.set()
            may_commit.wait(20)

    placer = _begun(hold)
    assert is_placed.wait(20)
    worker = _begun(lambda: work(cast, LATER))
    worker.join(0.2)
    may_commit.set()
    placer.join(20)
    worker.join(20)
    assert not is_shut(cast)
    assert "Case 7" in now(cast).last_error
