"""What holds of every decision, whatever is asked."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decide import Answer, CallSpan, Event, Place, Question, decide
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard, Strength, UnknownAge
from consent.law import load_pack
from tests.consent.asking import NOON
from tests.scale import times

EVIDENCE = {EventKind.GIVEN, EventKind.RENEWED, EventKind.NOTICED}
LATER = date(2030, 1, 1)
STOPS = [EventKind.REFUSED, EventKind.WITHDRAWN]
NEEDS_CONSENT = {Purpose.CONTACT, Purpose.SHARE}

# Few instants and few places, so that what matters meets often.
_steps = [-86_400, -1_000, -900, -60, 0, 5, 12, 60, 61, 300, 301, 600, 3_600, 3_601, 86_400]
instants = st.sampled_from([NOON + timedelta(seconds=step) for step in _steps])
countries = st.sampled_from(
    [
        ("US", "TX"), ("US", "CA"), ("US", "TX|CA"), ("US", ""), ("DE", ""), ("GB", ""), ("AU", "VIC"),
        ("BR", ""), ("", ""), ("US", "GA"),
    ]
)  # fmt: skip
places = st.builds(
    lambda where, evidence: Place(where[0], where[1], evidence),
    countries,
    st.sampled_from(["address", "tracker", "area_code", "site", "guess"]),
)
events = st.builds(
    Event,
    purpose=st.sampled_from(
        [Purpose.RECORD, Purpose.RECORD, Purpose.REVIEW, Purpose.CONTACT, Purpose.MEASURE]
    ),
    kind=st.sampled_from(EventKind),
    basis=st.sampled_from([Basis.CONSENT, Basis.CONSENT, Basis.CONTRACT, Basis.NOTICE]),
    channel=st.sampled_from([Channel.WEB, Channel.MENU, Channel.AGENT, Channel.ANNOUNCEMENT, Channel.SMS]),
    scope=st.sampled_from(Scope),
    at=instants,
    call_id=st.sampled_from([None, None, "this", "other"]),
    strength=st.sampled_from([None, Strength.A, Strength.C, Strength.C, Strength.D]),
    guardian_until=st.sampled_from([None, None, LATER, NOON.date()]),
)
calls = st.one_of(
    st.none(),
    st.builds(
        CallSpan,
        started_at=st.just(NOON),
        ended_at=st.sampled_from([None, NOON + timedelta(seconds=300), NOON + timedelta(seconds=600)]),
        announcement=st.booleans(),
        announced_on_recording=st.booleans(),
        call_id=st.sampled_from([None, "this"]),
        recording_started_at=st.sampled_from([None, None, NOON, NOON + timedelta(seconds=12)]),
    ),
)
questions = st.builds(
    Question,
    purpose=st.sampled_from([Purpose.RECORD, Purpose.RECORD, *Purpose]),
    at=instants,
    call=calls,
    places=st.lists(places, max_size=3).map(tuple),
    events=st.lists(events, max_size=7).map(tuple),
    posted_notice=st.booleans(),
    standard=st.sampled_from(Standard),
    minor=st.sampled_from([False, False, True]),
    health=st.sampled_from([False, False, True]),
    age=st.sampled_from([None, None, None, 12, 15, 17, 30]),
    unknown_age=st.sampled_from([None, UnknownAge.MINOR]),
    declared=st.sampled_from([Basis.LEGITIMATE_INTERESTS, Basis.CONSENT]),
)

quick = settings(max_examples=times(100, 300), deadline=None)


def answer(question: Question) -> Answer:
    return decide(question, load_pack())


def never_laxer(stricter: Answer, than: Answer) -> None:
    """Whatever the stricter answer grants, the other granted too."""
    assert stricter.allowed <= than.allowed
    assert stricter.lawful <= than.lawful
    assert stricter.standard_met <= than.standard_met
    if than.withheld_from is not None and stricter.withheld_from is not None and not than.lawful:
        assert not stricter.lawful


@quick
@given(questions, places.filter(lambda place: place.evidence in {"area_code", "site", "guess"}))
def test_a_place_more_never_makes_it_laxer(question: Question, place: Place) -> None:
    never_laxer(answer(replace(question, places=(*question.places, place))), answer(question))


def less_known(question: Question) -> Iterator[Question]:
    """
    The question with each of its facts removed or blurred, one at a time.

    A place stays the one of its side: what is not known any more of it is said to be unknown. What was refused or
    ended, and which call is meant and when it was, is no fact that one may not know: without it another thing is asked.
    """
    yield from _of_places(question)
    yield from _of_events(question)
    if question.unknown_age == UnknownAge.MINOR:
        yield replace(question, age=None)
    yield replace(question, age=None, minor=True)
    yield replace(question, health=True)
    yield replace(question, posted_notice=False, standard=Standard.EXPRESS)
    if question.call is not None:
        yield replace(question, call=replace(question.call, announced_on_recording=False))
        yield replace(question, call=replace(question.call, announcement=False))
        if question.purpose is not Purpose.RECORD:
            yield replace(question, call=None)


def _of_places(question: Question) -> Iterator[Question]:
    for index, place in enumerate(question.places):
        others = question.places[:index], question.places[index + 1 :]
        vague = [
            replace(place, region=""),
            replace(place, country="", region=""),
            replace(place, evidence=""),
        ]
        if place.evidence in {"address", "tracker"}:
            vague.append(replace(place, evidence="area_code"))
        yield from (replace(question, places=(*others[0], less, *others[1])) for less in vague)
    yield replace(question, places=())


def _of_events(question: Question) -> Iterator[Question]:
    for index, event in enumerate(question.events):
        if event.kind in EVIDENCE:
            rest = question.events[:index] + question.events[index + 1 :]
            yield replace(question, events=rest)
            for grade in (Strength.B, Strength.C, Strength.D):
                if event.strength is None or event.strength < grade:
                    yield replace(question, events=(*rest, replace(event, strength=grade)))
            if event.guardian_until == LATER:
                yield replace(question, events=(*rest, replace(event, guardian_until=None)))


def no_yes_of_less(question: Question) -> None:
    if not answer(question).allowed:
        for less in less_known(question):
            assert not answer(less).allowed, less


@settings(max_examples=2_000, deadline=None)
@given(questions)
def test_knowing_less_never_allows_more(question: Question) -> None:
    no_yes_of_less(question)


@pytest.mark.thorough
@settings(max_examples=20_000, deadline=None)
@given(questions)
def test_knowing_less_never_allows_more_of_many(question: Question) -> None:
    no_yes_of_less(question)


@quick
@given(questions, places)
def test_any_place_more_is_never_laxer_where_the_callers_is_known(question: Question, place: Place) -> None:
    known = replace(question, places=(*question.places, Place("US", "TX", "address")))
    never_laxer(answer(replace(known, places=(*known.places, place))), answer(known))


@quick
@given(questions, st.data())
def test_dropping_evidence_never_makes_it_laxer(question: Question, data: st.DataObject) -> None:
    dropped = data.draw(st.sets(st.integers(0, 6)))
    kept = tuple(
        event
        for index, event in enumerate(question.events)
        if index not in dropped or event.kind not in EVIDENCE
    )
    silent = data.draw(st.booleans())
    call = question.call
    if call is not None and silent:
        call = replace(call, announcement=False)
    fewer = replace(question, events=kept, call=call, posted_notice=question.posted_notice and not silent)
    never_laxer(answer(fewer), answer(question))


@quick
@given(questions, events, st.sampled_from([*STOPS, EventKind.EXPIRED, EventKind.INVALIDATED]))
def test_a_withdrawal_more_never_allows(question: Question, event: Event, kind: EventKind) -> None:
    stop = replace(event, kind=kind, purpose=question.purpose)
    never_laxer(answer(replace(question, events=(*question.events, stop))), answer(question))


@quick
@given(questions, st.sampled_from(STOPS), instants)
def test_after_a_standing_withdrawal_only_a_newer_consent_allows(
    question: Question, kind: EventKind, at: datetime
) -> None:
    stop = Event(question.purpose, kind, Basis.CONSENT, Channel.SMS, Scope.STANDING, at)
    older = tuple(event for event in question.events if event.at <= at or event.kind not in EVIDENCE)
    asked = replace(question, events=(*older, stop))
    moment = asked.at
    if asked.purpose is Purpose.RECORD and asked.call is not None:
        moment = asked.call.recording_started_at or asked.call.started_at
    if at <= moment:
        assert not answer(asked).allowed


@quick
@given(questions, st.sampled_from(STOPS), instants)
def test_after_a_standing_withdrawal_no_unproven_consent_allows(
    question: Question, kind: EventKind, at: datetime
) -> None:
    stop = Event(question.purpose, kind, Basis.CONSENT, Channel.SMS, Scope.STANDING, at)
    weak = tuple(
        replace(event, strength=Strength.C) if event.at > at and event.kind in EVIDENCE else event
        for event in question.events
    )
    asked = replace(question, events=(*weak, stop))
    moment = asked.at
    if asked.purpose is Purpose.RECORD and asked.call is not None:
        moment = asked.call.recording_started_at or asked.call.started_at
    if at <= moment:
        assert not answer(asked).allowed


@quick
@given(questions, st.randoms(use_true_random=False))
def test_the_order_of_events_and_places_never_matters(question: Question, chance: random.Random) -> None:
    shuffled = list(question.events)
    chance.shuffle(shuffled)
    one, other = answer(question), answer(replace(question, events=tuple(shuffled)))
    assert one == other
    turned = answer(replace(question, places=question.places[::-1]))
    assert (one.allowed, one.lawful, one.event) == (turned.allowed, turned.lawful, turned.event)


def test_of_two_at_one_instant_the_same_one_is_named_whichever_came_first() -> None:
    plain = Event(Purpose.RECORD, EventKind.REFUSED, Basis.CONSENT, Channel.AGENT, Scope.STANDING, NOON)
    others = (
        replace(plain, strength=Strength.A),
        replace(plain, recorded_at=NOON),
        replace(plain, call_id="c"),
    )
    for other in others:
        asked = Question(Purpose.RECORD, NOON, events=(plain, other))
        assert answer(asked) == answer(replace(asked, events=(other, plain)))
        assert answer(asked).event in (plain, other)


@quick
@given(questions)
def test_a_stricter_standard_is_never_laxer_and_the_law_does_not_know_it(question: Question) -> None:
    found = [
        answer(replace(question, standard=standard))
        for standard in (Standard.EXPRESS, Standard.ANNOUNCE, Standard.LEGAL_MINIMUM)
    ]
    never_laxer(found[0], found[1])
    never_laxer(found[1], found[2])
    # A recording cut off on its call is neither, so the law is compared where none is.
    if question.purpose is not Purpose.RECORD:
        assert found[0].lawful == found[1].lawful == found[2].lawful


@quick
@given(questions)
def test_late_consent_never_heals(question: Question) -> None:
    """No consent that was given after the call's menu was over changes what is decided of its recording."""
    asked = replace(question, purpose=Purpose.RECORD, call=question.call or CallSpan(NOON))
    late = Event(
        Purpose.RECORD,
        EventKind.GIVEN,
        Basis.CONSENT,
        Channel.WEB,
        Scope.STANDING,
        NOON + timedelta(seconds=61),
    )
    before = answer(asked)
    after = answer(replace(asked, events=(*asked.events, late)))
    assert (before.allowed, before.lawful, before.standard_met) == (
        after.allowed,
        after.lawful,
        after.standard_met,
    )


@quick
@given(questions)
def test_an_answer_holds_together(question: Question) -> None:
    found = answer(question)
    assert found.allowed == (found.lawful and found.standard_met)
    assert (found.basis is not None) == found.allowed
    assert found.reasons
    assert all(load_pack().get(rule) is not None for rule in found.rules)
    if question.purpose is Purpose.RECORD:
        assert (found.withheld_from is None) == found.allowed
    else:
        assert found.withheld_from is None
    if found.allowed and question.purpose in NEEDS_CONSENT:
        assert found.event is not None
        assert found.event.kind in {EventKind.GIVEN, EventKind.RENEWED}
    if found.allowed and question.purpose is not Purpose.MEASURE and (question.minor or question.health):
        assert found.basis in {Basis.CONSENT, Basis.CONTRACT}
