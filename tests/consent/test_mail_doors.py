"""What mail providers tell by webhook: only who knows the secret is heard, and a complaint withdraws contact."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from anymail.signals import inbound, tracking
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.core import mail as outbox_of
from django.core.exceptions import SuspiciousOperation
from django.test import RequestFactory
from django.urls import reverse

from callprivacy.tenancy.scope import job_scope
from consent import adapter
from consent.enums import EventKind, InvitationState, Purpose
from consent.models import ConsentEvent, Invitation, Reply
from consent.services import invitations, mail
from consent.services.mail import News
from consent.tasks import mail as tasks
from consent.views.mail_hooks import PostmarkView, SendGridView
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import ADDRESS, asked
from tests.make import NOON
from tests.scale import some

pytestmark = [
    pytest.mark.as_committed,
    pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid"),
]

SECRET = "postmark:0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _heard(settings: Any) -> Iterator[None]:
    """As an installation that takes mail."""
    settings.CALLPRIVACY_MAIL_REPLY = "reply@clinic.example"
    settings.CALLPRIVACY_TAKES_MAIL = True
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    inbound.connect(adapter.take_mail, dispatch_uid="tests.take_mail")
    tracking.connect(adapter.take_news, dispatch_uid="tests.take_news")
    yield
    inbound.disconnect(dispatch_uid="tests.take_mail")
    tracking.disconnect(dispatch_uid="tests.take_news")


def post(view: Any, said: Any, *, secret: str = SECRET) -> Any:
    request = RequestFactory().post(
        "/mail/",
        json.dumps(said),
        content_type="application/json",
        headers={"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()},
    )
    return view.as_view()(request)


def letter_of(cast: Cast, row: Invitation) -> str:
    with job_scope(agency_id=cast.acme.pk):
        return f"{invitations.mail_key(cast.dentist)}.{invitations.secret_of(cast.dentist.pk, row.pk)}"


def by_postmark(letter: str, record: str, kind: str) -> dict[str, Any]:
    return {
        "RecordType": record, "Type": kind, "ID": 42, "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": ADDRESS, "BouncedAt": "2026-11-24T12:30:00Z", "Metadata": {"letter": letter},
    }  # fmt: skip


def by_sendgrid(letter: str, event: str) -> list[dict[str, Any]]:
    return [
        {
            "email": ADDRESS, "timestamp": 1764000000, "event": event, "sg_event_id": "x", "letter": letter,
            "smtp-id": "<a@b>", "sg_message_id": "y",
        }
    ]  # fmt: skip


def state(cast: Cast) -> tuple[str, bool, list[tuple[str, str]]]:
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.for_client(cast.dentist).get()
        events = ConsentEvent.objects.for_client(cast.dentist).values_list("purpose", "kind")
        return row.state, row.address is None, sorted(events)


NO_CONTACT = [(Purpose.CONTACT, EventKind.WITHDRAWN)]


@pytest.mark.parametrize(
    ("record", "kind", "becomes", "events"),
    [
        ("Bounce", "HardBounce", InvitationState.BOUNCED, []),
        ("SpamComplaint", "SpamComplaint", InvitationState.ANSWERED, NO_CONTACT),
        ("Bounce", "Unsubscribe", InvitationState.ANSWERED, NO_CONTACT),
    ],
)
def test_postmark_tells_what_became_of_a_letter(
    cast: Cast, record: str, kind: str, becomes: InvitationState, events: list[Any]
) -> None:
    letter = letter_of(cast, asked(cast))
    for _ in range(2):
        assert post(PostmarkTrackingWebhookView, by_postmark(letter, record, kind)).status_code == 200
    assert state(cast) == (becomes, True, events)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("event", "becomes", "events"),
    [
        ("bounce", InvitationState.BOUNCED, []),
        ("spamreport", InvitationState.ANSWERED, NO_CONTACT),
        ("unsubscribe", InvitationState.ANSWERED, NO_CONTACT),
    ],
)
def test_sendgrid_tells_what_became_of_a_letter(
    cast: Cast, event: str, becomes: InvitationState, events: list[Any]
) -> None:
    letter = letter_of(cast, asked(cast))
    assert post(SendGridTrackingWebhookView, by_sendgrid(letter, event)).status_code == 200
    assert state(cast) == (becomes, True, events)


@pytest.mark.parametrize(("record", "kind"), [("Delivery", ""), ("Open", ""), ("Bounce", "Transient")])
def test_what_asks_for_nothing_changes_nothing(cast: Cast, record: str, kind: str) -> None:
    letter = letter_of(cast, asked(cast))
    assert post(PostmarkTrackingWebhookView, by_postmark(letter, record, kind)).status_code == 200
    assert state(cast) == (InvitationState.SENT, False, [])


@pytest.mark.parametrize("letter", some(["", "x", "a.b", "0" * 24 + "." + "0" * 24], one_in=3))
def test_a_letter_that_is_none_of_ours_is_passed_over(cast: Cast, letter: str) -> None:
    asked(cast)
    assert (
        post(PostmarkTrackingWebhookView, by_postmark(letter, "SpamComplaint", "SpamComplaint")).status_code
        == 200
    )
    said = by_postmark(letter, "SpamComplaint", "SpamComplaint") | {"Metadata": {}}
    assert post(PostmarkTrackingWebhookView, said).status_code == 200
    assert state(cast) == (InvitationState.SENT, False, [])


def test_another_agencys_key_leads_to_no_letter_here(cast: Cast) -> None:
    row = asked(cast)
    with job_scope(agency_id=cast.globex.pk):
        key = invitations.mail_key(cast.florist)
    secret = invitations.secret_of(cast.dentist.pk, row.pk)
    assert mail.note_news(f"{key}.{secret}", news=News.COMPLAINED, at=NOON) == cast.globex.pk
    assert state(cast) == (InvitationState.SENT, False, [])


@pytest.mark.parametrize("view", [PostmarkTrackingWebhookView, SendGridTrackingWebhookView, PostmarkView])
def test_without_the_secret_nobody_is_heard(cast: Cast, view: Any) -> None:
    letter = letter_of(cast, asked(cast))
    with pytest.raises(SuspiciousOperation):
        post(view, by_postmark(letter, "SpamComplaint", "SpamComplaint"), secret="postmark:wrong")
    assert state(cast) == (InvitationState.SENT, False, [])


def test_mail_comes_in_by_the_providers_webhook(cast: Cast) -> None:
    row = asked(cast)
    key, secret = letter_of(cast, row).split(".")
    said = {
        "FromFull": {"Email": ADDRESS, "Name": "Anna"}, "ToFull": [{"Email": "reply@clinic.example", "Name": ""}],
        "OriginalRecipient": f"reply+{key}.{secret}@clinic.example", "Subject": "Re: calls", "TextBody": "STOP",
        "MessageID": "p-1", "Headers": [{"Name": "Message-ID", "Value": "<m1@mail.example>"}],
    }  # fmt: skip
    assert post(PostmarkView, said).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        (reply,) = Reply.objects.for_client(cast.dentist)
    # Nobody vouches for it, so it waits, and it is known whose it may be.
    assert (reply.caller_id, reply.label) == (row.caller_id, "review")
    assert "added no authentication results" in reply.why


_SENDER = {"Email": "a@b.example", "Name": "A"}
_LONG = '"' * 20_000
_NESTED = "".join(
    f"Content-Type: multipart/mixed; boundary=x{depth}\n\n--x{depth}\n" for depth in range(2_000)
)


@pytest.mark.parametrize(
    "said",
    [
        {"RawEmail": f'From: a@b.example\nContent-Type: text/plain; a="{_LONG}\n\nyes'},
        {"RawEmail": f"From: a@b.example\n{_NESTED}"},
        {
            "RawEmail": "From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n"
            + "--x\n\n" * 100_000
        },
        {"RawEmail": "From: a@b.example\n" + "A: b\n" * 2_000},
        {"FromFull": {"Email": "a@b.example", "Name": _LONG}},
        {"FromFull": _SENDER, "ToFull": [{"Email": "a@b.example", "Name": _LONG}]},
        {"FromFull": _SENDER, "ReplyTo": _LONG},
        {"FromFull": _SENDER, "Headers": [{"Name": "Content-Type", "Value": f'text/plain; a="{_LONG}'}]},
        {"FromFull": _SENDER, "Attachments": [{"ContentType": f'text/plain; a="{_LONG}', "Content": ""}]},
    ],
    ids=["type", "depth", "parts", "headers", "sender", "recipients", "reply", "header", "attachment"],
)
def test_a_mail_over_a_bound_is_dropped_before_the_library_reads_it(cast: Cast, said: dict[str, Any]) -> None:
    began = time.process_time()
    assert post(PostmarkView, said).status_code == 200
    assert time.process_time() - began < 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Reply.objects.exists()


@pytest.mark.parametrize(
    "said",
    [
        {"email": f'From: a@b.example\nContent-Type: text/plain; a="{_LONG}\n\nyes'},
        {"email": f"From: a@b.example\n{_NESTED}"},
        {"headers": "From: a@b.example\n" + "A: b\n" * 2_000, "text": "yes"},
        {"headers": "From: a@b.example\n", "text": "a" * 1_000_000, "charsets": '{"text": "punycode"}'},
    ],
    ids=["type", "depth", "headers", "character set"],
)
def test_a_mail_by_sendgrid_over_a_bound_is_dropped_as_well(cast: Cast, said: dict[str, str]) -> None:
    secret = base64.b64encode(SECRET.encode()).decode()
    request = RequestFactory().post("/mail/", said, headers={"Authorization": f"Basic {secret}"})
    began = time.process_time()
    assert SendGridView.as_view()(request).status_code == 200
    assert time.process_time() - began < 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Reply.objects.exists()


def test_letters_bear_the_mark_that_providers_tell_of(cast: Cast) -> None:
    row = asked(cast)
    letter = letter_of(cast, row)
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.filter(pk=row.pk).update(state=InvitationState.QUEUED, due_at=NOON)
    tasks.send_invitations(agency_id=cast.acme.pk)
    (sent,) = outbox_of.outbox
    assert sent.extra_headers["X-PM-Metadata-letter"] == letter
    assert json.loads(sent.extra_headers["X-SMTPAPI"]) == {"unique_args": {"letter": letter}}


# --- The page says what is read ---


def test_the_page_says_whether_answers_are_read(cast: Cast, settings: Any) -> None:
    alice, where = signed_in(cast.alice), reverse("consent:invitations", args=("dentist",))
    settings.CALLPRIVACY_MAIL_AUTHSERV = frozenset({"mx.clinic.example"})
    page = alice.get(where).text
    assert "reply@clinic.example" in page
    assert "by the mail provider" in page
    assert "mx.clinic.example" in page
    settings.CALLPRIVACY_TAKES_MAIL = False
    settings.CALLPRIVACY_MAIL_AUTHSERV = frozenset()
    page = alice.get(where).text
    assert "manually" in page
    assert "a team member reviews every reply" in page
    settings.CALLPRIVACY_MAIL_REPLY = ""
    page = alice.get(where).text
    assert "Replies are off." in page
    assert "CALLPRIVACY_MAIL_HOOK_SECRET" in page
