"""Officers are made by two, and one person with two sign-ins does not sign as two."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client as Browser

from callprivacy.accounts import seconding, tasks
from callprivacy.accounts.enums import AgencyRight, Role, Uncounted
from callprivacy.accounts.models import Invitation, Membership, SignInMark, SignInPolicy, User
from callprivacy.accounts.services import agencies, factors, grants, invitations, officers, passwords, people
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import kinds
from callprivacy.work import services as work
from callprivacy.work.models import Item, Notification
from tests import make
from tests.accounts.browsers import give_codes, now, sign_in, signed_in
from tests.cast import Cast
from tests.make import NOON

DAY = timedelta(days=1)
FRESH = "Fresh-Cedar-9-Lantern"


def by(person: Membership) -> Actor:
    return Actor.staff(user_id=person.user_id)


def invited(
    cast: Cast, name: str, giver: Membership, *, role: Role = Role.OFFICER, at: Any = NOON
) -> Invitation:
    with staff_scope(agency_id=cast.acme.pk, user_id=giver.user_id):
        return invitations.invite(
            agency_id=cast.acme.pk,
            email=f"{name}@acme.example",
            name=name.capitalize(),
            role=role,
            client_ids=[cast.dentist.pk],
            by=by(giver),
            at=at,
        )[0]


def let_in(
    cast: Cast,
    name: str,
    giver: Membership,
    second: Membership | None,
    *,
    role: Role = Role.OFFICER,
    at: Any = NOON,
) -> Membership:
    """Invite somebody, have it confirmed where it waits, and accept it."""
    row = invited(cast, name, giver, role=role, at=at)
    if second is not None:
        with staff_scope(agency_id=cast.acme.pk, user_id=second.user_id):
            officers.confirm(invitation=row, by=by(second), at=at)
    with job_scope(agency_id=cast.acme.pk):
        fresh = Invitation.objects.select_related("agency").get(pk=row.pk)
        user = invitations.accept(invitation=fresh, name=fresh.name, password=FRESH, at=at)
        return Membership.objects.select_related("user", "agency").get(agency=cast.acme, user=user)


def why(cast: Cast, proposer: Membership, signer: Membership, *, at: Any = NOON) -> Uncounted | None:
    with job_scope(agency_id=cast.acme.pk):
        doubt = seconding.may_second(
            proposer=proposer.user_id, signer=signer.user_id, agency_id=cast.acme.pk, at=at
        )
    return None if doubt is None else doubt.why


def ask(cast: Cast, asker: Membership, *, at: Any = NOON) -> Any:
    with staff_scope(agency_id=cast.acme.pk, user_id=asker.user_id):
        return factors.ask_reset(membership=cast.bob, by=by(asker), at=at)


def agree(cast: Cast, reset: Any, signer: Membership, *, at: Any = NOON) -> str:
    """What the second person hears; empty: it counted. As in a request, an error that is shown undoes nothing."""
    with staff_scope(agency_id=cast.acme.pk, user_id=signer.user_id):
        try:
            factors.decide_reset(reset=reset, agree=True, by=by(signer), at=at)
        except seconding.NotCountedError as error:
            return str(error)
    return ""


# --- one person as two officers ---


def test_an_admin_who_invites_two_officers_is_refused_everywhere(
    cast: Cast, mailoutbox: list[EmailMessage]
) -> None:
    carol = signed_in(cast.carol)
    given = {"name": "One", "email": "one@own.example", "role": "officer", "everything": "on"}
    page = carol.get("/people/invite/").content.decode()
    assert 'value="officer"' not in page
    assert carol.post("/people/invite/", given).status_code == 200
    assert carol.post(f"/people/{cast.bob.pk}/role/", {"role": "officer"}).status_code == 422
    carol.post(f"/people/{cast.bob.pk}/clients/dentist/", {"bundle": "officer"})
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        with pytest.raises(people.RoleAboveError):
            invitations.invite(
                agency_id=cast.acme.pk, email="one@own.example", name="One", role=Role.OFFICER,
                client_ids=[], by=by(cast.carol), at=NOON,
            )  # fmt: skip
        with pytest.raises(people.RoleAboveError):
            people.change_role(membership=cast.bob, role=Role.OFFICER, by=by(cast.carol), at=NOON)
        with pytest.raises(people.RoleAboveError):
            grants.set_bundle(
                membership=cast.bob, client=cast.dentist, bundle=Role.OFFICER, by=by(cast.carol), at=NOON,
                ends_at=None,
            )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        assert not Invitation.objects.exists()
        assert Membership.objects.filter(role=Role.OFFICER).count() == 1
    assert mailoutbox == []


def test_the_database_lets_no_request_of_the_staff_make_an_officer(cast: Cast, erin: Membership) -> None:
    for role in ("admin", "officer"):
        who = cast.carol if role == "admin" else cast.alice
        with (
            staff_scope(agency_id=cast.acme.pk, user_id=who.user_id),
            pytest.raises(DatabaseError, match="confirmed invitation"),
            transaction.atomic(),
        ):
            Membership.objects.filter(pk=cast.bob.pk).update(role="officer")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        people.suspend(membership=erin, by=by(cast.carol), at=NOON)


def test_two_officers_whom_one_person_invited_do_not_sign_for_each_other(
    cast: Cast, erin: Membership
) -> None:
    one, two = (let_in(cast, name, cast.alice, erin) for name in ("one", "two"))
    after = NOON + timedelta(hours=72)
    assert why(cast, one, two, at=after) is Uncounted.INVITER
    reset = ask(cast, one, at=after)
    assert "The same person gave you and the proposer your roles" in agree(cast, reset, two, at=after)
    with job_scope(agency_id=cast.acme.pk):
        reset.refresh_from_db()
        assert reset.decided_at is None, "it waits"
        event = Event.objects.get(action="signature.not_counted")
    assert (event.actor_user_id, event.details["why"]) == (two.user_id, "inviter")
    assert event.details["proposed_by"] == one.user_id
    assert agree(cast, reset, erin, at=after) == "", "an officer whom somebody else has made signs"


def test_the_way_to_who_gave_the_role_leads_through_others_and_ends_after_30_days(
    cast: Cast, erin: Membership
) -> None:
    one = let_in(cast, "one", cast.alice, erin)
    two = let_in(cast, "two", one, erin, at=NOON + DAY)
    three = let_in(cast, "three", cast.alice, erin, at=NOON + DAY)
    assert why(cast, three, two, at=NOON + 10 * DAY) is Uncounted.INVITER, "both hang on alice"
    assert why(cast, one, two, at=NOON + 10 * DAY) is Uncounted.INVITER
    assert why(cast, cast.alice, one, at=NOON + 10 * DAY) is None, "erin has confirmed whom alice invited"
    assert why(cast, three, two, at=NOON + 32 * DAY) is None


def test_an_admin_whom_the_proposer_invited_alone_does_not_sign_for_them(cast: Cast) -> None:
    dan = let_in(cast, "dan", cast.alice, None, role=Role.ADMIN)
    assert why(cast, cast.alice, dan, at=NOON + 4 * DAY) is Uncounted.INVITER
    assert why(cast, dan, cast.alice, at=NOON + 4 * DAY) is Uncounted.INVITER
    assert why(cast, cast.carol, dan, at=NOON + 4 * DAY) is None


def test_an_officer_whom_nobody_else_confirmed_does_not_sign_for_who_gave_the_role(
    cast: Cast, erin: Membership
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=erin.pk).update(made_by=cast.alice.user, made_at=NOON)
    assert why(cast, cast.alice, erin, at=NOON + 29 * DAY) is Uncounted.INVITER
    assert why(cast, erin, cast.alice, at=NOON + 29 * DAY) is Uncounted.INVITER
    assert why(cast, cast.alice, erin, at=NOON + 30 * DAY) is None


def test_a_new_officers_signature_does_not_count_for_72_hours(cast: Cast, erin: Membership) -> None:
    new = let_in(cast, "new", erin, cast.alice)
    last = NOON + timedelta(hours=72)
    assert why(cast, cast.alice, new, at=last - timedelta(seconds=1)) is Uncounted.NEW
    assert why(cast, cast.alice, new, at=last) is None
    assert why(cast, new, cast.alice) is None, "a new officer proposes, and another signs"


def test_how_long_a_new_officer_waits_is_the_agencys_to_set(cast: Cast, erin: Membership) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        passwords.change_policy(
            agency=cast.acme, values={"second_after_hours": 24}, by=by(cast.alice), at=NOON
        )
    first = let_in(cast, "first", erin, cast.alice)
    assert why(cast, cast.alice, first, at=NOON + timedelta(hours=23)) is Uncounted.NEW
    assert why(cast, cast.alice, first, at=NOON + DAY) is None
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        passwords.change_policy(
            agency=cast.acme, values={"second_after_hours": 720}, by=by(cast.alice), at=NOON
        )
        with pytest.raises(DatabaseError), transaction.atomic():
            SignInPolicy.objects.update(second_after_hours=23)
    assert why(cast, cast.alice, first, at=NOON + DAY) is None, "who is here already waits no longer"


def test_only_an_officer_sets_how_long_a_new_one_waits(cast: Cast) -> None:
    field = 'name="second_after_hours"'
    assert field in signed_in(cast.alice).get("/people/passwords/rule/").content.decode()
    assert field not in signed_in(cast.carol).get("/people/passwords/rule/").content.decode()
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id),
        pytest.raises(people.RoleAboveError),
    ):
        passwords.change_policy(
            agency=cast.acme, values={"second_after_hours": 24}, by=by(cast.carol), at=NOON
        )


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        ("Ann@Acme.example", "ann@acme.example", True),
        ("ann+a@acme.example", "ann+b@acme.example", True),
        ("a.nn@gmail.com", "ann+x@googlemail.com", True),
        ("a.nn@acme.example", "ann@acme.example", False),
        ("ann@acme.example", "ann@globex.example", False),
        ('"ann"@acme.example', "ann@acme.example", True),
        ('"a\\nn+x"@acme.example', "ann@acme.example", True),
        ('"a.n.n"@gmail.com', "ann@gmail.com", True),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example", True),
        ("ann@\uff41cme.example", "ann@acme.example", True),
        ("ann@acme.example.", "ann@acme.example", True),
        ("ann@b\u00fccher.example", "ann@bucher.example", False),
    ],
)
def test_two_addresses_of_one_mailbox_are_one_person(
    cast: Cast, erin: Membership, one: str, two: str, shared: bool
) -> None:
    for person, email in ((cast.alice, one), (erin, two)):
        User.objects.filter(pk=person.user_id).update(email=email)
    assert why(cast, cast.alice, erin) is (Uncounted.MAILBOX if shared else None)


def test_two_people_in_one_browser_are_one_person(cast: Cast, erin: Membership) -> None:
    browser, at = Browser(), now()
    for person in (cast.alice, erin):
        sign_in(browser, person.user.email)
        browser.post("/accounts/logout/")
    assert why(cast, cast.alice, erin, at=at + 29 * DAY) is Uncounted.BROWSER
    assert why(cast, cast.alice, erin, at=at + 31 * DAY) is None
    assert why(cast, cast.alice, cast.carol, at=at) is None
    assert not SignInMark.objects.filter(is_network=True).exists(), "this machine's own address marks nobody"


def test_two_people_in_one_network_within_an_hour_are_one_person(cast: Cast, erin: Membership) -> None:
    at = now()
    sign_in(Browser(), cast.alice.user.email, address="198.51.100.7")
    sign_in(Browser(), erin.user.email, address="198.51.100.99")
    assert why(cast, cast.alice, erin, at=at) is Uncounted.NETWORK
    assert why(cast, cast.alice, erin, at=at + timedelta(minutes=61)) is None
    row = SignInMark.objects.filter(user=erin.user, is_network=True).get()
    assert bytes(row.digest) == SignInMark.objects.get(user=cast.alice.user, is_network=True).digest
    assert len(row.digest) == 32


def test_where_somebody_proposes_is_remembered_and_where_they_sign_is_compared(
    cast: Cast, erin: Membership
) -> None:
    def marks(person: Membership, address: str) -> seconding.Marks:
        return seconding.marks_of(user_id=person.user_id, browser=None, address=address)

    with seconding.at_marks(marks(cast.alice, "203.0.113.5")):
        reset = ask(cast, cast.alice)
    with seconding.at_marks(marks(erin, "203.0.113.77")):
        assert "same network within an hour" in agree(cast, reset, erin, at=NOON + timedelta(minutes=59))
    with seconding.at_marks(marks(erin, "198.51.100.1")):
        assert "same network" in agree(cast, reset, erin, at=NOON + timedelta(minutes=59)), "remembered"
        assert agree(cast, reset, erin, at=NOON + timedelta(minutes=119)) == ""


def test_where_somebody_signed_is_compared_with_what_is_proposed_there_later(
    cast: Cast, erin: Membership
) -> None:
    with seconding.at_marks(seconding.marks_of(user_id=erin.user_id, browser="b", address="203.0.113.5")):
        assert agree(cast, ask(cast, cast.alice), erin) == ""
    with seconding.at_marks(
        seconding.marks_of(user_id=cast.alice.user_id, browser=None, address="203.0.113.9")
    ):
        reset = ask(cast, cast.alice, at=NOON + timedelta(minutes=59))
    with seconding.at_marks(seconding.marks_of(user_id=erin.user_id, browser="b", address="198.51.100.1")):
        assert "same network" in agree(cast, reset, erin, at=NOON + timedelta(minutes=59))


def test_in_a_demo_one_visitor_plays_everybody(cast: Cast, erin: Membership) -> None:
    browser, at = Browser(), now()
    for person in (cast.alice, erin):
        sign_in(browser, person.user.email)
        browser.post("/accounts/logout/")
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(is_demo=True)
    assert why(cast, cast.alice, erin, at=at) is None


def test_marks_are_removed_once_they_are_not_compared_any_more(cast: Cast) -> None:
    at = now()
    for days, digest, is_network in ((31, b"a", False), (29, b"b", False), (1, b"c", True)):
        SignInMark.objects.create(
            user=cast.alice.user, digest=digest * 32, is_network=is_network, seen_at=at - days * DAY
        )
    tasks.purge_sign_ins()
    assert [bytes(row.digest)[:1] for row in SignInMark.objects.all()] == [b"b"]


# --- officers are made by two ---


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"/invitation/[^/]+/", str(mail.body))
    assert found
    return found[0]


@pytest.mark.as_committed
def test_a_second_officer_confirms_and_all_officers_hear_of_each_step(
    cast: Cast, erin: Membership, mailoutbox: list[EmailMessage]
) -> None:
    given = {"name": "New", "email": "new@acme.example", "role": "officer", "everything": "on"}
    answer = signed_in(cast.alice).post("/people/invite/", given, follow=True)
    assert "once a second officer confirms the invitation" in answer.content.decode()
    assert {mail.to[0] for mail in mailoutbox} == {"alice@acme.example", "erin@acme.example"}
    assert all("/invitation/" not in str(mail.body) for mail in mailoutbox)
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get()
    confirm = f"/people/officers/{row.pk}/confirm/"
    assert "You proposed this" in signed_in(cast.alice).post(confirm, follow=True).content.decode()
    assert signed_in(cast.bob).post(confirm).status_code == 403
    assert "above your own role" in signed_in(cast.carol).post(confirm, follow=True).content.decode()
    mailoutbox.clear()

    answer = signed_in(erin).post(confirm, follow=True)

    assert "Confirmed. New gets a link by mail." in answer.content.decode()
    assert sorted(mail.to[0] for mail in mailoutbox) == [
        "alice@acme.example", "erin@acme.example", "new@acme.example",
    ]  # fmt: skip
    link = link_in(next(mail for mail in mailoutbox if mail.to == ["new@acme.example"]))
    mailoutbox.clear()
    assert Browser().post(link, {"name": "New", "password1": FRESH, "password2": FRESH}).status_code == 302
    told = {mail.to[0]: str(mail.body) for mail in mailoutbox}
    assert set(told) == {"alice@acme.example", "erin@acme.example", "new@acme.example"}
    assert "new@acme.example is now a compliance officer of Acme" in told["erin@acme.example"]
    with job_scope(agency_id=cast.acme.pk):
        new = Membership.objects.get(user__email="new@acme.example")
        actions = set(Event.objects.values_list("action", flat=True))
    assert (new.role, new.made_by_id) == ("officer", cast.alice.user_id)
    assert new.signs_from is not None
    assert abs(new.signs_from - now() - timedelta(hours=72)) < timedelta(minutes=5)
    assert {"invitation.sent", "invitation.confirmed", "invitation.accepted"} <= actions


def test_officers_have_it_in_the_inbox(cast: Cast, erin: Membership) -> None:
    def inbox(kind: str) -> tuple[int, set[int]]:
        with job_scope(agency_id=cast.acme.pk):
            work.mind_people(agency_id=cast.acme.pk, at=NOON)
            told = Notification.objects.filter(kind=kind, mail_due_at__isnull=False)
            return Item.objects.open().filter(kind=kind).count(), set(told.values_list("user_id", flat=True))

    row = invited(cast, "new", cast.alice)
    count, told = inbox(kinds.OFFICER_WAITS)
    assert count == 1
    assert {cast.alice.user_id, erin.user_id} <= told
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        officers.confirm(invitation=row, by=by(erin), at=NOON)
    assert inbox(kinds.OFFICER_WAITS)[0] == 0
    with job_scope(agency_id=cast.acme.pk):
        fresh = Invitation.objects.select_related("agency").get(pk=row.pk)
        new = invitations.accept(invitation=fresh, name="New", password=FRESH, at=NOON)
    assert inbox(kinds.NEW_OFFICER) == (1, {cast.alice.user_id, erin.user_id, new.pk})
    reset = ask(cast, cast.alice)
    signer = Membership(agency_id=cast.acme.pk, user=new, role=Role.OFFICER)
    assert "Your role is new" in agree(cast, reset, signer)
    assert inbox(kinds.NOT_COUNTED) == (1, {cast.alice.user_id, erin.user_id, new.pk})
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().get(kind=kinds.NOT_COUNTED)
        assert work.decide_items(item_ids=[item.pk], by=Actor.staff(user_id=new.pk), at=NOON).own == 1
        assert work.decide_items(item_ids=[item.pk], by=by(erin), at=NOON).changed == 1
    assert inbox(kinds.NOT_COUNTED)[0] == 0, "they hear of it once"
    page = signed_in(erin).get("/people/officers/").content.decode()
    assert "Signatures that did not count" in page


def test_what_waits_for_a_second_officer_opens_nothing(cast: Cast, erin: Membership) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row, token = invitations.invite(
            agency_id=cast.acme.pk, email="new@acme.example", name="New", role=Role.OFFICER, client_ids=[],
            by=by(cast.alice), at=now(),
        )  # fmt: skip
        with pytest.raises(invitations.InvitationGoneError):
            invitations.renew(invitation=row, by=by(cast.alice), at=now())
    page = Browser().get(f"/invitation/{token}/")
    assert page.status_code == 410
    assert "not confirmed yet" in page.content.decode()
    with job_scope(agency_id=cast.acme.pk), pytest.raises(invitations.InvitationGoneError):
        invitations.accept(invitation=row, name="New", password=FRESH, at=now())


@pytest.mark.as_committed
def test_one_of_the_agencys_people_becomes_an_officer_by_an_invitation_too(
    cast: Cast, erin: Membership, mailoutbox: list[EmailMessage]
) -> None:
    answer = signed_in(cast.alice).post(f"/people/{cast.bob.pk}/role/", {"role": "officer"}, follow=True)
    assert "once a second officer confirms" in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        row = Invitation.objects.get()
        assert Membership.objects.get(pk=cast.bob.pk).role == "reviewer"
    signed_in(erin).post(f"/people/officers/{row.pk}/confirm/")
    link = link_in(next(mail for mail in mailoutbox if mail.to == ["bob@acme.example"]))
    assert signed_in(cast.bob).post(link).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        bob = Membership.objects.get(pk=cast.bob.pk)
    assert (bob.role, bob.made_by_id) == ("officer", cast.alice.user_id)
    assert bob.signs_from is not None


def test_a_suspended_officer_comes_back_by_two_as_well(cast: Cast, erin: Membership) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        people.suspend(membership=erin, by=by(cast.carol), at=NOON)
    page = signed_in(cast.carol).post(f"/people/{erin.pk}/reactivate/", follow=True).content.decode()
    assert "above your own role" in page
    signed_in(cast.alice).post(f"/people/{erin.pk}/reactivate/")
    with job_scope(agency_id=cast.acme.pk):
        assert Membership.objects.get(pk=erin.pk).state == "suspended"
        assert Invitation.objects.get().needs_second


@pytest.mark.parametrize("how", ["page", "command"])
@pytest.mark.as_committed
def test_where_there_is_one_officer_that_one_and_the_operator_make_another(
    cast: Cast, mailoutbox: list[EmailMessage], how: str
) -> None:
    operator = User.objects.create_superuser("op@platform.example", make.PASSWORD, name="Otto Operator")
    row = invited(cast, "new", cast.alice, at=now())
    told = {mail.to[0]: str(mail.body) for mail in mailoutbox}
    assert "so an operator has to" in told["op@platform.example"]
    if how == "page":
        give_codes(operator)
        browser = signed_in(Membership(user=operator))
        page = browser.get(f"/operator/tenancy/agency/{cast.acme.pk}/change/").content.decode()
        assert "Confirm New" in page
        url = f"/operator/tenancy/agency/{cast.acme.pk}/officer/{row.pk}/confirm/"
        assert "Confirmed." in browser.post(url, follow=True).content.decode()
    else:
        out = io.StringIO()
        call_command("confirm_officer", "--agency", "acme", "--officer", "New@acme.example", stdout=out)
        assert "Confirmed." in out.getvalue()
    assert mailoutbox[-1].to == ["new@acme.example"]
    with pytest.raises(CommandError, match="no longer waiting"):
        call_command("confirm_officer", "--agency", "acme", "--officer", "new@acme.example")


def test_an_operator_confirms_nothing_where_another_officer_can(cast: Cast, erin: Membership) -> None:
    row = invited(cast, "new", cast.alice, at=now())
    with pytest.raises(CommandError, match="Another compliance officer of this agency can confirm"):
        call_command("confirm_officer", "--agency", "acme", "--officer", "new@acme.example")
    with pytest.raises(agencies.HasOfficersError):
        agencies.invite_officer(
            agency_id=cast.acme.pk, email="own@platform.example", name="Own", by=Actor.operator(user_id=None),
            at=NOON,
        )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk), pytest.raises(people.OfficerNeedsTwoError):
        invitations.invite(
            agency_id=cast.acme.pk, email="own@platform.example", name="Own", role=Role.OFFICER,
            client_ids=[], by=Actor.operator(user_id=None), at=NOON,
        )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        row.refresh_from_db()
    assert row.confirmed_at is None


def test_who_is_no_officer_any_more_has_invited_none(cast: Cast, erin: Membership) -> None:
    row = invited(cast, "new", cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        people.change_role(membership=cast.alice, role=Role.ADMIN, by=by(erin), at=NOON)
        with pytest.raises(officers.NotWaitingError):
            officers.confirm(invitation=row, by=by(erin), at=NOON)


def test_every_role_is_given_by_who_holds_at_least_it(cast: Cast) -> None:
    rights: Callable[[Membership], frozenset[AgencyRight]] = lambda person: person.rights  # noqa: E731
    assert rights(cast.carol) < rights(cast.alice)
    for giver, least in ((cast.alice, set()), (cast.carol, {Role.OFFICER})):
        with job_scope(agency_id=cast.acme.pk):
            for role in Role:
                if role in least:
                    with pytest.raises(people.RoleAboveError):
                        people.check_gives(role, agency_id=cast.acme.pk, by=by(giver))
                else:
                    people.check_gives(role, agency_id=cast.acme.pk, by=by(giver))
    with job_scope(agency_id=cast.acme.pk), pytest.raises(people.RoleAboveError):
        people.check_gives(Role.ADMIN, agency_id=cast.acme.pk, by=by(cast.bob))
