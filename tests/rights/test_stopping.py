"""A refusal counts when it comes in: no proof, nobody looks first; and tracking no more means nobody's call."""

from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import exports, intake
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from consent.enums import Channel as Way
from consent.enums import EventKind, InvitationState, Language, Purpose, Strength
from consent.models import ConsentState, Invitation, InvitationBatch, NoticeVersion, Withdrawal
from consent.services import invitations, ledger, text_sending
from consent.services.ledger import Said
from retention.models import Offboarding
from rights.enums import Ask, CaseState, Channel, Decided, IdentityKind, IdentityState, StepKind, StepState
from rights.enums import EventKind as Happened
from rights.forms.cases import NewForm
from rights.forms.deciding import DecideForm
from rights.law.grounds import grounds_for
from rights.models import Case, CaseEvent, Identity, Step, Submission
from rights.selectors import letters
from rights.services import cases, deciding, proofs, steps, stopping
from rights.services.cases import Claim, Contact
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import asking_by_mail, twilio_side
from tests.rights import asking
from tests.rights.asking import ANNA, BEN
from tests.scale import some

pytestmark = pytest.mark.django_db

SOON = make.NOON + timedelta(hours=1)
NEW_YORK = ZoneInfo("America/New_York")
YESTERDAY = str(make.NOON.date() - timedelta(days=1))


def noes(client: Client, number: str = ANNA) -> set[str]:
    return set(vault.suppressed(client.pk, [number], on=SOON.date()).get(number, {}))


@pytest.mark.parametrize(
    ("ask", "purposes"),
    [
        (Ask.DO_NOT_SELL, {"share", "not_asked"}),
        (Ask.DO_NOT_CONTACT, {"contact", "not_asked"}),
        (Ask.LIMIT, {"analyse", "share", "not_asked"}),
        (Ask.WITHDRAW, {"record", "review", "analyse", "contact", "share"}),
        (Ask.DO_NOT_TRACK, {"measure", "share", "track"}),
    ],
)
def test_a_refusal_counts_in_the_transaction_that_opens_its_case(
    cast: Cast, ask: Ask, purposes: set[str]
) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, ask)

    case = asking.case_of(submission, ask)
    assert (case.state, case.took_effect_at) == (CaseState.OPEN, make.NOON)
    assert noes(cast.dentist) == purposes
    assert noes(cast.plumber) == set()
    with job_scope(agency_id=cast.acme.pk):
        states = dict(ConsentState.objects.values_list("purpose", "state"))
        assert states == dict.fromkeys(purposes - {"track", "not_asked"}, "withdrawn")
        # Vendors, advertisers and the agency's own systems are told as of any withdrawal.
        assert Withdrawal.objects.count() == 1


@pytest.mark.parametrize(("ask", "is_over"), [(Ask.DO_NOT_SELL, True), (Ask.DO_NOT_CONTACT, False)])
def test_a_no_to_sharing_ends_files_of_calls_that_were_written_before(
    cast: Cast, ask: Ask, *, is_over: bool
) -> None:
    make.grant(cast.alice, cast.dentist)
    make.call(cast.dentist, ANNA)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        export = exports.request_export(
            client=cast.dentist,
            filters=CallFilters(),
            reason="The client asked for a list.",
            by=by,
            at=make.NOON,
        )
    assert exports.write_export(due=exports.Due(cast.acme.pk, export.pk), clock=lambda: make.NOON)

    # Of whoever never called here no file holds anything, so nobody ends files by guessing.
    asking.asked(cast.dentist, ask, numbers=[BEN])
    with job_scope(agency_id=cast.acme.pk):
        export.refresh_from_db()
        exports.open_export(export=export, by=by, at=make.NOON).close()

    asking.asked(cast.dentist, ask)
    with job_scope(agency_id=cast.acme.pk):
        export.refresh_from_db()
        if is_over:
            with pytest.raises(exports.ExportGoneError):
                exports.open_export(export=export, by=by, at=make.NOON)
            assert exports.delete_expired(agency_id=cast.acme.pk, at=make.NOON) == 1
        else:
            exports.open_export(export=export, by=by, at=make.NOON).close()


# --- Objections ---------------------------------------------------------------------------------------------------

GERMANY = ("DE", "")
MARKETING = {"contact", "share"}


def test_marketing_stops_when_an_objection_comes_in_and_the_rest_when_it_is_decided(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    asking.answered_by(cast.dentist, "agency")
    submission = asking.asked(cast.dentist, Ask.OBJECT, place=GERMANY)

    case = asking.case_of(submission, Ask.OBJECT)
    assert (case.state, case.took_effect_at) == (CaseState.PROVING, None)
    assert noes(cast.dentist) == MARKETING
    with job_scope(agency_id=cast.acme.pk):
        event = CaseEvent.objects.get(case=case, kind=Happened.MARKETING_STOPPED)
        assert event.shown

    asking.prove(submission)
    asking.search(submission)
    office = asking.Office(cast)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    assert noes(cast.dentist) == set(Purpose)
    assert asking.case_of(submission, Ask.OBJECT).took_effect_at == make.NOON


def test_an_objection_without_a_proven_number_is_not_followed_for_nothing_would_stop(cast: Cast) -> None:
    asking.answered_by(cast.dentist, "agency")
    case = objected_by_mail(cast, cast.dentist)
    prove_mail(cast, case)
    asking.search(case.submission)

    with pytest.raises(deciding.NotProvenError, match="No phone number is proven"):
        asking.Office(cast).does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    after = asking.case_of(case.submission, Ask.OBJECT)
    assert (after.decided_at, after.took_effect_at) == (None, None)


def objected_by_mail(cast: Cast, of: Client | None, ask: Ask = Ask.OBJECT) -> Case:
    """Anna objects, or refuses something else, and names a mail address alone."""
    with client_scope(agency_id=cast.acme.pk, client_id=of.pk if of else 0):
        submission = cases.open_cases(
            agency=cast.acme, client=of, asks=[ask], channel=Channel.EMAIL,
            claims=[Claim(IdentityKind.EMAIL, MAIL)], contact=Contact(name="Anna"), place=GERMANY,
            received_at=make.NOON, by=asking.BY_PAGE, at=make.NOON,
        )  # fmt: skip
    if of is None:
        asking.work(cast.acme)
    return asking.case_of(submission, ask)


def prove_mail(cast: Cast, case: Case) -> Identity:
    """The mailbox is proven."""
    with job_scope(agency_id=cast.acme.pk):
        rows = Identity.objects.filter(submission=case.submission)
        rows.update(state=IdentityState.PROVEN, proven_at=make.NOON)
        cases.note_proven(submission=case.submission, by=asking.PROVER, at=make.NOON)
        return rows.select_related("submission").get()


@pytest.mark.parametrize("by_agency", [False, True])
@pytest.mark.parametrize(
    "ask",
    some(
        [ask for ask in Ask if ask.stops_at_once],
        one_in=6,
        each=lambda ask: (ask.works_at_once, ask is Ask.DO_NOT_TRACK),
    ),
)
def test_a_refusal_that_names_no_number_waits_for_one_and_is_not_said_to_count(
    cast: Cast, ask: Ask, *, by_agency: bool
) -> None:
    case = objected_by_mail(cast, None if by_agency else cast.dentist, ask)

    kinds = dict(events_of(cast, case))
    assert kinds["waits_for_number"] is False
    assert kinds.keys().isdisjoint({"marketing_stopped", "took_effect", "passed_on", "not_recorded"})
    assert case.took_effect_at is None
    page = signed_in(cast.alice).get(f"/requests/{case.pk}/").text
    assert "Nothing was stopped because no number is known" in page
    may_be_named = not by_agency and ask is not Ask.DO_NOT_TRACK
    assert ("choose the caller" in page) is may_be_named
    assert "This client has left" not in page


@pytest.mark.parametrize("by_agency", [False, True])
def test_the_address_of_an_objection_is_left_alone(cast: Cast, *, by_agency: bool) -> None:
    objected_by_mail(cast, None if by_agency else cast.dentist)
    a_year_on = datetime.combine(make.NOON.replace(year=make.NOON.year + 1), time(), tzinfo=NEW_YORK)
    with pytest.raises(invitations.NothingToAskError):
        invite(cast, a_year_on - timedelta(minutes=1))
    assert invite(cast, a_year_on).size == 1


def test_an_objection_by_a_withheld_call_leaves_the_address_of_its_answer_alone(cast: Cast) -> None:
    invite(cast, make.NOON)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        cases.open_cases(
            agency=cast.acme, client=cast.dentist, asks=[Ask.OBJECT], channel=Channel.PORTAL, place=GERMANY,
            claims=[Claim(IdentityKind.WITHHELD, '{"at": "2026-11-23T12:00:00+00:00"}')],
            contact=Contact(name="Anna", mail="Anna@example.org"),
            received_at=make.NOON, by=asking.BY_PAGE, at=make.NOON,
        )  # fmt: skip
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=SOON, limit=10) == []


def test_an_objection_stops_for_the_caller_whom_staff_have_named(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA)
    assert call.caller_id is not None
    asking.answered_by(cast.dentist, "agency")
    case, office = objected_by_mail(cast, cast.dentist), asking.Office(cast)
    identity = prove_mail(cast, case)
    assert noes(cast.dentist) == set()

    office.does(
        proofs.name_caller, identity=identity, caller_id=call.caller_id, seen="The invoice names both."
    )
    assert noes(cast.dentist) == MARKETING
    assert ("marketing_stopped", True) in events_of(cast, case)
    assert "Nothing was stopped" not in signed_in(cast.alice).get(f"/requests/{case.pk}/").text

    asking.search(case.submission)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    assert noes(cast.dentist) == set(Purpose)
    assert asking.case_of(case.submission, Ask.OBJECT).took_effect_at == make.NOON
    asking.work(cast.acme)


def test_a_refusal_counts_for_the_caller_whom_staff_have_named(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA)
    assert call.caller_id is not None
    case, office = objected_by_mail(cast, cast.dentist, Ask.DO_NOT_CONTACT), asking.Office(cast)
    identity = prove_mail(cast, case)
    assert noes(cast.dentist) == set()

    for _ in range(2):
        office.does(
            proofs.name_caller, identity=identity, caller_id=call.caller_id, seen="The invoice names both."
        )
    assert "contact" in noes(cast.dentist)
    assert asking.case_of(case.submission, Ask.DO_NOT_CONTACT).took_effect_at == make.NOON
    assert [kind for kind, _ in events_of(cast, case)].count("took_effect") == 1
    assert "Nothing was stopped" not in signed_in(cast.alice).get(f"/requests/{case.pk}/").text


def test_whose_calls_an_address_stands_for_is_not_said_once_the_request_is_decided(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA)
    assert call.caller_id is not None
    case, office = objected_by_mail(cast, cast.dentist), asking.Office(cast)
    identity = prove_mail(cast, case)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(decided=Decided.REFUSE, decided_at=make.NOON)
    with pytest.raises(proofs.SettledError):
        office.does(
            proofs.name_caller, identity=identity, caller_id=call.caller_id, seen="The invoice names both."
        )
    assert noes(cast.dentist) == set()


def test_an_objection_to_the_agency_stops_marketing_at_each_client_and_in_part_what_does_not_go_on(
    cast: Cast,
) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(None, Ask.OBJECT, agency=cast.acme, place=GERMANY)
    asking.work(cast.acme)
    case = asking.case_of(submission, Ask.OBJECT)
    assert (noes(cast.dentist), noes(cast.plumber), noes(cast.florist)) == (MARKETING, MARKETING, set())
    assert (case.state, case.took_effect_at) == (CaseState.PROVING, None)

    asking.prove(submission)
    asking.search(submission)
    asking.Office(cast).does(
        deciding.decide, case=case, decided=Decided.PART, ground="gdpr-object-compelling",
        words="A claim on this move is before a court.", going_on=[Purpose.MEASURE, Purpose.RECORD],
    )  # fmt: skip
    asking.work(cast.acme)
    assert noes(cast.dentist) == noes(cast.plumber) == MARKETING | {"review", "analyse"}
    assert asking.case_of(submission, Ask.OBJECT).took_effect_at == make.NOON


def test_a_yes_that_came_after_an_objection_to_the_agency_outlives_its_decision(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(None, Ask.OBJECT, agency=cast.acme, place=GERMANY)
    asking.work(cast.acme)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    agreed = Said(
        purpose=Purpose.CONTACT, kind=EventKind.GIVEN, channel=Way.PORTAL, strength=Strength.A, happened_at=SOON,
        source="page", caller_id=caller_id,
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(client=cast.dentist, said=[agreed], by=make.JOB, at=SOON)
    # As the ledger does once it is committed.
    vault_services.lift_suppressions(client_id=cast.dentist.pk, caller_id=caller_id, purposes={"contact"})

    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.OBJECT)
    asking.Office(cast).does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=SOON)
    asking.work(cast.acme, at=SOON)

    assert noes(cast.dentist) == set(Purpose) - {"contact"}
    assert noes(cast.plumber) == set(Purpose)


def test_an_objection_is_not_refused_whole_on_a_ground_for_a_part_and_in_part_says_what_goes_on(
    cast: Cast,
) -> None:
    asking.answered_by(cast.dentist, "agency")
    submission = asking.asked(cast.dentist, Ask.OBJECT, place=GERMANY)
    asking.prove(submission)
    asking.search(submission)
    case, office = asking.case_of(submission, Ask.OBJECT), asking.Office(cast)
    said = {"case": case, "ground": "gdpr-object-compelling", "words": "A claim is before a court."}
    with pytest.raises(deciding.NoGroundError, match="a part only"):
        office.does(deciding.decide, decided=Decided.REFUSE, **said)
    for wrong in ([], [Purpose.CONTACT, Purpose.MEASURE]):
        with pytest.raises(deciding.GoesOnError):
            office.does(deciding.decide, decided=Decided.PART, going_on=wrong, **said)

    office.does(deciding.decide, decided=Decided.PART, going_on=[Purpose.RECORD], **said)

    assert noes(cast.dentist) == set(Purpose) - {"record"}
    with job_scope(agency_id=cast.acme.pk):
        ground = letters.facts_of(case_of := asking.case_of(submission, Ask.OBJECT))["ground"]
        spanish = letters.facts_of(case_of, language=Language.SPANISH)["ground"]
    assert ground.endswith("This goes on: recording them.")
    assert spanish.endswith("Esto continúa: grabarlas.")


def test_objections_that_waited_before_stop_marketing_by_the_job(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, Ask.OBJECT, place=GERMANY)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    vault_services.lift_suppressions(client_id=cast.dentist.pk, caller_id=caller_id, purposes=MARKETING)
    assert noes(cast.dentist) == set()

    fill = import_module("rights.migrations.0018_objections_that_are_open_stop_marketing")
    with job_scope(agency_id=cast.acme.pk), connection.cursor() as cursor:
        cursor.execute(fill._OPEN)
    assert asking.work(cast.acme, at=make.now()) == 1

    assert noes(cast.dentist) == MARKETING
    assert noes(cast.plumber) == set()
    assert asking.case_of(submission, Ask.OBJECT).took_effect_at is None


@pytest.mark.parametrize(
    ("decided", "going_on", "is_right"),
    [
        ("part", ["record"], True),
        ("part", [], False),
        ("part", ["contact"], False),
        ("refuse", ["record"], False),
    ],
)
def test_what_goes_on_is_ticked_of_an_objection_that_is_followed_in_part(
    decided: str, going_on: list[str], *, is_right: bool
) -> None:
    said = {"decided": decided, "ground": "gdpr-object-compelling", "words": "A claim is before a court."}
    form = DecideForm(
        said | {"going_on": going_on}, grounds=grounds_for("object", ["gdpr"]), asks_voice=False, calls=None,
        by_law=False, asks_going_on=True,
    )  # fmt: skip
    assert form.is_valid() is is_right


# --- When it was said -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "outlives"), [("", False), ("12:00", True)])
@pytest.mark.parametrize("whom", some(["dentist", "-"], one_in=2))
def test_a_no_of_which_the_day_alone_is_known_is_none_that_a_yes_of_that_day_outlives(
    cast: Cast, whom: str, typed: str, *, outlives: bool
) -> None:
    make.call(cast.dentist, ANNA)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    now = make.now()
    on = now.astimezone(NEW_YORK).date() - timedelta(days=1)
    agreed = Said(
        purpose=Purpose.CONTACT, kind=EventKind.GIVEN, channel=Way.PORTAL, strength=Strength.A,
        happened_at=datetime.combine(on, time(13), tzinfo=NEW_YORK), source="page", caller_id=caller_id,
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(client=cast.dentist, said=[agreed], by=make.JOB, at=now)
    answer = signed_in(cast.alice).post("/requests/new/", {
        "client": whom, "channel": "post", "asks": ["do_not_contact"], "number": ANNA, "on_behalf": "self",
        "language": "en", "received_on": on.isoformat(), "received_time": typed,
    })  # fmt: skip
    assert answer.status_code == 302
    asking.work(cast.acme, at=make.now())

    assert ("contact" in noes(cast.dentist)) is not outlives
    with job_scope(agency_id=cast.acme.pk):
        case = Case.objects.get()
        assert case.received_at == datetime.combine(on, time(12), tzinfo=NEW_YORK), "the law's clock"
        state = ConsentState.objects.get(caller_id=caller_id, purpose="contact").state
        assert state == ("given" if outlives else "withdrawn")
        # Nobody says that recipients were told before what consent does about the no is planned.
        is_told = Step.objects.get(case=case, kind=StepKind.PASS_ON).state == StepState.DONE
        assert is_told is outlives


@pytest.mark.parametrize(
    ("on", "typed", "said_at"),
    [
        (YESTERDAY, "", datetime.combine(make.NOON, time(), tzinfo=NEW_YORK) - timedelta(microseconds=1)),
        (YESTERDAY, "12:00", None),
        # Of today no instant that is still to come.
        (str(make.NOON.date()), "", make.NOON),
    ],
)
def test_what_is_typed_by_its_day_was_said_by_the_end_of_it(
    cast: Cast, on: str, typed: str, said_at: datetime | None
) -> None:
    told = {
        "client": "dentist", "channel": "post", "asks": ["do_not_contact"], "number": ANNA, "on_behalf": "self",
        "language": "en", "received_on": on, "received_time": typed,
    }  # fmt: skip
    form = NewForm(told, clients=[cast.dentist], with_own=False, zone="UTC", at=make.NOON)
    assert form.is_valid(), form.errors
    assert form.said_at() == said_at


def refused_yesterday(cast: Cast, now: datetime) -> tuple[Submission, Case]:
    """An objection of two days ago that was refused on the next morning; erin is there for an appeal."""
    make.call(cast.dentist, ANNA)
    asking.answered_by(cast.dentist, "agency")
    make.grant(make.person(cast.acme, "erin", Role.OFFICER), cast.dentist)
    begun = now - timedelta(days=2)
    submission = asking.asked(cast.dentist, Ask.OBJECT, place=GERMANY, at=begun)
    asking.prove(submission, at=begun)
    asking.search(submission, at=begun)
    case = asking.case_of(submission, Ask.OBJECT)
    (why, *_) = [one for one in grounds_for(case.kind, ["gdpr"]) if not one.in_part]
    refused_at = datetime.combine(yesterday(now), time(9), tzinfo=NEW_YORK)
    asking.Office(cast).does(
        deciding.decide, case=case, decided=Decided.REFUSE, ground=why.id, words="We go on.", at=refused_at
    )
    with job_scope(agency_id=cast.acme.pk):
        # Who gives an answer does not look at it again; here alice does.
        Case.objects.filter(pk=case.pk).update(decided_by_id=None)
    return submission, case


def yesterday(now: datetime) -> date:
    return now.astimezone(NEW_YORK).date() - timedelta(days=1)


def test_an_appeal_of_which_the_day_alone_is_known_is_none_that_a_yes_of_that_day_outlives(
    cast: Cast,
) -> None:
    now = make.now()
    submission, case = refused_yesterday(cast, now)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    agreed = Said(
        purpose=Purpose.RECORD, kind=EventKind.GIVEN, channel=Way.PORTAL, strength=Strength.A,
        happened_at=datetime.combine(yesterday(now), time(13), tzinfo=NEW_YORK), source="page", caller_id=caller_id,
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        ledger.record_events(client=cast.dentist, said=[agreed], by=make.JOB, at=now)
    answer = signed_in(cast.alice).post(
        f"/requests/{case.pk}/appeal/",
        {"received_on": yesterday(now).isoformat(), "words": "I said no at three o'clock."},
    )
    assert answer.status_code == 302

    office = asking.Office(cast)
    said = {"decided": Decided.FULFIL, "ground": "", "words": "You are right.", "at": now}
    office.does(deciding.decide, case=asking.case_of(submission, Ask.APPEAL), **said)
    asking.search(submission, at=now)
    with job_scope(agency_id=cast.acme.pk):
        again = Case.objects.get(submission=submission, asks=Ask.OBJECT, decided="")
        noon = datetime.combine(yesterday(now), time(12), tzinfo=NEW_YORK)
        assert again.received_at == noon, "the law's clock"
    office.does(deciding.decide, case=again, **said)

    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.get(caller_id=caller_id, purpose="record").state == "withdrawn"


def test_an_appeal_comes_in_after_the_answer(cast: Cast) -> None:
    now = make.now()
    _, case = refused_yesterday(cast, now)
    day = yesterday(now) - timedelta(days=1)
    page = signed_in(cast.alice).post(
        f"/requests/{case.pk}/appeal/", {"received_on": day.isoformat(), "words": "I do not agree."}
    )
    assert page.status_code == 422
    assert "It cannot have arrived before the answer of" in page.text
    with job_scope(agency_id=cast.acme.pk):
        assert not Case.objects.filter(asks=Ask.APPEAL).exists()


# --- Not asked again ----------------------------------------------------------------------------------------------
MAIL = "anna@example.org"


def opted_out(cast: Cast, *claims: Claim, at: datetime, of: Client | None = None) -> Case:
    """Anna opts out of sale by these numbers and addresses."""
    with client_scope(agency_id=cast.acme.pk, client_id=of.pk if of else 0):
        submission = cases.open_cases(
            agency=cast.acme, client=of, asks=[Ask.DO_NOT_SELL], channel=Channel.PORTAL, claims=list(claims),
            contact=Contact(name="Anna", mail=MAIL), received_at=at, by=asking.BY_PAGE, at=at,
        )  # fmt: skip
    if of is None:
        asking.work(cast.acme, at=at)
    return asking.case_of(submission, Ask.DO_NOT_SELL)


def invite(cast: Cast, at: datetime, number: str = BEN, name: str = "List") -> InvitationBatch:
    """Staff ask by mail: Anna's address, beside some number."""
    with job_scope(agency_id=cast.acme.pk):
        words = NoticeVersion.objects.filter(client=cast.dentist).select_related("notice").first()
    words = words or asking_by_mail.version(cast)
    with job_scope(agency_id=cast.acme.pk):
        words = NoticeVersion.objects.select_related("notice").get(pk=words.pk)
        return invitations.create_batch(
            client=cast.dentist, name=name, version=words, by=make.JOB, at=at,
            read=invitations.read_list([f"{MAIL},{number}"], country="US"),
        )  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("received", "day_before", "day"),
    some(
        [
            (datetime(2026, 11, 24, 12, tzinfo=UTC), date(2027, 11, 23), date(2027, 11, 24)),
            # Of a leap day twelve months are whole on the first of March.
            (datetime(2028, 2, 29, 12, tzinfo=UTC), date(2029, 2, 28), date(2029, 3, 1)),
            # Late in the evening in New York it is the next day in UTC already.
            (datetime(2026, 12, 1, 3, tzinfo=UTC), date(2027, 11, 29), date(2027, 11, 30)),
        ],
        one_in=3,
    ),
)
@pytest.mark.parametrize("by_agency", [False, True])
def test_an_address_that_opted_out_is_asked_on_the_day_and_not_the_evening_before(
    cast: Cast, received: datetime, day_before: date, day: date, *, by_agency: bool
) -> None:
    claim = Claim(IdentityKind.EMAIL, MAIL)
    case = opted_out(cast, claim, at=received, of=None if by_agency else cast.dentist)
    assert case.ask_again_from == day

    with pytest.raises(invitations.NothingToAskError):
        invite(cast, datetime.combine(day_before, time(23, 59), tzinfo=NEW_YORK))
    assert invite(cast, datetime.combine(day, time(0), tzinfo=NEW_YORK)).size == 1


def test_a_number_that_opted_out_is_left_alone_although_its_no_has_ended(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    case = opted_out(cast, Claim(IdentityKind.PHONE, ANNA), at=make.NOON, of=cast.dentist)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    vault_services.lift_suppressions(client_id=cast.dentist.pk, caller_id=caller_id, purposes={"share"})
    with job_scope(agency_id=cast.acme.pk):
        ConsentState.objects.filter(caller_id=caller_id).remove()
    assert case.ask_again_from is not None

    with pytest.raises(invitations.NothingToAskError):
        invite(
            cast, datetime.combine(case.ask_again_from, time(0), tzinfo=NEW_YORK) - timedelta(hours=1), ANNA
        )
    assert invite(cast, datetime.combine(case.ask_again_from, time(0), tzinfo=NEW_YORK), ANNA).size == 1


@pytest.mark.thorough
def test_who_opts_out_while_a_letter_waits_gets_none_and_who_has_one_gets_no_reminder(cast: Cast) -> None:
    invite(cast, make.NOON, ANNA, "Waits")
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.update(due_at=SOON)
    opted_out(cast, Claim(IdentityKind.PHONE, ANNA), at=make.NOON, of=cast.dentist)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=SOON, limit=10) == []
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get()
        assert (row.state, row.address, row.due_at) == (InvitationState.PURGED, None, None)

    invite(cast, make.NOON, "+12125550177", "Was sent")
    # The address opted out; the number that it stands beside did not.
    with job_scope(agency_id=cast.acme.pk):
        assert Invitation.objects.filter(state=InvitationState.QUEUED).count() == 1
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=make.NOON, limit=10)
    invitations.letter_sent(agency_id=cast.acme.pk, letter=letter, at=make.NOON)
    opted_out(cast, Claim(IdentityKind.EMAIL, MAIL), at=SOON, of=cast.dentist)
    week = make.NOON + timedelta(days=8)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=week, limit=10) == []
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get(pk=letter.invitation_id)
        # The link of the letter that went out still takes an answer.
        assert (row.state, row.due_at, row.link_digest is not None) == (InvitationState.SENT, None, True)


def test_nobody_texts_who_opted_out_to_ask(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    case = opted_out(cast, Claim(IdentityKind.PHONE, ANNA), at=make.NOON, of=cast.dentist)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]
    version = twilio_side.notice(cast.dentist, channel=Way.SMS)
    assert case.ask_again_from is not None
    for at in (
        make.NOON,
        datetime.combine(case.ask_again_from, time(0), tzinfo=NEW_YORK) - timedelta(minutes=1),
    ):
        with (
            job_scope(agency_id=cast.acme.pk),
            pytest.raises(text_sending.NotInvitedError, match="opted out within"),
        ):
            text_sending.invite(client=cast.dentist, caller_id=caller_id, version=version, by=make.JOB, at=at)
    with job_scope(agency_id=cast.acme.pk):
        on_the_day = datetime.combine(case.ask_again_from, time(15), tzinfo=NEW_YORK)
        text_sending.invite(
            client=cast.dentist, caller_id=caller_id, version=version, by=make.JOB, at=on_the_day
        )
        assert Invitation.objects.get().state == InvitationState.QUEUED


def test_a_refusal_to_the_agency_reaches_each_of_its_clients_and_no_others(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.florist, ANNA)
    submission = asking.asked(None, Ask.DO_NOT_SELL, agency=cast.acme)
    assert noes(cast.dentist) == set()

    asking.work(cast.acme)

    assert (noes(cast.dentist), noes(cast.plumber), noes(cast.florist)) == (
        {"share", "not_asked"},
        {"share", "not_asked"},
        set(),
    )
    assert asking.case_of(submission, Ask.DO_NOT_SELL).took_effect_at == make.NOON
    with job_scope(agency_id=cast.acme.pk):
        # Where nobody knew the number, nobody does now.
        assert list(Caller.objects.values_list("client_id", flat=True)) == [cast.dentist.pk]
        assert Event.objects.filter(action="token.derived").count() == 2


def test_a_client_whose_keys_do_not_open_keeps_a_no_from_no_client_behind_it(
    cast: Cast, logged: StringIO
) -> None:
    make.call(cast.plumber, ANNA)
    with connections["vault"].cursor() as cursor:
        cursor.execute("SELECT key, token_key FROM vault_clientkey WHERE client_id = %s", [cast.dentist.pk])
        whole = cursor.fetchone()
        set_keys(cast.dentist, "none", "none")
        submission = asking.asked(None, Ask.DO_NOT_SELL, agency=cast.acme)
        asking.work(cast.acme)

        assert cast.dentist.pk < cast.plumber.pk
        assert noes(cast.plumber) == {"share", "not_asked"}
        assert asking.case_of(submission, Ask.DO_NOT_SELL).took_effect_at is None
        with job_scope(agency_id=cast.acme.pk):
            step = Step.objects.get(case__submission=submission)
            assert (step.done, step.total, step.last_error) == (1, 2, "NotEverywhereError")
        assert f'"client": {cast.dentist.pk}' in logged.getvalue()

        set_keys(cast.dentist, *whole)
        asking.work(cast.acme, at=SOON)
    assert noes(cast.dentist) == noes(cast.plumber) == {"share", "not_asked"}
    assert asking.case_of(submission, Ask.DO_NOT_SELL).took_effect_at == SOON
    with job_scope(agency_id=cast.acme.pk):
        assert Withdrawal.objects.count() == 1


def set_keys(of: Client, key: str, token_key: str) -> None:
    """A client's keys as they stand in the vault's table."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "UPDATE vault_clientkey SET key = %s, token_key = %s WHERE client_id = %s",
            [key, token_key, of.pk],
        )


def events_of(cast: Cast, case: Case) -> list[tuple[str, bool]]:
    with job_scope(agency_id=cast.acme.pk):
        return list(CaseEvent.objects.filter(case=case).order_by("at", "pk").values_list("kind", "shown"))


def test_what_is_refused_at_a_client_that_has_left_is_not_said_to_count(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    has_left(cast)
    case = asking.case_of(asking.asked(cast.dentist, Ask.DO_NOT_SELL), Ask.DO_NOT_SELL)
    assert (case.took_effect_at, case.ask_again_from, noes(cast.dentist)) == (None, None, set())
    assert ("not_recorded", True) in events_of(cast, case)
    page = signed_in(cast.alice).get(f"/requests/{case.pk}/").content.decode()
    assert "Nothing of what is refused was recorded" in page


def test_staff_are_warned_of_an_objection_at_a_client_that_has_left_and_the_person_is_told_once(
    cast: Cast,
) -> None:
    has_left(cast)
    submission = asking.asked(cast.dentist, Ask.OBJECT)
    asking.prove(submission)
    case = asking.case_of(submission, Ask.OBJECT)
    page = signed_in(cast.alice).get(f"/requests/{case.pk}/").content.decode()
    assert "Nothing of what is refused was recorded" in page

    with job_scope(agency_id=cast.acme.pk):
        stopping.stop_decided(case=case, going_on=(), by=make.JOB, at=make.NOON)
    assert asking.case_of(submission, Ask.OBJECT).took_effect_at is None
    assert events_of(cast, case).count(("not_recorded", True)) == 1


def test_what_a_job_was_to_stop_at_a_client_that_has_left_since_is_not_said_to_be_done(cast: Cast) -> None:
    submission = asking.asked(cast.dentist, Ask.OBJECT)
    case = asking.case_of(submission, Ask.OBJECT)
    with job_scope(agency_id=cast.acme.pk):
        CaseEvent.objects.filter(case=case, kind=Happened.MARKETING_STOPPED).delete()
        steps.plan(case=case, kind=StepKind.SUPPRESS, at=make.NOON)
    has_left(cast)
    asking.work(cast.acme)
    assert events_of(cast, case).count(("not_recorded", True)) == 1
    assert {kind for kind, _ in events_of(cast, case)}.isdisjoint({"marketing_stopped", "passed_on"})


def test_a_refusal_to_the_agency_says_to_staff_that_a_client_which_leaves_has_none(cast: Cast) -> None:
    has_left(cast)
    with job_scope(agency_id=cast.acme.pk):
        Offboarding.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            asked_by=cast.alice.user,
            asked_at=make.NOON,
            state="written",
        )
    submission = asking.asked(None, Ask.DO_NOT_SELL, agency=cast.acme)
    asking.work(cast.acme)
    case = asking.case_of(submission, Ask.DO_NOT_SELL)
    assert case.took_effect_at == make.NOON
    assert noes(cast.dentist) == set()
    assert ("not_recorded", False) in events_of(cast, case)


def has_left(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=make.NOON)


def test_a_number_that_is_not_to_be_tracked_calls_as_nobody(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    facts = CallFacts(
        started_at=SOON, direction=Direction.INBOUND, caller=ANNA, references=(("id", "CAL1"),), seconds=60,
        first_call=True, qualified=True, value_cents=5_000, recording_reference="https://vendor.example/r/1",
        tags=("lead",), source="ads",
    )  # fmt: skip
    for client in (cast.dentist, cast.plumber):
        intake.take_in(
            client=client,
            provider="callrail",
            connection_id=None,
            facts=[facts],
            way=intake.Way.HOOK,
            at=SOON,
        )
    with job_scope(agency_id=cast.acme.pk):
        call = Call.objects.get(client=cast.dentist)
        assert (call.caller_id, call.caller_withheld, call.seconds, call.source) == (None, True, 60, "ads")
        assert (call.first_call, call.qualified, call.value_cents, call.tags) == (None, None, None, [])
        assert not hasattr(call, "recording")
        assert Call.objects.get(client=cast.plumber).caller_id is not None


@pytest.mark.as_committed
def test_whoever_proves_the_number_and_says_yes_again_is_tracked_again(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    caller_id = vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk]

    def says_yes(strength: Strength, at: datetime) -> None:
        yes = Said(
            purpose=Purpose.MEASURE, kind=EventKind.GIVEN, channel=Way.PORTAL, strength=strength, happened_at=at,
            source=f"portal {at}", caller_id=caller_id,
        )  # fmt: skip
        with job_scope(agency_id=cast.acme.pk):
            ledger.record_events(client=cast.dentist, said=[yes], by=make.JOB, at=at)

    says_yes(Strength.C, make.NOON + timedelta(minutes=1))
    assert noes(cast.dentist) == {"measure", "share", "track"}
    says_yes(Strength.A, make.NOON - timedelta(minutes=1))
    assert noes(cast.dentist) == {"measure", "share", "track"}
    says_yes(Strength.A, make.NOON + timedelta(minutes=2))
    assert noes(cast.dentist) == {"share"}


def test_calls_of_before_keep_their_caller(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    facts = CallFacts(
        started_at=make.NOON - timedelta(days=3),
        direction=Direction.INBOUND,
        caller=ANNA,
        references=(("id", "C"),),
    )
    intake.take_in(
        client=cast.dentist,
        provider="callrail",
        connection_id=None,
        facts=[facts],
        way=intake.Way.HOOK,
        at=SOON,
    )
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.get().caller_id is not None
