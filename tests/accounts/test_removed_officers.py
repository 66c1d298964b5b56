"""Who removes the other officers does not become one who signs alone by it, and all of them hear of it."""

from datetime import datetime, timedelta

import pytest
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight, Role
from callprivacy.accounts.models import Membership, SignInProvider
from callprivacy.accounts.services import agencies, invitations, leaving, officers, passwords, people, sso
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import kinds
from callprivacy.work import services as work
from callprivacy.work.models import Item, Notification
from tests.accounts.browsers import now, signed_in
from tests.accounts.test_officers import by, invited
from tests.cast import Cast
from tests.make import NOON

AFTER = NOON + timedelta(hours=72)


def remove(how: str, member: Membership, giver: Membership) -> None:
    with staff_scope(agency_id=member.agency_id, user_id=giver.user_id):
        if how == "suspend":
            people.suspend(membership=member, by=by(giver), at=NOON)
        elif how == "demote":
            people.change_role(membership=member, role=Role.ADMIN, by=by(giver), at=NOON)
        else:
            leaving.leave(membership=member, by=by(giver), at=NOON)


def has_another(cast: Cast, right: AgencyRight = AgencyRight.SIGN_OFF, *, at: datetime = NOON) -> bool:
    with job_scope(agency_id=cast.acme.pk):
        return access.has_another(right, agency_id=cast.acme.pk, at=at, but=cast.alice.user_id)


@pytest.mark.parametrize("how", ["suspend", "demote", "leave"])
@pytest.mark.as_committed
def test_a_removed_officer_counts_as_another_one_for_72_hours_and_all_hear_of_it(
    cast: Cast,
    erin: Membership,
    mailoutbox: list[EmailMessage],
    how: str,
) -> None:
    remove(how, erin, cast.alice)
    assert has_another(cast, at=AFTER - timedelta(seconds=1))
    assert not has_another(cast, at=AFTER)
    mails = {mail.to[0]: str(mail.body) for mail in mailoutbox}
    assert set(mails) == {"alice@acme.example", "erin@acme.example"}
    assert "Erin can no longer sign as a compliance officer of Acme: Alice " in mails["erin@acme.example"]
    with job_scope(agency_id=cast.acme.pk):
        for _ in range(2):
            work.mind_people(agency_id=cast.acme.pk, at=NOON)
        assert Item.objects.open().filter(kind=kinds.OFFICER_REMOVED).count() == 1
        assert Notification.objects.get(kind=kinds.OFFICER_REMOVED).user_id == cast.alice.user_id


def test_the_page_of_officers_says_what_holds_where_there_is_one(cast: Cast, erin: Membership) -> None:
    def page() -> str:
        return str(signed_in(cast.alice).get("/people/officers/").content.decode())

    alone, removed = (
        "This agency has one officer",
        "Erin is no longer an officer, but counts as another officer",
    )
    assert (alone in page(), removed in page()) == (False, False)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        people.suspend(membership=erin, by=by(cast.alice), at=now())
    assert (alone in page(), removed in page()) == (False, True)
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=erin.pk).update(officer_until=now())
    assert (alone in page(), removed in page()) == (True, False)


def test_two_steps_of_removing_an_officer_shorten_nothing(cast: Cast, erin: Membership) -> None:
    remove("demote", erin, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        erin = Membership.objects.select_related("user", "agency").get(pk=erin.pk)
    remove("suspend", erin, cast.alice)
    assert has_another(cast)


def test_how_long_a_removed_officer_counts_is_the_agencys_to_set(
    cast: Cast,
    erin: Membership,
) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        passwords.change_policy(
            agency=cast.acme, values={"second_after_hours": 24}, by=by(cast.alice), at=NOON
        )
    with job_scope(agency_id=cast.acme.pk):
        erin = Membership.objects.select_related("user", "agency").get(pk=erin.pk)
    remove("suspend", erin, cast.alice)
    assert not has_another(cast, at=NOON + timedelta(hours=24))


def test_who_removed_the_other_managers_agrees_to_no_provider_alone(cast: Cast) -> None:
    row = SignInProvider(agency=cast.acme, proposed_by_id=cast.alice.user_id)
    remove("suspend", cast.carol, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        assert "Somebody else who manages people" in sso.why_not_agree(
            row, user_id=cast.alice.user_id, at=NOON
        )
        assert not sso.why_not_agree(row, user_id=cast.alice.user_id, at=AFTER)


def test_managers_who_removed_the_officers_agree_to_no_provider(cast: Cast) -> None:
    row = SignInProvider(agency=cast.acme, proposed_by_id=cast.carol.user_id)
    remove("suspend", cast.alice, cast.carol)
    with job_scope(agency_id=cast.acme.pk):
        assert sso.why_not_agree(row, user_id=cast.bob.user_id, at=NOON).startswith("A compliance officer")


def test_who_demoted_the_other_officers_does_not_switch_off_their_signature(
    cast: Cast,
    erin: Membership,
) -> None:
    remove("leave", erin, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        assert agencies.has_other_officers(cast.acme, but=cast.alice.user_id, at=NOON)
        assert not agencies.has_other_officers(cast.acme, but=cast.alice.user_id, at=AFTER)


def test_an_operator_confirms_nothing_in_place_of_a_removed_officer(cast: Cast, erin: Membership) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        people.suspend(membership=erin, by=by(cast.alice), at=now())
    invited(cast, "new", cast.alice, at=now())
    with pytest.raises(CommandError, match="Erin was recently a compliance officer"):
        call_command("confirm_officer", "--agency", "acme", "--officer", "new@acme.example")


def test_an_admin_who_removed_the_officers_confirms_none(cast: Cast) -> None:
    remove("suspend", cast.alice, cast.carol)
    with job_scope(agency_id=cast.acme.pk):
        row, _ = invitations.invite(
            agency_id=cast.acme.pk, email="own@platform.example", name="Own", role=Role.OFFICER, client_ids=[],
            by=Actor.operator(user_id=None), at=NOON,
        )  # fmt: skip
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        with pytest.raises(officers.RemovedLatelyError):
            officers.confirm(invitation=row, by=by(cast.carol), at=NOON)
        officers.confirm(invitation=row, by=by(cast.carol), at=AFTER)
