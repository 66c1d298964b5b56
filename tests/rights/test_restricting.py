"""Restriction, correction, minors, word to recipients, and the end of a request."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from analytics.models import Touched
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller, Recording
from callprivacy.calls.selectors import calls as calls_selectors
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import exports, searches
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from consent.enums import RESTRICTED, Language, Purpose, WaitingState
from consent.models import MinorMark, WebhookDelivery
from consent.selectors import decisions, people
from consent.services import destinations, minors, webhooks, withdrawals
from consent.services.ledger import ClientGoneError
from retention.enums import Category
from retention.models import Certificate, Hold, HouseCertificate, Policy, RunPart
from retention.selectors import calendar, preview, samples
from retention.selectors import holds as hold_selectors
from retention.services import erasing, holds, restoring
from retention.targets import Line
from rights.enums import Ask, Decided, IdentityState, NoticeAbout, NoticeState, NoticeWay, StepKind, StepState
from rights.models import Case, CaseEvent, Identity, RecipientNotice, Step, Submission
from rights.selectors import letters, words
from rights.services import deciding, passing, proofs, restricting
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention import night
from tests.rights import asking
from tests.rights.asking import ANNA, BEN, Office

pytestmark = pytest.mark.django_db

LATER = make.NOON + timedelta(hours=1)


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    return Office(cast)


def done(cast: Cast, office: Office, ask: Ask, **said: Any) -> Case:
    submission = asking.asked(cast.dentist, ask, **said.pop("asked", {}))
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, ask)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", **said)
    asking.work(cast.acme, at=LATER)
    return asking.case_of(submission, ask)


def shown(cast: Cast) -> int:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        page = calls_selectors.call_page([cast.dentist], CallFilters(), zone="UTC", before=None, size=50)
        return len(page.calls)


def counted(cast: Cast) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return decisions.calls_open_to(cast.dentist, Purpose.MEASURE, at=LATER).count()


def elsewhere(cast: Cast, call: Call) -> tuple[int, int, int]:
    """How often a call is met where a number is looked for, on its person's page, and among recordings."""
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert call.caller_id is not None
        hits = searches.search_number(clients=[cast.dentist], number=ANNA, by=by, at=LATER)
        lines, _ = people.calls_of(cast.dentist, call.caller_id)
        page = decisions.recording_page(cast.dentist, decisions.Shown.of(""))
        return len(hits), len(lines), len(page.rows)


def sampled(cast: Cast) -> tuple[int, int]:
    """Restricted calls in a preview of what leaves next, were all of it due; and how many callers a list has."""
    with job_scope(agency_id=cast.acme.pk):
        rows = samples.sample(Line(cast.dentist, LATER, LATER, LATER), Category.CALL).rows
        assert len(rows) == 3
        withheld = [row for row in rows if row.name == samples.RESTRICTED]
        assert not any(row.mask or row.at for row in withheld)
        listed = people.callers(cast.dentist, purpose=Purpose.SHARE, group="nothing")
        return len(withheld), len(listed)


def test_a_restricted_caller_is_neither_shown_nor_counted_until_it_is_lifted(
    cast: Cast, office: Office
) -> None:
    call = make.call(cast.dentist, ANNA)
    make.bare_recording(call)
    make.call(cast.dentist, BEN)
    make.call(cast.dentist, None)
    assert (shown(cast), counted(cast)) == (3, 3)
    assert elsewhere(cast, call) == (1, 1, 1)

    case = done(cast, office, Ask.RESTRICT)

    assert (shown(cast), counted(cast)) == (2, 2)
    with job_scope(agency_id=cast.acme.pk):
        assert Touched.objects.filter(client=cast.dentist).exists()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert calls_selectors.find_call(cast.dentist, call.pk) is None
    assert elsewhere(cast, call) == (0, 0, 0)
    assert sampled(cast) == (1, 1), "that it leaves is said, and no word of it"
    assert office.does(restricting.lift, case=case, at=LATER) == 1
    assert office.does(restricting.lift, case=case, at=LATER) == 0
    assert (shown(cast), counted(cast)) == (3, 3)


def shut(client: Client) -> None:
    """The client leaves: its ways in are shut, and its rows are here still."""
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(archived_at=LATER)


@pytest.mark.thorough
def test_a_client_that_leaves_keeps_no_other_from_restricting(cast: Cast, office: Office) -> None:
    asking.answered_by(cast.plumber, Answerer.AGENCY)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA)
    submission = asking.asked(None, Ask.RESTRICT, agency=cast.acme)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.RESTRICT)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    shut(cast.dentist)

    asking.work(cast.acme, at=LATER)

    with job_scope(agency_id=cast.acme.pk):
        step = Step.objects.get(case=case, kind=StepKind.RESTRICT)
        assert (step.state, step.outcome["callers"]) == (StepState.DONE, 2)
        assert not Caller.objects.filter(restricted_at=None).exists()
    listed = {
        client: len(vault.callers_who_refused(client.pk, RESTRICTED, on=LATER.date()))
        for client in (cast.dentist, cast.plumber)
    }
    assert listed == {cast.dentist: 0, cast.plumber: 1}, "the list of one that leaves was handed over"


def test_who_asked_twice_stays_restricted_until_the_second_restriction_ends(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    first, second = done(cast, office, Ask.RESTRICT), done(cast, office, Ask.RESTRICT)

    assert office.does(restricting.lift, case=first, at=LATER) == 0
    assert shown(cast) == 0
    with job_scope(agency_id=cast.acme.pk):
        row = Caller.objects.get(client=cast.dentist)
        assert row.restricted_at is not None
        assert vault.callers_who_refused(cast.dentist.pk, RESTRICTED, on=LATER.date()) == [row.pk]
        Step.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, case=first, kind=StepKind.LIFT, created_at=LATER
        )
    assert office.does(restricting.lift, case=second, at=LATER) == 1
    assert shown(cast) == 1


def test_a_restriction_ends_once_the_person_was_told_by_letter(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    case = done(cast, office, Ask.RESTRICT)
    browser, lift = signed_in(cast.alice), f"/requests/{case.pk}/lift/"
    assert lift in browser.get(f"/requests/{case.pk}/").text
    assert browser.get(lift).headers["Location"].endswith("?letter=restriction_ends")
    assert browser.post(lift).status_code == 302
    with pytest.raises(restricting.NotToldError):
        office.does(restricting.end, case=case, at=LATER)
    assert shown(cast) == 0
    said = {"letter": "restriction_ends", "subject": "Before", "body": "From Monday on.", "way": "post"}
    assert browser.post(f"/requests/{case.pk}/letters/send/", said).status_code == 302

    page = browser.get(lift)
    assert "End the restriction" in page.text
    assert browser.post(lift).status_code == 302
    asking.work(cast.acme, at=make.now())

    assert (shown(cast), counted(cast)) == (1, 1)
    assert lift not in browser.get(f"/requests/{case.pk}/").text
    assert browser.post(lift).headers["Location"] == f"/requests/{case.pk}/"
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="case.restriction_lifted").count() == 1
        assert Caller.objects.get(client=cast.dentist).restricted_at is None


def test_who_does_not_want_to_be_shared_is_in_no_file_that_leaves(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, source="annas")
    make.call(cast.dentist, BEN, source="bens")
    asking.asked(cast.dentist, Ask.DO_NOT_SELL)
    export = office.does(
        exports.request_export,
        client=cast.dentist,
        filters=CallFilters(),
        reason="The client asked for a list.",
    )
    exports.write_export(due=exports.Due(cast.acme.pk, export.pk), clock=lambda: LATER)
    with job_scope(agency_id=cast.acme.pk):
        export.refresh_from_db()
    text = files.open(cast.dentist.pk, export.file_key).read().decode()
    assert "bens" in text
    assert "annas" not in text


def test_a_correction_changes_what_is_known_and_nothing_else_may_be(cast: Cast, office: Office) -> None:
    call = make.call(cast.dentist, ANNA, first_call=True)
    with pytest.raises(restricting.NotCorrectableError):
        done(
            cast,
            office,
            Ask.CORRECT,
            corrections=[{"what": "call", "call": str(call.pk), "field": "seconds"}],
            shown_by="She said so.",
        )
    done(
        cast, office, Ask.CORRECT,
        corrections=[
            {"what": "place", "country": "US", "region": "TX"},
            {"what": "call", "call": str(call.pk), "field": "first_call", "value": False},
        ],
        shown_by="She said so.",
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        call.refresh_from_db()
        assert call.first_call is False
        assert call.caller is not None
        assert Caller.objects.get(pk=call.caller.pk).region == "TX"
        assert Event.objects.filter(action="person.corrected").count() == 2


def test_an_officer_corrects_language_name_and_whose_a_call_is_and_recipients_read_what(
    cast: Cast, office: Office
) -> None:
    recipients(cast, office)
    hers, others = (
        make.call(cast.dentist, ANNA),
        make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=3)),
    )
    make.bare_recording(others)
    submission = asking.asked(cast.dentist, Ask.CORRECT)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.CORRECT)
    page, browser = f"/requests/{case.pk}/decide/", signed_in(cast.alice)
    said = {
        "decided": "fulfil", "language": "es", "name": "Anne Example", "not_theirs": [str(others.pk)],
        "call": str(hers.pk), "field": "place", "value": "us-tx",
    }  # fmt: skip
    without = browser.post(page, said).content.decode()
    assert "what shows that it is right" in without
    assert "Write the place as its code" in browser.post(page, said | {"value": "Texas"}).content.decode()
    shown = {"shown_by": "She sent a bill of the phone company."}
    assert browser.post(page, said | shown).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        (step,) = Step.objects.filter(case=case, kind="correct")
        assert "Anne" not in str(step.wanted)
    asking.work(cast.acme, at=make.now() + timedelta(hours=1))

    case = asking.case_of(submission, Ask.CORRECT)
    ticket = notices(cast)["Adsy"].ticket
    with job_scope(agency_id=cast.acme.pk):
        hers.refresh_from_db()
        others.refresh_from_db()
        assert (hers.country, hers.region, hers.caller_id is None) == ("US", "TX", False)
        assert others.caller_id is None
        assert not Recording.objects.filter(call_id=others.pk).exists()
        assert case.submission.language == "es"
        key = words.key_of(case.submission)
        assert words.record(case.submission.contact, key)["name"] == "Anne Example"
        told = letters.facts_of(case, said="", language=Language.SPANISH)["done"]
    assert "ya no consta como suya" in told
    assert "Your language is kept as: Spanish" in ticket
    assert "Anne" not in ticket


def test_a_correction_made_elsewhere_is_told_and_not_claimed(cast: Cast, office: Office) -> None:
    case = done(cast, office, Ask.CORRECT)
    with job_scope(agency_id=cast.acme.pk):
        assert set(Step.objects.filter(case=case).values_list("kind", flat=True)) == {"pass_on"}


def test_a_child_is_marked_and_nothing_of_it_is_shared(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, Ask.DELETE, is_minor=True)
    asking.prove(submission)
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        assert MinorMark.objects.count() == 1
    assert "share" in vault.suppressed(cast.dentist.pk, [ANNA], on=LATER.date())[ANNA]


def test_a_client_that_leaves_keeps_no_child_from_being_marked(cast: Cast, office: Office) -> None:
    asking.answered_by(cast.plumber, Answerer.AGENCY)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA)
    submission = asking.asked(None, Ask.DELETE, agency=cast.acme, is_minor=True)
    asking.prove(submission)
    shut(cast.dentist)

    asking.search(submission)

    with job_scope(agency_id=cast.acme.pk):
        assert MinorMark.objects.count() == 2
        assert Submission.objects.get(pk=submission.pk).searched_at == make.NOON
    assert "share" in vault.suppressed(cast.plumber.pk, [ANNA], on=LATER.date())[ANNA]
    assert ANNA not in vault.suppressed(cast.dentist.pk, [ANNA], on=LATER.date())


def test_nobody_is_noted_as_a_minor_by_hand_at_a_client_that_leaves(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    shut(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        caller = Caller.objects.get()
        with pytest.raises(ClientGoneError):
            minors.mark(client=cast.dentist, caller=caller, by=make.JOB, at=LATER)


def test_who_asks_for_another_shows_the_right_to(cast: Cast, office: Office) -> None:
    with pytest.raises(deciding.NotProvenError):
        done(cast, office, Ask.DELETE, asked={"on_behalf": "guardian"})


@pytest.mark.thorough
def test_what_was_seen_of_one_number_shows_no_calls_of_another(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, BEN)
    submission = asking.asked(cast.dentist, Ask.SEE, numbers=(ANNA, BEN))
    asking.prove(submission, ANNA, kinds=())
    seen = {"holds": True, "seen": "A bill with the number on it."}
    with job_scope(agency_id=cast.acme.pk):
        other = Identity.objects.filter(submission=submission).exclude(state=IdentityState.PROVEN).get()
    office.does(proofs.judge, identity=other, **seen)
    asking.search(submission)
    case = asking.case_of(submission, Ask.SEE)
    said = {"case": case, "decided": Decided.FULFIL, "ground": "", "words": ""}
    with pytest.raises(deciding.NotProvenError):
        office.does(deciding.decide, **said)
    with job_scope(agency_id=cast.acme.pk):
        first = Identity.objects.filter(submission=submission).exclude(pk=other.pk).get()
        Identity.objects.filter(pk=first.pk).update(state=IdentityState.DOUBTFUL)
        first.refresh_from_db()
    office.does(proofs.judge, identity=first, **seen)
    asking.search(submission)
    office.does(deciding.decide, **said)


def test_calls_are_shown_on_more_than_a_code(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, Ask.SEE)
    asking.prove(submission, kinds=())
    asking.search(submission)
    case = asking.case_of(submission, Ask.SEE)
    with pytest.raises(deciding.NotProvenError):
        office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")


# --- Recipients ---


def recipients(cast: Cast, office: Office) -> None:
    office.does(
        webhooks.add_endpoint,
        client=cast.dentist,
        name="CRM",
        url="https://93.184.215.14/hook",
        with_number=False,
    )
    office.does(destinations.add, client=cast.dentist, name="Adsy", contact="", instructions="Use the form.")


def notices(cast: Cast) -> dict[str, RecipientNotice]:
    with job_scope(agency_id=cast.acme.pk):
        return {row.recipient: row for row in RecipientNotice.objects.select_related("case")}


def test_recipients_of_erased_data_are_told_and_their_receipts_kept(cast: Cast, office: Office) -> None:
    recipients(cast, office)
    make.call(cast.dentist, ANNA)
    case = done(cast, office, Ask.DELETE)

    told = notices(cast)
    assert {name: row.way for name, row in told.items()} == {
        "CRM": NoticeWay.WEBHOOK,
        "Adsy": NoticeWay.TICKET,
    }
    assert case.reference in told["Adsy"].ticket
    assert "Use the form." in told["Adsy"].ticket
    assert ANNA[2:] not in told["Adsy"].ticket
    with job_scope(agency_id=cast.acme.pk):
        delivery = WebhookDelivery.objects.get()
        assert delivery.event_type == "request.erasure"
        WebhookDelivery.objects.update(
            state=WaitingState.DONE, delivered_at=LATER, last_status="answered 200"
        )
        assert passing.settle(agency_id=cast.acme.pk, at=LATER) == 1
        assert passing.settle(agency_id=cast.acme.pk, at=LATER) == 0
    office.does(passing.mark_sent, notice=told["Adsy"], at=LATER)
    office.does(passing.confirm, notice=told["Adsy"], receipt="Their mail of today", at=LATER)
    with pytest.raises(passing.NotOpenError):
        office.does(passing.confirm, notice=told["Adsy"], receipt="Again", at=LATER)
    assert {row.state for row in notices(cast).values()} == {NoticeState.CONFIRMED}


def test_what_consent_does_about_an_opt_out_stands_in_the_case(cast: Cast, office: Office) -> None:
    recipients(cast, office)
    make.call(cast.dentist, ANNA)
    asking.asked(cast.dentist, Ask.DO_NOT_SELL)
    asking.work(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        # Waits for consent's job, which plans who has to be told.
        assert Step.objects.get(kind="pass_on").state == "waiting"
    withdrawals.carry_out(agency_id=cast.acme.pk, at=make.NOON)
    asking.work(cast.acme, at=make.NOON + timedelta(minutes=2))
    assert {row.way for row in notices(cast).values()} == {NoticeWay.WEBHOOK, NoticeWay.TICKET}


def test_an_opt_out_sent_to_the_agency_lists_who_is_told_at_its_clients_and_tells_the_person_nothing_of_it(
    cast: Cast, office: Office
) -> None:
    recipients(cast, office)
    make.call(cast.dentist, ANNA)
    lines, told = {}, {}
    for number in (ANNA, BEN):
        submission = asking.asked(None, Ask.DO_NOT_SELL, agency=cast.acme, numbers=[number])
        asking.work(cast.acme)
        withdrawals.carry_out(agency_id=cast.acme.pk, at=make.NOON)
        asking.work(cast.acme, at=make.NOON + timedelta(minutes=2))
        case = asking.case_of(submission, Ask.DO_NOT_SELL)
        with job_scope(agency_id=cast.acme.pk):
            assert Step.objects.get(case=case, kind="pass_on").state == "done"
            rows = RecipientNotice.objects.filter(case=case)
            lines[number] = {(row.client_id, row.about, row.way) for row in rows}
            shown = CaseEvent.objects.filter(case=case, shown=True)
            told[number] = (sorted(shown.values_list("kind", "at")), letters.facts_of(case)["done"])
    about = (cast.dentist.pk, NoticeAbout.OPT_OUT)
    assert lines[ANNA] == {(*about, NoticeWay.WEBHOOK), (*about, NoticeWay.TICKET)}
    assert lines[BEN] == set()
    # Whoever sent it in has proven nothing, so a known number and an unknown one are told the same.
    assert told[ANNA] == told[BEN]
    with job_scope(agency_id=cast.acme.pk):
        WebhookDelivery.objects.update(
            state=WaitingState.DONE, delivered_at=LATER, last_status="answered 200"
        )
        assert passing.settle(agency_id=cast.acme.pk, at=LATER) >= 1
        hook = RecipientNotice.objects.get(way=NoticeWay.WEBHOOK)
        assert (hook.state, hook.receipt) == (NoticeState.CONFIRMED, "answered 200")


# --- The end ---


def test_a_request_is_kept_two_years_and_then_nothing_of_it_is_left(cast: Cast, office: Office) -> None:
    case = done(cast, office, Ask.DELETE)
    assert office.does(deciding.close, case=case, at=LATER) is True
    night.live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        submission = Submission.objects.get(pk=case.submission_id)
    assert submission.ended_at == LATER
    until = make.NOON + timedelta(days=731)
    night.spend(cast.acme, until)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.exists()
        assert due_requests(cast, until) == 0
        assert due_requests(cast, until + timedelta(days=1)) == 1
    night.spend(cast.acme, until + timedelta(days=1))
    with job_scope(agency_id=cast.acme.pk):
        assert words.key_of(submission) is None
        for model in (Submission, Case, Identity, Step):
            assert not model.objects.exists()
        assert Event.objects.filter(action="request.erased").count() == 1
        said = json.loads(Certificate.objects.filter(client=cast.dentist).latest("number").statement)
        (row,) = [one for one in said["categories"] if one["category"] == "request"]
        assert (row["days"], row["due"], row["erased"]) == (731, 1, 1)
        assert row["digest"] == erasing.digest_after(bytes(32), [submission.pk]).hex()


def due_requests(cast: Cast, at: datetime) -> int:
    """How many requests of the dentist a run would take."""
    lines = preview.lines([cast.dentist], at)
    found = preview.extents(lines)[cast.dentist.pk].get(Category.REQUEST)
    return found.rows if found is not None else 0


def ended(submission: Submission, days: int) -> None:
    with job_scope(agency_id=submission.agency_id):
        Case.objects.filter(submission=submission).update(closed_at=make.NOON)
        Submission.objects.filter(pk=submission.pk).update(ended_at=make.NOON - timedelta(days=days))


@pytest.mark.thorough
def test_the_policy_of_the_client_decides_and_nothing_leaves_where_it_is_observed(
    cast: Cast, office: Office
) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE)
    ended(submission, 800)
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.exists(), "the client is observed"
        part = RunPart.objects.get(client=cast.dentist, category=Category.REQUEST)
        assert (part.state, part.rows_due) == ("observed", 1)
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.REQUEST,
            keep_for_days=900,
            set_at=make.NOON,
        )
    night.live(cast.dentist)
    night.spend(cast.acme, LATER)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.exists()
        Policy.objects.update(keep_for_days=799)
    night.spend(cast.acme, LATER + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()


@pytest.mark.thorough
def test_a_request_that_an_old_dump_brings_back_goes_again(cast: Cast, office: Office) -> None:
    row = asking.asked(cast.dentist, Ask.DELETE)
    ended(row, 800)
    night.live(cast.dentist)
    night.spend(cast.acme)
    again = asking.asked(cast.dentist, Ask.DELETE)
    ended(again, 800)
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.REQUEST,
            keep_for_days=2000,
            set_at=make.NOON,
        )
    assert restoring.take_out(at=LATER).requests == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()


def test_a_request_that_names_no_client_leaves_by_the_agencys_word(cast: Cast, office: Office) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE)
    ended(submission, 800)
    with job_scope(agency_id=cast.acme.pk):
        own = Submission.objects.create(
            agency=cast.acme, channel=submission.channel, received_at=make.NOON, recorded_at=make.NOON,
            ended_at=make.NOON - timedelta(days=740),
        )  # fmt: skip
        young = Submission.objects.create(
            agency=cast.acme, channel=submission.channel, received_at=make.NOON, recorded_at=make.NOON,
            ended_at=make.NOON - timedelta(days=700),
        )  # fmt: skip
        vault_services.create_client_keys(client_id=-cast.acme.pk, agency_id=cast.acme.pk, at=make.NOON)
        vault_services.purpose_key(client_id=-cast.acme.pk, purpose=words.purpose_of(own), at=make.NOON)
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert set(Submission.objects.values_list("pk", flat=True)) == {young.pk, submission.pk}
        assert words.key_of(own) is None
        said = json.loads(HouseCertificate.objects.get().statement)
        assert [(row["category"], row["erased"]) for row in said["categories"]] == [("request", 1)]
        found = calendar.calendar([cast.dentist], make.NOON, own=cast.acme)
        assert found.sum_of(Category.REQUEST) == 1, "the young one; what is due already is on no day"


def test_a_request_that_was_opened_again_stays(cast: Cast, office: Office) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE)
    night.live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Submission.objects.filter(pk=submission.pk).update(ended_at=make.NOON - timedelta(days=800))
    night.spend(cast.acme, LATER)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.exists()


@pytest.mark.thorough
def test_a_request_of_whom_a_hold_keeps_stays_and_previews_count_the_others(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, BEN)
    for number in (ANNA, BEN):
        row = asking.asked(cast.dentist, Ask.SEE, numbers=[number])
        asking.prove(row, number)
        asking.search(row)
        ended(row, 800)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        hold = holds.place_hold(
            client=cast.dentist, extent=holds.Wanted(numbers=(ANNA,)), name="The bill", matter="", people=[],
            reason="Counsel asked.", review_on=date(2027, 2, 1), ends_on=None, placed_by=cast.alice.user_id,
            at=make.NOON,
        )  # fmt: skip
    night.live(cast.dentist)
    page = signed_in(cast.alice).get("/clients/dentist/policies/preview/?category=request")
    (row,) = [one for one in page.context["preview"].rows if one.category == Category.REQUEST]
    assert (row.extent.rows, row.extent.held) == (1, 1)
    assert len(page.context["sample"].rows) == 1
    with job_scope(agency_id=cast.acme.pk):
        hold = Hold.objects.select_related("client__agency").get(pk=hold.pk)
        assert hold_selectors.falls_due(hold, LATER).requests == 1
    for hours in (1, 2):
        night.spend(cast.acme, make.NOON + timedelta(hours=hours))
    with job_scope(agency_id=cast.acme.pk):
        assert words.text(Identity.objects.get().value, words.key_of(Submission.objects.get())) == ANNA


def test_a_hold_of_all_of_a_client_keeps_all_its_requests(cast: Cast, office: Office) -> None:
    submission = asking.asked(cast.dentist, Ask.SEE)
    ended(submission, 800)
    night.live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        hold = Hold.objects.create(
            agency=cast.acme, client=cast.dentist, name="All", review_on=date(2027, 2, 1),
            placed_by_id=cast.alice.user_id, placed_at=make.NOON,
        )  # fmt: skip
        hold = Hold.objects.select_related("client__agency").get(pk=hold.pk)
        assert hold_selectors.falls_due(hold, LATER).requests == 1
    night.spend(cast.acme, LATER)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.exists()
        Hold.objects.update(lifted_at=LATER)
    night.spend(cast.acme, LATER + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()


@pytest.mark.thorough
def test_the_policies_page_says_what_leaves_by_its_own_date(cast: Cast, office: Office) -> None:
    browser = signed_in(cast.alice)
    page = browser.get("/clients/dentist/policies/").content.decode()
    assert "policies/change/request/" in page
    assert "Packages of people&#x27;s data" in page
