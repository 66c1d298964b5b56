"""The requests page as its person meets it: sent in without an account, proven step by step, answered."""

import contextlib
import io
import re
import time
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from consent.channels import codes as sending
from consent.enums import Channel as Way
from consent.enums import CodeWay, Language, Purpose
from consent.models import ConsentEvent, PhoneCode
from consent.services import codes, limits
from rights.channels import links, words
from rights.channels.links import Named
from rights.enums import Ask, CaseState, Channel, Decided, IdentityKind, IdentityState, ProofKind
from rights.models import Case, Finding, HouseCode, Identity, Proof, RequestPage, Submission
from rights.selectors import words as sealed
from rights.services import cases, deciding, house_codes, notice, proofs, searching
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.retention import night
from tests.rights import asking
from tests.scale import some

pytestmark = pytest.mark.django_db

ANNA, BEN, TYPED = "+12125550101", "+12125550102", "(212) 555-0101"
CANARY = "2125550101"
PDF = b"%PDF-1.7\n1 0 obj\n"
_CODE = re.compile(r"code is (\d{6})\.")
_SPOKEN = re.compile(r"code is: ([\d, ]+)\.")


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 0.0)


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def browser() -> Browser:
    return Browser(headers={"accept-language": "en-US"})


def open_page(client: Client | None, cast: Cast) -> str:
    """The key of a client's requests page, or of Acme's own."""
    agency = client.agency if client else cast.acme
    with job_scope(agency_id=agency.pk):
        return notice.open_page(agency_id=agency.pk, client=client, at=NOON).key


def hidden(body: bytes, name: str = "form") -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', body.decode())
    assert found is not None, name
    return found[1]


def send(browser: Browser, key: str, ask: Ask, **said: Any) -> Any:
    """Open a form and send it."""
    where = f"/r/{key}/{ask.value}/"
    body = {
        "form": hidden(browser.get(where).content),
        "lang": "en",
        "on_behalf": "self",
        "number": TYPED,
        **said,
    }
    return browser.post(where, body)


def arrive(browser: Browser, key: str, ask: Ask, **said: Any) -> str:
    """Send a form, and return the path of the personal page."""
    answer = send(browser, key, ask, **said)
    assert answer.status_code == 303, re.findall(rb'class="wrong"[^>]*>([^<]+)', answer.content)
    return str(answer.headers["Location"]).partition("?")[0]


def do(browser: Browser, where: str, deed: str, **said: Any) -> Any:
    return browser.post(where, {"form": hidden(browser.get(where).content), "deed": deed, **said})


def identities(where: str, *, of: Client | None, cast: Cast) -> list[Identity]:
    named = links.read(where.strip("/").partition("/")[2])
    with job_scope(agency_id=named.agency_id):
        rows = Identity.objects.filter(submission_id=named.submission_id).order_by("claimed_at", "pk")
        return list(rows)


def ids_on(browser: Browser, where: str) -> list[str]:
    """The numbers that the page offers to prove, in their order."""
    found = re.findall(r'name="identity" value="([^"]+)"', browser.get(where).content.decode())
    return list(dict.fromkeys(found))


def prove(browser: Browser, where: str, identity: str, *, way: str = "text") -> Any:
    """Have a code sent and type it."""
    asked = do(browser, where, "code", identity=identity, way=way)
    assert asked.status_code == 200
    body = str(mail.outbox[-1].body)
    code = re.sub(r"\D", "", (_CODE if way == "text" else _SPOKEN).search(body)[1])  # type: ignore[index]  # a code is in it, or the test fails here
    return do(browser, where, "prove", **typed(asked, identity, way=way), code=code[:6])


def typed(asked: Any, identity: object, **more: str) -> dict[str, Any]:
    """What the form of a page that requested a code brings back with it."""
    return {"identity": identity, "way": "text", "challenge": hidden(asked.content, "challenge")} | more


def case_of(where: str) -> Case:
    named = links.read(where.strip("/").partition("/")[2])
    with job_scope(agency_id=named.agency_id):
        return Case.objects.select_related("submission").get(submission_id=named.submission_id)


def test_a_browser_that_asks_not_to_share_is_heard_with_a_number_that_is_sent_to_a_client(cast: Cast) -> None:
    signalling = Browser(headers={"accept-language": "en-US", "Sec-GPC": "1"})
    for client in (cast.dentist, None):
        where = arrive(signalling, open_page(client, cast), Ask.SEE)
        assert ("Opt-Out Request Honored" in signalling.get(where).text) is (client is not None)
    with job_scope(agency_id=cast.acme.pk):
        (event,) = ConsentEvent.objects.all()
        assert (event.client_id, event.purpose, event.channel) == (cast.dentist.pk, Purpose.SHARE, Way.GPC)
    assert vault_selectors.suppressed(cast.dentist.pk, [ANNA], on=NOON.date())[ANNA].keys() == {Purpose.SHARE}


def test_words_that_come_too_late_are_shown_again_with_what_to_do(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.COMPLAIN, words="It was recorded")
    case = case_of(where)
    late = do(browser, where, "reply", case=str(case.pk), words="The one of Monday")
    assert late.status_code == 409
    assert "Nobody waits for an answer here any more" in late.text
    assert "The one of Monday" in late.text

    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(
            state=CaseState.DONE, decided_at=NOON, answered_at=NOON, closed_at=NOON
        )
    assert 'value="appeal"' in browser.get(where).text
    assert do(browser, where, "appeal", case=str(case.pk), words="First").status_code == 303
    assert 'value="appeal"' not in browser.get(where).text
    second = do(browser, where, "appeal", case=str(case.pk), words="Here is the proof")
    assert second.status_code == 409
    assert "An appeal against this answer is there already" in second.text
    assert "Here is the proof" in second.text


def test_no_language_lacks_a_word() -> None:
    assert words.missing() == []
    assert all(ask in about for about in words.ABOUT.values() for ask in Ask)


def test_everything_that_can_be_asked_for_has_a_form_in_both_languages(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    home = browser.get(f"/r/{key}/").content.decode()
    for ask in words.OFFERED:
        assert f"/r/{key}/{ask.value}/" in home
        for language in ("en", "es"):
            assert browser.get(f"/r/{key}/{ask.value}/?lang={language}").status_code == 200
    assert "Dentist" in home
    assert not browser.cookies
    assert browser.get(f"/r/{key}/appeal/").status_code == 404


def test_a_no_counts_at_once_and_needs_no_proof(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    where = arrive(browser, key, Ask.DO_NOT_SELL)
    case = case_of(where)
    assert case.took_effect_at is not None
    page = browser.get(where).content.decode()
    assert "It counts since" in page
    assert "Text me a code" not in page
    assert CANARY not in page


@pytest.mark.thorough
def test_delete_needs_a_code_and_nothing_more(cast: Cast, browser: Browser) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    assert case_of(where).state == CaseState.PROVING
    (identity,) = ids_on(browser, where)
    assert prove(browser, where, identity).status_code == 303
    assert case_of(where).state == CaseState.OPEN
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.state == IdentityState.PROVEN
    assert row.caller_id is not None


def test_a_call_can_read_the_code(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    (identity,) = ids_on(browser, where)
    assert prove(browser, where, identity, way="call").status_code == 303
    assert "Phone call to" in mail.outbox[-1].subject
    (row,) = identities(where, of=cast.dentist, cast=cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Proof.objects.get(identity=row).kind == ProofKind.CALL_CODE


def test_what_shows_calls_needs_two_facts_and_a_declaration(cast: Cast, browser: Browser) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    where = arrive(browser, open_page(cast.dentist, cast), Ask.SEE)
    (identity,) = ids_on(browser, where)
    prove(browser, where, identity)
    assert case_of(where).state == CaseState.PROVING
    day = (NOON - timedelta(days=9)).date().isoformat()
    assert do(browser, where, "facts", day=day, business="the dentist").status_code == 303
    assert case_of(where).state == CaseState.PROVING
    assert do(browser, where, "declare", declares="on", name="Anna Example").status_code == 303
    assert case_of(where).state == CaseState.OPEN
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.from_at is not None
    assert row.from_at.date() == NOON.date().replace(year=NOON.year - 1), "twelve months"


@pytest.mark.parametrize(("days", "business"), [(8, "the dentist"), (9, "Globex Plumbing")])
def test_facts_that_do_not_fit_go_to_a_person_and_say_nothing(
    cast: Cast, browser: Browser, days: int, business: str
) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    where = arrive(browser, open_page(cast.dentist, cast), Ask.SEE)
    prove(browser, where, ids_on(browser, where)[0])
    do(browser, where, "declare", declares="on", name="Anna Example")
    answer = do(
        browser, where, "facts", day=(NOON - timedelta(days=days)).date().isoformat(), business=business
    )
    assert answer.status_code == 303
    page = browser.get(where).content.decode()
    assert "A person looks at it" in page
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert (row.state, case_of(where).state) == (IdentityState.DOUBTFUL, CaseState.PROVING)
    with job_scope(agency_id=cast.acme.pk):
        proofs.judge(
            identity=row,
            holds=True,
            seen="A driving licence.",
            by=Actor.staff(user_id=cast.alice.user_id),
            at=NOON,
        )
    assert case_of(where).state == CaseState.OPEN


@pytest.mark.thorough
def test_of_two_numbers_only_the_proven_one_is_answered(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE, number_2="(212) 555-0102")
    first, second = ids_on(browser, where)
    prove(browser, where, first)
    states = {str(row.pk): row.state for row in identities(where, of=cast.dentist, cast=cast)}
    assert states == {first: IdentityState.PROVEN, second: IdentityState.CLAIMED}
    assert prove(browser, where, second).status_code == 303
    assert {row.state for row in identities(where, of=cast.dentist, cast=cast)} == {IdentityState.PROVEN}


def test_an_agent_hands_in_a_signed_permission_and_a_person_looks(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE, on_behalf="agent")
    prove(browser, where, ids_on(browser, where)[0])
    file = SimpleUploadedFile("permission.pdf", PDF, content_type="application/pdf")
    assert do(browser, where, "hand_in", file=file).status_code == 303
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.state == IdentityState.DOUBTFUL
    with job_scope(agency_id=cast.acme.pk):
        proof = Proof.objects.get(kind=ProofKind.PERMISSION)
        assert proof.file_key is not None
        assert files.open(cast.dentist.pk, proof.file_key).read() == PDF

    make.grant(cast.alice, cast.dentist)
    case, office = case_of(where), signed_in(cast.alice)
    paper = f"/requests/{case.pk}/paper/"
    assert paper in office.get(f"/requests/{case.pk}/identities/{row.pk}/").content.decode()
    assert office.get(paper).status_code == 405
    assert signed_in(cast.mallory).post(paper).status_code == 404
    taken = office.post(paper)
    assert (taken.content, taken.headers["Content-Type"]) == (PDF, "application/pdf")
    assert taken.headers["Content-Disposition"].startswith("attachment")
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="proof.opened").count() == 1
    said = {"holds": "yes", "seen": "The permission is signed by the person."}
    assert office.post(f"/requests/{case.pk}/identities/{row.pk}/", said).status_code == 302
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.state == IdentityState.PROVEN


@pytest.mark.parametrize(
    ("name", "content"),
    some(
        [
            ("permission.pdf", b"MZ\x90 not a PDF at all"),
            ("permission.pdf", b"<html><script>alert(1)</script>"),
            ("permission.pdf", b""),
            ("permission.pdf", PDF + b"x" * (proofs.PERMISSION_AT_MOST + 1)),
        ],
        one_in=3,
    ),
)
def test_a_file_that_is_no_permission_is_refused_and_left_nowhere(
    cast: Cast, browser: Browser, name: str, content: bytes
) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE, on_behalf="agent")
    before = files.ids(cast.dentist.pk, older_than=NOON + timedelta(days=1))
    answer = do(
        browser, where, "hand_in", file=SimpleUploadedFile(name, content, content_type="application/pdf")
    )
    assert answer.status_code in {413, 422}
    assert files.ids(cast.dentist.pk, older_than=NOON + timedelta(days=1)) == before
    with job_scope(agency_id=cast.acme.pk):
        assert not Proof.objects.filter(kind=ProofKind.PERMISSION).exists()


def test_a_withheld_call_has_its_own_way(cast: Cast, browser: Browser) -> None:
    where = arrive(
        browser, open_page(cast.dentist, cast), Ask.SEE, number="", withheld_day="2026-11-20",
        withheld_time="10:30", withheld_business="Dentist, Main Street", mail="anna@people.example",
    )  # fmt: skip
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.kind == "withheld"
    page = browser.get(where).content.decode()
    assert "A person looks for the call you described" in page
    assert "Text me a code" not in page


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"number": ""}, b"Write a phone number, or describe a call."),
        ({"number": "none"}, b"Enter a phone number, such as"),
        ({"number_2": TYPED}, b"You wrote this number twice."),
        ({"withheld_day": "2026-11-20"}, b"Please fill this in."),
        (
            {
                "withheld_day": str(NOON.date() + timedelta(days=361)),
                "withheld_time": "10:00",
                "withheld_business": "x",
            },
            b"not in the future",
        ),
        ({"mail": "nobody"}, b"Enter an email address"),
        ({"place": "US-ZZ"}, b""),
        ({"on_behalf": "everybody"}, b""),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    cast: Cast, browser: Browser, said: dict[str, str], why: bytes
) -> None:
    answer = send(browser, open_page(cast.dentist, cast), Ask.SEE, **said)
    assert answer.status_code == 422
    assert why in answer.content
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()


@pytest.mark.thorough
def test_the_agencys_own_page_names_no_client(cast: Cast, browser: Browser) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    key = open_page(None, cast)
    where = arrive(browser, key, Ask.SEE)
    pages = [browser.get(f"/r/{key}/").content, browser.get(where).content]
    answer = prove(browser, where, ids_on(browser, where)[0])
    assert answer.status_code == 303
    assert mail.outbox[-1].body.startswith("Acme:")
    do(browser, where, "facts", day=(NOON - timedelta(days=9)).date().isoformat(), business="dentist")
    do(browser, where, "declare", declares="on", name="Anna Example")
    pages.append(browser.get(where).content)
    for page in pages:
        assert b"entist" not in page
        assert b"lumber" not in page
    assert browser.get(f"/r/{key}/privacy/").status_code == 404


def test_codes_by_mail_do_not_use_up_those_by_phone(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "AN_HOUR_A_CLIENT", 2)
    for name in ("anna", "ben", "cara"):
        house_codes.mail_code(
            agency=cast.acme,
            name="Acme",
            address=f"{name}@people.example",
            language=Language.ENGLISH,
            at=NOON,
        )
    assert len(mail.outbox) == 2
    with monkeypatch.context() as patched:
        sent = []
        patched.setattr(sending, "of_the_house", lambda: "sender")
        patched.setattr(sending, "bring", lambda sender, code, **said: sent.append(said["number"]))
        house_codes.send_code(
            agency=cast.acme, number=ANNA, language=Language.ENGLISH, way=CodeWay.TEXT, at=NOON
        )
    assert sent == [ANNA]
    with job_scope(agency_id=cast.acme.pk):
        assert sorted(HouseCode.objects.values_list("by_mail", flat=True)) == [False, True, True]


def test_an_address_that_is_claimed_needs_a_code_of_its_own_by_mail(cast: Cast, browser: Browser) -> None:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        submission = cases.open_cases(
            agency=cast.acme, client=cast.dentist, asks=[Ask.DELETE], channel=Channel.EMAIL,
            claims=[cases.Claim(IdentityKind.PHONE, ANNA), cases.Claim(IdentityKind.EMAIL, "anna@people.example")],
            contact=cases.Contact(name="Anna"), received_at=NOON, by=Actor.client("rights.portal"), at=NOON,
        )  # fmt: skip
    where = f"/q/{links.link_of(Named(cast.acme.pk, cast.dentist.pk, submission.pk))}/"
    page = browser.get(where).content.decode()
    assert "Prove the address a•••@people.example" in page
    with job_scope(agency_id=cast.acme.pk):
        address = Identity.objects.get(submission=submission, kind=IdentityKind.EMAIL)
    shown = do(browser, where, "code", identity=address.pk, way="text")
    assert shown.status_code == 200
    sent = mail.outbox[-1]
    assert (sent.to, "Dentist" in sent.subject) == (["anna@people.example"], True)
    found = re.search(r"\b(\d{6})\b", str(sent.body))
    assert found is not None
    wrong = do(
        browser,
        where,
        "prove",
        **typed(shown, address.pk),
        code="000000" if found[1] != "000000" else "1" * 6,
    )
    assert wrong.status_code == 422
    assert do(browser, where, "prove", **typed(shown, address.pk), code=found[1]).status_code == 303
    with job_scope(agency_id=cast.acme.pk):
        states = dict(Identity.objects.filter(submission=submission).values_list("kind", "state"))
        assert states == {IdentityKind.EMAIL: IdentityState.PROVEN, IdentityKind.PHONE: IdentityState.CLAIMED}
        proof = Proof.objects.get(submission=submission)
        assert proof.kind == ProofKind.MAIL_CODE
        Identity.objects.filter(kind=IdentityKind.PHONE).update(state=IdentityState.PROVEN, proven_at=NOON)
        fresh = proofs.fresh_proof(submission, proof.pk, before=make.now(), at=make.now())
        assert fresh is None, "a mailbox does not open what a phone has proven"


@pytest.mark.parametrize(
    ("business", "state"), [("dentist", IdentityState.PROVEN), ("florist", IdentityState.DOUBTFUL)]
)
def test_facts_said_to_the_agency_are_checked_at_its_clients_by_a_job(
    cast: Cast, browser: Browser, business: str, state: IdentityState
) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    where = arrive(browser, open_page(None, cast), Ask.SEE)
    do(browser, where, "facts", day=(NOON - timedelta(days=9)).date().isoformat(), business=business)
    do(browser, where, "declare", declares="on", name="Anna Example")
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="token.derived").exists(), (
            "nothing is looked for before a code"
        )
    prove(browser, where, ids_on(browser, where)[0])
    with job_scope(agency_id=cast.acme.pk):
        row = Identity.objects.select_related("submission").get()
        assert row.state == IdentityState.CLAIMED
    due = searching.claim(agency_id=cast.acme.pk, at=make.now() + timedelta(minutes=1))
    assert due == row.submission_id
    with contextlib.suppress(searching.NotProvenError):
        searching.search(agency_id=cast.acme.pk, submission_id=due, clock=make.now)
    with job_scope(agency_id=cast.acme.pk):
        row.refresh_from_db()
        assert row.state == state
        looked = Event.objects.filter(action="token.derived", details__use="facts")
        assert looked.count() == 2, "each client of the agency, whether or not it knows the number"
        found = Finding.objects.filter(submission=due).values_list("client_id", flat=True)
        assert set(found) == ({cast.dentist.pk} if state == IdentityState.PROVEN else set())
    assert b"entist" not in browser.get(where).content


def test_a_request_is_taken_back_by_its_person(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    case = case_of(where)
    assert do(browser, where, "take_back", case=case.pk).status_code == 303
    assert case_of(where).state == CaseState.WITHDRAWN
    assert b"Taken back" in browser.get(where).content


def test_what_is_decided_is_not_taken_back_by_whoever_has_the_link(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    form = hidden(browser.get(where).content)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.update(decided_at=NOON, state=CaseState.DECIDED)
    body = {"form": form, "deed": "take_back", "case": case_of(where).pk}
    assert browser.post(where, body).status_code == 303
    assert case_of(where).state == CaseState.DECIDED


def test_a_form_that_is_sent_twice_is_one_request(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    form = hidden(browser.get(f"/r/{key}/delete/").content)
    body = {"form": form, "on_behalf": "self", "number": TYPED}
    first, again = (browser.post(f"/r/{key}/delete/", body).headers["Location"] for _ in range(2))
    other = browser.post(f"/r/{key}/delete/", body | {"number": "(212) 555-0102"}).headers["Location"]
    assert first == again
    assert other != first
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.count() == 2


# --- Abuse ----------------------------------------------------------------------------------------------------------


def test_a_known_and_an_unknown_number_answer_alike(cast: Cast, browser: Browser) -> None:
    """Words, status and what is written; how long it takes is measured by lab/bench/portal.py."""
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    key = open_page(cast.dentist, cast)
    seen = []
    for number in ("(212) 555-0101", "(212) 555-0109"):
        other = Browser(headers={"accept-language": "en-US"})
        where = arrive(other, key, Ask.DELETE, number=number)
        (identity,) = ids_on(other, where)
        asked = do(other, where, "code", identity=identity, way="text")
        wrong = do(other, where, "prove", **typed(asked, identity), code="000000")
        texts = [other.get(where).content, asked.content, wrong.content]
        seen.append(
            [_plain(text, where, identity) for text in texts] + [asked.status_code, wrong.status_code]
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("ask", some([Ask.DELETE, Ask.DO_NOT_SELL], one_in=2))
def test_what_is_taken_is_answered_no_sooner_than_it_is_held(
    cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """Known or not: both wait until the same instant after they came, so that what had to be written tells nothing."""
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    key = open_page(cast.dentist, cast)
    slept: list[float] = []
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 60.0)
    monkeypatch.setattr("rights.views.portal.time.sleep", slept.append)
    for number in (TYPED, "(212) 555-0109"):
        begun = time.perf_counter()
        arrive(browser, key, ask, number=number)
        # What is left to wait and what the writing took are the held time together, whatever the writing took.
        assert 60.0 - (time.perf_counter() - begun) <= slept[-1] <= 60.0
    assert len(slept) == 2


def _plain(body: bytes, where: str, identity: str) -> str:
    """A page without what differs by chance, and without the last digits that the person typed."""
    text = body.decode().replace(where, "WHERE").replace(identity, "IDENTITY")
    text = re.sub(r'name="form" value="[^"]*"', "FORM", text)
    text = re.sub(r'name="challenge" value="([^"]*)"', lambda sealed: f"{len(sealed[1])} LETTERS", text)
    text = re.sub(r'name="case" value="[^"]*"|R-[0-9A-Z]{4}-[0-9A-Z]{4}', "CASE", text)
    return re.sub(r"••• 01\d\d|\d\d:\d\d:\d\d", "X", text)


def test_guessing_ends_after_five_tries(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    (identity,) = ids_on(browser, where)
    said = typed(do(browser, where, "code", identity=identity, way="text"), identity)
    code = _CODE.search(str(mail.outbox[-1].body))[1]  # type: ignore[index]  # a code is in it, or the test fails here
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(codes.TRIES):
        assert do(browser, where, "prove", **said, code=wrong).status_code == 422
    assert do(browser, where, "prove", **said, code=code).status_code == 422


def test_another_request_of_the_same_number_cannot_use_or_use_up_a_code(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    mine, other = arrive(browser, key, Ask.DELETE), arrive(browser, key, Ask.SEE)
    pages = [(where, ids_on(browser, where)[0]) for where in (mine, other, mine)]
    asked = [do(browser, where, "code", identity=identity, way="text") for where, identity in pages]
    sent = [_CODE.search(str(one.body))[1] for one in mail.outbox]  # type: ignore[index]  # a code is in it, or the test fails here
    (_, identity), (_, of_other), _ = pages
    challenges = (hidden(asked[1].content, "challenge"), hidden(asked[0].content, "challenge"), "x", "")
    for challenge in challenges:
        guess = {"identity": of_other, "way": "text", "challenge": challenge, "code": sent[0]}
        assert do(browser, other, "prove", **guess).status_code == 422 or sent[0] == sent[1]
    with job_scope(agency_id=cast.acme.pk):
        tries = dict(PhoneCode.objects.order_by("created_at").values_list("pk", "tries"))
    assert list(tries.values()) == [0, 1, 0]
    assert do(browser, mine, "prove", **typed(asked[0], identity), code=sent[0]).status_code == 303


def test_a_code_that_is_requested_again_leaves_the_last_one_where_the_limit_is_reached(
    cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(sending, "of_the_house", lambda: "sender")
    monkeypatch.setattr(sending, "bring", lambda sender, code, **_: sent.append(code))
    where = arrive(browser, open_page(None, cast), Ask.DELETE)
    (identity,) = ids_on(browser, where)
    said = {"identity": identity, "way": "text", "challenge": ""}
    for _ in range(codes.AN_HOUR_A_NUMBER + 1):
        said["challenge"] = hidden(do(browser, where, "code", **said).content, "challenge")
    assert len(sent) == codes.AN_HOUR_A_NUMBER
    assert do(browser, where, "prove", **said, code=sent[-1]).status_code == 303


@pytest.mark.thorough
def test_a_code_is_good_for_ten_minutes_and_once(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    (identity,) = ids_on(browser, where)
    said = typed(do(browser, where, "code", identity=identity, way="text"), identity)
    code = _CODE.search(str(mail.outbox[-1].body))[1]  # type: ignore[index]  # a code is in it, or the test fails here
    with time_machine.travel(NOON + timedelta(minutes=11)):
        assert do(browser, where, "prove", **said, code=code).status_code == 422
    assert do(browser, where, "prove", **said, code=code).status_code == 303
    assert do(browser, where, "prove", **said, code=code).status_code == 422


@pytest.mark.thorough
def test_codes_have_limits_by_number_and_by_address(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    where = arrive(browser, key, Ask.DELETE)
    (identity,) = ids_on(browser, where)
    answers = [do(browser, where, "code", identity=identity, way="text").status_code for _ in range(9)]
    assert answers == [200] * 8 + [429]
    assert len(mail.outbox) == codes.AN_HOUR_A_NUMBER


@pytest.mark.thorough
def test_a_flood_from_one_address_is_refused_and_a_no_still_taken(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    answers = [send(browser, key, Ask.DELETE).status_code for _ in range(11)]
    assert answers == [303] * 10 + [429]
    assert send(browser, key, Ask.DO_NOT_SELL).status_code == 303


def test_a_flood_from_everywhere_is_refused(
    cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rights.views import portal

    monkeypatch.setattr(portal, "ASKS_OF_A_PAGE", 2)
    key = open_page(cast.dentist, cast)
    statuses = [
        browser.post(
            f"/r/{key}/delete/",
            {"form": hidden(browser.get(f"/r/{key}/delete/").content), "on_behalf": "self", "number": TYPED},
            REMOTE_ADDR=f"203.0.113.{last}",
        ).status_code
        for last in (1, 2, 3)
    ]
    assert statuses == [303, 303, 429]


@pytest.mark.parametrize("change", [lambda link: link[:-1] + ("A" if link[-1] != "A" else "B"), lambda link: link[1:],
                                    lambda link: link.split(".")[0], lambda _: "x" * 300, lambda _: "é.é"])  # fmt: skip
def test_a_link_that_is_not_ours_opens_nothing(cast: Cast, browser: Browser, change: Any) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    link = where.strip("/").partition("/")[2]
    assert browser.get(f"/q/{change(link)}/").status_code == 404


def test_a_link_that_is_replayed_after_the_request_was_erased_opens_nothing(
    cast: Cast, browser: Browser
) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    kept = browser.get(where).content
    assert browser.get(where).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.update(closed_at=NOON, answered_at=NOON)
        Submission.objects.update(ended_at=NOON - timedelta(days=3 * 366))
    night.live(cast.dentist)
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()
    assert browser.get(where).status_code == 404
    for deed in ("code", "hand_in", "take_back"):
        again = browser.post(where, {"form": hidden(kept), "deed": deed})
        assert again.status_code == 404, deed


def test_a_link_signed_for_another_client_or_agency_finds_nothing(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    named = links.read(where.strip("/").partition("/")[2])
    for agency_id, client_id in (
        (cast.acme.pk, cast.plumber.pk), (cast.globex.pk, cast.florist.pk), (cast.acme.pk, 0),
    ):  # fmt: skip
        other = links.link_of(Named(agency_id, client_id, named.submission_id))
        assert browser.get(f"/q/{other}/").status_code == 404


def test_the_number_of_another_request_is_not_proven_here(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    mine, theirs = arrive(browser, key, Ask.DELETE), arrive(browser, key, Ask.DELETE, number="(212) 555-0102")
    (other,) = ids_on(browser, theirs)
    assert do(browser, mine, "code", identity=other, way="text").status_code == 404
    assert do(browser, mine, "prove", identity=other, way="text", code="123456").status_code == 404
    assert mail.outbox == []


def test_a_form_without_our_note_or_of_another_page_does_nothing(cast: Cast, browser: Browser) -> None:
    key, other = open_page(cast.dentist, cast), open_page(cast.plumber, cast)
    foreign = hidden(browser.get(f"/r/{other}/delete/").content)
    for form in ("", "x", foreign):
        body = {"form": form, "on_behalf": "self", "number": TYPED}
        assert browser.post(f"/r/{key}/delete/", body).status_code == 403
    where = arrive(browser, key, Ask.DELETE)
    (identity,) = ids_on(browser, where)
    for form in ("", foreign):
        answer = browser.post(where, {"form": form, "deed": "code", "identity": identity, "way": "text"})
        assert answer.status_code == 403
    assert mail.outbox == []


def test_whoever_sends_the_same_words_in_the_same_second_gets_no_link_to_anothers_request(
    cast: Cast, browser: Browser
) -> None:
    key = open_page(cast.dentist, cast)
    with time_machine.travel(NOON, tick=False):
        mine, theirs = arrive(browser, key, Ask.DO_NOT_SELL), arrive(Browser(), key, Ask.DO_NOT_SELL)
    assert mine != theirs


def test_a_page_that_was_open_for_too_long_does_nothing(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    form = hidden(browser.get(f"/r/{key}/delete/").content)
    with time_machine.travel(NOON + timedelta(hours=5)):
        answer = browser.post(f"/r/{key}/delete/", {"form": form, "on_behalf": "self", "number": TYPED})
    assert answer.status_code == 403


def test_a_number_that_was_never_seen_gets_the_same_way_and_no_caller(cast: Cast, browser: Browser) -> None:
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    assert prove(browser, where, ids_on(browser, where)[0]).status_code == 303
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.for_client(cast.dentist).exists()
    assert case_of(where).state == CaseState.OPEN


def test_no_number_is_shown_or_logged_or_kept_in_the_clear(cast: Cast, browser: Browser, logged: Any) -> None:
    where = arrive(
        browser, open_page(cast.dentist, cast), Ask.SEE, name="Anna Canary", words="I am Anna Canary."
    )
    prove(browser, where, ids_on(browser, where)[0])
    assert CANARY not in browser.get(where).content.decode()
    assert "Canary" not in browser.get(where).content.decode()
    assert CANARY not in where
    assert CANARY not in logged.getvalue()
    assert where not in logged.getvalue()
    with job_scope(agency_id=cast.acme.pk):
        row = Submission.objects.get()
        assert b"Canary" not in bytes(row.contact.blob)
        assert sealed.record(row.contact, sealed.key_of(row))["name"] == "Anna Canary"


def test_the_page_sets_no_cookie_runs_no_script_and_is_in_no_cache(cast: Cast, browser: Browser) -> None:
    key = open_page(cast.dentist, cast)
    where = arrive(browser, key, Ask.SEE)
    for path in (f"/r/{key}/", f"/r/{key}/see/", where):
        answer = browser.get(path)
        assert not answer.cookies
        assert b"<script" not in answer.content
        assert b"style=" not in answer.content
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_key_that_is_none_and_one_of_another_purpose_are_nothing(cast: Cast, browser: Browser) -> None:
    from tests.consent.pages import open_page as open_consent

    consent = open_consent(cast.dentist)
    for key in ("x", "x" * 32, consent.key, "é" * 32):
        for path in (f"/r/{key}/", f"/r/{key}/delete/", f"/r/{key}/look.css", f"/r/{key}/privacy/"):
            assert browser.get(path).status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        assert not RequestPage.objects.exists()


def test_a_number_that_changed_hands_shows_nothing_from_before(cast: Cast, browser: Browser) -> None:
    from consent.enums import Channel, EventKind, Purpose, Strength
    from consent.services import ledger
    from consent.services.ledger import Said

    call = make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    gone = NOON - timedelta(days=115)
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(
            client=cast.dentist, by=make.JOB, at=NOON,
            said=[Said(purpose=Purpose.RECORD, kind=EventKind.INVALIDATED, channel=Channel.IMPORT, strength=Strength.C,
                       happened_at=gone, source="reassigned x", caller_id=call.caller_id, evidence={})],
        )  # fmt: skip
    where = arrive(browser, open_page(cast.dentist, cast), Ask.DELETE)
    prove(browser, where, ids_on(browser, where)[0])
    (row,) = identities(where, of=cast.dentist, cast=cast)
    assert row.from_at == gone


def test_a_number_under_hold_gets_the_same_page_as_another(cast: Cast, browser: Browser) -> None:
    held = make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9))
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=9))
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=held.pk).update(on_hold=True)
    key = open_page(cast.dentist, cast)
    seen = []
    for number in (TYPED, "(212) 555-0102"):
        other = Browser(headers={"accept-language": "en-US"})
        where = arrive(other, key, Ask.DELETE, number=number)
        (identity,) = ids_on(other, where)
        prove(other, where, identity)
        seen.append(_plain(other.get(where).content, where, identity))
    assert seen[0] == seen[1]
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.filter(pk=held.pk).exists()


def test_an_officer_of_another_client_sees_nothing_of_a_request(cast: Cast, browser: Browser) -> None:
    arrive(browser, open_page(cast.plumber, cast), Ask.DELETE)
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    for person, agency in ((erin, cast.acme), (cast.mallory, cast.globex)):
        with staff_scope(agency_id=agency.pk, user_id=person.user_id):
            assert not Submission.objects.exists()
            assert not Case.objects.exists()
            assert not Identity.objects.exists()


# --- The data -------------------------------------------------------------------------------------------------------


def ready(cast: Cast, browser: Browser) -> str:
    """The page of somebody who proved everything, and whose copy is ready."""
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=9), source="ads")
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    where = arrive(browser, open_page(cast.dentist, cast), Ask.COPY)
    prove(browser, where, ids_on(browser, where)[0])
    do(browser, where, "facts", day=(NOON - timedelta(days=9)).date().isoformat(), business="Dentist")
    do(browser, where, "declare", declares="on", name="Anna Example")
    submission = case_of(where).submission
    later = NOON + timedelta(minutes=1)
    asking.search(submission, at=later)
    office = asking.Office(cast)
    case = asking.case_of(submission, Ask.COPY)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=later)
    asking.work(cast.acme, at=later)
    return where


def test_the_data_are_taken_once_after_a_fresh_proof(cast: Cast, browser: Browser) -> None:
    where = ready(cast, browser)
    page = browser.get(where).content
    assert b"Your data" in page
    assert b'name="token"' not in page
    (identity,) = ids_on(browser, where)
    said = typed(
        do(browser, where, "code", identity=identity, way="text", wants="package"), identity, wants="package"
    )
    code = _CODE.search(str(mail.outbox[-1].body))[1]  # type: ignore[index]  # a code is in it, or the test fails here
    offered = do(browser, where, "prove", **said, code=code)
    token = hidden(offered.content, "token")
    stranger = arrive(browser, open_page(cast.plumber, cast), Ask.COPY)
    assert do(browser, stranger, "download", token=token).status_code == 410
    answer = do(browser, where, "download", token=token)
    assert answer.headers["Content-Type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist()
    assert do(browser, where, "download", token=token).status_code == 410
    assert "Your data were downloaded" in browser.get(where).content.decode()


@pytest.mark.thorough
def test_a_wrong_code_offers_no_data(cast: Cast, browser: Browser) -> None:
    where = ready(cast, browser)
    (identity,) = ids_on(browser, where)
    said = typed(
        do(browser, where, "code", identity=identity, way="text", wants="package"), identity, wants="package"
    )
    code = _CODE.search(str(mail.outbox[-1].body))[1]  # type: ignore[index]  # a code is in it, or the test fails here
    wrong = f"{(int(code) + 1) % 10**6:06}"
    answer = do(browser, where, "prove", **said, code=wrong)
    assert answer.status_code == 422
    assert b'name="token"' not in answer.content
    assert do(browser, where, "download", token="x").status_code == 410
