"""A client goes live by two officers, unless the agency turned that off; the page says from when deletion starts."""

import html
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client as Browser

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from retention.enums import ChangeState
from retention.models import GoLive, PolicyChange
from retention.selectors import runs as selectors
from retention.services import going_live, policies, runs
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db
PAGE = "/clients/dentist/policies/go-live/"
REASON = "The dry run of this month showed what we expected."
WHY_NOT = "Two steps of the setup are still open there."


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer of Acme, granted the dentist."""
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    return erin


def read(browser: Browser) -> str:
    """The page as text."""
    page = browser.get(PAGE).content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def sign(browser: Browser, **more: str) -> str:
    """Send the form of the page with the client's name; the address that follows, or ""."""
    page = browser.get(PAGE).content.decode()
    seen = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return browser.post(PAGE, seen | {"phrase": "Dentist"} | more).headers.get("Location", "")


def propose(cast: Cast) -> PolicyChange:
    """Alice proposes that the dentist goes live."""
    assert sign(signed_in(cast.alice), reason=REASON)
    with job_scope(agency_id=cast.acme.pk):
        return PolicyChange.objects.get()


def state_of(cast: Cast) -> str:
    with job_scope(agency_id=cast.acme.pk):
        return Client.objects.get(pk=cast.dentist.pk).retention_state


def test_one_officer_proposes_and_another_agrees_after_reading_why(cast: Cast, erin: Membership) -> None:
    make.call(cast.dentist, "+12125550101", at=make.now() - timedelta(days=400))
    change = propose(cast)
    assert state_of(cast) == RetentionState.OBSERVE
    assert (change.state, change.due_after) == (ChangeState.WAITING, 1)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=policies.WAITING_ITEM).client_id == cast.dentist.pk

    second = signed_in(erin)
    text = read(second)
    assert "Alice proposed this" in text
    assert "See the proposal Type Dentist to confirm" in text
    assert sign(second) == f"/retention/changes/{change.pk}/", "the reason is not read yet"
    assert state_of(cast) == RetentionState.OBSERVE
    opened = second.post(f"/retention/changes/{change.pk}/reason/").content.decode()
    assert REASON in opened
    assert PAGE in opened
    assert sign(second) == "/clients/dentist/policies/"

    assert state_of(cast) == RetentionState.LIVE
    with job_scope(agency_id=cast.acme.pk):
        change.refresh_from_db()
        assert (change.state, change.decided_by_id) == (ChangeState.IN_FORCE, erin.user_id)
        assert GoLive.objects.get().signed_by_id == erin.user_id
        details = Event.objects.get(action="client.went_live").details
        assert details["proposed_by"] == cast.alice.user_id
        assert not Item.objects.open().filter(kind=policies.WAITING_ITEM).exists()


def test_the_proposer_does_not_agree_as_well(cast: Cast, erin: Membership) -> None:
    propose(cast)
    first = signed_in(cast.alice)
    assert "You proposed this" in read(first)
    # The counts on the second officer's page are those that the first one would send.
    page = signed_in(erin).get(PAGE).content.decode()
    carried = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    assert first.post(PAGE, carried | {"phrase": "Dentist"}).status_code == 403
    assert state_of(cast) == RetentionState.OBSERVE


@pytest.mark.parametrize(
    ("who", "verb", "state"),
    [("erin", "refuse", ChangeState.REFUSED), ("alice", "withdraw", ChangeState.WITHDRAWN)],
)
def test_a_proposal_is_refused_or_withdrawn_and_nothing_leaves(
    cast: Cast, erin: Membership, who: str, verb: str, state: ChangeState
) -> None:
    change = propose(cast)
    browser = signed_in({"erin": erin, "alice": cast.alice}[who])
    assert browser.get(f"/retention/changes/{change.pk}/").status_code == 200
    assert browser.post(f"/retention/changes/{change.pk}/{verb}/", {"reason": WHY_NOT}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert PolicyChange.objects.get().state == state
    assert state_of(cast) == RetentionState.OBSERVE
    assert "From dry run to live" in browser.get(f"/retention/changes/{change.pk}/").content.decode()


def test_it_is_not_agreed_to_as_a_change_of_days_is(cast: Cast, erin: Membership) -> None:
    change = propose(cast)
    seen = {"due_before": "0", "due_after": "0", "leaving": "0", "rules": ""}
    answer = signed_in(erin).post(f"/retention/changes/{change.pk}/approve/", seen, follow=True)
    assert "which shows the current counts" in answer.content.decode()
    assert state_of(cast) == RetentionState.OBSERVE


def test_where_there_is_no_other_officer_the_page_says_what_to_do(cast: Cast) -> None:
    text = read(signed_in(cast.alice))
    assert "There is no other officer" in text
    assert "turn off the second signature" in text
    assert sign(signed_in(cast.alice)) == "", "the reason is missing"
    assert state_of(cast) == RetentionState.OBSERVE


@pytest.mark.usefixtures("one_signature")
def test_an_agency_that_turned_it_off_goes_live_by_one_officer(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert "One officer is enough" in read(browser)
    assert sign(browser) == "/clients/dentist/policies/"
    assert state_of(cast) == RetentionState.LIVE


@pytest.mark.parametrize("person", ["alice", "erin"])
def test_the_service_lets_nobody_sign_alone(cast: Cast, erin: Membership, person: str) -> None:
    signs = {"alice": cast.alice, "erin": erin}[person]
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
        shown = going_live.Shown(
            due=selectors.outlook(client, NOON).due,
            allowed=0,
            withheld=0,
            leaving=0,
            besides=going_live.besides_shown(client=client, user_id=signs.user_id, at=NOON),
            terms=selectors.terms_of(client),
        )
        with pytest.raises(going_live.NeedsSecondError):
            going_live.go_live(client=client, shown=shown, signed_by=signs.user_id, at=NOON)
        change = going_live.propose(client=client, shown=shown, reason=REASON, proposer=signs, at=NOON)
        policies.read_reason(change=change, by=Actor.staff(user_id=signs.user_id), at=NOON)
        with pytest.raises(seconding.SamePersonError):
            going_live.go_live(client=client, shown=shown, signed_by=signs.user_id, at=NOON)
        with pytest.raises(policies.OpenChangeError):
            going_live.propose(client=client, shown=shown, reason=REASON, proposer=cast.alice, at=NOON)


# --- From when ------------------------------------------------------------------------------------------------------


def test_the_page_says_from_when_in_the_agencys_zone(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        runs.start_nightly(agency=cast.acme, at=make.now())
        night = selectors.next_night(cast.acme, make.now())
    assert night is not None
    local = night.astimezone(ZoneInfo("America/New_York"))
    text = read(signed_in(cast.alice))
    assert f"starts with the next nightly run: {local.day} {local:%b %Y}, 02:00" in text
    assert "America/New_York, the agency's time zone" in text
    assert "Nothing is deleted before another officer agrees." in text


def test_the_next_night_is_when_the_run_starts(cast: Cast) -> None:
    zone = ZoneInfo("America/New_York")
    day = NOON.astimezone(zone).date()
    before, after = (datetime(day.year, day.month, day.day, hour, tzinfo=zone) for hour in (1, 3))
    with job_scope(agency_id=cast.acme.pk):
        two = selectors.next_night(cast.acme, before)
        assert two == before + timedelta(hours=1)
        assert runs.start_nightly(agency=cast.acme, at=two - timedelta(seconds=1)) is None
        assert selectors.next_night(cast.acme, after) is None, "tonight's run starts within minutes"
        assert runs.start_nightly(agency=cast.acme, at=two) is not None
        assert selectors.next_night(cast.acme, after) == two + timedelta(days=1)


def test_a_night_without_two_oclock_starts_at_three(cast: Cast) -> None:
    begins = datetime(2027, 3, 14, 5, tzinfo=UTC)  # midnight before New York's clocks go forward
    with job_scope(agency_id=cast.acme.pk):
        night = selectors.next_night(cast.acme, begins)
    assert night is not None
    assert night.astimezone(UTC).astimezone(ZoneInfo("America/New_York")).hour == 3
