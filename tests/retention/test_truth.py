"""What a vendor lists is compared with what we erased, page by page, and what it lists no more is gone."""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.channels import asking
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, CallRef, Connection, Recording
from callprivacy.calls.providers import callrail as parser
from callprivacy.calls.providers import twilio as twilio_parser
from callprivacy.calls.providers.base import UnparsableError
from callprivacy.calls.services import pulls
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.work.models import Item
from consent.channels import callrail
from retention.enums import LeftoverState
from retention.models import Leftover, VendorCheck
from retention.services import truth
from retention.tasks import vendors as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention import lists_side
from tests.retention.lists_side import CALLRAIL_ACCOUNT, CALLRAIL_KEY, Lists
from tests.retention.test_vendors import connect

OLD = make.NOON - timedelta(days=400)
NEW = make.NOON - timedelta(days=3)
LINE = make.NOON - timedelta(days=365)
ANNA = "+12125550101"


def sid(kind: str, number: int) -> str:
    return f"{kind}{number:032x}"


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lists]:
    with lists_side.interface() as found, override_settings(CALLPRIVACY_TWILIO_URL=found.url):
        monkeypatch.setattr(callrail, "BASE", found.url)
        monkeypatch.setattr(asking, "RETRIES", asking.RETRIES.new(backoff_factor=0, backoff_jitter=0))
        yield found


def expire(client: Client, *, out: bool = True) -> None:
    for category in ("call", "call_out") if out else ("call",):
        vault_services.advance_watermark(client_id=client.pk, category=category, before=LINE)


def known(way: Connection, kind: str, name: str, at: datetime) -> Call:
    """A call of ours, known by a reference of its vendor."""
    call = make.call(way.client, ANNA, at=at, connection=way)
    digest = vault.client_keys(way.client_id).tokens.digest(way.provider, kind, name)
    with job_scope(agency_id=way.agency_id):
        CallRef.objects.create(
            agency_id=way.agency_id,
            client_id=way.client_id,
            provider=way.provider,
            kind=kind,
            digest=digest,
            call=call,
        )
    return call


def check(way: Connection, at: datetime = make.NOON, *, pages: int = 20) -> bool:
    truth.plan(agency_id=way.agency_id, at=at)
    claimed = truth.claim(agency_id=way.agency_id, at=at)
    assert claimed is not None
    return truth.work_check(claimed=claimed, clock=lambda: at, chance=0.0, pages=pages)


def opened(way: Connection) -> None:
    with job_scope(agency_id=way.agency_id):
        truth.set_access(
            connection=way, account=CALLRAIL_ACCOUNT, company="", key=CALLRAIL_KEY, by=make.JOB, at=make.NOON
        )


def found(client: Client, state: str = "") -> list[Leftover]:
    with job_scope(agency_id=client.agency_id):
        rows = Leftover.objects.for_client(client).order_by("call_started_at")
        return list(rows.filter(state=state) if state else rows)


def row(way: Connection) -> VendorCheck:
    with job_scope(agency_id=way.agency_id):
        return VendorCheck.objects.get(connection=way)


@pytest.mark.thorough
def test_what_is_older_than_the_line_outlives_ours_and_what_is_younger_does_not(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    for number, at in enumerate((NEW, LINE, LINE - timedelta(seconds=1), OLD, OLD)):
        lists.add_recording(sid("RE", number), sid("CA", number), at)

    assert check(way)

    assert len(found(cast.dentist, LeftoverState.OPEN)) == 3
    checked = row(way)
    assert (checked.checked_at, checked.outliving, checked.page, checked.last_error) == (make.NOON, 3, "", "")
    assert checked.due_at is not None
    assert checked.due_at > make.NOON + timedelta(hours=11)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=truth.OUTLIVE).count == 3
        details = Event.objects.get(action="vendor.checked").details
    assert details == {"seen": 5, "outliving": 3, "gone": 0}
    assert [path.count("PageToken") for path in lists.asked] == [0, 1, 1]


def test_nothing_is_concluded_before_anything_of_both_directions_has_expired(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist, out=False)
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)

    check(way)

    assert found(cast.dentist) == []


def test_what_is_ours_still_is_none_and_what_quarantine_erased_is_one(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    held = known(way, "sid", sid("CA", 1), OLD)
    make.recording(held, "https://api.twilio.com/1")
    erased = known(way, "sid", sid("CA", 2), NEW)
    gone = make.recording(erased, "https://api.twilio.com/2")
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=held.pk).update(on_hold=True)
        Recording.objects.filter(pk=gone.pk).update(
            state=RecordingState.GONE, gone_at=make.NOON, reference=None
        )
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)
    lists.add_recording(sid("RE", 2), sid("CA", 2), NEW)

    check(way)

    assert [one.call_started_at for one in found(cast.dentist)] == [NEW]


def test_a_call_that_was_erased_singly_is_known_by_its_tombstone(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "twilio")
    digest = vault.client_keys(cast.dentist.pk).tokens.digest("twilio", "sid", sid("CA", 1))
    vault_services.entomb_calls(
        client_id=cast.dentist.pk,
        digests=[digest],
        ends_on=make.NOON.date() + timedelta(days=9),
        at=make.NOON,
    )
    lists.add_recording(sid("RE", 1), sid("CA", 1), NEW)
    lists.add_recording(sid("RE", 2), sid("CA", 2), NEW)

    check(way)

    (one,) = found(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        key = vault_services.purpose_key(client_id=cast.dentist.pk, purpose="errand", at=make.NOON)
        assert one.reference.reveal(key) == sid("RE", 1)


def test_of_an_account_that_clients_share_a_date_alone_shows_nothing(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "twilio")
    connect(cast.plumber, "twilio")
    expire(cast.dentist)
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)
    truth.plan(agency_id=cast.acme.pk, at=make.NOON)

    while (claimed := truth.claim(agency_id=cast.acme.pk, at=make.NOON)) is not None:
        truth.work_check(claimed=claimed, clock=lambda: make.NOON, chance=0.0)

    assert row(way).checked_at == make.NOON
    assert found(cast.dentist) == []
    assert found(cast.plumber) == []


def test_what_the_vendor_lists_no_more_is_gone_and_what_comes_back_is_open_again(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)
    lists.add_recording(sid("RE", 2), sid("CA", 2), OLD + timedelta(days=1))
    check(way)
    kept = lists.recordings.pop(0)
    later = make.NOON + timedelta(days=1, hours=3)

    check(way, later)

    assert [one.state for one in found(cast.dentist)] == [LeftoverState.GONE, LeftoverState.OPEN]
    lists.recordings.append(kept)
    check(way, later + timedelta(days=1))
    assert [one.state for one in found(cast.dentist)] == [LeftoverState.OPEN, LeftoverState.OPEN]


def test_a_pass_that_is_cut_short_goes_on_where_it_was_and_concludes_nothing_before(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    for number in range(5):
        lists.add_recording(sid("RE", number), sid("CA", number), OLD)

    assert not check(way, pages=1)

    stopped = row(way)
    assert (stopped.seen, stopped.checked_at) == (2, None)
    assert "PA2" not in stopped.page
    assert stopped.page
    lists.asked.clear()
    assert check(way)
    assert [path.rpartition("PageToken=")[2] for path in lists.asked] == ["PA2", "PA4"]
    assert len(found(cast.dentist)) == 5


def test_a_vendor_that_fails_is_asked_again_later_and_nothing_is_gone_by_that(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)
    check(way)
    night = make.NOON + timedelta(days=1, hours=3)
    lists.fails = [500] * 3  # each time twice more at once

    assert not check(way, night)

    failed = row(way)
    assert (failed.failures, failed.last_error) == (1, "answered 500")
    assert failed.due_at == night + timedelta(minutes=5)
    assert [one.state for one in found(cast.dentist)] == [LeftoverState.OPEN]
    assert check(way, night + timedelta(minutes=5))
    assert (row(way).failures, row(way).last_error) == (0, "")


@pytest.mark.thorough
@pytest.mark.parametrize("provider", ["twilio", "callrail"])
def test_a_vendor_that_asks_for_a_pause_has_not_failed_and_gets_it(
    cast: Cast, lists: Lists, provider: str
) -> None:
    way = connect(cast.dentist, provider)
    if provider == "callrail":
        opened(way)
    lists.fails = [429]

    assert not check(way)

    assert (row(way).failures, row(way).due_at) == (0, make.NOON + timedelta(minutes=1))
    assert check(way, make.NOON + timedelta(minutes=1))


def test_the_share_of_an_account_is_kept_by_all_its_connections_and_all_wait(
    cast: Cast, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [connect(client, "callrail") for client in (cast.dentist, cast.plumber)]
    for way in ways:
        opened(way)
    for number in range(9):
        lists.add_call(f"CAL{number}", OLD)
    at = make.NOON + timedelta(days=40, minutes=5)  # an hour that nothing else of the suite is counted in
    monkeypatch.setitem(pulls.CHECKS, "callrail", (3, 100))

    assert not check(ways[0], at)

    hour = at + timedelta(minutes=55)
    assert len(lists.asked) == 3
    assert [row(way).due_at for way in ways] == [hour, hour]
    assert [row(way).failures for way in ways] == [0, 0]
    assert truth.claim(agency_id=cast.acme.pk, at=hour - timedelta(seconds=1)) is None
    monkeypatch.setitem(pulls.CHECKS, "callrail", (90, 100))
    assert check(ways[0], hour)


def test_a_claim_is_anothers_for_as_long_as_its_lease(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "twilio")
    truth.plan(agency_id=cast.acme.pk, at=make.NOON)
    assert truth.plan(agency_id=cast.acme.pk, at=make.NOON) == 0

    first = truth.claim(agency_id=cast.acme.pk, at=make.NOON)

    assert first is not None
    assert truth.claim(agency_id=cast.acme.pk, at=make.NOON + timedelta(minutes=4)) is None
    again = truth.claim(agency_id=cast.acme.pk, at=make.NOON + timedelta(minutes=5))
    assert again is not None
    assert again.started_at == first.started_at
    assert row(way).checked_at is None


def test_callrail_is_asked_with_its_key_and_the_companys_own_calls_are_compared(
    cast: Cast, lists: Lists
) -> None:
    way = connect(cast.dentist, "callrail")
    expire(cast.dentist)
    lists.add_call("CAL1", OLD, company="COM1")
    lists.add_call("CAL2", OLD, company="COM2")
    lists.add_call("CAL3", OLD, company="COM1", recorded=False)
    lists.add_call("CAL4", NEW, company="COM1")
    assert truth.plan(agency_id=cast.acme.pk, at=make.NOON) == 0
    with job_scope(agency_id=cast.acme.pk):
        truth.set_access(
            connection=way,
            account=CALLRAIL_ACCOUNT,
            company="COM1",
            key=CALLRAIL_KEY,
            by=make.JOB,
            at=make.NOON,
        )

    assert check(way)

    (one,) = found(cast.dentist)
    assert one.provider == "callrail"
    assert CALLRAIL_KEY not in str(row(way).__dict__)
    with job_scope(agency_id=cast.acme.pk):
        assert truth.forget_access(connection=way, by=make.JOB, at=make.NOON)
        assert not truth.forget_access(connection=way, by=make.JOB, at=make.NOON)
    assert (row(way).secret, row(way).due_at) == (None, None)


def test_a_held_call_that_the_list_calls_otherwise_is_no_leftover(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "callrail")
    expire(cast.dentist)
    make.call(cast.dentist, ANNA, at=OLD, connection=way, on_hold=True)
    lists.add_call("CAL1", OLD + timedelta(seconds=1), company="COM1")
    lists.add_call("CAL2", OLD + timedelta(seconds=5), company="COM1")
    with job_scope(agency_id=cast.acme.pk):
        truth.set_access(
            connection=way,
            account=CALLRAIL_ACCOUNT,
            company="COM1",
            key=CALLRAIL_KEY,
            by=make.JOB,
            at=make.NOON,
        )

    check(way)

    assert [one.call_started_at for one in found(cast.dentist)] == [OLD + timedelta(seconds=5)]


@pytest.mark.parametrize(
    ("account", "key"), [("a/b", CALLRAIL_KEY), (CALLRAIL_ACCOUNT, 'x"y'), (CALLRAIL_ACCOUNT, "short")]
)
def test_what_cannot_open_a_list_is_refused(cast: Cast, account: str, key: str) -> None:
    way = connect(cast.dentist, "callrail")
    with job_scope(agency_id=cast.acme.pk), pytest.raises(truth.NoSuchListError):
        truth.set_access(connection=way, account=account, company="", key=key, by=make.JOB, at=make.NOON)


def test_where_to_ask_next_is_never_taken_from_an_answer() -> None:
    page = twilio_parser.listed(
        {"recordings": [], "next_page_uri": "https://evil.example/?PageToken=PA1&Page=1"}
    )
    assert page.following == "PA1"
    odd = twilio_parser.listed({"recordings": [{"sid": None}], "next_page_uri": "/x?PageToken=a%20b"})
    assert (odd.recordings, odd.following) == ((), "")
    with pytest.raises(UnparsableError):
        twilio_parser.listed({})
    with pytest.raises(UnparsableError):
        parser.listed({"calls": None})


def test_the_task_does_the_same_twice(cast: Cast, lists: Lists) -> None:
    way = connect(cast.dentist, "twilio")
    expire(cast.dentist)
    lists.add_recording(sid("RE", 1), sid("CA", 1), OLD)

    for _ in range(2):
        tasks.check_vendors()
        tasks.settle_vendors()

    assert len(found(cast.dentist)) == 1
    assert len(lists.asked) == 1
    assert row(way).outliving == 1


def test_an_officer_gives_the_key_on_the_page_and_takes_it_back(cast: Cast) -> None:
    way = connect(cast.dentist, "callrail")
    browser = signed_in(cast.alice)
    url = f"/clients/dentist/copies/{way.pk}/"
    assert "no key saved" in browser.get("/clients/dentist/copies/").content.decode()

    refused = browser.post(url, {"account": "a/b", "company": "", "key": CALLRAIL_KEY})
    assert "letters and digits" in refused.content.decode()
    assert CALLRAIL_KEY not in refused.content.decode()
    assert (
        browser.post(url, {"account": CALLRAIL_ACCOUNT, "company": "", "key": CALLRAIL_KEY}).status_code
        == 302
    )

    page = browser.get("/clients/dentist/copies/").content.decode()
    assert "Delete the key" in page
    assert CALLRAIL_KEY not in page
    browser.post(url + "close/")
    assert row(way).secret is None
    assert browser.get(f"/clients/dentist/copies/{uuid.uuid4()}/").status_code == 404
