"""What `user.has_perm` and django-guardian's shortcuts answer about a client or a call is what the grants say."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.auth.models import Permission as PermissionRow
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from guardian.shortcuts import assign_perm, get_objects_for_user, get_perms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callprivacy.accounts.access import SHOWS_PEOPLE
from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import ClientGrant, Membership, User
from callprivacy.calls.models import Call
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import cast, make
from tests.cast import Cast
from tests.make import NOON
from tests.scale import times

HOUR = timedelta(hours=1)
SOME = (Permission.VIEW_CLIENT, Permission.VIEW_CALLS, Permission.REVEAL_NUMBERS, Permission.EXPORT_CALLS)
VIEW_CALL = "calls.view_call"
SHORT = st.sampled_from([None, -HOUR, HOUR])
"""How long from now something ends or begins, if it does."""


@dataclass(frozen=True)
class World:
    """The cast, with a call at each client; bob is a reviewer at Globex, too."""

    cast: Cast
    calls: dict[int, Call]

    @property
    def people(self) -> list[User]:
        found = (self.cast.alice, self.cast.bob, self.cast.mallory)
        return list(User.objects.filter(pk__in=[one.user_id for one in found]).order_by("pk"))

    @property
    def clients(self) -> list[Client]:
        return [self.cast.dentist, self.cast.plumber, self.cast.florist]


@pytest.fixture
def world(db: None) -> World:
    people = cast.assemble()
    clients = (people.dentist, people.plumber, people.florist)
    calls = {client.pk: make.call(client, f"+1212555010{n}") for n, client in enumerate(clients)}
    with job_scope(agency_id=people.globex.pk):
        Membership.objects.create(
            agency=people.globex, user_id=people.bob.user_id, role=Role.REVIEWER, created_at=NOON
        )
    return World(people, calls)


@contextmanager
def at_acme(world: World) -> Iterator[tuple[User, Client, Call]]:
    """Bob, whom the dentist is granted to, with that client and its call, in the scope of a job."""
    dentist = world.cast.dentist
    with job_scope(agency_id=dentist.agency_id):
        yield User.objects.get(pk=world.cast.bob.user_id), dentist, world.calls[dentist.pk]


def holds(user: Any, client: Client, call: Call) -> list[bool]:
    """Whether a person may view a client, reveal its numbers and view its call."""
    return [
        user.has_perm("tenancy.view_client", client),
        user.has_perm("tenancy.reveal_numbers", client),
        user.has_perm(VIEW_CALL, call),
    ]


def test_a_reviewer_views_and_reveals_at_the_granted_client_alone(world: World) -> None:
    plumber = world.cast.plumber
    with at_acme(world) as (bob, dentist, call):
        assert holds(bob, dentist, call) == [True, True, True]
        assert not bob.has_perm("tenancy.manage_retention", dentist)
        assert bob.has_perms(["tenancy.view_calls", "tenancy.play_recordings"], dentist)
        assert holds(bob, plumber, world.calls[plumber.pk]) == [False, False, False]
    with staff_scope(agency_id=dentist.agency_id, user_id=bob.pk):
        assert holds(bob, dentist, call) == [True, True, True]
        assert set(get_objects_for_user(bob, VIEW_CALL)) == {call}


def test_a_stranger_and_another_agency_hold_nothing(world: World) -> None:
    florist = world.cast.florist
    make.grant(world.cast.mallory, florist)
    with at_acme(world) as (_, dentist, call):
        mallory = User.objects.get(pk=world.cast.mallory.user_id)
        assert holds(mallory, dentist, call) == [False, False, False]
        assert holds(mallory, florist, world.calls[florist.pk]) == [False, False, False]
        assert not get_objects_for_user(mallory, VIEW_CALL).exists()


def test_who_is_not_signed_in_or_inactive_holds_nothing(world: World) -> None:
    with at_acme(world) as (bob, dentist, call):
        assert holds(AnonymousUser(), dentist, call) == [False, False, False]
        bob.is_active = False
        assert holds(bob, dentist, call) == [False, False, False]
        assert get_perms(bob, call) == []


def test_without_an_object_and_for_what_is_not_granted_nothing_is_held(world: World) -> None:
    with at_acme(world) as (bob, dentist, call):
        for name in (VIEW_CALL, "tenancy.reveal_numbers"):
            assert not bob.has_perm(name)
        for name in ("view_call", "calls.change_call", "tenancy.no_such_permission", "tenancy.view_client"):
            assert not bob.has_perm(name, call)
        assert not bob.has_perm(VIEW_CALL, dentist)
        assert not bob.has_perm(VIEW_CALL, call.caller)
    assert not bob.has_perm(VIEW_CALL)


def test_an_answer_costs_two_queries_and_is_asked_for_again(
    world: World, django_assert_num_queries: Any
) -> None:
    with at_acme(world) as (bob, dentist, call):
        with django_assert_num_queries(2):
            assert bob.has_perm(VIEW_CALL, call)
        ClientGrant.objects.filter(user_id=bob.pk).update(ends_at=make.now() - HOUR)
        assert holds(bob, dentist, call) == [False, False, False]


# --- Nothing but a grant gives a permission ---


def test_nobody_is_a_superuser(world: World) -> None:
    operator = User.objects.create_superuser("op@platform.example", make.PASSWORD, name="Otto Operator")
    assert operator.is_staff
    with at_acme(world) as (bob, dentist, call):
        assert holds(operator, dentist, call) == [False, False, False]
        bob.is_superuser = True
        with pytest.raises(IntegrityError, match="accounts_user_no_superuser"), transaction.atomic():
            bob.save(update_fields=["is_superuser"])


def test_django_and_guardian_store_no_permission_of_their_own(world: World) -> None:
    with at_acme(world) as (bob, dentist, _):
        group = Group.objects.create(name="Reviewers")
        row = PermissionRow.objects.get(codename="view_call", content_type__app_label="calls")
        writes: tuple[Callable[[], object], ...] = (
            lambda: bob.groups.add(group),
            lambda: bob.user_permissions.add(row),
            lambda: assign_perm("manage_retention", group, dentist),
            lambda: assign_perm("view_caller", bob, world.calls[dentist.pk].caller),
        )
        for attempt in writes:
            with pytest.raises(IntegrityError, match="_unused"), transaction.atomic():
                attempt()


def test_guardians_views_cannot_be_written(world: World) -> None:
    for table in ("accounts_clientaccess", "calls_callaccess"):
        with (
            at_acme(world),
            pytest.raises(DatabaseError, match="cannot delete from view"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DELETE FROM {table}")


# --- Whatever is granted, ended and suspended ---


@dataclass(frozen=True)
class Draw:
    """Grants as (person, client, permission) -> end; of members: state, and since when withheld; of people: active."""

    grants: dict[tuple[int, int, Permission], timedelta | None]
    members: list[tuple[MembershipState, timedelta | None]]
    active: list[bool]


_ACTIVE = MembershipState.ACTIVE
DRAWS = st.builds(
    Draw,
    st.fixed_dictionaries({}, optional=dict.fromkeys(itertools.product(range(3), range(3), SOME), SHORT)),
    st.lists(st.tuples(st.sampled_from([_ACTIVE, _ACTIVE, *MembershipState]), SHORT), min_size=4, max_size=4),
    st.lists(st.sampled_from([True, True, False]), min_size=3, max_size=3),
)


def write(world: World, draw: Draw, agency: Agency, now: datetime) -> dict[tuple[int, int], set[Permission]]:
    """Let the rows of an agency be what was drawn; (user, client) -> the permissions that count then."""
    people = world.people
    rows = {row.codename: row for row in PermissionRow.objects.filter(content_type__app_label="tenancy")}
    standing = {}
    for member, (state, withheld) in zip(Membership.objects.order_by("pk"), draw.members, strict=False):
        begins = None if withheld is None else now + withheld
        Membership.objects.filter(pk=member.pk).update(state=state, withheld_from=begins)
        standing[member.user_id] = (state is MembershipState.ACTIVE, withheld == -HOUR)
    ClientGrant.objects.all().remove()
    counts: dict[tuple[int, int], set[Permission]] = {}
    for (who, where, permission), ends in draw.grants.items():
        user, client = people[who], world.clients[where]
        if client.agency_id != agency.pk:
            continue
        ClientGrant.objects.create(
            agency=agency,
            user=user,
            content_object=client,
            permission=rows[permission.value],
            bundle=Role.REVIEWER,
            granted_at=NOON,
            ends_at=None if ends is None else now + ends,
        )
        is_member, is_withheld = standing.get(user.pk, (False, False))
        is_shown = not (is_withheld and permission in SHOWS_PEOPLE)
        if user.is_active and is_member and ends != -HOUR and is_shown:
            counts.setdefault((user.pk, client.pk), set()).add(permission)
    return counts


def check(world: World, counts: dict[tuple[int, int], set[Permission]], agency: Agency) -> None:
    """Django and django-guardian give the permissions that count, and no others."""
    here = [client for client in world.clients if client.agency_id == agency.pk]
    for user in world.people:
        viewed: set[models.Model] = set()
        shown: set[models.Model] = set()
        for client in here:
            call = world.calls[client.pk]
            held = {permission.value for permission in counts.get((user.pk, client.pk), ())}
            assert set(get_perms(user, client)) == held
            assert user.get_all_permissions(client) == {f"tenancy.{name}" for name in held}
            assert [user.has_perm(f"tenancy.{name}", client) for name in SOME] == [
                name in held for name in SOME
            ]
            may_view = Permission.VIEW_CALLS in held
            assert get_perms(user, call) == ["view_call"] * may_view
            assert user.has_perm(VIEW_CALL, call) is may_view
            viewed |= {call} if may_view else set()
            shown |= {client} if Permission.REVEAL_NUMBERS in held else set()
        assert set(get_objects_for_user(user, VIEW_CALL)) == viewed
        assert set(get_objects_for_user(user, "tenancy.reveal_numbers")) == shown


@settings(
    max_examples=times(12, 200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DRAWS)
def test_django_and_guardian_agree_with_whatever_is_granted(world: World, draw: Draw) -> None:
    now = make.now()
    for user, is_active in zip(world.people, draw.active, strict=True):
        User.objects.filter(pk=user.pk).update(is_active=is_active)
    for agency in (world.cast.acme, world.cast.globex):
        with job_scope(agency_id=agency.pk):
            check(world, write(world, draw, agency, now), agency)
