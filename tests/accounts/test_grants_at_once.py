"""Two who write a person's grants at once: the second waits for the first, so that what was ended stays ended."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from callprivacy.accounts import access
from callprivacy.accounts.enums import MembershipState, ReviewAnswer, Role
from callprivacy.accounts.models import ClientGrant, Membership, ReviewLine
from callprivacy.accounts.services import agencies, grants, leaving, reviews
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from retention.services.offboarding import removing
from tests import make
from tests.aside import Beside
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db(transaction=True)


def _give(person: Membership, client: Client, bundle: Role | None) -> None:
    grants.set_bundle(
        membership=person, client=client, bundle=bundle, by=make.JOB, at=make.now(), ends_at=None
    )


def _held(person: Membership, client: Client) -> set[str]:
    with job_scope(agency_id=client.agency_id):
        rows = ClientGrant.objects.filter(user_id=person.user_id, content_object=client)
        return set(rows.values_list("bundle", flat=True))


def _while_given(cast: Cast, deed: Callable[[], Any]) -> None:
    """Do something about Bob while somebody else is just giving him the plumber."""
    with job_scope(agency_id=cast.acme.pk):
        _give(cast.bob, cast.plumber, Role.ANALYST)
        beside = Beside(cast.acme.pk, deed)
        beside.let_it_come()
    beside.end()


def test_a_grant_that_is_ended_while_another_hand_gives_it_is_ended(cast: Cast) -> None:
    _while_given(cast, lambda: _give(cast.bob, cast.plumber, None))
    assert _held(cast.bob, cast.plumber) == set()


def test_who_is_seen_off_while_another_hand_grants_keeps_nothing(cast: Cast) -> None:
    _while_given(cast, lambda: leaving.leave(membership=cast.bob, by=make.JOB, at=NOON))
    with job_scope(agency_id=cast.acme.pk):
        assert not ClientGrant.objects.filter(user_id=cast.bob.user_id).exists()
        assert Membership.objects.get(pk=cast.bob.pk).state == MembershipState.LEFT


def test_two_who_give_at_once_leave_what_the_second_gave(cast: Cast) -> None:
    _while_given(cast, lambda: _give(cast.bob, cast.plumber, Role.REVIEWER))
    assert _held(cast.bob, cast.plumber) == {"reviewer"}


def test_a_client_that_leaves_while_it_is_granted_is_left_to_officers_alone(cast: Cast) -> None:
    from retention.models import Offboarding

    row = Offboarding(agency=cast.acme, client=cast.plumber)
    _while_given(cast, lambda: removing._end_grants(row, NOON))
    assert _held(cast.bob, cast.plumber) == set()
    assert _held(cast.alice, cast.plumber) == {"officer"}


def _given_meanwhile(cast: Cast, deed: Callable[[], Any]) -> None:
    """Give Bob the plumber while somebody else is just ending what makes that possible."""
    with job_scope(agency_id=cast.acme.pk):
        deed()
        beside = Beside(cast.acme.pk, lambda: _give(cast.bob, cast.plumber, Role.ANALYST))
        beside.let_it_come()
    with pytest.raises(grants.NotHereError):
        beside.end()
    assert _held(cast.bob, cast.plumber) == set()


def test_nothing_is_given_to_who_is_seen_off_meanwhile(cast: Cast) -> None:
    _given_meanwhile(cast, lambda: leaving.leave(membership=cast.bob, by=make.JOB, at=NOON))


def test_nothing_is_given_at_a_client_that_leaves_meanwhile(cast: Cast) -> None:
    from retention.models import Offboarding

    def close() -> None:
        Client.objects.filter(pk=cast.plumber.pk).update(archived_at=NOON)
        removing._end_grants(Offboarding(agency=cast.acme, client=cast.plumber), NOON)

    make.grant(cast.bob, cast.plumber)
    _given_meanwhile(cast, close)


def test_what_was_given_at_a_client_that_left_can_be_ended(cast: Cast) -> None:
    make.grant(cast.bob, cast.plumber)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(archived_at=NOON)
        _give(cast.bob, cast.plumber, None)
    assert _held(cast.bob, cast.plumber) == set()


def test_what_was_given_anew_while_a_review_closes_stays(cast: Cast) -> None:
    make.grant(cast.bob, cast.plumber)
    with job_scope(agency_id=cast.acme.pk):
        review = reviews.start_review(agency=cast.acme, period="2026-10", by=reviews.BY, at=NOON)
    _while_given(cast, lambda: reviews.close_review(review=review, by=reviews.BY, at=make.now()))
    assert _held(cast.bob, cast.plumber) == {"analyst"}
    with job_scope(agency_id=cast.acme.pk):
        line = ReviewLine.objects.get(user_id=cast.bob.user_id, client=cast.plumber)
    assert line.answer == ReviewAnswer.GONE
    assert _held(cast.bob, cast.dentist) == set()


# --- Where many are written ---


def _answer(cast: Cast) -> None:
    review = reviews.start_review(agency=cast.acme, period="2026-10", by=reviews.BY, at=NOON)
    lines = list(ReviewLine.objects.values_list("pk", flat=True))
    reviews.answer_lines(
        review=review, line_ids=lines, keep=False, by=Actor.staff(user_id=cast.carol.user_id), at=NOON
    )


def _close(cast: Cast) -> None:
    review = reviews.start_review(agency=cast.acme, period="2026-10", by=reviews.BY, at=NOON)
    reviews.close_review(review=review, by=reviews.BY, at=NOON)


def _new_client(cast: Cast) -> None:
    people = [cast.carol, cast.bob]
    agencies.create_client(
        agency=cast.acme, name="Bakery", legal_name="B", people=people, by=make.JOB, at=NOON
    )


def _end(cast: Cast) -> None:
    from retention.models import Offboarding

    removing._end_grants(Offboarding(agency=cast.acme, client=cast.dentist), NOON)


@pytest.mark.parametrize("deed", some([_answer, _close, _new_client, _end], one_in=2))
def test_who_writes_many_peoples_grants_takes_them_in_one_order(
    cast: Cast, deed: Callable[[Cast], None]
) -> None:
    """So that two never wait crosswise: who waits for the first of them holds none behind it."""
    zoe = _whose_membership_comes_last(cast)
    with job_scope(agency_id=cast.acme.pk):
        access.hold_members(agency_id=cast.acme.pk, user_ids=[cast.bob.user_id])
        beside = Beside(cast.acme.pk, lambda: deed(cast))
        beside.let_it_come()
        assert beside.thread.is_alive(), "it waits for Bob"
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
        access.hold_members(agency_id=cast.acme.pk, user_ids=[zoe.user_id, cast.carol.user_id])
    beside.end()


@pytest.mark.parametrize("became", [{"state": MembershipState.LEFT}, {"role": Role.ANALYST}])
def test_who_is_an_officer_no_more_by_the_time_is_granted_no_new_client(
    cast: Cast, became: dict[str, Any]
) -> None:
    officers = Membership.objects.filter(agency=cast.acme, role=Role.OFFICER)
    with job_scope(agency_id=cast.acme.pk):
        user_id = officers.get().user_id
        access.hold_members(agency_id=cast.acme.pk, user_ids=[user_id])
        beside = Beside(cast.acme.pk, lambda: _new_client(cast))
        beside.let_it_come()
        assert beside.thread.is_alive(), "it waits for who changes the officer"
        officers.update(**became)
    beside.end()
    with job_scope(agency_id=cast.acme.pk):
        made = Client.objects.get(agency=cast.acme, name="Bakery")
        granted = set(ClientGrant.objects.filter(content_object=made).values_list("user_id", flat=True))
    assert granted == {cast.bob.user_id, cast.carol.user_id} - {user_id}


def _whose_membership_comes_last(cast: Cast) -> Membership:
    """An account manager with an older sign-in than Bob's, who came to the agency after him."""
    from callprivacy.accounts.models import User

    user = User.objects.create(pk=-1, email="zoe@acme.example", name="Zoe", password="!")
    with job_scope(agency_id=cast.acme.pk):
        zoe = Membership.objects.create(
            agency=cast.acme, user=user, role=Role.ACCOUNT_MANAGER, created_at=NOON
        )
    make.grant(zoe, cast.dentist)
    return zoe
