"""Numbers that became somebody else's: asked about with a reason, and the consents that end with the number."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState, RecordingState
from callprivacy.calls.services import people
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.models import ListedNumber, Suppression
from consent.channels import number_files
from consent.channels.number_files import Answer, Answered, Refused
from consent.enums import Channel, EventKind, Purpose, State, Strength
from consent.models import ConsentEvent, Invitation, NumberList, NumbersOut, Subscription
from consent.selectors.contact import Asked
from consent.services import contact, numbers_out, preferences, rebuilding, registers
from consent.services.contact import Aim, Code
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import asked
from tests.consent.deciding import recorded, recording, say, work
from tests.consent.pages import evidence_of, open_page, publish, states_of
from tests.consent.test_expiry import text_of
from tests.consent.test_invitations import link
from tests.make import NOON

pytestmark = pytest.mark.as_committed

ONE, TWO, LONDON = "+14155550101", "+14155550102", "+442079460958"
GIVEN = NOON - timedelta(days=100)
ASKED = GIVEN.date()
TODAY = NOON.date()
REASON = "Yearly question to the database of reassigned numbers."


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


def agree(client: Client, number: str = ONE, at: datetime = GIVEN, *purposes: Purpose) -> uuid.UUID:
    with job_scope(agency_id=client.agency_id):
        caller_id = people.add_callers(client=client, numbers=[number], at=NOON)[number]
    for purpose in purposes or (Purpose.RECORD,):
        say(client, EventKind.GIVEN, caller_id, happened_at=at, purpose=purpose)
    return caller_id


def write(cast: Cast, at: datetime = NOON) -> bool:
    return numbers_out.work(agency_id=cast.acme.pk, until=at + timedelta(minutes=1), clock=lambda: at)


def file_of(cast: Cast, alice: Browser) -> tuple[str, list[str]]:
    """Ask for the file, have it written, take it: its address and its lines."""
    answer = alice.post("/clients/dentist/consent/numbers/", {"reason": REASON})
    assert answer.status_code == 302, answer.context["form"].errors
    page = answer.headers["Location"]
    write(cast)
    taken = alice.post(f"{page}file/")
    return page, b"".join(taken.streaming_content).decode().split("\r\n")[:-1]  # type: ignore[attr-defined]  # a file's answer


def bring(cast: Cast, alice: Browser, content: str, as_of: date = TODAY) -> NumberList:
    file = SimpleUploadedFile("answers.csv", content.encode())
    answer = alice.post("/consent/registers/answers/", {"as_of": as_of.isoformat(), "file": file})
    assert answer.status_code == 302, answer.context["form"].errors
    registers.work(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        return NumberList.objects.get(pk=answer.headers["Location"].split("/")[-2])


def ended(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.filter(kind=EventKind.INVALIDATED).order_by("client_id", "purpose"))


# --- The question ---


def test_the_file_has_each_number_with_the_days_of_its_consents(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist, ONE, GIVEN, Purpose.RECORD, Purpose.REVIEW)
    agree(cast.dentist, ONE, GIVEN + timedelta(days=10), Purpose.CONTACT)
    agree(cast.dentist, LONDON)
    agree(cast.dentist, "+14155550103", NOON - timedelta(hours=1))
    gone = agree(cast.dentist, TWO)
    say(cast.dentist, EventKind.WITHDRAWN, gone, happened_at=NOON - timedelta(days=2))
    agree(cast.plumber, "+12125550109")
    _, lines = file_of(cast, alice)
    assert lines == [f"4155550101,{ASKED}", f"4155550101,{ASKED + timedelta(days=10)}"]


def test_why_and_who_took_it_are_written_down_before(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    page, _ = file_of(cast, alice)
    with job_scope(agency_id=cast.acme.pk):
        rows = Event.objects.filter(action__startswith="numbers.").order_by("pk")
        actions = [row.action for row in rows]
        assert actions == ["numbers.requested", "numbers.written", "numbers.downloaded"]
        assert rows[0].reason_hash
        assert rows[0].client_id == cast.dentist.pk
    assert "4155550101" not in page
    assert "5550101" not in alice.get(page).content.decode()


def test_another_officer_who_takes_them_may_read_why_they_were_asked_for(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    page, _ = file_of(cast, alice)
    olga = make.person(cast.acme, "Olga", Role.OFFICER)
    make.grant(olga, cast.dentist, Role.OFFICER)
    browser = signed_in(olga)
    before = browser.get(page).content
    assert f'action="{page}reason/"' in before.decode()
    assert REASON not in text_of(before)

    answer = browser.post(f"{page}reason/")

    assert REASON in text_of(answer.content)
    assert "Download file" in text_of(answer.content)
    assert "no-store" in answer["Cache-Control"]
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.get(action="reason.opened").actor_user_id == olga.user_id
    assert signed_in(cast.bob).post(f"{page}reason/").status_code == 403
    assert signed_in(cast.mallory).post(f"{page}reason/").status_code == 404
    assert alice.post(page.replace("dentist", "plumber") + "reason/").status_code == 404


def test_without_a_reason_nothing_is_asked(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    answer = alice.post("/clients/dentist/consent/numbers/", {"reason": "because"})
    assert "at least 15 characters" in text_of(answer.content)
    with job_scope(agency_id=cast.acme.pk):
        assert not NumbersOut.objects.exists()
        assert not Event.objects.filter(action="numbers.requested").exists()


def test_all_numbers_of_a_client_are_for_officers_with_the_grant(cast: Cast) -> None:
    manager = make.person(cast.acme, "mara", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    for person in (cast.bob, manager, cast.carol):
        assert (
            signed_in(person).post("/clients/dentist/consent/numbers/", {"reason": REASON}).status_code == 403
        )
    assert signed_in(cast.mallory).get("/clients/dentist/consent/numbers/").status_code == 404


def test_the_file_lies_sealed_and_leaves_after_three_days(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    page, _ = file_of(cast, alice)
    with job_scope(agency_id=cast.acme.pk):
        row = NumbersOut.objects.get()
    assert row.file_key is not None
    assert row.expires_at == NOON + timedelta(days=3)
    assert b"5550101" not in files._path(cast.dentist.pk, row.file_key).read_bytes()
    numbers_out.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=3))
    with pytest.raises(FileNotFoundError):
        files.open(cast.dentist.pk, row.file_key)
    assert alice.post(f"{page}file/").status_code == 410
    assert "The file is deleted" in text_of(alice.get(page).content)


def test_a_file_is_not_written_for_who_may_no_more(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    alice.post("/clients/dentist/consent/numbers/", {"reason": REASON})
    with job_scope(agency_id=cast.acme.pk):
        type(cast.alice).objects.filter(pk=cast.alice.pk).update(role=Role.REVIEWER)
    write(cast)
    with job_scope(agency_id=cast.acme.pk):
        row = NumbersOut.objects.get()
    assert (row.state, row.file_key) == (JobState.CANCELLED, None)


def test_a_worker_that_is_killed_leaves_no_file_and_the_next_writes_it_once(
    cast: Cast, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(cast.dentist)
    agree(cast.dentist, TWO)
    monkeypatch.setattr(numbers_out, "BATCH", 1)
    alice.post("/clients/dentist/consent/numbers/", {"reason": REASON})
    calls = iter(range(3))

    def dies() -> datetime:
        if next(calls, None) is None:
            raise SystemExit
        return NOON

    with pytest.raises(SystemExit):
        numbers_out.work(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=dies)
    assert not write(cast)
    write(cast, NOON + timedelta(minutes=3))
    with job_scope(agency_id=cast.acme.pk):
        row = NumbersOut.objects.get()
    assert (row.state, row.rows) == (JobState.DONE, 2)
    assert not write(cast, NOON + timedelta(minutes=9))


def test_a_client_without_consents_has_no_numbers_to_ask_about(alice: Browser) -> None:
    page = text_of(alice.get("/clients/dentist/consent/numbers/").content)
    assert "No callers with consent yet" in page


# --- Reading answers ---


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["4155550101,2026-08-16,yes"], Answered(ONE, Answer.YES, date(2026, 8, 16))),
        (["4155550101,08/16/2026,No"], Answered(ONE, Answer.NO, date(2026, 8, 16))),
        (["4155550101,no data"], Answered(ONE, Answer.NO_DATA)),
        (
            ["TN,Date,Response,Disconnected on", "4155550101,2026-08-16,YES,2026-10-02"],
            Answered(ONE, Answer.YES, date(2026, 8, 16), date(2026, 10, 2)),
        ),
        (["4155550101,2026-08-16,maybe"], Refused("not “yes”, “no”, or “no data”")),
        (["nobody,yes", "x,yes"], Refused("no phone number")),
    ],
)  # fmt: skip
def test_an_answer_is_read_with_its_days(lines: list[str], expected: object) -> None:
    found = list(number_files.read_answers(lines, country="US"))
    assert found[-1][1] == expected


# --- What answers end ---


def test_yes_ends_every_standing_consent_of_the_number_on_its_day(cast: Cast, alice: Browser) -> None:
    on = (NOON - timedelta(days=53)).date()
    caller_id = agree(cast.dentist, ONE, GIVEN, Purpose.RECORD, Purpose.CONTACT)
    other = agree(cast.dentist, TWO)
    row = bring(
        cast, alice,
        f"number,date,answer,disconnected on\n4155550101,{ASKED},yes,{on}\n4155550102,{ASKED},no,\n",
    )  # fmt: skip
    assert (row.state, row.is_active, row.size, row.invalidated) == (JobState.DONE, True, 1, 2)
    assert row.answers == {"yes": 1, "no": 1}
    assert states_of(cast.dentist, caller_id) == {
        Purpose.RECORD: State.INVALIDATED, Purpose.CONTACT: State.INVALIDATED
    }  # fmt: skip
    assert states_of(cast.dentist, other) == {Purpose.RECORD: State.GIVEN}
    # The day begins where the client is.
    assert {event.happened_at.date() for event in ended(cast)} == {on}
    assert {event.channel for event in ended(cast)} == {Channel.IMPORT}
    assert evidence_of(cast.dentist)["record import"]["disconnected"] == f"on {on}"
    assert rebuilding.rebuild(client=cast.dentist, at=NOON, check=True).differing == 0


def test_who_had_the_number_before_is_told_nothing_more_and_opens_nothing(cast: Cast, alice: Browser) -> None:
    publish(cast.dentist, Purpose.CONTACT)
    open_page(cast.dentist)
    caller_id, other = (agree(cast.dentist, number, GIVEN, Purpose.CONTACT) for number in (ONE, TWO))
    since = NOON - timedelta(days=2)
    with job_scope(agency_id=cast.acme.pk):
        preferences._add_subscription(cast.dentist, caller_id, "old@x.example", Strength.B, GIVEN)
        preferences._add_subscription(cast.dentist, other, "new@x.example", Strength.B, since)
        links = {
            strength: preferences.link_for(
                client=cast.dentist, caller_id=caller_id, at=NOON, strength=strength
            ).removeprefix("http://127.0.0.1:8000")
            for strength in Strength
        }
    assert {Browser().get(link).status_code for link in links.values()} == {200}

    bring(cast, alice, f"4155550101,{ASKED},yes\n4155550102,{ASKED},yes\n")

    with job_scope(agency_id=cast.acme.pk):
        assert [row.created_at for row in Subscription.objects.all()] == [since]
    assert {strength: Browser().get(link).status_code for strength, link in links.items()} == {
        Strength.A: 200, Strength.B: 410, Strength.C: 410, Strength.D: 410
    }  # fmt: skip
    assert Browser().post(links[Strength.B], {"deed": "give", "purpose": "contact"}).status_code == 410
    assert states_of(cast.dentist, caller_id) == {Purpose.CONTACT: State.INVALIDATED}


def test_the_letter_to_who_had_the_number_before_takes_a_no_alone(cast: Cast, alice: Browser) -> None:
    where, browser = link(cast, row := asked(cast)), Browser()
    form = browser.get(where).context["form"]

    bring(cast, alice, f"4155550101,{ASKED},yes\n")

    assert browser.get(where).context["is_over"]
    assert browser.post(where, {"form": form, "deed": "yes", "purposes": ["record"]}).status_code == 404
    assert browser.post(where, {"form": form, "deed": "no"}).status_code == 200
    assert set(states_of(cast.dentist, row.caller_id).values()) == {State.REFUSED}


def test_what_is_made_after_the_answer_was_read_is_the_next_holders(cast: Cast, alice: Browser) -> None:
    later, browser = NOON + timedelta(hours=1), Browser()
    where = link(cast, row := asked(cast))
    bring(cast, alice, f"4155550101,{ASKED},yes\n")
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.filter(pk=row.pk).update(created_at=later)
        preferences._add_subscription(cast.dentist, row.caller_id, "new@x.example", Strength.A, NOON)
        news = Subscription.objects.select_related("client__agency").get()
        news.confirmed_at = later
        links = []
        for at in (NOON, later):
            news.created_at = at
            letter = preferences._letter(news, "new@x.example", at=later, until=later)
            links += [
                preferences.link_for(client=cast.dentist, caller_id=row.caller_id, at=at),
                letter.text.split()[-1],
            ]

    with time_machine.travel(later, tick=False):
        opened = [browser.get(link.removeprefix("http://127.0.0.1:8000")).status_code for link in links]
        page = browser.get(where).context
        said = {"form": page["form"], "deed": "yes", "purposes": ["record"]}
        assert opened == [410, 410, 200, 200]
        assert not page["is_over"]
        assert browser.post(where, said).status_code == 200
    assert states_of(cast.dentist, row.caller_id)[Purpose.RECORD] == State.GIVEN


def test_without_a_day_of_disconnection_it_ends_on_the_day_that_was_asked_about(
    cast: Cast, alice: Browser
) -> None:
    """The earliest it can be: what is not known is never better than what is."""
    agree(cast.dentist)
    later = GIVEN.date() + timedelta(days=20)
    bring(cast, alice, f"4155550101,{later},yes\n")
    (event,) = ended(cast)
    assert event.happened_at.date() == later
    assert evidence_of(cast.dentist)["record import"]["disconnected"] == f"on or after {later}"


def test_on_the_day_of_the_consent_it_ends_with_the_consent_itself(cast: Cast, alice: Browser) -> None:
    caller_id = agree(cast.dentist)
    bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert ended(cast)[0].happened_at == GIVEN
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.INVALIDATED}


def test_a_consent_given_after_the_disconnection_stays(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist, ONE, GIVEN, Purpose.RECORD)
    caller_id = agree(cast.dentist, ONE, NOON - timedelta(days=5), Purpose.CONTACT)
    bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert states_of(cast.dentist, caller_id) == {
        Purpose.RECORD: State.INVALIDATED, Purpose.CONTACT: State.GIVEN
    }  # fmt: skip


@pytest.mark.parametrize("answer", ["no", "no data"])
def test_any_other_answer_ends_nothing(cast: Cast, alice: Browser, answer: str) -> None:
    caller_id = agree(cast.dentist)
    row = bring(cast, alice, f"4155550101,{ASKED},{answer}\n")
    assert (row.invalidated, row.size, row.is_active) == (0, 0, True)
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.GIVEN}
    assert not ListedNumber.objects.exists()


@pytest.mark.parametrize("kind", [EventKind.WITHDRAWN, EventKind.REFUSED])
def test_a_no_is_never_touched(cast: Cast, alice: Browser, kind: EventKind) -> None:
    caller_id = agree(cast.dentist)
    say(cast.dentist, kind, caller_id, happened_at=NOON - timedelta(days=50))
    kept = list(Suppression.objects.order_by("pk").values_list("token", "purpose", "since"))
    assert kept
    bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert ended(cast) == []
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: kind.value}
    assert list(Suppression.objects.order_by("pk").values_list("token", "purpose", "since")) == kept


def test_it_ends_at_every_client_of_the_agency_and_at_no_other(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    agree(cast.plumber)
    stranger = agree(cast.florist)
    row = bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert row.invalidated == 2
    assert {event.client_id for event in ended(cast)} == {cast.dentist.pk, cast.plumber.pk}
    assert states_of(cast.florist, stranger) == {Purpose.RECORD: State.GIVEN}


def test_a_client_that_leaves_keeps_no_others_consents_from_ending(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    agree(cast.plumber)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    row = bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert (row.state, row.invalidated) == (JobState.DONE, 1)
    assert [event.client_id for event in ended(cast)] == [cast.plumber.pk]


def test_recordings_from_then_on_are_decided_anew(cast: Cast, alice: Browser) -> None:
    before = recorded(cast.dentist, ONE, at=GIVEN + timedelta(days=1))
    after = recorded(cast.dentist, ONE, at=NOON - timedelta(days=2))
    agree(cast.dentist)
    work(cast.dentist)
    assert {recording(call).state for call in (before, after)} == {RecordingState.ALLOWED}
    bring(cast, alice, f"n,date,answer,disconnected\n4155550101,{ASKED},yes,{TODAY - timedelta(days=30)}\n")
    work(cast.dentist)
    assert recording(before).state == RecordingState.ALLOWED
    assert recording(after).state == RecordingState.WITHHELD


def test_the_same_answers_brought_again_end_nothing_more(cast: Cast, alice: Browser) -> None:
    agree(cast.dentist)
    assert bring(cast, alice, f"4155550101,{ASKED},yes\n").invalidated == 1
    assert bring(cast, alice, f"4155550101,{ASKED},yes\n").invalidated == 0
    assert len(ended(cast)) == 1


def test_a_killed_worker_is_gone_on_behind_and_ends_nothing_twice(
    cast: Cast, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registers, "ANSWERS_A_BATCH", 1)
    agree(cast.dentist)
    agree(cast.dentist, TWO)
    file = SimpleUploadedFile("a.csv", f"4155550101,{ASKED},yes\n4155550102,{ASKED},yes\n".encode())
    alice.post("/consent/registers/answers/", {"as_of": TODAY.isoformat(), "file": file})
    ticks = iter([NOON, NOON + timedelta(minutes=2), NOON + timedelta(minutes=2)])
    registers.work(
        agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=lambda: next(ticks)
    )  # fmt: skip
    assert len(ended(cast)) == 1
    later = NOON + timedelta(minutes=5)
    registers.work(agency_id=cast.acme.pk, until=later + timedelta(minutes=1), clock=lambda: later)
    with job_scope(agency_id=cast.acme.pk):
        row = NumberList.objects.get()
    assert (row.state, row.invalidated, row.answers) == (JobState.DONE, 2, {"yes": 2})
    assert len(ended(cast)) == 2


def test_the_result_says_what_came_of_it_and_no_number(cast: Cast, alice: Browser) -> None:
    caller_id = agree(cast.dentist)
    row = bring(cast, alice, f"4155550101,{ASKED},yes\nrubbish 7,yes\n4155550102,{ASKED},perhaps\n")
    page = alice.get(f"/consent/registers/{row.pk}/").content
    text = text_of(page)
    assert "Line 2: no phone number" in text
    assert "Line 3: not “yes”, “no”, or “no data”" in text
    assert "Consents ended 1" in text
    assert b"rubbish" not in page
    assert b"5550101" not in page
    timeline = text_of(alice.get(f"/clients/dentist/callers/{caller_id}/").content)
    assert "Invalidated: Record" in timeline
    assert "As of" in text_of(alice.get("/consent/registers/").content)


# --- Before a call ---


def test_who_has_the_number_now_is_not_called_until_they_agree(cast: Cast, alice: Browser) -> None:
    def codes() -> set[Code]:
        with job_scope(agency_id=cast.acme.pk):
            found = contact.check(client=cast.dentist, asked=[Asked(ONE)], aim=Aim.SERVICE, at=NOON)
        return {one.code for one in found.answers[0].obstacles}

    agree(cast.dentist, ONE, GIVEN, Purpose.CONTACT)
    assert Code.REASSIGNED not in codes()
    bring(cast, alice, f"4155550101,{ASKED},yes\n")
    assert Code.REASSIGNED in codes()
    agree(cast.dentist, ONE, NOON - timedelta(hours=1), Purpose.CONTACT)
    assert Code.REASSIGNED not in codes()


def test_answers_of_one_agency_end_nothing_at_another(cast: Cast) -> None:
    mallory = signed_in(cast.mallory)
    caller_id = agree(cast.dentist)
    file: Any = SimpleUploadedFile("a.csv", f"4155550101,{ASKED},yes\n".encode())
    mallory.post("/consent/registers/answers/", {"as_of": TODAY.isoformat(), "file": file})
    registers.work(agency_id=cast.globex.pk, until=NOON + timedelta(minutes=1), clock=lambda: NOON)
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: State.GIVEN}
