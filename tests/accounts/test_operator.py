"""The operator's pages: agencies and people to look at, two deeds, and nothing of any caller."""

import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from callprivacy.accounts.admin import site
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Invitation, Membership, User
from callprivacy.accounts.services import invitations
from callprivacy.audit.models import Event, HouseEvent
from callprivacy.calls.models import Call
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope, operator_scope
from callprivacy.vault.fields import open_secret
from tests import cast, make
from tests.accounts.browsers import BACKEND, code_of, give_codes, now, sign_in, signed_in
from tests.make import PASSWORD
from tests.scale import some

pytestmark = pytest.mark.django_db
FRESH = "Another-Horse-8-Battery"
PAGES = (
    "/operator/",
    "/operator/tenancy/agency/",
    "/operator/tenancy/agency/new/",
    "/operator/accounts/membership/",
)


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


@pytest.fixture
def operator() -> Browser:
    user = User.objects.create_user("op@platform.example", PASSWORD, name="Olga", is_staff=True)
    give_codes(user)
    browser = Browser()
    browser.force_login(user, backend=BACKEND)
    return browser


@pytest.mark.parametrize("url", some(PAGES, one_in=4))
@pytest.mark.parametrize("who", ["alice", "bob", "carol", "mallory"])
def test_for_everybody_else_there_is_nothing(people: cast.Cast, who: str, url: str) -> None:
    assert signed_in(getattr(people, who)).get(url).status_code == 404


def test_a_stranger_is_sent_to_the_one_door(people: cast.Cast) -> None:
    for url in PAGES:
        answer = Browser().get(url, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/accounts/login/")


def test_an_operator_sees_agencies_and_people(people: cast.Cast, operator: Browser) -> None:
    assert operator.get("/")["Location"] == "/operator/"
    assert "Agencies and people" in operator.get("/operator/").content.decode()
    page = operator.get("/operator/tenancy/agency/").content.decode()
    assert "Acme" in page
    assert "Globex" in page
    assert operator.get(f"/operator/tenancy/agency/{people.acme.pk}/change/").status_code == 200
    page = operator.get("/operator/accounts/membership/?q=bob").content.decode()
    assert "bob@acme.example" in page
    assert operator.get(f"/operator/accounts/membership/{people.bob.pk}/change/").status_code == 200


def test_an_operator_without_a_second_factor_can_only_add_one(operator: Browser) -> None:
    Authenticator.objects.all().delete()
    for url in PAGES:
        for method in (operator.get, operator.post):
            assert method(url)["Location"] == "/accounts/2fa/", url
    page = operator.get("/accounts/2fa/").content.decode()
    assert "Your role needs a second factor" in page
    assert operator.get("/accounts/password/change/").status_code == 200


def test_an_operator_keeps_the_last_second_factor(operator: Browser) -> None:
    operator.post("/accounts/reauthenticate/", {"password": PASSWORD})
    operator.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.exists()


def test_nothing_is_changed_or_deleted_there(people: cast.Cast, operator: Browser) -> None:
    acme, bob = people.acme.pk, people.bob.pk
    for url in (
        f"/operator/tenancy/agency/{acme}/change/",
        f"/operator/tenancy/agency/{acme}/delete/",
        "/operator/tenancy/agency/add/",
        f"/operator/accounts/membership/{bob}/change/",
        f"/operator/accounts/membership/{bob}/delete/",
    ):
        with job_scope(agency_id=acme):
            before = Event.objects.count()
        assert operator.post(url, {"name": "X", "role": "admin"}).status_code in {403, 404}, url
        with job_scope(agency_id=acme):
            assert Event.objects.count() == before
    with job_scope(agency_id=acme):
        assert Membership.objects.get(pk=bob).role == "reviewer"


def test_only_agencies_and_memberships_are_registered_and_no_callers_row_is_reached(
    people: cast.Cast,
) -> None:
    make.call(people.dentist, "+12125550101")
    assert set(site._registry) == {Agency, Membership}
    with operator_scope():
        assert Agency.objects.count() == 2
        assert Call.objects.count() == Client.objects.count() == Invitation.objects.count() == 0


def test_an_operator_makes_an_agency_and_invites_officers(people: cast.Cast, operator: Browser) -> None:
    given = {
        "name": "Northlight",
        "time_zone": "America/Denver",
        "officer_name": "Ann",
        "officer": "ann@northlight.example",
    }
    answer = operator.post("/operator/tenancy/agency/new/", given, follow=True)
    assert "Northlight is there" in answer.content.decode()
    with operator_scope():
        northlight = Agency.objects.get(slug="northlight")
    with job_scope(agency_id=northlight.pk):
        assert Invitation.objects.get().email == "ann@northlight.example"
        event = Event.objects.filter(action="agency.created").get()
    assert event.actor_kind == "operator"
    assert event.actor_user_id == User.objects.get(email="op@platform.example").pk
    assert (
        "called northlight already" in operator.post("/operator/tenancy/agency/new/", given).content.decode()
    )
    url = f"/operator/tenancy/agency/{northlight.pk}/officer/"
    assert operator.get(url).status_code == 200
    assert operator.post(url, {"name": "Bea", "email": "bea@northlight.example"}).status_code == 302
    again = operator.post(url, {"name": "Bea", "email": "bea@northlight.example"})
    assert "is open already" in again.content.decode()
    assert operator.post("/operator/tenancy/agency/999999/officer/", {"name": "B"}).status_code == 404


def _invite(operator: Browser, agency: Agency, email: str = "rita@acme.example") -> Any:
    return operator.post(f"/operator/tenancy/agency/{agency.pk}/officer/", {"name": "Rita", "email": email})


def _nobody_manages(people: cast.Cast) -> None:
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk__in=[people.alice.pk, people.carol.pk]).update(state="suspended")


def test_an_agency_with_an_officer_gets_none_of_the_operators(
    people: cast.Cast, operator: Browser, mailoutbox: list[EmailMessage]
) -> None:
    """Else an operator would let themselves in, with everything on every client, and nobody there were asked."""
    acme = people.acme.pk
    with job_scope(agency_id=acme):
        before = Event.objects.count()
    page = operator.get(f"/operator/tenancy/agency/{acme}/officer/").content.decode()
    assert "Acme has compliance officers" in page
    assert '<input type="submit"' not in page

    answer = _invite(operator, people.acme, "op@platform.example")

    assert answer.status_code == 200
    assert "Acme has compliance officers" in answer.content.decode()
    with job_scope(agency_id=acme):
        assert not Invitation.objects.exists()
        assert Event.objects.count() == before
    assert mailoutbox == []
    page = operator.get(f"/operator/tenancy/agency/{acme}/change/").content.decode()
    assert "Invite an officer" not in page
    assert "Its officers invite new officers." in page


def test_one_active_officer_is_enough(people: cast.Cast, operator: Browser) -> None:
    _nobody_manages(people)
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk=people.alice.pk).update(state="active")
    assert _invite(operator, people.acme).status_code == 200
    User.objects.filter(pk=people.alice.user_id).update(is_active=False)
    assert _invite(operator, people.acme).status_code == 302


@pytest.mark.as_committed
def test_an_admin_confirms_the_officer_whom_an_operator_invites(
    people: cast.Cast, operator: Browser, mailoutbox: list[EmailMessage]
) -> None:
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk=people.alice.pk).update(state="suspended")
    assert _invite(operator, people.acme).status_code == 302
    with job_scope(agency_id=people.acme.pk):
        row = Invitation.objects.get()
    told = {mail.to[0]: str(mail.body) for mail in mailoutbox}
    assert set(told) == {"bob@acme.example", "carol@acme.example"}, "no link is sent yet"
    assert "confirms the invitation under People > Officers" in told["carol@acme.example"]
    confirm = f"/operator/tenancy/agency/{people.acme.pk}/officer/{row.pk}/confirm/"
    answer = operator.post(confirm, follow=True)
    assert "A person in the agency has to confirm it." in answer.content.decode()
    answer = signed_in(people.carol).post(f"/people/officers/{row.pk}/confirm/", follow=True)
    assert "Rita gets a link by mail" in answer.content.decode()
    assert mailoutbox[-1].to == ["rita@acme.example"]


@pytest.mark.as_committed
def test_an_agency_that_nobody_manages_gets_an_officer_and_everybody_there_is_told(
    people: cast.Cast, operator: Browser, mailoutbox: list[EmailMessage]
) -> None:
    _nobody_manages(people)
    page = operator.get(f"/operator/tenancy/agency/{people.acme.pk}/change/").content.decode()
    assert "Invite an officer" in page

    assert _invite(operator, people.acme).status_code == 302

    with job_scope(agency_id=people.acme.pk):
        event = Event.objects.filter(action="invitation.sent").get()
    assert event.actor_kind == "operator"
    assert event.actor_user_id == User.objects.get(email="op@platform.example").pk
    letters = {mail.to[0]: mail for mail in mailoutbox}
    assert set(letters) == {"rita@acme.example", "bob@acme.example"}, "who is suspended is told nothing"
    told = letters["bob@acme.example"]
    assert told.subject == "A compliance officer was invited to Acme"
    assert "rita@acme.example" in str(told.body)
    assert "/invitation/" not in str(told.body)


# --- The one who managed people is locked out ---


def _replace(lost: str = "alice@acme.example", officer: str = "rita@acme.example", *more: str) -> str:
    out = io.StringIO()
    call_command(
        "replace_manager", "--agency", "acme", "--lost", lost, "--officer", officer, *more, stdout=out
    )
    return out.getvalue()


def _alone(people: cast.Cast) -> None:
    """Alice manages people alone, and was signed in two days ago."""
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk=people.carol.pk).update(state="suspended")
    User.objects.filter(pk=people.alice.user_id).update(last_login=now() - timedelta(days=2))


@pytest.mark.as_committed
def test_who_alone_managed_people_and_is_locked_out_is_replaced(
    people: cast.Cast, mailoutbox: list[EmailMessage]
) -> None:
    _alone(people)
    inside = signed_in(people.alice)
    UserSession.objects.update(last_seen_at=now() - timedelta(days=2))
    User.objects.filter(pk=people.alice.user_id).update(last_login=now() - timedelta(days=2))
    password = User.objects.get(pk=people.alice.user_id).password
    with job_scope(agency_id=people.acme.pk):
        sent = invitations.invite(
            agency_id=people.acme.pk, email="rita@acme.example", name="Rita", role=Role.REVIEWER, client_ids=[],
            by=Actor.staff(user_id=people.alice.user_id), at=now(),
        )[0]  # fmt: skip

    path = _replace().split()[-1].removeprefix("http://127.0.0.1:8000")

    assert inside.get("/").status_code == 302, "her sessions have ended"
    assert User.objects.get(pk=people.alice.user_id).password == password, "no account changes hands"
    letters = {mail.to[0]: str(mail.body) for mail in mailoutbox}
    assert set(letters) == {"rita@acme.example", "bob@acme.example", "alice@acme.example"}
    assert "has suspended alice@acme.example at Acme" in letters["alice@acme.example"]
    with job_scope(agency_id=people.acme.pk):
        event = Event.objects.get(action="person.suspended")
        assert (event.actor_kind, event.actor_user_id) == ("operator", None)
        assert event.details["replaced"]
        assert Event.objects.filter(action="invitation.sent", actor_kind="operator").count() == 1
        sent.refresh_from_db()
        assert sent.withdrawn_at, "whom she had invited does not come in"
    given = {"name": "Rita", "password1": FRESH, "password2": FRESH}
    assert Browser().post(path, given)["Location"] == "/"
    with job_scope(agency_id=people.acme.pk):
        active = Membership.objects.filter(role="officer", state="active").select_related("user")
        assert [one.user.email for one in active] == ["rita@acme.example"]


def test_nobody_is_replaced_where_it_is_not_safe(people: cast.Cast, mailoutbox: list[EmailMessage]) -> None:
    with pytest.raises(CommandError, match="Acme has people who manage people"):
        _replace()
    _alone(people)
    for lost, officer, why in (
        ("bob@acme.example", "rita@acme.example", "Nobody active who manages people"),
        ("carol@acme.example", "rita@acme.example", "Nobody active who manages people"),
        ("mallory@globex.example", "rita@acme.example", "Nobody active who manages people"),
        ("alice@acme.example", "rita", "is no e-mail address"),
    ):
        with pytest.raises(CommandError, match=why):
            _replace(lost, officer)
    User.objects.filter(pk=people.alice.user_id).update(last_login=now() - timedelta(hours=23))
    with pytest.raises(CommandError, match="was here within a day"):
        _replace()
    with job_scope(agency_id=people.acme.pk):
        assert Membership.objects.get(pk=people.alice.pk).state == "active"
        assert not Invitation.objects.exists()
    assert mailoutbox == []
    assert "/invitation/" in _replace("Alice@acme.example", "rita@acme.example", "--taken-over")


@pytest.mark.as_committed
def test_once_somebody_manages_people_no_other_link_of_an_operator_lets_in(
    people: cast.Cast, operator: Browser, mailoutbox: list[EmailMessage]
) -> None:
    """An operator who had invited themselves beside the first officer would come in later, and unasked."""
    _nobody_manages(people)
    for email in ("rita@acme.example", "late@platform.example"):
        assert _invite(operator, people.acme, email).status_code == 302
    links = {
        mail.to[0]: next(word for word in str(mail.body).split() if "/invitation/" in word)
        for mail in mailoutbox
        if "/invitation/" in str(mail.body)
    }
    path, late = (
        links[one].removeprefix("http://127.0.0.1:8000")
        for one in ("rita@acme.example", "late@platform.example")
    )
    given = {"name": "Rita", "password1": FRESH, "password2": FRESH}
    assert Browser().post(path, given)["Location"] == "/"

    assert Browser().get(late).status_code == 410
    assert Browser().post(late, given).status_code == 410
    with job_scope(agency_id=people.acme.pk):
        assert Membership.objects.filter(role="officer", state="active").count() == 1
        event = Event.objects.filter(action="invitation.withdrawn").get()
        assert event.subject_id == str(Invitation.objects.get(email="late@platform.example").pk)
        assert not Invitation.objects.get(email="rita@acme.example").withdrawn_at


def test_what_who_manages_people_has_sent_stays_open_when_another_one_comes(people: cast.Cast) -> None:
    by = Actor.staff(user_id=people.carol.user_id)
    with job_scope(agency_id=people.acme.pk):
        sent = [
            invitations.invite(
                agency_id=people.acme.pk,
                email=email,
                name="X",
                role=Role.ADMIN,
                client_ids=[],
                by=by,
                at=now(),
            )[0]
            for email in ("one@acme.example", "two@acme.example")
        ]
        invitations.accept(invitation=sent[0], name="One", password=FRESH, at=now())
        assert Invitation.objects.get(pk=sent[1].pk).withdrawn_at is None


def test_an_operator_who_stops_being_one_is_out_at_once(people: cast.Cast, operator: Browser) -> None:
    User.objects.filter(email="op@platform.example").update(is_staff=False)
    assert operator.get("/operator/").status_code == 404
    assert operator.get("/clients/")["Location"] == "/accounts/login/"


def test_an_operators_sign_in_is_in_the_houses_log(people: cast.Cast, operator: Browser) -> None:
    from callprivacy.audit.models import HouseEvent

    browser = Browser()
    assert sign_in(browser, "op@platform.example")["Location"] == "/accounts/2fa/authenticate/"
    user = User.objects.get(email="op@platform.example")
    seed = open_secret(Authenticator.objects.get(user=user, type="totp").data["secret"])
    assert browser.post("/accounts/2fa/authenticate/", {"code": code_of(seed)}).status_code == 302
    assert browser.get("/operator/").status_code == 200
    with operator_scope():
        assert HouseEvent.objects.filter(action="person.signed_in", at__lte=now()).exists()


# --- how one becomes an operator ---


def _create(email: str) -> str:
    said = io.StringIO()
    call_command("create_operator", email, stdout=said)
    return said.getvalue()


def _houses_actions() -> list[str]:
    with operator_scope():
        return list(HouseEvent.objects.order_by("id").values_list("action", flat=True))


def test_a_new_operator_chooses_a_password_by_a_link_that_works_once(people: cast.Cast) -> None:
    said = _create("Olga@platform.example")
    link = said.split()[-1]
    assert link.startswith("http://127.0.0.1:8000/accounts/password/reset/key/")
    path = link.removeprefix("http://127.0.0.1:8000")
    browser = Browser()
    assert sign_in(browser, "olga@platform.example", "").status_code == 200
    form = browser.get(path)["Location"]
    assert browser.post(form, {"password1": FRESH, "password2": FRESH}).status_code == 302
    assert sign_in(browser, "olga@platform.example", FRESH).status_code == 302
    assert browser.get("/operator/")["Location"] == "/accounts/2fa/"
    browser.post("/accounts/reauthenticate/", {"password": FRESH})
    seed = browser.get("/accounts/2fa/totp/activate/").context["form"].secret
    assert browser.post("/accounts/2fa/totp/activate/", {"code": code_of(seed)}).status_code == 302
    assert browser.get("/")["Location"] == "/operator/"
    assert browser.get("/operator/").status_code == 200
    assert browser.get("/clients/")["Location"] == "/operator/"
    assert "password1" not in Browser().get(path).content.decode()
    assert "operator.created" in _houses_actions()
    assert User.objects.get(email="olga@platform.example").is_superuser is False


def test_who_did_not_use_the_link_gets_another_and_the_deed_is_written_once(db: None) -> None:
    first, second = (_create("olga@platform.example").split()[-1] for _ in range(2))
    forms = [
        "password1" in Browser().get(urlsplit(one).path, follow=True).content.decode()
        for one in (first, second)
    ]
    assert forms == [False, True]
    assert _houses_actions() == ["operator.created"]


def test_a_person_of_an_agency_keeps_their_sign_in(people: cast.Cast) -> None:
    said = _create("bob@acme.example")
    assert "with the sign-in they have" in said
    assert "/reset/key/" not in said
    browser = Browser()
    assert sign_in(browser, "bob@acme.example", PASSWORD).status_code == 302
    assert browser.get("/operator/")["Location"] == "/accounts/2fa/"
    give_codes(people.bob.user)
    assert browser.get("/operator/").status_code == 200
    assert browser.get("/work/").status_code == 200


def test_no_operator_is_made_of_a_word_or_of_a_sign_in_that_is_off(people: cast.Cast) -> None:
    with pytest.raises(CommandError, match="no e-mail address"):
        _create("olga")
    User.objects.filter(email="bob@acme.example").update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        _create("bob@acme.example")
    assert _houses_actions() == []
