"""Consent that becomes too old ends: by purpose, once, never a no; and nothing ends that nobody was shown before."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import RecordingState
from callprivacy.lib import figures
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.enums import Channel, EventKind, Purpose, State
from consent.models import AgencyAge, ConsentAge, ConsentEvent, ConsentState, Rejudgement
from consent.selectors import ages as selectors
from consent.services import ages, rebuilding
from consent.services.ages import AS_THE_AGENCY, NEVER
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.deciding import recorded, recording, say, work
from tests.consent.pages import states_of
from tests.consent.test_ledger import caller_of
from tests.make import NOON

pytestmark = pytest.mark.as_committed

YEAR = timedelta(days=365)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


def choose(client: Client, months: int | str, *purposes: Purpose, at: datetime = NOON - 3 * YEAR) -> None:
    with job_scope(agency_id=client.agency_id):
        chosen = dict.fromkeys(purposes or (Purpose.RECORD,), months)
        ages.choose_for_client(client=client, chosen=chosen, by=make.JOB, at=at)


def choose_for_all(cast: Cast, months: int | str, *, at: datetime = NOON - 3 * YEAR) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        ages.choose_for_agency(agency=cast.acme, chosen={Purpose.RECORD: months}, officer=cast.alice, at=at)


def expire(cast: Cast, at: datetime = NOON) -> int:
    return ages.expire(agency_id=cast.acme.pk, until=at + timedelta(minutes=1), clock=lambda: at)


def agreed(cast: Cast, given_at: datetime, number: str = "+14155550101", **fields: Any) -> uuid.UUID:
    caller_id = caller_of(cast, number)
    say(cast.dentist, EventKind.GIVEN, caller_id, happened_at=given_at, **fields)
    return caller_id


def ends(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.filter(kind=EventKind.EXPIRED).order_by("happened_at"))


# --- The calendar ---


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    st.integers(1, 120),
)
def test_what_is_found_is_what_has_ended(given_at: datetime, at: datetime, months: int) -> None:
    has_ended = selectors.months_after(given_at, months) <= at
    assert (given_at <= selectors.newest_ended(at, months)) is has_ended


@pytest.mark.parametrize(
    ("given_on", "months", "ends_on"),
    [((2025, 1, 15), 12, (2026, 1, 15)), ((2025, 1, 31), 1, (2025, 3, 1)), ((2024, 2, 29), 12, (2025, 3, 1)),
     ((2025, 12, 31), 2, (2026, 3, 1))],
)  # fmt: skip
def test_months_are_the_calendars(
    given_on: tuple[int, int, int], months: int, ends_on: tuple[int, int, int]
) -> None:
    assert selectors.months_after(datetime(*given_on, tzinfo=UTC), months) == datetime(*ends_on, tzinfo=UTC)


# --- What ends ---


def test_a_consent_ends_on_its_day_with_its_evidence_and_its_calls_are_decided_anew(cast: Cast) -> None:
    choose(cast.dentist, 12)
    given_at = NOON - YEAR - timedelta(days=5)
    caller_id = agreed(cast, given_at)
    assert expire(cast) == 1
    (event,) = ends(cast)
    assert event.happened_at == selectors.months_after(given_at, 12)
    assert (event.purpose, event.caller_id, event.user_id) == (Purpose.RECORD, caller_id, None)
    assert event.recorded_by == "consent.expire_consents"
    assert event.audit_event_id is not None
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.EXPIRED}
    with job_scope(agency_id=cast.acme.pk):
        assert Rejudgement.objects.filter(caller_id=caller_id, finished_at=None).count() == 2


def test_one_that_is_young_enough_stays_and_the_job_does_nothing_more_when_run_again(cast: Cast) -> None:
    choose(cast.dentist, 12)
    caller_id = agreed(cast, NOON - YEAR + timedelta(days=1))
    assert expire(cast) == 0
    later = NOON + timedelta(days=1)
    assert expire(cast, later) == 1
    assert expire(cast, later) == 0
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.EXPIRED}


def test_one_clients_fault_ends_no_others_consents_late_and_is_counted(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = ages._expire

    def fail(client: Client, *rest: Any) -> int:
        if client == cast.dentist:
            raise ValueError("a fault of one")
        return really(client, *rest)

    for client in (cast.dentist, cast.plumber):
        choose(client, 12)
    caller_id = agreed(cast, NOON - 2 * YEAR)
    monkeypatch.setattr(ages, "_expire", fail)
    figures.begin_task()
    assert expire(cast) == 0
    assert figures.has_fault()
    monkeypatch.setattr(ages, "_expire", really)
    figures.begin_task()
    assert expire(cast) == 1
    assert not figures.has_fault()
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.EXPIRED}


def test_at_a_client_that_has_left_nothing_ends_and_that_is_no_fault(cast: Cast) -> None:
    choose(cast.dentist, 12)
    caller_id = agreed(cast, NOON - 2 * YEAR)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    figures.begin_task()
    assert expire(cast) == 0
    assert not figures.has_fault()
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.GIVEN}


def test_many_end_in_batches_and_a_run_that_is_cut_off_is_gone_on_with(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ages, "BATCH", 2)
    choose(cast.dentist, 12)
    for place in range(5):
        agreed(cast, NOON - 2 * YEAR + timedelta(hours=place), f"+1415555010{place}")
    ticks = iter([NOON, NOON + timedelta(hours=1)])
    assert (
        ages.expire(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks)) == 2
    )
    assert len(ends(cast)) == 2
    assert expire(cast) == 3


def test_each_purpose_has_its_own_months_and_without_any_nothing_ends(cast: Cast) -> None:
    choose(cast.dentist, 12, Purpose.CONTACT)
    caller_id = agreed(cast, NOON - 2 * YEAR)
    say(cast.dentist, EventKind.GIVEN, caller_id, happened_at=NOON - 2 * YEAR, purpose=Purpose.CONTACT)
    assert expire(cast) == 1
    assert states_of(cast.dentist, caller_id) == {
        Purpose.RECORD: State.GIVEN, Purpose.CONTACT: State.EXPIRED
    }  # fmt: skip


@pytest.mark.parametrize("kind", [EventKind.WITHDRAWN, EventKind.REFUSED])
def test_a_no_never_ends(cast: Cast, kind: EventKind) -> None:
    choose(cast.dentist, 12)
    caller_id = agreed(cast, NOON - 3 * YEAR)
    say(cast.dentist, kind, caller_id, happened_at=NOON - 2 * YEAR)
    assert expire(cast) == 0
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: kind.value}


def test_an_older_no_holds_again_when_the_yes_after_it_ends(cast: Cast) -> None:
    choose(cast.dentist, 12)
    caller_id = caller_of(cast)
    say(cast.dentist, EventKind.WITHDRAWN, caller_id, happened_at=NOON - 3 * YEAR)
    say(cast.dentist, EventKind.GIVEN, caller_id, happened_at=NOON - 2 * YEAR)
    assert expire(cast) == 1
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.WITHDRAWN}


def test_who_agrees_again_begins_anew(cast: Cast) -> None:
    choose(cast.dentist, 12)
    caller_id = agreed(cast, NOON - 2 * YEAR)
    expire(cast)
    say(cast.dentist, EventKind.RENEWED, caller_id, happened_at=NOON - timedelta(days=1))
    assert expire(cast) == 0
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.GIVEN}


def test_the_agencys_months_hold_where_a_client_has_none_of_its_own(cast: Cast) -> None:
    choose_for_all(cast, 12)
    choose(cast.dentist, NEVER)
    agreed(cast, NOON - 2 * YEAR)
    assert expire(cast) == 0
    choose(cast.dentist, AS_THE_AGENCY, at=NOON)
    assert expire(cast) == 1


def test_a_choice_ends_nothing_before_it_was_made(cast: Cast) -> None:
    """A recording made while the consent held stays allowed, however old the consent is found to be now."""
    call = recorded(cast.dentist, at=NOON - timedelta(days=2))
    say(cast.dentist, EventKind.GIVEN, call.caller_id, happened_at=NOON - 2 * YEAR)
    work(cast.dentist)
    assert recording(call).state == RecordingState.ALLOWED
    choose(cast.dentist, 12, at=NOON)
    assert expire(cast) == 1
    assert ends(cast)[0].happened_at == NOON
    work(cast.dentist)
    assert recording(call).state == RecordingState.ALLOWED


def test_going_back_to_the_agencys_months_ends_nothing_before_that_either(cast: Cast) -> None:
    choose_for_all(cast, 12)
    choose(cast.dentist, 36)
    agreed(cast, NOON - 2 * YEAR)
    choose(cast.dentist, AS_THE_AGENCY, at=NOON - timedelta(days=3))
    assert expire(cast) == 1
    assert ends(cast)[0].happened_at == NOON - timedelta(days=3)


def test_a_call_after_the_end_is_withheld(cast: Cast) -> None:
    choose(cast.dentist, 12)
    call = recorded(cast.dentist, at=NOON - timedelta(days=2))
    say(cast.dentist, EventKind.GIVEN, call.caller_id, happened_at=NOON - YEAR - timedelta(days=9))
    work(cast.dentist)
    assert recording(call).state == RecordingState.ALLOWED
    expire(cast)
    work(cast.dentist)
    assert recording(call).state == RecordingState.WITHHELD


def test_the_projection_rebuilds_equal(cast: Cast) -> None:
    choose(cast.dentist, 12)
    agreed(cast, NOON - 2 * YEAR)
    expire(cast)
    assert rebuilding.rebuild(client=cast.dentist, at=NOON, check=True).differing == 0


def test_another_agencys_consents_are_left_alone(cast: Cast) -> None:
    choose_for_all(cast, 12)
    with job_scope(agency_id=cast.globex.pk):
        assert selectors.of_client(cast.florist) == {}


# --- The pages ---


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


FORM = {purpose.value: AS_THE_AGENCY for purpose in Purpose}
PAGE = "/clients/dentist/consent/age/"


def text_of(body: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", body.decode()).split())


def test_what_it_changes_is_shown_before_anything_is_saved(cast: Cast, alice: Browser) -> None:
    agreed(cast, NOON - 2 * YEAR)
    agreed(cast, NOON - YEAR + timedelta(days=10), "+14155550102")
    asked = {**FORM, "record": "12"}
    shown = alice.post(PAGE, asked)
    assert "Save and end 1 consent" in text_of(shown.content)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentAge.objects.exists()
    assert [
        (one["effect"].given, one["effect"].at_once, one["effect"].soon) for one in shown.context["effects"]
    ] == [(2, 1, 1)]
    assert alice.post(PAGE, {**asked, "seen": "1"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row = ConsentAge.objects.get(purpose=Purpose.RECORD)
        assert (row.months, row.chosen_by_id, row.chosen_at) == (12, cast.alice.user_id, NOON)
        assert Event.objects.filter(action="consent_age.chosen").count() == 1
    assert expire(cast) == 1
    assert "12 months (1 year)" in text_of(alice.get(PAGE).content)


def test_counts_that_have_moved_are_shown_again(cast: Cast, alice: Browser) -> None:
    agreed(cast, NOON - 2 * YEAR)
    answer = alice.post(PAGE, {**FORM, "record": "12", "seen": "0"})
    assert "The counts have changed" in text_of(answer.content)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentAge.objects.exists()


@pytest.mark.thorough
def test_choosing_what_holds_already_changes_nothing(cast: Cast, alice: Browser) -> None:
    assert "Nothing changed" in text_of(alice.post(PAGE, FORM).content)


def test_the_agencys_page_counts_the_clients_that_follow_it(cast: Cast, alice: Browser) -> None:
    agreed(cast, NOON - 2 * YEAR)
    form = {purpose.value: NEVER for purpose in Purpose} | {"record": "12"}
    assert "Save and end 1 consent" in text_of(alice.post("/consent/age/", form).content)
    choose(cast.dentist, 60)
    assert "End at once" in text_of(alice.post("/consent/age/", form).content)
    assert alice.post("/consent/age/", {**form, "seen": "0"}).status_code == 302
    assert expire(cast) == 0


ALL = "/consent/age/"
FOR_ALL = {purpose.value: NEVER for purpose in Purpose} | {"record": "12"}


def test_nobody_ends_consents_at_clients_that_are_not_granted_to_them(cast: Cast) -> None:
    agreed(cast, NOON - 2 * YEAR)
    fay = make.person(cast.acme, "fay", Role.OFFICER)
    make.grant(fay, cast.plumber)
    browser = signed_in(fay)
    shown = browser.post(ALL, FOR_ALL)
    assert [client.pk for client in shown.context["unseen"]] == [cast.dentist.pk]
    words = text_of(shown.content)
    assert "You cannot see every client that this changes" in words
    assert "access to all of these clients" in words
    assert "nothing ends today" not in words
    refused = browser.post(ALL, {**FOR_ALL, "seen": "0"})
    assert "This changes clients whose consent you do not have permission to manage." in text_of(
        refused.content
    )
    with job_scope(agency_id=cast.acme.pk):
        assert not AgencyAge.objects.exists()
    make.grant(fay, cast.dentist)
    assert "Save and end 1 consent" in text_of(browser.post(ALL, FOR_ALL).content)
    assert browser.post(ALL, {**FOR_ALL, "seen": "1"}).status_code == 302


def test_a_client_that_has_its_own_months_or_has_left_is_not_asked_for(cast: Cast) -> None:
    fay = make.person(cast.acme, "fay", Role.OFFICER)
    make.grant(fay, cast.plumber)
    make.grant(fay, cast.dentist, without=Permission.MANAGE_CONSENT)
    browser = signed_in(fay)
    assert [client.pk for client in browser.post(ALL, FOR_ALL).context["unseen"]] == [cast.dentist.pk]
    choose(cast.dentist, 60)
    assert browser.post(ALL, FOR_ALL).context["unseen"] == []
    choose(cast.dentist, AS_THE_AGENCY)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    assert browser.post(ALL, {**FOR_ALL, "seen": "0"}).status_code == 302


def test_only_an_officer_chooses(cast: Cast) -> None:
    manager = make.person(cast.acme, "mara", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    browser = signed_in(manager)
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert "Only a compliance officer can change consent expiry" in text_of(page.content)
    assert browser.post(PAGE, {**FORM, "record": "12", "seen": "0"}).status_code == 403
    assert browser.get("/consent/age/").status_code == 403


def test_a_persons_page_says_when_it_ends_and_that_it_ended(cast: Cast, alice: Browser) -> None:
    choose(cast.dentist, 12)
    caller_id = agreed(cast, NOON - YEAR + timedelta(days=10), channel=Channel.SMS)
    page = f"/clients/dentist/callers/{caller_id}/"
    assert re.search(rf"ends\s+\d+ \w+ {(NOON + timedelta(days=10)).year}", text_of(alice.get(page).content))
    expire(cast, NOON + timedelta(days=11))
    text = text_of(alice.get(page).content)
    assert "Expired: Record" in text
    assert "ends " not in text
    listed = alice.get("/clients/dentist/callers/?purpose=record&group=expired")
    assert len(listed.context["table"]["rows"]) == 1


@pytest.mark.thorough
def test_the_counts_of_the_home_page_know_what_expired(cast: Cast, alice: Browser) -> None:
    choose(cast.dentist, 12)
    agreed(cast, NOON - 2 * YEAR)
    expire(cast)
    home = alice.get("/consent/?client=dentist")
    (row,) = [line["row"] for line in home.context["rows"] if line["row"].purpose == Purpose.RECORD]
    assert (row.count("expired"), row.count("given")) == (1, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.filter(state=State.EXPIRED).count() == 1
