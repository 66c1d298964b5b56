"""Ways in which a yes that nobody proved could lift a no, or a no could get lost: none of them works."""

import itertools
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, OperationalError
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from callprivacy.accounts.enums import ApiScope
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent import projection
from consent.decide import Event, Question, decide
from consent.enums import (
    Basis,
    Channel,
    EventKind,
    Language,
    Purpose,
    Scope,
    State,
    Strength,
)
from consent.law import load_pack
from consent.models import ApiWrite, ConsentEvent, ConsentState, Subscription
from consent.services import again, desk, ledger, preferences, rebuilding, terms
from consent.services.posted import Picture
from consent.services.web import Visit
from tests import make
from tests.cast import Cast
from tests.consent import pages, twilio_side
from tests.consent.asking import TEXAS
from tests.consent.systems import system_of
from tests.consent.test_ledger import ONE, caller_of, record, said, state_of
from tests.make import NOON
from tests.scale import times

pytestmark = pytest.mark.as_committed

VISIT = Visit(page="x", browser="y", opted_out=False)
HOUR = timedelta(hours=1)
WEAK, SURE = Strength.C, Strength.A


def kinds(cast: Cast) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        rows = ConsentEvent.objects.for_client(cast.dentist).order_by("happened_at", "recorded_at")
        return list(rows.values_list("kind", flat=True))


def listed(cast: Cast) -> set[str]:
    """For what the number is on the vault's list of noes."""
    found = vault_selectors.suppressed(cast.dentist.pk, [ONE], on=date(2026, 12, 1))
    return set(found.get(ONE, {}))


def refused_before(cast: Cast, purpose: Purpose = Purpose.RECORD) -> uuid.UUID:
    """Somebody who said no and was erased; returns who the number is now."""
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48, purpose=purpose))
    gone = vault.Erasure(caller_id, NOON, date(2031, 1, 1), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    fresh = caller_of(cast)
    assert fresh != caller_id
    return fresh


# --- The one rule ---------------------------------------------------------------------------------------------------


def test_an_unproven_yes_lifts_no_earlier_no_and_is_kept_as_told(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN))
    fact = said(caller_id, EventKind.GIVEN, 1, strength=WEAK)
    events = record(cast, fact)
    assert ledger.purposes_held_back([fact], events) == {Purpose.RECORD}
    assert (events[0].kind, events[0].basis) == (EventKind.NOTICED, Basis.NOTICE)
    assert state_of(cast, caller_id) == State.WITHDRAWN
    assert listed(cast) == {"record"}
    with job_scope(agency_id=cast.acme.pk):
        stored = ConsentEvent.objects.get(pk=events[0].pk)
        assert ledger.evidence_of(client=cast.dentist, events=[stored], at=NOON)[stored.pk]["said"] == "yes"
    assert record(cast, fact) == [], "told again it is the same fact"


def test_a_proven_yes_lifts_it_and_then_an_unproven_one_counts(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN), said(caller_id, EventKind.GIVEN, 1))
    assert listed(cast) == set()
    record(cast, said(caller_id, EventKind.RENEWED, 2, strength=WEAK))
    assert state_of(cast, caller_id) == State.GIVEN
    record(cast, said(caller_id, EventKind.EXPIRED, 3))
    assert state_of(cast, caller_id) == State.WITHDRAWN
    record(cast, said(caller_id, EventKind.GIVEN, 4, strength=WEAK))
    assert state_of(cast, caller_id) == State.WITHDRAWN


def test_a_no_that_is_heard_of_later_stands_against_an_unproven_yes_too(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.GIVEN, 1, strength=WEAK))
    assert state_of(cast, caller_id) == State.GIVEN
    record(cast, said(caller_id, EventKind.WITHDRAWN))
    assert state_of(cast, caller_id) == State.WITHDRAWN
    assert listed(cast) == {"record"}


def test_in_whatever_order_they_come_people_stand_the_same_and_a_rebuild_finds_nothing(cast: Cast) -> None:
    told = [
        (EventKind.WITHDRAWN, SURE), (EventKind.GIVEN, WEAK), (EventKind.GIVEN, SURE),
        (EventKind.EXPIRED, SURE), (EventKind.GIVEN, WEAK),
    ]  # fmt: skip
    outcomes: dict[int, set[str | None]] = {}
    for number, order in enumerate(itertools.permutations(range(len(told)))):
        if number % times(5, 1):
            continue
        caller_id = caller_of(cast, f"+1415555{3000 + number:04d}")
        for count, hours in enumerate(order, start=1):
            kind, strength = told[hours]
            record(cast, said(caller_id, kind, hours, strength=strength))
            if count >= len(told) - 1:
                missing = set(range(len(told))) - set(order[:count])
                outcomes.setdefault(min(missing, default=-1), set()).add(state_of(cast, caller_id))
    assert outcomes[-1] == {State.WITHDRAWN}
    assert all(len(found) == 1 for found in outcomes.values()), outcomes
    assert rebuilding.rebuild(client=cast.dentist, at=NOON).differing == 0


class _Fact:
    def __init__(self, kind: EventKind, strength: Strength, step: int, purpose: Purpose) -> None:
        self.id = uuid.UUID(int=step + 1)
        self.kind, self.strength, self.purpose = kind, strength, purpose
        self.scope, self.happened_at = Scope.STANDING, NOON + step * HOUR


_steps = st.lists(st.tuples(st.sampled_from(EventKind), st.sampled_from(Strength)), max_size=7)


@settings(max_examples=times(150, 400), deadline=None)
@given(_steps, st.sampled_from([Purpose.RECORD, Purpose.REVIEW, Purpose.SHARE]))
def test_the_engine_and_the_projection_agree(
    steps: list[tuple[EventKind, Strength]], purpose: Purpose
) -> None:
    facts = [_Fact(kind, strength, step, purpose) for step, (kind, strength) in enumerate(steps)]
    state, _ = projection.standing(facts)
    events = tuple(
        Event(
            purpose,
            fact.kind,
            Basis.NOTICE if fact.kind == EventKind.NOTICED else Basis.CONSENT,
            Channel.AGENT,
            Scope.STANDING,
            fact.happened_at,
            fact.strength,
        )
        for fact in facts
    )
    at = NOON + 10 * HOUR
    asked = Question(purpose, at, None, (TEXAS,), events, claimed_reason="The form is behind a login.")
    answer = decide(asked, load_pack())
    assert answer.allowed == (state == State.GIVEN)
    stands = state in {State.REFUSED, State.WITHDRAWN}
    assert (
        answer.event is not None and answer.event.kind in {EventKind.REFUSED, EventKind.WITHDRAWN}
    ) == stands


@pytest.mark.parametrize("strength", [WEAK, Strength.B, SURE])
@pytest.mark.parametrize("scope", Scope)
def test_a_yes_for_one_call_overrules_a_standing_no_only_where_it_is_proven(
    scope: Scope, strength: Strength
) -> None:
    no = Event(
        Purpose.RECORD, EventKind.WITHDRAWN, Basis.CONSENT, Channel.SMS, Scope.STANDING, NOON - HOUR, SURE
    )
    yes = Event(Purpose.RECORD, EventKind.GIVEN, Basis.CONSENT, Channel.API, scope, NOON - HOUR / 6, strength)
    from consent.decide import CallSpan

    asked = Question(Purpose.RECORD, NOON, CallSpan(NOON), (TEXAS,), (no, yes))
    assert decide(asked, load_pack()).allowed == (strength != WEAK)


def test_a_refusal_for_the_call_is_not_lifted_by_a_report_either() -> None:
    from consent.decide import CallSpan

    facts = {"basis": Basis.CONSENT, "scope": Scope.THIS_CALL, "purpose": Purpose.REVIEW}
    no = Event(kind=EventKind.REFUSED, channel=Channel.MENU, at=NOON, strength=SURE, **facts)  # type: ignore[arg-type]  # facts of a table
    yes = Event(kind=EventKind.GIVEN, channel=Channel.AGENT, at=NOON + HOUR / 60, strength=WEAK, **facts)  # type: ignore[arg-type]  # facts of a table
    asked = Question(Purpose.REVIEW, NOON + HOUR, CallSpan(NOON), (TEXAS,), (no, yes))
    assert not decide(asked, load_pack()).allowed


def test_the_no_of_an_erased_person_stands_against_an_unproven_yes(cast: Cast) -> None:
    fresh = refused_before(cast)
    record(
        cast, said(fresh, EventKind.GIVEN, strength=WEAK), said(fresh, EventKind.GIVEN, -60, strength=WEAK)
    )
    assert (state_of(cast, fresh), listed(cast)) == (State.NOTICED, {"record"})
    record(cast, said(fresh, EventKind.GIVEN, -60))
    assert listed(cast) == {"record"}, "an older yes, told late, is older than the no"
    record(cast, said(fresh, EventKind.GIVEN, 1))
    assert (state_of(cast, fresh), listed(cast)) == (State.GIVEN, set())


def test_sharing_is_allowed_again_only_by_who_was_asked_twice(cast: Cast) -> None:
    caller_id = caller_of(cast)
    share: dict[str, Any] = {"purpose": Purpose.SHARE}
    record(cast, said(caller_id, EventKind.GIVEN, -1, **share))
    assert state_of(cast, caller_id, Purpose.SHARE) == State.GIVEN
    record(cast, said(caller_id, EventKind.WITHDRAWN, **share), said(caller_id, EventKind.GIVEN, 1, **share))
    assert state_of(cast, caller_id, Purpose.SHARE) == State.WITHDRAWN
    record(cast, said(caller_id, EventKind.RENEWED, 2, strength=WEAK, **share))
    assert state_of(cast, caller_id, Purpose.SHARE) == State.WITHDRAWN
    record(cast, said(caller_id, EventKind.RENEWED, 3, **share))
    assert (state_of(cast, caller_id, Purpose.SHARE), listed(cast)) == (State.GIVEN, set())


# --- The ways in ----------------------------------------------------------------------------------------------------


def test_a_list_lifts_nobodys_no_and_its_page_says_of_how_many(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48, purpose=Purpose.CONTACT))
    facts: dict[str, Any] = {
        "client": cast.dentist, "name": "List", "clause": "c", "stands_apart": True, "signed_on": NOON.date(),
        "file": Picture(uuid.uuid4(), "image/png", b"d" * 32), "size": 1,
        "by": Actor.staff(user_id=cast.alice.user_id), "at": NOON,
    }  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        row = terms.add_document(
            is_list=True, purposes=[Purpose.CONTACT], numbers=[ONE, "+14155550102"], **facts
        )
    assert state_of(cast, caller_id, Purpose.CONTACT) == State.WITHDRAWN
    assert listed(cast) == {"contact"}
    from tests.accounts.browsers import signed_in

    page = signed_in(cast.alice).get(reverse("consent:terms_document", args=["dentist", row.pk])).text
    assert "Their opt-out still applies" in page
    with job_scope(agency_id=cast.acme.pk):
        terms.add_document(
            is_list=False, purposes=[Purpose.CONTACT], numbers=[ONE], **facts | {"name": "Own"}
        )
    assert state_of(cast, caller_id, Purpose.CONTACT) == State.GIVEN, "the person's own signature does"


@pytest.mark.parametrize("purpose", [Purpose.RECORD, Purpose.SHARE])
def test_what_staff_report_lifts_no_no_and_they_are_told(cast: Cast, purpose: Purpose) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48, purpose=purpose))
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        desk.record_said(
            client=cast.dentist, caller_id=caller_id, kind=EventKind.GIVEN, purposes=[purpose],
            how=desk.How.PHONE, said_at=NOON, note="They are fine with it.", tap=uuid.uuid4(), by=by, at=NOON,
        )  # fmt: skip
        words = desk.what_stands_against(
            client=cast.dentist, caller_id=caller_id, purposes=[purpose], at=NOON
        )
    assert purpose.label.lower() in words
    assert state_of(cast, caller_id, purpose) == State.WITHDRAWN


def centre(cast: Cast, *, strength: Strength) -> tuple[uuid.UUID, str, preferences.Centre]:
    """Somebody who said no, a link to their choices, and the page."""
    pages.publish(cast.dentist, Purpose.RECORD)
    pages.open_page(cast.dentist)
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48))
    with job_scope(agency_id=cast.acme.pk):
        url = preferences.link_for(client=cast.dentist, caller_id=caller_id, at=NOON, strength=strength)
    link = url.rsplit("/p/", 1)[1].strip("/")
    shown = preferences.show_centre(link=link, language=Language.ENGLISH, visit=VISIT, at=NOON)
    return caller_id, link, shown


@pytest.mark.parametrize(("strength", "state"), [(WEAK, State.WITHDRAWN), (Strength.B, State.GIVEN)])
def test_a_link_that_staff_hand_over_lifts_no_no(cast: Cast, strength: Strength, state: State) -> None:
    caller_id, link, shown = centre(cast, strength=strength)
    is_on = preferences.allow(
        link=link, purpose=Purpose.RECORD, form=shown.form, asked="", visit=VISIT, at=NOON + HOUR / 60
    )
    assert is_on == (state == State.GIVEN)
    assert state_of(cast, caller_id) == state


def test_the_page_behind_such_a_link_says_that_the_no_goes_on_counting(cast: Cast) -> None:
    from django.test import Client as Browser

    pages.publish(cast.dentist, Purpose.RECORD)
    pages.open_page(cast.dentist)
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48))
    with job_scope(agency_id=cast.acme.pk):
        url = preferences.link_for(client=cast.dentist, caller_id=caller_id, at=make.now(), strength=WEAK)
    path, browser = "/p/" + url.rsplit("/p/", 1)[1], Browser()
    form = pages.hidden(browser.get(path).content)
    answer = browser.post(path, {"form": form, "purpose": "record", "deed": "give"}, follow=True)
    assert "The opt-out applies until you verify your phone" in answer.text
    assert state_of(cast, caller_id) == State.WITHDRAWN


def test_news_by_mail_brings_no_better_link_than_the_one_it_was_asked_by(cast: Cast) -> None:
    _, link, _ = centre(cast, strength=WEAK)
    later = NOON + HOUR / 60
    preferences.subscribe(
        link=link,
        address="dave@example.com",
        on_change=True,
        on_notice=False,
        language=Language.ENGLISH,
        at=later,
    )
    with job_scope(agency_id=cast.acme.pk):
        assert Subscription.objects.get().strength == WEAK
        (letter,) = preferences.claim_letters(agency_id=cast.acme.pk, at=later, limit=5)
    preferences.confirm(link=letter.text.rsplit("/p/", 1)[1].strip().strip("/"), at=later)
    preferences.stop(
        link=link, purposes=[Purpose.CONTACT], language=Language.ENGLISH, visit=VISIT, at=later + HOUR / 60
    )
    with job_scope(agency_id=cast.acme.pk):
        (news,) = preferences.claim_letters(agency_id=cast.acme.pk, at=later + HOUR, limit=5)
    brought = news.text.rsplit("/p/", 1)[1].strip().strip("/")
    shown = preferences.show_centre(link=brought, language=Language.ENGLISH, visit=VISIT, at=later + HOUR)
    assert not preferences.allow(
        link=brought, purpose=Purpose.RECORD, form=shown.form, asked="", visit=VISIT, at=later + HOUR
    )


# --- Programs -------------------------------------------------------------------------------------------------------


def yes(**more: Any) -> dict[str, Any]:
    return {
        "number": ONE,
        "kind": "given",
        "purposes": ["record"],
        "idempotency_key": uuid.uuid4().hex,
    } | more


def test_a_yes_of_a_clock_that_is_ahead_outlasts_no_stop(cast: Cast) -> None:
    crm = system_of(cast.dentist, cast.alice, scopes=[ApiScope.CONSENT_WRITE])
    ahead = make.now() + timedelta(minutes=4)
    crm.ask("consent/events", yes(happened_at=ahead.isoformat()))
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, happened_at=make.now()))
    assert state_of(cast, caller_id) == State.WITHDRAWN
    assert listed(cast) == {"record"}


def test_a_program_without_proof_overrules_no_standing_no_for_a_call(cast: Cast) -> None:
    crm = system_of(cast.dentist, cast.alice, scopes=[ApiScope.CONSENT_WRITE])
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, happened_at=make.now() - HOUR))
    body = yes(scope="this_call", call={"provider": "generic", "reference": "c1"})
    assert crm.refusal("consent/events", body)[:2] == (409, "standing_no")
    assert kinds(cast) == ["withdrawn"]


def test_a_program_cannot_say_that_somebody_was_asked_twice(cast: Cast) -> None:
    crm = system_of(cast.dentist, cast.alice)
    proof = {"type": "code", "details": {"verification_id": "v1"}}
    crm.ask("consent/events", yes(kind="renewed", purposes=["share"], evidence=proof))
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, purpose=Purpose.SHARE, happened_at=make.now() - HOUR))
    assert state_of(cast, caller_id, Purpose.SHARE) == State.WITHDRAWN


def test_a_second_no_under_an_old_key_is_refused_and_not_swallowed(cast: Cast) -> None:
    crm = system_of(cast.dentist, cast.alice)
    at = make.now()
    no = {"number": ONE, "kind": "withdrawn", "purposes": ["record"], "idempotency_key": "optout-customer-7"}
    first = no | {"happened_at": (at - timedelta(days=90)).isoformat()}
    told = crm.ask("consent/events", first)
    with job_scope(agency_id=cast.acme.pk):
        ApiWrite.objects.all().remove()
    assert crm.ask("consent/events", first)["events"] == told["events"], "the same is the same"
    with job_scope(agency_id=cast.acme.pk):
        ApiWrite.objects.all().remove()
    for other in (
        {"happened_at": (at - timedelta(days=1)).isoformat()},
        {"kind": "given"},
        {"purposes": ["record", "contact"]},
        {"purposes": ["contact"]},
    ):
        assert crm.refusal("consent/events", first | other) == (
            409,
            "idempotency_conflict",
            "Idempotency-Key",
        )
    crm.ask("consent/events", first | {"idempotency_key": "another-key", "happened_at": at.isoformat()})
    assert kinds(cast) == ["withdrawn", "withdrawn"]


def test_a_second_no_without_its_instant_under_one_key_is_refused_once_there_was_a_yes(cast: Cast) -> None:
    crm = system_of(cast.dentist, cast.alice)
    no = {"number": ONE, "kind": "withdrawn", "purposes": ["record"], "idempotency_key": "optout-customer-7"}
    first = crm.ask("consent/events", no)
    assert crm.ask("consent/events", no) == first
    proof = {"type": "code", "details": {"verification_id": "v1"}}
    crm.ask("consent/events", yes(evidence=proof))
    for _ in range(2):
        assert crm.refusal("consent/events", no)[:2] == (409, "idempotency_conflict")
        with job_scope(agency_id=cast.acme.pk):
            ApiWrite.objects.all().remove()


# --- What happens at the same moment --------------------------------------------------------------------------------


def test_a_stop_between_a_yes_and_its_end_stays_on_the_list(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48))
    lift = ledger._lift
    done: list[int] = []

    def late(*facts: Any) -> None:
        if not done:
            done.append(1)
            record(cast, said(caller_id, EventKind.WITHDRAWN, 1))
        lift(*facts)

    monkeypatch.setattr(ledger, "_lift", late)
    record(cast, said(caller_id, EventKind.GIVEN))
    assert done
    assert state_of(cast, caller_id) == State.WITHDRAWN
    assert listed(cast) == {"record"}


def test_where_the_caller_is_held_for_long_a_no_too_many_stays_and_nothing_fails(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, -48))

    def held(**_: Any) -> int:
        raise OperationalError("canceling statement due to lock timeout")

    with monkeypatch.context() as patch:
        patch.setattr(vault, "lift_suppressions", held)
        record(cast, said(caller_id, EventKind.GIVEN))
    assert (state_of(cast, caller_id), listed(cast)) == (State.GIVEN, {"record"})
    record(cast, said(caller_id, EventKind.RENEWED, 1))
    assert listed(cast) == set()


@pytest.mark.parametrize(
    "error",
    [OperationalError, IntegrityError, pytest.param(ledger.CallerGoneError, marks=pytest.mark.thorough)],
)
@pytest.mark.parametrize("fails", [2, 3])
def test_a_stop_that_meets_a_lock_is_tried_again_or_not_claimed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, error: type[Exception], fails: int
) -> None:
    make.tracking_number(cast.dentist, twilio_side.TRACKING, provider="twilio")
    connection = twilio_side.connect(cast.dentist)
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(again, "PAUSES", (0.0, 0.0))
    write = ledger.record_events
    tried: list[int] = []

    def busy(**facts: Any) -> Any:
        tried.append(1)
        if len(tried) <= fails:
            raise error("canceling statement due to lock timeout")
        return write(**facts)

    monkeypatch.setattr(ledger, "record_events", busy)
    said_by_text = {
        "MessageSid": "SM" + "1" * 32, "AccountSid": twilio_side.ACCOUNT, "From": twilio_side.CALLER,
        "To": twilio_side.TRACKING, "Body": "STOP",
    }  # fmt: skip
    answer = twilio_side.post(f"/twilio/{connection.key}/sms/", said_by_text)
    caller_id = caller_of(cast, twilio_side.CALLER)
    if fails == 2:
        assert answer.status_code == 200
        assert state_of(cast, caller_id) == State.WITHDRAWN
    else:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert kinds(cast) == []


@pytest.mark.parametrize("later", [0, 1])
def test_a_key_and_a_stop_at_the_same_instant_start_no_recording(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)
    connection = twilio_side.connect(cast.dentist)
    twilio_side.menu(cast.dentist, connection)
    phone = twilio_side.Phone(connection)
    gather = phone.ring().find("Gather")
    assert gather is not None
    step = gather.attrib["action"].removeprefix(django_settings.CALLPRIVACY_URL)
    caller_id = caller_of(cast, twilio_side.CALLER)
    write = ledger.record_events
    done: list[int] = []

    def waiting(**facts: Any) -> Any:
        """The key waits for the caller while a STOP commits, which finds no recording that runs."""
        if not done:
            done.append(1)
            fact = said(caller_id, EventKind.WITHDRAWN, happened_at=facts["at"] + timedelta(seconds=later))
            write(client=facts["client"], said=[fact], by=Actor.client("tests"), at=facts["at"])
        return write(**facts)

    monkeypatch.setattr(ledger, "record_events", waiting)
    phone.go(step, Digits="1")
    assert done
    assert not phone.records
    assert phone.dialled == twilio_side.LINE
    assert "not recorded" in phone.words
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        assert ConsentState.objects.get(caller_id=caller_id).state == State.WITHDRAWN
    phone.go(step, Digits="1")
    assert not phone.records
