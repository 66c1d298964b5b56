"""Signed terms: the document sealed with its hash, whom it covers, and how much it is worth where."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.calls.models import Caller
from callprivacy.calls.services import people
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.enums import Basis, Channel, EventKind, Purpose, State, Strength
from consent.models import ConsentEvent, TermsDocument
from consent.services import ledger, terms
from consent.services.ledger import Said
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.pages import states_of
from tests.scale import some

pytestmark = pytest.mark.as_committed

ONE = "+14155550101"
PDF = b"%PDF-1.7\n" + b"signed by Anna " * 20
CLAUSE = "I agree that my calls may be recorded."


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    """A folder that no test beside this one writes into, or sweeps."""
    settings.MEDIA_ROOT = tmp_path


def url(name: str, *args: object, client: str = "dentist") -> str:
    return reverse(f"consent:{name}", args=(client, *args))


def send(browser: Browser, body: bytes = PDF, **fields: Any) -> Any:
    facts = {
        "name": "New patient form",
        "signed_on": "2026-10-01",
        "is_list": "no",
        "clause": CLAUSE,
        "stands_apart": "on",
        "purposes": ["record", "review"],
        "numbers": "(415) 555-0101",
        "file": SimpleUploadedFile("form.exe", body, "application/x-msdownload"),
    }
    return browser.post(url("add_terms"), {name: value for name, value in (facts | fields).items() if value})


def events(cast: Cast) -> list[ConsentEvent]:
    with job_scope(agency_id=cast.acme.pk):
        return list(ConsentEvent.objects.for_client(cast.dentist).order_by("purpose", "caller_id"))


def the(cast: Cast) -> TermsDocument:
    with job_scope(agency_id=cast.acme.pk):
        return TermsDocument.objects.for_client(cast.dentist).get()


def test_one_persons_signature_is_that_persons_yes(cast: Cast) -> None:
    answer = send(signed_in(cast.alice))
    row = the(cast)
    assert answer["Location"] == url("terms_document", row.pk)
    assert bytes(row.file_digest) == sha256(PDF).digest()
    assert row.media_type == "application/pdf"
    assert {(event.purpose, event.channel, event.strength, event.basis) for event in events(cast)} == {
        (purpose, Channel.TERMS, Strength.A, Basis.CONSENT) for purpose in (Purpose.RECORD, Purpose.REVIEW)
    }
    # The day ends at midnight in New York.
    assert events(cast)[0].happened_at == datetime(2026, 10, 2, 3, 59, 59, 999999, tzinfo=UTC)


def test_a_list_only_attests_and_can_grow(cast: Cast) -> None:
    alice = signed_in(cast.alice)
    send(alice, is_list="yes", numbers="phone,name\n415-555-0101,Anna\n+14155550102\n", stands_apart="")
    row = the(cast)
    assert row.people == 2
    assert {(event.strength, event.basis) for event in events(cast)} == {(Strength.C, Basis.CONTRACT)}
    more = {"purposes": ["record"], "numbers": "+14155550102\n+14155550103"}
    alice.post(url("cover_more", row.pk), more)
    assert the(cast).people == 3
    alice.post(url("cover_more", row.pk), more)
    assert the(cast).people == 3


@pytest.mark.parametrize(("day", "state"), [(1, State.WITHDRAWN), (0, State.GIVEN)])
def test_a_signature_lifts_no_no_of_its_own_day(cast: Cast, day: int, state: State) -> None:
    """A morning's paper is not newer than an afternoon's STOP; a no of the day before is lifted."""
    stopped_at = datetime(2026, 9, 30, 19, tzinfo=UTC) + timedelta(days=day)
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[ONE], at=stopped_at)[ONE]
        no = Said(
            purpose=Purpose.RECORD,
            kind=EventKind.WITHDRAWN,
            channel=Channel.SMS,
            strength=Strength.A,
            happened_at=stopped_at,
            source="sms SM1",
            caller_id=caller_id,
        )
        ledger.record_events(client=cast.dentist, said=[no], by=make.JOB, at=stopped_at)
    alice = signed_in(cast.alice)
    page = alice.get(send(alice)["Location"]).text
    assert states_of(cast.dentist, caller_id) == {Purpose.RECORD: state, Purpose.REVIEW: State.GIVEN}
    assert ("it was received on the day of the signature" in page) is (state == State.WITHDRAWN)
    listed = vault_selectors.suppressed(cast.dentist.pk, [ONE], on=date(2026, 11, 1)).get(ONE, {})
    assert (Purpose.RECORD in listed) is (state == State.WITHDRAWN)


def erase(cast: Cast, number: str, up_to: datetime) -> None:
    """Somebody is here and is erased, row and key."""
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[number], at=up_to)[number]
        Caller.objects.filter(pk=caller_id).remove()
    gone = vault.Erasure(caller_id, up_to=up_to, tombstone_ends_on=date(2036, 1, 1))
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=up_to)


def test_who_was_erased_since_is_not_covered_again_by_an_old_list(cast: Cast) -> None:
    alice = signed_in(cast.alice)
    erase(cast, "+14155550102", datetime(2026, 10, 3, tzinfo=UTC))
    send(alice, is_list="yes", numbers="+14155550101\n+14155550102", stands_apart="")
    row = the(cast)
    assert row.people == 1
    assert len({event.caller_id for event in events(cast)}) == 1
    more = {"purposes": ["record"], "numbers": "+14155550102"}
    assert "were erased after that day" in alice.post(url("cover_more", row.pk), more).content.decode()
    assert "were erased after that day" in send(alice, numbers="+14155550102").content.decode()
    assert vault_selectors.find_callers([cast.dentist.pk], "+14155550102") == {}
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.count() == 1


def test_the_document_is_sealed_and_comes_back_whole(cast: Cast, settings: Any) -> None:
    alice = signed_in(cast.alice)
    send(alice)
    row = the(cast)
    stored = list((settings.MEDIA_ROOT / "sealed" / str(cast.dentist.pk)).iterdir())
    assert stored
    assert all(b"Anna" not in file.read_bytes() for file in stored)
    answer = alice.get(url("terms_file", row.pk))
    assert answer.content == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"body": b"MZ\x90\x00 a program"}, "not a PNG, JPEG, WebP, or PDF"),
        pytest.param(
            {"body": b"<html><script>alert(1)</script>"},
            "not a PNG, JPEG, WebP, or PDF",
            marks=pytest.mark.thorough,
        ),
        pytest.param({"body": b""}, "The file is empty", marks=pytest.mark.thorough),
        pytest.param({"file": None}, "Add the signed document", marks=pytest.mark.thorough),
        pytest.param(
            {"numbers": "call me maybe 1"}, "Fix the phone number in line 1", marks=pytest.mark.thorough
        ),
        ({"numbers": "+14155550101\n+14155550102"}, "Enter one number for one signer"),
        ({"signed_on": "2999-01-01"}, "is in the future"),
        pytest.param({"purposes": None}, "Select at least one purpose", marks=pytest.mark.thorough),
    ],
)
def test_what_cannot_be_is_refused_with_words(cast: Cast, fields: dict[str, Any], words: str) -> None:
    body = fields.pop("body", PDF)
    answer = send(signed_in(cast.alice), body, **fields)
    assert words in answer.text
    with job_scope(agency_id=cast.acme.pk):
        assert not TermsDocument.objects.exists()
    assert events(cast) == []


def test_what_was_refused_leaves_no_file(cast: Cast, settings: Any) -> None:
    folder = settings.MEDIA_ROOT / "sealed" / str(cast.dentist.pk)
    before = set(folder.glob("*"))
    send(signed_in(cast.alice), b"MZ a program")
    assert set(folder.glob("*")) == before


def test_too_large_a_file_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "DOCUMENT_AT_MOST", 100)
    assert "larger than 10 MB" in send(signed_in(cast.alice)).text


@pytest.mark.parametrize(
    ("person", "status"),
    some([("bob", 403), ("carol", 403), ("mallory", 404)], one_in=3, each=lambda case: case[1]),
)
def test_nobody_else_comes_in(cast: Cast, person: str, status: int) -> None:
    send(signed_in(cast.alice))
    browser, row = signed_in(getattr(cast, person)), the(cast)
    for name in ("terms", "add_terms"):
        assert browser.get(url(name)).status_code == status
    for name in ("terms_document", "terms_file"):
        assert browser.get(url(name, row.pk)).status_code == status
    assert send(browser).status_code == status


def test_another_clients_document_is_nobodys(cast: Cast) -> None:
    alice = signed_in(cast.alice)
    send(alice)
    for name in ("terms_document", "terms_file"):
        assert alice.get(url(name, the(cast).pk, client="plumber")).status_code == 404


@pytest.mark.thorough
def test_an_empty_list_says_what_will_be_here(cast: Cast) -> None:
    assert "No signed documents yet" in signed_in(cast.alice).get(url("terms")).text


def test_numbers_of_a_list_are_each_read_once() -> None:
    read = terms.read_numbers(["Phone", "", "(415) 555-0101; Anna", "+1 415 555 0101", "x1"], country="US")
    assert read.numbers == (ONE,)
    assert [refusal.line for refusal in read.refused] == [5]


def test_a_signature_of_today_counts_from_now() -> None:
    from callprivacy.tenancy.models import Client

    at = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
    assert terms._counts_from(Client(time_zone="America/New_York"), date(2026, 11, 24), at) == at
