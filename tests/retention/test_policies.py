"""
How long things are kept: what holds, what a change does before it is saved, and that nobody shortens alone.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import people
from callprivacy.audit.models import Event, Reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client, Place
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item, Notification
from retention.enums import Category, ChangeState, Then
from retention.law import categories
from retention.models import Policy, PolicyChange
from retention.selectors import changes as selectors
from retention.selectors import policies as kept
from retention.selectors import preview
from retention.selectors.changes import Wish
from retention.services import policies
from retention.services.policies import ShownEffect
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

NOON = make.NOON
REASON = "The client asked for ninety days in its new contract."
ANNA, BEN = "+12125550101", "+12125550102"


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer of Acme, granted both clients."""
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    make.grant(erin, cast.plumber)
    return erin


def _fresh(of: Client) -> Client:
    return Client.objects.select_related("agency").get(pk=of.pk)


def _wish(of: Client | Agency, category: Category, days: int | None, then: Then = Then.ERASE) -> Wish:
    if isinstance(of, Agency):
        return Wish(Agency.objects.get(pk=of.pk), None, category, days, then)
    client = _fresh(of)
    return Wish(client.agency, client, category, days, then)


def _of(plan: selectors.Plan, effect: selectors.Effect) -> ShownEffect:
    return ShownEffect(effect.due_before, effect.due_after, effect.leaving, frozenset(plan.rule_ids))


def _shown(wish: Wish, proposer: Membership, at: Any = NOON) -> ShownEffect:
    seen = selectors.proposal(wish, proposer_id=proposer.user_id, at=at)
    return _of(seen.plan, seen.effect)


def _propose(
    of: Client | Agency, category: Category, days: int | None, *, by: Membership, at: Any = NOON, **more: Any
) -> PolicyChange:
    """Propose with the effect as it is now."""
    with staff_scope(agency_id=of.pk if isinstance(of, Agency) else of.agency_id, user_id=by.user_id):
        wish = _wish(of, category, days, **more)
        return policies.propose(wish=wish, shown=_shown(wish, by, at), reason=REASON, proposer=by, at=at)


def _approve(
    change: PolicyChange, *, by: Membership, at: Any = NOON, shown: ShownEffect | None = None
) -> None:
    with staff_scope(agency_id=by.agency_id, user_id=by.user_id):
        fresh = selectors.changes().get(pk=change.pk)
        plan = selectors.plan(selectors.wish_of(fresh))
        effect = selectors.effect(plan, at)
        policies.read_reason(change=fresh, by=Actor.staff(user_id=by.user_id), at=at)
        policies.approve(change=fresh, shown=shown or _of(plan, effect), officer=by, at=at)


def _effective(of: Client) -> dict[Category, kept.Effective]:
    with job_scope(agency_id=of.agency_id):
        return kept.all_effective(_fresh(of))


def _state(change: PolicyChange) -> str:
    with job_scope(agency_id=change.agency_id):
        return PolicyChange.objects.get(pk=change.pk).state


# --- What holds -----------------------------------------------------------------------------------------------------


def test_where_nobody_has_said_the_categories_own_days_hold_and_no_version(cast: Cast) -> None:
    found = _effective(cast.dentist)
    assert {found[one].days for one in (Category.CALL, Category.CALL_OUT, Category.RECORDING)} == {365}
    assert found[Category.IDENTITY].days == 365
    assert found[Category.CONSENT].days == 1827
    assert {one.version for one in found.values()} == {0}
    assert all(one.inherited for one in found.values())


def test_a_clients_own_word_stands_before_its_agencys(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(
            agency=cast.acme, category=Category.RECORDING, keep_for_days=90, version=3, set_at=NOON
        )
        Policy.objects.create(
            agency=cast.acme, client=cast.dentist, category=Category.RECORDING, keep_for_days=60, set_at=NOON
        )
    own, inherited = (
        _effective(cast.dentist)[Category.RECORDING],
        _effective(cast.plumber)[Category.RECORDING],
    )
    assert (own.days, own.version, own.inherited) == (60, 1, False)
    assert (inherited.days, inherited.version, inherited.inherited) == (90, 3, True)


def test_call_records_follow_the_columns_that_lower_rooms_read(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(keep_calls_out_for_days=1827)
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=100)
    found = _effective(cast.dentist)
    assert (found[Category.CALL].days, found[Category.CALL].inherited) == (100, False)
    assert (found[Category.CALL_OUT].days, found[Category.CALL_OUT].inherited) == (1827, True)
    assert found[Category.RECORDING].days == 1827, "with the call record, whichever way it went"


def test_a_recording_kept_longer_than_its_call_record_leaves_with_it_and_says_so(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(agency=cast.acme, category=Category.RECORDING, keep_for_days=300, set_at=NOON)
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=30)
    found = _effective(cast.dentist)[Category.RECORDING]
    assert (found.days, found.set_days, found.is_bounded) == (30, 300, True)


def test_cut_offs_of_many_clients_take_one_query_and_follow_each_zone(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(time_zone="Asia/Tokyo")
        clients = list(Client.objects.select_related("agency").order_by("pk"))
        with _queries(1):
            found = kept.all_cutoffs(clients, NOON)
        for client in clients:
            assert set(found[client.pk]) == set(categories.OF_CLIENTS)
            assert found[client.pk][Category.CALL] == tenancy.cutoff_of(client, NOON)
            assert kept.cutoff(client, Category.CONSENT, NOON) == found[client.pk][Category.CONSENT]
    assert found[cast.dentist.pk][Category.CALL] != found[cast.plumber.pk][Category.CALL]


class _queries:  # noqa: N801  (reads like the fixture that it stands for)
    """Exactly so many statements."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        connection.force_debug_cursor = True
        self.before = len(connection.queries_log)

    def __exit__(self, *_: object) -> None:
        connection.force_debug_cursor = False
        assert len(connection.queries_log) - self.before == self.number


# --- What a change does -------------------------------------------------------------------------------------------


def test_lengthening_is_in_force_at_once_with_its_reason_sealed(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 500, by=cast.alice)

    assert _state(change) == ChangeState.IN_FORCE
    found = _effective(cast.dentist)[Category.CALL]
    assert (found.days, found.version, found.inherited) == (500, 1, False)
    with job_scope(agency_id=cast.acme.pk):
        assert _fresh(cast.dentist).keep_for_days == 500
        proposed, changed = Event.objects.filter(action__startswith="policy.").order_by("pk")
        assert (proposed.action, changed.action) == ("policy.proposed", "policy.changed")
        assert (changed.details["was_days"], changed.details["days"]) == (365, 500)
        assert Reason.objects.filter(event_id=proposed.pk).exists()
        assert not Item.objects.open().exists()


def test_shortening_waits_for_a_second_officer_whose_queue_it_is_in(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)

    assert _state(change) == ChangeState.WAITING
    assert _effective(cast.dentist)[Category.CALL].days == 365
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().get()
        assert (item.kind, item.client_id) == (policies.WAITING_ITEM, cast.dentist.pk)
        told = set(Notification.objects.filter(kind=item.kind).values_list("user_id", flat=True))
    assert erin.user_id in told
    assert cast.bob.user_id not in told

    _approve(change, by=erin)

    assert _state(change) == ChangeState.IN_FORCE
    assert _effective(cast.dentist)[Category.CALL].days == 90
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().exists()
        event = Event.objects.get(action="policy.changed")
    assert event.actor_user_id == erin.user_id
    assert event.details["proposed_by"] == cast.alice.user_id


def test_who_proposed_it_does_not_agree_to_it(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with pytest.raises(seconding.SamePersonError):
        _approve(change, by=cast.alice)
    with (
        pytest.raises(seconding.SamePersonError),
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
    ):
        policies.refuse(change=change, officer=cast.alice, reason=REASON, at=NOON)
    assert _effective(cast.dentist)[Category.CALL].days == 365


def test_an_officer_who_may_not_see_what_changes_does_not_agree_to_it(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    stranger = make.person(cast.acme, "fay", Role.OFFICER)
    with pytest.raises(policies.NotYoursError):
        _approve(change, by=stranger)
    assert _state(change) == ChangeState.WAITING


def test_agreeing_needs_the_effect_as_it_is_now(cast: Cast, erin: Membership) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=100))
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    seen = ShownEffect(change.due_before, change.due_after, 0, frozenset(change.rules))
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=101))

    with pytest.raises(policies.CountsChangedError):
        _approve(change, by=erin, shown=seen)
    assert _effective(cast.dentist)[Category.CALL].days == 365
    _approve(change, by=erin)
    assert _effective(cast.dentist)[Category.CALL].days == 90


def test_proposing_needs_the_effect_as_it_is_now(cast: Cast, erin: Membership) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        wish = _wish(cast.dentist, Category.CALL, 90)
        with pytest.raises(policies.CountsChangedError):
            policies.propose(
                wish=wish,
                shown=ShownEffect(0, 1, 0, frozenset()),
                reason=REASON,
                proposer=cast.alice,
                at=NOON,
            )
        assert not PolicyChange.objects.exists()


def test_the_effect_counts_what_a_run_would_select_held_calls_left_out(cast: Cast) -> None:
    for day in (80, 95, 100):
        make.recording(
            make.call(cast.dentist, ANNA, at=NOON - timedelta(days=day)), "https://vendor.example/1"
        )
    held = make.call(cast.dentist, BEN, at=NOON - timedelta(days=120))
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=99), direction="outbound")
    with job_scope(agency_id=cast.acme.pk):
        type(held).objects.filter(pk=held.pk).update(on_hold=True)
        found = selectors.effect(selectors.plan(_wish(cast.dentist, Category.CALL, 90)), NOON)
    moved = {one.category: (one.before, one.after, one.leaving) for one in found.moved}
    assert moved[Category.CALL] == (0, 2, 0), "the client is observed, so that nothing leaves"
    assert moved[Category.CALL_OUT] == (0, 1, 0), "calls out are kept as long where nothing is said of them"
    assert moved[Category.RECORDING] == (0, 2, 0)
    assert Category.CONSENT not in moved, "evidence does not hang on a call"


def test_at_a_live_client_the_effect_says_how_much_leaves(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=100))
    make.call(cast.plumber, ANNA, at=NOON - timedelta(days=100))
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=NOON
        )
        found = selectors.effect(selectors.plan(_wish(cast.acme, Category.CALL, 90)), NOON)
    moved = {one.category: one for one in found.moved}
    assert (moved[Category.CALL].more, moved[Category.CALL].leaving) == (2, 1)


def test_the_effect_of_a_change_is_what_a_run_selects_once_it_is_in_force(
    cast: Cast, erin: Membership
) -> None:
    make.recording(make.call(cast.dentist, ANNA, at=NOON - timedelta(days=200)), "https://vendor.example/1")
    make.call(cast.dentist, None, at=NOON - timedelta(days=401))
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=150), direction="outbound")
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=4))
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    _approve(change, by=erin)
    with job_scope(agency_id=cast.acme.pk):
        found = preview.extents(preview.lines([_fresh(cast.dentist)], NOON))[cast.dentist.pk]
        rows = sum(extent.rows + extent.recordings for extent in found.values())
        assert rows == PolicyChange.objects.get(pk=change.pk).due_after == 4
        assert {category: extent.rows for category, extent in found.items()} == {
            Category.CALL: 2,
            Category.CALL_OUT: 1,
        }


def test_an_agencys_change_touches_who_inherits_and_nobody_else(cast: Cast, erin: Membership) -> None:
    _propose(cast.dentist, Category.CALL, 400, by=cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        plan = selectors.plan(_wish(cast.acme, Category.CALL, 90))
        assert [one.client.pk for one in plan.touched] == [cast.plumber.pk]
    change = _propose(cast.acme, Category.CALL, 90, by=cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get().kind == policies.AGENCY_ITEM
    _approve(change, by=erin)
    assert _effective(cast.dentist)[Category.CALL].days == 400
    assert _effective(cast.plumber)[Category.CALL].days == 90


def test_a_client_may_inherit_again_and_versions_count_on(cast: Cast, erin: Membership) -> None:
    _propose(cast.dentist, Category.CALL, 400, by=cast.alice)
    again = _propose(cast.dentist, Category.CALL, None, by=cast.alice)
    _approve(again, by=erin)
    found = _effective(cast.dentist)[Category.CALL]
    assert (found.days, found.inherited, found.version) == (365, True, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert not Policy.objects.filter(client=cast.dentist).exists()
    _propose(cast.dentist, Category.CALL, 400, by=cast.alice)
    assert _effective(cast.dentist)[Category.CALL].version == 3


def test_one_change_of_a_policy_waits_at_a_time(cast: Cast, erin: Membership) -> None:
    first = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with pytest.raises(policies.OpenChangeError):
        _propose(cast.dentist, Category.CALL, 80, by=erin)
    with pytest.raises(IntegrityError), job_scope(agency_id=cast.acme.pk), transaction.atomic():
        PolicyChange.objects.create(
            agency=cast.acme, client=cast.dentist, category=Category.CALL, state=ChangeState.DELAYED,
            was_days=1, was_then=Then.ERASE, days=1, then=Then.ERASE, shortens=True, due_before=0, due_after=0,
            proposed_by_id=cast.alice.user_id, proposed_at=NOON,
        )  # fmt: skip
    assert _state(first) == ChangeState.WAITING


def test_the_database_refuses_a_shorter_policy_to_which_its_proposer_agreed(
    cast: Cast, erin: Membership
) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    decided = PolicyChange.objects.filter(pk=change.pk)
    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(IntegrityError, match="retention_change_by_two"), transaction.atomic():
            decided.update(state=ChangeState.IN_FORCE, decided_by_id=cast.alice.user_id)
        decided.update(state=ChangeState.IN_FORCE, decided_by_id=erin.user_id)


def test_a_change_is_decided_once(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        policies.refuse(change=change, officer=erin, reason="Not in the contract at all.", at=NOON)
    assert _state(change) == ChangeState.REFUSED
    with pytest.raises(policies.NotOpenError):
        _approve(change, by=erin)
    with (
        pytest.raises(policies.NotOpenError),
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
    ):
        policies.withdraw(change=change, member=cast.alice, reason=REASON, at=NOON)
    assert _effective(cast.dentist)[Category.CALL].days == 365
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().exists()


def test_the_second_officer_reads_the_reason_and_the_trail_says_so(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        by = Actor.staff(user_id=erin.user_id)
        assert policies.read_reason(change=change, by=by, at=NOON) == REASON
        assert Event.objects.filter(action="reason.opened", actor_user_id=erin.user_id).count() == 1


def test_the_same_again_is_no_change(cast: Cast) -> None:
    with pytest.raises(policies.NothingChangesError):
        _propose(cast.dentist, Category.CALL, None, by=cast.alice)
    _propose(cast.dentist, Category.CALL, 365, by=cast.alice)
    assert _effective(cast.dentist)[Category.CALL].inherited is False, "said by the client itself from now on"


# --- What is beyond the law, or clashes ---------------------------------------------------------------------------


def test_the_law_refuses_with_rule_source_and_remedy(cast: Cast, erin: Membership) -> None:
    with pytest.raises(policies.RefusedByLawError, match=r"16 CFR 310\.5\(a\)\(8\).*1,827 days or more"):
        _propose(cast.dentist, Category.CONSENT, 400, by=cast.alice)


def test_a_rule_that_wants_a_reason_stands_on_the_change(cast: Cast, erin: Membership) -> None:
    change = _propose(cast.dentist, Category.CALL_OUT, 100, by=cast.alice)
    assert change.rules == ["tsr-calls-out"]
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(pk=change.event_id or 0)
    assert event.details["rules"] == "tsr-calls-out"
    assert event.reason_hash


def test_calls_out_that_follow_calls_in_are_judged_with_them(cast: Cast, erin: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        plan = selectors.plan(_wish(cast.dentist, Category.CALL, 90))
    assert plan.rule_ids == ["tsr-calls-out"]


def test_a_rule_that_came_since_needs_a_new_proposal(cast: Cast, erin: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(keep_calls_for_days=900)
    change = _propose(cast.plumber, Category.RECORDING, 400, by=cast.alice)
    assert change.rules == []
    with job_scope(agency_id=cast.acme.pk):
        Place.objects.create(agency=cast.acme, client=cast.plumber, country="US", region="PA")
    with pytest.raises(policies.CountsChangedError, match="rule of the law"):
        _approve(change, by=erin)


@pytest.mark.parametrize(
    ("before", "category", "days", "why"),
    [
        ({}, Category.RECORDING, 366, "Call records are kept for 365 days"),
        ({}, Category.IDENTITY, 90, "open with the caller's key"),
        (
            {Category.RECORDING: 60, Category.TRANSCRIPT: 60, Category.IDENTITY: 90},
            Category.RECORDING,
            120,
            "Number and identity",
        ),
        ({}, Category.EXPORT, 8, "Say 1 to 7 days"),
        ({}, Category.INBOX, 8, "Say 1 to 7 days"),
        ({}, Category.TRAIL, 100, "Say 365 to 7,305 days"),
    ],
)
def test_what_another_category_forbids_is_refused(
    cast: Cast, before: dict[Category, int], category: Category, days: int, why: str
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for one, said in before.items():
            Policy.objects.create(
                agency=cast.acme, client=cast.dentist, category=one, keep_for_days=said, set_at=NOON
            )
    with pytest.raises(policies.ClashError, match=why):
        _propose(cast.dentist, category, days, by=cast.alice)


# --- Where there is one officer only ------------------------------------------------------------------------------


def test_where_there_is_one_officer_a_day_passes_and_everybody_who_manages_is_told(cast: Cast) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)

    assert _state(change) == ChangeState.DELAYED
    assert change.takes_effect_at == NOON + timedelta(hours=24)
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().get()
        assert (item.kind, item.due_at) == (policies.DELAYED_ITEM, change.takes_effect_at)
        told = Notification.objects.filter(kind=policies.DELAYED_ITEM, mail_due_at__isnull=False)
        assert set(told.values_list("user_id", flat=True)) == {cast.alice.user_id, cast.carol.user_id}
        assert not policies.apply_due(change_id=change.pk, at=NOON + timedelta(hours=23))
    assert _effective(cast.dentist)[Category.CALL].days == 365
    with job_scope(agency_id=cast.acme.pk):
        assert policies.apply_due(change_id=change.pk, at=NOON + timedelta(hours=24))
        assert not policies.apply_due(change_id=change.pk, at=NOON + timedelta(hours=24))
        assert Event.objects.filter(action="policy.changed").count() == 1
        assert not Item.objects.open().exists()
    assert _effective(cast.dentist)[Category.CALL].days == 90


def test_an_officer_without_a_grant_is_waited_for_and_no_day_passes(cast: Cast) -> None:
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)

    change = _propose(cast.acme, Category.CALL, 90, by=cast.alice)

    assert (_state(change), change.takes_effect_at) == (ChangeState.WAITING, None)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get().kind == policies.AGENCY_ITEM
        assert not policies.apply_due(change_id=change.pk, at=NOON + timedelta(days=30))
        plan = selectors.plan(selectors.wish_of(selectors.changes().get()))
        second = selectors.second_person(plan, but=cast.alice.user_id, at=NOON)
    assert (list(second.may), second.is_there) == ([], True)
    assert [(one.officer.pk, list(one.clients)) for one in second.lacking] == [(erin.user_id, [cast.plumber])]
    assert second.permissions == ["Manage retention", "View calls"]
    assert {person.pk for person in second.givers} == {one.user_id for one in (cast.alice, cast.carol, erin)}
    with pytest.raises(policies.NotYoursError):
        _approve(change, by=erin)
    assert _effective(cast.plumber)[Category.CALL].days == 365

    make.grant(erin, cast.plumber)
    _approve(change, by=erin)
    assert _effective(cast.plumber)[Category.CALL].days == 90


def test_a_clients_change_that_nobody_may_agree_to_is_in_every_officers_queue(cast: Cast) -> None:
    make.person(cast.acme, "erin", Role.OFFICER)
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    assert _state(change) == ChangeState.WAITING
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().get()
    assert (item.kind, item.client_id) == (policies.AGENCY_ITEM, None)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        seen = selectors.open_changes().get()
        policies.withdraw(change=seen, member=cast.alice, reason="Nobody may agree to it.", at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().exists()


def test_an_officer_who_is_suspended_is_nobody_to_wait_for(cast: Cast, erin: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=erin.pk).update(state=MembershipState.SUSPENDED)
    assert _state(_propose(cast.dentist, Category.CALL, 90, by=cast.alice)) == ChangeState.DELAYED


def test_who_suspends_the_other_officer_waits_for_a_second_one_all_the_same(
    cast: Cast, erin: Membership
) -> None:
    at = make.now()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        people.suspend(membership=erin, by=Actor.staff(user_id=cast.alice.user_id), at=at)
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    assert (_state(change), change.takes_effect_at) == (ChangeState.WAITING, None)
    page = signed_in(cast.alice).get(f"/retention/changes/{change.pk}/").content.decode()
    assert "still counts as another officer" in page
    with job_scope(agency_id=cast.acme.pk):
        plan = selectors.plan(selectors.wish_of(selectors.changes().get()))
        counts = [
            selectors.second_person(plan, but=cast.alice.user_id, at=at + timedelta(hours=hours)).is_there
            for hours in (71, 72)
        ]
    assert counts == [True, False]


def test_an_admin_without_a_grant_stops_it_meanwhile(cast: Cast) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        seen = selectors.open_changes().get()
        policies.withdraw(change=seen, member=cast.carol, reason="Nobody asked for this at all.", at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert not policies.apply_due(change_id=change.pk, at=NOON + timedelta(days=2))
    assert _state(change) == ChangeState.WITHDRAWN
    assert _effective(cast.dentist)[Category.CALL].days == 365


def test_a_reviewer_stops_nothing_and_a_stranger_sees_nothing(cast: Cast) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id), pytest.raises(policies.NotYoursError):
        policies.withdraw(change=change, member=cast.bob, reason=REASON, at=NOON)
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not PolicyChange.objects.exists()
    assert _state(change) == ChangeState.DELAYED


def test_a_delayed_change_is_shown_as_of_its_hour_and_lapses_where_much_more_would_leave(cast: Cast) -> None:
    late = NOON + timedelta(hours=24)
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=90))
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    assert change.due_after - change.due_before == 1, "the call that is due tomorrow"
    for hour in range(12):
        make.call(cast.dentist, f"+1212555{1000 + hour}", at=NOON - timedelta(days=200, hours=hour))
    with job_scope(agency_id=cast.acme.pk):
        assert not policies.apply_due(change_id=change.pk, at=late)
        assert Event.objects.filter(action="policy.lapsed").count() == 1
        assert Notification.objects.filter(kind=policies.LAPSED, user_id=cast.alice.user_id).exists()
    assert _state(change) == ChangeState.WITHDRAWN
    assert _effective(cast.dentist)[Category.CALL].days == 365


def _go_live(of: Client, at: Any) -> None:
    with job_scope(agency_id=of.agency_id):
        Client.objects.filter(pk=of.pk).update(retention_state=RetentionState.LIVE, went_live_at=at)


def test_a_delayed_change_lapses_where_the_client_has_gone_live_since(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=100))
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    _go_live(cast.dentist, NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not policies.apply_due(change_id=change.pk, at=NOON + timedelta(hours=24))
    assert _state(change) == ChangeState.WITHDRAWN
    assert _effective(cast.dentist)[Category.CALL].days == 365


def test_agreeing_is_shown_again_where_the_client_has_gone_live_since(cast: Cast, erin: Membership) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=100))
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    seen = ShownEffect(change.due_before, change.due_after, 0, frozenset(change.rules))
    _go_live(cast.dentist, NOON)
    with pytest.raises(policies.CountsChangedError):
        _approve(change, by=erin, shown=seen)
    _approve(change, by=erin)
    assert _effective(cast.dentist)[Category.CALL].days == 90


def test_keeping_totals_and_then_erasing_them_is_shortening(cast: Cast, erin: Membership) -> None:
    first = _propose(cast.dentist, Category.CALL, 365, by=cast.alice, then=Then.REDUCE)
    assert _state(first) == ChangeState.IN_FORCE
    assert _effective(cast.dentist)[Category.CALL].then is Then.REDUCE
    again = _propose(cast.dentist, Category.CALL, 365, by=cast.alice)
    assert _state(again) == ChangeState.WAITING


def test_a_second_officer_who_comes_meanwhile_may_agree_at_once(cast: Cast) -> None:
    change = _propose(cast.dentist, Category.CALL, 90, by=cast.alice)
    late = make.person(cast.acme, "gil", Role.OFFICER)
    make.grant(late, cast.dentist)
    _approve(change, by=late)
    assert _effective(cast.dentist)[Category.CALL].days == 90


def test_who_may_not_count_everything_that_changes_proposes_nothing(cast: Cast, erin: Membership) -> None:
    fay = make.person(cast.acme, "fay", Role.OFFICER)
    make.grant(fay, cast.dentist)
    with pytest.raises(policies.NotYoursError):
        _propose(cast.acme, Category.CALL, 90, by=fay)
