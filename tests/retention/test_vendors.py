"""What vendors hold of what we erase: listed always, asked for under the client's instruction alone."""

from datetime import timedelta

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Connection, Recording
from callprivacy.calls.services import connections, erasure
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from consent.enums import VendorStep, WaitingState
from consent.models import VendorTask
from consent.selectors import withdrawals as board
from consent.services import menu_calls, vendor_tasks, withdrawals
from retention.enums import LeftoverState
from retention.models import Errand, Leftover
from retention.services import errands, truth, vendors
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.numbers import says
from tests.retention.lists_side import ACCOUNT, TOKEN

OLD = make.NOON - timedelta(days=400)
ANNA = "+12125550101"
RE = "RE" + "e" * 32
AT_TWILIO = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RE}"
AT_CALLRAIL = "https://app.callrail.com/calls/766970532/recording/redirect?access_key=aaaa"


def live(client: Client, *, instructed: bool) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.NOON - timedelta(days=30)
        )
        Engagement.objects.for_client(client).update(delete_at_vendor=instructed)
        return Client.objects.select_related("agency").get(pk=client.pk)


def connect(client: Client, provider: str) -> Connection:
    with job_scope(agency_id=client.agency_id):
        way = connections.create_connection(
            client=client, provider=provider, name=provider, secret=TOKEN, by=make.JOB, at=make.NOON
        )
        if provider == "twilio":
            Connection.objects.filter(pk=way.pk).update(mapping={"account": ACCOUNT})
        return Connection.objects.select_related("client").get(pk=way.pk)


def recorded(client: Client, provider: str, address: str) -> Recording:
    way = connect(client, provider)
    recording = make.recording(make.call(client, ANNA, at=OLD, connection=way), address)
    with job_scope(agency_id=client.agency_id):
        Recording.objects.filter(pk=recording.pk).update(provider=provider)
        return Recording.objects.select_related("call").get(pk=recording.pk)


def begin(client: Client, recording: Recording) -> int:
    """What a batch does in the transaction that chooses."""
    with job_scope(agency_id=client.agency_id):
        copies = erasure.vendor_copies(client, [recording.call_id])
        return vendors.open_steps(client=client, copies=copies, by=make.JOB, at=make.NOON)


def end(client: Client, recording: Recording) -> None:
    """Our own copy is gone."""
    with job_scope(agency_id=client.agency_id):
        Recording.objects.filter(pk=recording.pk).remove()


def the(client: Client) -> VendorTask:
    with job_scope(agency_id=client.agency_id):
        return VendorTask.objects.select_related("client__agency", "connection").get(
            step=VendorStep.DELETE_RECORDING
        )


def left(client: Client) -> Leftover:
    with job_scope(agency_id=client.agency_id):
        return Leftover.objects.for_client(client).get()


def test_without_an_instruction_nothing_is_asked_and_the_copy_is_listed(cast: Cast) -> None:
    client = live(cast.dentist, instructed=False)
    recording = recorded(client, "callrail", AT_CALLRAIL)

    assert begin(client, recording) == 0

    with job_scope(agency_id=cast.acme.pk):
        assert not VendorTask.objects.exists()
    found = left(client)
    assert (found.pk, found.state, found.provider) == (recording.pk, LeftoverState.OPEN, "callrail")
    assert begin(client, recording) == 0
    assert left(client).pk == found.pk


def test_twilio_is_asked_by_its_interface_once_our_own_copy_is_gone(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "twilio", AT_TWILIO)

    assert begin(client, recording) == 1
    assert begin(client, recording) == 0

    assert left(client).state == LeftoverState.ASKED
    task = the(client)
    assert (task.by_ticket, task.caller_id, task.due_at) == (False, None, make.NOON)
    assert menu_calls.claim_order(agency_id=cast.acme.pk, at=make.NOON) is None
    with job_scope(agency_id=cast.acme.pk):
        step = board.step_of(client, task.pk, at=make.NOON)
    assert step is not None
    assert "our own copy" in step.waits_for

    end(client, recording)

    order = menu_calls.claim_order(agency_id=cast.acme.pk, at=make.NOON)
    assert order is not None
    assert order.recording == RE


def test_a_recording_that_was_allowed_is_asked_for_all_the_same(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "twilio", AT_TWILIO)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=recording.pk).update(state="allowed")
    begin(client, recording)

    withdrawals.watch(agency_id=cast.acme.pk, at=make.NOON)

    assert the(client).state == WaitingState.WAITING


def test_a_vendor_without_an_interface_gets_a_letter_that_names_no_caller_and_no_address(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "callrail", AT_CALLRAIL)
    begin(client, recording)
    task = the(client)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(vendor_tasks.KeptBackError):
        vendor_tasks.mark_sent(task=task, words=task.ticket, by=make.JOB, at=make.NOON)
    end(client, recording)

    assert task.by_ticket
    assert "To CallRail" in task.ticket
    assert "has deleted its own copy" in task.ticket
    assert "withdrawn" not in task.ticket
    assert "access_key" not in task.ticket
    assert not says(task.ticket, ANNA)
    with job_scope(agency_id=cast.acme.pk):
        shown = vendor_tasks.show_reference(task=task, by=make.JOB, at=make.NOON)
        vendor_tasks.mark_sent(task=task, words=task.ticket, by=make.JOB, at=make.NOON)
    assert shown == {"call": "766970532"}
    assert "offers us no way to delete it ourselves" in task.ticket
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=7)) == 1


def test_call_tracking_metrics_is_asked_by_a_person_and_the_pages_say_so_plainly(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "ctm", "https://app.calltrackingmetrics.com/calls/recording/1")
    begin(client, recording)
    task = the(client)
    assert (task.by_ticket, task.due_at) == (True, None)
    assert "To CallTrackingMetrics" in task.ticket
    assert "the redaction of the call" in task.ticket
    make.grant(cast.alice, cast.dentist)
    browser = signed_in(cast.alice)
    end(client, recording)
    for page in ("/clients/dentist/copies/", f"/clients/dentist/consent/steps/{task.pk}/"):
        shown = browser.get(page).content.decode()
        assert "publishes no interface that asks for it" in shown, page
        assert "6469265224077-Redacting-Information-for-Privacy" in shown


def test_no_letter_has_blanks_where_nothing_is_known_of_the_vendor(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "signed", "call-1")
    begin(client, recording)
    assert "every copy of it.\n\n" in the(client).ticket


def test_what_is_done_at_the_vendor_is_gone_and_forgotten_after_30_days(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "callrail", AT_CALLRAIL)
    begin(client, recording)
    end(client, recording)
    ids = {"agency_id": cast.acme.pk, "client_id": client.pk}
    assert truth.settle(**ids, at=make.NOON) == 0
    with job_scope(agency_id=cast.acme.pk):
        vendor_tasks.confirm_done(
            task=the_inside(client), receipt="case 12", was_checked=True, by=make.JOB, at=make.NOON
        )

    assert truth.settle(**ids, at=make.NOON) == 1

    assert (left(client).state, left(client).gone_at) == (LeftoverState.GONE, make.NOON)
    assert truth.forget_gone(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=29)) == 0
    assert truth.forget_gone(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=30)) == 1


def the_inside(client: Client) -> VendorTask:
    return VendorTask.objects.select_related("client__agency").for_client(client).get()


def test_a_copy_without_a_connection_is_listed_and_asked_for_by_its_vendors_name(cast: Cast) -> None:
    client = live(cast.dentist, instructed=True)
    recording = make.recording(make.call(client, ANNA, at=OLD), "https://api.invoca.net/calls/1/audio")
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=recording.pk).update(provider="invoca")

    assert begin(client, recording) == 1

    assert left(client).connection_id is None
    assert "To Invoca" in the(client).ticket


def test_what_quarantine_listed_is_asked_for_once_the_client_has_instructed(cast: Cast) -> None:
    client = live(cast.dentist, instructed=False)
    recording = recorded(client, "twilio", AT_TWILIO)
    begin(client, recording)
    end(client, recording)
    by = make.JOB
    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(vendors.NotInstructedError):
            vendors.ask_for_leftovers(client=client, leftover_ids=[recording.pk], by=by, at=make.NOON)
        assert Leftover.objects.get().state == LeftoverState.OPEN
    client = live(client, instructed=True)
    with job_scope(agency_id=cast.acme.pk):
        assert vendors.ask_for_leftovers(client=client, leftover_ids=[recording.pk], by=by, at=make.NOON) == 1
        assert vendors.ask_for_leftovers(client=client, leftover_ids=[recording.pk], by=by, at=make.NOON) == 0

    assert left(client).state == LeftoverState.ASKED
    order = menu_calls.claim_order(agency_id=cast.acme.pk, at=make.NOON)
    assert order is not None
    assert order.recording == RE


@pytest.mark.parametrize("instructed", [True, False])
def test_errands_of_before_are_moved_and_leave_nothing_behind(cast: Cast, instructed: bool) -> None:
    client = live(cast.dentist, instructed=instructed)
    connect(client, "twilio")
    errand = make.errand(client, AT_TWILIO, provider="twilio")
    with job_scope(agency_id=cast.acme.pk):
        errands.renew_item(client=client, by=make.JOB, at=make.NOON)
    ids = {"agency_id": cast.acme.pk, "client_id": client.pk}

    assert vendors.move_errands(**ids, at=make.NOON) == 1
    assert vendors.move_errands(**ids, at=make.NOON) == 0

    with job_scope(agency_id=cast.acme.pk):
        assert not Errand.objects.exists()
        assert not Item.objects.open().filter(kind="vendor_deletion").exists()
        steps = list(VendorTask.objects.values_list("recording_id", "by_ticket"))
    assert steps == ([(errand.recording_id, False)] if instructed else [])
    assert left(client).pk == errand.recording_id


# --- The page ---


def test_the_page_lists_copies_and_asks_only_under_an_instruction(cast: Cast) -> None:
    client = live(cast.dentist, instructed=False)
    recording = recorded(client, "twilio", AT_TWILIO)
    begin(client, recording)
    end(client, recording)
    browser = signed_in(cast.alice)
    url = "/clients/dentist/copies/"

    page = browser.get(url).content.decode()
    assert "Not confirmed deleted" in page
    assert "No instruction is recorded" in page
    assert RE not in page
    browser.post(url + "ask/", {"leftover": [str(recording.pk)]})
    assert left(client).state == LeftoverState.OPEN
    live(client, instructed=True)
    browser.post(url + "ask/", {"leftover": [str(recording.pk), "no-id"]})
    assert left(client).state == LeftoverState.ASKED
    assert "Being deleted" in browser.get(url).content.decode()
    assert "No rows match these filters" in browser.get(url + "?state=gone").content.decode()
    browser.post(url + "gone/", {"leftover": [str(recording.pk)]})

    assert left(client).state == LeftoverState.GONE
    assert "No copies at vendors" in browser.get(url).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="leftovers.noted_gone").count() == 1


def test_who_may_not_open_steps_asks_for_none(cast: Cast) -> None:
    dana = make.person(cast.acme, "dana", Role.OFFICER)
    make.grant(dana, cast.dentist, without=Permission.MANAGE_CONSENT)
    browser = signed_in(dana)

    assert browser.get("/clients/dentist/copies/").status_code == 200
    assert browser.post("/clients/dentist/copies/ask/", {"leftover": []}).status_code == 403
    assert signed_in(cast.bob).get("/clients/dentist/copies/").status_code == 403
