"""What a client asks of itself, on what it rests measuring, and where its calls are answered."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import Basis, Standard
from consent.models import Acknowledgement, AnsweringSite, ClientStandard, Declaration, Rejudgement
from consent.selectors import sites as site_selectors
from consent.selectors import standards as selectors
from consent.services import declarations, sites, standards
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db

REASON = "Callers expect an announcement; counsel agreed."
HOME = "/clients/dentist/standard/"
SITES = "/clients/dentist/sites/"
IN_A_YEAR = standards.a_year_after(NOON.date())


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def choose(cast: Cast, standard: Standard, *, at: datetime = NOON, reason: str = REASON) -> ClientStandard:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return standards.choose(client=cast.dentist, standard=standard, reason=reason, by=by(cast), at=at)


def standard_at(cast: Cast, at: datetime) -> Standard:
    with job_scope(agency_id=cast.acme.pk):
        return selectors.standard_of(cast.dentist, at=at)


def causes(cast: Cast, cause: str) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Rejudgement.objects.for_client(cast.dentist).filter(cause=cause, caller_id=None).count()


def open_items(cast: Cast, kind: str) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Item.objects.open().filter(kind=kind, key=str(cast.dentist.pk)).count()


# --- The standard ---


def test_everybody_begins_with_express_consent(cast: Cast) -> None:
    assert standard_at(cast, NOON) == Standard.EXPRESS


def test_less_needs_a_reason_and_lasts_a_year(cast: Cast) -> None:
    with pytest.raises(standards.ReasonMissingError):
        choose(cast, Standard.ANNOUNCE, reason="  ")
    row = choose(cast, Standard.ANNOUNCE)
    assert row.expires_on == IN_A_YEAR
    assert standard_at(cast, NOON) == Standard.ANNOUNCE
    assert causes(cast, "standard") == 1
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="standard.chosen")
        assert event.reason_hash
        assert audit.open_reason(event=event, by=make.JOB, at=NOON) == REASON
        assert event.details == {
            "was": "express", "standard": "announce", "until": str(IN_A_YEAR),
            "counts_claimed": False, "unknown_age": "adult",
        }  # fmt: skip


def test_it_falls_back_on_its_day_by_the_clients_own_clock(cast: Cast) -> None:
    choose(cast, Standard.LEGAL_MINIMUM)
    midnight = datetime.combine(IN_A_YEAR, time.min, ZoneInfo("America/New_York")).astimezone(UTC)
    before = midnight - timedelta(minutes=1)
    assert standard_at(cast, before) == Standard.LEGAL_MINIMUM
    assert standard_at(cast, before + timedelta(minutes=1)) == Standard.EXPRESS, "no job has to run for that"


def test_the_job_warns_beforehand_and_writes_the_end_down_once(cast: Cast) -> None:
    over = datetime.combine(IN_A_YEAR, NOON.timetz())
    choose(cast, Standard.ANNOUNCE)
    assert standards.expire(agency_id=cast.acme.pk, at=NOON) == 0
    assert open_items(cast, kinds.STANDARD_EXPIRING) == 0
    soon = over - timedelta(days=23)
    assert standards.expire(agency_id=cast.acme.pk, at=soon) == 0
    assert standards.expire(agency_id=cast.acme.pk, at=soon) == 0
    assert open_items(cast, kinds.STANDARD_EXPIRING) == 1
    assert standards.expire(agency_id=cast.acme.pk, at=over) == 1
    assert standards.expire(agency_id=cast.acme.pk, at=over) == 0
    assert (open_items(cast, kinds.STANDARD_EXPIRING), open_items(cast, kinds.STANDARD_EXPIRED)) == (0, 1)
    assert causes(cast, "standard expired") == 1
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="standard.expired").count() == 1
    choose(cast, Standard.ANNOUNCE, at=over)
    assert open_items(cast, kinds.STANDARD_EXPIRED) == 0, "choosing again settles it"


@pytest.mark.parametrize(("day", "later"), [((2028, 2, 29), (2029, 2, 28)), ((2026, 1, 1), (2027, 1, 1))])
def test_a_year_is_a_year(day: tuple[int, int, int], later: tuple[int, int, int]) -> None:
    assert standards.a_year_after(date(*day)) == date(*later)


def test_lowered_standards_are_counted_for_who_sees_the_clients(cast: Cast) -> None:
    choose(cast, Standard.ANNOUNCE)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        (row,) = selectors.lowered(cast.alice, at=NOON)
        assert (row.client, row.standard, row.is_soon) == (cast.dentist, Standard.ANNOUNCE, False)
        assert selectors.lowered(cast.alice, at=NOON + timedelta(days=340))[0].is_soon
        assert selectors.lowered(cast.alice, at=NOON + timedelta(days=366)) == []
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        assert selectors.lowered(cast.carol, at=NOON) == []


def test_the_page_lets_an_officer_lower_it_and_others_raise_it(cast: Cast) -> None:
    from callprivacy.accounts.enums import Role

    manager = make.person(cast.acme, "max", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    lower = {"standard": "announce", "reason": REASON}
    refused = signed_in(manager).post(f"{HOME}choose/", lower).content.decode()
    assert "Only a compliance officer can choose less than express consent." in refused
    short = signed_in(cast.alice).post(f"{HOME}choose/", lower | {"reason": "short"}).content.decode()
    assert "at least 15 characters" in short
    assert signed_in(cast.alice).post(f"{HOME}choose/", lower).status_code == 302
    page = signed_in(cast.bob).get(HOME).content.decode()
    assert "Announcement on the call, or express consent" in page
    assert "Choose another" not in page
    assert signed_in(cast.bob).post(f"{HOME}choose/", lower).status_code == 403
    assert signed_in(manager).post(f"{HOME}choose/", {"standard": "express"}).status_code == 302
    assert standard_at(cast, make.now()) == Standard.EXPRESS


# --- The basis ---


def test_legitimate_interests_are_weighed(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        with pytest.raises(declarations.BalancingTestMissingError):
            declarations.declare(
                client=cast.dentist,
                basis=Basis.LEGITIMATE_INTERESTS,
                balancing_test=" ",
                by=by(cast),
                at=NOON,
            )
        first = declarations.declare(
            client=cast.dentist,
            basis=Basis.LEGITIMATE_INTERESTS,
            balancing_test="Weighed.",
            by=by(cast),
            at=NOON,
        )
        later = NOON + timedelta(days=1)
        declarations.declare(
            client=cast.dentist, basis=Basis.CONSENT, balancing_test="", by=by(cast), at=later
        )
        found = selectors.declaration_of(cast.dentist)
        assert found is not None
        assert found.basis == Basis.CONSENT
        assert Declaration.objects.get(pk=first.pk).ended_at == later, "the one before is kept"


def test_the_page_brings_a_test_that_ships_and_refuses_an_empty_one(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    page = browser.get(f"{HOME}declare/").content.decode()
    assert "Dentist LLC needs to know which advertisements bring calls" in page
    assert 'value="notice"' not in page, "a notice is no lawful basis"
    refused = browser.post(f"{HOME}declare/", {"basis": "legitimate_interests", "balancing_test": "short"})
    assert "at least 100 characters" in refused.content.decode()
    answer = browser.post(f"{HOME}declare/", {"basis": "contract", "balancing_test": ""})
    assert answer.status_code == 302
    assert "Contract" in browser.get(HOME).content.decode()


# --- Sites ---


def add(cast: Cast, name: str, region: str = "CA", *, is_default: bool = False) -> AnsweringSite:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return sites.add_site(
            client=cast.dentist, name=name, country="US", region=region, is_default=is_default, by=by(cast),
            at=NOON,
        )  # fmt: skip


def known(cast: Cast) -> site_selectors.Sites:
    with job_scope(agency_id=cast.acme.pk):
        return site_selectors.sites_by_name(cast.dentist)


def test_the_first_site_is_the_default_and_there_is_one_at_most(cast: Cast) -> None:
    office = add(cast, "Office")
    assert known(cast).default == office
    centre = add(cast, "Call centre", "FL", is_default=True)
    assert known(cast).default == centre
    with job_scope(agency_id=cast.acme.pk):
        assert AnsweringSite.objects.filter(is_default=True).count() == 1
    with pytest.raises(sites.NameTakenError):
        add(cast, "office")
    assert causes(cast, "site") == 2


def test_a_number_is_answered_at_the_site_it_names_or_at_the_default(cast: Cast) -> None:
    office, centre = add(cast, "Office"), add(cast, "Call centre", "FL")
    number = make.tracking_number(cast.dentist, "+14155550101")
    other = make.tracking_number(cast.dentist, "+14155550102", target_site="Somewhere else")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        chosen = {number.pk: centre.pk, other.pk: None}
        assert sites.assign_numbers(client=cast.dentist, chosen=chosen, by=by(cast), at=NOON) == 2
        assert sites.assign_numbers(client=cast.dentist, chosen=chosen, by=by(cast), at=NOON) == 0
        row = TrackingNumber.objects.get(pk=number.pk)
    assert (row.target_site, row.region) == ("Call centre", "FL")
    assert known(cast).of_number(row.target_site) == centre
    assert known(cast).of_number("") == office
    assert known(cast).of_number("call CENTRE ") == centre


def test_numbers_follow_a_sites_new_name(cast: Cast) -> None:
    office = add(cast, "Office")
    number = make.tracking_number(cast.dentist, "+14155550101", target_site="Office")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        facts: dict[str, Any] = {"country": "US", "region": "NV", "is_default": True}
        sites.change_site(site=office, client=cast.dentist, name="Main", by=by(cast), at=NOON, **facts)
        assert TrackingNumber.objects.get(pk=number.pk).target_site == "Main"
        with pytest.raises(sites.StillNamedError):
            sites.remove_site(site=office, client=cast.dentist, by=by(cast), at=NOON)
        facts["is_default"] = False
        with pytest.raises(sites.StillNamedError, match="default"):
            sites.change_site(site=office, client=cast.dentist, name="Main", by=by(cast), at=NOON, **facts)


def test_a_site_goes_with_its_acknowledgements(cast: Cast) -> None:
    add(cast, "Office")
    centre = add(cast, "Call centre", "FL")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        facts: dict[str, Any] = {"words": "I know.", "on": NOON.date(), "by": by(cast), "at": NOON}
        sites.acknowledge(site=centre, person="Ana", **facts)
        with pytest.raises(sites.AcknowledgedError):
            sites.acknowledge(site=centre, person="Ana", **facts)
        sites.remove_site(site=centre, client=cast.dentist, by=by(cast), at=NOON)
        assert not Acknowledgement.objects.exists()


def test_who_left_no_longer_answers(cast: Cast) -> None:
    office = add(cast, "Office")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = sites.acknowledge(
            site=office, person="Ana", words="I know.", on=NOON.date(), by=by(cast), at=NOON
        )
        assert site_selectors.sites_of(cast.dentist)[0].people == 1  # type: ignore[attr-defined]  # annotated
        with pytest.raises(sites.LeftTooEarlyError):
            sites.note_left(acknowledgement=row, on=NOON.date() - timedelta(days=1), by=by(cast), at=NOON)
        left_on = NOON.date() + timedelta(days=30)
        sites.note_left(acknowledgement=row, on=left_on, by=by(cast), at=NOON)
        assert site_selectors.sites_of(cast.dentist)[0].people == 0  # type: ignore[attr-defined]  # annotated, or the test fails here


def test_sites_are_kept_on_their_pages(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    said = {"name": "Office", "country": "us", "region": "ca"}
    wrong = browser.post(f"{SITES}new/", said | {"region": "ZZ"}).content.decode()
    assert "US has no ZZ" in wrong
    assert (
        "two-letter country code" in browser.post(f"{SITES}new/", said | {"country": "U1"}).content.decode()
    )
    site_url = browser.post(f"{SITES}new/", said)["Location"]
    page = browser.get(site_url).content.decode()
    assert "I know that phone calls which I answer for Dentist" in page
    yesterday = make.now().date() - timedelta(days=1)
    signed = {"person": "Ana Ruiz", "acknowledged_on": str(yesterday), "words": "I know."}
    future = signed | {"acknowledged_on": "2999-01-01"}
    assert "in the future" in browser.post(f"{site_url}acknowledge/", future).content.decode()
    browser.post(f"{site_url}acknowledge/", signed)
    assert "Ana Ruiz" in browser.get(site_url).content.decode()
    assert (
        "already has an acknowledgement of this person"
        in browser.post(f"{site_url}acknowledge/", signed).content.decode()
    )
    number = make.tracking_number(cast.dentist, "+14155550101")
    site_id = site_url.rstrip("/").rsplit("/", 1)[1]
    browser.post(f"{SITES}numbers/", {f"site_{number.pk}": site_id})
    assert "Office" in browser.get(site_url).content.decode()
    shown = browser.get(f"{site_url}remove/", follow=True).content.decode()
    assert "Tracking numbers use this site" in shown
    bob = signed_in(cast.bob)
    assert bob.get(SITES).status_code == 200
    assert bob.post(f"{SITES}numbers/", {}).status_code == 403
    assert bob.post(f"{site_url}remove/").status_code == 403


def test_who_may_not_change_numbers_may_not_rename_their_site(cast: Cast) -> None:
    from callprivacy.accounts.enums import Role
    from callprivacy.tenancy.enums import Permission

    agent = make.person(cast.acme, "gus", Role.ACCOUNT_MANAGER)
    make.grant(agent, cast.dentist, without=Permission.MANAGE_CONNECTIONS)
    office = add(cast, "Office")
    make.tracking_number(cast.dentist, "+14155550101", target_site="Office")
    said = {"name": "Renamed", "country": "US", "region": "CA", "is_default": "on"}
    page = signed_in(agent).post(f"{SITES}{office.pk}/change/", said).content.decode()
    assert "You do not have permission to rename a site" in page
    assert signed_in(agent).post(f"{SITES}numbers/", {}).status_code == 403
    same = said | {"name": "Office", "region": "NV"}
    assert signed_in(agent).post(f"{SITES}{office.pk}/change/", same).status_code == 302
