"""Texts by the door that Twilio uses: what they withdraw, restore and give, and what waits for a person."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import structlog
import time_machine
from django.test import TestCase, override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Caller, Connection, Pull, PullRun, TrackingNumber
from callprivacy.calls.services import people, pulls
from callprivacy.lib import figures
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.services import CallerGoneError
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import texts as words
from consent.channels import twilio
from consent.decide import Event as Fact
from consent.decide import Question, decide
from consent.enums import (
    Basis,
    Channel,
    EventKind,
    InvitationState,
    Language,
    Purpose,
    ReplyState,
    Scope,
    State,
)
from consent.law import load_pack
from consent.models import ConsentEvent, ConsentState, Invitation, NoticeVersion, Reply, VendorTask
from consent.replies.table import EVERYTHING
from consent.services import contact, ledger, menus, text_sending, texts
from consent.services.ledger import Said
from consent.tasks import texts as tasks
from tests import make
from tests.cast import Cast
from tests.consent import twilio_side
from tests.consent.own_rules import put_in_force
from tests.consent.twilio_side import ACCOUNT, CALLER, TRACKING
from tests.scale import some

pytestmark = pytest.mark.django_db

# A weekday at 12 in New York, where texts may be sent.
AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
BY = Actor.client("tests")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(AT, tick=False) as found:
        yield found


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def number(cast: Cast) -> TrackingNumber:
    return make.tracking_number(cast.dentist, TRACKING, provider="twilio")


@pytest.fixture
def connection(cast: Cast, number: TrackingNumber) -> Connection:
    return twilio_side.connect(cast.dentist)


@pytest.fixture
def vendor() -> Iterator[twilio_side.Interface]:
    with twilio_side.interface() as found, override_settings(CALLPRIVACY_TWILIO_URL=found.url):
        yield found


class Texter:
    """Somebody who texts the tracking number."""

    def __init__(self, connection: Connection, caller: str = CALLER) -> None:
        self.connection, self.caller, self.count = connection, caller, 0

    def said(self, body: str, **more: str) -> dict[str, str]:
        self.count += 1
        return {
            "MessageSid": "SM" + f"{self.count:032x}", "AccountSid": ACCOUNT, "From": self.caller,
            "To": TRACKING, "Body": body, "NumMedia": "0",
        } | more  # fmt: skip

    def send(self, body: str, **more: str) -> Any:
        return self.post(self.said(body, **more))

    def post(self, said: dict[str, str]) -> Any:
        with TestCase.captureOnCommitCallbacks(execute=True):
            answer = twilio_side.post(f"/twilio/{self.connection.key}/sms/", said)
        if answer.status_code == 200:
            assert b"<Message" not in answer.content
        return answer


@pytest.fixture
def texter(connection: Connection) -> Texter:
    return Texter(connection)


def caller_of(cast: Cast, number: str = CALLER) -> uuid.UUID:
    with job_scope(agency_id=cast.acme.pk):
        return people.add_callers(client=cast.dentist, numbers=[number], at=AT)[number]


def states(cast: Cast, number: str = CALLER) -> dict[str, str]:
    caller_id = caller_of(cast, number)
    with job_scope(agency_id=cast.acme.pk):
        rows = ConsentState.objects.for_client(cast.dentist).filter(caller_id=caller_id)
        return dict(rows.values_list("purpose", "state"))


def replies(of: Client) -> list[Reply]:
    with job_scope(agency_id=of.agency_id):
        return list(Reply.objects.for_client(of).order_by("received_at", "message_digest"))


def events(of: Client, **wanted: Any) -> list[ConsentEvent]:
    with job_scope(agency_id=of.agency_id):
        return list(ConsentEvent.objects.for_client(of).filter(**wanted).order_by("happened_at", "purpose"))


def evidence(of: Client, event: ConsentEvent) -> dict[str, Any]:
    with job_scope(agency_id=of.agency_id):
        stored = ConsentEvent.objects.get(pk=event.pk)
        found: dict[str, Any] = ledger.evidence_of(client=of, events=[stored], at=AT)[event.pk]
        return found


def suppressed(of: Client, number: str = CALLER) -> set[str]:
    return set(vault.suppressed(of.pk, [number], on=AT.date()).get(number, {}))


def gave(
    cast: Cast, *purposes: Purpose, at: datetime, basis: Basis = Basis.CONSENT,
    kind: EventKind = EventKind.GIVEN, caller_id: uuid.UUID | None = None,
) -> None:  # fmt: skip
    caller_id = caller_id or caller_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(
            client=cast.dentist,
            said=[
                Said(
                    purpose=purpose, kind=kind, channel=Channel.WEB, strength="A",  # type: ignore[arg-type]  # as a file has it
                    happened_at=at, source=f"form {at}", caller_id=caller_id, basis=basis,
                )
                for purpose in purposes
            ],
            by=BY,
            at=at,
        )  # fmt: skip


# --- No ---


@pytest.mark.parametrize(
    "body",
    some(
        [
            "STOP",
            "stop.",
            "Stop. Thank you",
            "Unsubscribe!",
            "QUIT",
            "opt out",
            "quítenme de la lista",
            "ARRET",
        ],
        one_in=4,
    ),
)
def test_stop_and_its_kin_withdraw_everything_but_measuring_at_once(
    cast: Cast, texter: Texter, body: str
) -> None:
    assert texter.send(body).status_code == 200
    assert states(cast) == dict.fromkeys(EVERYTHING, State.WITHDRAWN)
    assert suppressed(cast.dentist) == EVERYTHING
    (reply,) = replies(cast.dentist)
    assert (reply.state, reply.label, reply.text) == (ReplyState.SETTLED, "withdraw", None)
    withdrawn = events(cast.dentist)[0]
    assert (withdrawn.strength, withdrawn.channel, withdrawn.recorded_by) == ("A", Channel.SMS, "twilio.sms")
    assert evidence(cast.dentist, withdrawn)["text"] == body


def test_it_reaches_the_client_of_the_number_that_was_texted_alone(cast: Cast, texter: Texter) -> None:
    texter.send("STOP")
    assert suppressed(cast.plumber) == set()


def test_only_what_is_meant_is_withdrawn(cast: Cast, texter: Texter) -> None:
    texter.send("please don't record me any more")
    assert Purpose.RECORD in suppressed(cast.dentist)
    assert Purpose.CONTACT not in suppressed(cast.dentist)


def test_a_text_to_a_number_that_is_not_ours_is_taken_all_the_same(cast: Cast, texter: Texter) -> None:
    assert texter.send("STOP", To="+14155550177").status_code == 200
    assert suppressed(cast.dentist) == EVERYTHING
    assert replies(cast.dentist)[0].confirm_due_at is None


def test_whatsapp_is_the_same_person(cast: Cast, texter: Texter) -> None:
    texter.send("STOP", From=f"whatsapp:{CALLER}")
    assert suppressed(cast.dentist) == EVERYTHING


@pytest.mark.parametrize("sender", some(["12345", "ACME", "anonymous", ""], one_in=4))
def test_a_short_code_or_a_name_is_nobody(cast: Cast, texter: Texter, sender: str) -> None:
    assert texter.send("STOP", From=sender).status_code == 200
    assert replies(cast.dentist) == []


def test_twilios_word_counts_where_ours_does_not_know_it(cast: Cast, texter: Texter) -> None:
    texter.send("Tschüss", OptOutType="STOP")
    assert suppressed(cast.dentist) == EVERYTHING


def test_the_same_text_again_changes_nothing(cast: Cast, texter: Texter) -> None:
    said = texter.said("STOP")
    texter.post(said)
    before = len(events(cast.dentist))
    assert texter.post(said).status_code == 200
    assert len(events(cast.dentist)) == before
    assert len(replies(cast.dentist)) == 1


def test_a_stop_during_the_call_stops_its_recording(
    cast: Cast, number: TrackingNumber, texter: Texter
) -> None:
    twilio_side.menu(cast.dentist, texter.connection, number=number)
    phone = twilio_side.Phone(texter.connection)
    phone.ring()
    phone.press("1")
    texter.send("stop recording me")
    with job_scope(agency_id=cast.acme.pk):
        stops = VendorTask.objects.filter(by_ticket=False, withdrawal__isnull=False)
        assert {"stop_recording", "delete_recording"} <= set(stops.values_list("step", flat=True))


def test_the_wish_outlives_the_erasure_of_the_person(cast: Cast, texter: Texter) -> None:
    texter.send("STOP")
    erasure = vault_services.Erasure(caller_of(cast), AT, date(2031, 1, 1), keep_evidence=True)
    vault_services.erase_callers(client_id=cast.dentist.pk, erasures=[erasure], at=AT)
    assert suppressed(cast.dentist) == EVERYTHING


def test_a_caller_erased_in_this_moment_is_taken_in_as_a_fresh_one(
    cast: Cast, texter: Texter, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, failures = texts.take_in, [CallerGoneError("gone")]

    def take_in(**kwargs: Any) -> Reply | None:
        if failures:
            raise failures.pop()
        return genuine(**kwargs)

    monkeypatch.setattr(texts, "take_in", take_in)
    assert texter.send("STOP").status_code == 200
    assert suppressed(cast.dentist) == EVERYTHING


# --- Texting again ---


def test_start_restores_texting_alone(cast: Cast, texter: Texter, clock: time_machine.Traveller) -> None:
    gave(cast, Purpose.CONTACT, Purpose.RECORD, at=AT - timedelta(days=9))
    texter.send("STOP")
    clock.shift(60)
    texter.send("START")
    assert suppressed(cast.dentist) == EVERYTHING - {Purpose.CONTACT}
    assert states(cast)[Purpose.CONTACT] == State.GIVEN
    assert states(cast)[Purpose.RECORD] == State.WITHDRAWN
    (renewed,) = events(cast.dentist, kind=EventKind.RENEWED)
    assert (renewed.purpose, renewed.basis) == (Purpose.CONTACT, Basis.CONSENT)
    assert "the earlier consent" in replies(cast.dentist)[-1].why


def contact_allowed(cast: Cast, at: datetime) -> bool:
    facts = tuple(
        Fact(
            Purpose(one.purpose), EventKind(one.kind), Basis(one.basis), Channel(one.channel), Scope(one.scope),
            one.happened_at, id=one.pk,
        )
        for one in events(cast.dentist)
    )  # fmt: skip
    question = Question(Purpose.CONTACT, at, events=facts)
    return decide(question, load_pack()).allowed


@pytest.mark.parametrize("basis", [None, Basis.LEGITIMATE_INTERESTS])
def test_start_makes_no_consent_to_advertising_where_there_was_none(
    cast: Cast, texter: Texter, clock: time_machine.Traveller, basis: Basis | None
) -> None:
    if basis is not None:
        gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9), basis=basis)
    texter.send("STOP")
    clock.shift(60)
    texter.send("Start")
    assert Purpose.CONTACT not in suppressed(cast.dentist)
    (renewed,) = events(cast.dentist, kind=EventKind.RENEWED)
    assert (renewed.basis, renewed.version_id) == (Basis.LEGITIMATE_INTERESTS, None)
    assert not contact_allowed(cast, AT + timedelta(minutes=2))


def test_what_was_given_before_is_allowed_again_after_start(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9))
    assert contact_allowed(cast, AT)
    texter.send("STOP")
    clock.shift(60)
    assert not contact_allowed(cast, AT + timedelta(minutes=1))
    texter.send("UNSTOP")
    assert contact_allowed(cast, AT + timedelta(minutes=2))


@pytest.mark.parametrize("gave_before", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_after_start_service_may_be_written_and_marketing_only_where_there_was_consent(
    cast: Cast, texter: Texter, clock: time_machine.Traveller, gave_before: bool
) -> None:
    def may(aim: contact.Aim) -> bool:
        with job_scope(agency_id=cast.acme.pk):
            asked = [contact.Asked(CALLER)]
            (answer,) = contact.check(client=cast.dentist, asked=asked, aim=aim, at=make.now()).answers
        return answer.allowed

    if gave_before:
        gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9))
    texter.send("STOP")
    clock.shift(60)
    assert not may(contact.Aim.SERVICE)
    texter.send("START")
    clock.shift(60)
    assert may(contact.Aim.SERVICE)
    assert may(contact.Aim.MARKETING) is gave_before
    texter.send("STOP")
    clock.shift(60)
    assert not may(contact.Aim.SERVICE)


def test_start_without_a_stop_changes_nothing(cast: Cast, texter: Texter) -> None:
    texter.send("START")
    assert events(cast.dentist) == []
    assert replies(cast.dentist)[0].state == ReplyState.SETTLED


# --- Yes ---


def invited(
    cast: Cast, vendor: twilio_side.Interface, *purposes: str, connection: Connection | None = None
) -> NoticeVersion:
    """Ask the caller by text, and send it; for sharing, somebody who has agreed to be contacted."""
    if "share" in purposes:
        gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9))
    version = twilio_side.notice(
        cast.dentist, channel=Channel.SMS, purposes=purposes or ("record", "review"),
        words="Acme Dental would like to record your calls.",
    )  # fmt: skip
    if connection is not None:
        name_account(cast, connection)
    ask(cast, version)
    tasks.send_texts(agency_id=cast.acme.pk)
    return version


def name_account(cast: Cast, connection: Connection) -> None:
    with job_scope(agency_id=cast.acme.pk):
        menus.describe_account(
            connection=connection, account=ACCOUNT, twilio_answers=True, by=make.JOB, at=AT
        )


def ask(cast: Cast, version: NoticeVersion, caller_id: uuid.UUID | None = None) -> Invitation:
    caller_id = caller_id or caller_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        fresh = NoticeVersion.objects.select_related("notice").get(pk=version.pk)
        return text_sending.invite(
            client=cast.dentist, caller_id=caller_id, version=fresh, by=make.JOB, at=make.now()
        )


def invitation(cast: Cast) -> Invitation:
    with job_scope(agency_id=cast.acme.pk):
        return Invitation.objects.for_client(cast.dentist).order_by("-created_at", "-confirms").first()  # type: ignore[return-value]  # there is one, or the test fails here


@pytest.mark.parametrize("body", some(["YES", "yes!", "Sí", "ok"], one_in=4))
def test_a_yes_to_our_question_gives_what_its_words_asked(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, body: str
) -> None:
    version = invited(cast, vendor, connection=texter.connection)
    (sent,) = vendor.texts()
    assert (sent["To"], sent["From"]) == (CALLER, TRACKING)
    assert "Reply YES to agree." in sent["Body"]
    assert "STOP" in sent["Body"]
    texter.send(body)
    assert states(cast) == {Purpose.RECORD: State.GIVEN, Purpose.REVIEW: State.GIVEN}
    given = events(cast.dentist, kind=EventKind.GIVEN)[0]
    assert (given.version_id, given.strength, given.scope) == (version.pk, "A", Scope.STANDING)
    assert evidence(cast.dentist, given)["words_sent"] == sent["Body"]
    assert invitation(cast).state == InvitationState.ANSWERED


@pytest.mark.parametrize("days", [None, 14])
def test_a_yes_to_nothing_or_too_late_waits_for_a_person(
    cast: Cast,
    texter: Texter,
    vendor: twilio_side.Interface,
    clock: time_machine.Traveller,
    days: int | None,
) -> None:
    if days is not None:
        invited(cast, vendor, connection=texter.connection)
        clock.shift(timedelta(days=days))
    texter.send("YES")
    assert events(cast.dentist) == []
    (reply,) = replies(cast.dentist)
    assert (reply.state, reply.label) == (ReplyState.WAITING, "consent")


def test_a_yes_just_in_time_counts(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    invited(cast, vendor, connection=texter.connection)
    clock.shift(timedelta(days=14) - timedelta(seconds=1))
    texter.send("YES")
    assert states(cast)[Purpose.RECORD] == State.GIVEN


def test_an_invitation_that_was_not_sent_cannot_be_answered(cast: Cast, texter: Texter) -> None:
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS)
    ask(cast, version)
    texter.send("YES")
    assert events(cast.dentist) == []


def test_a_second_yes_is_no_answer_any_more(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    invited(cast, vendor, connection=texter.connection)
    texter.send("YES")
    texter.send("YES")
    assert [reply.state for reply in replies(cast.dentist)].count(ReplyState.WAITING) == 1


def test_a_plain_no_to_our_question_refuses_what_it_asked(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    invited(cast, vendor, connection=texter.connection)
    texter.send("No thanks")
    assert states(cast) == {Purpose.RECORD: State.REFUSED, Purpose.REVIEW: State.REFUSED}
    assert invitation(cast).state == InvitationState.ANSWERED


@pytest.mark.parametrize(
    "said", ["Please don't record my calls", "on the page", "we have got to STOP this bill"]
)
def test_thanks_after_a_no_is_no_yes_to_what_was_asked_before_it(
    cast: Cast,
    texter: Texter,
    vendor: twilio_side.Interface,
    clock: time_machine.Traveller,
    said: str,
) -> None:
    invited(cast, vendor, connection=texter.connection)
    clock.shift(60)
    if said == "on the page":
        gave(cast, Purpose.RECORD, Purpose.REVIEW, at=make.now(), kind=EventKind.WITHDRAWN)
    else:
        texter.send(said)
    before = states(cast)
    clock.shift(60)
    texter.send("Ok, thank you")
    assert states(cast) == before
    assert [reply.state for reply in replies(cast.dentist) if reply.label == "consent"] == [
        ReplyState.WAITING
    ]


def test_no_to_the_second_question_refuses_sharing_alone(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    invited(cast, vendor, "record", "share", connection=texter.connection)
    texter.send("do not sell my data")
    clock.shift(60)
    texter.send("YES")
    tasks.send_texts(agency_id=cast.acme.pk)
    clock.shift(60)
    texter.send("no")
    agreed = {Purpose.CONTACT: State.GIVEN, Purpose.RECORD: State.GIVEN}
    assert states(cast) == agreed | {Purpose.SHARE: State.REFUSED}


def test_sharing_after_an_opt_out_takes_two_yeses(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    version = invited(cast, vendor, "record", "share", connection=texter.connection)
    texter.send("do not sell my data")
    assert suppressed(cast.dentist) == {Purpose.SHARE}
    clock.shift(60)
    texter.send("YES")
    agreed = {Purpose.CONTACT: State.GIVEN, Purpose.RECORD: State.GIVEN}
    assert states(cast) == agreed | {Purpose.SHARE: State.WITHDRAWN}
    tasks.send_texts(agency_id=cast.acme.pk)
    assert "once more" in vendor.texts()[-1]["Body"]
    clock.shift(60)
    texter.send("yes")
    assert states(cast)[Purpose.SHARE] == State.GIVEN
    second = events(cast.dentist, kind=EventKind.RENEWED, purpose=Purpose.SHARE)[0]
    assert second.version_id == version.pk
    assert evidence(cast.dentist, second)["second_yes_to"]
    assert suppressed(cast.dentist) == set()


def test_a_second_yes_before_we_asked_gives_no_sharing(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    invited(cast, vendor, "share", connection=texter.connection)
    texter.send("do not sell my data")
    clock.shift(60)
    texter.send("YES")
    texter.send("YES")
    assert states(cast)[Purpose.SHARE] == State.WITHDRAWN


# --- Doubt ---


def test_what_may_be_a_withdrawal_waits_sealed_with_an_item_in_the_queue(cast: Cast, texter: Texter) -> None:
    body = "we have got to STOP this bill"
    texter.send(body)
    assert events(cast.dentist) == []
    (reply,) = replies(cast.dentist)
    assert reply.state == ReplyState.WAITING
    assert b"bill" not in bytes(reply.text.blob)
    assert "bill" not in reply.why
    tasks.send_texts(agency_id=cast.acme.pk)
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.get(kind=kinds.REPLIES)
        assert (item.count, item.client_id, item.due_at) == (1, cast.dentist.pk, AT + timedelta(days=1))
    decide_as(cast, reply, withdrawn=set())
    tasks.send_texts(agency_id=cast.acme.pk)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.REPLIES).exists()


def decide_as(cast: Cast, reply: Reply, *, withdrawn: set[Purpose], refused: bool = False) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Reply.objects.select_related("client", "invitation__version__notice").get(pk=reply.pk)
        by = Actor.staff(user_id=cast.alice.user_id)
        texts.decide_reply(reply=row, withdrawn=withdrawn, refused=refused, by=by, at=make.now())


def test_what_a_person_decides_counts_from_when_it_was_said(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("we have got to STOP this bill")
    (reply,) = replies(cast.dentist)
    clock.shift(timedelta(hours=3))
    decide_as(cast, reply, withdrawn={Purpose.CONTACT})
    (event,) = events(cast.dentist)
    assert (event.purpose, event.kind, event.happened_at) == (Purpose.CONTACT, EventKind.WITHDRAWN, AT)
    assert event.user_id == cast.alice.user_id
    assert evidence(cast.dentist, event)["text"] == "we have got to STOP this bill"
    with pytest.raises(texts.DecidedError):
        decide_as(cast, reply, withdrawn={Purpose.RECORD})
    assert len(events(cast.dentist)) == 1


def test_a_refused_invitation_is_a_refusal_of_what_it_asked(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    invited(cast, vendor, "record", "share", connection=texter.connection)
    texter.send("we have got to STOP this bill")
    decide_as(cast, replies(cast.dentist)[0], withdrawn=set(), refused=True)
    refused = {Purpose.RECORD: State.REFUSED, Purpose.SHARE: State.REFUSED}
    assert states(cast) == {Purpose.CONTACT: State.GIVEN} | refused


def test_reading_a_message_is_written_down(cast: Cast, texter: Texter) -> None:
    texter.send("we have got to STOP this bill")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Reply.objects.select_related("client").get()
        by = Actor.staff(user_id=cast.alice.user_id)
        assert texts.read_reply(reply=row, by=by, at=AT) == "we have got to STOP this bill"
        assert Event.objects.filter(action="reply.read").count() == 1


def sweep() -> None:
    for job in (tasks.send_texts, tasks.settle_texts, tasks.purge_texts, tasks.renew_texts):
        job()


def test_what_nobody_decides_in_ten_days_counts_as_a_withdrawal(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("we have got to STOP this bill")
    Texter(texter.connection, "+14155550102").post(texter.said("YES", From="+14155550102"))
    clock.shift(timedelta(days=10) - timedelta(seconds=1))
    sweep()
    assert events(cast.dentist) == []
    clock.shift(1)
    sweep()
    assert suppressed(cast.dentist) == EVERYTHING
    assert suppressed(cast.dentist, "+14155550102") == set()
    assert {reply.state for reply in replies(cast.dentist)} == {ReplyState.DECIDED}
    assert events(cast.dentist)[0].happened_at == AT


def test_what_waits_at_a_client_that_has_left_keeps_nobody_elses_ten_days(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("we have got to STOP this bill")
    with job_scope(agency_id=cast.acme.pk):
        plumber = Reply.objects.get()
        caller_id = people.add_callers(client=cast.plumber, numbers=[CALLER], at=AT)[CALLER]
        plumber.pk, plumber.client, plumber.caller_id = uuid.uuid4(), cast.plumber, caller_id
        plumber.received_at = AT - timedelta(hours=1)
        plumber.text = texts.sealed(plumber, "STOP this", at=AT)
        plumber.save(force_insert=True)
        Client.objects.filter(pk=cast.plumber.pk).update(archived_at=AT)
    clock.shift(timedelta(days=10))
    sweep()
    assert suppressed(cast.dentist) == EVERYTHING
    assert events(cast.plumber) == []
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.REPLIES).exists()
    clock.shift(timedelta(days=20))
    sweep()
    assert replies(cast.plumber) == []


def test_one_that_fails_keeps_neither_anothers_ten_days_nor_the_steps_after_it(
    cast: Cast, texter: Texter, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    texter.send("STOP")
    clock.shift(timedelta(days=20))
    texter.send("we have got to STOP this bill")
    broken = caller_of(cast)
    clock.shift(1)
    other = "+14155550102"
    for body in ("we have got to STOP this bill", "stop the bill please, or not"):
        Texter(texter.connection, other).post(texter.said(body, From=other))
    withdraw = texts.withdraw

    def fails_once(**said: Any) -> Any:
        if said["caller_id"] == broken:
            raise ValueError(CALLER)
        return withdraw(**said)

    monkeypatch.setattr(texts, "withdraw", fails_once)
    monkeypatch.setattr(texts, "_BATCH", 1)
    clock.shift(timedelta(days=10))
    figures.begin_task()
    with structlog.testing.capture_logs() as logs:
        sweep()
    assert figures.has_fault()
    assert [line["error"] for line in logs if line["event"] == "replies.failed"] == ["ValueError"]
    assert CALLER not in str(logs)
    assert suppressed(cast.dentist, other) == EVERYTHING
    # The STOP of a month ago has left, and one item counts what waits on.
    assert len(replies(cast.dentist)) == 3
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.REPLIES).count == 2


@pytest.mark.thorough
def test_each_step_of_the_sweep_is_done_whatever_becomes_of_the_others(
    cast: Cast, texter: Texter, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    texter.send("STOP")
    clock.shift(timedelta(days=30))
    monkeypatch.setattr(texts, "settle_undecided", mock.Mock(side_effect=ValueError))
    figures.begin_task()
    sweep()
    assert figures.has_fault()
    assert replies(cast.dentist) == []


def test_messages_leave_after_a_month_and_the_ledger_stays(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("STOP")
    texter.send("we have got to STOP this bill")
    clock.shift(timedelta(days=30))
    sweep()
    assert replies(cast.dentist) == []
    assert events(cast.dentist) != []


def test_who_waits_is_not_swept_away_and_may_be_once_the_message_is_gone(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("we have got to STOP this bill")
    caller_id = caller_of(cast)

    def is_kept() -> bool:
        with job_scope(agency_id=cast.acme.pk):
            return Caller.objects.get(pk=caller_id).has_evidence

    assert is_kept()
    decide_as(cast, replies(cast.dentist)[0], withdrawn=set())
    assert is_kept()
    clock.shift(timedelta(days=30))
    sweep()
    assert not is_kept()


def test_a_message_of_somebody_who_was_erased_can_still_be_settled(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    texter.send("we have got to STOP this bill")
    caller_id = caller_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk=caller_id).remove()
    vault_services.erase_callers(
        client_id=cast.dentist.pk, erasures=[vault_services.Erasure(caller_id)], at=AT
    )
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Reply.objects.select_related("client").get()
        assert texts.read_reply(reply=row, by=BY, at=AT) is None
    clock.shift(timedelta(days=10))
    sweep()
    assert events(cast.dentist) == []
    assert {reply.state for reply in replies(cast.dentist)} == {ReplyState.DECIDED}


@pytest.mark.parametrize("body", some(["See you at 5", "", "👍"], one_in=3))
def test_what_speaks_of_nothing_leaves_no_text(cast: Cast, texter: Texter, body: str) -> None:
    texter.send(body)
    (reply,) = replies(cast.dentist)
    assert (reply.state, reply.text, reply.confirm_words) == (ReplyState.SETTLED, None, "")


# --- Our one answer ---


@pytest.mark.parametrize("body", some(["STOP", "stop", " Unsubscribe ", "REVOKE"], one_in=4))
def test_what_twilio_answers_we_do_not(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, body: str
) -> None:
    texter.send(body)
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []


def test_what_twilio_does_not_know_we_confirm_once(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    said = texter.said("please stop texting me")
    texter.post(said)
    clock.shift(30)
    tasks.send_texts(agency_id=cast.acme.pk)
    tasks.send_texts(agency_id=cast.acme.pk)
    texter.post(said)
    tasks.send_texts(agency_id=cast.acme.pk)
    (sent,) = vendor.texts()
    assert (sent["To"], sent["From"]) == (CALLER, TRACKING)
    assert sent["Body"].startswith("Dentist LLC: we will not call or text you anymore. You only get codes")
    assert "StatusCallback" not in sent
    assert replies(cast.dentist)[0].confirmed_at == AT + timedelta(seconds=30)


def test_after_five_minutes_nothing_is_confirmed(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    texter.send("please stop texting me")
    clock.shift(timedelta(minutes=5))
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []
    assert replies(cast.dentist)[0].confirm_due_at is None


def test_an_answer_that_twilio_cannot_take_now_is_tried_again_in_time(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    texter.send("please stop texting me")
    vendor.answers = [(503, {})]
    tasks.send_texts(agency_id=cast.acme.pk)
    assert replies(cast.dentist)[0].confirm_due_at == AT + timedelta(seconds=20)
    clock.shift(21)
    tasks.send_texts(agency_id=cast.acme.pk)
    assert replies(cast.dentist)[0].confirmed_at is not None


def test_21610_on_our_own_answer_is_no_news(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    texter.send("please stop recording me")
    before = len(events(cast.dentist))
    vendor.answers = [(400, {"code": 21610})]
    tasks.send_texts(agency_id=cast.acme.pk)
    assert len(events(cast.dentist)) == before
    assert replies(cast.dentist)[0].confirmed_at is None


def test_with_redaction_on_we_confirm_what_twilio_does_not_filter(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        menus.describe_account(
            connection=texter.connection, account=ACCOUNT, twilio_answers=False, by=make.JOB, at=AT
        )
    texter.send("STOP")
    tasks.send_texts(agency_id=cast.acme.pk)
    assert len(vendor.texts()) == 1


def test_with_advanced_opt_out_twilio_has_answered(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    texter.send("please stop texting me", OptOutType="STOP")
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []


def test_help_in_spanish_is_answered_and_help_is_twilios(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    texter.send("HELP")
    texter.send("ayuda")
    tasks.send_texts(agency_id=cast.acme.pk)
    (sent,) = vendor.texts()
    assert "Responda STOP" in sent["Body"]


@pytest.mark.parametrize("language", list(Language))
def test_our_answers_say_what_was_withdrawn_and_fit(cast: Cast, language: Language) -> None:
    def say(*purposes: Purpose) -> str:
        return words.confirming(cast.dentist, "withdraw", purposes, language=language, restores=False)

    assert len(say(*EVERYTHING)) <= words.ANSWER_AT_MOST
    assert len({say(Purpose.CONTACT), say(Purpose.RECORD), say(Purpose.SHARE), say(*EVERYTHING)}) == 4
    assert say() == ""


# --- Asking ---


def test_an_invitation_waits_for_the_morning(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    clock.move_to(datetime(2026, 11, 25, 6, 0, tzinfo=UTC))  # ten in the evening in San Francisco
    invited(cast, vendor, connection=texter.connection)
    assert vendor.texts() == []
    assert invitation(cast).due_at == datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
    clock.move_to(datetime(2026, 11, 25, 16, 0, tzinfo=UTC))
    tasks.send_texts(agency_id=cast.acme.pk)
    assert len(vendor.texts()) == 1
    assert invitation(cast).state == InvitationState.SENT


def test_whoever_said_stop_is_not_asked(cast: Cast, texter: Texter, vendor: twilio_side.Interface) -> None:
    texter.send("STOP")
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS)
    with pytest.raises(text_sending.NotInvitedError, match="opted out of contact"):
        ask(cast, version)


def test_a_stop_between_asking_and_sending_holds_it_back(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    name_account(cast, texter.connection)
    ask(cast, twilio_side.notice(cast.dentist, channel=Channel.SMS))
    texter.send("STOP")
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []
    assert invitation(cast).state == InvitationState.ANSWERED


def test_nobody_is_texted_for_a_client_that_leaves(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    name_account(cast, texter.connection)
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS)
    ask(cast, version)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(shut_at=make.now())
    assert not text_sending.has_due(agency_id=cast.acme.pk, at=make.now())
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []


@pytest.mark.parametrize("gone", ["shut_at", "archived_at"])
def test_nobody_is_asked_for_a_client_that_leaves_or_has_left(cast: Cast, texter: Texter, gone: str) -> None:
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS)
    caller_id = caller_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(**{gone: make.now()})
    with pytest.raises(text_sending.NotInvitedError, match="This client is offboarded"):
        ask(cast, version, caller_id)


def test_nobody_is_asked_twice_in_two_weeks_or_about_sharing_in_a_year(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    version = invited(cast, vendor, connection=texter.connection)
    with pytest.raises(text_sending.NotInvitedError, match="two weeks"):
        ask(cast, version)
    clock.shift(timedelta(days=15))
    ask(cast, version)
    other = caller_of(cast, "+14155550102")
    Texter(texter.connection, "+14155550102").post(texter.said("do not sell my data", From="+14155550102"))
    sharing = twilio_side.notice(cast.dentist, channel=Channel.SMS, purposes=("share",), name="Sharing")
    with pytest.raises(text_sending.NotInvitedError, match="12 months"):
        ask(cast, sharing, other)


def test_a_word_of_an_imported_rule_opts_out_when_it_stands_alone(cast: Cast, texter: Texter) -> None:
    texter.send("Blue Tuesday!")
    assert events(cast.dentist) == []
    put_in_force(cast, withdrawal_words="stop|blue tuesday")
    texter.send("see you blue tuesday")
    assert events(cast.dentist) == []
    texter.send("Blue  Tuesday!")
    assert {event.purpose for event in events(cast.dentist)} == EVERYTHING


def test_asking_to_share_again_waits_as_long_as_the_rule_says(
    cast: Cast, texter: Texter, clock: time_machine.Traveller
) -> None:
    put_in_force(cast, sale_wait_months="2")
    other = caller_of(cast, "+14155550102")
    Texter(texter.connection, "+14155550102").post(texter.said("do not sell my data", From="+14155550102"))
    sharing = twilio_side.notice(cast.dentist, channel=Channel.SMS, purposes=("share",), name="Sharing")
    clock.shift(timedelta(days=55))
    with pytest.raises(text_sending.NotInvitedError, match="less than 2 months"):
        ask(cast, sharing, other)
    clock.shift(timedelta(days=10))
    with pytest.raises(text_sending.NotInvitedError, match="written consent"):
        ask(cast, sharing, other)
    gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9), caller_id=other)
    ask(cast, sharing, other)


@pytest.mark.parametrize("purpose", some(["contact", "share"], one_in=2))
def test_a_question_about_advertising_is_advertising(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, purpose: str
) -> None:
    name_account(cast, texter.connection)
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS, purposes=("record", purpose))
    with pytest.raises(text_sending.NotInvitedError, match=r"as advertising.*written consent"):
        ask(cast, version)
    gave(cast, Purpose.CONTACT, at=AT - timedelta(days=9))
    ask(cast, version)
    gave(cast, Purpose.CONTACT, kind=EventKind.EXPIRED, at=AT)
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []
    assert invitation(cast).state == InvitationState.PURGED


def test_a_confirmation_is_sent_within_the_minutes_of_the_rule(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    """What our answer's own minutes have run out for is never sent."""
    name_account(cast, texter.connection)
    put_in_force(cast, confirmation_minutes="2")
    texter.send("please don't record me any more")
    clock.shift(timedelta(minutes=3))
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []


def test_only_published_words_for_texts_are_sent(cast: Cast) -> None:
    for version in (
        twilio_side.notice(cast.dentist, channel=Channel.SMS, published=False),
        twilio_side.notice(cast.dentist, channel=Channel.WEB),
    ):
        with pytest.raises(text_sending.NotInvitedError, match="Publish"):
            ask(cast, version)


def test_21610_on_an_invitation_is_a_withdrawal_that_was_missed(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    vendor.answers = [(400, {"code": 21610})]
    invited(cast, vendor, connection=texter.connection)
    assert suppressed(cast.dentist) == EVERYTHING
    assert {event.channel for event in events(cast.dentist)} == {Channel.SMS}
    assert evidence(cast.dentist, events(cast.dentist)[0])["twilio_says"] == "error 21610"
    assert invitation(cast).state == InvitationState.BOUNCED


def test_21610_told_later_is_the_same(cast: Cast, texter: Texter, vendor: twilio_side.Interface) -> None:
    invited(cast, vendor, connection=texter.connection)
    told_at = vendor.texts()[0]["StatusCallback"]
    assert told_at.endswith(f"/twilio/{texter.connection.key}/sms/status/")
    path = f"/twilio/{texter.connection.key}/sms/status/"
    said = {"MessageSid": "SM" + "1" * 32, "AccountSid": ACCOUNT, "MessageStatus": "delivered"}
    assert twilio_side.post(path, said).status_code == 200
    assert invitation(cast).state == InvitationState.SENT
    said |= {"MessageStatus": "undelivered", "ErrorCode": "21610"}
    assert twilio_side.post(path, said).status_code == 200
    assert suppressed(cast.dentist) == EVERYTHING
    count = len(events(cast.dentist))
    assert twilio_side.post(path, said).status_code == 200
    assert len(events(cast.dentist)) == count


@pytest.mark.parametrize(
    ("answer", "state"),
    [((503, {}), InvitationState.QUEUED), ((400, {"code": 21211}), InvitationState.BOUNCED)],
)
def test_what_twilio_refuses_is_not_sent_again_and_what_it_cannot_do_now_is(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, answer: tuple[int, dict[str, Any]],
    state: InvitationState,
) -> None:  # fmt: skip
    vendor.answers = [answer]
    invited(cast, vendor, connection=texter.connection)
    assert invitation(cast).state == state
    assert events(cast.dentist) == []


def test_an_invitation_that_may_have_gone_is_not_sent_twice(
    cast: Cast, texter: Texter, monkeypatch: pytest.MonkeyPatch, vendor: twilio_side.Interface
) -> None:
    failure = twilio.UnclearError("ReadTimeoutError")
    with mock.patch.object(twilio, "send_text", side_effect=failure):
        invited(cast, vendor, connection=texter.connection)
    assert invitation(cast).state == InvitationState.SENT
    tasks.send_texts(agency_id=cast.acme.pk)
    assert vendor.texts() == []


def test_without_an_account_nothing_is_sent(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface
) -> None:
    invited(cast, vendor)
    assert vendor.texts() == []
    assert invitation(cast).state == InvitationState.QUEUED


def test_an_unanswered_invitation_ends_after_a_month(
    cast: Cast, texter: Texter, vendor: twilio_side.Interface, clock: time_machine.Traveller
) -> None:
    invited(cast, vendor, connection=texter.connection)
    clock.shift(timedelta(days=30))
    sweep()
    assert invitation(cast).state == InvitationState.PURGED


# --- The door ---


@pytest.mark.parametrize("door", ["sms/", "sms/status/"])
def test_a_forged_signature_is_refused_and_an_unknown_key_is_none(texter: Texter, door: str) -> None:
    said = texter.said("STOP")
    path = f"/twilio/{texter.connection.key}/{door}"
    assert twilio_side.post(path, said, signature="bm8=").status_code == 403
    assert twilio_side.post(f"/twilio/no-such-key/{door}", said).status_code == 404


def test_what_is_no_message_is_said_so(texter: Texter) -> None:
    assert texter.send("STOP", MessageSid="nonsense").status_code == 400


def test_a_forged_text_withdraws_nothing(cast: Cast, texter: Texter) -> None:
    path = f"/twilio/{texter.connection.key}/sms/"
    twilio_side.post(path, texter.said("STOP"), signature="bm8=")
    assert suppressed(cast.dentist) == set()


def test_an_account_that_is_learned_ends_asking_another_for_calls(
    cast: Cast, connection: Connection, texter: Texter
) -> None:
    asked: dict[str, Any] = {"company": "", "login": "", "only_known": False, "by": make.JOB, "at": AT}
    with job_scope(agency_id=cast.acme.pk):
        pulls.set_access(connection=connection, account=f"AC{'0' * 32}", secret="k" * 32, **asked)
    assert texter.send("hello").status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        row = Pull.objects.get(connection=connection)
        assert not row.is_on
        assert row.secret_set_at is None
        assert not PullRun.objects.filter(state=JobState.QUEUED).exists()
        assert Event.objects.filter(action="pull.closed").count() == 1
        pulls.set_access(connection=connection, account=ACCOUNT, secret="k" * 32, **asked)
    assert texter.send("hello again").status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get(connection=connection).is_on
