"""Who has no number to prove: a withheld call, found by staff, and a mail address whose caller staff name."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client as Browser

from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Recording
from callprivacy.calls.services import redaction
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from consent.enums import Language
from consent.models import VendorTask
from retention.selectors import holds as hold_selectors
from retention.services import holds
from rights.channels import links
from rights.channels import package as channel
from rights.enums import Ask, Channel, Copies, Decided, IdentityKind, IdentityState, ProofKind
from rights.letters import fill as filled
from rights.models import Case, Finding, Identity, Package, RecipientNotice, Submission
from rights.selectors import letters, openers
from rights.services import cases, deciding, erasing, packages, portal, proofs
from rights.services.proofs import settling
from rights.tasks.steps import sweep_requests
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.retention import night
from tests.retention.test_vendors import connect
from tests.rights import asking
from tests.rights.test_portal import arrive, case_of, do, hidden, open_page, send
from tests.scale import some

pytestmark = pytest.mark.django_db

CAME = NOON - timedelta(days=4)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 0.0)
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def call(cast: Cast) -> Call:
    """A call without a number, recorded at the tracker, and others around it."""
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY, delete_at_vendor=True)
    found = make.call(cast.dentist, None, at=CAME)
    make.recording(found, "https://vendor.example/r/7")
    make.call(cast.dentist, None, at=CAME + timedelta(hours=1))
    make.call(cast.dentist, asking.ANNA, at=CAME + timedelta(minutes=1))
    make.call(cast.plumber, None, at=CAME)
    make.call(cast.dentist, None, at=CAME - timedelta(days=2))
    return found


TOLD = {
    "number": "", "withheld_day": f"{CAME:%Y-%m-%d}", "withheld_time": f"{CAME:%H:%M}",
    "withheld_business": "The dentist on Main Street",
}  # fmt: skip
MAIL = "anna@people.example"


def described(cast: Cast, ask: Ask, **said: str) -> Case:
    """What somebody sends who called without a number."""
    told = TOLD | {"mail": MAIL} | said
    return case_of(arrive(Browser(), open_page(cast.dentist, cast), ask, **told))


def page_of(case: Case) -> str:
    return f"/q/{links.link_of(links.Named(case.agency_id, case.client_id or 0, case.submission_id))}/"


def identity_of(case: Case, kind: IdentityKind) -> Identity:
    with job_scope(agency_id=case.agency_id):
        return Identity.objects.select_related("submission__client").get(
            submission_id=case.submission_id, kind=kind
        )


def found_by_staff(cast: Cast, case: Case, call: Call, *, picks: str | None = None) -> Any:
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.get(submission=case.submission, kind=IdentityKind.WITHHELD)
    page = f"/requests/{case.pk}/identities/{identity.pk}/"
    shown = signed_in(cast.alice).get(page).text
    assert "The dentist on Main Street" in shown
    assert shown.count('name="call"') == 3, "two calls without a number around that time, and none of them"
    assert str(call.pk) in shown
    told = {
        "holds": "yes",
        "seen": "Knew what was spoken of.",
        "arrived_on": f"{NOON:%Y-%m-%d}",
        "call": str(call.pk) if picks is None else picks,
    }
    return signed_in(cast.alice).post(page, told)


def decided(cast: Cast, case: Case) -> Case:
    later = NOON + timedelta(minutes=5)
    asking.search(case.submission, at=later)
    office = asking.Office(cast)
    office.does(deciding.decide, case=asking.case_of(case.submission, Ask(case.asks)), decided=Decided.FULFIL,
                ground="", words="", at=later)  # fmt: skip
    asking.work(cast.acme, at=later)
    return asking.case_of(case.submission, Ask(case.asks))


def test_a_call_that_staff_found_is_in_the_copy(cast: Cast, call: Call) -> None:
    case = described(cast, Ask.COPY)
    assert found_by_staff(cast, case, call, picks="").status_code == 422
    assert found_by_staff(cast, case, call).status_code == 302
    done = decided(cast, case)

    with job_scope(agency_id=cast.acme.pk):
        lines = dict(Finding.objects.filter(submission=case.submission).values_list("copies", "count"))
        assert lines == {Copies.CALLS: 1, Copies.RECORDINGS: 1}
        package = Package.objects.get(case=done)
        assert package.contents["calls"] == 1
        assert package.file_key is not None
        with files.open(package.holder_id, package.file_key) as stream:
            archive = zipfile.ZipFile(io.BytesIO(stream.read()))
        data = json.loads(archive.read(channel.DATA))
    (told,) = data["companies"][0]["calls"]
    assert told["id"] == str(call.pk)
    assert told["recording"]["withheld"] == packages.OTHERS


def test_who_called_without_a_number_takes_the_copy_after_a_code_to_the_address_that_was_named(
    cast: Cast, call: Call
) -> None:
    case = described(cast, Ask.COPY)
    where, browser = page_of(case), Browser(headers={"accept-language": "en-US"})
    withheld = str(identity_of(case, IdentityKind.WITHHELD).pk)
    assert do(browser, where, "code", identity=withheld, way="text").status_code == 404, "nobody has found it"
    shown = signed_in(cast.alice).get(f"/requests/{case.pk}/identities/{withheld}/").text
    assert "a•••@people.example, which the person gave" in shown
    found_by_staff(cast, case, call)
    asking.search(case.submission, at=NOON)
    assert (
        "a new code to a•••@people.example opens"
        in signed_in(cast.alice).get(f"/requests/{case.pk}/decide/").text
    )
    done = decided(cast, case)

    page = browser.get(where).text
    assert "A new code to a•••@people.example opens the download." in page
    assert "Prove your phone" not in page
    mail.outbox.clear()
    asked = do(browser, where, "code", identity=withheld, way="text", wants="package")
    assert "If this address can be reached" in asked.text
    (sent,) = mail.outbox
    assert sent.to == [MAIL]
    code = re.search(r"\b(\d{6})\b", str(sent.body))
    assert code is not None
    said = {
        "identity": withheld,
        "way": "text",
        "wants": "package",
        "challenge": hidden(asked.content, "challenge"),
    }
    wrong = "000000" if code[1] != "000000" else "1" * 6
    assert do(browser, where, "prove", code=wrong, **said).status_code == 422
    token = hidden(do(browser, where, "prove", code=code[1], **said).content, "token")
    taken = do(browser, where, "download", token=token)
    data = json.loads(zipfile.ZipFile(io.BytesIO(b"".join(taken.streaming_content))).read(channel.DATA))
    assert [one["id"] for one in data["companies"][0]["calls"]] == [str(call.pk)]
    assert do(browser, where, "download", token=token).status_code == 410
    with job_scope(agency_id=cast.acme.pk):
        facts = letters.facts_of(done) | {"status_url": "https://x.example/"}
    assert "a new code to your e-mail address" in filled("copy_ready", Language.ENGLISH, facts).body
    assert (
        "a su correo electrónico"
        in filled("copy_ready", Language.SPANISH, facts | letters_in_spanish(done)).body
    )


def letters_in_spanish(case: Case) -> dict[str, str]:
    with job_scope(agency_id=case.agency_id):
        return letters.facts_of(case, language=Language.SPANISH)


@pytest.mark.parametrize("ask", [Ask.SEE, Ask.COPY])
def test_a_copy_of_a_withheld_call_alone_is_asked_for_with_an_address(cast: Cast, ask: Ask) -> None:
    key = open_page(cast.dentist, cast)
    answer = send(Browser(headers={"accept-language": "en-US"}), key, ask, **TOLD)
    assert answer.status_code == 422
    assert "a code to it opens your data" in answer.text
    assert "A code to your e-mail address opens your data then" in answer.text
    assert send(Browser(), key, ask, **(TOLD | {"number": "(212) 555-0101"})).status_code == 303
    assert send(Browser(), key, Ask.DELETE, **TOLD).status_code == 303


def test_a_package_that_nobody_could_open_is_not_decided(cast: Cast, call: Call) -> None:
    case = described(cast, Ask.COPY, number="(212) 555-0101", mail="")
    found_by_staff(cast, case, call)
    later = NOON + timedelta(minutes=5)
    asking.search(case.submission, at=later)
    assert (
        "No one could download the package" in signed_in(cast.alice).get(f"/requests/{case.pk}/decide/").text
    )
    office, now = asking.Office(cast), asking.case_of(case.submission, Ask.COPY)
    said = {"case": now, "ground": "", "words": "", "at": later}
    with pytest.raises(deciding.NotProvenError, match="No one could download the package"):
        office.does(deciding.decide, decided=Decided.FULFIL, **said)
    asking.prove(case.submission, at=later)
    asking.search(case.submission, at=later)
    office.does(deciding.decide, decided=Decided.FULFIL, **said)


def test_the_named_address_opens_nothing_where_no_call_was_found(cast: Cast, call: Call) -> None:
    case = described(cast, Ask.COPY)
    withheld = identity_of(case, IdentityKind.WITHHELD)
    asking.Office(cast).does(proofs.judge, identity=withheld, holds=True, seen="Knew what was spoken of.")
    with job_scope(agency_id=cast.acme.pk):
        assert Identity.objects.get(pk=withheld.pk).state == IdentityState.PROVEN
        assert openers.openers_of(case.submission) == []
    asking.search(case.submission, at=NOON)
    with pytest.raises(deciding.NotProvenError, match="No one could download the package"):
        asking.Office(cast).does(
            deciding.decide, case=asking.case_of(case.submission, Ask.COPY), decided=Decided.FULFIL,
            ground="", words="", at=NOON,
        )  # fmt: skip


@pytest.mark.parametrize("kind", [IdentityKind.PHONE, IdentityKind.EMAIL])
def test_a_code_to_the_named_address_opens_nothing_where_a_number_or_a_mailbox_is_proven(
    cast: Cast, call: Call, kind: IdentityKind
) -> None:
    case = described(cast, Ask.COPY, number="(212) 555-0101")
    found_by_staff(cast, case, call)
    withheld = identity_of(case, IdentityKind.WITHHELD)
    named = links.Named(cast.acme.pk, cast.dentist.pk, case.submission_id)
    with job_scope(agency_id=cast.acme.pk):
        proof = settling.add(withheld.submission, ProofKind.MAIL_CODE, holds=True, at=NOON, identity=withheld)
    asking.prove(case.submission)
    if kind is IdentityKind.EMAIL:
        with job_scope(agency_id=cast.acme.pk):
            Identity.objects.filter(submission=case.submission, kind=IdentityKind.PHONE).update(kind=kind)
    decided(cast, case)
    where, browser = page_of(case), Browser(headers={"accept-language": "en-US"})
    assert str(withheld.pk) not in browser.get(where).text
    assert do(browser, where, "code", identity=str(withheld.pk), way="text").status_code == 404
    with pytest.raises(packages.NotFreshError):
        portal.open_package(named=named, proof_id=proof.pk, at=NOON + timedelta(minutes=6))


def test_what_was_said_on_it_is_erased_here_and_at_the_tracker_and_a_count_stays(
    cast: Cast, call: Call
) -> None:
    case = described(cast, Ask.DELETE)
    found_by_staff(cast, case, call)
    asking.search(case.submission, at=NOON)
    shown = signed_in(cast.alice).get(f"/requests/{case.pk}/decide/").text
    assert "A call without caller ID" in shown
    assert "Nothing of this person was found" not in shown
    with job_scope(agency_id=cast.acme.pk):
        recording = Recording.objects.get(call_id=call.pk)
    assert vault.recording_keys(cast.dentist.pk, [recording.pk])

    done = decided(cast, case)

    with job_scope(agency_id=cast.acme.pk):
        assert not Recording.objects.filter(call_id=call.pk).exists()
        left = Call.objects.get(pk=call.pk)
        assert (left.caller_id, left.caller_withheld, left.tags) == (None, True, [])
        assert VendorTask.objects.filter(client=cast.dentist).count() == 1
        assert Event.objects.filter(action="call.erased_for_person").count() == 1
        stays, gone = letters.facts_of(done)["stays"], letters.facts_of(done)["done"]
    assert vault.recording_keys(cast.dentist.pk, [recording.pk]) == {}
    assert "stays as a count" in stays
    assert "Recordings: 1" in gone
    assert "until its own date" not in signed_in(cast.alice).get(f"/requests/{case.pk}/").text


def test_a_hold_keeps_it_and_the_letter_says_so_until_it_ends_here_and_at_the_tracker(
    cast: Cast, call: Call
) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        hold = holds.place_hold(
            client=cast.dentist, extent=holds.Wanted(call_ids=frozenset({call.pk})), name="The bill", matter="",
            reason="Counsel asked.", review_on=date(2027, 2, 1), ends_on=None, people=[],
            placed_by=cast.alice.user_id, at=NOON,
        )  # fmt: skip
    connect(cast.dentist, "callrail")
    case = described(cast, Ask.DELETE)
    found_by_staff(cast, case, call)
    done = decided(cast, case)
    later = NOON + timedelta(hours=2)

    def told() -> int:
        asking.work(cast.acme, at=later)
        with job_scope(agency_id=cast.acme.pk):
            return RecipientNotice.objects.count()

    def stays() -> tuple[int, str, int, int]:
        with job_scope(agency_id=cast.acme.pk):
            row = Finding.objects.get(submission=case.submission, copies=Copies.RECORDINGS)
            recordings = Recording.objects.filter(call_id=call.pk).count()
            return row.erased, row.kept_why, recordings, VendorTask.objects.count()

    assert done.decided == Decided.FULFIL
    assert erasing.erase_freed(agency_id=cast.acme.pk, clock=lambda: later) == 0
    assert redaction.work_off(agency_id=cast.acme.pk, at=later) == 0
    assert stays() == (0, "hold", 1, 0)
    sweep_requests()
    assert told() == 0, "the tracker has what the hold keeps"
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert hold_selectors.falls_due(hold, later).asked == 1
        holds.lift_hold(hold=hold, shown=hold_selectors.falls_due(hold, later), reason="The bill is paid.",
                        lifted_by=cast.alice.user_id, at=later)  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        holds.mark_held(client=cast.dentist, at=later)
    sweep_requests()
    assert stays() == (1, "", 0, 1)
    assert told() == 1
    assert erasing.erase_freed(agency_id=cast.acme.pk, clock=lambda: later) == 0


def test_a_call_that_a_run_takes_before_the_sweep_holds_its_request_no_longer(cast: Cast, call: Call) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        hold = holds.place_hold(
            client=cast.dentist, extent=holds.Wanted(call_ids=frozenset({call.pk})), name="The bill", matter="",
            reason="Counsel asked.", review_on=date(2027, 2, 1), ends_on=None, people=[],
            placed_by=cast.alice.user_id, at=NOON,
        )  # fmt: skip
    case = described(cast, Ask.DELETE)
    found_by_staff(cast, case, call)
    decided(cast, case)
    later = NOON + timedelta(days=900)
    with job_scope(agency_id=cast.acme.pk):
        ended = NOON + timedelta(hours=1)
        Case.objects.filter(submission=case.submission).update(closed_at=ended)
        Submission.objects.filter(pk=case.submission_id).update(ended_at=ended)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        holds.lift_hold(hold=hold, shown=hold_selectors.falls_due(hold, later), reason="The bill is paid.",
                        lifted_by=cast.alice.user_id, at=later)  # fmt: skip
    night.live(cast.dentist)
    night.spend(cast.acme, later)

    def there() -> tuple[bool, bool]:
        with job_scope(agency_id=cast.acme.pk):
            calls = Call.objects.filter(pk=call.pk)
            return calls.exists(), Submission.objects.filter(pk=case.submission_id).exists()

    assert there() == (False, True)
    sweep_requests()
    with job_scope(agency_id=cast.acme.pk):
        lines = Finding.objects.filter(submission=case.submission, erased__gt=0)
        assert {row.copies for row in lines} == {Copies.CALLS, Copies.RECORDINGS}
        assert {(row.kept, row.kept_why) for row in lines} == {(0, "")}
    night.spend(cast.acme, later + timedelta(days=1))
    assert there() == (False, False)


@pytest.mark.parametrize("which", ["known", "stranger"])
def test_only_a_call_of_the_client_whose_caller_is_not_known_may_be_picked(
    cast: Cast, call: Call, which: str
) -> None:
    known = make.call(cast.dentist, asking.BEN, at=CAME)
    stranger = make.call(cast.plumber, None, at=CAME)
    other = known if which == "known" else stranger
    case = described(cast, Ask.DELETE)
    assert found_by_staff(cast, case, call, picks=str(other.pk)).status_code == 422
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(submission=case.submission)
        assert identity.state != IdentityState.PROVEN
    with pytest.raises(ValueError, match="caller is not known"):
        asking.Office(cast).does(
            proofs.judge, identity=identity, holds=True, seen="A guess of mine.", call_id=other.pk
        )


def by_mail(cast: Cast) -> tuple[Case, Identity]:
    """Somebody asks for a copy by mail alone, and has proven the mailbox."""
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        submission = cases.open_cases(
            agency=cast.acme, client=cast.dentist, asks=[Ask.COPY], channel=Channel.EMAIL,
            claims=[cases.Claim(IdentityKind.EMAIL, "anna@people.example")], contact=cases.Contact(name="Anna"),
            received_at=NOON, by=asking.BY_PAGE, at=NOON,
        )  # fmt: skip
        Identity.objects.filter(submission=submission).update(state=IdentityState.PROVEN, proven_at=NOON)
        cases.note_proven(submission=submission, by=asking.PROVER, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(submission=submission)
    return asking.case_of(submission, Ask.COPY), identity


@pytest.mark.parametrize("is_decided", some([False, True], one_in=2))
def test_what_was_picked_and_proven_is_judged_no_second_time(
    cast: Cast, call: Call, *, is_decided: bool
) -> None:
    case = described(cast, Ask.DELETE)
    found_by_staff(cast, case, call)
    later = NOON + timedelta(minutes=5)
    asking.search(case.submission, at=later)
    if is_decided:
        asking.Office(cast).does(deciding.decide, case=asking.case_of(case.submission, Ask.DELETE),
                                 decided=Decided.FULFIL, ground="", words="", at=later)  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.get(submission=case.submission)
        other = Call.objects.for_client(cast.dentist).filter(caller=None).exclude(pk=call.pk).latest("pk")
    page = f"/requests/{case.pk}/identities/{identity.pk}/"
    for told in ({"holds": "yes", "call": str(other.pk)}, {"holds": "no"}):
        more = {"seen": "Knew what was spoken of.", "arrived_on": f"{NOON:%Y-%m-%d}"}
        answer = signed_in(cast.alice).post(page, told | more)
        assert answer.status_code == 302
        with job_scope(agency_id=cast.acme.pk):
            identity.refresh_from_db()
        assert (identity.call_id, identity.state) == (call.pk, IdentityState.PROVEN)


def test_who_is_not_proven_is_not_judged_once_it_is_decided(cast: Cast, call: Call) -> None:
    case = described(cast, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(decided=Decided.REFUSE, decided_at=NOON)
        identity = Identity.objects.get(submission=case.submission)
    page = f"/requests/{case.pk}/identities/{identity.pk}/"
    assert 'name="holds"' not in signed_in(cast.alice).get(page).text
    told = {"holds": "yes", "seen": "Knew what was spoken of.", "call": str(call.pk)}
    signed_in(cast.alice).post(page, told)
    with job_scope(agency_id=cast.acme.pk):
        identity.refresh_from_db()
    assert (identity.call_id, identity.proven_at) == (None, None)


def test_staff_say_whose_calls_a_proven_mail_address_stands_for(cast: Cast, call: Call) -> None:
    hers = make.call(cast.dentist, asking.BEN, at=CAME)
    foreign = make.call(cast.plumber, asking.BEN, at=CAME)
    case, identity = by_mail(cast)
    page = f"/requests/{case.pk}/identities/{identity.pk}/"
    browser = signed_in(cast.alice)
    assert "An email address does not identify a phone number" in browser.get(page).text
    said = {
        "caller": f"http://x/clients/dentist/callers/{hers.caller_id}/",
        "seen": "The invoice names both.",
    }
    for wrong in ({"caller": "K7-42Q"}, {"caller": str(foreign.caller_id)}, {"seen": ""}):
        assert browser.post(f"{page}caller/", said | wrong).status_code == 422
    assert signed_in(cast.mallory).post(f"{page}caller/", said).status_code == 404
    assert browser.post(f"{page}caller/", said).status_code == 302

    decided(cast, case)

    with job_scope(agency_id=cast.acme.pk):
        assert Finding.objects.get(submission=case.submission, copies=Copies.CALLS).count == 1
        assert Package.objects.get(case=case).contents["calls"] == 1
        assert Event.objects.filter(action="identity.caller_named").count() == 1
    assert browser.post(f"{page}caller/", said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="identity.caller_named").count() == 1, "it is decided"
