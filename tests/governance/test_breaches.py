"""Breaches: anybody reports, managers handle, the clock is the law's, and nobody who must be told is forgotten."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction

from callprivacy.accounts.enums import Role
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.models import Call, Caller, Connection, Reveal
from callprivacy.calls.services import connections, reveals
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from callprivacy.work.enums import ItemState
from callprivacy.work.models import Item, Notification
from governance import kinds, letters
from governance.enums import BreachKind, BreachRisk, BreachState, DataCategory, NoticeState, NoticeTo
from governance.models import Breach, BreachNotice
from governance.selectors import breaches as selectors
from governance.selectors import impact
from governance.services import breaches, words
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db

TODAY = NOON.date()
NEXT_WEEK = TODAY + timedelta(days=6)
SAID = breaches.Assessment(
    aware_at=NOON,
    kind=BreachKind.CONFIDENTIALITY,
    risk=BreachRisk.RISK,
    categories=("numbers",),
    places=("DE", "US-CA"),
    client_ids=(),
    began_at=None,
    ended_at=None,
    people=120,
    records=None,
    effects="Unwanted calls",
    remedy="",
)


def _midnight(days: int) -> datetime:
    """Midnight in New York so many days after today."""
    return datetime.combine(TODAY + timedelta(days=days), time(), tzinfo=ZoneInfo("America/New_York"))


@contextmanager
def _as(who: object) -> Iterator[Actor]:
    with staff_scope(agency_id=who.agency_id, user_id=who.user_id):  # type: ignore[attr-defined]  # a membership
        yield Actor.staff(user_id=who.user_id)  # type: ignore[attr-defined]  # a membership


def _report(cast: Cast, text: str = "A file went to a stranger.", **changed: object) -> Breach:
    with _as(cast.bob):
        return breaches.report_breach(
            agency=cast.acme,
            title=str(changed.get("title", "A file to the wrong client")),
            text=text,
            is_drill=bool(changed.get("is_drill", False)),
            reported_by=cast.bob.user_id,
            at=NOON,
        )


def _assess(cast: Cast, breach: Breach, **changed: Any) -> Breach:
    with _as(cast.alice) as by:
        found = selectors.find(breach.pk)
        assert found is not None
        breaches.assess_breach(
            breach=found, assessment=replace(SAID, **changed), by=by, at=NOON + timedelta(hours=1)
        )
        found.refresh_from_db()
        return found


def test_anybody_reports_and_those_who_manage_the_agency_are_told(cast: Cast) -> None:
    breach = _report(cast)

    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.get(kind=kinds.BREACH_REPORTED)
        told = set(Notification.objects.filter(kind=kinds.BREACH_REPORTED).values_list("user_id", flat=True))
    assert item.key == str(breach.pk)
    assert told == {cast.alice.user_id, cast.carol.user_id}


def test_the_words_are_sealed_and_open_for_who_may_see_the_breach(cast: Cast) -> None:
    breach = _report(cast, text="Jane Miller saw it")

    with _as(cast.alice):
        found = selectors.find(breach.pk)
        assert found is not None
        assert b"Miller" not in bytes(found.words)
        assert words.open_words(found, "words", key=words.find_key(found)) == "Jane Miller saw it"
        vault.destroy_purpose_key(client_id=-cast.acme.pk, purpose=f"breach/{breach.pk}")
        assert words.open_words(found, "words", key=words.find_key(found)) == ""


def test_numbers_have_no_gap_whoever_reports(cast: Cast) -> None:
    _report(cast)
    with _as(cast.carol):
        second = breaches.report_breach(
            agency=cast.acme, title="T", text="W", is_drill=True, reported_by=cast.carol.user_id, at=NOON
        )
    third = _report(cast)

    assert (second.number, third.number) == (2, 3)


def test_a_reporter_sees_only_the_own_reports_and_changes_none(cast: Cast) -> None:
    mine = _report(cast)
    with _as(cast.carol):
        other = breaches.report_breach(
            agency=cast.acme, title="T", text="W", is_drill=False, reported_by=cast.carol.user_id, at=NOON
        )

    with _as(cast.bob):
        assert list(Breach.objects.values_list("pk", flat=True)) == [mine.pk]
        assert Breach.objects.filter(pk__in=[mine.pk, other.pk]).update(title="x") == 0
    with _as(cast.mallory):
        assert not Breach.objects.exists()


def test_nobody_reports_in_the_name_of_another(cast: Cast) -> None:
    with _as(cast.bob), pytest.raises(DatabaseError), transaction.atomic():
        breaches.report_breach(
            agency=cast.acme, title="T", text="W", is_drill=False, reported_by=cast.carol.user_id, at=NOON
        )


def test_numbers_of_another_agency_are_not_given(cast: Cast) -> None:
    with _as(cast.mallory), pytest.raises(DatabaseError), transaction.atomic():
        breaches._next_number(cast.acme.pk)


def test_the_law_of_the_places_says_who_is_told_and_by_when(cast: Cast) -> None:
    breach = _assess(cast, _report(cast))

    with _as(cast.alice):
        due = dict(BreachNotice.objects.values_list("rule", "due_at"))
        item = Item.objects.get(kind=kinds.BREACH_NOTICE)
        assert not Item.objects.open().filter(kind=kinds.BREACH_REPORTED).exists()
    assert set(due) == {"gdpr-33", "us-ca"}
    assert due["gdpr-33"] == NOON + timedelta(hours=72)
    assert breach.state == BreachState.OPEN
    assert (item.due_at, item.count) == (NOON + timedelta(hours=72), 2)


def test_an_office_of_a_state_is_told_by_the_day_that_follows_from_telling_residents(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("US-CA", "US-TX"), people=600)
    with _as(cast.alice) as by:
        rows = {row.rule: row for row in BreachNotice.objects.all()}
        assert set(rows) == {"us-ca", "us-ca-office", "us-tx", "us-tx-office"}
        assert {row.to for row in rows.values()} == {NoticeTo.STATE, NoticeTo.OFFICE}
        assert rows["us-ca-office"].due_at is None
        assert rows["us-tx-office"].due_at == _midnight(31)
        lines = {line.row.rule: line for line in selectors.notices(breach, at=NOON)}
        assert lines["us-ca-office"].without_date == "within 15 days of notifying residents"
        assert lines["us-ca-office"].last_on is None
        assert lines["us-tx-office"].last_on == TODAY + timedelta(days=30), "its day ends with midnight"

        breaches.send_notice(notice=rows["us-ca"], text="To residents", by=by, at=NOON + timedelta(days=2))

        due = BreachNotice.objects.get(rule="us-ca-office").due_at
        assert due == _midnight(18), "fifteen days from the day after tomorrow, in New York"
    _assess(cast, breach, places=("US-CA", "US-TX"), people=300)
    with _as(cast.alice):
        assert set(BreachNotice.objects.values_list("rule", flat=True)) == {"us-ca", "us-tx", "us-tx-office"}


def test_a_processor_tells_its_client_first_and_by_the_hours_of_the_contract(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.filter(client=cast.dentist).update(breach_notice_hours=36)
        Engagement.objects.filter(client=cast.plumber).update(
            measure_as=PartyRole.CONTROLLER, record_as=PartyRole.CONTROLLER, contact_as=PartyRole.CONTROLLER
        )

    _assess(cast, _report(cast), client_ids=(cast.dentist.pk,), risk=BreachRisk.UNLIKELY)

    with _as(cast.alice):
        notice = BreachNotice.objects.get()
        assert (notice.rule, notice.client_id) == ("gdpr-33-processor", cast.dentist.pk)
        assert notice.due_at == NOON + timedelta(hours=36)


def test_where_the_agency_controls_one_of_two_clients_both_duties_stand(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.filter(client=cast.plumber).update(
            measure_as=PartyRole.CONTROLLER, record_as=PartyRole.CONTROLLER, contact_as=PartyRole.CONTROLLER
        )

    _assess(cast, _report(cast), client_ids=(cast.dentist.pk, cast.plumber.pk), places=("DE",))

    with _as(cast.alice):
        assert set(BreachNotice.objects.values_list("rule", "client_id")) == {
            ("gdpr-33", None),
            ("gdpr-33-processor", cast.dentist.pk),
        }


def test_who_is_processor_for_one_purpose_and_controller_for_another_has_the_duties_of_both(
    cast: Cast,
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.filter(client=cast.dentist).update(measure_as=PartyRole.JOINT)

    _assess(cast, _report(cast), client_ids=(cast.dentist.pk,))

    with _as(cast.alice):
        assert set(BreachNotice.objects.values_list("rule", "client_id")) == {
            ("gdpr-33", None),
            ("us-ca", None),
            ("gdpr-33-processor", cast.dentist.pk),
        }


@pytest.mark.parametrize(("categories", "is_told"), [(("calls", "staff"), True), (("calls",), False)])
def test_the_agencys_own_people_are_its_own_to_answer_for(
    cast: Cast, categories: tuple[str, ...], is_told: bool
) -> None:
    _assess(cast, _report(cast), client_ids=(cast.dentist.pk,), categories=categories, places=("DE",))

    with _as(cast.alice):
        assert BreachNotice.objects.filter(rule="gdpr-33").exists() is is_told
        assert BreachNotice.objects.filter(rule="gdpr-33-processor").exists()


def test_a_place_without_a_rule_is_looked_at_before_the_breach_closes(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE", "CA"))

    with _as(cast.alice) as by:
        look = BreachNotice.objects.get(to=NoticeTo.PLACE)
        assert (look.rule, look.due_at, BreachNotice.objects.count()) == ("law-of-CA", None, 2)
        assert [line.title for line in selectors.notices(breach, at=NOON)][1] == "Check the law of Canada"
        breaches.send_notice(
            notice=BreachNotice.objects.get(rule="gdpr-33"), text="T", by=by, at=NOON + timedelta(hours=2)
        )
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON + timedelta(hours=3))
        breaches.leave_notice(
            notice=look, why="PIPEDA: no real risk of harm", by=by, at=NOON + timedelta(hours=3)
        )
        breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON + timedelta(hours=3))


def test_writing_it_again_keeps_what_was_sent_and_takes_back_what_is_not_called_for(cast: Cast) -> None:
    breach = _assess(cast, _report(cast))
    with _as(cast.alice) as by:
        sent = BreachNotice.objects.get(rule="gdpr-33")
        breaches.send_notice(notice=sent, text="As sent", by=by, at=NOON + timedelta(hours=2))

    breach = _assess(cast, breach, places=("GB",), aware_at=NOON - timedelta(hours=3))

    with _as(cast.alice):
        rows = {row.rule: row for row in BreachNotice.objects.filter(phase=1)}
        assert set(rows) == {"gdpr-33", "uk-gdpr-33"}
        assert words.open_words(rows["gdpr-33"], "words", key=words.find_key(breach)) == "As sent"
        assert rows["uk-gdpr-33"].due_at == NOON + timedelta(hours=69)


def _send(notice: BreachNotice, by: Actor, hours: int, more_on: date | None = None) -> None:
    at = NOON + timedelta(hours=hours)
    breaches.send_notice(notice=notice, text="Sent", more_on=more_on, by=by, at=at)


def test_what_is_not_known_yet_follows_by_the_day_that_was_promised_and_keeps_the_breach_open(
    cast: Cast,
) -> None:
    breach = _assess(cast, _report(cast), places=("DE",))
    with _as(cast.alice) as by:
        _send(BreachNotice.objects.get(), by, 2, more_on=TODAY + timedelta(days=3))
        second = BreachNotice.objects.get(phase=2)
        assert second.due_at == _midnight(4)
        item = Item.objects.get(kind=kinds.BREACH_NOTICE)
        assert (item.due_at, item.count, item.closed_at) == (second.due_at, 1, None)
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON + timedelta(hours=3))
        row: Any = selectors.register().get()
        assert (row.to_tell, row.further, row.told) == (1, 1, 1)

        _send(second, by, 4, more_on=NEXT_WEEK)
        third = BreachNotice.objects.get(phase=3)
        breaches.leave_notice(notice=third, why="The logs hold no more", by=by, at=NOON + timedelta(hours=5))
        breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON + timedelta(hours=6))
        told = list(
            Event.objects.filter(action="breach.told").order_by("pk").values_list("details", flat=True)
        )
    assert [(one["phase"], one["more_on"]) for one in told] == [
        (1, str(TODAY + timedelta(days=3))), (2, str(NEXT_WEEK)),
    ]  # fmt: skip


def test_what_becomes_known_after_a_notice_waits_to_be_told_once(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",))
    with _as(cast.alice) as by:
        _send(BreachNotice.objects.get(), by, 2)

    _assess(cast, breach, places=("DE",))
    with _as(cast.alice):
        assert BreachNotice.objects.count() == 1
    _assess(cast, breach, places=("DE",), people=120)
    _assess(cast, breach, places=("DE",), people=130)
    with _as(cast.alice) as by:
        second = BreachNotice.objects.get(phase=2)
        assert second.due_at is None
        breaches.leave_notice(notice=second, why="A slip of the pen", by=by, at=NOON + timedelta(hours=3))
    _assess(cast, breach, places=("DE",), people=130)
    with _as(cast.alice) as by:
        assert not BreachNotice.objects.filter(phase=3).exists()
        breach.refresh_from_db()
        breaches.contain(breach=breach, contained_at=NOON, by=by, at=NOON + timedelta(hours=4))
        assert BreachNotice.objects.get(phase=3).is_further


def test_what_was_never_told_has_nothing_that_follows(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE", "US-CA"))
    with _as(cast.alice) as by:
        first, state = BreachNotice.objects.order_by("rule")
        breaches.leave_notice(notice=first, why="All of it was sealed", by=by, at=NOON + timedelta(hours=2))
        with pytest.raises(ValueError, match="gets updates"):
            _send(state, by, 2, more_on=NEXT_WEEK)
        _send(state, by, 2)
    _assess(cast, breach, places=("DE", "US-CA"), people=9)

    with _as(cast.alice):
        assert BreachNotice.objects.count() == 2


def test_a_reason_counts_for_the_facts_on_which_it_was_written(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE", "US-CA"))
    with _as(cast.alice) as by:
        for row in BreachNotice.objects.all():
            breaches.leave_notice(notice=row, why="The file was encrypted", by=by, at=NOON)
    _assess(cast, breach, places=("DE", "US-CA"), remedy="The key was changed")
    with _as(cast.alice):
        assert not BreachNotice.objects.filter(state=NoticeState.DUE).exists(), (
            "nothing it rests on has changed"
        )

    _assess(cast, breach, places=("DE", "US-CA"), risk=BreachRisk.HIGH, people=90_000)

    with _as(cast.alice) as by:
        due = {row.rule: row for row in BreachNotice.objects.filter(state=NoticeState.DUE, phase=1)}
        assert {"gdpr-33", "gdpr-34", "us-ca"} <= set(due)
        assert due["gdpr-33"].due_at == NOON + timedelta(hours=72)
        assert due["gdpr-33"].settled_at is None
        key = words.find_key(breach)
        assert words.open_words(due["us-ca"], "why", key=key) == "The file was encrypted", "offered again"
        (noted,) = selectors.notes(breach)
        assert words.open_words(noted, "words", key=key).count("The file was encrypted") == 2
        was = [event.details["was"] for event in Event.objects.filter(action="breach.untold")]
        assert was == ["not_needed", "not_needed"]
        count = Item.objects.open().get(kind=kinds.BREACH_NOTICE).count
        assert count == BreachNotice.objects.filter(state=NoticeState.DUE).count()
        _send(due["gdpr-33"], by, 2)


def test_a_notice_that_was_settled_wrongly_is_taken_back(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",))
    with _as(cast.alice) as by:
        first = BreachNotice.objects.get()
        with pytest.raises(breaches.NotOpenError):
            breaches.take_back_notice(notice=first, reason="It is not settled", by=by, at=NOON)
        _send(first, by, 2, more_on=NEXT_WEEK)
        second = BreachNotice.objects.get(phase=2)
        breaches.leave_notice(notice=second, why="Nothing more", by=by, at=NOON + timedelta(hours=3))
        with pytest.raises(breaches.NotOpenError, match="latest"):
            breaches.take_back_notice(notice=first, reason="It never went out", by=by, at=NOON)
        breaches.take_back_notice(notice=second, reason="There is more", by=by, at=NOON + timedelta(hours=4))

    where = f"/programme/breaches/{breach.pk}/notices/{first.pk}/"
    browser = browser_of(cast.alice.user)
    assert f"{where}back/" in browser.get(where).content.decode()
    assert browser_of(cast.bob.user).post(f"{where}back/", {"reason": "It never went out"}).status_code == 403
    assert browser.post(f"{where}back/", {"reason": "It never went out"}).status_code == 302
    with _as(cast.alice) as by:
        row = BreachNotice.objects.get()
        assert (row.pk, row.state, row.words, row.due_at) == (
            first.pk, NoticeState.DUE, None, NOON + timedelta(hours=72),
        )  # fmt: skip
        newest = selectors.notes(breach)[0]
        assert "Sent" in words.open_words(newest, "words", key=words.find_key(breach)), (
            "what was kept as sent"
        )
        assert Event.objects.filter(action="breach.untold").count() == 2
        _send(row, by, 5)


def test_a_notice_is_judged_by_when_it_went_out(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE", "US-CA"), people=600)
    out_at, later = NOON + timedelta(hours=70), NOON + timedelta(days=9)
    with _as(cast.alice) as by:
        first, residents, office = (
            BreachNotice.objects.get(rule=name) for name in ("gdpr-33", "us-ca", "us-ca-office")
        )
        for wrong in (later + timedelta(hours=1), NOON - timedelta(hours=1)):
            with pytest.raises(breaches.NotToldThenError):
                breaches.send_notice(notice=first, text="Sent", told_at=wrong, by=by, at=later)
        assert office.due_at is None
        breaches.send_notice(notice=residents, text="Sent", told_at=out_at, by=by, at=later)
        office.refresh_from_db()
        assert office.due_at == _midnight(19), "15 days after the notification of residents"
        breaches.take_back_notice(notice=residents, reason="Not posted", by=by, at=later)
        residents.refresh_from_db()
        assert residents.told_at is None

    browser = browser_of(cast.alice.user)
    where = f"/programme/breaches/{breach.pk}/notices/{first.pk}/"
    typed = make.now() + timedelta(days=2)
    refused = browser.post(where, {"text": "Sent", "told_at": typed.strftime("%Y-%m-%dT%H:%M")})
    assert "The date sent cannot be in the future" in refused.content.decode()
    with _as(cast.alice) as by:
        breaches.send_notice(notice=first, text="Sent", told_at=out_at, by=by, at=later)
        event = Event.objects.filter(action="breach.told").order_by("pk").last()
        assert event is not None
        assert (event.details["late"], event.details["told_at"]) == (False, out_at.isoformat())
        first.refresh_from_db()
        assert (first.went_out_at, first.settled_at) == (out_at, later)


def test_what_came_in_before_a_notice_was_written_down_is_still_to_be_told(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",), people=90_000)
    out_at, later = NOON + timedelta(minutes=30), NOON + timedelta(days=4)
    promised = (NOON + timedelta(days=2)).date()
    with _as(cast.alice) as by:
        first = BreachNotice.objects.get()
        with pytest.raises(breaches.TooEarlyError):
            breaches.send_notice(
                notice=first, text="Sent", told_at=out_at, more_on=TODAY - timedelta(days=1), by=by, at=later
            )
        breaches.send_notice(notice=first, text="120 people", told_at=out_at, by=by, at=later)
        second = BreachNotice.objects.get(phase=2)
        assert (second.state, second.due_at) == (NoticeState.DUE, None)
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=breach, lessons="None", by=by, at=later)
        early = out_at - timedelta(minutes=1)
        with pytest.raises(breaches.NotToldThenError):
            breaches.send_notice(notice=second, text="Sent", told_at=early, by=by, at=later)
    where = f"/programme/breaches/{breach.pk}/notices/{second.pk}/"
    draft = browser_of(cast.alice.user).get(where).context["form"].initial["text"]
    assert "about 90,000" in draft
    with _as(cast.alice) as by:
        breaches.take_back_notice(notice=first, reason="More was promised", by=by, at=later)
        breaches.send_notice(
            notice=first, text="120 people", told_at=out_at, more_on=promised, by=by, at=later
        )
        second = BreachNotice.objects.get(phase=2)
        assert second.due_at is not None
        assert out_at < second.due_at < later
        breaches.leave_notice(notice=second, why="All of it was sent", by=by, at=later)
    _assess(cast, breach, places=("DE",), people=90_000)
    with _as(cast.alice) as by:
        assert not BreachNotice.objects.filter(state=NoticeState.DUE).exists()


def test_more_is_promised_for_a_day_that_comes(cast: Cast) -> None:
    _assess(cast, _report(cast), places=("DE",))
    with _as(cast.alice) as by, pytest.raises(breaches.TooEarlyError):
        _send(BreachNotice.objects.get(), by, 2, more_on=TODAY - timedelta(days=1))


def test_the_second_notice_is_drafted_from_what_changed_since_the_first(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",), people=None)
    with _as(cast.alice) as by:
        _send(BreachNotice.objects.get(), by, 2, more_on=NEXT_WEEK)
    breach = _assess(cast, breach, places=("DE",), people=120, remedy="Access was closed")

    with _as(cast.alice):
        line = selectors.notices(breach, at=NOON)[1]
        key = words.find_key(breach)
        earlier = selectors.told_before(line.row)
        assert earlier is not None
        assert b"Unwanted" not in bytes(earlier.facts or b"")
        before = letters.Known.from_json(words.open_words(earlier, "facts", key=key))
        said = {name: words.open_words(breach, name, key=key) for name in ("words", "effects", "remedy")}
        text = selectors.draft(line, said, contact="Alice", before=before, at=NOON + timedelta(days=1))
    assert line.title == "Supervisory authority (GDPR), notification 2"
    assert "GDPR article 33(4)" in text
    assert f"People concerned\nBefore: {letters.UNKNOWN}\nNow: about 120" in text
    assert "Now: Access was closed" in text
    assert "What happened" not in text
    assert "2. Not known yet\nBegan, Ended, Contained, Records concerned" in text


def test_awareness_lies_not_in_the_future(cast: Cast) -> None:
    with pytest.raises(breaches.TooEarlyError):
        _assess(cast, _report(cast), aware_at=NOON + timedelta(days=1))


def test_it_closes_only_when_everybody_is_told_or_a_reason_stands(cast: Cast) -> None:
    breach = _assess(cast, _report(cast))

    with _as(cast.alice) as by:
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON)
        first, second = BreachNotice.objects.order_by("rule")
        breaches.send_notice(notice=first, text="Sent", by=by, at=NOON + timedelta(hours=2))
        breaches.leave_notice(notice=second, why="No such data", by=by, at=NOON + timedelta(hours=2))
        breaches.close_breach(breach=breach, lessons="Check the address", by=by, at=NOON + timedelta(hours=3))
        breach.refresh_from_db()
        assert breach.state == BreachState.CLOSED
        assert not Item.objects.open().exists()
        with pytest.raises(breaches.NotOpenError):
            breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON)
        with pytest.raises(breaches.NotOpenError):
            breaches.send_notice(notice=first, text="Again", by=by, at=NOON)
        actions = list(
            Event.objects.filter(subject_id=str(breach.pk)).order_by("pk").values_list("action", flat=True)
        )
    assert actions == [
        "breach.reported", "breach.assessed", "breach.told", "breach.not_told", "breach.closed",
    ]  # fmt: skip


def _closed(cast: Cast) -> Breach:
    """A breach with Germans among the people: the authority was told, nobody else, and it is closed."""
    breach = _assess(cast, _report(cast), places=("DE",))
    with _as(cast.alice) as by:
        for row in BreachNotice.objects.all():
            breaches.send_notice(notice=row, text="Sent", by=by, at=NOON + timedelta(hours=2))
        breaches.close_breach(breach=breach, lessons="Check the address", by=by, at=NOON + timedelta(hours=3))
    return breach


def test_a_closed_breach_opens_again_where_facts_follow(cast: Cast) -> None:
    breach = _closed(cast)
    later = NOON + timedelta(days=40)

    with _as(cast.alice) as by:
        breaches.reopen_breach(breach=breach, reason="The file was found on a forum", by=by, at=later)
        found = selectors.find(breach.pk)
        assert found is not None
        assert (found.state, found.closed_at, found.closed_by, found.aware_at) == (
            BreachState.OPEN, None, None, NOON,
        )  # fmt: skip
        first, further = BreachNotice.objects.order_by("phase")
        assert (first.state, first.due_at) == (NoticeState.SENT, NOON + timedelta(hours=72)), "kept as it was"
        assert (further.phase, further.state, further.due_at) == (2, NoticeState.DUE, None)
        event = Event.objects.get(action="breach.reopened")
        assert event.subject_id == str(breach.pk)
        assert b"forum" not in str(event.details).encode(), "the reason is sealed, not in the event"
        (noted,) = selectors.notes(found)
        assert "forum" in words.open_words(noted, "words", key=words.find_key(found))
        assert Item.objects.open().get(kind=kinds.BREACH_NOTICE).count == 1
        with pytest.raises(breaches.NotOpenError):
            breaches.reopen_breach(breach=breach, reason="Once more", by=by, at=later)
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=found, lessons="L", by=by, at=later)


def test_what_new_facts_call_for_first_is_due_from_the_old_awareness(cast: Cast) -> None:
    """And what is open already is not opened twice."""
    breach = _assess(cast, _report(cast), places=("DE",), risk=BreachRisk.UNLIKELY)
    later = NOON + timedelta(days=40)
    with _as(cast.alice) as by:
        assert not BreachNotice.objects.exists()
        breaches.close_breach(breach=breach, lessons="L", by=by, at=NOON + timedelta(hours=3))
        breaches.reopen_breach(breach=breach, reason="The file was found on a forum", by=by, at=later)
        assert not Item.objects.open().exists(), "no notification was sent, so no update is pending"
        found = selectors.find(breach.pk)
        assert found is not None
        breaches.assess_breach(breach=found, assessment=replace(SAID, places=("DE",)), by=by, at=later)
        (first,) = BreachNotice.objects.filter(to=NoticeTo.AUTHORITY)
        assert (first.phase, first.due_at) == (1, NOON + timedelta(hours=72))
        assert [line.is_late for line in selectors.notices(found, at=later) if line.row == first] == [True]


def test_a_next_notice_that_waits_takes_up_what_is_assessed_after_reopening(cast: Cast) -> None:
    breach = _closed(cast)
    later = NOON + timedelta(days=40)
    with _as(cast.alice) as by:
        breaches.reopen_breach(breach=breach, reason="The file was found on a forum", by=by, at=later)
        found = selectors.find(breach.pk)
        assert found is not None
        breaches.assess_breach(
            breach=found, assessment=replace(SAID, places=("DE",), people=90), by=by, at=later
        )
        assert BreachNotice.objects.filter(state=NoticeState.DUE, phase=2).count() == 1
        notice = BreachNotice.objects.get(phase=2)
        breaches.send_notice(notice=notice, text="More", by=by, at=later)
        breaches.close_breach(breach=found, lessons="L", by=by, at=later)
        found.refresh_from_db()
        assert (found.state, found.closed_at) == (BreachState.CLOSED, later)


def test_who_manages_opens_it_again_on_its_page_and_nobody_else(cast: Cast) -> None:
    breach = _closed(cast)
    where = f"/programme/breaches/{breach.pk}/reopen/"
    reason = {"reason": "The file was found on a forum"}
    assert browser_of(cast.bob.user).post(where, reason).status_code == 403
    assert browser_of(cast.mallory.user).post(where, reason).status_code in {403, 404}
    browser = browser_of(cast.carol.user)
    assert where in browser.get(f"/programme/breaches/{breach.pk}/").content.decode()
    assert browser.post(where, {"reason": "short"}).status_code == 200
    answer = browser.post(where, reason)
    assert answer.headers["Location"] == f"/programme/breaches/{breach.pk}/assess/"
    with job_scope(agency_id=cast.acme.pk):
        assert Breach.objects.get().state == BreachState.OPEN
        BreachNotice.objects.filter(state=NoticeState.DUE).update(state=NoticeState.NOT_NEEDED)
    page = browser.get(f"/programme/breaches/{breach.pk}/close/").content.decode()
    assert "Check the address" in page, "what was learned before is not lost"


def test_a_report_that_was_none_stays_in_the_register(cast: Cast) -> None:
    breach = _report(cast)

    with _as(cast.alice) as by:
        breaches.dismiss_breach(
            breach=breach, reason="The file was empty, without any people", by=by, at=NOON
        )
        assert [row.state for row in selectors.register()] == [BreachState.DISMISSED]
        with pytest.raises(breaches.NotOpenError):
            breaches.assess_breach(breach=breach, assessment=SAID, by=by, at=NOON)


def test_what_turns_out_to_be_none_is_dismissed_with_one_reason_and_opened_again(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("US-CA", "DE"))
    with _as(cast.alice) as by:
        breaches.dismiss_breach(breach=breach, reason="The file was empty", by=by, at=NOON)
        assert {row.state for row in BreachNotice.objects.all()} == {NoticeState.NOT_NEEDED}
        assert not Item.objects.open().exists()
        event = Event.objects.get(action="breach.dismissed")
        assert event.details["notices"] == 2
        row = BreachNotice.objects.get(rule="us-ca")
        assert words.open_words(row, "why", key=words.find_key(breach)) == "The file was empty"
    browser = browser_of(cast.carol.user)
    where = f"/programme/breaches/{breach.pk}/reopen/"
    assert where in browser.get(f"/programme/breaches/{breach.pk}/").content.decode()
    browser.post(where, {"reason": "It was not empty after all"})
    with _as(cast.alice) as by:
        breach.refresh_from_db()
        assert (breach.state, breach.closed_at) == (BreachState.OPEN, None)
        assert {row.state for row in BreachNotice.objects.all()} == {NoticeState.DUE}
        assert Item.objects.open().get(kind=kinds.BREACH_NOTICE).count == 2
        _send(BreachNotice.objects.get(rule="gdpr-33"), by, 2)
        with pytest.raises(breaches.ToldError):
            breaches.dismiss_breach(breach=breach, reason="The file was empty", by=by, at=NOON)


def test_a_report_that_was_dismissed_waits_again_once_it_is_opened(cast: Cast) -> None:
    breach = _report(cast)
    with _as(cast.alice) as by:
        breaches.dismiss_breach(breach=breach, reason="The file was empty", by=by, at=NOON)
        breaches.reopen_breach(breach=breach, reason="It was not", by=by, at=NOON + timedelta(hours=1))
        assert breach.state == BreachState.REPORTED
        assert Item.objects.open().get().kind == kinds.BREACH_REPORTED
        assert Event.objects.get(action="breach.reopened").details["was"] == "dismissed"
    assert _assess(cast, breach).state == BreachState.OPEN


def test_a_drill_that_is_none_counts_and_what_was_sent_is_due(cast: Cast) -> None:
    breach = _assess(cast, _report(cast, is_drill=True), places=("DE",))
    with _as(cast.alice) as by:
        _send(BreachNotice.objects.get(), by, 2, more_on=NEXT_WEEK)
        _send(BreachNotice.objects.get(phase=2), by, 3, more_on=NEXT_WEEK)
        breaches.leave_notice(notice=BreachNotice.objects.get(phase=3), why="No more", by=by, at=NOON)
    where = f"/programme/breaches/{breach.pk}/real/"
    assert browser_of(cast.bob.user).post(where, {"reason": "It did happen, it was real"}).status_code == 403
    browser = browser_of(cast.carol.user)
    assert where in browser.get(f"/programme/breaches/{breach.pk}/").content.decode()
    browser.post(where, {"reason": "It did happen, it was real"})
    with _as(cast.alice) as by:
        breach.refresh_from_db()
        assert not breach.is_drill
        row = BreachNotice.objects.get()
        assert (row.phase, row.state, row.due_at) == (1, NoticeState.DUE, NOON + timedelta(hours=72))
        assert Event.objects.filter(action="breach.made_real").count() == 1
        with pytest.raises(breaches.NotOpenError):
            breaches.make_real(breach=breach, reason="Once more", by=by, at=NOON)
        _send(row, by, 5, more_on=NEXT_WEEK)
        assert BreachNotice.objects.filter(phase=2, state=NoticeState.DUE).exists()


def test_what_a_drill_settled_and_alarmed_counts_for_nothing_once_it_is_none(cast: Cast) -> None:
    def look(hours: int) -> int:
        return breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    breach = _assess(cast, _report(cast, is_drill=True), places=("DE",))
    assert (look(49), look(73), look(74)) == (1, 1, 0)
    with _as(cast.alice) as by:
        breaches.leave_notice(
            notice=BreachNotice.objects.get(), why="It is a drill, without recipients", by=by, at=NOON
        )
        breaches.make_real(breach=breach, reason="It did happen", by=by, at=NOON + timedelta(hours=74))
        assert BreachNotice.objects.get().state == NoticeState.DUE
        with pytest.raises(breaches.NoticesOpenError):
            breaches.close_breach(breach=breach, lessons="None", by=by, at=NOON)
        written = words.open_words(selectors.notes(breach)[0], "words", key=words.find_key(breach))
        assert "It is a drill, without recipients" in written
    told = Notification.objects.filter(at=NOON + timedelta(hours=74))
    with job_scope(agency_id=cast.acme.pk):
        assert set(told.values_list("user_id", "kind")) == {
            (who.user_id, kinds.BREACH_NOTICE) for who in (cast.alice, cast.carol)
        }
    assert (look(75), look(76)) == (1, 0)


def test_a_report_that_is_no_drill_any_more_is_told_of_anew(cast: Cast) -> None:
    breach = _report(cast, is_drill=True)
    for hours in (24, 48, 72):
        breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))
    later = NOON + timedelta(hours=74)
    with _as(cast.alice) as by:
        breaches.make_real(breach=breach, reason="It did happen", by=by, at=later)
    with job_scope(agency_id=cast.acme.pk):
        assert Notification.objects.filter(kind=kinds.BREACH_REPORTED, at=later).count() == 2
    assert breaches.watch_clocks(agency_id=cast.acme.pk, at=later + timedelta(hours=1)) == 1


def test_a_reason_is_shown_again_only_where_facts_have_changed(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",))
    row, shown = _row(cast), "The facts have changed since"
    where, browser = f"/programme/breaches/{breach.pk}/notices/{row.pk}/", browser_of(cast.alice.user)
    with _as(cast.alice) as by:
        breaches.leave_notice(notice=row, why="Wrong click here", by=by, at=NOON)
        breaches.take_back_notice(notice=row, reason="It was a wrong click", by=by, at=NOON)
    assert shown not in browser.get(where).content.decode()
    with _as(cast.alice) as by:
        breaches.dismiss_breach(breach=breach, reason="The file was empty", by=by, at=NOON)
        breaches.reopen_breach(breach=breach, reason="It was not", by=by, at=NOON)
    assert shown not in browser.get(where).content.decode()
    assert browser.get(f"{where}leave/").context["form"].initial["reason"] == ""
    with _as(cast.alice) as by:
        breaches.leave_notice(notice=row, why="No one is affected", by=by, at=NOON)
    _assess(cast, breach, places=("DE",), people=9_000)
    assert shown in browser.get(where).content.decode()
    with _as(cast.alice) as by:
        _send(row, by, 2)
        breaches.take_back_notice(notice=row, reason="It never went out", by=by, at=NOON)
    assert shown not in browser.get(where).content.decode()


def _row(cast: Cast) -> BreachNotice:
    with _as(cast.alice):
        return BreachNotice.objects.get()


def test_a_notice_that_no_rule_calls_for_is_gone_when_it_is_taken_back(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",), risk=BreachRisk.HIGH)
    with _as(cast.alice) as by:
        row = BreachNotice.objects.get(rule="gdpr-34")
        _send(row, by, 2)
    _assess(cast, breach, places=("DE",), risk=BreachRisk.RISK)

    back = f"/programme/breaches/{breach.pk}/notices/{row.pk}/back/"
    page = browser_of(cast.alice.user).post(back, {"reason": "It never went out at all"}, follow=True)

    assert "no longer required and was removed" in page.content.decode()


def test_drafts_begin_from_the_officers_words(cast: Cast) -> None:
    clients = (cast.dentist.pk, cast.plumber.pk)
    breach = _report(cast, text="Bob of the dentist lost it")
    browser = browser_of(cast.alice.user)
    page = browser.get(f"/programme/breaches/{breach.pk}/assess/")
    assert page.context["form"].initial["account"] == "Bob of the dentist lost it"
    breach = _assess(cast, breach, client_ids=clients, account="A file was lost")
    with _as(cast.alice):
        assert b"A file was lost" not in bytes(breach.account or b"")
        told = BreachNotice.objects.filter(to=NoticeTo.CLIENT)
        assert told.count() == 2
        where = f"/programme/breaches/{breach.pk}/notices/{told[0].pk}/"
    draft = browser.get(where).context["form"].initial["text"]
    assert "A file was lost" in draft
    assert "Bob" not in draft
    assert "Name only this client's people" in draft
    shown = browser.get(f"/programme/breaches/{breach.pk}/").content.decode()
    assert "Original report" in shown
    assert "Bob of the dentist lost it" in shown


def test_notes_are_shown_a_page_at_a_time(cast: Cast) -> None:
    breach = _report(cast)
    with _as(cast.alice) as by:
        for number in range(27):
            at = NOON + timedelta(minutes=number)
            breaches.note(breach=breach, text=f"Note {number:02}.", by=by, at=at)
    browser = browser_of(cast.alice.user)
    where = f"/programme/breaches/{breach.pk}/"
    first, second = browser.get(where), browser.get(where, {"notes": "2"})
    assert [note["text"] for note in second.context["notes"]] == ["Note 01.", "Note 00."]
    assert len(first.context["notes"]) == 25
    assert "notes=2" in first.content.decode()


def test_a_clock_is_told_of_once_before_it_ends_and_once_after(cast: Cast) -> None:
    _assess(cast, _report(cast), places=("DE",))

    def look(hours: int) -> int:
        return breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    assert [look(47), look(49), look(50), look(73), look(74)] == [0, 1, 0, 1, 0]


def test_a_report_that_nobody_looks_at_is_told_of_each_day_and_the_queue_does_not_close_it(
    cast: Cast,
) -> None:
    breach = _report(cast)
    with _as(cast.alice) as by:
        item = Item.objects.open().get(kind=kinds.BREACH_REPORTED)
        assert work.decide_items(item_ids=[item.pk], by=by, at=NOON).by_step == 1

    def look(hours: int) -> int:
        return breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    assert [look(hours) for hours in (1, 24, 25, 48, 72, 96, 120)] == [0, 1, 0, 1, 1, 0, 0]
    with job_scope(agency_id=cast.acme.pk):
        told = Notification.objects.filter(kind=kinds.BREACH_REPORTED)
        assert {row.user_id for row in told} == {cast.alice.user_id, cast.carol.user_id}
        assert told.count() == 2 * 4, "at once, and on three days"
        Item.objects.filter(pk=item.pk).update(state=ItemState.DONE, closed_at=NOON)
    assert look(121) == 1, "an item that was closed before waits again"
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.BREACH_REPORTED).key == str(breach.pk)
    _assess(cast, breach)
    assert look(2) == 0


def test_a_date_that_was_corrected_is_told_of_anew(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE",), aware_at=NOON - timedelta(days=5))

    def look(hours: int) -> int:
        return breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    assert [look(2), look(3)] == [1, 0], "late by what was typed"
    _assess(cast, breach, places=("DE",), aware_at=NOON)
    assert [look(47), look(49), look(71), look(73), look(100)] == [0, 1, 0, 1, 0]


def test_a_rule_that_came_after_somebody_assessed_a_breach_is_told_of_all_the_same(cast: Cast) -> None:
    breach = _assess(cast, _report(cast), places=("DE", "US-CA"))
    with job_scope(agency_id=cast.acme.pk):
        BreachNotice.objects.filter(rule="us-ca").delete()
        Item.objects.filter(kind=kinds.BREACH_NOTICE).update(count=1)

    breaches.watch_clocks(agency_id=cast.acme.pk, at=NOON + timedelta(hours=2))

    with _as(cast.alice):
        assert set(BreachNotice.objects.filter(breach=breach).values_list("rule", flat=True)) == {
            "gdpr-33", "us-ca",
        }  # fmt: skip
        assert Item.objects.open().get(kind=kinds.BREACH_NOTICE).count == 2


# --- What was touched ---------------------------------------------------------------------------------------------


def _reveal(cast: Cast, call: Call, hours: int) -> None:
    with _as(cast.bob) as by:
        reveals.reveal_number(
            call=call,
            agency=cast.acme,
            reason_kind=RevealReason.CALL_BACK,
            reason="The caller asked to be rung back",
            by=by,
            at=NOON + timedelta(hours=hours),
        )


def test_what_a_person_touched_is_what_a_plain_count_of_the_trail_says(cast: Cast) -> None:
    first = make.call(cast.dentist, "+12025550111")
    again = make.call(cast.dentist, "+12025550111", at=NOON - timedelta(days=2))
    other = make.call(cast.dentist, "+12025550122")
    for hours, call in enumerate([first, again, other, first]):
        _reveal(cast, call, hours)
    with _as(cast.alice) as by:
        audit.record("export.downloaded", by=by, at=NOON, client_id=cast.dentist.pk, rows=40)

    with _as(cast.alice):
        found = impact.of_deeds(user_id=cast.bob.user_id, since=NOON, until=NOON + timedelta(hours=4))
        everybody = impact.of_deeds(since=NOON, until=NOON + timedelta(hours=4))
        events = Event.objects.filter(actor_user_id=cast.bob.user_id, action="number.revealed")
        callers = {
            Call.objects.get(pk=uuid.UUID(event.subject_id)).caller_id for event in events
        }  # brute force
        short = impact.of_deeds(since=NOON, until=NOON + timedelta(hours=1))
    assert (found.people, found.client_ids, found.categories) == (
        len(callers), [cast.dentist.pk], [DataCategory.NUMBERS],
    )  # fmt: skip
    assert found.lines[0].deeds == events.count() == 4
    assert (everybody.rows, everybody.people) == (40, 2)
    assert short.people == 1


def _deed(action: str, call: Call, by: Actor, n: int) -> Event:
    """
    An event as its service writes it: of a call, of a caller, of a file, of a number shown for something else, or of
    what names nobody.
    """
    said: dict[str, Any] = {"by": by, "at": NOON + timedelta(minutes=n), "client_id": call.client_id}
    if action.endswith((".downloaded", ".taken")):
        return audit.record(action, rows=n, **said)
    if action in {"number.searched", "reply.read", "proof.opened"}:
        return audit.record(action, **said)
    if action == "evidence.exported" and call.caller_id is not None:
        return audit.record(action, subject=Caller(pk=call.caller_id, client_id=call.client_id), **said)
    if action == "number.revealed" and n % 2 and call.caller_id is not None:
        event = audit.record(action, subject=call.client, **said)
        Reveal.objects.create(
            agency_id=event.agency_id, client_id=call.client_id, caller_id=call.caller_id,
            user_id=by.user_id or make.person(call.client.agency, f"p{n}", Role.REVIEWER).user_id,
            reason_kind=RevealReason.REQUEST, reason_digest=b"d" * 32, is_repeat=False, event_id=event.pk, at=event.at,
        )  # fmt: skip
        return event
    return audit.record(action, subject=call, **said)


@pytest.mark.thorough
def test_what_was_touched_is_what_looking_at_every_event_says(cast: Cast) -> None:
    """Several people, clients, kinds of deeds, withheld and erased callers, against a count without the database."""
    chance = random.Random(7)
    numbers = [f"+1202555{n:04}" for n in range(100, 106)]
    calls = [
        make.call(of, chance.choice([*numbers, None]), at=NOON - timedelta(hours=n))
        for n, of in enumerate([cast.dentist, cast.plumber] * 12)
    ]
    makers = [Actor.staff(user_id=who.user_id) for who in (cast.bob, cast.alice)]
    makers.append(Actor.client(f"api:{uuid.UUID(int=5)}"))
    actions = [*impact.READS, "number.revealed", "evidence.exported", "item.closed"]
    with job_scope(agency_id=cast.acme.pk):
        for n in range(240):
            _deed(chance.choice(actions), chance.choice(calls), chance.choice(makers), n)
        Call.objects.filter(pk__in=[calls[0].pk, calls[5].pk]).remove()
        erased = next(call.caller_id for call in calls[6:] if call.caller_id)
        Call.objects.filter(caller_id=erased).remove()
        Caller.objects.filter(pk=erased).remove()
        events = list(Event.objects.all())
        left = {call.pk: call.caller_id for call in Call.objects.all()}
        there = set(Caller.objects.values_list("pk", flat=True))
        shown = {row.event_id: row.caller_id for row in Reveal.objects.filter(call=None)}

    def about(event: Event) -> tuple[str, uuid.UUID | None]:
        """What an event names, and the person behind it that there still is."""
        if event.subject_kind == "calls.call":
            return event.subject_id, left.get(uuid.UUID(event.subject_id))
        named = uuid.UUID(event.subject_id) if event.subject_kind == "calls.caller" else shown.get(event.pk)
        return str(named or ""), named if named in there else None

    def callers(rows: list[Event]) -> tuple[set[object], set[str]]:
        named = dict(about(row) for row in rows)
        return {one for one in named.values() if one}, {pk for pk, one in named.items() if pk and not one}

    since, until = NOON + timedelta(minutes=10), NOON + timedelta(minutes=220)
    for asked in ({}, {"user_id": cast.bob.user_id}, {"api_key": uuid.UUID(int=5)}):
        lines: dict[tuple[int | None, str], list[Event]] = {}
        for event in events:
            if event.action not in impact.READS or not since <= event.at < until:
                continue
            if "user_id" in asked and event.actor_user_id != asked["user_id"]:
                continue
            if "api_key" in asked and event.actor_name != f"api:{asked['api_key']}":
                continue
            lines.setdefault((event.client_id, event.action), []).append(event)

        with _as(cast.carol):
            found = impact.of_deeds(since=since, until=until, **asked)
        assert {
            (line.client_id, line.action): (line.deeds, line.people, line.gone, line.rows) for line in found.lines
        } == {
            key: (
                len(rows), len(callers(rows)[0]), len(callers(rows)[1]),
                sum(row.details.get("rows", 0) for row in rows),
            )
            for key, rows in lines.items()
        }  # fmt: skip
        assert found.people == len(callers([row for rows in lines.values() for row in rows])[0])
        taken = {line.action for line in found.lines if line.rows}
        assert {"release.downloaded", "export.downloaded"} <= taken
        assert any(line.people for line in found.lines if line.action == "evidence.exported")


def test_whose_number_was_shown_for_something_that_is_no_call_is_counted(cast: Cast) -> None:
    call = make.call(cast.dentist, "+12025550111")
    assert call.caller_id is not None
    with _as(cast.bob) as by:
        reveals.reveal_number_for(
            subject=cast.dentist, client_id=cast.dentist.pk, caller_id=call.caller_id, read=lambda: "+12025550111",
            agency=cast.acme, reason_kind=RevealReason.REQUEST, reason="To name it to the recipient", by=by, at=NOON,
        )  # fmt: skip

    with _as(cast.alice):
        found = impact.of_deeds(user_id=cast.bob.user_id, since=NOON, until=NOON + timedelta(hours=1))
    assert (found.people, found.client_ids) == (1, [cast.dentist.pk])


def test_who_was_touched_is_listed_for_who_is_granted_the_clients_calls(cast: Cast) -> None:
    calls = [make.call(cast.dentist, f"+1202555011{n}") for n in range(3)]
    elsewhere = make.call(cast.plumber, "+12025550119")
    with _as(cast.bob) as by:
        for n, call in enumerate([*calls, calls[0], elsewhere]):
            _deed("recording.played", call, by, n)
        _deed("number.revealed", calls[1], by, 7)  # for something that is no call: its reveal knows whose
        _deed("evidence.exported", calls[2], by, 8)
    since, until = NOON, NOON + timedelta(hours=1)
    asked: dict[str, Any] = {"since": since, "until": until, "user_id": cast.bob.user_id}

    with _as(cast.alice):
        found = impact.callers_of_deeds(cast.dentist, size=9, **asked)
        first = impact.callers_of_deeds(cast.dentist, size=2, **asked)
        rest = impact.callers_of_deeds(cast.dentist, size=9, after=first[-1].caller_id, **asked)
        counted = impact.of_deeds(**asked)
    assert {row.caller_id: row.deeds for row in found} == {call.caller_id: 2 for call in calls}
    assert [*first, *rest] == found
    seen = next(row for row in found if row.caller_id == calls[0].caller_id)
    assert (seen.first_at, seen.last_at) == (NOON, NOON + timedelta(minutes=3))
    assert counted.people == 4, "the counts are of every client"
    with _as(cast.carol):
        assert impact.of_deeds(**asked).people == 4
        assert impact.callers_of_deeds(cast.dentist, size=9, **asked) == [], "no grant, no row"


def test_the_page_of_who_was_touched_shows_masks_alone(cast: Cast) -> None:
    call = make.call(cast.dentist, "+12025550111")
    with _as(cast.bob) as by:
        _deed("recording.played", call, by, 1)
    asked = f"?who=person:{cast.bob.user_id}&since={TODAY}T00:00&until={TODAY + timedelta(days=1)}T00:00"
    alice = browser_of(cast.alice.user)

    overview = alice.get(f"/programme/breaches/impact/{asked}").content.decode()
    page = alice.get(f"/clients/dentist/touched/{asked}").content.decode()

    assert "Recording played" in overview
    assert "/clients/dentist/touched/?who=person" in overview
    assert "+1 ••• ••• 0111" in page
    assert "5550111" not in page
    assert browser_of(cast.carol.user).get(f"/clients/dentist/touched/{asked}").status_code in {403, 404}
    assert (
        "no access to its calls"
        in browser_of(cast.carol.user).get(f"/programme/breaches/impact/{asked}").content.decode()
    )
    assert browser_of(cast.bob.user).get(f"/clients/dentist/touched/{asked}").status_code == 403
    assert alice.get("/clients/dentist/touched/").status_code == 302


def test_each_deed_that_shows_something_has_words() -> None:
    assert set(impact.WORDS) == set(impact.READS)


def test_a_call_that_is_gone_is_counted_as_gone(cast: Cast) -> None:
    call = make.call(cast.dentist, "+12025550111")
    _reveal(cast, call, 0)
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=call.pk).remove()

    with _as(cast.alice):
        found = impact.of_deeds(since=NOON, until=NOON + timedelta(hours=1))
    assert (found.lines[0].deeds, found.lines[0].people, found.lines[0].gone) == (1, 0, 1)


def test_what_a_connection_brought_in(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        way: Connection = connections.create_connection(
            client=cast.dentist, provider="callrail", name="Way", secret="s" * 32, by=make.JOB, at=NOON
        )
    for days, number in ((1, "+12025550111"), (2, "+12025550111"), (3, "+12025550122"), (40, "+12025550133")):
        make.call(cast.dentist, number, at=NOON - timedelta(days=days), connection=way)
    make.call(cast.dentist, "+12025550144")

    with _as(cast.alice):
        found = impact.of_connection(connection_id=way.pk, since=NOON - timedelta(days=30), until=NOON)
        who = impact.callers_of_connection(
            cast.dentist, connection_id=way.pk, since=NOON - timedelta(days=30), until=NOON, size=9
        )
    assert (found.people, [(line.category, line.deeds) for line in found.lines]) == (
        2, [(DataCategory.CALLS, 3), (DataCategory.NUMBERS, 2)],
    )  # fmt: skip
    assert sorted((row.deeds, row.first_at, row.last_at) for row in who) == [
        (1, NOON - timedelta(days=3), NOON - timedelta(days=3)),
        (2, NOON - timedelta(days=2), NOON - timedelta(days=1)),
    ]


def test_another_agency_counts_nothing(cast: Cast) -> None:
    _reveal(cast, make.call(cast.dentist, "+12025550111"), 0)

    with _as(cast.mallory):
        found = impact.of_deeds(since=NOON, until=NOON + timedelta(hours=1))
    assert (found.lines, found.people) == ([], 0)
