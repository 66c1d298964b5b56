"""Whose a mail is: nothing is withdrawn of nobody, staff say who wrote it, and ten days do what the page says."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from consent.enums import Channel, EventKind, Purpose, ReplyState, Strength
from consent.models import ConsentEvent, Invitation, NoticeVersion, Reply
from consent.replies.table import EVERYTHING
from consent.services import invitations, ledger, mail, texts
from consent.services.mail import Outcome
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import ADDRESS, BY, NUMBER, asked, version
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed

TRUSTED = frozenset({"mx.clinic.example"})
STRANGER = "+14155550188"
SECOND = "+14155550102"
LATER = NOON + timedelta(hours=2)


def message(words: str, sender: str = ADDRESS, *, proven: bool = True, name: str = "m1") -> bytes:
    domain = sender.rpartition("@")[2]
    finding = "pass" if proven else "fail"
    return (
        f"Authentication-Results: mx.clinic.example; dkim={finding} header.d={domain}\n"
        f"From: {sender}\nTo: reply@clinic.example\nSubject: Calls\nMessage-ID: <{name}@mail.example>\n"
        f"Content-Type: text/plain; charset=utf-8\n\n{words}\n"
    ).encode()


def bring(cast: Cast, raw: bytes) -> Outcome:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        return mail.take_in(raw, client=cast.dentist, trusted=TRUSTED, by=Actor.client("tests"), at=LATER)


def waiting(cast: Cast) -> Reply:
    with job_scope(agency_id=cast.acme.pk):
        return Reply.objects.for_client(cast.dentist).select_related("client").get()


def events(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.for_client(cast.dentist).order_by("caller_id", "purpose"))


def no_of(cast: Cast, number: str) -> set[str]:
    return set(vault.suppressed(cast.dentist.pk, [number], on=LATER.date()).get(number, {}))


def both_asked(cast: Cast) -> None:
    """Anna and Ben gave the same address."""
    asked(cast)
    with job_scope(agency_id=cast.acme.pk):
        words = NoticeVersion.objects.for_client(cast.dentist).select_related("notice").get()
        read = invitations.read_list([f"{ADDRESS},{SECOND}"], country="US")
        invitations.create_batch(
            client=cast.dentist, name="November", version=words, read=read, by=BY, at=NOON
        )


def where(reply: Reply) -> str:
    return reverse("consent:decide_reply", args=("dentist", reply.pk))


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


# --- Nobody known ---


def test_of_nobody_nothing_is_withdrawn_and_the_page_says_what_to_do(cast: Cast, alice: Browser) -> None:
    assert bring(cast, message("STOP", "stranger@elsewhere.example")) is Outcome.WAITING
    reply = waiting(cast)
    assert (reply.caller_id, reply.label) == (None, "review")
    assert reply.why == "The word STOP alone withdraws. No caller has this address."
    assert "Unknown sender" in alice.get(reverse("consent:replies", args=("dentist",))).text
    page = alice.get(where(reply)).text
    assert "Who wrote it?" in page
    assert "not automatically: the sender is unknown" in page
    answer = alice.post(where(reply), {"decision": "withdrawn", "purposes": ["record"]})
    assert "Identify the sender above first" in answer.text
    assert "Identify the sender above first" in alice.post(where(reply), {"decision": "refused"}).text
    assert waiting(cast).state == ReplyState.WAITING
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):  # noqa: SIM117  (one scope, then the deed)
        with pytest.raises(texts.NobodyNamedError):
            texts.decide_reply(reply=reply, withdrawn={Purpose.RECORD}, refused=False, by=by, at=LATER)
    assert events(cast) == []


def test_named_by_number_it_withdraws(cast: Cast, alice: Browser) -> None:
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    reply = waiting(cast)
    assert "Enter a valid phone number" in alice.post(where(reply), {"writer": "1", "number": "12"}).text
    assert "Enter the phone number." in alice.post(where(reply), {"writer": "1", "number": ""}).text
    page = alice.post(where(reply), {"writer": "1", "number": STRANGER}, follow=True).text
    assert "is the sender. Now choose what the message means." in page
    assert "STOP" in page
    assert "Wrong sender?" in page
    assert STRANGER not in page
    named = waiting(cast)
    assert named.caller_id is not None
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.get(pk=named.caller_id).has_evidence
        event = Event.objects.get(action="reply.writer_named")
        assert STRANGER not in str(event.details)
    purposes = [purpose.value for purpose in (Purpose.RECORD, Purpose.CONTACT)]
    answer = alice.post(where(reply), {"decision": "withdrawn", "purposes": purposes}, follow=True)
    assert "Withdrawn: being recorded, being called and texted." in answer.text
    assert {(one.purpose, one.kind, one.caller_id, one.strength) for one in events(cast)} == {
        (purpose, EventKind.WITHDRAWN, named.caller_id, Strength.C)
        for purpose in (Purpose.RECORD, Purpose.CONTACT)
    }
    assert {one.happened_at for one in events(cast)} == {LATER}
    assert no_of(cast, STRANGER) == set(purposes)


def test_it_can_be_named_again_and_opens_still(cast: Cast, alice: Browser) -> None:
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    reply = waiting(cast)
    alice.post(where(reply), {"writer": "1", "number": STRANGER})
    first = waiting(cast).caller_id
    page = alice.post(where(reply), {"writer": "1", "number": SECOND}, follow=True).text
    assert waiting(cast).caller_id != first
    assert "STOP" in page


def test_it_can_be_from_nobody_we_know(cast: Cast, alice: Browser) -> None:
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    reply = waiting(cast)
    answer = alice.post(where(reply), {"decision": "nobody"}, follow=True)
    assert "Saved as an unknown sender" in answer.text
    assert waiting(cast).state == ReplyState.DECIDED
    assert events(cast) == []
    late = alice.post(where(reply), {"writer": "1", "number": STRANGER}, follow=True)
    assert "has already been decided" in late.text


def test_who_is_known_cannot_be_nobody(cast: Cast, alice: Browser) -> None:
    asked(cast)
    bring(cast, message("STOP", proven=False))
    reply = waiting(cast)
    assert reply.caller_id is not None
    assert "Pick one from the list" in alice.post(where(reply), {"decision": "nobody"}).text


def test_of_nobody_it_waits_on_and_counts_as_soon_as_somebody_is_named(cast: Cast, alice: Browser) -> None:
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    at = LATER + timedelta(days=20)
    assert texts.settle_undecided(agency_id=cast.acme.pk, at=at) == 0
    assert waiting(cast).state == ReplyState.WAITING
    texts.purge(agency_id=cast.acme.pk, at=LATER + timedelta(days=90))
    alice.post(where(waiting(cast)), {"writer": "1", "number": STRANGER})
    assert texts.settle_undecided(agency_id=cast.acme.pk, at=at) == 1
    assert {one.purpose for one in events(cast)} == EVERYTHING


# --- Ten days ---


@pytest.mark.parametrize("words", some(["STOP", "we have got to STOP this bill"], one_in=2))
def test_a_withdrawal_that_is_not_proven_counts_after_ten_days(
    cast: Cast, alice: Browser, words: str
) -> None:
    row = asked(cast)
    assert bring(cast, message(words, proven=False)) is Outcome.WAITING
    assert "bill" not in waiting(cast).why
    assert "unless decided by" in alice.get(where(waiting(cast))).text
    texts.settle_undecided(agency_id=cast.acme.pk, at=LATER + timedelta(days=10) - timedelta(seconds=1))
    assert events(cast) == []
    texts.settle_undecided(agency_id=cast.acme.pk, at=LATER + timedelta(days=10))
    assert {(one.purpose, one.caller_id) for one in events(cast)} == {
        (purpose, row.caller_id) for purpose in EVERYTHING
    }
    assert no_of(cast, NUMBER) == {purpose.value for purpose in EVERYTHING}


@pytest.mark.parametrize("words", ["STOP", "I agree"])
def test_words_that_do_not_open_any_more_are_none_and_what_they_were_counts(cast: Cast, words: str) -> None:
    both_asked(cast)
    assert bring(cast, message(words, proven=False)) is Outcome.WAITING
    assert waiting(cast).caller_id is None
    vault_services.destroy_purpose_key(client_id=cast.dentist.pk, purpose=ledger.EVIDENCE)
    vault_services.purpose_key(client_id=cast.dentist.pk, purpose=ledger.EVIDENCE, at=LATER)
    assert texts.settle_undecided(agency_id=cast.acme.pk, at=LATER + timedelta(days=10)) == 1
    assert waiting(cast).state == ReplyState.DECIDED
    assert {event.purpose for event in events(cast)} == (EVERYTHING if words == "STOP" else set())


def test_reading_makes_no_key(cast: Cast) -> None:
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    vault_services.destroy_purpose_key(client_id=cast.dentist.pk, purpose=ledger.EVIDENCE)
    with job_scope(agency_id=cast.acme.pk):
        assert texts.read_reply(reply=waiting(cast), by=BY, at=LATER) is None
    key_id = vault.purpose_id(cast.dentist.pk, ledger.EVIDENCE)
    assert vault.uncalled_key(vault.client_keys(cast.dentist.pk), key_id) is None


def test_a_yes_that_is_not_proven_is_nothing_after_ten_days(cast: Cast) -> None:
    asked(cast)
    assert bring(cast, message("I agree", proven=False)) is Outcome.WAITING
    texts.settle_undecided(agency_id=cast.acme.pk, at=LATER + timedelta(days=10))
    assert events(cast) == []
    assert waiting(cast).state == ReplyState.DECIDED


# --- An address that several people gave ---


def test_a_proven_withdrawal_from_a_shared_address_counts_for_each(cast: Cast) -> None:
    both_asked(cast)
    assert bring(cast, message("STOP")) is Outcome.WITHDRAWN
    assert no_of(cast, NUMBER) == no_of(cast, SECOND) == {purpose.value for purpose in EVERYTHING}


def test_a_yes_from_a_shared_address_waits_and_a_person_is_picked(cast: Cast, alice: Browser) -> None:
    both_asked(cast)
    assert bring(cast, message("I agree")) is Outcome.WAITING
    reply = waiting(cast)
    assert "Several callers have this address" in reply.why
    page = alice.get(where(reply)).text
    assert "2 callers gave the sender's address" in page
    assert "Choose the sender." in alice.post(where(reply), {"writer": "1"}).text
    assert "Enter the phone number." in alice.post(where(reply), {"writer": "1", "caller": "else"}).text
    with job_scope(agency_id=cast.acme.pk):
        picked = Invitation.objects.for_client(cast.dentist).order_by("pk").first()
        assert picked is not None
    alice.post(where(reply), {"writer": "1", "caller": str(picked.caller_id)})
    assert waiting(cast).caller_id == picked.caller_id
    alice.post(where(reply), {"writer": "1", "caller": "else", "number": STRANGER})
    assert waiting(cast).caller_id not in {None, picked.caller_id}


def test_a_doubtful_one_from_a_shared_address_counts_for_each_after_ten_days(
    cast: Cast, alice: Browser
) -> None:
    both_asked(cast)
    assert bring(cast, message("STOP", proven=False)) is Outcome.WAITING
    assert "then for every caller with this address" in alice.get(where(waiting(cast))).text
    texts.settle_undecided(agency_id=cast.acme.pk, at=LATER + timedelta(days=10))
    assert no_of(cast, NUMBER) == no_of(cast, SECOND) == {purpose.value for purpose in EVERYTHING}


# --- What withdraws and asks for more ---


def test_what_withdraws_and_asks_for_more_counts_at_once_and_is_read(cast: Cast) -> None:
    asked(cast)
    outcome = bring(cast, message("Please stop recording me and delete all my data."))
    assert outcome is Outcome.WAITING
    assert "has another request" in waiting(cast).why
    assert Purpose.RECORD in {one.purpose for one in events(cast) if one.channel == Channel.EMAIL}


# --- Who may ---


@pytest.mark.parametrize(
    ("person", "status"),
    some([("bob", 403), ("carol", 403), ("mallory", 404)], one_in=3, each=lambda case: case[1]),
)
def test_nobody_else_says_who_wrote_it(cast: Cast, person: str, status: int) -> None:
    version(cast)
    bring(cast, message("STOP", "stranger@elsewhere.example"))
    browser: Any = signed_in(getattr(cast, person))
    assert browser.get(where(waiting(cast))).status_code == status
    assert browser.post(where(waiting(cast)), {"writer": "1", "number": STRANGER}).status_code == status
    assert waiting(cast).caller_id is None
