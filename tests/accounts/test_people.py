"""Who manages people: roles, suspension, and that somebody always can."""

import pytest
from django.test import Client as Browser

from callprivacy.accounts import access
from callprivacy.accounts.enums import ApiScope, Role
from callprivacy.accounts.models import ApiKey, Membership, User
from callprivacy.accounts.services import invitations
from callprivacy.accounts.services import people as deeds
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import cast
from tests.accounts.browsers import actions_of, is_in, sign_in, signed_in
from tests.consent.systems import system_of
from tests.make import NOON, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def state_of(person: Membership) -> tuple[str, str]:
    with job_scope(agency_id=person.agency_id):
        found = Membership.objects.get(pk=person.pk)
    return found.role, found.state


def test_suspending_signs_out_and_reactivating_lets_in_again(people: cast.Cast) -> None:
    bob, carol = Browser(), signed_in(people.carol)
    sign_in(bob, "bob@acme.example")
    carol.post(f"/people/{people.bob.pk}/suspend/")
    assert not is_in(bob)
    assert state_of(people.bob) == ("reviewer", "suspended")
    page = carol.get(f"/people/{people.bob.pk}/").content.decode()
    assert "While suspended" in page
    carol.post(f"/people/{people.bob.pk}/reactivate/")
    sign_in(bob, "bob@acme.example")
    assert bob.get("/clients/dentist/").status_code == 200
    said = actions_of(people.acme.pk)
    assert said.count("person.suspended") == said.count("person.reactivated") == 1


def test_a_second_suspension_is_no_second_deed(people: cast.Cast) -> None:
    by = Actor.staff(user_id=people.carol.user_id)
    with job_scope(agency_id=people.acme.pk):
        deeds.suspend(membership=people.bob, by=by, at=NOON)
        deeds.suspend(membership=people.bob, by=by, at=NOON)
        deeds.reactivate(membership=people.bob, by=by, at=NOON)
        deeds.reactivate(membership=people.bob, by=by, at=NOON)
    said = actions_of(people.acme.pk)
    assert said.count("person.suspended") == said.count("person.reactivated") == 1


@pytest.mark.parametrize("ticked", [True, False])
def test_keys_of_who_is_suspended_end_by_whoever_suspends(people: cast.Cast, ticked: bool) -> None:
    plain = system_of(people.dentist, people.alice, scopes=[ApiScope.CONSENT_WRITE])
    vouching = system_of(
        people.dentist, people.alice, scopes=[ApiScope.CONSENT_WRITE, ApiScope.CONSENT_PROVE]
    )
    # To Carol, who manages people, no client is granted.
    carol = signed_in(people.carol)
    assert "CRM of Dentist" in carol.get(f"/people/{people.alice.pk}/").content.decode()
    carol.post(f"/people/{people.alice.pk}/suspend/", {"keeps_keys": "on"} if ticked else {})
    with job_scope(agency_id=people.acme.pk):
        alive = {key.key for key in ApiKey.objects.filter(revoked_at=None)}
    assert alive == ({plain.key[4:24]} if ticked else set()), vouching


@pytest.mark.parametrize(
    ("path", "said"), [("suspend", {}), ("role", {"role": "reviewer"}), ("role", {"role": "admin"})]
)
def test_who_may_invite_nobody_any_more_leaves_no_way_in_behind(
    people: cast.Cast, path: str, said: dict[str, str]
) -> None:
    with job_scope(agency_id=people.acme.pk):
        _, token = invitations.invite(
            agency_id=people.acme.pk, email="carol@elsewhere.example", name="Carol", role=Role.ADMIN,
            client_ids=[people.dentist.pk], by=Actor.staff(user_id=people.carol.user_id), at=now(),
        )  # fmt: skip
    signed_in(people.alice).post(f"/people/{people.carol.pk}/{path}/", said)
    stays = said == {"role": "admin"}
    assert Browser().get(f"/invitation/{token}/").status_code == (200 if stays else 410)


def test_a_role_is_changed_and_grants_stay(people: cast.Cast) -> None:
    answer = signed_in(people.carol).post(f"/people/{people.bob.pk}/role/", {"role": "agent"}, follow=True)
    assert "Bob is agent now." in answer.content.decode()
    assert state_of(people.bob)[0] == "agent"
    assert signed_in(people.bob).get("/clients/dentist/").status_code == 200
    assert actions_of(people.acme.pk)[-1] == "person.changed_role"


def test_nobody_changes_their_own_role_or_suspends_themselves(people: cast.Cast) -> None:
    browser = signed_in(people.carol)
    answer = browser.post(f"/people/{people.carol.pk}/role/", {"role": "analyst"})
    assert answer.status_code == 422
    assert "you cannot change your own role" in answer.content.decode()
    answer = browser.post(f"/people/{people.carol.pk}/suspend/", follow=True)
    assert "you cannot change your own role" in answer.content.decode()
    assert state_of(people.carol) == ("admin", "active")


def test_the_last_who_manages_people_stays(people: cast.Cast) -> None:
    by_job = Actor.job("tests")
    with job_scope(agency_id=people.acme.pk):
        deeds.suspend(membership=people.alice, by=by_job, at=NOON)
        with pytest.raises(deeds.LastManagerError):
            deeds.suspend(membership=people.carol, by=by_job, at=NOON)
        with pytest.raises(deeds.LastManagerError):
            deeds.change_role(membership=people.carol, role=Role.AGENT, by=by_job, at=NOON)
        by_herself = Actor.staff(user_id=people.carol.user_id)
        with pytest.raises(deeds.RoleAboveError):
            deeds.change_role(membership=people.carol, role=Role.OFFICER, by=by_herself, at=NOON)
    assert state_of(people.carol) == ("admin", "active")


def test_a_manager_whose_user_is_inactive_does_not_count(people: cast.Cast) -> None:
    people.alice.user.is_active = False
    people.alice.user.save(update_fields=["is_active"])
    with job_scope(agency_id=people.acme.pk), pytest.raises(deeds.LastManagerError):
        deeds.suspend(membership=people.carol, by=Actor.job("tests"), at=NOON)


@pytest.mark.parametrize("how", ["suspended", "switched off"])
def test_who_is_not_active_has_no_right(people: cast.Cast, how: str) -> None:
    if how == "suspended":
        with staff_scope(agency_id=people.acme.pk, user_id=people.carol.user_id):
            deeds.suspend(membership=people.alice, by=Actor.staff(user_id=people.carol.user_id), at=NOON)
    else:
        User.objects.filter(pk=people.alice.user_id).update(is_active=False)
    with job_scope(agency_id=people.acme.pk):
        found = Membership.objects.select_related("user").get(pk=people.alice.pk)
        active = Membership.objects.filter(agency=people.acme).active()
        assert {row.pk for row in active} == {people.bob.pk, people.carol.pk}
    assert not found.is_active
    assert found.rights == frozenset()


def test_row_security_lets_managers_alone_change_people(people: cast.Cast) -> None:
    from django.db import DatabaseError, transaction

    bob = people.bob
    with staff_scope(agency_id=people.acme.pk, user_id=bob.user_id):
        assert Membership.objects.filter(pk=bob.pk).update(role="admin") == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            access.write_bundle(
                agency_id=people.acme.pk,
                user_id=bob.user_id,
                client_ids=[people.plumber.pk],
                bundle=Role.OFFICER,
                granted_by_id=bob.user_id,
                at=NOON,
                ends_at=None,
            )
    with staff_scope(agency_id=people.acme.pk, user_id=people.carol.user_id):
        assert Membership.objects.filter(pk=bob.pk).update(role="agent") == 1


def test_the_list_is_filtered_and_asks_few_questions(people: cast.Cast) -> None:
    page = signed_in(people.alice).get("/people/?q=BOB@&role=reviewer").content.decode()
    assert "bob@acme.example" in page
    assert "carol@acme.example" not in page
    page = signed_in(people.alice).get("/people/?state=suspended").content.decode()
    assert "No rows match these filters" in page
