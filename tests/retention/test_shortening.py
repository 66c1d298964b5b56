"""Every way by which something is kept shorter waits for a second officer; nothing else changes the days."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from retention.enums import Category, ChangeState, Then
from retention.models import Policy, PolicyChange
from retention.selectors import policies as selectors
from retention.selectors.policies import Effective
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db
REASON: Final = "The new contract asks that less is kept."
CLIENT_FORM, AGENCY_FORM = "/clients/dentist/policies/change/{}/", "/retention/policies/{}/"
SHORT = {
    "keep_calls_for_days": "30",
    "keep_calls_out_for_days": "30",
    "keep_releases_for_days": "30",
    "days": "30",
}


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer of Acme, granted both clients."""
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    make.grant(erin, cast.plumber)
    return erin


type Kept = dict[tuple[str, Category], tuple[int, Then]]


def kept(cast: Cast) -> Kept:
    """How long each category is kept, and what happens then, for the agency and at each client."""

    def of(name: str, found: dict[Category, Effective]) -> Kept:
        return {(name, category): (one.days, one.then) for category, one in found.items()}

    with job_scope(agency_id=cast.acme.pk):
        all_of_them = of("", selectors.house_effective(Agency.objects.get()))
        for client in Client.objects.select_related("agency"):
            all_of_them |= of(client.slug, selectors.all_effective(client))
    return all_of_them


def own_policy(cast: Cast, days: int, then: Then) -> None:
    """The dentist has a policy of its own of calls in."""
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=days)
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.CALL,
            keep_for_days=days,
            then=then,
            set_at=NOON,
        )


@dataclass(frozen=True)
class Way:
    """A form by which days shrink. :ivar own: a policy that the dentist has of its own before."""

    url: str
    days: str
    then: Then = Then.ERASE
    own: tuple[int, Then] | None = None


WAYS = {
    "a client's policy": Way(CLIENT_FORM.format("call"), "30"),
    "a client's policy of calls out": Way(CLIENT_FORM.format("call_out"), "30"),
    "a client's policy of recordings": Way(CLIENT_FORM.format("recording"), "30"),
    "a client's policy of releases": Way(CLIENT_FORM.format("release"), "30"),
    "a client that inherits again": Way(CLIENT_FORM.format("call"), "", own=(400, Then.ERASE)),
    "a client that keeps no totals any more": Way(CLIENT_FORM.format("call"), "400", own=(400, Then.REDUCE)),
    "the form that a blueprint leads to": Way(CLIENT_FORM.format("call") + "?days=180", "180"),
    "the agency's policy": Way(AGENCY_FORM.format("call"), "30"),
    "the agency's policy of calls out": Way(AGENCY_FORM.format("call_out"), "30"),
    "the agency's policy of its own rows": Way(AGENCY_FORM.format("training"), "365"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_shortens_waits_for_a_second_officer(cast: Cast, erin: Membership, way: Way) -> None:
    if way.own is not None:
        own_policy(cast, *way.own)
    before, first = kept(cast), signed_in(cast.alice)
    typed = {"days": way.days, "then": way.then.value, "reason": REASON, "answered": "1"}

    shown = first.post(way.url, typed).content.decode()
    seen = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown))
    assert first.post(way.url, typed | seen | {"confirmed": "1"}).status_code == 302

    with job_scope(agency_id=cast.acme.pk):
        change = PolicyChange.objects.get()
    address = f"/retention/changes/{change.pk}/"
    assert (change.state, change.shortens) == (ChangeState.WAITING, True)
    assert first.post(f"{address}approve/", seen).status_code == 403, "one officer does not sign twice"
    second = signed_in(erin)
    second.post(f"{address}approve/", seen)
    assert kept(cast) == before, "the second officer has not opened the reason"

    assert REASON in second.post(f"{address}reason/").content.decode()
    second.post(f"{address}approve/", seen)
    assert kept(cast) != before


def profile(cast: Cast) -> None:
    page = {
        "name": "Dentist",
        "legal_name": "Dentist LLC",
        "time_zone": "America/New_York",
        "sector": Sector.DENTAL,
    }
    rest = {"home_country": "US", "places": "US-NY", "brand_colour": "#2f5d62", "policy_url": ""}
    assert signed_in(cast.alice).post("/clients/dentist/edit/", page | rest | SHORT).status_code == 302


def agency(cast: Cast) -> None:
    page = {
        "name": "Acme",
        "time_zone": "America/Chicago",
        "reveals_per_hour": "20",
        "needs_second_for_live": "on",
    }
    assert signed_in(cast.alice).post("/agency/", page | SHORT).status_code == 302


def recordings(cast: Cast) -> None:
    answer = signed_in(cast.alice).post(
        "/clients/dentist/recordings/handling/", {"quarantine_hours": "1"} | SHORT
    )
    assert answer.status_code == 302


def blueprint(cast: Cast) -> None:
    signed_in(cast.alice).post(
        "/clients/dentist/setup/blueprint/?name=home-services", {"reason": REASON} | SHORT
    )
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="blueprint.applied").exists()


def law_pack(cast: Cast) -> None:
    from tests.consent import test_law_pages as law

    row = law.bring(cast, law.stricter())
    law.work(cast)
    signed_in(cast.alice).post(f"/law/packs/{row.pk}/activate/", {"seen": "0", "reason": REASON} | SHORT)
    assert law.fresh(cast, row).is_active


def file_of_calls(cast: Cast) -> None:
    file = SimpleUploadedFile("calls.csv", b"When,Who,Days\n2024-01-01 10:00:00,(202) 555-0147,30\n")
    address = "/clients/dentist/imports/new/"
    assert (
        signed_in(cast.alice)
        .post(
            address,
            {"file": file, "format": "generic", "connection": "", "time_zone": "America/New_York"} | SHORT,
        )
        .status_code
        == 302
    )


@pytest.mark.parametrize("does", [profile, agency, recordings, blueprint, law_pack, file_of_calls])
def test_nothing_else_changes_how_long_things_are_kept(
    cast: Cast, erin: Membership, does: Callable[[Cast], None]
) -> None:
    own_policy(cast, 400, Then.REDUCE)
    before = kept(cast)
    does(cast)
    assert kept(cast) == before
    with job_scope(agency_id=cast.acme.pk):
        assert not PolicyChange.objects.exists()
