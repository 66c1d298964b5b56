"""Coming in: a link that works once, for a week, and of which only the digest is kept."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from callprivacy.accounts import access
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Invitation, Membership, User
from callprivacy.accounts.services import invitations
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose, Permission
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from tests import cast
from tests.accounts.browsers import actions_of, inputs_of, is_in, now, sign_in, signed_in
from tests.make import PASSWORD

pytestmark = pytest.mark.django_db
FRESH = {"name": "Dora Day", "password1": "Another-Horse-8-Battery", "password2": "Another-Horse-8-Battery"}


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def invite(people: cast.Cast, email: str = "dora@acme.example", **given: Any) -> tuple[Invitation, str]:
    facts: dict[str, Any] = {
        "agency_id": people.acme.pk,
        "email": email,
        "name": "Dora",
        "role": Role.REVIEWER,
        "client_ids": [people.dentist.pk],
        "by": Actor.staff(user_id=people.carol.user_id),
        "at": now(),
    }
    with job_scope(agency_id=people.acme.pk):
        return invitations.invite(**(facts | given))


def membership_of(people: cast.Cast, email: str) -> Membership:
    with job_scope(agency_id=people.acme.pk):
        return Membership.objects.select_related("user").get(user__email=email)


def test_somebody_comes_in_with_name_password_role_and_grants(people: cast.Cast) -> None:
    _, token = invite(people)
    browser = Browser()
    page = browser.get(f"/invitation/{token}/")
    assert "Acme invites dora@acme.example as reviewer." in page.content.decode()
    assert browser.post(f"/invitation/{token}/", FRESH)["Location"] == "/"
    assert is_in(browser)
    dora = membership_of(people, "dora@acme.example")
    assert (dora.user.name, dora.role, dora.state) == ("Dora Day", "reviewer", "active")
    with job_scope(agency_id=people.acme.pk):
        seen = access.clients_with(dora, Permission.REVEAL_NUMBERS, at=now())
        assert list(seen) == [people.dentist]
        grant = access.grants_of(dora, at=now()).first()
        assert grant is not None
        assert grant.granted_by_id == people.carol.user_id
    assert actions_of(people.acme.pk)[-3:] == ["invitation.accepted", "grant.changed", "person.signed_in"]


def test_only_the_digest_of_a_token_is_kept(people: cast.Cast) -> None:
    invitation, token = invite(people)
    assert token not in str(vars(invitation))
    key = PublicKey.objects.get(purpose="invitation")
    assert key.key == bytes(invitation.digest).hex()
    assert (key.agency_id, key.client_id) == (people.acme.pk, None)
    assert tenancy.find_public_key(token, KeyPurpose.INVITATION) is None


def test_the_page_of_an_invitation_hides_the_password_that_is_typed(people: cast.Cast) -> None:
    _, token = invite(people)
    page = Browser().get(f"/invitation/{token}/").content.decode()
    assert inputs_of(page)["password1"] == inputs_of(page)["password2"] == "password"


def test_a_used_link_says_so(people: cast.Cast) -> None:
    _, token = invite(people)
    Browser().post(f"/invitation/{token}/", FRESH)
    for answer in (Browser().get(f"/invitation/{token}/"), Browser().post(f"/invitation/{token}/", FRESH)):
        assert answer.status_code == 410
        assert "This link was used" in answer.content.decode()


def test_a_newer_link_ends_the_one_before(people: cast.Cast) -> None:
    invitation, old = invite(people)
    with job_scope(agency_id=people.acme.pk):
        new = invitations.renew(invitation=invitation, by=Actor.staff(user_id=people.carol.user_id), at=now())
    for token, status in ((old, 404), (new, 200)):
        assert Browser().get(f"/invitation/{token}/").status_code == status
    assert Browser().post(f"/invitation/{old}/", FRESH).status_code == 404
    assert PublicKey.objects.filter(purpose="invitation").count() == 1
    assert new not in str(PublicKey.objects.filter(purpose="invitation").values())


def test_an_expired_link_says_so(people: cast.Cast) -> None:
    _, token = invite(people, at=now() - timedelta(days=7, seconds=1))
    answer = Browser().post(f"/invitation/{token}/", FRESH)
    assert answer.status_code == 410
    assert "This link has expired" in answer.content.decode()
    assert not User.objects.filter(email="dora@acme.example").exists()


def test_a_withdrawn_link_says_so(people: cast.Cast) -> None:
    invitation, token = invite(people)
    signed_in(people.carol).post(f"/people/invitations/{invitation.pk}/withdraw/")
    answer = Browser().post(f"/invitation/{token}/", FRESH)
    assert answer.status_code == 410
    assert "This invitation was withdrawn" in answer.content.decode()


def test_a_link_that_never_was_opens_nothing(people: cast.Cast) -> None:
    answer = Browser().get("/invitation/not-a-token/")
    assert answer.status_code == 404
    assert "This link opens nothing" in answer.content.decode()


def test_a_claim_is_won_once(people: cast.Cast) -> None:
    invitation, _ = invite(people)
    with job_scope(agency_id=people.acme.pk):
        invitations.accept(invitation=invitation, name="D", password=PASSWORD, at=now())
        with pytest.raises(invitations.InvitationGoneError):
            invitations.accept(invitation=invitation, name="D", password=PASSWORD, at=now())


def test_a_bad_password_leaves_the_link_open(people: cast.Cast) -> None:
    _, token = invite(people)
    answer = Browser().post(f"/invitation/{token}/", FRESH | {"password1": "horse", "password2": "horse"})
    assert "Add 7 more characters" in answer.content.decode()
    answer = Browser().post(f"/invitation/{token}/", FRESH | {"password2": "other"})
    assert "The two are not the same." in answer.content.decode()
    assert Browser().get(f"/invitation/{token}/").status_code == 200


def test_who_comes_in_is_granted_no_client_that_has_left_since(people: cast.Cast) -> None:
    _, token = invite(people, client_ids=[people.dentist.pk, people.plumber.pk])
    with job_scope(agency_id=people.acme.pk):
        Client.objects.filter(pk=people.plumber.pk).update(archived_at=now())
    assert Browser().post(f"/invitation/{token}/", FRESH)["Location"] == "/"
    dora = membership_of(people, "dora@acme.example")
    with job_scope(agency_id=people.acme.pk):
        granted = ClientGrant.objects.filter(user_id=dora.user_id)
        assert set(granted.values_list("content_object_id", flat=True)) == {people.dentist.pk}


def test_who_has_a_sign_in_joins_with_it_and_nobody_else_does(people: cast.Cast) -> None:
    _, token = invite(people, "mallory@globex.example")
    url = f"/invitation/{token}/"
    assert "has a sign-in already" in Browser().get(url).content.decode()
    Browser().post(url, FRESH)
    signed_in(people.bob).post(url, FRESH)
    with job_scope(agency_id=people.acme.pk):
        assert not Membership.objects.filter(user=people.mallory.user).exists()
    mallory = Browser()
    sign_in(mallory, "mallory@globex.example")
    assert "Join Acme" in mallory.get(url).content.decode()
    assert mallory.post(url)["Location"] == "/"
    assert mallory.get("/clients/dentist/").status_code == 200
    assert mallory.get("/clients/florist/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_an_admin_invites_and_the_mail_holds_the_link(
    people: cast.Cast, mailoutbox: list[EmailMessage]
) -> None:
    browser = signed_in(people.carol)
    given = {"name": "Dora", "email": "Dora@Acme.example", "role": "analyst", "everything": "on"}
    assert browser.post("/people/invite/", given)["Location"] == "/people/"
    (mail,) = mailoutbox
    assert mail.to == ["dora@acme.example"]
    link = next(word for word in str(mail.body).split() if "/invitation/" in word)
    assert link.startswith("http://127.0.0.1:8000/invitation/")
    with job_scope(agency_id=people.acme.pk):
        invitation = Invitation.objects.get()
    assert invitation.client_ids == sorted([people.dentist.pk, people.plumber.pk])
    assert invitation.sent_at is not None
    again = browser.post("/people/invite/", given)
    assert "is open already" in again.content.decode()
    member = browser.post("/people/invite/", given | {"email": "bob@acme.example"})
    assert "in the agency already" in member.content.decode()
    old = link.removeprefix("http://127.0.0.1:8000")
    browser.post(f"/people/invitations/{invitation.pk}/send/")
    assert Browser().get(old).status_code == 404
    new = next(word for word in str(mailoutbox[1].body).split() if "/invitation/" in word)
    assert Browser().get(new.removeprefix("http://127.0.0.1:8000")).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_fails_is_shown_as_not_sent(
    people: cast.Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)
    browser = signed_in(people.carol)
    answer = browser.post(
        "/people/invite/", {"name": "Dora", "email": "dora@acme.example", "role": "analyst"}, follow=True
    )
    assert "Email not sent" in answer.content.decode()


def test_a_client_of_another_agency_cannot_be_named(people: cast.Cast) -> None:
    answer = signed_in(people.carol).post(
        "/people/invite/",
        {"name": "D", "email": "d@acme.example", "role": "analyst", "clients": people.florist.pk},
    )
    assert answer.status_code == 200
    assert "Pick one from the list" in answer.content.decode()


def test_create_agency_prints_the_link_of_its_officer(db: None) -> None:
    said = io.StringIO()
    call_command("create_agency", "Northlight", officer="ann@northlight.example", stdout=said)
    link = said.getvalue().splitlines()[-1]
    assert link.startswith("http://127.0.0.1:8000/invitation/")
    browser = Browser()
    assert browser.post(link.removeprefix("http://127.0.0.1:8000"), FRESH).status_code == 302
    assert browser.get("/people/invite/").status_code == 200
    with pytest.raises(CommandError, match="called northlight already"):
        call_command("create_agency", "Northlight", officer="ann@northlight.example", stdout=said)
    with pytest.raises(CommandError, match="no e-mail address"):
        call_command("create_agency", "Other", officer="ann", stdout=said)
    with pytest.raises(CommandError, match="no time zone"):
        call_command("create_agency", "Other", officer="a@b.example", time_zone="Mars/Base", stdout=said)


def test_who_presses_twice_at_once_is_in_and_told_that_the_link_was_used(
    people: cast.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other press wins between the look at the invitation and the claim."""
    _, token = invite(people, "mallory@globex.example")
    browser, press = signed_in(people.mallory), invitations.accept_as

    def after_another(**given: Any) -> None:
        press(**given)
        press(**given)

    monkeypatch.setattr(invitations, "accept_as", after_another)
    answer = browser.post(f"/invitation/{token}/")
    assert (answer.status_code, answer["Location"]) == (302, f"/invitation/{token}/")
    assert browser.get(f"/invitation/{token}/").status_code == 410
    assert membership_of(people, "mallory@globex.example").role == Role.REVIEWER
