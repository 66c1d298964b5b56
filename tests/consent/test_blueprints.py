"""Blueprints: whole, shown before they change anything, and never overruling what a person wrote or signed."""

import re
from typing import Any

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.accounts.services import agencies
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, Sector
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.enums import Basis, Channel, NoticeState, Standard
from consent.models import ClientStandard, Declaration, Notice, NoticeVersion, SetupMark, WebPage
from consent.selectors import blueprints as selectors
from consent.selectors import standards, wording
from consent.selectors.blueprints import Plan
from consent.services import blueprints, notices
from consent.services.blueprints import Applied
from consent.services.notices import Words
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

REASON = "Callers expect an announcement; counsel agreed."
NAMES = ("dental", "eu-retail", "home-services", "legal")


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


# --- What ships ---


def test_there_are_four_for_four_trades() -> None:
    found = selectors.blueprints()
    assert set(found) == set(NAMES)
    assert {each.sector for each in found.values()} == {
        Sector.HOME,
        Sector.DENTAL,
        Sector.LEGAL,
        Sector.RETAIL,
    }
    assert [name for name, each in found.items() if each.asks_less] == ["home-services"]
    with pytest.raises(selectors.UnknownBlueprintError):
        selectors.get("nothing")


@pytest.mark.parametrize("name", NAMES)
def test_every_notice_that_ships_says_what_it_must_in_both_languages(name: str) -> None:
    facts = wording.Facts("Harbor", "Harbor Group, Inc.", "https://harbor.example/c/")
    blueprint = selectors.get(name)
    by_name: dict[str, set[str]] = {}
    for planned in blueprint.notices:
        words, withdraw = selectors.said(planned, facts)
        draft = wording.Draft(
            planned.channel,
            planned.language,
            planned.purposes,
            facts.controller,
            words,
            withdraw,
            ("Harbor",),
        )
        assert wording.what_is_missing(draft, facts) == [], planned
        by_name.setdefault(f"{planned.name} {planned.channel}", set()).add(planned.language)
    assert all(languages == {"en", "es"} for languages in by_name.values())


def test_nothing_rests_on_a_notice_alone_where_that_never_suffices() -> None:
    """Health and Germany: no announcement is carried there, only ways in which somebody agrees."""
    for name in ("dental", "eu-retail"):
        channels = {planned.channel for planned in selectors.get(name).notices}
        assert Channel.ANNOUNCEMENT not in channels
        assert Channel.MENU in channels


# --- Applying one ---

pytestmark = pytest.mark.django_db


def plan(cast: Cast, name: str, client: Client | None = None) -> Plan:
    with job_scope(agency_id=cast.acme.pk):
        of = Client.objects.select_related("agency").get(pk=(client or cast.dentist).pk)
        return selectors.plan_for(of, selectors.get(name), at=NOON)


def effects(of: Plan) -> dict[str, str]:
    return {item.title: item.effect for item in of.items}


def apply(cast: Cast, name: str, **facts: Any) -> Applied:
    said: dict[str, Any] = {"publishes": False, "declares": False, "reason": REASON}
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
        return blueprints.apply(
            client=client, blueprint=selectors.get(name), by=by(cast), at=NOON, **(said | facts)
        )


def states(cast: Cast) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        rows = NoticeVersion.objects.for_client(cast.dentist)
        return sorted(rows.values_list("state", flat=True))


def test_looking_at_it_changes_nothing(cast: Cast) -> None:
    found = plan(cast, "home-services")
    assert found.changes > 10
    assert found.publishable == 12
    assert found.lowers
    assert states(cast) == []


def test_notices_land_as_drafts(cast: Cast) -> None:
    assert apply(cast, "dental") == Applied(drafted=10, published=0, left=0)
    assert states(cast) == ["draft"] * 10


def test_what_says_everything_is_published_where_the_person_ticks_it(cast: Cast) -> None:
    assert apply(cast, "dental", publishes=True) == Applied(drafted=0, published=10, left=0)
    assert states(cast) == ["published"] * 10
    with job_scope(agency_id=cast.acme.pk):
        page = WebPage.objects.for_client(cast.dentist).get()
        posted = NoticeVersion.objects.get(notice__channel=Channel.POSTED, notice__language="en")
        assert f"/c/{page.key}/consent/" in posted.withdraw, "the way to withdraw is the client's own page"
        assert Event.objects.filter(action="notice.published").count() == 10


def test_without_a_controller_nothing_is_published(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(legal_name="")
    assert plan(cast, "dental").publishable == 0
    assert apply(cast, "dental", publishes=True) == Applied(drafted=10, published=0, left=0)


def test_standard_and_roles_follow(cast: Cast) -> None:
    apply(cast, "eu-retail", declares=True)
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.get(pk=cast.dentist.pk)
        engagement = Engagement.objects.for_client(client).get()
        declared = standards.declaration_of(client)
        assert (engagement.measure_as, engagement.contact_as) == (PartyRole.JOINT, PartyRole.CONTROLLER)
        assert (engagement.answered_by, engagement.at_end) == (Answerer.AFTER_APPROVAL, AtEnd.ERASE)
        assert engagement.breach_notice_hours == 12
        assert declared is not None
        assert declared.basis == Basis.LEGITIMATE_INTERESTS
        assert "Dentist LLC" in declared.balancing_test
        assert standards.standard_of(client, at=NOON) == Standard.EXPRESS
        assert not ClientStandard.objects.exists(), "express consent is what there is anyway"
        assert SetupMark.objects.get().note == "EU retail"


def test_asking_less_is_signed_for_with_a_reason(cast: Cast) -> None:
    with pytest.raises(blueprints.ReasonMissingError):
        apply(cast, "home-services", reason=" ")
    assert states(cast) == []
    apply(cast, "home-services")
    with job_scope(agency_id=cast.acme.pk):
        assert standards.standard_of(cast.dentist, at=NOON) == Standard.ANNOUNCE


def test_what_somebody_is_writing_is_left_alone(cast: Cast) -> None:
    apply(cast, "legal")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        mine = Notice.objects.get(name="Phone menu", language="en")
        notices.save_draft(notice=mine, words=Words("Us", "My own words.", ""), by=by(cast), at=NOON)
    assert apply(cast, "legal", publishes=True) == Applied(drafted=0, published=0, left=8)
    with job_scope(agency_id=cast.acme.pk):
        assert NoticeVersion.objects.get(notice=mine).words == "My own words."
    assert effects(plan(cast, "legal"))["Phone menu: phone menu, English"] == "left"


def test_applying_it_twice_changes_nothing_more(cast: Cast) -> None:
    apply(cast, "dental", publishes=True, declares=True)
    found = plan(cast, "dental")
    assert found.changes == 0
    assert apply(cast, "dental", publishes=True, declares=True) == Applied(drafted=0, published=0, left=10)
    with job_scope(agency_id=cast.acme.pk):
        assert Declaration.objects.count() == 1


def test_other_words_in_force_get_a_next_version(cast: Cast) -> None:
    apply(cast, "dental", publishes=True)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        client = Client.objects.get(pk=cast.dentist.pk)
        agencies.update_client(
            client=client, name="Dentists", legal_name="Dentist LLC", time_zone=client.time_zone,
            sector=Sector.DENTAL, home_country="US", places=[("US", "CA")], brand_colour="#123456", policy_url="",
            by=by(cast), at=NOON,
        )  # fmt: skip
    found = plan(cast, "dental")
    assert effects(found)["Phone menu: phone menu, English"] == "change"
    apply(cast, "dental", publishes=True)
    with job_scope(agency_id=cast.acme.pk):
        menu = NoticeVersion.objects.filter(notice__name="Phone menu", notice__language="en")
        assert dict(menu.values_list("number", "state")) == {1: "retired", 2: "published"}


def test_a_blueprint_shortens_nothing_and_leads_to_the_form_that_does(cast: Cast) -> None:
    page = signed_in(cast.alice).get(ONE).content.decode()
    apply(cast, "home-services")
    with job_scope(agency_id=cast.acme.pk):
        assert Client.objects.get(pk=cast.dentist.pk).keep_calls_for_days is None
        assert not Event.objects.filter(action="policy.changed").exists()
    assert effects(plan(cast, "home-services"))["Retention period of calls"] == "left"
    (form,) = re.findall(r'href="(/clients/dentist/policies/change/call/[^"]*)"', page)
    assert 'value="180"' in signed_in(cast.alice).get(form).content.decode()


def test_instructions_of_a_client_stay(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.for_client(cast.dentist).update(instructions="Only weekdays.")
    assert effects(plan(cast, "dental"))["Instructions"] == "left"
    apply(cast, "dental")
    with job_scope(agency_id=cast.acme.pk):
        assert Engagement.objects.for_client(cast.dentist).get().instructions == "Only weekdays."


# --- Pages ---

ONE = "/clients/dentist/setup/blueprint/?name=home-services"


@pytest.mark.thorough
def test_one_client_is_shown_what_changes_and_then_changed(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    page = browser.get(ONE).content.decode()
    assert "a draft, ready to publish" in page
    assert states(cast) == []
    refused = browser.post(ONE, {"publishes": "on", "reason": "short"}).content.decode()
    assert "at least 15" in refused
    assert browser.post(ONE, {"publishes": "on", "reason": REASON})["Location"] == "/clients/dentist/setup/"
    assert states(cast) == ["published"] * 12


def test_many_clients_are_carried_at_once(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    url = "/blueprints/?name=legal&client=dentist&client=plumber"
    page = browser.get(url).content.decode()
    assert page.count("Changes for") >= 2
    browser.post(url, {})
    assert states(cast) == ["draft"] * 8
    with job_scope(agency_id=cast.acme.pk):
        assert NoticeVersion.objects.for_client(cast.plumber).filter(state=NoticeState.DRAFT).count() == 8
    assert "Select at least one client" in browser.get("/blueprints/?name=legal").content.decode()


def test_only_an_officer_applies_one_that_asks_less(cast: Cast) -> None:
    admin = make.person(cast.acme, "ada", Role.ADMIN)
    make.grant(admin, cast.dentist, Role.ACCOUNT_MANAGER)
    browser = signed_in(admin)
    assert "Only a compliance officer can apply this blueprint" in browser.get(ONE).content.decode()
    assert browser.post(ONE, {"reason": REASON}).status_code == 403
    other = "/clients/dentist/setup/blueprint/?name=dental"
    assert browser.post(other, {}).status_code == 302
    many = "/blueprints/?name=home-services&client=dentist"
    assert browser.post(many, {"reason": REASON}).status_code == 403


def test_who_manages_no_clients_applies_none(cast: Cast) -> None:
    manager = make.person(cast.acme, "max", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    assert signed_in(manager).get(ONE).status_code == 403
    assert signed_in(manager).get("/blueprints/").status_code == 403
    assert signed_in(cast.bob).get(ONE).status_code == 403
    assert signed_in(cast.mallory).get(ONE).status_code == 404
    page = signed_in(cast.carol).get("/blueprints/").content.decode()
    assert "No clients to manage" in page
