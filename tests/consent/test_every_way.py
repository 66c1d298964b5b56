"""
Every way in, by the door that people and vendors use, and what it leaves: the event with its channel and strength, the
words it was said to, and evidence that is sealed, vouched for by the trail, and opens as it was brought.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from callprivacy.accounts.enums import ApiScope
from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.calls.services import connections, inbox, people
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from consent.enums import Basis, Channel, EventKind, PostedWhere, Purpose, Scope, Strength
from consent.models import ConsentEvent, NoticeVersion, PostedNotice, Rejudgement
from consent.services import invitations, ledger, limits, menus, presses
from consent.services.ledger import fingerprint
from consent.tasks import texts as text_tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_presses import BODY, CTM_SECRET, knock
from tests.cast import Cast
from tests.consent import asking_by_mail, pages, systems, twilio_side
from tests.consent.pages import hidden
from tests.consent.test_mail import TRUSTED, sample
from tests.consent.test_preferences import link_of

pytestmark = pytest.mark.django_db

# Noon in New York on a weekday, when texts may be sent; the letters of the tests went out five hours before.
AT: Final = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
NUMBER: Final = "+14155550101"
CLAUSE: Final = "I agree that my calls may be recorded and monitored."
SIGNED: Final = b"%PDF-1.7\n" + b"signed by Anna " * 20


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(AT, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


# --- The doors --------------------------------------------------------------------------------------------------------


def the_form_on_the_web(cast: Cast) -> uuid.UUID:
    version = pages.publish(cast.dentist, Purpose.RECORD, Purpose.REVIEW)
    address = f"/c/{pages.open_page(cast.dentist).key}/consent/"
    browser = Browser()
    form = hidden(browser.get(address).content)
    sent = {"deed": "give", "number": "(415) 555-0101", "form": form, "purposes": ["record", "review"]}
    assert browser.post(address, sent).status_code == 303
    return version.pk


def the_signal_of_a_browser(cast: Cast) -> None:
    pages.publish(cast.dentist, Purpose.RECORD, Purpose.SHARE)
    address = f"/c/{pages.open_page(cast.dentist).key}/consent/"
    browser = Browser(headers={"sec-gpc": "1"})
    form = hidden(browser.get(address).content)
    sent = {"deed": "give", "number": "(415) 555-0101", "form": form, "purposes": ["record"]}
    assert browser.post(address, sent).status_code == 303


def the_persons_own_choices(cast: Cast) -> uuid.UUID:
    version = pages.publish(cast.dentist, Purpose.RECORD)
    pages.open_page(cast.dentist)
    path = link_of(cast, caller_of(cast), strength=Strength.A)
    browser = Browser()
    form = hidden(browser.get(path).content)
    assert browser.post(path, {"form": form, "deed": "give", "purpose": "record"}).status_code == 303
    return version.pk


def the_link_in_a_letter(cast: Cast) -> uuid.UUID:
    row = asking_by_mail.asked(cast)
    key = pages.open_page(cast.dentist).key
    where = reverse("consent:ask", args=(key, invitations.secret_of(cast.dentist.pk, row.pk)))
    browser = Browser()
    sent = {"form": browser.get(where).context["form"], "deed": "yes", "purposes": ["record", "review"]}
    assert browser.post(where, sent).status_code == 200
    return row.version_id


def the_answer_to_a_letter(cast: Cast) -> uuid.UUID:
    row = asking_by_mail.asked(cast)
    with job_scope(agency_id=cast.acme.pk):
        digest = vault_selectors.client_keys(cast.dentist.pk).tokens.digest(
            "message", "<ask-1@clinic.example>"
        )
        type(row).objects.filter(pk=row.pk).update(message_digest=digest)
    file = SimpleUploadedFile("answer.eml", sample("gmail_i_agree"), "message/rfc822")
    with override_settings(CALLPRIVACY_MAIL_AUTHSERV=TRUSTED):
        answer = signed_in(cast.alice).post(reverse("consent:bring_mail", args=("dentist",)), {"file": file})
    assert answer.status_code == 302
    return row.version_id


def the_signed_form(cast: Cast) -> None:
    _add_terms(cast, is_list="no", numbers="(415) 555-0101")


def the_list_of_signed_forms(cast: Cast) -> None:
    _add_terms(cast, is_list="yes", numbers=f"{NUMBER}\n+14155550102")


def _add_terms(cast: Cast, **fields: str) -> None:
    facts = {
        "name": "New patient form", "signed_on": "2026-10-01", "clause": CLAUSE, "stands_apart": "on",
        "purposes": ["record", "review"], "file": SimpleUploadedFile("form.pdf", SIGNED, "application/pdf"),
    }  # fmt: skip
    answer = signed_in(cast.alice).post(reverse("consent:add_terms", args=("dentist",)), facts | fields)
    assert answer.status_code == 302


def a_key_in_our_menu(digit: str) -> Callable[[Cast], uuid.UUID]:
    def press(cast: Cast) -> uuid.UUID:
        connection = twilio_side.connect(cast.dentist)
        menu = twilio_side.menu(cast.dentist, connection)
        phone = twilio_side.Phone(connection, caller=NUMBER)
        phone.ring()
        phone.press(digit)
        with job_scope(agency_id=cast.acme.pk):
            return NoticeVersion.objects.get(notice=menu.notice_id).pk

    return press


def the_word_stop(cast: Cast) -> None:
    make.tracking_number(cast.dentist, twilio_side.TRACKING, provider="twilio")
    _text(twilio_side.connect(cast.dentist), "STOP")


def the_word_yes_to_our_question(cast: Cast) -> uuid.UUID:
    make.tracking_number(cast.dentist, twilio_side.TRACKING, provider="twilio")
    connection = twilio_side.connect(cast.dentist)
    version = twilio_side.notice(cast.dentist, channel=Channel.SMS, purposes=("record", "review"))
    with job_scope(agency_id=cast.acme.pk):
        menus.describe_account(
            connection=connection, account=twilio_side.ACCOUNT, twilio_answers=True, by=make.JOB, at=AT
        )
    where = reverse("consent:ask_by_text", args=("dentist", caller_of(cast)))
    with twilio_side.interface() as vendor, override_settings(CALLPRIVACY_TWILIO_URL=vendor.url):
        assert signed_in(cast.alice).post(where, {"version": str(version.pk)}).status_code == 302
        text_tasks.send_texts(agency_id=cast.acme.pk)
        assert len(vendor.texts()) == 1
    _text(connection, "YES")
    return version.pk


def _text(connection: Any, words: str) -> None:
    said = {
        "MessageSid": "SM" + "5" * 32, "AccountSid": twilio_side.ACCOUNT, "From": NUMBER,
        "To": twilio_side.TRACKING, "Body": words, "NumMedia": "0",
    }  # fmt: skip
    assert twilio_side.post(f"/twilio/{connection.key}/sms/", said).status_code == 200


def a_key_in_the_trackers_menu(digit: str) -> Callable[[Cast], None]:
    """Signed by the tracker as it sends it; the worker reads what the connection says that the key means."""
    rules = (
        PressRule("", "9", ("record", "review"), "withdrawn", "standing"),
        PressRule("", "1", ("record", "review"), "given", "this_call"),
    )

    def press(cast: Cast) -> None:
        with job_scope(agency_id=cast.acme.pk):
            to = connections.create_connection(
                client=cast.dentist, provider="ctm", name="CTM", secret=CTM_SECRET, by=make.JOB, at=AT
            )
            connections.map_presses(connection=to, rules=rules, by=make.JOB, at=AT)
        event = json.loads(BODY) | {
            "unix_time": int((AT - timedelta(hours=1)).timestamp()), "caller_number_complete": NUMBER,
            "tracking_number": "+18005550123", "dial_status": "completed", "menu_inputs": [digit],
        }  # fmt: skip
        assert knock(to, json.dumps(event).encode(), sent_at=AT) == 200
        inbox.process_batch(agency_id=cast.acme.pk, at=AT)
        presses.read(agency_id=cast.acme.pk, at=AT)

    return press


def a_tap_at_the_desk(*deeds: str) -> Callable[[Cast], uuid.UUID]:
    def tap(cast: Cast) -> uuid.UUID:
        version = twilio_side.notice(
            cast.dentist, channel=Channel.AGENT, name="Script", purposes=("record", "review")
        )
        alice, caller_id = signed_in(cast.alice), caller_of(cast)
        for deed in deeds:
            form = {"deed": deed, "tap": str(uuid.uuid4()), "language": "en", "caller": str(caller_id)}
            assert alice.post(reverse("consent:desk_tap", args=("dentist",)), form).status_code == 302
        return version.pk

    return tap


def the_interface_for_programs(cast: Cast) -> None:
    proof = {"type": "web_form", "details": {"page": "example.com/book", "words": "You may record my calls."}}
    body = {
        "number": NUMBER, "kind": "given", "purposes": ["record", "review"], "idempotency_key": "form-4711",
        "evidence": proof,
    }  # fmt: skip
    crm = systems.system_of(cast.dentist, cast.alice, scopes=[*ApiScope])
    assert crm.send("consent/events", body).status_code == 201


def what_staff_were_told(cast: Cast) -> None:
    form = {
        "kind": "withdrawn", "purposes": ["record", "review"], "how": "letter", "when": "2026-11-24T06:30",
        "note": "A letter of November 20, in the file.", "tap": str(uuid.uuid4()),
    }  # fmt: skip
    where = reverse("consent:record_said", args=("dentist", caller_of(cast)))
    assert signed_in(cast.alice).post(where, form).status_code == 302


def caller_of(cast: Cast) -> uuid.UUID:
    with job_scope(agency_id=cast.acme.pk):
        return people.add_callers(client=cast.dentist, numbers=[NUMBER], at=AT)[NUMBER]


# --- What each leaves -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """The events that a way leaves, and what their evidence holds at least."""

    channel: Channel
    strength: Strength
    kind: EventKind
    evidence: dict[str, Any]
    purposes: tuple[str, ...] = ("record", "review")
    scope: Scope = Scope.STANDING
    basis: Basis = Basis.CONSENT
    has_document: bool = False


EVERYTHING = ("analyse", "contact", "record", "review", "share")
HEARD = ("analyse", "record", "review")
WALK: Final = {
    "web form": (
        the_form_on_the_web,
        Left(Channel.WEB, Strength.D, EventKind.GIVEN, {"said": "yes", "words": pages.WORDS, "withdraw": pages.HOW}),
    ),
    "browser's signal": (
        the_signal_of_a_browser,
        Left(
            Channel.GPC, Strength.D, EventKind.WITHDRAWN, {"header": "Sec-GPC: 1", "gpc": True}, purposes=("share",)
        ),
    ),
    "own choices": (
        the_persons_own_choices,
        Left(Channel.PORTAL, Strength.A, EventKind.GIVEN, {"said": "yes", "words": pages.WORDS}, purposes=("record",)),
    ),
    "link in a letter": (
        the_link_in_a_letter,
        Left(Channel.EMAIL, Strength.B, EventKind.GIVEN, {"by": "link in an email", "words": asking_by_mail.WORDS}),
    ),
    "answer to a letter": (
        the_answer_to_a_letter,
        Left(Channel.EMAIL, Strength.B, EventKind.GIVEN, {"words": asking_by_mail.WORDS}),
    ),
    "signed form": (
        the_signed_form,
        Left(
            Channel.TERMS, Strength.A, EventKind.GIVEN,
            {"clause": CLAUSE, "document_digest": hashlib.sha256(SIGNED).hexdigest(), "is_list": False},
            has_document=True,
        ),
    ),
    "list of signed forms": (
        the_list_of_signed_forms,
        Left(
            Channel.TERMS, Strength.C, EventKind.GIVEN,
            {"clause": CLAUSE, "document_digest": hashlib.sha256(SIGNED).hexdigest(), "is_list": True},
            has_document=True,
        ),
    ),
    "key 1 in our menu": (
        a_key_in_our_menu("1"),
        Left(
            Channel.MENU, Strength.A, EventKind.GIVEN,
            {"key": "1", "carrier_says": "TN-Validation-Passed-A", "times_spoken": 1},
            purposes=HEARD, scope=Scope.THIS_CALL,
        ),
    ),
    "key 2 in our menu": (
        a_key_in_our_menu("2"),
        Left(
            Channel.MENU, Strength.A, EventKind.REFUSED, {"key": "2"}, purposes=HEARD, scope=Scope.THIS_CALL
        ),
    ),
    "key 9 in our menu": (
        a_key_in_our_menu("9"),
        Left(Channel.MENU, Strength.A, EventKind.WITHDRAWN, {"key": "9"}, purposes=HEARD),
    ),
    "STOP by text": (
        the_word_stop,
        Left(
            Channel.SMS, Strength.A, EventKind.WITHDRAWN, {"text": "STOP", "understood_as": "withdraw"},
            purposes=EVERYTHING,
        ),
    ),
    "YES by text": (
        the_word_yes_to_our_question,
        Left(Channel.SMS, Strength.A, EventKind.GIVEN, {"text": "YES"}),
    ),
    "key 1 in a tracker's menu": (
        a_key_in_the_trackers_menu("1"),
        Left(
            Channel.TRACKER, Strength.A, EventKind.GIVEN, {"tracker": "ctm", "key": "1"}, scope=Scope.THIS_CALL
        ),
    ),
    "key 9 in a tracker's menu": (
        a_key_in_the_trackers_menu("9"),
        Left(Channel.TRACKER, Strength.C, EventKind.WITHDRAWN, {"tracker": "ctm", "key": "9"}),
    ),
    "notice spoken at the desk": (
        a_tap_at_the_desk("spoke"),
        Left(
            Channel.AGENT, Strength.C, EventKind.NOTICED, {"said_by": "agent", "did": "read the notice aloud"},
            basis=Basis.NOTICE,
        ),
    ),
    "yes at the desk": (
        a_tap_at_the_desk("spoke", "agree"),
        Left(Channel.AGENT, Strength.C, EventKind.GIVEN, {"did": "reported that the caller agreed"}),
    ),
    "stop at the desk": (
        a_tap_at_the_desk("stop"),
        Left(
            Channel.AGENT, Strength.C, EventKind.WITHDRAWN, {"did": "selected: stop recording me"}, purposes=HEARD
        ),
    ),
    "interface for programs": (
        the_interface_for_programs,
        Left(Channel.API, Strength.D, EventKind.GIVEN, {"said": "given", "proof": "web_form"}),
    ),
    "told to staff": (
        what_staff_were_told,
        Left(
            Channel.OFFICER, Strength.C, EventKind.WITHDRAWN,
            {"how": "letter", "note": "A letter of November 20, in the file."},
        ),
    ),
}  # fmt: skip
# By the same door as another one here.
SAME_WAY: Final = {
    "list of signed forms", "key 2 in our menu", "key 9 in a tracker's menu", "notice spoken at the desk",
    "stop at the desk",
}  # fmt: skip


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=pytest.mark.thorough if way in SAME_WAY else ()) for way in WALK],
)
def test_each_way_leaves_its_event_and_its_evidence(cast: Cast, way: str) -> None:
    act, left = WALK[way]

    version_id = act(cast)

    with job_scope(agency_id=cast.acme.pk):
        caller = Caller.objects.for_client(cast.dentist).get(pk=caller_of(cast))
        rows = list(
            ConsentEvent.objects.for_client(cast.dentist)
            .filter(caller_id=caller.pk, kind=left.kind, channel=left.channel)
            .order_by("purpose")
        )
        opened = ledger.evidence_of(client=cast.dentist, events=rows, at=AT)
        sealed = {row.pk: Event.objects.get(pk=row.audit_event_id or 0) for row in rows}
        together = list(ConsentEvent.objects.filter(audit_event_id=rows[0].audit_event_id)) if rows else []
    assert tuple(row.purpose for row in rows) == left.purposes
    assert caller.has_evidence
    for row in rows:
        assert (row.strength, row.scope, row.basis) == (left.strength, left.scope, left.basis)
        if left.channel in {Channel.MENU, Channel.TRACKER}:
            assert row.call_digest is not None
        assert (row.document_id is not None) is left.has_document
        if version_id is not None and left.kind is not EventKind.WITHDRAWN:
            assert row.version_id == version_id
        assert left.evidence.items() <= opened[row.pk].items(), opened[row.pk]
        plain = json.dumps(opened[row.pk], sort_keys=True, ensure_ascii=False).encode()
        assert bytes(row.evidence_digest or b"") == hashlib.sha256(plain).digest()
        assert NUMBER.removeprefix("+1").encode() not in bytes(row.evidence.blob)
        assert sealed[row.pk].action == "consent.recorded"
    root = hashlib.sha256(b"".join(sorted(map(fingerprint, together)))).hexdigest()
    assert sealed[rows[0].pk].details["digest"] == root


def test_a_posted_notice_leaves_its_words_its_picture_and_recordings_to_decide_anew(cast: Cast) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(200)
    line = make.tracking_number(cast.plumber, "+15125550110", region="TX")
    form = {
        "tracking_number": str(line.pk), "where": PostedWhere.SITE, "place": "plumber.example", "version": "",
        "words": "Calls are recorded and monitored.", "from_on": "2026-11-01", "to_on": "",
        "picture": SimpleUploadedFile("page.png", picture, content_type="image/png"),
    }  # fmt: skip
    alice = signed_in(cast.alice)

    answer = alice.post(reverse("consent:post_notice", args=("plumber",)), form)

    assert answer.status_code == 302, answer.content
    with job_scope(agency_id=cast.acme.pk):
        row = PostedNotice.objects.get()
        posted = Event.objects.get(action="notice.posted")
        assert Rejudgement.objects.for_client(cast.plumber).filter(cause="posted").exists()
    assert (row.words, bytes(row.picture_digest or b"")) == (form["words"], hashlib.sha256(picture).digest())
    assert posted.details["picture"] == hashlib.sha256(picture).hexdigest()
    shown = alice.get(reverse("consent:posted_picture", args=("plumber", row.pk)))
    assert shown.content == picture
