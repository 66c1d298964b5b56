"""The board of withdrawals, a step's page, endpoints and destinations: by the right person, and by nobody else."""

import pytest
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Reveal
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.enums import Purpose, VendorStep, WaitingState
from consent.models import AdDestination, VendorTask, WebhookDelivery, WebhookEndpoint, Withdrawal
from consent.services import webhooks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.test_webhooks import endpoint, queued
from tests.consent.test_withdrawals import ONE, carry_out, connect, tasks, withdraw
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


@pytest.fixture
def world(cast: Cast) -> Cast:
    make.tracking_number(cast.dentist, "+14155550900", provider="callrail", label="Ads")
    connect(cast)
    withdraw(cast, Purpose.RECORD, Purpose.CONTACT)
    carry_out(cast)
    return cast


WHY = {"reason_kind": "vendor", "reason": "CallRail has to be told whom to text no more"}


def url(name: str, *args: object) -> str:
    return reverse(f"consent:{name}", args=("dentist", *args))


def the(cast: Cast, step: VendorStep) -> VendorTask:
    (task,) = [task for task in tasks(cast) if task.step == step]
    return task


def test_the_board_names_no_number_and_what_waits(world: Cast, alice: Browser) -> None:
    for address in (url("withdrawals"), reverse("consent:all_withdrawals")):
        text = alice.get(address).text
        assert "Waiting for your choice" in text
        assert "At vendors: 0 of 1 steps sent" in text
        assert ONE not in text


@pytest.mark.thorough
def test_the_board_takes_few_questions(
    world: Cast, alice: Browser, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(26):  # type: ignore[operator]  # a fixture of pytest-django's
        alice.get(url("withdrawals"))


@pytest.mark.parametrize(
    ("state", "is_shown"),
    some([("open", True), ("late", True), ("done", False), ("", True), ("nonsense", True)], one_in=5),
)
def test_the_board_is_narrowed_in_the_address(
    world: Cast, alice: Browser, state: str, *, is_shown: bool
) -> None:
    with job_scope(agency_id=world.acme.pk):
        Withdrawal.objects.update(target_at=NOON, outer_at=NOON)
    answer = alice.get(url("withdrawals"), {"state": state, "before": "nonsense"})
    assert answer.status_code == 200
    assert ("Waiting for your choice" in answer.text) == is_shown


@pytest.mark.thorough
def test_an_empty_board_says_what_will_be_here(cast: Cast, alice: Browser) -> None:
    assert "No open withdrawals" in alice.get(url("withdrawals")).text


def test_a_choice_leads_to_its_letter_and_on_to_its_receipt(world: Cast, alice: Browser) -> None:
    choice = the(world, VendorStep.CHOOSE)
    page = alice.get(url("vendor_task", choice.pk))
    assert "cannot stop recording a single caller" in page.text
    assert alice.post(url("vendor_choose", choice.pk), {}).status_code == 422
    answer = alice.post(url("vendor_choose", choice.pk), {"choice": "off"})
    letter = the(world, VendorStep.TURN_OFF_RECORDING)
    assert answer["Location"] == url("vendor_task", letter.pk)
    assert "Mark as sent" in alice.get(answer["Location"]).text
    alice.post(url("vendor_sent", letter.pk), {"words": letter.ticket})
    alice.post(url("vendor_reply", letter.pk), {"words": "Done, case 12"})
    assert "Done, case 12" in alice.get(url("vendor_task", letter.pk)).text
    assert alice.post(url("vendor_done", letter.pk), {"receipt": "case 12"}).status_code == 422
    alice.post(url("vendor_done", letter.pk), {"receipt": "case 12", "was_checked": "on"})
    assert the(world, VendorStep.TURN_OFF_RECORDING).state == WaitingState.DONE


def test_the_number_is_shown_on_asking_and_not_before(world: Cast, alice: Browser) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    assert ONE not in alice.get(url("vendor_task", letter.pk)).text
    for said in ({}, WHY | {"reason": "because"}, WHY | {"reason_kind": ""}):
        refused = alice.post(url("vendor_reference", letter.pk), said)
        assert refused.status_code == 422
        assert ONE not in refused.text
    shown = alice.post(url("vendor_reference", letter.pk), WHY)
    assert ONE in shown.text
    assert 'data-countdown="60"' in shown.text
    assert "no-store" in shown["Cache-Control"]
    with job_scope(agency_id=world.acme.pk):
        row = Reveal.objects.get()
        event = Event.objects.get(pk=row.event_id)
    assert (row.caller_id, row.call_id, row.reason_kind) == (letter.caller_id, None, "vendor")
    assert (event.action, event.subject_id) == ("number.revealed", str(letter.pk))
    assert "Numbers shown" in alice.get(reverse("calls:reveals")).text


def test_numbers_for_vendors_count_towards_the_hours_limit(world: Cast, alice: Browser) -> None:
    with job_scope(agency_id=world.acme.pk):
        Agency.objects.filter(pk=world.acme.pk).update(reveals_per_hour=1)
    letter = the(world, VendorStep.STOP_TEXTS)
    assert ONE in alice.post(url("vendor_reference", letter.pk), WHY).text
    refused = alice.post(url("vendor_reference", letter.pk), WHY)
    assert refused.status_code == 429
    assert ONE not in refused.text


def test_who_may_not_show_numbers_hands_the_step_on(world: Cast) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    mia = make.person(world.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(mia, world.dentist)
    page = signed_in(mia).get(url("vendor_task", letter.pk)).text
    assert "Ask a compliance officer" in page
    assert signed_in(mia).post(url("vendor_reference", letter.pk), WHY).status_code == 403
    assert "Only a compliance officer can choose" in signed_in(mia).get(
        url("vendor_task", the(world, VendorStep.CHOOSE).pk)
    ).text  # fmt: skip


def test_a_number_for_a_vendor_outlives_an_erasure_with_the_evidence_alone(
    world: Cast, alice: Browser
) -> None:
    """The no has still to be carried out; what was sealed leaves with the evidence of it."""
    letter = the(world, VendorStep.STOP_TEXTS)
    assert letter.caller_id is not None
    vault.erase_callers(
        client_id=world.dentist.pk, erasures=[vault.Erasure(letter.caller_id, keep_evidence=True)], at=NOON
    )
    assert ONE in alice.post(url("vendor_reference", letter.pk), WHY).text
    vault.destroy_evidence(client_id=world.dentist.pk, caller_ids=[letter.caller_id])
    gone = alice.post(url("vendor_reference", letter.pk), WHY)
    assert gone.status_code == 422
    assert ONE not in gone.text


def test_the_board_shows_what_cannot_wait(world: Cast, alice: Browser) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    with job_scope(agency_id=world.acme.pk):
        VendorTask.objects.filter(pk=letter.pk).update(target_at=NOON, outer_at=NOON)
    for address in (url("withdrawals"), reverse("consent:all_withdrawals")):
        assert "Withdrawals at the statutory deadline: 1 overdue" in alice.get(address).text
    assert "At vendors: 0 of 1 steps sent" in alice.get(url("withdrawals"), {"state": "law"}).text
    assert "No withdrawals" in alice.get(url("withdrawals"), {"state": "failed"}).text


def test_a_step_that_twilio_does_not_do_says_why_and_is_asked_again_by_a_button(
    world: Cast, alice: Browser
) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    with job_scope(agency_id=world.acme.pk):
        VendorTask.objects.filter(pk=letter.pk).update(
            step=VendorStep.STOP_RECORDING, by_ticket=False, state=WaitingState.FAILED, attempts=24,
            last_error="Twilio rejected the request: answered 401.",
        )  # fmt: skip
    assert "Twilio has not stopped or deleted 1 recording" in alice.get(url("withdrawals")).text
    assert "At vendors: 0 of 1 steps sent" in alice.get(url("withdrawals"), {"state": "failed"}).text
    page = alice.get(url("vendor_task", letter.pk)).text
    for words in (
        "Twilio rejected the request: answered 401.",
        "CallPrivacy sent the request 24 times",
        "Retry now",
    ):
        assert words in page
    alice.post(url("vendor_again", letter.pk))
    row = the(world, VendorStep.STOP_RECORDING)
    assert (row.state, row.attempts) == (WaitingState.WAITING, 0)
    assert "Retry now" not in alice.get(url("vendor_task", letter.pk)).text


def test_a_step_that_is_kept_back_says_until_when_and_offers_no_letter(world: Cast, alice: Browser) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    with job_scope(agency_id=world.acme.pk):
        VendorTask.objects.filter(pk=letter.pk).update(step=VendorStep.DELETE_RECORDING)
    page = alice.get(url("vendor_task", letter.pk)).text
    assert "Waiting until this client is live" in page
    assert "Mark as sent" not in page
    assert "Confirm completion" not in page
    sent = alice.post(url("vendor_sent", letter.pk), {"words": "Please delete."}, follow=True)
    assert "The vendor is not asked to delete until this client is live" in sent.text


def test_what_is_shown_of_one_withdrawal(world: Cast, alice: Browser) -> None:
    with job_scope(agency_id=world.acme.pk):
        row = Withdrawal.objects.for_client(world.dentist).get()
    text = alice.get(url("withdrawal", row.pk)).text
    assert "Stop texting" in text
    assert "Choose how to stop recording" in text


@pytest.mark.parametrize(
    ("person", "status"),
    some(
        [("bob", 403), ("carol", 403), ("agent", 403), ("mallory", 404)],
        one_in=4,
        each=lambda case: case[1],
    ),
)
def test_nobody_else_comes_in(world: Cast, person: str, status: int) -> None:
    if person == "agent":
        member = make.person(world.acme, "dora", Role.AGENT)
        make.grant(member, world.dentist)
    else:
        member = getattr(world, person)
    browser = signed_in(member)
    letter = the(world, VendorStep.STOP_TEXTS)
    assert browser.get(url("withdrawals")).status_code == status
    assert browser.get(url("vendor_task", letter.pk)).status_code == status
    assert browser.post(url("vendor_reference", letter.pk)).status_code == status
    assert (
        browser.post(url("vendor_done", letter.pk), {"receipt": "x", "was_checked": "on"}).status_code
        == status
    )
    assert browser.get(url("endpoints")).status_code == status
    assert browser.get(url("destinations")).status_code == status
    assert the(world, VendorStep.STOP_TEXTS).state == WaitingState.WAITING


def test_another_clients_step_is_nobodys(world: Cast, alice: Browser) -> None:
    letter = the(world, VendorStep.STOP_TEXTS)
    assert alice.get(reverse("consent:vendor_task", args=("plumber", letter.pk))).status_code == 404


def test_an_endpoint_from_its_secret_to_its_dead_letter(cast: Cast, alice: Browser) -> None:
    assert "No endpoints yet" in alice.get(url("endpoints")).text
    refused = alice.post(url("add_endpoint"), {"name": "CRM", "url": "https://127.0.0.1/hooks"})
    assert "private network" in refused.text
    letter = queued(cast)
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=410, words="answered 410", chance=0.0, at=NOON
    )
    with job_scope(agency_id=cast.acme.pk):
        row = WebhookEndpoint.objects.for_client(cast.dentist).get()
        dead = WebhookDelivery.objects.for_client(cast.dentist).get()
    page = alice.get(url("endpoint", row.pk)).text
    assert "Failed" in page
    assert ONE not in page
    alice.post(url("send_again", row.pk, dead.pk))
    alice.post(url("ping_endpoint", row.pk))
    secret = alice.post(url("rotate_endpoint", row.pk))
    assert "whsec_" in secret.text
    assert "whsec_" not in alice.get(url("endpoint", row.pk)).text
    alice.post(url("close_endpoint", row.pk))
    with job_scope(agency_id=cast.acme.pk):
        states = set(WebhookDelivery.objects.for_client(cast.dentist).values_list("state", flat=True))
        assert not WebhookEndpoint.objects.for_client(cast.dentist).get().is_active
    assert states == {WaitingState.CANCELLED}


def test_a_destination_is_added_once_and_ended(cast: Cast, alice: Browser) -> None:
    assert "No destinations yet" in alice.get(url("destinations")).text
    alice.post(url("destinations"), {"name": "Audience list"})
    assert "already" in alice.post(url("destinations"), {"name": "Audience list"}).text
    with job_scope(agency_id=cast.acme.pk):
        row = AdDestination.objects.for_client(cast.dentist).get()
    alice.post(url("close_destination", row.pk))
    assert "Ended" in alice.get(url("destinations")).text


def test_whoever_may_not_manage_connections_adds_no_endpoint(cast: Cast) -> None:
    endpoint(cast)
    assert (
        signed_in(cast.bob).post(url("add_endpoint"), {"name": "x", "url": "https://x.example"}).status_code
        == 403
    )


def test_an_officer_chooses_and_for_all_with_connections_alone(world: Cast) -> None:
    choice = the(world, VendorStep.CHOOSE)
    said = {"choice": "delete", "for_all": "on"}
    manager = make.person(world.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(manager, world.dentist)
    assert signed_in(manager).post(url("vendor_choose", choice.pk), said).status_code == 403
    officer = make.person(world.acme, "olaf", Role.OFFICER)
    make.grant(officer, world.dentist, without=Permission.MANAGE_CONNECTIONS)
    assert signed_in(officer).post(url("vendor_choose", choice.pk), said).status_code == 403
    assert the(world, VendorStep.CHOOSE).state == WaitingState.WAITING
    assert signed_in(officer).post(url("vendor_choose", choice.pk), {"choice": "off"}).status_code == 302


def test_numbers_are_sent_to_a_system_where_an_officer_says_so(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "check_address", lambda *_args, **_more: "93.184.215.14")
    carla = make.person(cast.acme, "carla", Role.ADMIN)
    make.grant(carla, cast.dentist)
    browser = signed_in(carla)
    said = {"name": "mine", "url": "https://carla.example/x", "with_number": "on"}
    assert "whsec_" in browser.post(url("add_endpoint"), said).text
    with job_scope(agency_id=cast.acme.pk):
        row = WebhookEndpoint.objects.get()
    assert not row.with_number
    switch = url("endpoint_number", row.pk)
    assert (
        "Only a compliance officer can turn on sending numbers" in browser.get(url("endpoint", row.pk)).text
    )
    assert browser.post(switch, {"on": "yes"}).status_code == 403
    assert signed_in(cast.alice).post(switch, {"on": "yes"}).status_code == 302
    assert "With numbers" in browser.get(url("endpoints")).text
    assert browser.post(switch, {"on": "no"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert not WebhookEndpoint.objects.get().with_number
