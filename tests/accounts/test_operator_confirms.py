"""Where an operator confirms a new officer, it is neither the proposer nor the new officer."""

from datetime import timedelta

import pytest
from django.test import Client as Browser

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Invitation, Membership, SignInMark, User
from callprivacy.accounts.services import agencies, invitations
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import kinds
from callprivacy.work import services as work
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import give_codes, now, sign_in, signed_in
from tests.accounts.test_officers import by, invited
from tests.cast import Cast
from tests.make import NOON


@pytest.fixture
def operator(cast: Cast) -> User:
    return User.objects.create_superuser("op+x@platform.example", make.PASSWORD, name="Otto Operator")


def confirm(cast: Cast, operator: User, row: Invitation) -> str:
    """What the operator hears; empty: confirmed."""
    try:
        agencies.confirm_officer(
            agency_id=cast.acme.pk, invitation_id=row.pk, by=Actor.operator(user_id=operator.pk), at=NOON
        )
    except seconding.NotCountedError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (("b", None), "signed in from the same browser"),
        ((None, "203.0.113.5"), "were in the same network"),
        ((None, None), ""),
    ],
)
@pytest.mark.parametrize("other", ["the proposer", "the new officer"])
def test_an_operator_who_was_where_one_of_them_was_confirms_nothing(
    cast: Cast, operator: User, other: str, where: tuple[str | None, str | None], said: str
) -> None:
    browser, address = where
    person = cast.alice if other == "the proposer" else cast.bob
    for user_id in (person.user_id, operator.pk):
        seconding.remember(seconding.marks_of(user_id=user_id, browser=browser, address=address), at=NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row, _ = invitations.invite(
            agency_id=cast.acme.pk, email=cast.bob.user.email, name="Bob", role=Role.OFFICER, client_ids=[],
            by=by(cast.alice), at=NOON,
        )  # fmt: skip
    answer = confirm(cast, operator, row)
    assert answer.startswith(f"You and {other} {said}") if said else answer == ""


@pytest.mark.parametrize("other", ["the proposer", "the new officer"])
def test_an_operator_whose_mailbox_is_one_of_theirs_confirms_nothing_and_the_officers_hear_of_it(
    cast: Cast, operator: User, other: str
) -> None:
    if other == "the proposer":
        User.objects.filter(pk=cast.alice.user_id).update(email="op@platform.example")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row, _ = invitations.invite(
            agency_id=cast.acme.pk, email="op+y@platform.example" if "new" in other else "new@acme.example",
            name="New", role=Role.OFFICER, client_ids=[], by=by(cast.alice), at=NOON,
        )  # fmt: skip
    assert f"You and {other} have the same mailbox." in confirm(cast, operator, row)
    with job_scope(agency_id=cast.acme.pk):
        row.refresh_from_db()
        assert row.confirmed_at is None, "it waits"
        event = Event.objects.get(action="signature.not_counted")
        assert (event.actor_kind, event.actor_user_id) == ("operator", operator.pk)
        work.mind_people(agency_id=cast.acme.pk, at=NOON)
        assert Item.objects.open().filter(kind=kinds.NOT_COUNTED).count() == 1
    page = signed_in(cast.alice).get("/people/officers/").content.decode()
    both = "The signer and the new officer" if "new" in other else "Both"
    assert (f"{both} have the same mailbox" in page) == (now() - NOON < seconding.INVITED_WITHIN)


def test_the_operators_own_page_says_where_they_are(cast: Cast, operator: User) -> None:
    browser = Browser()
    sign_in(browser, cast.alice.user.email)
    row = invited(cast, "new", cast.alice, at=now())
    browser.post("/accounts/logout/")
    sign_in(browser, operator.email)
    give_codes(operator)
    url = f"/operator/tenancy/agency/{cast.acme.pk}/officer/{row.pk}/confirm/"
    assert (
        "You and the proposer signed in from the same browser"
        in browser.post(url, follow=True).content.decode()
    )
    other = signed_in(Membership(user=operator))
    SignInMark.objects.filter(user=operator).update(seen_at=now() - timedelta(days=31))
    assert "Confirmed." in other.post(url, follow=True).content.decode()
