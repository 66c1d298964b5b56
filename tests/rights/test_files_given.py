"""Files of calls that were given away: rows of who is erased, restricted or says no leave, and recipients are told."""

import csv
import hashlib
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail

from analytics.models.releases import Release, ReleaseKind, Removal, RemovalCause
from analytics.selectors import holding
from analytics.services import building, releases, taking_out
from analytics.tasks import releases as tasks
from callprivacy.calls.models import Call, Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from consent.enums import Channel, EventKind, Language, Purpose, Strength
from consent.services import ledger, minors, withdrawals
from consent.services.ledger import Said
from rights.enums import Ask, Copies, Decided, NoticeAbout, NoticeState
from rights.models import Case, Finding, RecipientNotice
from rights.selectors import casebook, held, letters, reach
from rights.services import deciding, passing, restricting
from tests import make
from tests.analytics import released
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import Office
from tests.scale import some

pytestmark = pytest.mark.django_db

WHO = released.number(3)
LATER = make.NOON + timedelta(hours=1)


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    released.fill(cast.dentist, callers=15)
    released.agree(cast.dentist)
    return Office(cast)


def given(cast: Cast, name: str = "Northwind Analytics", officer: str = "olga") -> Release:
    """A live pseudonymised file of the dentist's calls."""
    people = [cast.alice, released.officer(cast, officer)]
    to = released.recipient(cast.dentist, cast.alice, name)
    release = released.released(to, people, kind=ReleaseKind.PSEUDONYMISED, columns=("day", "source"))
    assert release.released_at is not None, release.refusal
    return release


def token_of(release: Release, number: str = WHO) -> str:
    key = building.keys_for(release, at=make.NOON).tokens
    assert key is not None
    return holding.token(key, vault.find_callers([release.client_id], number)[release.client_id])


def tokens_in(release: Release) -> set[str]:
    release = released.fresh(release)
    assert release.file_key is not None
    with files.open(release.client_id, release.file_key) as file:
        content = file.read()
    assert hashlib.sha256(content).digest() == bytes(release.digest or b"")
    rows = list(csv.reader(io.StringIO(content.decode())))[1:]
    assert len(rows) == release.rows
    return {row[0] for row in rows}


def decide(cast: Cast, office: Office, ask: Ask) -> Case:
    submission = asking.asked(cast.dentist, ask, numbers=[WHO])
    asking.prove(submission, WHO)
    asking.search(submission)
    case = asking.case_of(submission, ask)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    return asking.case_of(submission, ask)


def swept(cast: Cast) -> None:
    """What the sweep of a minute does."""
    tasks.end_releases(agency_id=cast.acme.pk)


def told(cast: Cast, case: Case) -> list[RecipientNotice]:
    with job_scope(agency_id=cast.acme.pk):
        RecipientNotice.objects.filter(due_at__isnull=False).update(due_at=LATER)
        passing.settle(agency_id=cast.acme.pk, at=LATER + timedelta(hours=2))
        rows = RecipientNotice.objects.filter(case=case, removal_id__isnull=False)
        return list(rows.order_by("recipient"))


def take(cast: Cast, release: Release) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        releases.open_file(release=release, by=Actor.staff(user_id=cast.alice.user_id), at=LATER).close()


@pytest.mark.parametrize(
    ("ask", "about", "says"),
    some(
        [
            (Ask.DELETE, NoticeAbout.ERASURE, "asked to be erased. Delete these rows"),
            (Ask.RESTRICT, NoticeAbout.RESTRICTION, "use them for nothing"),
        ],
        one_in=2,
    ),
)
def test_rows_of_whoever_is_erased_or_restricted_leave_the_file_and_its_recipient_is_told_which(
    cast: Cast, office: Office, ask: Ask, about: NoticeAbout, says: str
) -> None:
    release = given(cast)
    token = token_of(release)
    before = tokens_in(release)
    assert token in before

    case = decide(cast, office, ask)
    assert [one.state for one in told(cast, case)] == [NoticeState.WAITING]
    with pytest.raises(releases.BeingChangedError):
        take(cast, release)
    mail.outbox.clear()
    swept(cast)

    assert tokens_in(release) == before - {token}
    take(cast, released.fresh(release))
    (letter,) = [one for one in mail.outbox if one.to == ["data@northwind.example"]]
    assert isinstance(letter, mail.EmailMultiAlternatives)
    assert token in letter.body
    assert says in letter.body
    assert "1212555" not in letter.body
    assert letter.alternatives
    (notice,) = told(cast, case)
    assert (notice.recipient, notice.about, notice.state) == ("Northwind Analytics", about, NoticeState.SENT)
    assert token not in notice.ticket
    with job_scope(agency_id=cast.acme.pk):
        passing.confirm(notice=notice, receipt="Their mail of 26 November", by=make.JOB, at=LATER)
        notice.refresh_from_db()
    assert notice.state == NoticeState.CONFIRMED
    mail.outbox.clear()
    swept(cast)
    assert [one for one in mail.outbox if one.to == ["data@northwind.example"]] == []


@pytest.mark.thorough
def test_a_restricted_person_who_is_erased_later_is_told_of_again_and_nobody_else_twice(
    cast: Cast, office: Office
) -> None:
    release = given(cast)
    decide(cast, office, Ask.RESTRICT)
    swept(cast)
    case = decide(cast, office, Ask.DELETE)
    mail.outbox.clear()
    swept(cast)
    assert [one.state for one in told(cast, case)] == [NoticeState.SENT]
    (letter,) = [one for one in mail.outbox if one.to == ["data@northwind.example"]]
    assert "asked to be erased" in letter.body
    with job_scope(agency_id=cast.acme.pk):
        caller_ids = set(Removal.objects.values_list("caller_id", flat=True))
        again = taking_out.ask(client=cast.dentist, callers=caller_ids, cause=RemovalCause.REFUSAL, at=LATER)
    assert again == [], "who was told to delete rows has none to be told of"
    assert released.fresh(release).rows == len(tokens_in(release)) * 2


@pytest.mark.parametrize("to_the_agency", some([False, True], one_in=2))
def test_a_refusal_on_the_requests_page_keeps_the_file_from_being_taken_at_once(
    cast: Cast, office: Office, *, to_the_agency: bool
) -> None:
    release = given(cast)
    token = token_of(release)
    submission = asking.asked(
        None if to_the_agency else cast.dentist, Ask.DO_NOT_SELL, agency=cast.acme, numbers=[WHO]
    )
    if to_the_agency:
        asking.work(cast.acme, at=LATER)
    with pytest.raises(releases.BeingChangedError):
        take(cast, release)

    mail.outbox.clear()
    swept(cast)
    assert token not in tokens_in(release)
    take(cast, released.fresh(release))
    withdrawals.carry_out(agency_id=cast.acme.pk, at=LATER)
    asking.work(cast.acme, at=LATER + timedelta(hours=1))
    (notice,) = told(cast, asking.case_of(submission, Ask.DO_NOT_SELL))
    assert (notice.about, notice.state) == (NoticeAbout.OPT_OUT, NoticeState.SENT)
    assert [one.to for one in mail.outbox].count(["data@northwind.example"]) == 1


@pytest.mark.parametrize("lost", some(["both", "file", "members", "damaged"], one_in=4))
def test_a_file_that_is_lost_keeps_no_other_from_its_end_and_its_recipient_is_told(
    cast: Cast, office: Office, lost: str
) -> None:
    release, other = given(cast), given(cast, "Second Bureau", "otto")
    token, left = token_of(release), token_of(other)
    over = given(cast, "Third Bureau", "orla")
    assert over.file_key is not None
    with job_scope(agency_id=cast.acme.pk):
        Release.objects.filter(pk=over.pk).update(ends_at=make.NOON)
    for name, key in (("file", release.file_key), ("members", release.members_key)):
        assert key is not None
        path = files._path(release.client_id, key)
        if lost in {name, "both"}:
            path.unlink()
        elif lost == "damaged":
            path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    decide(cast, office, Ask.DELETE)
    mail.outbox.clear()
    swept(cast)

    assert left not in tokens_in(other)
    assert not files.exists(over.client_id, over.file_key)
    letters_sent = [one.body for one in mail.outbox if one.to == ["data@northwind.example"]]
    assert sum(token in body for body in letters_sent) == 1
    if lost == "members":
        assert token not in tokens_in(release)
    with job_scope(agency_id=cast.acme.pk):
        assert not Removal.objects.filter(due_at__isnull=False).exists()


def test_a_no_that_began_before_the_file_was_signed_and_was_written_after_it_counts(
    cast: Cast, office: Office
) -> None:
    """A job takes one instant for all that it writes; a file may be signed and built before its last line."""
    caller = vault.find_callers([cast.dentist.pk], WHO)[cast.dentist.pk]
    again = vault.find_callers([cast.dentist.pk], released.number(4))[cast.dentist.pk]
    says(cast, again, EventKind.WITHDRAWN, at=make.NOON - timedelta(minutes=9))
    says(cast, again, EventKind.RENEWED, at=make.NOON - timedelta(minutes=7))
    release = given(cast)
    before = tokens_in(release)
    says(cast, caller, EventKind.WITHDRAWN, at=make.NOON - timedelta(minutes=5))
    with pytest.raises(releases.BeingChangedError):
        take(cast, release)
    with job_scope(agency_id=cast.acme.pk):
        # Who has said yes again since is none of them.
        assert taking_out._said_since(released.fresh(release))[RemovalCause.REFUSAL] == {caller}
    swept(cast)
    assert tokens_in(release) == before - {token_of(release)}


def test_a_no_that_is_being_written_while_a_file_is_signed_is_waited_for(cast: Cast, office: Office) -> None:
    """Whoever writes it holds the row of the file that waits, which the signature needs."""
    to, signer = released.recipient(cast.dentist, cast.alice), released.officer(cast)
    fields: dict[str, Any] = {"kind": ReleaseKind.PSEUDONYMISED, "columns": ("day", "source")}
    release = released.proposed(released.draft(to, cast.alice, **fields), cast.alice)
    assert released.fresh(release).look_due_at is None
    caller = vault.find_callers([cast.dentist.pk], WHO)[cast.dentist.pk]
    says(cast, caller, EventKind.WITHDRAWN, at=make.NOON - timedelta(minutes=5))
    assert released.fresh(release).look_due_at is not None
    signed = released.signed(release, signer)
    assert token_of(signed) not in tokens_in(signed)
    with pytest.raises(releases.BeingChangedError):
        take(cast, signed)
    swept(cast)
    take(cast, released.fresh(signed))


def says(cast: Cast, caller: UUID, kind: EventKind, *, at: datetime) -> None:
    fact = Said(
        caller_id=caller, purpose=Purpose.SHARE, kind=kind, channel=Channel.WEB, strength=Strength.A,
        happened_at=at, source=f"{kind} {at}",
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(client=cast.dentist, said=[fact], by=make.JOB, at=at)


def test_a_no_to_being_called_leaves_files_as_they_are(cast: Cast, office: Office) -> None:
    release = given(cast)
    token = token_of(release)
    asking.asked(cast.dentist, Ask.DO_NOT_CONTACT, numbers=[WHO])
    swept(cast)
    assert token in tokens_in(release)


def test_who_turns_out_to_be_a_minor_is_taken_out(cast: Cast, office: Office) -> None:
    release = given(cast)
    token = token_of(release)
    caller_id = vault.find_callers([cast.dentist.pk], WHO)[cast.dentist.pk]
    with job_scope(agency_id=cast.acme.pk):
        minors.mark(client=cast.dentist, caller=Caller.objects.get(pk=caller_id), by=make.JOB, at=LATER)
    with pytest.raises(releases.BeingChangedError):
        take(cast, release)
    swept(cast)
    assert token not in tokens_in(release)


@pytest.mark.thorough
def test_of_a_file_that_was_revoked_nobody_is_told_again(cast: Cast, office: Office) -> None:
    release = given(cast)
    with job_scope(agency_id=cast.acme.pk):
        by = Actor.staff(user_id=cast.alice.user_id)
        releases.revoke(release=release, reason="The contract has ended today.", by=by, at=make.NOON)
    swept(cast)
    mail.outbox.clear()
    case = decide(cast, office, Ask.DELETE)
    swept(cast)
    assert told(cast, case) == []
    assert mail.outbox == []


@pytest.mark.thorough
def test_a_file_that_ends_before_its_recipient_was_told_says_so_on_the_case(
    cast: Cast, office: Office
) -> None:
    release = given(cast)
    case = decide(cast, office, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        by = Actor.staff(user_id=cast.alice.user_id)
        releases.revoke(release=release, reason="The contract has ended today.", by=by, at=LATER)
    mail.outbox.clear()
    swept(cast)
    (letter,) = mail.outbox
    assert "was revoked" in letter.body
    (notice,) = told(cast, case)
    assert notice.state == NoticeState.SENT
    assert notice.receipt == "The file has ended, and its recipient was told to delete all of it."


def test_findings_package_and_letter_name_recipients_and_say_what_nobody_can_know(
    cast: Cast, office: Office
) -> None:
    given(cast)
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=[WHO])
    asking.prove(submission, WHO)
    asking.search(submission)
    case = asking.case_of(submission, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        row = Finding.objects.get(submission=submission, copies=Copies.RELEASES)
        assert (row.count, row.detail) == (1, {"recipients": ["Northwind Analytics"]})
        (company,) = held.companies(reach.targets_of(case), submission_id=submission.pk, laws=())
    days = f"{released.FIRST:%-d %b %Y} to {released.LAST:%-d %b %Y}"
    line = f"Northwind Analytics, with a file of calls of {days} in which a code stands for you"
    assert line in company.particulars["recipients"]

    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    case = asking.case_of(submission, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        assert "Northwind Analytics" in letters.facts_of(case)["done"]
        assert (
            "Destinatarios de sus datos: Northwind Analytics"
            in letters.facts_of(case, language=Language.SPANISH)["done"]
        )


def test_of_an_anonymised_file_it_is_said_that_nothing_can_be_taken_out(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    release = released.released(to, [cast.alice, released.officer(cast)])
    was = bytes(release.digest or b"")
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=[WHO])
    asking.prove(submission, WHO)
    asking.search(submission)
    case = asking.case_of(submission, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        (line,) = [one for one in casebook.found_of(case) if one.copies is Copies.RELEASES]
        assert line.count == 0
        assert "no row can be told to be anybody’s" in line.note
        (company,) = held.companies(reach.targets_of(case), submission_id=submission.pk, laws=())
    assert any("calls of yours may be among them" in one for one in company.particulars["recipients"])

    Office(cast).does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    with job_scope(agency_id=cast.acme.pk):
        assert "nothing can be taken out" in letters.facts_of(asking.case_of(submission, Ask.DELETE))["done"]
        assert not Removal.objects.exists()
    swept(cast)
    assert bytes(released.fresh(release).digest or b"") == was


@pytest.mark.thorough
def test_a_correction_of_a_fact_of_a_call_reaches_files_and_one_of_a_name_does_not(
    cast: Cast, office: Office
) -> None:
    given(cast)
    caller_id = vault.find_callers([cast.dentist.pk], WHO)[cast.dentist.pk]
    for number, corrections in enumerate(
        (
            [{"what": "language", "language": "es"}],
            [{"what": "call", "call": str(_call(cast, caller_id)), "field": "source", "value": "Radio"}],
        )
    ):
        restricting.check(corrections)
        submission = asking.asked(cast.dentist, Ask.CORRECT, numbers=[WHO])
        asking.prove(submission, WHO)
        asking.search(submission)
        case = asking.case_of(submission, Ask.CORRECT)
        office.does(
            deciding.decide,
            case=case,
            decided=Decided.FULFIL,
            ground="",
            words="",
            corrections=corrections,
            shown_by="The bill that was shown.",
        )
        asking.work(cast.acme, at=LATER)
        assert len(told(cast, case)) == number


def _call(cast: Cast, caller_id: UUID) -> UUID:
    with job_scope(agency_id=cast.acme.pk):
        return Call.objects.filter(caller_id=caller_id).values_list("pk", flat=True)[0]
