"""Setting a client up: nothing is done that no row shows, and what would mend its calls becomes tasks."""

from datetime import timedelta
from typing import Any

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, JobState
from callprivacy.calls.models import CallImport, Connection, TrackingNumber
from callprivacy.calls.services import connections, numbers
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import Channel, Language, Purpose, SetupStep, Standard, VendorStep
from consent.models import SetupMark, VendorTask
from consent.selectors import onboarding as selectors
from consent.selectors.onboarding import DONE, OPEN, TODO, WAITING
from consent.services import decisions, notices, setup, standards
from consent.services.setup import Fix, Said
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.samples import local

pytestmark = pytest.mark.django_db

HOME = "/clients/dentist/setup/"
WORDS = "Calls are recorded and monitored."
REASON = "Callers expect an announcement; counsel agreed."


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def steps(cast: Cast, *, at: Any = NOON) -> dict[str, tuple[str, str]]:
    with job_scope(agency_id=cast.acme.pk):
        found = selectors.setup_of(cast.dentist, at=at)
        return {step.step: (step.state, step.said) for step in found.steps}


def settle(cast: Cast, step: SetupStep, note: str = "") -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        setup.mark(client=cast.dentist, step=step, note=note, by=by(cast), at=NOON)


def confirm(cast: Cast, number: TrackingNumber, *, records: bool = True, announced: bool = False) -> int:
    said = Said(records, WORDS if announced else "", NOON.date() - timedelta(days=60) if announced else None)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return setup.confirm_numbers(client=cast.dentist, said={number.pk: said}, by=by(cast), at=NOON)


def ask_for(cast: Cast, standard: Standard) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        standards.choose(client=cast.dentist, standard=standard, reason=REASON, by=by(cast), at=NOON)


def recorded(cast: Cast, number: TrackingNumber, caller: str, count: int = 1, **fields: Any) -> None:
    for n in range(count):
        at = NOON - timedelta(days=2, minutes=n)
        call = make.call(cast.dentist, caller, at=at, tracking_number=number, **fields)
        make.recording(call, "https://vendor.example/1")


def decide(cast: Cast) -> None:
    decisions.work(agency_id=cast.acme.pk, until=NOON + timedelta(seconds=40), clock=lambda: NOON)


# --- Where each step stands ---


def test_a_new_client_has_everything_before_it_and_begins_with_the_blueprint(cast: Cast) -> None:
    found = steps(cast)
    assert {name: state for name, (state, _) in found.items()} == {
        "blueprint": TODO, "engagement": TODO, "tracker": TODO, "backfill": TODO, "numbers": TODO,
        "findings": OPEN, "people": DONE, "words": TODO, "live": TODO,
    }  # fmt: skip
    assert found["live"][1] == "dry run: nothing is deleted automatically"
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.setup_of(cast.dentist, at=NOON).next.step == "blueprint"  # type: ignore[union-attr]  # annotated, or the test fails here


def test_a_blueprint_is_done_by_what_it_left_or_by_going_without(cast: Cast) -> None:
    settle(cast, SetupStep.BLUEPRINT, "without a blueprint")
    assert steps(cast)["blueprint"] == (DONE, "without a blueprint")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert setup.unmark(client=cast.dentist, step=SetupStep.BLUEPRINT, by=by(cast), at=NOON)
        assert not setup.unmark(client=cast.dentist, step=SetupStep.BLUEPRINT, by=by(cast), at=NOON)
    assert steps(cast)["blueprint"][0] == TODO


def test_an_engagement_is_done_when_both_papers_are_dated_and_the_rest_stays(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        Engagement.objects.for_client(cast.dentist).update(
            instructions="Only weekdays.", breach_notice_hours=6
        )
        setup.agree(client=cast.dentist, facts={"contract_on": NOON.date()}, by=by(cast), at=NOON)
    assert steps(cast)["engagement"] == (TODO, "the data processing agreement has no date")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        setup.agree(client=cast.dentist, facts={"dpa_on": NOON.date()}, by=by(cast), at=NOON)
        row = Engagement.objects.for_client(cast.dentist).get()
    assert steps(cast)["engagement"][0] == DONE
    assert (row.instructions, row.breach_notice_hours, row.contract_on) == ("Only weekdays.", 6, NOON.date())


def test_a_tracker_is_tested_by_its_first_event(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        way = connections.create_connection(
            client=cast.dentist, provider="callrail", name="C", secret="x" * 20, by=by(cast), at=NOON
        )
    assert steps(cast)["tracker"] == (OPEN, "connected, no event has arrived yet")
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.filter(pk=way.pk).update(last_event_at=local(-1, 23, 30))
    day = NOON.date() - timedelta(days=1)
    assert steps(cast)["tracker"] == (DONE, f"connected, last event {day:%-d %b %Y}"), "by the client's clock"


def test_past_calls_are_those_of_a_file_or_older_than_a_day(cast: Cast) -> None:
    make.call(cast.dentist, "+14155550101", at=NOON - timedelta(hours=2))
    assert steps(cast)["backfill"][0] == TODO, "the tracker's first call is not the past"
    with job_scope(agency_id=cast.acme.pk):
        row = CallImport.objects.create(
            agency=cast.acme, client=cast.dentist, format="callrail", time_zone="UTC", state=JobState.RUNNING,
            created_at=NOON,
        )  # fmt: skip
    assert steps(cast)["backfill"] == (WAITING, "import in progress")
    with job_scope(agency_id=cast.acme.pk):
        CallImport.objects.filter(pk=row.pk).update(state=JobState.DONE, added=1)
    assert steps(cast)["backfill"] == (DONE, "1 call from the last 30 days")
    with job_scope(agency_id=cast.acme.pk):
        CallImport.objects.filter(pk=row.pk).update(added=0)
    assert steps(cast)["backfill"][0] == TODO, "a file that added nothing brought nothing"
    make.call(cast.dentist, "+14155550102", at=NOON - timedelta(days=3))
    assert steps(cast)["backfill"] == (DONE, "2 calls from the last 30 days")


def test_numbers_are_done_once_a_person_has_confirmed_them_and_new_ones_open_it_again(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    assert steps(cast)["numbers"] == (TODO, "1 of 1 number to confirm")
    assert confirm(cast, number, announced=True) == 1
    assert steps(cast)["numbers"] == (DONE, "1 recorded, 1 of them announced")
    assert confirm(cast, number, announced=True) == 0
    make.tracking_number(cast.dentist, "+14155550102")
    assert steps(cast)["numbers"] == (TODO, "1 of 2 numbers to confirm")


def test_recordings_that_wait_to_be_decided_are_waited_for(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    recorded(cast, number, "+14155550111")
    assert steps(cast)["findings"] == (WAITING, "1 recording with a pending decision")


@pytest.mark.as_committed
def test_what_was_found_waits_for_what_is_decided_anew(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    recorded(cast, number, "+14155550111")
    decide(cast)
    assert steps(cast)["findings"][0] == TODO
    confirm(cast, number, announced=True)
    assert steps(cast)["findings"] == (WAITING, "recordings are being decided again")
    decide(cast)
    assert steps(cast)["findings"][0] != WAITING


# --- What was found, and what would mend it ---


@pytest.mark.as_committed
def test_what_was_found_is_one_sentence_and_fixes_follow_from_the_law(cast: Cast) -> None:
    ask_for(cast, Standard.ANNOUNCE)
    ads = make.tracking_number(cast.dentist, "+14155550101", label="Ads")
    silent = make.tracking_number(cast.dentist, "+14155550102", label="Print")
    confirm(cast, ads, announced=True)
    confirm(cast, silent)
    recorded(cast, ads, "+14155550111", 5)
    recorded(cast, silent, "+14155550112", 3)
    recorded(cast, ads, "+493023125001", 2)
    with job_scope(agency_id=cast.acme.pk):
        numbers.describe_number(number=ads, facts={"announced_on_recording": True}, by=by(cast), at=NOON)
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        found = selectors.findings_of(cast.dentist, at=NOON)
        proposed = selectors.proposals(cast.dentist, at=NOON)
    assert found.sentence == (
        "Of 10 recorded calls: 5 announced, 3 from California (US) without, 2 from Germany without."
    )
    assert [(each.number, each.step, each.calls) for each in proposed] == [
        (silent, VendorStep.ANNOUNCE, 3),
        (ads, VendorStep.MOVE_TO_MENU, 2),
    ]
    assert "An announcement is enough there." in proposed[0].why
    assert "Our phone menu asks them first" in proposed[1].why
    assert steps(cast)["findings"] == (TODO, "5 of 10 recordings can be kept; 2 suggested fixes")


@pytest.mark.as_committed
def test_calls_out_are_counted_and_nothing_is_proposed_that_only_callers_hear(cast: Cast) -> None:
    ask_for(cast, Standard.ANNOUNCE)
    number = make.tracking_number(cast.dentist, "+14155550102")
    confirm(cast, number)
    recorded(cast, number, "+14155550112", direction=Direction.OUTBOUND)
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.findings_of(cast.dentist, at=NOON).places[0].calls == 1
        assert selectors.proposals(cast.dentist, at=NOON) == []


@pytest.mark.as_committed
def test_where_the_recording_has_to_hold_it_the_answer_or_the_menu_is_asked_for(cast: Cast) -> None:
    ask_for(cast, Standard.ANNOUNCE)
    number = make.tracking_number(cast.dentist, "+14155550102")
    confirm(cast, number, announced=True)
    recorded(cast, number, "+12065550112")
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        (proposal,) = selectors.proposals(cast.dentist, at=NOON)
        TrackingNumber.objects.filter(pk=number.pk).update(announced_on_recording=True)
        assert selectors.proposals(cast.dentist, at=NOON) == []
    assert "say so on the number's page" in proposal.why
    assert proposal.step == VendorStep.MOVE_TO_MENU


@pytest.mark.as_committed
def test_of_a_tracker_and_a_number_that_differ_the_stricter_place_is_named(cast: Cast) -> None:
    ask_for(cast, Standard.ANNOUNCE)
    number = make.tracking_number(cast.dentist, "+14155550102")
    confirm(cast, number, announced=True)
    recorded(cast, number, "+493023125001", country="US", region="TX")
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        (place,) = selectors.findings_of(cast.dentist, at=NOON).places
        (proposal,) = selectors.proposals(cast.dentist, at=NOON)
    assert (place.name, proposal.step) == ("Germany", VendorStep.MOVE_TO_MENU)


@pytest.mark.as_committed
def test_a_client_that_asks_for_express_consent_is_proposed_the_menu(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    confirm(cast, number, announced=True)
    recorded(cast, number, "+14155550111")
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        (proposal,) = selectors.proposals(cast.dentist, at=NOON)
    assert proposal.step == VendorStep.MOVE_TO_MENU


@pytest.mark.as_committed
def test_accepted_fixes_are_tasks_with_a_drafted_ticket_and_are_not_proposed_again(cast: Cast) -> None:
    ask_for(cast, Standard.ANNOUNCE)
    number = make.tracking_number(cast.dentist, "+14155550102", label="Print", provider="callrail")
    confirm(cast, number)
    recorded(cast, number, "+14155550112", 2)
    decide(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        way = connections.create_connection(
            client=cast.dentist, provider="callrail", name="C", secret="x" * 20, by=by(cast), at=NOON
        )
        fixes = [Fix(number.pk, VendorStep.ANNOUNCE)]
        (task,) = setup.accept_fixes(client=cast.dentist, fixes=fixes, by=by(cast), at=NOON)
        assert setup.accept_fixes(client=cast.dentist, fixes=fixes, by=by(cast), at=NOON) == []
    assert (task.connection_id, task.tracking_number_id, task.by_ticket) == (way.pk, number.pk, True)
    assert "Print (+14155550102)" in task.ticket
    assert task.target_at == NOON + timedelta(days=7)
    with job_scope(agency_id=cast.acme.pk):
        assert VendorTask.objects.count() == 1
        assert selectors.proposals(cast.dentist, at=NOON) == []
        item = Item.objects.open().get(kind=kinds.VENDOR_TASKS)
        assert (item.client_id, item.count) == (cast.dentist.pk, 1)
        assert Event.objects.filter(action="vendor.task_made").count() == 1
    assert steps(cast)["findings"] == (DONE, "0 of 2 recordings can be kept; 1 task at the tracker")


@pytest.mark.as_committed
def test_what_is_left_as_it_is_counts_as_settled_and_says_so(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550102")
    recorded(cast, number, "+14155550112")
    decide(cast)
    assert steps(cast)["findings"][0] == TODO
    settle(cast, SetupStep.FINDINGS, selectors.LEFT_AS_IT_IS)
    state, said = steps(cast)["findings"]
    assert state == DONE
    assert "skipped" in said


def test_the_words_that_are_proposed_are_those_in_force(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert selectors.announcement_words(cast.dentist) == ""
        purposes = [Purpose.RECORD, Purpose.REVIEW]
        words = notices.ready(
            client=cast.dentist, channel=Channel.ANNOUNCEMENT, language=Language.ENGLISH, purposes=purposes
        )
        notices.create_notice(
            client=cast.dentist, name="A", purposes=purposes, channel=Channel.ANNOUNCEMENT,
            language=Language.ENGLISH, words=words, by=by(cast), at=NOON,
        )  # fmt: skip
        proposed = selectors.announcement_words(cast.dentist)
    assert proposed.startswith("Thank you for calling Dentist.")
    assert proposed.endswith("the recording is stopped or not used.")
    assert "\n" not in proposed


# --- Pages ---


def test_the_next_step_is_open_and_each_can_be_opened(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    page = browser.get(HOME).content.decode()
    assert "1 of 9 steps are done" in page
    assert "Preview Home services" in page
    for step in SetupStep:
        page = browser.get(f"{HOME}?step={step}").content.decode()
        assert f'<h2 id="step-title">{step.label}</h2>' in page
    assert "Continue: Blueprint" in page


def test_the_steps_deeds_lead_back_to_the_page(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    number = make.tracking_number(cast.dentist, "+14155550101")
    assert "required" in browser.post(f"{HOME}engagement/", {"contract_on": ""}).content.decode()
    agreed = {"contract_on": "2026-01-02", "dpa_on": "2026-01-03"}
    assert browser.post(f"{HOME}engagement/", agreed)["Location"] == HOME
    short = {"provider": "callrail", "name": "C", "secret": "short"}
    assert "16 to 200" in browser.post(f"{HOME}tracker/", short).content.decode()
    browser.post(f"{HOME}tracker/", short | {"secret": "s" * 32})
    page = browser.get(f"{HOME}?step=tracker").content.decode()
    assert "/hooks/callrail/" in page
    assert "s" * 32 not in page
    said = {f"records_{number.pk}": "yes", f"announced_{number.pk}": "on", "announcement": WORDS}
    assert (
        "Enter the start date of the announcement" in browser.post(f"{HOME}numbers/", said).content.decode()
    )
    future = said | {f"since_{number.pk}": "2999-01-01"}
    assert "in the future" in browser.post(f"{HOME}numbers/", future).content.decode()
    browser.post(f"{HOME}numbers/", said | {f"since_{number.pk}": "2026-10-01"})
    with job_scope(agency_id=cast.acme.pk):
        row = TrackingNumber.objects.get(pk=number.pk)
        assert (row.records, row.announcement) == (True, WORDS)
    later = said | {f"since_{number.pk}": "2026-10-02"}
    assert "strike the entry on" in browser.post(f"{HOME}numbers/", later).content.decode()
    for step in ("backfill", "words"):
        assert browser.post(f"{HOME}mark/", {"step": step, "note": "said so"})["Location"] == HOME
    refused = browser.post(f"{HOME}mark/", {"step": "live"}, follow=True).content.decode()
    assert "cannot mark this step as done" in refused, "going live is signed for elsewhere"
    with job_scope(agency_id=cast.acme.pk):
        marks = set(SetupMark.objects.values_list("step", flat=True))
    assert marks == {"numbers", "backfill", "words"}
    browser.post(f"{HOME}mark/", {"step": "words", "undo": "on"})
    assert "Mark as delivered" in browser.get(f"{HOME}?step=words").content.decode()


def test_numbers_propose_what_their_calls_show(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    other = make.tracking_number(cast.dentist, "+14155550102")
    recorded(cast, number, "+14155550111")
    make.call(cast.dentist, "+14155550111", tracking_number=other)
    page = signed_in(cast.alice).get(f"{HOME}?step=numbers").content.decode()
    assert "1 of 1 call recorded" in page
    assert "0 of 1 call recorded" in page
    assert page.count('<option value="yes" selected>') == 1
    assert page.count('<option value="no" selected>') == 1


@pytest.mark.as_committed
def test_fixes_are_accepted_on_the_page(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550101")
    recorded(cast, number, "+14155550111")
    decide(cast)
    browser = signed_in(cast.alice)
    assert "Select at least one fix" in browser.post(f"{HOME}fixes/", {}).content.decode()
    browser.post(f"{HOME}fixes/", {"fix": f"{number.pk}.move_to_menu"})
    assert "1 task for this client" in browser.get(f"{HOME}?step=findings").content.decode()


def test_each_deed_is_for_who_may_do_it(cast: Cast) -> None:
    agent = make.person(cast.acme, "gus", Role.ACCOUNT_MANAGER)
    make.grant(agent, cast.dentist, without=Permission.MANAGE_CONNECTIONS)
    browser = signed_in(agent)
    page = browser.get(f"{HOME}?step=engagement").content.decode()
    assert "You do not have permission to edit the engagement." in page
    assert "You do not have permission to connect" in browser.get(f"{HOME}?step=tracker").content.decode()
    for part in ("engagement/", "tracker/", "numbers/"):
        assert browser.post(f"{HOME}{part}", {}).status_code == 403
    bob = signed_in(cast.bob)
    assert bob.get(HOME).status_code == 403
    for part in ("fixes/", "mark/", "blueprint/"):
        assert bob.post(f"{HOME}{part}", {}).status_code == 403
    assert signed_in(cast.mallory).get(HOME).status_code == 404
