"""Deciding: from the right evidence, over and over the same, whatever comes in between and in whatever order."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections
from django.test.utils import CaptureQueriesContext

from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import Announcement, Call, Recording
from callprivacy.calls.services import numbers
from callprivacy.lib import figures
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client, Place
from callprivacy.tenancy.scope import job_scope, staff_scope, token
from callprivacy.vault import services as vault
from consent.decide import words
from consent.enums import Basis, Channel, EventKind, NoticeState, Purpose, Scope, Standard
from consent.models import (
    AnsweringSite,
    CallerPlace,
    ClientStandard,
    ConsentState,
    Decision,
    Declaration,
    Notice,
    NoticeVersion,
    PostedNotice,
    Rejudgement,
)
from consent.selectors import cases
from consent.selectors import decisions as selectors
from consent.services import decisions, rejudging
from tests import make
from tests.calls.saying import fact, told
from tests.cast import Cast
from tests.consent.deciding import (
    CALIFORNIA,
    NEW_YORK,
    START,
    choose,
    decision,
    digest,
    live,
    recorded,
    recording,
    say,
    work,
)
from tests.make import NOON
from tests.samples import local, moved

pytestmark = pytest.mark.as_committed


@pytest.fixture
def plumber(cast: Cast) -> Client:
    """A client in New York that asks for what the law asks."""
    choose(cast.plumber, Standard.LEGAL_MINIMUM)
    return cast.plumber


# --- From the right evidence ---


def test_without_evidence_it_is_withheld_and_says_why(cast: Cast) -> None:
    call = recorded(cast.dentist)
    work(cast.dentist)
    found = decision(call)
    assert not found.allowed
    assert found.standard == Standard.EXPRESS
    assert found.rules
    assert any("California" in reason or "health" in reason for reason in found.reasons)
    row = recording(call)
    assert (row.state, row.decided_at, row.withheld_from) == (RecordingState.WITHHELD, NOON, None)


def test_consent_before_the_call_allows_it_however_late_it_is_told(cast: Cast) -> None:
    call = recorded(cast.dentist)
    work(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id, recorded_at=NOON + timedelta(days=2))
    work(cast.dentist, at=NOON + timedelta(days=2, minutes=1))
    found = decision(call)
    assert (found.allowed, found.basis) == (True, Basis.CONSENT)
    assert found.event_id is not None
    assert recording(call).state == RecordingState.ALLOWED


def test_consent_after_the_call_heals_nothing(cast: Cast) -> None:
    call = recorded(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id, happened_at=START + timedelta(hours=1))
    work(cast.dentist)
    assert not decision(call).allowed


def test_consent_for_another_purpose_or_of_another_caller_is_none(cast: Cast) -> None:
    call, other = recorded(cast.dentist), recorded(cast.dentist, NEW_YORK)
    say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=Purpose.ANALYSE)
    say(cast.dentist, EventKind.GIVEN, other.caller_id)
    work(cast.dentist)
    assert not decision(call).allowed
    assert decision(other).allowed


def test_a_refusal_of_this_call_counts_by_the_calls_own_name(cast: Cast) -> None:
    """Even for a caller who agreed for good, and for the one call alone."""
    call, next_call = (
        recorded(cast.dentist, sid="CA1"),
        recorded(cast.dentist, at=START + timedelta(minutes=3), sid="CA2"),
    )
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    say(
        cast.dentist, EventKind.REFUSED, call.caller_id, scope=Scope.THIS_CALL, channel=Channel.MENU,
        call_digest=digest(cast.dentist, "CA1"), happened_at=START + timedelta(seconds=5),
    )  # fmt: skip
    work(cast.dentist)
    assert not decision(call).allowed
    assert decision(next_call).allowed


def test_what_is_said_on_a_call_without_a_caller_counts_when_it_comes_late(cast: Cast) -> None:
    call = recorded(cast.dentist, None, sid="CA9")
    work(cast.dentist)
    assert not decision(call).allowed
    say(
        cast.dentist, EventKind.GIVEN, None, scope=Scope.THIS_CALL, channel=Channel.MENU,
        call_digest=digest(cast.dentist, "CA9"), happened_at=START + timedelta(seconds=5),
    )  # fmt: skip
    work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert decision(call).allowed


def test_the_no_of_an_erased_person_counts_for_the_fresh_caller(cast: Cast) -> None:
    vault.suppress(
        client_id=cast.dentist.pk,
        numbers=[CALIFORNIA],
        purposes=[Purpose.RECORD],
        at=START - timedelta(days=9),
    )
    call = recorded(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentState.objects.exists()
    work(cast.dentist)
    found = decision(call)
    assert not found.allowed
    assert found.event_id is None
    assert "withdr" in " ".join(found.reasons).lower() or "refus" in " ".join(found.reasons).lower()


def test_a_withdrawal_during_the_call_withholds_what_follows(cast: Cast) -> None:
    call = recorded(cast.dentist, seconds=300)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    cut = START + timedelta(seconds=90)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, happened_at=cut, channel=Channel.SMS)
    work(cast.dentist)
    row = recording(call)
    assert (row.state, row.withheld_from) == (RecordingState.WITHHELD, cut)
    assert decision(call).withheld_from == cut


# --- Standards, announcements, notices ---


FIRST = date.fromisoformat(moved("2026-11-01"))


def announced(client: Client, since: date | None = FIRST, *, on_recording: bool | None = True) -> Any:
    return make.tracking_number(
        client, "+12125550199", announcement="This call may be recorded.", announced_from=since,
        announced_on_recording=on_recording,
    )  # fmt: skip


def test_an_announcement_counts_from_its_day_on(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    number = announced(cast.plumber, START.date())
    early = recorded(cast.plumber, NEW_YORK, at=START - timedelta(days=1), tracking_number=number)
    after = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    work(cast.plumber)
    assert not decision(early).allowed
    assert (decision(after).allowed, decision(after).basis) == (True, Basis.NOTICE)


def test_a_call_is_judged_by_what_was_announced_at_its_start(cast: Cast) -> None:
    """Blanking, or other words, count from then on: what was recorded before stays as it was decided, word for word."""
    client = live(cast.plumber, since=START - timedelta(days=9))
    choose(client, Standard.ANNOUNCE)
    number = announced(client)
    before = recorded(client, NEW_YORK, tracking_number=number)
    work(client)
    describe(number, announcement="Calls are recorded, to check our service.", at=START + timedelta(hours=1))
    describe(number, announced_on_recording=True, at=START + timedelta(hours=1))
    between = recorded(client, NEW_YORK, at=START + timedelta(hours=2), tracking_number=number)
    describe(number, announcement="", announced_from=None, at=START + timedelta(hours=3))
    after = recorded(client, NEW_YORK, at=START + timedelta(hours=4), tracking_number=number)
    assert rejudging.notice_changes(agency_id=client.agency_id, at=NOON) == 0
    with job_scope(agency_id=client.agency_id):
        rejudging.of_client(client=client, cause="announcements", at=NOON)
    work(client)
    assert [decision(call).allowed for call in (before, between, after)] == [True, True, False]
    assert [recording(call).due_at is None for call in (before, between, after)] == [True, True, False]
    assert (
        moved("Announced since November 1, 2026, on the recording: This call may be recorded.")
        in decision(before).reasons
    )
    assert (
        moved(
            "Announced since November 23, 2026, on the recording: Calls are recorded, to check our service."
        )
        in decision(between).reasons
    )
    assert not any(reason.startswith("Announced since") for reason in decision(after).reasons)


def test_what_callers_hear_is_heard_on_no_call_out(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    number = announced(cast.plumber)
    came, went = (
        recorded(
            cast.plumber, at=START + timedelta(minutes=place), tracking_number=number, direction=direction
        )
        for place, direction in enumerate(Direction)
    )
    work(cast.plumber)
    assert (decision(came).allowed, decision(came).basis) == (True, Basis.NOTICE)
    assert (decision(went).allowed, decision(went).lawful, decision(went).standard_met) == (
        False,
        False,
        False,
    )
    assert cases.NOT_ON_CALLS_OUT in decision(went).reasons
    assert cases.NOT_ON_CALLS_OUT not in decision(came).reasons


def test_what_was_decided_in_another_manner_is_decided_anew(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    assert rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON) == 0
    monkeypatch.setattr(rejudging, "MANNER", rejudging.MANNER + 1)
    assert rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON) == 2


def test_an_announcement_is_named_by_the_notice_that_has_its_words(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    with job_scope(agency_id=cast.acme.pk):
        notice = Notice.objects.create(
            agency_id=cast.acme.pk, client=cast.plumber, name="Recorded line", purposes=[Purpose.RECORD],
            channel=Channel.ANNOUNCEMENT, created_at=NOON,
        )  # fmt: skip
        for place, words in enumerate(("This call may  be recorded.", "Other words.")):
            NoticeVersion.objects.create(
                agency_id=cast.acme.pk, client=cast.plumber, notice=notice, number=place + 1, words=words,
                state=NoticeState.RETIRED, digest=bytes(32), created_at=NOON,
                published_at=START - timedelta(days=9 - place),
            )  # fmt: skip
    call = recorded(cast.plumber, NEW_YORK, tracking_number=announced(cast.plumber))
    work(cast.plumber)
    named = moved(
        "Announced since November 1, 2026, on the recording, Recorded line, version 1: This call may be recorded."
    )
    assert named in decision(call).reasons


def describe(number: Any, *, at: datetime, **facts: Any) -> None:
    with job_scope(agency_id=number.agency_id):
        numbers.describe_number(number=number, facts=facts, by=make.JOB, at=at)


def history(number: Any) -> list[tuple[str, datetime, datetime | None]]:
    with job_scope(agency_id=number.agency_id):
        rows = Announcement.objects.filter(tracking_number=number, struck_at=None)
        return list(rows.order_by("from_at").values_list("words", "from_at", "until_at"))


def november(day: int) -> date:
    """A day, where `NOON` is on the 24th."""
    return NOON.date() + timedelta(days=day - 24)


def midnight(day: int) -> datetime:
    """In New York."""
    return local(day - 24, 0).astimezone(UTC)


def test_changes_go_on_from_now_and_never_rewrite_what_was_heard(cast: Cast) -> None:
    number = make.tracking_number(cast.plumber, "+12125550199")
    describe(number, announcement="A", announced_from=november(10), at=NOON)
    assert history(number) == [("A", midnight(10), None)]
    with pytest.raises(numbers.HeardSinceError):
        describe(number, announced_from=november(12), at=NOON)
    describe(number, announced_from=november(8), at=NOON)
    assert history(number) == [("A", midnight(8), midnight(10)), ("A", midnight(10), None)]
    with pytest.raises(numbers.HeardSinceError):
        describe(number, announced_from=november(9), at=NOON)
    describe(number, announcement="B", at=NOON)
    assert history(number)[1:] == [("A", midnight(10), NOON), ("B", NOON, None)]
    with job_scope(agency_id=cast.acme.pk):
        number.refresh_from_db()
        assert number.announced_from == NOON.date()
    for day in (9, 28):
        with pytest.raises(numbers.HeardSinceError):
            describe(number, announcement="B", announced_from=NOON.date() + timedelta(days=day), at=NOON)
    end = NOON + timedelta(hours=1)
    describe(number, announcement="", announced_from=None, at=end)
    assert history(number)[2:] == [("B", NOON, end)]
    describe(number, announcement="D", announced_from=november(1), at=end + timedelta(hours=1))
    assert history(number)[3:] == [("D", end, None)]


def held(number: Any) -> list[tuple[str, bool | None]]:
    with job_scope(agency_id=number.agency_id):
        rows = Announcement.objects.filter(tracking_number=number).order_by("from_at")
        return list(rows.values_list("words", "on_recording"))


def test_whether_the_recording_holds_it_is_said_once_for_what_was_heard_and_then_from_now_on(
    cast: Cast,
) -> None:
    number = make.tracking_number(cast.plumber, "+12125550199")
    describe(number, announcement="A", announced_from=november(10), at=NOON)
    describe(number, announced_from=november(8), at=NOON)
    assert held(number) == [("A", None), ("A", None)]
    describe(number, announced_on_recording=True, at=NOON)
    assert held(number) == [("A", True), ("A", True)]
    describe(number, announced_from=november(7), at=NOON)
    assert held(number)[0] == ("A", True)
    describe(number, announced_on_recording=False, at=NOON + timedelta(hours=1))
    assert held(number)[3:] == [("A", False)]
    assert history(number)[2:] == [
        ("A", midnight(10), NOON + timedelta(hours=1)), ("A", NOON + timedelta(hours=1), None),
    ]  # fmt: skip
    describe(number, announcement="B", at=NOON + timedelta(hours=2))
    assert held(number)[4:] == [("B", None)], "of other words nobody has said it"
    describe(number, announced_on_recording=True, at=NOON + timedelta(hours=3))
    assert held(number)[3:] == [("A", False), ("B", True)]


SEATTLE = "+12065550103"


def test_in_washington_an_announcement_counts_where_the_recording_holds_it(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    number = announced(cast.plumber, on_recording=None)
    call = recorded(cast.plumber, SEATTLE, tracking_number=number)
    work(cast.plumber)
    assert (decision(call).lawful, decision(call).standard_met) == (False, True)
    assert words.NOT_ON_RECORDING in decision(call).reasons
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    describe(number, announced_on_recording=True, at=NOON)
    assert rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON) == 1
    work(cast.plumber)
    assert (decision(call).allowed, decision(call).basis) == (True, Basis.NOTICE)
    said = moved("Announced since November 1, 2026, on the recording: This call may be recorded.")
    assert said in decision(call).reasons


def test_what_was_written_down_wrongly_is_struck_out_with_a_reason(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    number = announced(cast.plumber)
    call = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    work(cast.plumber)
    assert decision(call).allowed
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        row = Announcement.objects.get()
        numbers.strike_announcement(announcement=row, reason="Nobody heard it.", by=make.JOB, at=NOON)
        with pytest.raises(numbers.StruckError):
            numbers.strike_announcement(announcement=row, reason="Again.", by=make.JOB, at=NOON)
        number.refresh_from_db()
        assert (number.announcement, number.announced_from) == ("", None)
    assert rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON) == 1
    work(cast.plumber)
    assert not decision(call).allowed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE calls_announcement SET words = 'Other.'",
        "UPDATE calls_announcement SET from_at = from_at - interval '1 day'",
        "UPDATE calls_announcement SET until_at = NULL",
        "UPDATE calls_announcement SET on_recording = false",
        "UPDATE calls_announcement SET on_recording = NULL",
        "UPDATE calls_announcement SET until_at = until_at + interval '1 day'",
    ],
)
def test_the_database_rewrites_no_announcement(cast: Cast, statement: str) -> None:
    number = announced(cast.plumber, on_recording=None)
    describe(number, announced_on_recording=True, at=NOON)
    describe(number, announcement="", announced_from=None, at=NOON)
    with (
        pytest.raises(IntegrityError, match="not rewritten"),
        job_scope(agency_id=cast.acme.pk),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_an_announcement_without_a_date_is_none(cast: Cast) -> None:
    choose(cast.plumber, Standard.ANNOUNCE)
    call = recorded(cast.plumber, NEW_YORK, tracking_number=announced(cast.plumber, None))
    work(cast.plumber)
    assert not decision(call).allowed


def test_an_announcement_is_not_what_an_express_client_asks_for(cast: Cast) -> None:
    call = recorded(cast.plumber, NEW_YORK, tracking_number=announced(cast.plumber))
    work(cast.plumber)
    found = decision(call)
    assert (found.lawful, found.standard_met, found.allowed) == (True, False, False)


def test_health_never_rests_on_a_notice(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(sector=Sector.DENTAL)
    choose(cast.plumber, Standard.ANNOUNCE)
    call = recorded(cast.plumber, NEW_YORK, tracking_number=announced(cast.plumber))
    work(cast.plumber)
    assert not decision(call).lawful


def test_a_recording_is_judged_by_the_standard_of_its_day(cast: Cast) -> None:
    """A choice that is over, expired or raised, makes nobody destroy what was right then."""
    number = announced(cast.plumber)
    choose(cast.plumber, Standard.ANNOUNCE, at=START - timedelta(days=2))
    before = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    choose(cast.plumber, Standard.EXPRESS, at=START + timedelta(hours=1))
    after = recorded(cast.plumber, NEW_YORK, at=START + timedelta(hours=2), tracking_number=number)
    work(cast.plumber)
    assert decision(before).allowed
    assert not decision(after).allowed


def test_an_expired_choice_is_express_consent_for_later_calls(cast: Cast) -> None:
    number = announced(cast.plumber)
    row = choose(cast.plumber, Standard.ANNOUNCE, at=START - timedelta(days=2))
    with job_scope(agency_id=cast.acme.pk):
        ClientStandard.objects.filter(pk=row.pk).update(expires_on=START.date())
    earlier = recorded(cast.plumber, NEW_YORK, at=START - timedelta(days=1), tracking_number=number)
    later = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    work(cast.plumber)
    assert decision(earlier).allowed
    assert not decision(later).allowed


def test_calls_before_the_first_choice_take_the_newest(cast: Cast) -> None:
    number = announced(cast.plumber)
    call = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    choose(cast.plumber, Standard.LEGAL_MINIMUM, at=START + timedelta(hours=1))
    choose(cast.plumber, Standard.EXPRESS, at=START + timedelta(hours=2))
    work(cast.plumber)
    assert not decision(call).allowed
    choose(cast.plumber, Standard.ANNOUNCE, at=START + timedelta(hours=3))
    with job_scope(agency_id=cast.acme.pk):
        decisions.decide_calls(cast.plumber, [call.pk], NOON)
    assert decision(call).allowed


@pytest.mark.parametrize(
    ("from_on", "to_on", "own", "counts"),
    [
        (START.date(), None, False, True),
        (START.date(), None, True, True),
        (START.date() - timedelta(days=9), START.date(), False, False),
        (START.date() + timedelta(days=1), None, False, False),
    ],
)
def test_a_posted_notice_counts_while_it_hangs(
    cast: Cast, from_on: date, to_on: date | None, own: bool, counts: bool
) -> None:
    number = make.tracking_number(cast.plumber, "+12125550199")
    with job_scope(agency_id=cast.acme.pk):
        PostedNotice.objects.create(
            agency_id=cast.acme.pk, client=cast.plumber, where="site", place="the site", words="Calls are recorded.",
            from_on=from_on, to_on=to_on, tracking_number=number if own else None, created_at=NOON,
        )  # fmt: skip
    call = recorded(cast.plumber, NEW_YORK, tracking_number=number)
    other = recorded(cast.plumber, NEW_YORK, at=START + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        calls = cases.calls_for(cast.plumber, [call.pk, other.pk])
        asked = cases.cases(cast.plumber, calls, Purpose.RECORD, at=NOON)
    assert [case.question.posted_notice for case in asked] == [counts, counts and not own]


# --- Places ---


def places_of(call: Call) -> list[tuple[str, str, str, bool]]:
    return [
        (place["side"], f"{place['country']}-{place['region']}", place["evidence"], place["counts"])
        for place in decision(call).places
    ]


def test_an_area_code_counts_beside_the_tracker_and_not_beside_an_address(plumber: Client) -> None:
    call = recorded(plumber, CALIFORNIA, country="US", region="TX")
    work(plumber)
    assert places_of(call) == [
        ("caller", "US-TX", "tracker", True),
        ("caller", "US-CA", "area_code", True),
        ("site", "US-NY", "office", True),
    ]
    assert not decision(call).allowed
    assert any(reason.startswith("California: all parties") for reason in decision(call).reasons)
    assert call.caller_id is not None
    with job_scope(agency_id=plumber.agency_id):
        CallerPlace.objects.create(
            agency_id=plumber.agency_id, client=plumber, caller_id=call.caller_id, country="US", region="NY",
            recorded_at=NOON,
        )  # fmt: skip
        decisions.decide_calls(plumber, [call.pk], NOON)
    assert places_of(call)[:3] == [
        ("caller", "US-NY", "address", True),
        ("caller", "US-TX", "tracker", False),
        ("caller", "US-CA", "area_code", False),
    ]
    assert decision(call).allowed


def test_a_tracker_that_names_a_laxer_place_than_the_number_is_believed_where_both_ask_nothing(
    plumber: Client,
) -> None:
    call = recorded(plumber, NEW_YORK, country="US", region="TX")
    work(plumber)
    assert decision(call).allowed


def test_an_area_code_alone_relaxes_nothing(plumber: Client) -> None:
    """Nor does a tracker that says what the area code says: it may have looked nowhere else."""
    number = recorded(plumber, NEW_YORK)
    same = recorded(plumber, NEW_YORK, country="US", region="NY")
    work(plumber)
    for call in (number, same):
        assert places_of(call)[0] == ("caller", "US-NY", "area_code", True)
        assert not decision(call).allowed


@pytest.mark.parametrize(
    ("number", "country", "region"),
    [
        ("+17875550123", "PR", ""),
        ("+17875550124", "PR", "PR"),
        ("+442079460123", "UK", ""),
        ("+493012345678", "DE", "BE"),
        (NEW_YORK, "us", " ny"),
    ],
)
def test_the_numbers_own_place_in_other_words_is_no_second_word_for_it(
    plumber: Client, number: str, country: str, region: str
) -> None:
    """Agreement in general terms counted in Puerto Rico, where who knows the number alone knows too little."""
    call = recorded(plumber, number)
    said = recorded(plumber, number, country=country, region=region)
    work(plumber)
    assert places_of(said) == places_of(call)
    assert decision(said).rules == decision(call).rules


def test_a_caller_of_whom_nothing_is_known_is_in_an_unknown_place(plumber: Client) -> None:
    call = recorded(plumber, None)
    work(plumber)
    assert [place[0] for place in places_of(call)] == ["site"]
    assert not decision(call).allowed


def test_the_site_of_the_number_counts_beside_the_caller(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        for name, region, is_default in (("Main", "NY", True), ("Coast", "CA", False)):
            AnsweringSite.objects.create(
                agency_id=plumber.agency_id, client=plumber, name=name, country="US", region=region,
                is_default=is_default, created_at=NOON,
            )  # fmt: skip
    coast = make.tracking_number(plumber, "+12125550198", target_site=" coast ")
    here = recorded(plumber, NEW_YORK, country="US", region="TX")
    there = recorded(
        plumber, NEW_YORK, at=START + timedelta(hours=1), country="US", region="TX", tracking_number=coast
    )
    work(plumber)
    assert (decision(here).allowed, decision(there).allowed) == (True, False)
    assert places_of(there)[-1] == ("site", "US-CA", "site", True)


def test_a_client_without_any_place_answers_nobody_knows_where(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        Place.objects.for_client(plumber).delete()
    call = recorded(plumber, CALIFORNIA, country="US", region="TX")
    work(plumber)
    assert places_of(call)[-1] == ("site", "-", "site", True)
    assert not decision(call).allowed


# --- Over and over the same ---


def test_deciding_again_changes_nothing(cast: Cast) -> None:
    calls = [recorded(cast.dentist, f"+1415555{2000 + number}") for number in range(5)]
    work(cast.dentist)

    def state() -> list[Any]:
        with job_scope(agency_id=cast.acme.pk):
            return [
                list(Decision.objects.order_by("pk").values_list()),
                list(Recording.objects.order_by("pk").values_list("pk", "state", "decided_at", "due_at")),
            ]

    before = state()
    say(cast.dentist, EventKind.NOTICED, calls[0].caller_id, purpose=Purpose.SHARE)
    assert work(cast.dentist, at=NOON + timedelta(hours=1)) is False
    work(cast.dentist, at=NOON + timedelta(hours=2))
    assert state() == before
    with job_scope(agency_id=cast.acme.pk):
        assert not Rejudgement.objects.filter(finished_at=None).exists()


def test_since_when_it_has_been_decided_so_stays_while_it_is_so(cast: Cast) -> None:
    call = recorded(cast.dentist)
    work(cast.dentist)
    say(cast.dentist, EventKind.NOTICED, call.caller_id, channel=Channel.POSTED)
    work(cast.dentist, at=NOON + timedelta(hours=1))
    assert decision(call).decided_at == NOON
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist, at=NOON + timedelta(hours=2))
    assert decision(call).decided_at == NOON + timedelta(hours=2)


def test_a_call_that_is_gone_or_erased_is_left_alone(cast: Cast) -> None:
    call = recorded(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(call_id=call.pk).update(
            state=RecordingState.GONE, gone_at=NOON, reference=None, decided_at=None
        )
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist)
    assert recording(call).state == RecordingState.GONE


@contextmanager
def held_by_somebody_else(call: Call) -> Iterator[None]:
    """Another transaction has the call's recording meanwhile."""
    other = connections.create_connection("default")
    with closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT agency FROM enter_scope(%s)", [token("job", call.agency_id, None, None)])
        cursor.execute("SELECT FROM calls_recording WHERE call_id = %s FOR UPDATE", [call.pk])
        assert cursor.rowcount == 1
        yield
        cursor.execute("ROLLBACK")


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_holds_is_decided_next_time(cast: Cast) -> None:
    calls = [recorded(cast.dentist, f"+1415555{2000 + number}") for number in range(2)]
    with held_by_somebody_else(calls[0]):
        work(cast.dentist)
        assert recording(calls[0]).decided_at is None
        assert recording(calls[1]).decided_at == NOON
    work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert recording(calls[0]).decided_at == NOON + timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_holds_is_decided_anew_within_seconds(cast: Cast) -> None:
    call = recorded(cast.dentist)
    work(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    with held_by_somebody_else(call):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        figures.begin_task()
        work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert not figures.has_fault(), "nothing is broken"
    assert not decision(call).allowed
    work(cast.dentist, at=NOON + timedelta(minutes=1, seconds=10))
    assert decision(call).allowed


@pytest.mark.thorough
def test_all_of_a_client_are_decided_anew_page_by_page(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "BATCH", 2)
    number = announced(cast.plumber)
    calls = [
        recorded(cast.plumber, NEW_YORK, at=START + timedelta(minutes=place), tracking_number=number)
        for place in range(5)
    ]
    work(cast.plumber)
    assert not any(decision(call).allowed for call in calls)
    choose(cast.plumber, Standard.ANNOUNCE)
    with job_scope(agency_id=cast.acme.pk):
        Rejudgement.objects.create(
            agency_id=cast.acme.pk, client=cast.plumber, cause="standard", due_at=NOON, created_at=NOON
        )
    work(cast.plumber, at=NOON + timedelta(minutes=1))
    assert all(decision(call).allowed for call in calls)


def test_a_caller_with_more_calls_than_a_batch_is_worked_off_by_the_cursor(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "BATCH", 2)
    calls = [recorded(cast.dentist, at=START + timedelta(minutes=place)) for place in range(5)]
    other = recorded(cast.dentist, NEW_YORK)
    work(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, calls[0].caller_id)
    say(cast.dentist, EventKind.GIVEN, other.caller_id)
    assert work(cast.dentist, at=NOON + timedelta(minutes=1)) is False
    assert all(decision(call).allowed for call in [*calls, other])


def test_a_worker_that_dies_has_decided_all_of_its_batch_or_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [recorded(cast.dentist, f"+1415555{2000 + number}") for number in range(3)]

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("consent.services.quarantine.renew_items", die)
        with pytest.raises(KeyboardInterrupt):
            work(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert not Decision.objects.exists()
    work(cast.dentist)
    assert all(recording(call).decided_at == NOON for call in calls)


def test_one_clients_fault_keeps_no_others_calls(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = recorded(cast.dentist), recorded(cast.plumber)
    real = cases.calls_for

    def fail(client: Client, ids: Any) -> Any:
        if client.pk == cast.dentist.pk:
            raise ValueError(CALIFORNIA)
        return real(client, ids)

    with monkeypatch.context() as patch:
        patch.setattr(cases, "calls_for", fail)
        figures.begin_task()
        work(cast.dentist)
        assert figures.has_fault()
        assert recording(bad).decided_at is None
        assert recording(good).decided_at == NOON
        say(cast.dentist, EventKind.GIVEN, bad.caller_id)
        say(cast.plumber, EventKind.GIVEN, good.caller_id)
        work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert decision(good).allowed
    figures.begin_task()
    work(cast.dentist, at=NOON + timedelta(minutes=10))
    assert not figures.has_fault()
    assert decision(bad).allowed


@pytest.mark.thorough
def test_the_queries_are_as_many_for_one_call_as_for_many(
    cast: Cast, django_assert_max_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    number = announced(cast.dentist)
    for place in range(40):
        call = recorded(
            cast.dentist, f"+1415555{2000 + place}", at=START + timedelta(minutes=place), sid=f"CA{place}",
            tracking_number=number,
        )  # fmt: skip
        say(cast.dentist, EventKind.GIVEN, call.caller_id)
    with django_assert_max_num_queries(22), job_scope(agency_id=cast.acme.pk):
        calls = cases.calls_for(cast.dentist, Call.objects.values_list("pk", flat=True))
        asked = cases.cases(cast.dentist, calls, Purpose.RECORD, at=NOON)
    assert len(asked) == 40
    assert all(len(case.question.events) == 1 for case in asked)


# --- What changes below ---


def test_what_a_tracker_corrects_is_decided_anew(cast: Cast) -> None:
    choose(cast.plumber, Standard.LEGAL_MINIMUM)
    said = {"recording_reference": "https://app.callrail.com/r/1", "caller": NEW_YORK}
    told(cast.plumber, fact(**said))
    work(cast.plumber)
    with job_scope(agency_id=cast.acme.pk):
        (call,) = Call.objects.all()
    assert not decision(call).allowed
    told(cast.plumber, fact(**said, country="US", region="TX", revision=1))
    assert recording(call).decided_at is None
    work(cast.plumber, at=NOON + timedelta(minutes=1))
    assert decision(call).allowed
    told(cast.plumber, fact(**said, country="US", region="TX", revision=2, tags=("good",)))
    assert recording(call).decided_at is not None
    told(cast.plumber, fact(**said, country="US", region="TX", revision=3, direction=Direction.OUTBOUND))
    assert recording(call).decided_at is None


def test_a_call_that_moves_takes_its_decision_with_it_and_is_decided_anew(cast: Cast) -> None:
    said = {"recording_reference": "https://app.callrail.com/r/1", "references": (("id", "7"),)}
    told(cast.dentist, fact(**said, started_at=START))
    work(cast.dentist)
    told(cast.dentist, fact(**said, started_at=START - timedelta(seconds=30), revision=1))
    with job_scope(agency_id=cast.acme.pk):
        (call,) = Call.objects.all()
    assert call.started_at == START - timedelta(seconds=30)
    assert not decision(call).allowed
    assert recording(call).decided_at is None


@pytest.mark.parametrize("what", ["number", "place", "sector"])
def test_what_is_changed_in_rooms_below_is_noticed(cast: Cast, what: str) -> None:
    number = announced(cast.plumber, None)
    look = {"agency_id": cast.acme.pk}
    assert rejudging.notice_changes(**look, at=NOON) == 0
    assert rejudging.notice_changes(**look, at=NOON) == 0
    with job_scope(agency_id=cast.acme.pk):
        match what:
            case "number":
                numbers.describe_number(
                    number=number, facts={"announced_from": START.date()}, by=make.JOB, at=NOON
                )
            case "place":
                Place.objects.for_client(cast.plumber).update(region="CA")
            case _:
                Client.objects.filter(pk=cast.plumber.pk).update(sector=Sector.DENTAL)
    assert rejudging.notice_changes(**look, at=NOON) == 1
    assert rejudging.notice_changes(**look, at=NOON) == 0
    with job_scope(agency_id=cast.acme.pk):
        cause = Rejudgement.objects.get()
    assert (cause.client_id, cause.caller_id, cause.call_digest) == (cast.plumber.pk, None, None)


def test_what_decisions_do_not_look_at_is_nothing_to_notice(cast: Cast) -> None:
    look = {"agency_id": cast.acme.pk}
    rejudging.notice_changes(**look, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(name="Plumbers", last_call_at=NOON)
    make.call(cast.plumber, CALIFORNIA)
    assert rejudging.notice_changes(**look, at=NOON) == 0


# --- At the moment of use ---


def test_a_use_is_judged_now_and_leaves_its_decision(cast: Cast) -> None:
    call = recorded(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=Purpose.REVIEW)
    work(cast.dentist)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        (seen,) = cases.calls_for(cast.dentist, [call.pk])
        assert decisions.may_use(client=cast.dentist, call=seen, purpose=Purpose.REVIEW, at=NOON).allowed
    assert decision(call, Purpose.REVIEW).allowed
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, purpose=Purpose.REVIEW, happened_at=NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        use = decisions.may_use(client=cast.dentist, call=seen, purpose=Purpose.REVIEW, at=NOON)
    assert not use.allowed
    assert not decision(call, Purpose.REVIEW).allowed
    assert recording(call).state == RecordingState.ALLOWED


def test_what_may_not_be_recorded_may_not_be_reviewed(cast: Cast) -> None:
    call = recorded(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=Purpose.REVIEW)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        (seen,) = cases.calls_for(cast.dentist, [call.pk])
        use = decisions.may_use(client=cast.dentist, call=seen, purpose=Purpose.REVIEW, at=NOON)
    assert not use.allowed
    assert use.decision.basis == ""


def test_a_refusal_for_this_call_is_found_by_a_person_too(cast: Cast) -> None:
    call = recorded(cast.dentist, sid="CA1")
    for purpose in (Purpose.RECORD, Purpose.REVIEW):
        say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=purpose)
    say(
        cast.dentist, EventKind.REFUSED, None, purpose=Purpose.REVIEW, scope=Scope.THIS_CALL, channel=Channel.AGENT,
        call_digest=digest(cast.dentist, "CA1"), happened_at=START + timedelta(seconds=30),
    )  # fmt: skip
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        (seen,) = cases.calls_for(cast.dentist, [call.pk])
        assert not decisions.may_use(client=cast.dentist, call=seen, purpose=Purpose.REVIEW, at=NOON).allowed


def test_after_a_withdrawal_on_the_call_the_part_before_may_be_used(cast: Cast) -> None:
    call = recorded(cast.dentist, seconds=300)
    cut = START + timedelta(seconds=90)
    for purpose in (Purpose.RECORD, Purpose.REVIEW):
        say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=purpose)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, happened_at=cut)
    with job_scope(agency_id=cast.acme.pk):
        (seen,) = cases.calls_for(cast.dentist, [call.pk])
        use = decisions.judge(client=cast.dentist, call=seen, purpose=Purpose.REVIEW, at=NOON)
    assert (use.allowed, use.until) == (True, cut)


@pytest.mark.parametrize("purpose", [Purpose.RECORD, Purpose.CONTACT])
def test_recording_and_contact_are_no_uses_of_a_call(cast: Cast, purpose: Purpose) -> None:
    call = recorded(cast.dentist)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(ValueError, match="not the use"):
        decisions.may_use(client=cast.dentist, call=call, purpose=purpose, at=NOON)


# --- Measuring ---


def measured(client: Client) -> set[uuid.UUID]:
    with job_scope(agency_id=client.agency_id):
        return set(selectors.calls_open_to(client, Purpose.MEASURE, at=NOON).values_list("pk", flat=True))


def test_everything_is_measured_but_the_calls_of_who_opted_out(cast: Cast) -> None:
    stays = make.call(cast.dentist, CALIFORNIA)
    nobody = make.call(cast.dentist, None)
    out = make.call(cast.dentist, NEW_YORK)
    once = recorded(cast.dentist, CALIFORNIA, sid="CA1")
    assert measured(cast.dentist) == {stays.pk, nobody.pk, out.pk, once.pk}
    say(cast.dentist, EventKind.WITHDRAWN, out.caller_id, purpose=Purpose.MEASURE)
    say(
        cast.dentist, EventKind.REFUSED, once.caller_id, purpose=Purpose.MEASURE, scope=Scope.THIS_CALL,
        call_digest=digest(cast.dentist, "CA1"), happened_at=START,
    )  # fmt: skip
    assert measured(cast.dentist) == {stays.pk, nobody.pk}


def test_the_opt_out_of_an_erased_person_holds_for_the_fresh_caller(cast: Cast) -> None:
    vault.suppress(client_id=cast.dentist.pk, numbers=[NEW_YORK], purposes=[Purpose.MEASURE], at=START)
    stays, nobody = make.call(cast.dentist, CALIFORNIA), make.call(cast.dentist, None)
    out = make.call(cast.dentist, NEW_YORK)
    assert measured(cast.dentist) == {stays.pk, nobody.pk}
    say(cast.dentist, EventKind.GIVEN, out.caller_id, purpose=Purpose.MEASURE, happened_at=NOON)
    assert measured(cast.dentist) == {stays.pk, nobody.pk, out.pk}


def test_who_rests_measuring_on_consent_measures_who_consented(cast: Cast) -> None:
    yes, _no = make.call(cast.dentist, CALIFORNIA), make.call(cast.dentist, NEW_YORK)
    say(cast.dentist, EventKind.GIVEN, yes.caller_id, purpose=Purpose.MEASURE)
    with job_scope(agency_id=cast.acme.pk):
        Declaration.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, basis=Basis.CONSENT, declared_at=NOON
        )
    assert measured(cast.dentist) == {yes.pk}


def test_other_purposes_are_not_answered_by_a_list(cast: Cast) -> None:
    with pytest.raises(ValueError, match="call by call"):
        selectors.calls_open_to(cast.dentist, Purpose.ANALYSE, at=NOON)


# --- What is forgotten ---


def test_that_something_was_decided_anew_is_forgotten_after_a_week(cast: Cast) -> None:
    call = recorded(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist)
    assert decisions.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=6)) == 0
    assert decisions.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=7)) == 1
