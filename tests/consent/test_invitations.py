"""Asking by e-mail: who is asked, what goes out, what an answer writes, and that the unanswered leave."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from smtplib import SMTPAuthenticationError, SMTPRecipientsRefused
from typing import Any

import pytest
import time_machine
from django.core import mail as outbox_of
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import Q
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.calls.models import Caller
from callprivacy.calls.services import people
from callprivacy.lib.mail import Fault
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent import law
from consent.enums import Channel, EventKind, InvitationState, Language, Purpose, ReplyState, State, Strength
from consent.models import (
    ConsentEvent,
    Invitation,
    InvitationBatch,
    Notice,
    NoticeVersion,
    Reply,
    RulePack,
    WebPage,
    Withdrawal,
)
from consent.selectors import invitations as selectors
from consent.services import invitations, ledger
from consent.services.ledger import Said
from consent.tasks import mail as tasks
from retention.selectors import due
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import ADDRESS, BY, NUMBER, WORDS, asked, version
from tests.consent.pages import states_of
from tests.make import NOON
from tests.scale import some, times

pytestmark = pytest.mark.as_committed


@pytest.fixture(autouse=True)
def _mailbox(settings: Any) -> None:
    settings.CALLPRIVACY_MAIL_REPLY = "reply@clinic.example"


def events(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.for_client(cast.dentist).order_by("recorded_at", "purpose"))


def fresh(row: Invitation) -> Invitation:
    with job_scope(agency_id=row.agency_id):
        return Invitation.objects.get(pk=row.pk)


def link(cast: Cast, row: Invitation) -> str:
    with job_scope(agency_id=cast.acme.pk):
        key = WebPage.objects.for_client(cast.dentist).get().key
    return reverse("consent:ask", args=(key, invitations.secret_of(cast.dentist.pk, row.pk)))


def queue(
    cast: Cast, *lines: str, words: NoticeVersion | None = None, purposes: Sequence[str] = ()
) -> InvitationBatch:
    words = words or version(cast)
    if purposes:
        with job_scope(agency_id=cast.acme.pk):
            Notice.objects.filter(pk=words.notice_id).update(purposes=list(purposes))
    with job_scope(agency_id=cast.acme.pk):
        words = type(words).objects.select_related("notice").get(pk=words.pk)
        read = invitations.read_list(lines, country="US")
        return invitations.create_batch(
            client=cast.dentist, name="October", version=words, read=read, by=BY, at=NOON
        )


def test_a_list_is_read_by_what_stands_in_it_and_refused_by_its_line() -> None:
    read = invitations.read_list(
        ["name,email,phone", "Anna,anna@x.example,(415) 555-0101", "Bob,bob@x.example,none", "+14155550103"],
        country="US",
    )
    assert read.people == {NUMBER: "anna@x.example"}
    assert [(refusal.line, refusal.why) for refusal in read.refused] == [
        (3, "no phone number"),
        (4, "no email address"),
    ]


def test_who_said_no_or_was_asked_is_left_out(cast: Cast) -> None:
    vault.suppress(client_id=cast.dentist.pk, numbers=["+14155550102"], purposes=["contact"], at=NOON)
    batch = queue(cast, f"{ADDRESS},{NUMBER}", "bob@x.example,+14155550102")
    assert (batch.size, batch.refused) == (1, 1)
    with pytest.raises(invitations.NothingToAskError), job_scope(agency_id=cast.acme.pk):
        invitations.create_batch(
            client=cast.dentist, name="Again", version=batch.version,
            read=invitations.read_list([f"{ADDRESS},{NUMBER}"], country="US"), by=BY, at=NOON,
        )  # fmt: skip


TORONTO, LONDON, PARIS, TOLL_FREE = "+14165550103", "+442079460018", "+33199000104", "+18005550104"
AGREED = "+14165550105"


def agree(cast: Cast, number: str, kind: EventKind = EventKind.GIVEN) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]
        said = Said(
            purpose=Purpose.CONTACT, kind=kind, channel=Channel.WEB, strength=Strength.A, caller_id=caller_id,
            happened_at=NOON - timedelta(days=1), source=f"form {kind}",
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[said], by=BY, at=NOON)


def test_who_would_have_to_agree_first_is_not_asked_to_agree_to_advertising(cast: Cast) -> None:
    people_there = [NUMBER, TORONTO, LONDON, PARIS, TOLL_FREE, AGREED]
    lines = [f"a{place}@x.example,{number}" for place, number in enumerate(people_there)]
    agree(cast, AGREED)
    batch = queue(cast, *lines, purposes=["record", "contact", "share"])
    assert (batch.size, batch.refused, batch.left_by_law) == (2, 4, 4)
    assert {number for number in people_there if vault_selectors.find_callers([cast.dentist.pk], number)} == {
        NUMBER, AGREED,
    }  # fmt: skip
    page = signed_in(cast.alice).get(f"/clients/dentist/invitations/{batch.pk}/").content.decode()
    assert "4 of them because the law treats this question as advertising" in page
    with pytest.raises(
        invitations.NothingToAskError, match="1 people are in places where the law treats an email"
    ):
        queue(cast, lines[1], words=batch.version)
    agree(cast, AGREED, EventKind.EXPIRED)
    letters = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=10)
    assert [letter.address for letter in letters] == ["a0@x.example"], "looked at again before it goes"


def test_a_list_is_asked_about_recording_wherever_people_are(cast: Cast) -> None:
    batch = queue(cast, f"a@x.example,{TORONTO}", f"b@x.example,{LONDON}")
    assert (batch.size, batch.left_by_law) == (2, 0)


def test_of_a_pack_from_before_the_question_the_shipped_rules_are_asked(cast: Cast) -> None:
    text = re.sub(r"(?m)^.*,asking_by_mail,.*\n", "", law.shipped_text())
    with job_scope(agency_id=cast.acme.pk):
        RulePack.objects.create(
            agency_id=cast.acme.pk, name="Old", text=text, digest=law.parse_pack(text).digest, is_active=True,
            imported_at=NOON, counted_at=NOON, activated_at=NOON,
        )  # fmt: skip
    batch = queue(cast, f"a@x.example,{TORONTO}", f"b@x.example,{NUMBER}", purposes=["contact"])
    assert (batch.size, batch.left_by_law) == (1, 1)


def test_who_was_erased_is_not_made_anew_to_be_asked(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=["+14155550102"], at=NOON)["+14155550102"]
        Caller.objects.filter(pk=caller_id).remove()
    gone = vault.Erasure(caller_id, up_to=NOON - timedelta(days=1), tombstone_ends_on=date(2036, 1, 1))
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    batch = queue(cast, f"{ADDRESS},{NUMBER}", "bob@x.example,+14155550102")
    assert (batch.size, batch.refused) == (1, 1)
    assert vault_selectors.find_callers([cast.dentist.pk], "+14155550102") == {}


def test_the_address_is_sealed_and_the_caller_stays(cast: Cast) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.for_client(cast.dentist).get()
        assert b"anna" not in bytes(row.address.blob)
        assert Caller.objects.get(pk=row.caller_id).has_evidence


def test_the_letter_holds_the_very_words_the_link_and_one_click(cast: Cast) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    tasks.send_invitations(agency_id=cast.acme.pk)
    (letter,) = outbox_of.outbox
    assert letter.to == [ADDRESS]
    assert WORDS in str(letter.body)
    assert "/ask/" in str(letter.body)
    assert NUMBER not in letter.message().as_string()
    assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter.from_email == letter.extra_headers["Reply-To"]
    tasks.send_invitations(agency_id=cast.acme.pk)
    assert len(outbox_of.outbox) == 1


def test_without_a_mailbox_a_letter_does_not_say_that_it_can_be_answered(cast: Cast, settings: Any) -> None:
    settings.CALLPRIVACY_MAIL_REPLY = ""
    queue(cast, f"{ADDRESS},{NUMBER}")
    tasks.send_invitations(agency_id=cast.acme.pk)
    (letter,) = outbox_of.outbox
    assert "answer this message" not in str(letter.body)
    assert "Reply-To" not in letter.extra_headers
    assert letter.from_email in str(settings.DEFAULT_FROM_EMAIL)
    assert "X-SMTPAPI" not in letter.extra_headers


def test_one_reminder_with_the_same_link_and_no_more(cast: Cast) -> None:
    row = asked(cast)
    at = NOON + timedelta(days=7)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=at - timedelta(minutes=1), limit=9) == []
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=at, limit=9)
    assert letter.is_reminder
    assert invitations.secret_of(cast.dentist.pk, row.pk) in letter.text
    invitations.letter_sent(agency_id=cast.acme.pk, letter=letter, at=at)
    assert fresh(row).state == InvitationState.REMINDED
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=at + timedelta(days=20), limit=9) == []


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[datetime]:
    """A server that refuses everything; returns when it was asked."""
    asked_at: list[datetime] = []

    def refuse(*_: Any) -> int:
        asked_at.append(make.now())
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    return asked_at


def only(cast: Cast) -> Invitation:
    with job_scope(agency_id=cast.acme.pk):
        return Invitation.objects.for_client(cast.dentist).get()


def test_a_recipient_whom_the_server_refuses_for_good_is_given_up_at_last(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    tried = refusing(monkeypatch, SMTPRecipientsRefused({ADDRESS: (550, b"5.1.1 no such user")}))
    for minutes in range(0, 200, 11):
        with time_machine.travel(NOON + timedelta(minutes=minutes), tick=False):
            tasks.send_invitations(agency_id=cast.acme.pk)
    assert len(tried) == 5
    row = only(cast)
    assert (row.state, row.address) == (InvitationState.BOUNCED, None)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        SMTPRecipientsRefused({ADDRESS: (450, b"4.2.0 later")}),
        SMTPAuthenticationError(535, b"5.7.8 no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_server_that_is_away_for_a_day_costs_no_invitation_and_the_outbox_grows_old(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    with monkeypatch.context() as patch:
        tried = refusing(patch, error)
        for minutes in range(0, 24 * 60, times(60, 11)):
            at = NOON + timedelta(minutes=minutes)
            with time_machine.travel(at, tick=False):
                tasks.send_invitations(agency_id=cast.acme.pk)
            with job_scope(agency_id=cast.acme.pk):
                assert due.outbox(cast.acme.pk, at) == (minutes * 60, 1)
    assert len(tried) >= 24
    row = only(cast)
    assert (row.state, row.attempts, row.address is None) == (InvitationState.QUEUED, 0, False)
    later = NOON + timedelta(days=1, minutes=11)
    with time_machine.travel(later, tick=False):
        tasks.send_invitations(agency_id=cast.acme.pk)
    assert only(cast).state == InvitationState.SENT
    with job_scope(agency_id=cast.acme.pk):
        assert due.outbox(cast.acme.pk, later) == (None, 0)

    # Its reminder is due a week after it went, not a week and the hours of tries.
    reminded = later + selectors.REMIND_AFTER
    refusing(monkeypatch, error)
    for minutes in range(0, 60, 11):
        with time_machine.travel(reminded + timedelta(minutes=minutes), tick=False):
            tasks.send_invitations(agency_id=cast.acme.pk)
    with job_scope(agency_id=cast.acme.pk):
        assert due.outbox(cast.acme.pk, reminded + timedelta(hours=1)) == (3600, 1)


def test_a_paused_batch_sends_nothing(cast: Cast) -> None:
    batch = queue(cast, f"{ADDRESS},{NUMBER}")
    with job_scope(agency_id=cast.acme.pk):
        assert invitations.pause(batch=batch, is_paused=True, by=BY, at=NOON)
        assert not invitations.pause(batch=batch, is_paused=True, by=BY, at=NOON)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=9) == []
    with job_scope(agency_id=cast.acme.pk):
        assert due.outbox(cast.acme.pk, NOON + timedelta(days=2)) == (None, 0), "nobody is late"
        assert due.oldest(cast.acme.pk, NOON + timedelta(days=2)) == {}
        assert invitations.pause(batch=batch, is_paused=False, by=BY, at=NOON)
        assert due.outbox(cast.acme.pk, NOON + timedelta(hours=1)) == (3600, 1)
        Reply.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            invitation=only(cast),
            channel=Channel.EMAIL,
            message_digest=bytes(32),
            label="unclear",
            why="It may be a no.",
            state=ReplyState.WAITING,
            received_at=NOON,
            purge_at=NOON,
        )
        assert due.outbox(cast.acme.pk, NOON + timedelta(hours=1)) == (None, 0), "it waits for a person"


def test_which_letter_waits_is_one_rule(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=9)
    later = NOON + timedelta(hours=1)
    due._columns.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(selectors, "taken_up", lambda: Q(attempts__gt=9))
        assert invitations.claim_letters(agency_id=cast.acme.pk, at=later, limit=9) == []
        assert not invitations.may_still_go(agency_id=cast.acme.pk, letter=letter, at=later)
        with job_scope(agency_id=cast.acme.pk):
            assert due.outbox(cast.acme.pk, later) == (None, 0)
    due._columns.cache_clear()
    assert invitations.may_still_go(agency_id=cast.acme.pk, letter=letter, at=later)
    with job_scope(agency_id=cast.acme.pk):
        assert due.outbox(cast.acme.pk, later) == (3600, 1)


# --- Behind the link ---


def test_yes_to_one_purpose_is_no_to_the_other(cast: Cast) -> None:
    row = asked(cast)
    browser, where = Browser(), link(cast, row)
    page = browser.get(where)
    assert WORDS in page.text
    assert " checked" not in page.text
    assert NUMBER not in page.text
    form = page.context["form"]
    answer = browser.post(where, {"form": form, "deed": "yes", "purposes": ["record"]})
    assert "Your consent is saved" in answer.text
    assert {(event.purpose, event.kind, event.channel, event.strength) for event in events(cast)} == {
        (Purpose.RECORD, EventKind.GIVEN, Channel.EMAIL, Strength.B),
        (Purpose.REVIEW, EventKind.REFUSED, Channel.EMAIL, Strength.B),
    }
    assert (fresh(row).state, fresh(row).address) == (InvitationState.ANSWERED, None)
    assert not browser.cookies


def test_nothing_ticked_is_no_yes(cast: Cast) -> None:
    row = asked(cast)
    browser, where = Browser(), link(cast, row)
    form = browser.get(where).context["form"]
    assert browser.post(where, {"form": form, "deed": "yes"}).status_code == 422
    assert browser.post(where, {"form": "forged", "deed": "yes", "purposes": ["record"]}).status_code == 403
    assert events(cast) == []


def test_no_is_no_to_everything_and_a_later_yes_counts(cast: Cast) -> None:
    row = asked(cast)
    browser, where = Browser(), link(cast, row)
    form = browser.get(where).context["form"]
    assert "Your refusal is saved" in browser.post(where, {"form": form, "deed": "no"}).text
    assert {event.kind for event in events(cast)} == {EventKind.REFUSED}
    page = browser.get(where)
    assert "answered before" in page.text
    browser.post(where, {"form": page.context["form"], "deed": "yes", "purposes": ["record", "review"]})
    assert [event.kind for event in events(cast)][-2:] == [EventKind.GIVEN, EventKind.GIVEN]


def test_one_click_ends_the_letters(cast: Cast) -> None:
    row = asked(cast)
    answer = Browser().post(link(cast, row), {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert [(event.purpose, event.kind) for event in events(cast)] == [(Purpose.CONTACT, EventKind.WITHDRAWN)]
    on = NOON.date()
    assert "contact" in vault_selectors.suppressed(cast.dentist.pk, [NUMBER], on=on)[NUMBER]


def test_an_unsubscription_after_a_newer_yes_counts_and_told_again_it_is_one(cast: Cast) -> None:
    row = asked(cast)
    browser, where = Browser(), link(cast, row)
    with job_scope(agency_id=cast.acme.pk):
        Notice.objects.filter(channel=Channel.EMAIL).update(purposes=["record", "contact"])
    for day in (1, 3):
        with time_machine.travel(NOON + timedelta(days=day), tick=False):
            form = browser.get(where).context["form"]
            browser.post(where, {"form": form, "deed": "yes", "purposes": ["record", "contact"]})
        for hours in (1, 2):
            with time_machine.travel(NOON + timedelta(days=day, hours=hours), tick=False):
                assert browser.post(where, {"List-Unsubscribe": "One-Click"}).status_code == 200
                assert states_of(cast.dentist, row.caller_id)[Purpose.CONTACT] == State.WITHDRAWN
    said = [event.kind for event in events(cast) if event.purpose == Purpose.CONTACT]
    assert said == [EventKind.GIVEN, EventKind.WITHDRAWN] * 2


@pytest.mark.parametrize("secret", some(["0" * 24, "x", "../../"], one_in=3))
def test_a_link_that_is_none_is_nobodys(cast: Cast, secret: str) -> None:
    where = link(cast, asked(cast)).rsplit("/", 2)[0]
    assert Browser().get(f"{where}/{secret}/").status_code == 404


@pytest.mark.thorough
def test_the_words_of_the_page_are_in_the_letters_language(cast: Cast) -> None:
    words = version(cast, Language.SPANISH)
    with job_scope(agency_id=cast.acme.pk):
        words = type(words).objects.select_related("notice").get(pk=words.pk)
        read = invitations.read_list([f"{ADDRESS},{NUMBER}"], country="US")
        invitations.create_batch(client=cast.dentist, name="Uno", version=words, read=read, by=BY, at=NOON)
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=9)
    assert "¿podemos grabar" in letter.subject
    invitations.letter_sent(agency_id=cast.acme.pk, letter=letter, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.for_client(cast.dentist).get()
    assert "No, gracias" in Browser().get(link(cast, row)).text


# --- The end ---


def test_an_address_leaves_after_a_month_and_the_link_says_no_for_two_after_the_last_letter(
    cast: Cast,
) -> None:
    row = asked(cast)
    (reminder,) = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON + timedelta(days=10), limit=9)
    invitations.letter_sent(agency_id=cast.acme.pk, letter=reminder, at=NOON + timedelta(days=10))
    month, end = NOON + timedelta(days=30), NOON + timedelta(days=70)
    for at in (month - timedelta(minutes=1), month, end - timedelta(minutes=1)):
        assert invitations.purge(agency_id=cast.acme.pk, at=at) == 0
        assert (fresh(row).address is None) is (at >= month)
    with time_machine.travel(month, tick=False):
        browser, where = Browser(), link(cast, row)
        page = browser.get(where)
        assert 'value="yes"' not in page.text
        said = {"form": page.context["form"], "purposes": ["record"]}
        assert browser.post(where, said | {"deed": "yes"}).status_code == 404
        assert events(cast) == []
        assert browser.post(where, {"List-Unsubscribe": "One-Click"}).status_code == 200
        assert browser.post(where, said | {"deed": "no"}).status_code == 200
    assert {(event.purpose, event.kind) for event in events(cast)} == {
        (Purpose.CONTACT, EventKind.WITHDRAWN),
        (Purpose.RECORD, EventKind.REFUSED),
        (Purpose.REVIEW, EventKind.REFUSED),
    }
    assert invitations.purge(agency_id=cast.acme.pk, at=end) == 1


def test_the_unanswered_leave_and_whom_nothing_knows_is_let_go(cast: Cast) -> None:
    row = asked(cast)
    invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=30))
    assert invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=60)) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Invitation.objects.exists()
        assert not Caller.objects.get(pk=row.caller_id).has_evidence


def test_who_answered_stays_known_after_the_invitation_has_left(cast: Cast) -> None:
    row = asked(cast)
    browser, where = Browser(), link(cast, row)
    browser.post(where, {"form": browser.get(where).context["form"], "deed": "no"})
    assert invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=61)) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.get(pk=row.caller_id).has_evidence
    assert len(events(cast)) == 2


def say(cast: Cast, row: Invitation, deed: str, *, at: datetime) -> Any:
    with time_machine.travel(at, tick=False):
        browser, where = Browser(), link(cast, row)
        form = browser.get(where).context["form"]
        return browser.post(where, {"form": form, "deed": deed, "purposes": ["record", "review"]})


def test_the_same_link_takes_it_back_as_long_as_the_consent_stands(cast: Cast) -> None:
    row = asked(cast)
    say(cast, row, "yes", at=NOON)
    for days in (30, 60, 90):
        assert invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=days)) == 0
    later = NOON + timedelta(days=90)
    with time_machine.travel(later, tick=False):
        page = Browser().get(link(cast, row)).text
    assert "Withdraw consent" in page
    assert "Your refusal is saved" in say(cast, row, "no", at=later).text
    assert [(event.purpose, event.kind) for event in events(cast)][-2:] == [
        (Purpose.RECORD, EventKind.WITHDRAWN),
        (Purpose.REVIEW, EventKind.WITHDRAWN),
    ]
    with job_scope(agency_id=cast.acme.pk):
        (withdrawal,) = Withdrawal.objects.for_client(cast.dentist)
    assert set(withdrawal.purposes) == {Purpose.RECORD, Purpose.REVIEW}
    # The consent has ended, and with it the link, a month later.
    assert invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=120)) == 1


def end_links(cast: Cast, at: datetime) -> None:
    make.grant(cast.alice, cast.dentist)
    with time_machine.travel(at, tick=False):
        browser = signed_in(cast.alice)
        assert (
            "Opt-outs by links in emails that request consent"
            in browser.get("/clients/dentist/consent/web/links/").text
        )
        assert browser.post("/clients/dentist/consent/web/links/").status_code == 302


@pytest.mark.parametrize("said_before", [False, True])
def test_a_letter_from_before_links_were_ended_takes_a_no_and_no_yes(
    cast: Cast, *, said_before: bool
) -> None:
    row = asked(cast)
    if said_before:
        say(cast, row, "yes", at=NOON)
    later, before = NOON + timedelta(days=1), len(events(cast))
    end_links(cast, later)
    with time_machine.travel(later, tick=False):
        assert 'value="yes"' not in Browser().get(link(cast, row)).text
    assert say(cast, row, "yes", at=later).status_code == 404
    assert len(events(cast)) == before
    assert "Your refusal is saved" in say(cast, row, "no", at=later).text
    assert {event.kind for event in events(cast)[before:]} == {
        EventKind.WITHDRAWN if said_before else EventKind.REFUSED
    }


def test_a_letter_in_the_servers_hands_when_links_were_ended_takes_no_yes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    with time_machine.travel(NOON, tick=False) as clock:

        def slow(_: invitations.Letter) -> None:
            clock.shift(timedelta(seconds=1))
            end_links(cast, NOON + timedelta(seconds=1))
            clock.shift(timedelta(seconds=1))

        monkeypatch.setattr(tasks, "_send", slow)
        tasks.send_invitations(agency_id=cast.acme.pk)
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get()
    assert row.state == InvitationState.SENT
    assert say(cast, row, "yes", at=NOON + timedelta(minutes=1)).status_code == 404
    assert events(cast) == []


def dies_with_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Invitation:
    """A letter that the server has taken when its worker is killed, at noon."""

    def killed(_: invitations.Letter) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, time_machine.travel(NOON, tick=False):
        patch.setattr(tasks, "_send", killed)
        with pytest.raises(KeyboardInterrupt):
            tasks.send_invitations(agency_id=cast.acme.pk)
    return only(cast)


def test_a_letter_whose_worker_died_with_it_is_one_from_before_links_were_ended(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    row = dies_with_it(cast, monkeypatch)
    assert (row.state, row.sent_at) == (InvitationState.QUEUED, NOON)
    end_links(cast, NOON + timedelta(minutes=1))

    later = NOON + timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        tasks.send_invitations(agency_id=cast.acme.pk)

    assert outbox_of.outbox == []
    assert (fresh(row).state, fresh(row).sent_at, fresh(row).due_at) == (InvitationState.SENT, NOON, None)
    assert say(cast, row, "yes", at=later).status_code == 404
    assert "Your refusal is saved" in say(cast, row, "no", at=later).text
    assert {event.kind for event in events(cast)} == {EventKind.REFUSED}


def test_links_that_are_ended_while_a_letter_waits_its_turn_end_the_one_before_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    dies_with_it(cast, monkeypatch)
    later = NOON + timedelta(hours=1)
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=later, limit=9)
    end_links(cast, later)
    after = later + timedelta(seconds=1)
    assert not invitations.may_still_go(agency_id=cast.acme.pk, letter=letter, at=after)


def test_a_letter_that_no_server_took_goes_out_after_links_were_ended(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    with monkeypatch.context() as patch, time_machine.travel(NOON, tick=False):
        patch.setattr(tasks, "_send", lambda _: Fault("TimeoutError", is_recipients=False))
        tasks.send_invitations(agency_id=cast.acme.pk)
    row = only(cast)
    assert (row.state, row.sent_at, row.attempts) == (InvitationState.QUEUED, None, 0)
    end_links(cast, NOON + timedelta(minutes=1))
    later = NOON + timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        tasks.send_invitations(agency_id=cast.acme.pk)
    assert len(outbox_of.outbox) == 1
    assert say(cast, row, "yes", at=later).status_code == 200


def test_a_letter_whose_answer_was_lost_is_one_from_before_links_were_ended(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    with monkeypatch.context() as patch, time_machine.travel(NOON, tick=False):
        patch.setattr(tasks, "_send", lambda _: Fault("SMTPServerDisconnected", is_recipients=False))
        tasks.send_invitations(agency_id=cast.acme.pk)
    assert only(cast).sent_at == NOON


def test_a_try_that_failed_forgets_none_before_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(cast, f"{ADDRESS},{NUMBER}")
    dies_with_it(cast, monkeypatch)
    with monkeypatch.context() as patch, time_machine.travel(NOON + timedelta(hours=1), tick=False):
        patch.setattr(tasks, "_send", lambda _: Fault("TimeoutError", is_recipients=False))
        tasks.send_invitations(agency_id=cast.acme.pk)
    assert only(cast).sent_at == NOON


def test_nobody_is_reminded_by_a_link_that_was_ended_and_later_letters_take_a_yes(cast: Cast) -> None:
    row = asked(cast)
    end_links(cast, NOON + timedelta(days=1))
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=NOON + timedelta(days=8), limit=9) == []
    assert (fresh(row).state, fresh(row).due_at) == (InvitationState.SENT, None)

    later = NOON + timedelta(days=2)
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.filter(pk=row.pk).update(sent_at=later)
    assert say(cast, row, "yes", at=later).status_code == 200
    assert {event.kind for event in events(cast)} == {EventKind.GIVEN}


@pytest.mark.thorough
def test_one_click_still_ends_the_letters_after_months(cast: Cast) -> None:
    row = asked(cast)
    say(cast, row, "yes", at=NOON)
    invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=60))
    assert Browser().post(link(cast, row), {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert events(cast)[-1].purpose == Purpose.CONTACT


def test_what_was_answered_leaves_with_its_person(cast: Cast) -> None:
    row = asked(cast)
    say(cast, row, "yes", at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk=row.caller_id).remove()
    assert invitations.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=1)) == 1


# --- Staff's pages ---


def test_a_batch_from_the_upload_to_its_counts(cast: Cast, alice: Browser) -> None:
    assert "No email notice yet" in alice.get(reverse("consent:invitations", args=("dentist",))).text
    words = version(cast)
    where = reverse("consent:new_batch", args=("dentist",))
    body = f"email,phone\n{ADDRESS},{NUMBER}\nbad line,1\n".encode()
    facts = {"name": "October", "version": str(words.pk)}
    answer = alice.post(where, facts | {"file": SimpleUploadedFile("list.csv", body)}, follow=True)
    assert "1 people will be invited" in answer.text
    assert "Line 3 was skipped" in answer.text
    assert ADDRESS not in answer.text
    with job_scope(agency_id=cast.acme.pk):
        batch = InvitationBatch.objects.for_client(cast.dentist).get()
    alice.post(reverse("consent:pause_batch", args=("dentist", batch.pk)))
    assert "Resume sending" in alice.get(reverse("consent:batch", args=("dentist", batch.pk))).text
    again = alice.post(where, facts | {"file": SimpleUploadedFile("list.csv", body)})
    assert "or been asked" in again.text


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


@pytest.mark.parametrize(
    ("person", "status"),
    some([("bob", 403), ("carol", 403), ("mallory", 404)], one_in=3, each=lambda case: case[1]),
)
def test_nobody_else_comes_in(cast: Cast, person: str, status: int) -> None:
    batch = queue(cast, f"{ADDRESS},{NUMBER}")
    browser: Any = signed_in(getattr(cast, person))
    for name in ("invitations", "new_batch"):
        assert browser.get(reverse(f"consent:{name}", args=("dentist",))).status_code == status
    assert browser.get(reverse("consent:batch", args=("dentist", batch.pk))).status_code == status
    assert browser.post(reverse("consent:pause_batch", args=("dentist", batch.pk))).status_code == status


def test_an_invited_caller_is_the_caller_who_calls(cast: Cast) -> None:
    row = asked(cast)
    with job_scope(agency_id=cast.acme.pk):
        found = people.add_callers(client=cast.dentist, numbers=[NUMBER], at=NOON)
    assert found == {NUMBER: row.caller_id}
