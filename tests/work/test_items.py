"""Opening, handing over and closing what waits: who is told, who may get it, and what the trail says."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import User
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import kinds, selectors
from callprivacy.work import services as work
from callprivacy.work.enums import ItemState
from callprivacy.work.kinds import Kind
from callprivacy.work.models import Item, Notification, Period
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.work import waiting

NOON = make.NOON


def _open(cast: Cast, kind: str = waiting.EVENTS, **fields: Any) -> bool:
    wanted: dict[str, Any] = {"client_id": cast.dentist.pk, "key": "k", "at": NOON} | fields
    with job_scope(agency_id=cast.acme.pk):
        return work.open_item(kind, agency_id=cast.acme.pk, **wanted)


# --- Opening ------------------------------------------------------------------------------------------------


def test_a_new_item_of_a_client_rings_for_who_may_act_on_it(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    waiting.manager(cast, "erin", cast.plumber)

    assert _open(cast) is True

    rows = waiting.told(cast.acme)
    assert {row.user_id for row in rows} == {cast.alice.user_id, dave.user_id}
    assert {(row.kind, row.key, row.client_id, row.at, row.mail_due_at) for row in rows} == {
        (waiting.EVENTS, "k", cast.dentist.pk, NOON, NOON)
    }
    assert waiting.told(cast.globex) == []


def test_a_new_item_of_the_agency_rings_for_whose_role_has_the_right(cast: Cast) -> None:
    waiting.of_agency(cast.acme)

    assert [row.user_id for row in waiting.told(cast.acme)] == [cast.alice.user_id]


@pytest.mark.thorough
def test_every_kind_that_is_opened_rings(cast: Cast) -> None:
    for kind in kinds.every():
        if kind.is_own:
            continue
        client_id = cast.dentist.pk if kind.permission else None
        assert _open(cast, kind.name, client_id=client_id) is True
        told = {row.user_id for row in waiting.told(cast.acme, kind=kind.name)}
        with job_scope(agency_id=cast.acme.pk):
            concerned = selectors.people_for(kind, agency_id=cast.acme.pk, client_id=client_id, at=NOON)
        assert told == set(concerned), kind.name
        assert cast.alice.user_id in told, kind.name
    assert {"inbox_rejected", "go_live", "vendor_deletion", "reveal_limit", "reveal_sample"} <= {
        kind.name for kind in kinds.every()
    }


def test_renewing_an_item_renews_its_figures_and_rings_no_second_time(cast: Cast) -> None:
    due = NOON + timedelta(days=2)
    assert _open(cast, count=1) is True

    assert _open(cast, count=7, due_at=due, at=NOON + timedelta(hours=1)) is False

    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.get()
    assert (item.count, item.due_at, item.opened_at) == (7, due, NOON)
    assert len(waiting.told(cast.acme)) == 1


def test_what_was_closed_and_comes_again_rings_again(cast: Cast) -> None:
    _open(cast)
    with job_scope(agency_id=cast.acme.pk):
        work.close_item(waiting.EVENTS, agency_id=cast.acme.pk, key="k", at=NOON, by=make.JOB)

    assert _open(cast, at=NOON + timedelta(hours=1)) is True

    assert len(waiting.told(cast.acme)) == 2


def test_a_clients_one_item_is_renewed_while_any_wait_and_closed_when_none_does(cast: Cast) -> None:
    def renew(count: int) -> list[int | None]:
        with job_scope(agency_id=cast.acme.pk):
            work.renew_item(
                waiting.EVENTS,
                agency_id=cast.acme.pk,
                client_id=cast.dentist.pk,
                count=count,
                by=make.JOB,
                at=NOON,
            )
            return list(Item.objects.open().values_list("count", flat=True))

    assert [renew(count) for count in (0, 2, 3, 0)] == [[], [2], [3], []]
    assert len(waiting.told(cast.acme, key=str(cast.dentist.pk))) == 1


def test_the_same_key_in_another_agency_is_another_item(cast: Cast) -> None:
    waiting.of_agency(cast.acme)
    waiting.of_agency(cast.globex)

    assert [row.user_id for row in waiting.told(cast.globex)] == [cast.mallory.user_id]


def test_nobody_suspended_or_inactive_or_past_the_grant_is_told(cast: Cast) -> None:
    dave, erin, frank = (waiting.manager(cast, name, cast.dentist) for name in ("dave", "erin", "frank"))
    waiting.suspend(dave)
    User.objects.filter(pk=erin.user_id).update(is_active=False)
    make.grant(frank, cast.dentist, ends_at=NOON)

    _open(cast)

    assert [row.user_id for row in waiting.told(cast.acme)] == [cast.alice.user_id]


def test_opening_asks_no_more_for_more_people(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as few:
        _open(cast, key="few")
    for number in range(8):
        waiting.manager(cast, f"p{number}", cast.dentist)
    with CaptureQueriesContext(connection) as many:
        _open(cast, key="many")

    assert len(waiting.told(cast.acme, key="many")) == 9
    assert len(many) == len(few)


def test_an_unknown_kind_opens_nothing(cast: Cast) -> None:
    with pytest.raises(kinds.UnknownKindError):
        _open(cast, "no_such_kind")


def test_a_kind_says_who_it_is_for() -> None:
    with pytest.raises(ValueError, match="a permission or a right"):
        Kind("odd", title="Odd", step="Look", url_name="work:queue")


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_two_at_once_open_one_item_and_ring_once() -> None:
    cast = assemble()
    opened = _at_once(lambda: _open(cast))

    assert sorted(opened) == [False, False, False, True]
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.filter(key="k").count() == 1
    assert len(waiting.told(cast.acme, key="k")) == 1


# --- Claiming a period --------------------------------------------------------------------------------------


def _claim(cast: Cast, period: str = "2026-11-24", *, job: str = "job", globex: bool = False) -> bool:
    agency = cast.globex if globex else cast.acme
    with job_scope(agency_id=agency.pk):
        return work.claim_period(agency_id=agency.pk, job=job, period=period, at=NOON)


def test_a_period_is_claimed_once_a_job_and_agency(cast: Cast) -> None:
    assert _claim(cast) is True
    assert _claim(cast) is False
    assert _claim(cast, "2026-11-25") is True
    assert _claim(cast, job="other") is True
    assert _claim(cast, globex=True) is True


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_and_at_the_same_instant_one_claims() -> None:
    cast = assemble()

    assert sorted(_at_once(lambda: _claim(cast))) == [False, False, False, True]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_fails_gives_its_claim_back() -> None:
    cast = assemble()

    def fail() -> None:
        with job_scope(agency_id=cast.acme.pk):
            assert work.claim_period(agency_id=cast.acme.pk, job="job", period="p", at=NOON)
            raise LookupError("the run failed")

    with pytest.raises(LookupError, match="the run failed"):
        fail()
    assert _claim(cast, "p") is True


def _at_once(deed: Any) -> list[bool]:
    gate, results = threading.Barrier(4), []

    def run() -> None:
        try:
            gate.wait()
            results.append(deed())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- Handing over -------------------------------------------------------------------------------------------


def test_who_may_act_gets_the_item_and_is_told(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist)
    waiting.forget_all(cast.acme)

    answer = waiting.do(cast.alice, "assign", item, owner=dave.user_id)

    assert waiting.said(answer) == ["Assigned to Dave: 1."]
    assert waiting.again(item).owner_id == dave.user_id
    [row] = waiting.told(cast.acme)
    assert (row.user_id, row.client_id, row.mail_due_at) == (dave.user_id, cast.dentist.pk, row.at)
    assert row.words == f"Assigned to you: {waiting.EVENTS_TITLE}"
    with job_scope(agency_id=cast.acme.pk):
        [event] = Event.objects.filter(action="item.assigned")
    assert (event.subject_id, event.details["person"]) == (str(item.pk), dave.user_id)


def test_who_may_not_act_gets_nothing_and_the_page_says_why(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    mine, other = waiting.of_client(cast.dentist), waiting.of_client(cast.plumber, "other")
    signed = waiting.of_agency(cast.acme)
    waiting.forget_all(cast.acme)

    answer = waiting.do(cast.alice, "assign", mine, other, signed, owner=dave.user_id)

    assert waiting.said(answer) == [
        "Assigned to Dave: 1.",
        (
            "Could not be assigned to Dave: 2. They did not change."
            " 1 of them: Dave has no grant on the client that covers this work."
            " 1 of them: the role of Dave in the agency does not cover this work."
        ),
    ]
    assert [waiting.again(item).owner_id for item in (mine, other, signed)] == [dave.user_id, None, None]
    assert [row.key for row in waiting.told(cast.acme)] == [f"handed:{mine.pk}"]
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="item.assigned").count() == 1


def test_a_grant_without_the_permission_is_not_enough(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist)

    answer = waiting.do(cast.alice, "assign", item, owner=cast.bob.user_id)

    assert len(waiting.said(answer)) == 1
    assert waiting.said(answer)[0].startswith("Could not be assigned to Bob: 1.")
    assert waiting.again(item).owner_id is None
    assert waiting.told(cast.acme, user_id=cast.bob.user_id) == []


@pytest.mark.parametrize("who", ["suspended", "inactive", "stranger"])
def test_nothing_is_handed_to_who_is_no_active_member(cast: Cast, who: str) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist)
    if who == "suspended":
        waiting.suspend(dave)
    if who == "inactive":
        User.objects.filter(pk=dave.user_id).update(is_active=False)
    owner = cast.mallory if who == "stranger" else dave
    waiting.forget_all(cast.acme)

    with job_scope(agency_id=cast.acme.pk):
        handed = work.assign_items(
            agency_id=cast.acme.pk, item_ids=[item.pk], owner_id=owner.user_id, by=make.JOB, at=NOON
        )
    waiting.do(cast.alice, "assign", item, owner=owner.user_id)

    assert (handed.handed, handed.left) == (0, 1)
    assert waiting.again(item).owner_id is None
    assert waiting.told(cast.acme) == []


def test_who_takes_an_item_or_has_it_already_is_not_told(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    item = waiting.of_client(cast.dentist)
    waiting.forget_all(cast.acme)

    waiting.do(cast.alice, "assign", item, owner=cast.alice.user_id)
    assert waiting.told(cast.acme) == []
    waiting.do(cast.alice, "assign", item, owner=dave.user_id)
    waiting.do(cast.alice, "assign", item, owner=dave.user_id)
    assert len(waiting.told(cast.acme)) == 1


def test_an_item_goes_back_to_nobody(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist)
    waiting.do(cast.alice, "assign", item, owner=cast.alice.user_id)

    answer = waiting.do(cast.alice, "assign", item, owner="")

    assert waiting.said(answer) == ["Assigned to nobody: 1."]
    assert waiting.again(item).owner_id is None


def test_the_list_of_people_is_the_agency_s_active_ones(cast: Cast) -> None:
    waiting.suspend(waiting.manager(cast, "dave", cast.dentist))
    waiting.of_client(cast.dentist)
    owner = signed_in(cast.alice).get("/work/").context["table"]["bulk"][0]

    assert [label for _, label in owner.field.choices] == ["Nobody", "Alice", "Bob", "Carol"]


# --- Closing ------------------------------------------------------------------------------------------------


def test_closing_as_done_is_recorded_in_the_trail(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist)

    answer = waiting.do(cast.alice, "done", item)

    assert waiting.said(answer) == ["Closed: 1."]
    closed = waiting.again(item)
    assert (closed.state, closed.closed_by_id) == ("done", cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        [event] = Event.objects.filter(action="item.closed")
    assert (event.subject_id, event.client_id, event.actor_user_id) == (
        str(item.pk),
        cast.dentist.pk,
        cast.alice.user_id,
    )
    assert waiting.queue_of(cast.alice) == []


def test_closing_twice_closes_once(cast: Cast) -> None:
    item = waiting.of_client(cast.dentist)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        assert work.decide_items(item_ids=[item.pk], by=by, at=NOON).changed == 1
        assert work.decide_items(item_ids=[item.pk], by=by, at=NOON).changed == 0
        assert Event.objects.filter(action="item.closed").count() == 1


def test_what_is_about_oneself_is_left_to_somebody_else(cast: Cast) -> None:
    item = waiting.of_agency(cast.acme, f"person-{cast.alice.user_id}")
    olga = make.person(cast.acme, "olga", Role.OFFICER)

    for deed in ("done", "snooze"):
        answer = waiting.do(cast.alice, deed, item, days="1")
        assert waiting.said(answer) == [
            "1 of the selected items is about you. Another person must handle it."
        ]
    kept = waiting.again(item)
    assert (kept.state, kept.snoozed_until) == ("open", None)
    waiting.do(olga, "done", item)
    assert waiting.again(item).state == "done"


def test_an_only_officer_closes_what_is_about_them(cast: Cast) -> None:
    item = waiting.of_agency(cast.acme, f"person-{cast.alice.user_id}")
    waiting.do(cast.alice, "done", item)
    assert waiting.again(item).state == "done"


def test_a_sample_is_closed_on_its_page_alone(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        work.open_item("reveal_sample", agency_id=cast.acme.pk, key="2026-11-16", at=NOON)
        item = Item.objects.get(kind="reveal_sample")

    answer = waiting.do(cast.alice, "done", item)

    assert waiting.said(answer) == ["1 of the selected items closes only by its next step. Open it."]
    assert waiting.again(item).state == "open"


@pytest.mark.parametrize("fields", [{}, {"item": "no-id"}, {"deed": "burn"}])
def test_without_a_tick_or_a_deed_nothing_happens(cast: Cast, fields: dict[str, str]) -> None:
    item = waiting.of_client(cast.dentist)
    ticked = {"item": str(item.pk)} if "deed" in fields else {}

    answer = signed_in(cast.alice).post("/work/items/", {"deed": "done"} | ticked | fields, follow=True)

    assert waiting.said(answer) == ["Select at least one item and an action."]
    assert waiting.again(item).state == "open"


def test_role_of_admin_covers_no_sign_off(cast: Cast) -> None:
    erin = make.person(cast.acme, "erin", Role.ADMIN)
    item = waiting.of_agency(cast.acme)

    answer = waiting.do(cast.alice, "assign", item, owner=erin.user_id)

    assert "the role of Erin in the agency does not cover this work." in waiting.said(answer)[0]
    assert waiting.again(item).owner_id is None


# --- What leaves ---------------------------------------------------------------------------------------------------


def test_what_was_told_and_done_long_ago_goes_and_what_waits_stays(cast: Cast) -> None:
    day = timedelta(days=1)
    for age in (401, 399):
        _open(cast, key=f"done {age}", at=NOON - age * day)
        _open(cast, key=f"waits {age}", at=NOON - age * day)
        with job_scope(agency_id=cast.acme.pk):
            work.close_item(
                waiting.EVENTS, agency_id=cast.acme.pk, key=f"done {age}", at=NOON - age * day, by=make.JOB
            )
    with job_scope(agency_id=cast.acme.pk):
        work.remove_old(agency_id=cast.acme.pk, at=NOON)

        assert set(Item.objects.values_list("key", "state")) == {
            ("done 399", ItemState.DONE), ("waits 399", ItemState.OPEN), ("waits 401", ItemState.OPEN),
        }  # fmt: skip
        assert set(Notification.objects.values_list("at", flat=True)) == {NOON - 399 * day}


def test_claims_of_a_clock_go_sooner_than_those_of_a_thing_and_some_never(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for job, kept_for in (("clock", work.OF_A_CLOCK), ("thing", work.OF_A_THING), ("ever", None)):
            work.claim_period(agency_id=cast.acme.pk, job=job, period="p", at=NOON, kept_for=kept_for)

        left = []
        for days in (34, 36, 1_097):
            work.remove_old(agency_id=cast.acme.pk, at=NOON + timedelta(days=days))
            left.append(set(Period.objects.values_list("job", flat=True)))

    assert left == [{"clock", "thing", "ever"}, {"thing", "ever"}, {"ever"}]
