"""
No sentence about progress claims more than its rows.

A row of `CLAIMS` names a kind of sentence and a contradiction, plants rows of that contradiction, reads the text as its
reader does, and says what it has to say and what it must not. Another package adds rows.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from callprivacy.lib.status import TEXTS, Progress, Reader, Thing, words_for
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import job_scope
from consent.enums import EventKind, Language, VendorStep, WaitingState
from consent.models import VendorTask
from consent.services import destinations, limits
from rights.channels import links
from rights.enums import Ask, Decided, LetterState, LetterWay, NoticeState
from rights.law.rows import Counting
from rights.letters import Filled
from rights.models import Case, Download, Letter, Package, RecipientNotice
from rights.selectors import letters as letter_selectors
from rights.services import deciding, letters, passing
from tests import make
from tests.cast import Cast
from tests.consent.deciding import recorded as recorded_call
from tests.consent.deciding import say, work
from tests.make import NOON
from tests.retention.test_vendors import live
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_at_the_tracker import recorded
from tests.rights.test_portal import arrive, do, ids_on, open_page
from tests.rules import source
from tests.rules.claims import AT_NIGHT, DAY, LATER, MORE, NEXT, NIGHT, Claim, Ground, page, text_of
from tests.samples import new_york


def caller_page(case: Case, language: str = "en") -> str:
    link = links.link_of(links.Named(case.agency_id, case.client_id or 0, case.submission_id))
    return text_of(Browser().get(f"/q/{link}/?lang={language}").text)


def case_page(ground: Ground, case: Case) -> str:
    return page(ground.cast.alice, "rights:case", case.pk)


def letter(case: Case, language: Language = Language.ENGLISH) -> str:
    with job_scope(agency_id=case.agency_id):
        facts = letter_selectors.facts_of(case, language=language)
    return f"{facts['done']}\n{facts.get('stays', '')}"


# --- Recipient notifications --------------------------------------------------------------------------------------


def erased(ground: Ground) -> Case:
    """An erasure that two advertisers are to be notified of."""
    make.call(ground.cast.dentist, ANNA)
    for name in ("Adsy", "Bidly"):
        ground.office.does(
            destinations.add, client=ground.cast.dentist, name=name, contact="", instructions=""
        )
    return carried_out(ground)


def carried_out(ground: Ground) -> Case:
    submission = asking.asked(ground.cast.dentist, Ask.DELETE)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.DELETE)
    ground.office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(ground.cast.acme, at=LATER)
    return asking.case_of(submission, Ask.DELETE)


def notice(case: Case, name: str) -> RecipientNotice:
    with job_scope(agency_id=case.agency_id):
        return RecipientNotice.objects.get(case=case, recipient=name)


def one_sent(ground: Ground) -> Case:
    case = erased(ground)
    ground.office.does(passing.mark_sent, notice=notice(case, "Adsy"), at=LATER)
    return case


def one_failed(ground: Ground) -> Case:
    case = one_sent(ground)
    with job_scope(agency_id=case.agency_id):
        RecipientNotice.objects.filter(recipient="Bidly").update(state=NoticeState.FAILED)
    return case


def one_acknowledged(ground: Ground) -> Case:
    case = one_sent(ground)
    ground.office.does(passing.confirm, notice=notice(case, "Adsy"), receipt="A mail", at=LATER)
    return case


def unproven(ground: Ground) -> Case:
    """An opt-out of a number that nobody has proven."""
    ground.office.does(destinations.add, client=ground.cast.dentist, name="Adsy", contact="", instructions="")
    submission = asking.asked(ground.cast.dentist, Ask.DO_NOT_SELL)
    asking.work(ground.cast.acme, at=LATER)
    case = asking.case_of(submission, Ask.DO_NOT_SELL)
    with job_scope(agency_id=case.agency_id):
        RecipientNotice.objects.create(
            agency_id=case.agency_id, client=ground.cast.dentist, case=case, about="opt_out", way="ticket",
            recipient="Adsy", created_at=LATER,
        )  # fmt: skip
    return case


# --- Recordings at a tracker --------------------------------------------------------------------------------------


def at_tracker(ground: Ground, state: WaitingState = WaitingState.WAITING) -> Case:
    live(ground.cast.dentist, instructed=True)
    recorded(ground.cast.dentist)
    case = carried_out(ground)
    with job_scope(agency_id=case.agency_id):
        steps = VendorTask.objects.filter(step=VendorStep.DELETE_RECORDING)
        steps.update(state=state, sent_at=None if state == WaitingState.WAITING else LATER)
    return case


# --- The answer ---------------------------------------------------------------------------------------------------


def answered(ground: Ground, *, state: LetterState = LetterState.SENT, fetched: bool = False) -> Case:
    """A decided request whose answer was written in the client's evening."""
    make.call(ground.cast.dentist, ANNA)
    submission = asking.asked(ground.cast.dentist, Ask.COPY)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.COPY)
    ground.office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(ground.cast.acme, at=LATER)
    ground.office.does(
        letters.send_letter, case=case, name="copy_ready", way=LetterWay.PHONE, text=Filled("Ready", "Ready"),
        at=NIGHT,
    )  # fmt: skip
    with job_scope(agency_id=case.agency_id):
        Letter.objects.filter(case=case).update(
            state=state, sent_at=NIGHT if state == LetterState.SENT else None
        )
        if fetched:
            package = Package.objects.get(case=case)
            Download.objects.create(
                agency_id=case.agency_id, client_id=case.client_id, package=package, at=NIGHT
            )
    return asking.case_of(submission, Ask.COPY)


# --- Decisions ----------------------------------------------------------------------------------------------------


def decided_call(ground: Ground) -> str:
    """A recorded call whose caller agreed in the client's evening."""
    call = recorded_call(ground.cast.dentist)
    say(ground.cast.dentist, EventKind.GIVEN, call.caller_id, happened_at=NIGHT - timedelta(days=3))
    work(ground.cast.dentist)
    return page(ground.cast.alice, "calls:call", "dentist", call.pk)


# --- Letters ------------------------------------------------------------------------------------------------------


def acknowledged(ground: Ground, state: LetterState) -> Case:
    """A request whose acknowledgement was written by mail."""
    submission = asking.asked(ground.cast.dentist, Ask.COPY)
    case = asking.case_of(submission, Ask.COPY)
    ground.office.does(
        letters.send_letter, case=case, name="acknowledgement", way=LetterWay.MAIL, text=Filled("Here", "Here"),
        at=LATER,
    )  # fmt: skip
    with job_scope(agency_id=case.agency_id):
        Letter.objects.update(state=state, sent_at=NIGHT if state == LetterState.SENT else None)
    return case


def letter_page(ground: Ground, state: LetterState) -> str:
    case = answered(ground, state=state)
    with job_scope(agency_id=case.agency_id):
        row = Letter.objects.get()
    return page(ground.cast.alice, "rights:show_letter", case.pk, row.pk)


# --- Codes and courses --------------------------------------------------------------------------------------------


def fourth_code(ground: Ground) -> str:
    browser = Browser(headers={"accept-language": "en-US"})
    where = arrive(browser, open_page(ground.cast.dentist, ground.cast), Ask.DELETE)
    (identity,) = ids_on(browser, where)
    return text_of([do(browser, where, "code", identity=identity, way="text").text for _ in range(4)][-1])


def taught(_: Ground) -> str:
    return " ".join(
        (source.ROOT / "governance" / "courses" / f"{name}.toml").read_text()
        for name in ("requests", "privacy-basics")
    ) + " ".join(one.words for one in Counting)


CLAIMS = (
    Claim("the case's step", "an earlier state: planned", lambda g: case_page(g, erased(g)),
          ("Notify recipients Being notified: 0 of 2 sent",), ("Notify recipients Done", "Recipients told")),
    Claim("the case's timeline", "an earlier state: planned", lambda g: case_page(g, erased(g)),
          ("Recipient notifications planned",), ("Recipient notifications started",)),
    Claim("the case's timeline", "nobody to notify",
          lambda g: (make.call(g.cast.dentist, ANNA), case_page(g, carried_out(g)))[1],
          ("No recipients to notify",), ("Recipient notifications planned", "notifications started")),
    Claim("the list of notifications", "an earlier state: planned",
          lambda g: (erased(g), page(g.cast.alice, "rights:recipients"))[1],
          ("is to be notified of an erasure", "Waiting"), ("is told of", "says when it is done")),
    Claim("the caller's timeline", "an earlier state: planned", lambda g: caller_page(erased(g)),
          ("We are notifying the recipients of your data: 0 of 2",), ("were told", "were notified", "acknowledged")),
    Claim("the case's step", "sent but not acknowledged", lambda g: case_page(g, one_sent(g)),
          ("Notify recipients Sent to 1 of 2", "by Alice"), ("Notify recipients Done", "Last acknowledged")),
    Claim("the caller's timeline", "sent but not acknowledged", lambda g: caller_page(one_sent(g), "es"),
          ("1 de 2 avisos enviados",), ("Se avisó", "acuse de recibo")),
    Claim("the erasure's letter", "partly remaining", lambda g: letter(one_acknowledged(g)),
          ("sent to 1 of 2, acknowledged by 1",), ("were notified", "by 2 of 2")),
    Claim("the erasure's letter", "failed", lambda g: letter(one_failed(g)),
          ("sent to 1 of 2; not delivered to 1",), ("were notified", "2 of 2")),
    Claim("the caller's timeline", "hidden: nobody is proven", lambda g: caller_page(unproven(g)),
          ("It counts",), ("0 of", "of 1 sent", "Adsy")),
    Claim("the erasure's letter", "planned at the tracker", lambda g: letter(at_tracker(g), Language.SPANISH),
          ("Grabaciones en el proveedor de llamadas (Twilio): 1. Su eliminación está prevista",), ("ha confirmado",)),
    Claim("the caller's page", "requested, not confirmed", lambda g: caller_page(at_tracker(g, WaitingState.SENT)),
          ("What remains, and why", "Their deletion was requested: 1 of 1"), ("deletion there is confirmed",)),
    Claim("the case's erasure", "failed at the tracker", lambda g: case_page(g, at_tracker(g, WaitingState.FAILED)),
          ("Deletion at the call tracker: 0 of 1 requests sent; 1 failed",), ("tracker confirmed",)),
    Claim("the answer", "sent and downloaded, another time zone", lambda g: case_page(g, answered(g, fetched=True)),
          (f"Decided; answer sent on {DAY:%-d %b %Y}; package downloaded on {DAY:%-d %b %Y}", "Close request"),
          ("being carried out", f"answer sent on {NEXT:%-d %b}", "Write the answer Letter", "Write the answer More")),
    Claim("the answer", "failed", lambda g: case_page(g, answered(g, state=LetterState.FAILED)),
          ("Decided; answer not delivered", "Write the answer"), ("answer sent", "Close request")),
    Claim("the answer on the caller's page", "sent", lambda g: caller_page(answered(g)),
          (f"We sent you our answer on {DAY:%-d %B %Y}.",), ("Our answer follows", f"{NEXT:%-d %B}")),
    Claim("the letter", "an earlier state: being sent", lambda g: letter_page(g, LetterState.WAITING),
          ("by Alice. Being sent.",), ("Being sent 2", "Sent 2", "that it was sent")),
    Claim("the letter", "failed", lambda g: letter_page(g, LetterState.FAILED),
          ("by Alice. Not delivered.",), ("Not delivered 2", "Sent 2")),
    Claim("the letter", "sent, another time zone", lambda g: letter_page(g, LetterState.SENT),
          (f"Sent {AT_NIGHT}",), (f"Sent {NEXT:%-d %b}", "Not delivered")),
    Claim("the letter on the caller's page", "an earlier state: being sent",
          lambda g: caller_page(answered(g, state=LetterState.WAITING)),
          ("We are writing to you",), ("We wrote to you", "We sent you our answer")),
    Claim("the letter on the caller's page", "failed",
          lambda g: caller_page(answered(g, state=LetterState.FAILED), "es"),
          ("Nuestra carta para usted no se entregó",), ("Le escribimos",)),
    Claim("the acknowledgement", "an earlier state: being sent",
          lambda g: case_page(g, acknowledged(g, LetterState.WAITING)),
          ("Acknowledge receipt by Being sent", "Letter: being sent", "Acknowledgement: being sent"),
          ("heard", "Letter sent", "receipt by Sent")),
    Claim("the acknowledgement", "sent, another time zone",
          lambda g: case_page(g, acknowledged(g, LetterState.SENT)),
          (f"Acknowledge receipt by Sent {AT_NIGHT}",),
          (f"receipt by Sent {NEXT:%-d %b}", f"receipt by Sent {DAY:%-d %b %Y}, 08")),
    Claim("the acknowledgement on the caller's page", "failed",
          lambda g: caller_page(acknowledged(g, LetterState.FAILED)),
          ("Our letter to you was not delivered",), ("We wrote to you",)),
    Claim("the call's decision", "another time zone", decided_call,
          (f"Agreed on {new_york(NIGHT - timedelta(days=3), '%Y-%m-%d %H:%M:%S %Z')}", "in force on"),
          (f"{NIGHT - timedelta(days=3):%H:%M:%S} UTC", f"{NOON - timedelta(days=1):%H:%M:%S} UTC")),
    Claim("the code", "the limit is reached", fourth_code,
          ("No code was sent", f"from {new_york(NOON + timedelta(hours=1))}"), ("a code is on its way",)),
    Claim("the day of receipt", "it is not counted", taught,
          ("the day of receipt itself does not count", "The day of receipt does not count."),
          ("the day of receipt counts", "From the day on which it was received")),
    *MORE,
)  # fmt: skip


@pytest.fixture
def ground(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 0.0)
    monkeypatch.setattr(limits, "_SALT", f"truth {cast.acme.pk} {id(cast)}")
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    with time_machine.travel(NOON, tick=True):
        yield Ground(cast, Office(cast))


@pytest.mark.django_db
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: f"{one.kind}: {one.rows}")
def test_sentence_claims_no_more_than_its_rows(ground: Ground, claim: Claim) -> None:
    text = claim.reads(ground)
    assert claim.faults(text) == [], text


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: f"{one.kind}: {one.rows}")
def test_planted_untruth_is_found(claim: Claim) -> None:
    truth = ". ".join(claim.says)
    assert claim.faults(truth) == []
    assert claim.never
    assert all(claim.faults(f"{truth}. {lie}") for lie in claim.never)
    assert claim.faults("")


COUNTED = [one for one in TEXTS if "{" in TEXTS[one]["planned" if "planned" in TEXTS[one] else "sent"]]
SINGLE = [one for one in TEXTS if one not in COUNTED]
ENDS = ("failed", "cancelled", "held", "late", "gone")


@pytest.mark.parametrize("reader", COUNTED, ids=" ".join)
def test_every_count_is_said_as_it_is(reader: tuple[Thing, Reader, str]) -> None:
    thing, who, language = reader
    texts = TEXTS[reader]
    known = [end for end in ENDS if end in texts]
    for end, (planned, sent, acknowledged, count) in product(known, product(range(4), repeat=4)):
        if not (acknowledged <= sent and sent + count <= planned):
            continue
        facts: dict[str, Any] = {"planned": planned, "sent": sent, "acknowledged": acknowledged, end: count}
        found = Progress(**facts)
        text = words_for(found, who, language, thing=thing)
        assert text.startswith(texts["done"].split("{")[0]) is (0 < planned == acknowledged)
        said = set(map(int, re.findall(r"\d+", text)))
        assert said <= {0, planned, sent, acknowledged, count}
        assert not count or count in said
        assert found.is_done is (planned == acknowledged and not found.held)


@pytest.mark.parametrize("reader", SINGLE, ids=" ".join)
def test_one_that_failed_or_is_gone_says_so(reader: tuple[Thing, Reader, str]) -> None:
    thing, who, language = reader
    texts = TEXTS[reader]
    sent = words_for(Progress(planned=1, sent=1), who, language, thing=thing)
    assert sent == texts["sent"]
    for end in (one for one in ENDS if one in texts):
        facts: dict[str, Any] = {"planned": 1, "sent": 1, end: 1}
        text = words_for(Progress(**facts), who, language, thing=thing)
        assert text == (sent + texts[end] if texts[end].startswith(";") else texts[end])
