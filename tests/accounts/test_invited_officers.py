"""What the database refuses of officers' invitations, and what happens to one meanwhile."""

import os
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Invitation, Membership
from callprivacy.accounts.services import invitations, officers
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.accounts.browsers import now, signed_in
from tests.accounts.test_officers import by, invited
from tests.cast import Cast
from tests.make import NOON


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"accepted_at": NOON}, "accounts_invitation_has_two"),
        ({"confirmed_by": True}, "accounts_invitation_confirmed"),
        ({"confirmed_at": NOON, "invited_by": None}, "accounts_invitation_confirmed"),
    ],
)
def test_the_database_refuses_an_officer_by_one(cast: Cast, values: dict[str, Any], constraint: str) -> None:
    row = invited(cast, "new", cast.alice)
    if "confirmed_by" in values:
        values = {"confirmed_by": cast.carol.user_id}
    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Invitation.objects.filter(pk=row.pk).update(**values)
        Invitation.objects.filter(pk=row.pk).update(confirmed_at=NOON, accepted_at=NOON)


def test_an_invitation_that_is_withdrawn_while_it_is_confirmed_is_said_to_be_gone(
    cast: Cast,
    erin: Membership,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = invited(cast, "new", cast.alice, at=now())

    def withdraw(**_: Any) -> None:
        invitations.withdraw(invitation=row, by=by(cast.alice), at=now())

    monkeypatch.setattr(seconding, "check", withdraw)
    answer = signed_in(erin).post(f"/people/officers/{row.pk}/confirm/", follow=True)
    assert "This invitation is no longer waiting for a second officer." in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        row.refresh_from_db()
    assert row.confirmed_at is None


@pytest.mark.as_committed
def test_who_approves_for_a_client_by_now_does_not_become_an_officer(
    cast: Cast,
    erin: Membership,
    mailoutbox: list[Any],
) -> None:
    approver = make.person(cast.acme, "rita", Role.APPROVER)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row, token = invitations.invite(
            agency_id=cast.acme.pk, email="rita@acme.example", name="Rita", role=Role.OFFICER, client_ids=[],
            by=by(cast.alice), at=now(),
        )  # fmt: skip
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        officers.confirm(invitation=row, by=by(erin), at=now())
    make.grant(approver, cast.dentist)
    answer = signed_in(approver).post(f"/invitation/{token}/", follow=True)
    assert "You approve for a client, and a compliance officer does not." in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Membership.objects.get(pk=approver.pk).role == Role.APPROVER
        row.refresh_from_db()
    assert row.accepted_at is None


@pytest.mark.django_db(transaction=True)
def test_what_operators_sent_before_officers_took_two_waits_where_a_manager_is_there(cast: Cast) -> None:
    def sent(agency_id: int) -> int:
        with job_scope(agency_id=agency_id):
            return Invitation.objects.create(
                agency_id=agency_id, email="own@platform.example", name="Own", role=Role.OFFICER,
                digest=agency_id.to_bytes(32), created_at=NOON, expires_at=NOON + invitations.VALID_FOR,
            ).pk  # fmt: skip

    empty = make.agency("Initech")
    rows = {sent(agency_id): agency_id for agency_id in (cast.acme.pk, empty.pk)}
    wait = import_module("callprivacy.accounts.migrations.0022_an_officer_has_two")
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(wait._OPERATORS)
    found = []
    for pk, agency_id in rows.items():
        with job_scope(agency_id=agency_id):
            found.append(Invitation.objects.get(pk=pk).needs_second)
    assert found == [True, False]
