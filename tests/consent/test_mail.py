"""Mail that comes in: what is proven and clear settles itself, whatever is not waits for a person."""

import csv
import time
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from anymail.inbound import AnymailInboundMessage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import reverse

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from consent import adapter
from consent.channels import mail_in, mail_words
from consent.enums import Channel, EventKind, InvitationState, Purpose, ReplyState, State, Strength
from consent.models import ConsentEvent, ConsentState, Invitation, Reply
from consent.services import invitations, mail, preferences, texts, web
from consent.services.mail import Outcome
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import ADDRESS, asked
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed

SAMPLES = Path(__file__).resolve().parent.parent / "fixtures" / "mail"
TRUSTED = frozenset({"mx.clinic.example"})
LATER = NOON + timedelta(hours=2)
BY = Actor.client("tests")


def samples() -> list[tuple[str, Outcome]]:
    with (SAMPLES / "expected.csv").open(encoding="utf-8", newline="") as file:
        return [(row["file"], Outcome(row["outcome"])) for row in csv.DictReader(file)]


def sample(part: str) -> bytes:
    (file,) = [file for file, _ in samples() if part in file]
    return (SAMPLES / file).read_bytes()


@pytest.fixture(autouse=True)
def _mailbox(settings: Any) -> None:
    settings.CALLPRIVACY_MAIL_REPLY = "reply@clinic.example"


@pytest.fixture
def letter(cast: Cast) -> Invitation:
    """A letter that went to Anna, known by the id that the samples answer."""
    row = asked(cast)
    with job_scope(agency_id=cast.acme.pk):
        digest = vault_selectors.client_keys(cast.dentist.pk).tokens.digest(
            "message", "<ask-1@clinic.example>"
        )
        Invitation.objects.filter(pk=row.pk).update(message_digest=digest)
    return row


def bring(cast: Cast, raw: bytes) -> Outcome:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        return mail.take_in(raw, client=cast.dentist, trusted=TRUSTED, by=BY, at=LATER)


@pytest.mark.parametrize("said", ["No", "STOP"])
def test_no_reminder_goes_to_whom_an_answer_of_waits_for_a_person(
    cast: Cast, letter: Invitation, said: str
) -> None:
    raw = (
        f"From: Anna <{ADDRESS}>\r\nTo: reply@clinic.example\r\nSubject: Re: calls\r\n"
        f"Message-ID: <a@x.example>\r\nIn-Reply-To: <ask-1@clinic.example>\r\n\r\n{said}\r\n"
    )
    assert bring(cast, raw.encode()) is Outcome.WAITING
    week = NOON + timedelta(days=7, minutes=1)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=week, limit=9) == []
    with job_scope(agency_id=cast.acme.pk):
        Reply.objects.update(state=ReplyState.DECIDED)
    (reminder,) = invitations.claim_letters(agency_id=cast.acme.pk, at=week, limit=9)
    assert invitations.may_still_go(agency_id=cast.acme.pk, letter=reminder, at=week)
    with job_scope(agency_id=cast.acme.pk):
        Reply.objects.update(state=ReplyState.WAITING, invitation=None)
    assert not invitations.may_still_go(agency_id=cast.acme.pk, letter=reminder, at=week)


def test_of_all_samples_most_settle_themselves_none_wrongly_and_no_forged_one(
    cast: Cast, letter: Invitation
) -> None:
    came: dict[str, Outcome] = {}
    for file, _ in samples():
        with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
            before = transaction.savepoint_create()
            came[file] = mail.take_in(
                (SAMPLES / file).read_bytes(),
                client=cast.dentist,
                trusted=TRUSTED,
                by=Actor.client("tests"),
                at=LATER,
            )
            transaction.savepoint_rollback(before)
    settled = [file for file, outcome in came.items() if outcome is not Outcome.WAITING]
    print(f"{len(came)} samples, {len(settled)} settled without a person: {Counter(came.values())}")  # noqa: T201  (said by the test when asked)
    assert came == dict(samples())
    assert len(came) >= 60
    assert len(settled) >= 50
    assert not [file for file in settled if "forged" in file]


def test_a_yes_is_written_with_its_words_and_its_proof(cast: Cast, letter: Invitation) -> None:
    assert bring(cast, sample("gmail_i_agree")) is Outcome.AGREED
    with job_scope(agency_id=cast.acme.pk):
        events = list(ConsentEvent.objects.for_client(cast.dentist))
        row = Invitation.objects.get(pk=letter.pk)
    assert {(event.purpose, event.kind, event.channel, event.strength) for event in events} == {
        (purpose, EventKind.GIVEN, Channel.EMAIL, Strength.B) for purpose in (Purpose.RECORD, Purpose.REVIEW)
    }
    assert {event.version_id for event in events} == {letter.version_id}
    assert (row.state, row.address) == (InvitationState.ANSWERED, None)


def test_the_same_message_again_changes_nothing(cast: Cast, letter: Invitation) -> None:
    assert bring(cast, sample("25_stop")) is Outcome.WITHDRAWN
    assert bring(cast, sample("25_stop")) is Outcome.KNOWN


def test_a_yes_to_a_question_that_is_closed_waits(cast: Cast, letter: Invitation) -> None:
    bring(cast, sample("gmail_no"))
    assert bring(cast, sample("gmail_yes")) is Outcome.WAITING


def test_a_yes_to_a_letter_from_before_links_were_ended_waits_and_a_no_counts(
    cast: Cast, letter: Invitation
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        web.open_page(client=cast.dentist, at=NOON)
        preferences.revoke_links(client=cast.dentist, by=BY, at=NOON + timedelta(minutes=1))
    assert bring(cast, sample("gmail_yes")) is Outcome.WAITING
    assert bring(cast, sample("gmail_no")) is Outcome.REFUSED


@pytest.mark.parametrize(
    ("words", "outcome"),
    some(
        [
            (b"No", Outcome.REFUSED),
            (b"I changed my mind", Outcome.REFUSED),
            (b"I would like to withdraw", Outcome.REFUSED),
            (b"Retiro mi consentimiento", Outcome.WITHDRAWN),
            (b"please stop recording me", Outcome.WITHDRAWN),
            (b"That was too quick of me", Outcome.WAITING),
        ],
        one_in=6,
    ),
)
def test_an_answer_takes_it_back_after_sixty_days(
    cast: Cast, letter: Invitation, words: bytes, outcome: Outcome
) -> None:
    assert bring(cast, sample("gmail_i_agree")) is Outcome.AGREED
    at = NOON + timedelta(days=60)
    invitations.purge(agency_id=cast.acme.pk, at=at)
    raw = sample("gmail_no").replace(b"\nNo\n", b"\n" + words + b"\n").replace(b"<m21@", b"<m99@")
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        assert mail.take_in(raw, client=cast.dentist, trusted=TRUSTED, by=BY, at=at) is outcome
        stands = ConsentState.objects.for_client(cast.dentist).filter(state=State.GIVEN)
        assert stands.exists() is (outcome is Outcome.WAITING)


def test_a_no_that_answers_no_letter_takes_nothing_back(cast: Cast, letter: Invitation) -> None:
    bring(cast, sample("gmail_i_agree"))
    raw = sample("by_address_alone").replace(b"\nI agree\n", b"\nNo, thanks\n")
    assert bring(cast, raw) is Outcome.NOTHING


def test_what_waits_is_sealed_and_says_why(cast: Cast, letter: Invitation) -> None:
    assert bring(cast, sample("forged_dkim_fail_yes")) is Outcome.WAITING
    with job_scope(agency_id=cast.acme.pk):
        row = Reply.objects.for_client(cast.dentist).get()
    assert row.state == ReplyState.WAITING
    assert "No DKIM signature passed" in row.why
    assert b"agree" not in bytes(row.text.blob)


def test_a_no_to_contact_by_any_way_ends_the_question_and_the_address_leaves(
    cast: Cast, letter: Invitation
) -> None:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        texts.withdraw(
            client=cast.dentist, caller_id=letter.caller_id, purposes=[Purpose.CONTACT], channel=Channel.SMS,
            strength=Strength.A, source="text", evidence={}, said_at=LATER, by=Actor.client("tests"), at=LATER,
        )  # fmt: skip
        row = Invitation.objects.get(pk=letter.pk)
        assert (row.state, row.address) == (InvitationState.ANSWERED, None)


def test_a_bounce_ends_the_letters(cast: Cast, letter: Invitation) -> None:
    assert bring(cast, sample("bounce_full")) is Outcome.BOUNCED
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get(pk=letter.pk)
    assert (row.state, row.address, row.due_at) == (InvitationState.BOUNCED, None, None)


@pytest.mark.parametrize(("action", "kind"), [("delayed", "robot"), ("failed", "bounce"), ("", "bounce")])
def test_a_letter_that_is_only_late_has_not_come_back(action: str, kind: str) -> None:
    line = f"Action: {action}\n" if action else ""
    raw = (
        'From: postmaster@example.com\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt is late.\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{line}"
        "Final-Recipient: rfc822; anna@example.com\n\n--b--\n"
    )
    assert mail_in.read(raw.encode(), trusted=TRUSTED).kind == kind


@pytest.mark.parametrize("raw", [b"", b"\x00\x01\x02", b"no headers at all", b"x" * (mail_in.LARGEST + 1)])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(mail.UnreadableError):
        mail_in.read(raw, trusted=TRUSTED)


@pytest.mark.thorough
def test_a_message_of_a_thousand_parts_is_read_in_time() -> None:
    parts = "".join(f"--b\nContent-Type: text/plain\n\npart {number}\n" for number in range(1000))
    raw = f'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n{parts}--b--\n'
    assert mail_in.read(raw.encode(), trusted=TRUSTED).text == "part 0"


@pytest.mark.parametrize(
    "raw",
    [
        b"From: " + b"=?utf-8?q?a?= " * 8000 + b"<a@b.example>\n\nhi\n",
        b"From: a@b.example\nReferences: " + b"<" * 60_000 + b"\n\nhi\n",
        b"From: a@b.example\nTo: " + b"a@b.example,\n " * 5000 + b"c@d.example\n\nhi\n",
    ],
    ids=["sender", "references", "recipients"],
)
def test_a_header_without_end_is_not_read(raw: bytes) -> None:
    with pytest.raises(mail.UnreadableError, match="32 KB"):
        mail_in.read(raw, trusted=TRUSTED)


def test_blanks_without_end_are_read_as_one() -> None:
    """Patterns tried each of them anew: fifty thousand took a minute."""
    began = time.process_time()
    found = mail_in.read(
        b"From: a@b.example\n\nYes\n" + (b" " * 50_000 + b"x\n") * 20 + b"On Monday we wrote:\n> no",
        trusted=TRUSTED,
    )
    assert found.text.startswith("Yes")
    assert time.process_time() - began < 5


VOUCHED = (
    "Authentication-Results: mx.example.com; dkim=pass header.d=b.example; dmarc=pass header.from=b.example\n"
)


@pytest.mark.parametrize(
    ("headers", "is_proven"),
    [
        ("From: a@b.example\nDKIM-Signature: v=1; d=b.example; bh=x=; b=y\n", True),
        ("From: a@b.example\nDKIM-Signature: v=1; d=b.example; l=0; b=y\n", False),
        ("From: a@b.example\nDKIM-Signature: v=1; d=b.example;\n\tl = 12; b=y\n", False),
        ('From: "x y"@evil.example, a@b.example\n', False),
        ("From: a@b.example, Somebody\n", False),
    ],
)
def test_a_signature_of_a_part_and_a_second_sender_prove_nothing(headers: str, *, is_proven: bool) -> None:
    found = mail_in.read((VOUCHED + headers + "\nYes\n").encode(), trusted={"mx.example.com"})
    assert found.is_proven is is_proven


# --- By a provider's webhook ---


def test_a_provider_delivers_by_the_address_that_we_gave(
    cast: Cast, letter: Invitation, settings: Any
) -> None:
    settings.CALLPRIVACY_MAIL_HOOK_AUTHSERV = TRUSTED
    with job_scope(agency_id=cast.acme.pk):
        key = invitations.mail_key(cast.dentist)
        assert invitations.mail_key(cast.dentist) == key
    address = mail_words.reply_to(key, invitations.secret_of(cast.dentist.pk, letter.pk))
    assert len(address.rpartition("@")[0]) <= 64
    message = AnymailInboundMessage.parse_raw_mime_bytes(sample("by_address_alone"))
    message.envelope_recipient = address.upper()
    event = type("Event", (), {"message": message})
    adapter.take_mail(event=event, esp_name="Postmark")
    with job_scope(agency_id=cast.acme.pk):
        assert Invitation.objects.get(pk=letter.pk).state == InvitationState.ANSWERED


def test_a_message_to_nobody_is_dropped(cast: Cast, letter: Invitation) -> None:
    message = AnymailInboundMessage.parse_raw_mime_bytes(sample("gmail_yes"))
    message.envelope_recipient = f"reply+{uuid.uuid4().hex[:24]}.{uuid.uuid4().hex[:24]}@clinic.example"
    adapter.take_mail(event=type("Event", (), {"message": message}), esp_name="Postmark")
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()


def test_another_agencys_address_leads_to_no_letter_here(cast: Cast, letter: Invitation) -> None:
    with job_scope(agency_id=cast.globex.pk):
        key = invitations.mail_key(cast.florist)
    raw = sample("gmail_yes").replace(
        b"To: reply@clinic.example",
        f"To: {mail_words.reply_to(key, invitations.secret_of(cast.dentist.pk, letter.pk))}".encode(),
    )
    outcome, agency_id = mail.take_in_by_address(raw, trusted=TRUSTED, at=LATER)
    assert (outcome, agency_id) == (Outcome.WAITING, cast.globex.pk)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()


def test_a_yes_that_answers_nothing_of_ours_waits(cast: Cast, letter: Invitation) -> None:
    """Signed and from the right address, as a letter is that was written to somebody else and sent on to us."""
    raw = sample("gmail_i_agree").replace(b"In-Reply-To:", b"X-One:").replace(b"References:", b"X-Two:")
    assert bring(cast, raw) is Outcome.WAITING
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()
        assert "not a direct reply to our email" in Reply.objects.get().why


def test_of_two_messages_without_an_id_both_are_read(cast: Cast, letter: Invitation) -> None:
    one = b"From: one@b.example\nDate: Thu, 26 Nov 2026 10:00:00 +0000\n\nSTOP\n"
    assert bring(cast, one) is Outcome.WAITING
    assert bring(cast, one) is Outcome.KNOWN
    assert bring(cast, one.replace(b"one@", b"two@")) is Outcome.WAITING


# --- By a person ---


def test_a_person_brings_a_message(cast: Cast, letter: Invitation, settings: Any) -> None:
    settings.CALLPRIVACY_MAIL_AUTHSERV = TRUSTED
    alice = signed_in(cast.alice)
    where = reverse("consent:bring_mail", args=("dentist",))
    assert "says so in the message" in alice.get(where).text
    file = SimpleUploadedFile("answer.eml", sample("gmail_i_agree"), "message/rfc822")
    # Requests ask the clock, so the letter went out just now.
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.update(sent_at=NOON)
    answer = alice.post(where, {"file": file}, follow=True)
    assert "consent saved" in answer.text
    assert ADDRESS not in answer.text
    bad = alice.post(where, {"file": SimpleUploadedFile("x.eml", b"nothing")})
    assert "no headers" in bad.text


@pytest.mark.parametrize(
    ("person", "status"),
    some([("bob", 403), ("carol", 403), ("mallory", 404)], one_in=3, each=lambda case: case[1]),
)
def test_nobody_else_brings_one(cast: Cast, person: str, status: int) -> None:
    browser = signed_in(getattr(cast, person))
    where = reverse("consent:bring_mail", args=("dentist",))
    assert browser.get(where).status_code == status
    assert browser.post(where, {"file": SimpleUploadedFile("x.eml", b"From: a@b\n\nx")}).status_code == status


def test_a_sender_of_nothing_but_brackets_is_dropped_or_read(cast: Cast) -> None:
    message = AnymailInboundMessage.parse_raw_mime_bytes(b"From: " + b"(" * 800 + b"\n\nyes")
    adapter.take_mail(event=type("Event", (), {"message": message}), esp_name="Postmark")
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()
