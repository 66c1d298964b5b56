"""Callers who are minors, and calls about health: a notice alone never suffices, whoever asks and however."""

import uuid
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event, Reason
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import exports, people
from callprivacy.calls.services.reveals import ReasonTooShortError
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from consent.decide import decide
from consent.enums import EventKind, Purpose, Standard
from consent.law import load_pack
from consent.models import CallerPlace, MinorMark, Rejudgement
from consent.selectors import blueprints, cases
from consent.selectors import contact as contact_selectors
from consent.selectors.cases import HEALTH
from consent.services import checks, contact, decisions, minors
from consent.services.contact import Aim, Asked
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.deciding import NEW_YORK, START, choose, decision, recorded, recording, say, work
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed

WHY = "The parent called and said that the caller is thirty."
MINOR = "The caller is a minor: a notice alone is never enough."


@pytest.fixture
def plumber(cast: Cast) -> Client:
    """A client in New York that asks for what the law asks: one party's consent is enough."""
    choose(cast.plumber, Standard.LEGAL_MINIMUM)
    return cast.plumber


def recorded_at_home(client: Client) -> Call:
    """A recorded call of somebody who lives in New York, where one party's consent is enough."""
    call = recorded(client, NEW_YORK)
    assert call.caller_id
    with job_scope(agency_id=client.agency_id):
        CallerPlace.objects.create(
            agency_id=client.agency_id, client_id=client.pk, caller_id=call.caller_id, country="US", region="NY",
            recorded_at=NOON,
        )  # fmt: skip
    return call


def mark(cast: Cast, call: Call, *, by: Actor = make.JOB) -> bool:
    assert call.caller_id
    with job_scope(agency_id=call.agency_id):
        return minors.mark(
            client=Client.objects.get(pk=call.client_id),
            caller=Caller.objects.get(pk=call.caller_id),
            by=by,
            at=NOON,
        )


def unmark(cast: Cast, call: Call, reason: str = WHY) -> bool:
    assert call.caller_id
    with job_scope(agency_id=call.agency_id):
        return minors.unmark(
            client=Client.objects.get(pk=call.client_id), caller=Caller.objects.get(pk=call.caller_id),
            reason=reason, by=make.JOB, at=NOON,
        )  # fmt: skip


def events(cast: Cast, action: str) -> list[Event]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action=action))


def test_what_was_allowed_is_withheld_once_the_caller_is_known_to_be_a_minor(
    cast: Cast, plumber: Client
) -> None:
    call = recorded_at_home(plumber)
    work(plumber)
    assert decision(call).allowed

    assert mark(cast, call)
    work(plumber)

    assert not decision(call).allowed
    assert MINOR in decision(call).reasons
    assert recording(call).state == RecordingState.WITHHELD


def test_a_guardian_has_to_agree_for_a_minor_until_they_come_of_age(cast: Cast, plumber: Client) -> None:
    """By the page on which staff write down what they were told."""
    call = recorded(plumber, NEW_YORK)
    mark(cast, call)
    say(plumber, EventKind.GIVEN, call.caller_id)
    work(plumber)
    assert not decision(call).allowed, "the minor's own yes"

    of_age = NOON.date() + timedelta(days=3 * 365)
    said_at = (START - timedelta(hours=1)).astimezone(ZoneInfo(plumber.time_zone))
    sent = {
        "kind": "given", "purposes": ["record"], "how": "phone", "when": f"{said_at:%Y-%m-%dT%H:%M}",
        "note": "The mother called and agreed.", "tap": str(uuid.uuid4()), "by_guardian": "on",
    }  # fmt: skip
    browser = signed_in(cast.alice)
    refused = browser.post(page("record_said", call), sent).content.decode()
    assert "Describe the proof" in refused
    assert "Enter the future date on which the minor comes of age" in refused
    proven = sent | {"proof": "Birth certificate seen on video.", "majority_on": of_age.isoformat()}
    assert browser.post(page("record_said", call), proven).status_code == 302
    with job_scope(agency_id=call.agency_id):
        decisions.decide_calls(plumber, [call.pk], NOON)
    assert decision(call).allowed
    shown = browser.get(page("caller", call)).content.decode()
    assert "a guardian agreed, until" in shown
    assert "They come of age on" in shown


def test_a_minor_whose_age_is_known_agrees_from_the_age_of_the_law_on(cast: Cast, plumber: Client) -> None:
    call = recorded_at_home(plumber)
    say(plumber, EventKind.GIVEN, call.caller_id)
    assert call.caller_id
    with job_scope(agency_id=call.agency_id):
        caller = Caller.objects.get(pk=call.caller_id)
        for years, allowed in ((6, False), (4, True)):
            minors.mark(
                client=plumber, caller=caller, by=make.JOB, at=NOON,
                majority_on=NOON.date() + timedelta(days=years * 365),
            )  # fmt: skip
            asked = cases.cases(plumber, cases.calls_for(plumber, [call.pk]), Purpose.RECORD, at=NOON)
            assert decide(asked[0].question, load_pack()).allowed is allowed


def test_taking_it_back_needs_a_reason_and_decides_anew(cast: Cast, plumber: Client) -> None:
    call = recorded_at_home(plumber)
    mark(cast, call)
    work(plumber)
    with pytest.raises(ReasonTooShortError):
        unmark(cast, call, "no")
    assert unmark(cast, call)
    assert not unmark(cast, call), "it is noted no more"
    work(plumber)
    assert decision(call).allowed
    (event,) = events(cast, "caller.unmarked_minor")
    with job_scope(agency_id=cast.acme.pk):
        assert Reason.objects.filter(event_id=event.pk).exists()


def test_who_noted_it_first_stays_and_twice_is_once(cast: Cast, plumber: Client) -> None:
    call = recorded(plumber, NEW_YORK)
    assert mark(cast, call, by=Actor.staff(user_id=cast.alice.user_id))
    assert not mark(cast, call)
    with job_scope(agency_id=cast.acme.pk):
        row = MinorMark.objects.get()
        assert (row.marked_by_id, row.marked_at) == (cast.alice.user_id, NOON)
        assert Rejudgement.objects.filter(cause="minor").count() == 1
    assert len(events(cast, "caller.marked_minor")) == 1


def test_programs_are_told_the_same(cast: Cast, plumber: Client) -> None:
    """The check of one number and the check before it is dialled know it, with no more queries than before."""
    call = recorded(plumber, NEW_YORK)
    other = recorded(plumber, "+12125550103")
    mark(cast, call)
    asked = [Asked(NEW_YORK), Asked("+12125550103")]
    with job_scope(agency_id=cast.acme.pk):
        found = checks.check(
            client=plumber, asked=asked, purposes=[Purpose.RECORD], announced=True, at=NOON
        ).answers
        dialled = contact.check(client=plumber, asked=asked, aim=Aim.MARKETING, at=NOON).answers
        known = contact_selectors.people_of(
            plumber, asked, [Purpose.CONTACT], keys=vault.client_keys(plumber.pk), at=NOON
        )
    assert MINOR in found[0][Purpose.RECORD].reasons
    assert MINOR not in found[1][Purpose.RECORD].reasons
    assert [MINOR in answer.obstacles[0].text for answer in dialled] == [True, False]
    assert [person.minor is not None for person in known] == [True, False]
    assert other.caller_id != call.caller_id


def test_it_leaves_with_the_caller(cast: Cast, plumber: Client) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=plumber, numbers=[NEW_YORK], at=NOON)[NEW_YORK]
        caller = Caller.objects.get(pk=caller_id)
        assert minors.mark(client=plumber, caller=caller, by=make.JOB, at=NOON)
        Caller.objects.filter(pk=caller_id).remove()
        assert MinorMark.objects.count() == 0


def test_another_client_does_not_know_of_it(cast: Cast, plumber: Client) -> None:
    call = recorded(plumber, NEW_YORK)
    mark(cast, call)
    choose(cast.dentist, Standard.LEGAL_MINIMUM)
    there = recorded(cast.dentist, NEW_YORK)
    work(cast.dentist)
    assert MINOR not in decision(there).reasons


# --- Health --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sector", some([Sector.DENTAL, Sector.HEALTH], one_in=2))
def test_every_trade_of_health_is_one(cast: Cast, plumber: Client, sector: Sector) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=plumber.pk).update(sector=sector)
    client = Client(pk=plumber.pk, agency_id=plumber.agency_id)
    call = recorded(plumber, NEW_YORK)
    work(client)
    assert not decision(call).allowed
    assert "The call is about health: a notice alone is never enough." in decision(call).reasons


def test_every_sector_is_about_health_or_is_not() -> None:
    """Whoever adds a trade says here what it is."""
    others = {
        Sector.HOME,
        Sector.LEGAL,
        Sector.RETAIL,
        Sector.AUTO,
        Sector.PROPERTY,
        Sector.OTHER,
        Sector.CHILDREN,
    }
    assert set(Sector) == HEALTH | others


# --- Trades of children ---


def test_in_a_trade_of_children_a_notice_alone_suffices_for_nobody(cast: Cast, plumber: Client) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=plumber.pk).update(sector=Sector.CHILDREN)
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.get(pk=plumber.pk)
    call = recorded_at_home(client)
    work(client)
    assert not decision(call).allowed
    assert MINOR in decision(call).reasons
    say(client, EventKind.GIVEN, call.caller_id)
    work(client)
    assert decision(call).allowed


def test_calls_of_minors_are_in_no_export_and_those_of_a_trade_of_children_in_none_at_all(
    cast: Cast, plumber: Client
) -> None:
    child = recorded_at_home(plumber)
    grown = make.call(plumber, "+12125550177")
    mark(cast, child)
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.get(pk=plumber.pk)
        assert exports._shareable(client, [child, grown], NOON) == [grown]
    unmark(cast, child)
    with job_scope(agency_id=cast.acme.pk):
        assert exports._shareable(client, [child, grown], NOON) == [child, grown]
        Client.objects.filter(pk=plumber.pk).update(sector=Sector.PAEDIATRIC)
        client = Client.objects.get(pk=plumber.pk)
        assert exports._shareable(client, [child, grown], NOON) == []
        with pytest.raises(exports.OfMinorsError):
            exports.request_export(
                client=client,
                filters=CallFilters(),
                reason="The client asked for a list.",
                by=Actor.staff(user_id=cast.alice.user_id),
                at=NOON,
            )


def test_what_dentists_need_is_offered_first_to_whoever_heals() -> None:
    found = {
        sector: [one.name for one in blueprints.blueprints().values() if one.is_for(Client(sector=sector))]
        for sector in (Sector.HEALTH, Sector.DENTAL, Sector.OTHER)
    }
    assert found == {Sector.HEALTH: ["dental"], Sector.DENTAL: ["dental"], Sector.OTHER: []}


# --- Pages ---------------------------------------------------------------------------------------------------------


def page(name: str, call: Call, slug: str = "plumber") -> str:
    return reverse(f"consent:{name}", args=[slug, call.caller_id])


def test_an_officer_notes_it_and_takes_it_back(cast: Cast, plumber: Client) -> None:
    call = recorded(plumber, NEW_YORK)
    browser = signed_in(cast.alice)
    assert "Mark as minor" in browser.get(page("caller", call)).content.decode()
    assert browser.get(page("caller_minor", call)).status_code == 200

    assert browser.post(page("caller_minor", call)).status_code == 302
    shown = browser.get(page("caller", call)).content.decode()
    assert "A minor" in shown
    assert "Marked by Alice" in shown

    assert browser.post(page("caller_minor", call), {"reason": "no"}).status_code == 200
    assert browser.post(page("caller_minor", call), {"reason": WHY}).status_code == 302
    assert "Marked by" not in browser.get(page("caller", call)).content.decode()


def test_who_may_not_does_not(cast: Cast) -> None:
    call = recorded(cast.dentist, NEW_YORK)
    for who, status in ((cast.bob, 403), (cast.carol, 403), (cast.mallory, 404)):
        assert signed_in(who).post(page("caller_minor", call, "dentist")).status_code == status
    with job_scope(agency_id=cast.acme.pk):
        assert not MinorMark.objects.exists()


def test_an_agent_notes_it_by_one_tap(cast: Cast, plumber: Client) -> None:
    call = recorded(plumber, NEW_YORK)
    agent = make.person(cast.acme, "ed", Role.AGENT)
    make.grant(agent, plumber)
    browser = signed_in(agent)
    desk = reverse("consent:desk") + f"?client=plumber&caller={call.caller_id}"
    assert "Mark as minor" in browser.get(desk).content.decode()
    said: dict[str, Any] = {
        "deed": "minor", "tap": "6d0f3f0e-7b52-4b0c-9a3e-0a5f0b9f1c11", "caller": call.caller_id
    }  # fmt: skip

    assert browser.post(reverse("consent:desk_tap", args=["plumber"]), said).status_code == 302

    shown = browser.get(desk).content.decode()
    assert "Marked by Ed" in shown
    assert "Mark as minor" not in shown
    with staff_scope(agency_id=cast.acme.pk, user_id=agent.user_id):
        assert MinorMark.objects.get().marked_by_id == agent.user_id
    assert browser.post(page("caller_minor", call), {"reason": WHY}).status_code == 403, (
        "an officer takes it back"
    )
