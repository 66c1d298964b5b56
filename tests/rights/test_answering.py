"""Letters, the client's word, reminders and the year's figures: what leaves, once, to whom, and what it may not say."""

import csv
import io
import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.lib.mail import Fault
from callprivacy.tenancy.enums import Answerer, KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item, Notification
from consent.enums import Language
from retention.selectors import due
from rights import kinds
from rights.channels import links
from rights.channels.links import Named
from rights.enums import (
    ApprovalKind,
    ApprovalState,
    Ask,
    CaseState,
    Channel,
    Decided,
    EventKind,
    Kind,
    LetterState,
    LetterWay,
)
from rights.law.grounds import grounds_for
from rights.letters import Filled
from rights.models import Approval, Case, CaseEvent, Letter, RecipientNotice, RequestPage
from rights.selectors import metrics, words
from rights.services import approvals, cases, deciding, letters, notice, reminders
from rights.services.cases import Contact
from rights.tasks import letters as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.aside import Beside
from tests.cast import Cast
from tests.numbers import hints, says
from tests.rights import asking
from tests.scale import some

pytestmark = pytest.mark.django_db

NOW = make.now
DIGITS = re.compile(r"212\D*555\D*0101")


def _open(cast: Cast, ask: Ask = Ask.DELETE, *, at: datetime | None = None, **facts: Any) -> Case:
    """A case of the dentist's whose person has proven who asks and was looked for."""
    submission = asking.asked(cast.dentist, ask, at=at or NOW(), **facts)
    if ask.needs_proof:
        asking.prove(submission, at=at or NOW())
        asking.search(submission, at=at or NOW())
    return asking.case_of(submission, ask)


# --- Letters ------------------------------------------------------------------------------------------------------


def test_a_letter_is_seen_before_it_leaves_and_leaves_once(cast: Cast) -> None:
    case = _open(cast)
    browser = signed_in(cast.alice)
    shown = browser.post(f"/requests/{case.pk}/letters/", {"letter": "acknowledgement", "words": ""})
    page = shown.content.decode()
    assert case.reference in page
    assert "/q/" in page
    with job_scope(agency_id=cast.acme.pk):
        assert not Letter.objects.exists()

    sent = browser.post(
        f"/requests/{case.pk}/letters/send/",
        {"letter": "acknowledgement", "subject": "We have it", "body": "Hello.", "way": "mail"},
    )
    assert sent.status_code == 302
    tasks.send_letters()
    tasks.send_letters()
    assert [(one.to, one.subject, one.body) for one in mail.outbox] == [
        (["anna@example.org"], "We have it", "Hello.")
    ]
    assert mail.outbox[0].extra_headers["From"].startswith("Dentist LLC <")
    with job_scope(agency_id=cast.acme.pk):
        assert Letter.objects.get().state == LetterState.SENT
        case.refresh_from_db()
        assert case.acknowledged_at is not None
    assert "Hello." in browser.get(f"/requests/{case.pk}/letters/{_letter(cast).pk}/").content.decode()


def test_an_answer_to_a_letter_goes_where_somebody_reads_it(cast: Cast) -> None:
    case = _open(cast, Ask.RESTRICT)
    browser, said = signed_in(cast.alice), {"letter": "restriction_ends", "words": "It ends on Monday."}
    asked = f"/requests/{case.pk}/letters/"
    assert "If you do not agree, use your page: http" in browser.post(asked, said).content.decode()

    with job_scope(agency_id=cast.acme.pk):
        notice.open_page(agency_id=cast.acme.pk, client=cast.dentist, at=NOW())
        RequestPage.objects.update(email="privacy@dentist.example")
    shown = browser.post(asked, said).content.decode()
    assert "write to privacy@dentist.example or use your page: http" in shown
    browser.post(f"{asked}send/", said | {"subject": "It ends", "body": "On Monday.", "way": "mail"})
    tasks.send_letters()
    assert mail.outbox[0].message()["Reply-To"] == "privacy@dentist.example"


def _letter(cast: Cast) -> Letter:
    with job_scope(agency_id=cast.acme.pk):
        return Letter.objects.get()


def test_no_letter_of_ours_names_the_number(cast: Cast) -> None:
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=5))
    case = _open(cast)
    browser = signed_in(cast.alice)
    for name in ("acknowledgement", "proof_wanted", "extension", "clarification"):
        said = {"letter": name, "words": "Please send us a sentence."}
        page = browser.post(f"/requests/{case.pk}/letters/", said).content.decode()
        assert not DIGITS.search(page), name


@pytest.mark.parametrize(
    ("name", "words", "told"),
    some(
        [
            ("refused", "Because it is so.", "Decide the request with a ground first"),
            ("proof_wanted", "", "This letter needs your words"),
            ("erased", "", "Nothing was done yet"),
            ("copy_ready", "", "Pick one from the list"),
        ],
        one_in=2,
    ),
)
def test_a_letter_that_lacks_something_says_what(cast: Cast, name: str, words: str, told: str) -> None:
    case = _open(cast)
    answer = signed_in(cast.alice).post(f"/requests/{case.pk}/letters/", {"letter": name, "words": words})
    assert answer.status_code == 422
    assert told in answer.content.decode()


def test_who_named_no_mail_gets_a_printed_letter(cast: Cast) -> None:
    case = _open(cast, contact=Contact(name="Anna", post="1 Main Street"))
    said = {"letter": "acknowledgement", "subject": "We have it", "body": "Hello.", "way": "mail"}
    browser = signed_in(cast.alice)
    answer = browser.post(f"/requests/{case.pk}/letters/send/", said)
    assert answer.status_code == 422
    assert "no mail address" in answer.content.decode()
    printed = browser.post(f"/requests/{case.pk}/letters/send/", said | {"way": LetterWay.POST})
    assert browser.get(printed["Location"]).status_code == 200
    assert _letter(cast).state == LetterState.SENT


def test_a_letter_that_nobody_takes_waits_for_a_person(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_sent", lambda *_: Fault("SMTPServerDisconnected", is_recipients=False))
    case = _open(cast)
    signed_in(cast.alice).post(
        f"/requests/{case.pk}/letters/send/",
        {"letter": "acknowledgement", "subject": "We have it", "body": "Hello.", "way": "mail"},
    )
    at = began = NOW()

    def refuse(times: int, fault: Fault) -> None:
        nonlocal at
        for _ in range(times):
            at += letters.MAIL_AGAIN_AFTER
            for one in letters.claim_letters(agency_id=cast.acme.pk, at=at, limit=5):
                letters.letter_not_taken(agency_id=cast.acme.pk, letter_id=one.letter_id, fault=fault)

    refuse(150, Fault("ConnectionRefusedError", is_recipients=False))
    assert (_letter(cast).state, _letter(cast).attempts) == (LetterState.WAITING, 0)
    with job_scope(agency_id=cast.acme.pk):
        oldest, waiting = due.outbox(cast.acme.pk, at)
    assert oldest is not None
    assert oldest >= (at - began).total_seconds()
    assert waiting >= 1
    refuse(letters.MOST_ATTEMPTS + 1, Fault("SMTPRecipientsRefused", is_recipients=True))
    assert _letter(cast).state == LetterState.FAILED
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=kinds.LETTER_FAILED).exists()
    signed_in(cast.alice).post(f"/requests/{case.pk}/letters/{_letter(cast).pk}/again/")
    assert _letter(cast).state == LetterState.WAITING


def test_a_letter_that_does_not_open_keeps_none_behind_it_and_waits_for_a_person(cast: Cast) -> None:
    case, at = _open(cast), NOW()
    first, second = (
        asking.Office(cast).does(
            letters.send_letter,
            case=case,
            name="acknowledgement",
            text=Filled("We have it", "Hello."),
            way=LetterWay.MAIL,
            at=at + timedelta(seconds=number),
        )
        for number in range(2)
    )
    with job_scope(agency_id=cast.acme.pk):
        Letter.objects.filter(pk=first.pk).update(body=b"\x01" + bytes(60))
    at += timedelta(seconds=2)
    assert [one.letter_id for one in letters.claim_letters(agency_id=cast.acme.pk, at=at, limit=5)] == [
        second.pk
    ]
    letters.letter_sent(agency_id=cast.acme.pk, letter_id=second.pk, at=at)
    for _ in range(letters.MOST_ATTEMPTS):
        at += letters.MAIL_AGAIN_AFTER
        assert letters.claim_letters(agency_id=cast.acme.pk, at=at, limit=5) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Letter.objects.get(pk=first.pk).state == LetterState.FAILED
        assert Item.objects.open().filter(kind=kinds.LETTER_FAILED).exists()


def test_an_answer_carries_the_ground_and_closes_nothing_by_itself(cast: Cast) -> None:
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    case = _open(cast, Ask.DELETE, place=("DE", ""))
    browser = signed_in(cast.alice)
    said = {
        "decided": "refuse",
        "ground": "gdpr-erase-claims",
        "words": "A claim of yours is before a court.",
    }
    assert browser.post(f"/requests/{case.pk}/decide/", said | {"ground": ""}).status_code == 422
    assert browser.post(f"/requests/{case.pk}/decide/", said | {"ground": "ccpa-twice"}).status_code == 422
    assert browser.post(f"/requests/{case.pk}/decide/", said).status_code == 302
    page = browser.get(f"/requests/{case.pk}/letters/answer/").content.decode()
    assert "art. 17(3)(e)" in page
    assert "A claim of yours is before a court." in page
    assert "data protection authority" in page
    case = asking.case_of(case.submission, Ask.DELETE)
    assert (case.state, case.decided) == (CaseState.DECIDED, Decided.REFUSE)
    browser.post(f"/requests/{case.pk}/close/")
    assert asking.case_of(case.submission, Ask.DELETE).state == CaseState.DONE


@pytest.mark.parametrize("decided", ["fulfil", "part"])
def test_an_erasure_is_decided_on_what_the_page_has_shown(cast: Cast, decided: str) -> None:
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=5))
    case = _open(cast, Ask.DELETE, place=("DE", ""))
    browser, path = signed_in(cast.alice), f"/requests/{case.pk}/decide/"
    said = {"decided": decided, "ground": "", "words": ""}
    if decided == "part":
        said |= {"ground": "gdpr-erase-claims", "words": "A claim of yours is before a court."}
    first = asking.seen(browser.get(path).text)
    assert browser.get(path).text.count(first) == 1
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=4))
    late = browser.post(path, said | {"shown": first})
    assert late.status_code == 422
    assert "Look again, then decide" in late.text
    assert browser.post(path, said).status_code == 422
    assert asking.case_of(case.submission, Ask.DELETE).decided_at is None
    again = asking.seen(late.text)
    assert again != first
    assert browser.post(path, said | {"shown": again}).status_code == 302
    assert asking.case_of(case.submission, Ask.DELETE).decided == decided


# --- The client's word --------------------------------------------------------------------------------------------


def _asked(
    cast: Cast, case: Case, kind: ApprovalKind = ApprovalKind.APPROVE, said: str = "We would erase it."
) -> str:
    """Ask the client, let the mail leave; the link's path."""
    office = asking.Office(cast)
    office.does(
        approvals.ask_client,
        case=case,
        kind=kind,
        to="owner@dentist.example",
        said=said,
        at=NOW(),
        is_vouched=True,
    )
    mail.outbox.clear()
    tasks.ask_clients()
    tasks.ask_clients()
    (letter,) = mail.outbox
    assert letter.to == ["owner@dentist.example"]
    found = re.search(r"http://[^/]+(/approve/[^/\s]+/)", str(letter.body))
    assert found is not None
    return found[1]


def test_the_client_answers_once_by_a_link_without_an_account_or_a_number(cast: Cast) -> None:
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=5))
    case = _open(cast)
    path = _asked(cast, case)
    assert asking.case_of(case.submission, Ask.DELETE).state == CaseState.WITH_CLIENT
    stranger = Browser()
    page = stranger.get(path).content.decode()
    assert case.reference in page
    assert "We would erase it." in page
    assert not DIGITS.search(page)
    assert not hints(page, asking.ANNA)
    assert "anna@" not in page.lower()
    assert "Anna" not in page

    assert stranger.post(path, {"name": "Dana", "agrees": "no", "words": ""}).status_code == 422
    receipt = stranger.post(path, {"name": "Dana", "agrees": "yes", "words": ""}).content.decode()
    assert "You agreed" in receipt
    again = stranger.post(path, {"name": "Mallory", "agrees": "no", "words": "Stop."}).content.decode()
    assert "You agreed" in again
    assert "Mallory" not in again
    tasks.ask_clients()
    with job_scope(agency_id=cast.acme.pk):
        assert Approval.objects.get().state == ApprovalState.APPROVED
        assert Item.objects.open().filter(kind=kinds.CLIENT_ANSWERED).exists()
    case = asking.case_of(case.submission, Ask.DELETE)
    assert case.state == CaseState.OPEN
    assert "Dana" in signed_in(cast.alice).get(f"/requests/{case.pk}/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not deciding.needs_approval(case)


def test_a_later_no_of_the_client_counts_and_who_decides_reads_it(cast: Cast) -> None:
    asking.answered_by(cast.dentist, Answerer.AFTER_APPROVAL)
    case, office, browser = _open(cast), asking.Office(cast), signed_in(cast.alice)
    page, fulfil = f"/requests/{case.pk}/decide/", {"decided": "fulfil"}
    assert "The client’s last answer" not in browser.get(page).text

    def answer(minutes: int, agrees: bool, said: str) -> None:
        at = NOW() + timedelta(minutes=minutes)
        question = office.does(
            approvals.ask_client, case=case, kind=ApprovalKind.APPROVE, to="owner@dentist.example", said="",
            is_vouched=True, at=at,
        )  # fmt: skip
        office.does(
            approvals.answer_signed_in, approval=question, agrees=agrees, name="Dana", said=said, at=at
        )

    answer(0, True, "Go ahead.")
    shown = browser.get(page).text
    assert "Go ahead." in shown
    assert "must approve first" not in shown
    answer(1, False, "Not before 212-555-0101 was called.")
    shown = browser.get(page).text
    assert "must approve first" in shown
    assert "Go ahead." not in shown
    assert not DIGITS.search(shown)
    said = " ".join(shown[shown.index("The client’s last answer") :].split())
    assert "Not agreed" in said
    assert "Dana" in said
    assert re.search(r"Dana, <time [^>]+>\d{1,2} [A-Z][a-z]{2} \d{4}", said)
    assert "Not before [number] was called." in said
    assert not DIGITS.search(browser.get(f"/requests/{case.pk}/").text)
    refused = browser.post(page, fulfil)
    assert (refused.status_code, "The client must approve" in refused.text) == (422, True)
    answer(2, True, "Now you may.")
    with job_scope(agency_id=cast.acme.pk):
        last = Approval.objects.order_by("-answered_at").first()
        assert last is not None
        Approval.objects.filter(pk=last.pk).update(state=ApprovalState.WITHDRAWN)
        assert deciding.needs_approval(case), "a question that was taken back is no answer"
        Approval.objects.filter(pk=last.pk).update(state=ApprovalState.APPROVED)
    fulfil["shown"] = asking.seen(browser.get(page).text)
    assert browser.post(page, fulfil).status_code == 302


@pytest.mark.parametrize("agrees_first", [True, False])
def test_a_client_is_told_that_nothing_happens_without_its_word_only_where_that_is_so(
    cast: Cast, agrees_first: bool
) -> None:
    asking.answered_by(cast.dentist, Answerer.AFTER_APPROVAL if agrees_first else Answerer.AGENCY)
    case = _open(cast)
    promised = "Without your word nothing is erased"
    page = Browser().get(_asked(cast, case)).text
    letter = str(mail.outbox[0].body)
    assert (promised in page, promised in letter) == (agrees_first, agrees_first)
    otherwise = "may be answered before your word has come"
    assert (otherwise in page, otherwise in letter) == (not agrees_first, not agrees_first)
    with job_scope(agency_id=cast.acme.pk):
        assert deciding.needs_approval(case) == agrees_first


@pytest.mark.django_db(transaction=True)
def test_who_decides_and_the_client_who_answers_in_that_moment_take_turns(cast: Cast) -> None:
    case, office = _open(cast), asking.Office(cast)
    question = office.does(
        approvals.ask_client, case=case, kind=ApprovalKind.APPROVE, to="owner@dentist.example", said="",
        is_vouched=True, at=NOW(),
    )  # fmt: skip
    answer = partial(
        approvals.answer_signed_in,
        approval=question,
        agrees=True,
        name="Dana",
        said="",
        by=office.by,
        at=NOW(),
    )

    with staff_scope(**office.scope):
        held = Case.objects.select_for_update().get(pk=case.pk)  # as `decide` begins
        client = Beside(cast.acme.pk, answer)
        client.let_it_come()
        approvals.withdraw_open(case=held, by=office.by, at=NOW())

    with pytest.raises(approvals.AnsweredError, match="not open any more"):
        client.end()


def test_a_question_that_does_not_open_keeps_none_behind_it(cast: Cast) -> None:
    asked = []
    for number in range(2):
        case = _open(cast)
        asking.Office(cast).does(
            approvals.ask_client, case=case, kind=ApprovalKind.APPROVE, to="owner@dentist.example", said="",
            at=NOW() + timedelta(seconds=number), is_vouched=True,
        )  # fmt: skip
        with job_scope(agency_id=cast.acme.pk):
            asked.append(Approval.objects.get(case=case).pk)
    with job_scope(agency_id=cast.acme.pk):
        Approval.objects.filter(pk=asked[0]).update(asked=b"\x01" + bytes(60))
    at = NOW() + timedelta(minutes=1)
    assert [
        one.approval_id for one in approvals.claim_mails(agency_id=cast.acme.pk, at=at, limit=5)
    ] == asked[1:]


def test_a_question_that_no_server_takes_makes_the_outbox_old(cast: Cast) -> None:
    at = NOW()
    asking.Office(cast).does(
        approvals.ask_client, case=_open(cast), kind=ApprovalKind.APPROVE, to="owner@dentist.example", said="",
        at=at, is_vouched=True,
    )  # fmt: skip
    for _ in range(6):
        assert len(approvals.claim_mails(agency_id=cast.acme.pk, at=at, limit=5)) == 1
        at += approvals.MAIL_AGAIN_AFTER
    with job_scope(agency_id=cast.acme.pk):
        assert due.outbox(cast.acme.pk, at) == (3600, 1)


def test_a_mail_that_goes_again_has_another_link_and_no_link_is_kept(cast: Cast) -> None:
    case = _open(cast)
    first = _asked(cast, case)
    with job_scope(agency_id=cast.acme.pk):
        row = Approval.objects.get(case=case)
        kept = words.record(row.asked, words.key_of(case.submission))
        Approval.objects.filter(pk=row.pk).update(mail_due_at=NOW())
    assert first.split("/")[2] not in str(kept)
    mail.outbox.clear()
    tasks.ask_clients()
    (letter,) = mail.outbox
    second = re.search(r"http://[^/]+(/approve/[^/\s]+/)", str(letter.body))
    assert second is not None
    assert Browser().get(first).status_code == 404
    assert Browser().get(second[1]).status_code == 200


def test_a_link_that_is_none_or_was_taken_back_opens_nothing(cast: Cast) -> None:
    case = _open(cast)
    path = _asked(cast, case)
    none = Browser().get("/approve/none-of-ours/")
    with job_scope(agency_id=cast.acme.pk):
        row = Approval.objects.get()
        assert row.asked is not None
        assert path.split("/")[2].encode() not in bytes(row.digest)
        key = PublicKey.objects.get(purpose=KeyPurpose.APPROVAL).key
    assert key not in path
    assert signed_in(cast.alice).post(f"/requests/{case.pk}/asked/{row.pk}/back/").status_code == 302
    gone = Browser().get(path)
    assert (none.status_code, gone.status_code) == (404, 404)
    assert asking.case_of(case.submission, Ask.DELETE).state == CaseState.OPEN


def test_a_link_goes_to_whom_the_client_is_known_to_have_or_to_whom_somebody_vouches_for(cast: Cast) -> None:
    case = _open(cast)
    browser, ask = signed_in(cast.alice), f"/requests/{case.pk}/ask/approve/"
    said = {"to": "mallory@elsewhere.example", "words": "We would erase it."}
    refused = browser.post(ask, said)
    assert refused.status_code == 422
    assert "Nobody at the client is known by this address" in refused.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Approval.objects.exists()
    assert browser.post(ask, said | {"is_vouched": "on"}).status_code == 302

    make.grant(cast.bob, cast.dentist, Role.APPROVER)
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.bob.pk).update(role=Role.APPROVER)
    other = _open(cast, Ask.CORRECT)
    known = {"to": cast.bob.user.email.upper(), "words": ""}
    assert browser.post(f"/requests/{other.pk}/ask/approve/", known).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        asked = CaseEvent.objects.filter(kind=EventKind.APPROVAL_ASKED).order_by("pk")
        assert [row.details["address"] for row in asked] == ["vouched for", "approver"]


def test_a_case_that_is_closed_asks_its_client_nothing_more(cast: Cast) -> None:
    case = _open(cast)
    path = _asked(cast, case)
    asking.Office(cast).does(cases.take_back, case=case, at=NOW())
    with job_scope(agency_id=cast.acme.pk):
        assert Approval.objects.get().state == ApprovalState.WITHDRAWN
    page = Browser().post(path, {"name": "Dana", "agrees": "yes", "words": ""})
    assert "not open any more" in page.content.decode()


def test_a_question_that_nobody_answers_comes_back(cast: Cast) -> None:
    case = _open(cast)
    path = _asked(cast, case)
    approvals.sweep(agency_id=cast.acme.pk, at=NOW() + approvals.GOOD_FOR)
    assert asking.case_of(case.submission, Ask.DELETE).state == CaseState.OPEN
    assert "not open any more" in Browser().get(path).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=kinds.CLIENT_SILENT).exists()


def test_a_case_is_handed_over_with_a_receipt(cast: Cast) -> None:
    asking.answered_by(cast.dentist, Answerer.CLIENT)
    case = _open(cast)
    path = _asked(cast, case, ApprovalKind.TAKE_OVER)
    assert (
        "You have it" in Browser().post(path, {"name": "Dana", "agrees": "yes", "words": ""}).content.decode()
    )
    case = asking.case_of(case.submission, Ask.DELETE)
    assert case.state == CaseState.HANDED_OVER
    assert case.client_has_it_at is not None
    page = (
        signed_in(cast.alice)
        .post(f"/requests/{case.pk}/letters/", {"letter": "handed_over"})
        .content.decode()
    )
    assert "Dentist LLC" in page


@pytest.mark.parametrize(
    ("stands", "why"),
    some([
        ({"state": CaseState.WITH_CLIENT}, ""),
        ({"state": CaseState.HANDED_OVER}, ""),
        ({"state": CaseState.HANDED_OVER, "client_has_it_at": make.NOON}, "has taken {} over, and answers it"),
        ({"state": CaseState.OPEN, "client_has_it_at": make.NOON}, ""),
        ({"state": CaseState.DECIDED, "decided": Decided.REFUSE, "decided_at": make.NOON}, "{} is decided already"),
        ({"state": CaseState.WITHDRAWN, "closed_at": make.NOON}, "{} is closed"),
    ], one_in=6, each=lambda case: bool(case[1])),
)  # fmt: skip
def test_the_pages_offer_a_decision_where_it_would_be_taken(
    cast: Cast, stands: dict[str, Any], why: str
) -> None:
    case, browser = _open(cast), signed_in(cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(**stands)
    path = f"/requests/{case.pk}/decide/"
    assert (f'href="{path}"' in browser.get(f"/requests/{case.pk}/").content.decode()) is (why == "")
    answer = browser.get(path)
    assert answer.status_code == (302 if why else 200)
    if why:
        shown = browser.get(f"/requests/{case.pk}/").content.decode()
        assert why.format(case.reference) in shown
        with pytest.raises(
            (deciding.AlreadyDoneError, deciding.ClosedError), match=why.format(case.reference)
        ):
            asking.Office(cast).does(
                deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=NOW()
            )


def test_a_case_whose_person_has_proven_nothing_comes_back_unproven(cast: Cast) -> None:
    asking.answered_by(cast.dentist, Answerer.CLIENT)
    submission = asking.asked(cast.dentist, Ask.DELETE, at=NOW())
    path = _asked(cast, asking.case_of(submission, Ask.DELETE), ApprovalKind.TAKE_OVER)
    assert Browser().post(path, {"name": "Dana", "agrees": "no", "words": "Not ours."}).status_code == 200
    assert asking.case_of(submission, Ask.DELETE).state == CaseState.PROVING


def _approver(cast: Cast) -> Browser:
    """Bob, who approves for the dentist, signed in."""
    make.grant(cast.bob, cast.dentist, Role.APPROVER)
    with job_scope(agency_id=cast.acme.pk):
        cast.bob.role = Role.APPROVER
        cast.bob.save(update_fields=["role"])
    return signed_in(cast.bob)


@pytest.mark.parametrize(
    ("kind", "answers", "means"),
    [
        (
            ApprovalKind.APPROVE,
            ["Yes, do it", "No, or do it otherwise"],
            "If you approve, Acme may do it.",
        ),
        pytest.param(
            ApprovalKind.TAKE_OVER,
            ["We have it, and answer the person", "It is not ours to answer"],
            "If you accept it, you answer the person",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_both_doors_ask_the_client_the_same_with_the_same_two_answers(
    cast: Cast, kind: ApprovalKind, answers: list[str], means: str
) -> None:
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=5))
    case = _open(cast)
    path = _asked(cast, case, kind, "We would erase what 212-555-0101 left.")
    make.call(cast.dentist, asking.ANNA, at=NOW() - timedelta(days=4))
    asking.search(case.submission, at=NOW())
    browser, here = _approver(cast), f"/requests/{case.pk}/"
    with job_scope(agency_id=cast.acme.pk):
        row = Approval.objects.get()
    asked = []
    for page in (Browser().get(path).text, browser.get(here).text):
        shown = page[page.index('<dl class="facts">') : page.index("</form>", page.index('name="agrees"'))]
        assert "Call records: 1" in shown, "as it was found when it was asked"
        assert "We would erase what [number] left." in shown
        assert means in shown
        assert not DIGITS.search(page)
        asked.append(re.findall(r'name="agrees"[^>]*value="(yes|no)"[^>]*>\s*([^<]+?)\s*<', shown))
    assert asked[0] == asked[1] == list(zip(("yes", "no"), answers, strict=True))

    wrong = browser.post(f"{here}asked/{row.pk}/", {"name": "Bob", "agrees": "no", "words": ""})
    assert wrong.status_code == 422
    assert all(answer in wrong.text for answer in (*answers, means))
    gone = _open(cast, Ask.CORRECT)
    assert "Your answer" not in browser.get(f"/requests/{gone.pk}/").text
    assert "Your answer" not in signed_in(cast.alice).get(here).text


def test_the_approver_answers_where_signed_in(cast: Cast) -> None:
    case = _open(cast)
    _asked(cast, case)
    browser = _approver(cast)
    with job_scope(agency_id=cast.acme.pk):
        row = Approval.objects.get()
    assert "asks for your approval" in browser.get(f"/requests/{case.pk}/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        link = links.address_of(Named(case.agency_id, case.client_id or 0, case.submission_id))
    letter = asking.Office(cast).does(
        letters.send_letter, case=case, name="acknowledgement", way=LetterWay.POST,
        text=Filled("We have it", f"See {link} for how far it is."), at=NOW(),
    )  # fmt: skip
    shown = browser.get(f"/requests/{case.pk}/letters/{letter.pk}/").content.decode()
    assert "own page" in shown
    assert "/q/" not in shown
    said = {"name": "Bob", "agrees": "no", "words": "Keep the invoice calls."}
    assert browser.post(f"/requests/{case.pk}/asked/{row.pk}/", said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row.refresh_from_db()
        assert (row.state, row.answered_by_id) == (ApprovalState.REFUSED, cast.bob.user_id)


# --- Reminders ----------------------------------------------------------------------------------------------------


def test_each_mark_before_the_day_is_told_once(cast: Cast) -> None:
    case = _open(cast, at=make.NOON)
    asking.Office(cast).does(cases.assign, case=case, owner_id=cast.alice.user_id)
    assert case.answer_by is not None
    for left, kind in ((11, ""), (10, kinds.DUE), (7, ""), (5, kinds.DUE), (1, kinds.DUE), (-1, kinds.LATE)):
        at = datetime.combine(case.answer_by - timedelta(days=left), make.NOON.timetz())
        before = _told(cast)
        for _ in range(2):
            reminders.remind(agency_id=cast.acme.pk, at=at)
        after = _told(cast)
        assert after[len(before) :] == ([kind] if kind else []), left
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=kinds.LATE).count() == 1
    asking.Office(cast).does(cases.take_back, case=case)
    reminders.remind(agency_id=cast.acme.pk, at=make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind__in=[kinds.LATE, kinds.DUE]).exists()


def _told(cast: Cast) -> list[str]:
    """What alice was told of days, oldest first."""
    with job_scope(agency_id=cast.acme.pk):
        rows = Notification.objects.filter(
            user_id=cast.alice.user_id, kind__in=[kinds.DUE, kinds.LATE]
        ).order_by("at", "pk")
        return list(rows.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("days", "late", "mark"),
    [(30, False, ""), (10, False, "10"), (6, False, "10"), (5, False, "5"), (1, False, "1"), (0, False, "1"),
     (-3, True, "late")],
)  # fmt: skip
def test_the_nearest_mark_counts(days: int, late: bool, mark: str) -> None:
    assert reminders.mark_of(days, is_late=late) == mark


# --- Figures and recipients ---------------------------------------------------------------------------------------


def test_the_years_figures_count_kinds_answers_and_days(cast: Cast) -> None:
    for number, (ask, decided, days) in enumerate(
        [
            (Ask.DELETE, Decided.FULFIL, 4), (Ask.DELETE, Decided.REFUSE, 10), (Ask.DELETE, Decided.PART, 20),
            (Ask.SEE, Decided.FULFIL, 1), (Ask.COPY, "", None), (Ask.DO_NOT_SELL, Decided.FULFIL, 0),
            (Ask.DO_NOT_CONTACT, Decided.FULFIL, 0),
        ]
    ):  # fmt: skip
        at = datetime(2025, 12, 31, 23, 30, tzinfo=make.NOON.tzinfo) + timedelta(days=number + 1)
        row = asking.asked(cast.dentist, ask, at=at, place=("US", "CA"))
        with job_scope(agency_id=cast.acme.pk):
            if days is not None:
                Case.objects.filter(submission=row).update(
                    decided=decided, decided_at=at, answered_at=at + timedelta(days=days),
                    closed_at=at + timedelta(days=days), state=CaseState.DONE,
                )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        rows = {
            row.name: row
            for row in metrics.year_of(
                Case.objects.all(), 2026, zone="America/New_York", only_california=True
            )
        }
        none = metrics.year_of(Case.objects.all(), 2024, zone="UTC", only_california=False)
    delete, know, opt_out = rows["delete"], rows["know"], rows["opt_out"]
    assert (delete.received, delete.whole, delete.part, delete.denied) == (3, 1, 1, 1)
    assert (delete.median, round(delete.mean or 0, 1)) == (10, 11.3)
    assert (know.received, know.open, know.median) == (2, 1, 1)
    assert opt_out.received == 1, "an opt-out of calls is none of sale"
    assert all(row.received == 0 and row.median is None for row in none)
    browser = signed_in(cast.alice)
    assert "Requests to delete" in browser.get("/requests/figures/?year=2026").content.decode()
    lines = (
        browser.get("/requests/figures.csv?year=2026&client=dentist&law=ccpa").content.decode().splitlines()
    )
    assert lines[0].startswith("kind,received,complied_in_whole")
    assert lines[1] == "delete,3,1,1,1,0,0,0,10.0,11.3"


def test_the_record_has_the_six_fields_of_each_request_and_nobody_in_it(cast: Cast) -> None:
    refused = asking.asked(cast.dentist, Ask.DELETE, channel=Channel.POST, at=make.NOON)
    laws = [row["law"] for row in asking.case_of(refused, Ask.DELETE).laws]
    (why, *_) = grounds_for(Kind.DELETE, laws)
    asking.asked(cast.plumber, Ask.DO_NOT_SELL, at=make.NOON + timedelta(days=1))
    asking.asked(cast.florist, Ask.SEE, at=make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(submission=refused).update(
            decided=Decided.REFUSE, ground=why.id, decided_at=make.NOON, state=CaseState.DONE,
            answered_at=make.NOON + timedelta(days=9), closed_at=make.NOON + timedelta(days=9),
        )  # fmt: skip
    make.grant(cast.alice, cast.dentist)
    make.grant(cast.alice, cast.plumber)
    answer = signed_in(cast.alice).get("/requests/record.csv")
    first, second = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert first | {"reference": ""} == {
        "reference": "",
        "asked_of": cast.dentist.legal_name,
        "date_of_request": str(make.NOON.date()),
        "nature_of_request": "Delete my data",
        "manner": "Post",
        "date_of_response": str((make.NOON + timedelta(days=9)).date()),
        "nature_of_response": "Refused",
        "basis_of_denial": first["basis_of_denial"],
    }
    assert first["basis_of_denial"].startswith(why.words[Language.ENGLISH])
    assert (second["asked_of"], second["nature_of_response"]) == (cast.plumber.legal_name, "")
    assert "example.org" not in answer.content.decode()
    assert not says(answer.content.decode(), asking.ANNA)
    assert signed_in(cast.carol).get("/requests/record.csv").status_code == 403


def test_a_recipient_is_told_by_letter_and_leaves_a_receipt(cast: Cast) -> None:
    case = _open(cast)
    with job_scope(agency_id=cast.acme.pk):
        notice = RecipientNotice.objects.create(
            agency_id=case.agency_id, client=cast.dentist, case=case, about="erasure", way="ticket",
            recipient="Ad Network", ticket="Please erase it.", created_at=NOW(),
        )  # fmt: skip
    browser = signed_in(cast.alice)
    assert "Ad Network" in browser.get("/requests/told/").content.decode()
    path = f"/requests/{case.pk}/told/{notice.pk}/"
    assert "Please erase it." in browser.get(path).content.decode()
    browser.post(f"{path}sent/")
    assert browser.post(f"{path}confirmed/", {"receipt": ""}).status_code == 422
    browser.post(f"{path}confirmed/", {"receipt": "Case 4821, Dana, 26 Nov"})
    assert "Case 4821" in browser.get("/requests/told/?show=confirmed").content.decode()
    assert signed_in(cast.mallory).get(path).status_code == 404
