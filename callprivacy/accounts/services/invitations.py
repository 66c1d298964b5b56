"""
Single-use links by which people come in. Only a token's digest is kept, so that nobody who reads the
database can use
one; the directory of public keys says to which agency it leads.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string

from callprivacy.accounts import access, seconding, selectors
from callprivacy.accounts.enums import RIGHTS, AgencyRight, MembershipState, Role
from callprivacy.accounts.models import Invitation, Membership, User
from callprivacy.accounts.services import officers, passwords, people
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope

VALID_FOR = timedelta(days=7)


class AlreadyMemberError(ValueError):
    """The address belongs to somebody who is in the agency already."""

    def __init__(self) -> None:
        super().__init__("This person is in the agency already; look in the list of people.")


class AlreadyInvitedError(ValueError):
    """An invitation to this address is open."""

    def __init__(self) -> None:
        super().__init__("An invitation to this address is open already; send that one again or withdraw it.")


class InvitationGoneError(ValueError):
    """The link was used, withdrawn or has expired."""

    def __init__(self) -> None:
        super().__init__("This invitation was accepted or withdrawn, or is waiting for a second officer.")


class AccountExistsError(ValueError):
    """The address has a sign-in already: its owner signs in and accepts with it."""


def url_of(token: str) -> str:
    """The public address of an invitation."""
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/invitation/{token}/"


@transaction.atomic
def invite(
    *,
    agency_id: int,
    email: str,
    name: str,
    role: Role,
    client_ids: Collection[int],
    by: Actor,
    at: datetime,
) -> tuple[Invitation, str]:
    """
    Invite somebody, and return the invitation with the token of its link, which is kept nowhere.

    An officer's waits until a second officer confirms it (`officers.confirm`), and may go to somebody who is in the
    agency as something else. Where no officer is there, an operator's waits for an admin, and where no admin is there
    either, for nobody.

    :raises AlreadyMemberError: the address is a member's.
    :raises AlreadyInvitedError: an invitation to it is open.
    :raises ApprovesError: they approve for a client, and an officer does not.
    :raises RoleAboveError: the role is above who invites. :raises OfficerNeedsTwoError: officers are there, and it is
        none of them who invites one.
    """
    email = email.strip().lower()
    people.check_gives(role, agency_id=agency_id, by=by)
    is_officer = AgencyRight.SIGN_OFF in RIGHTS[role]
    if is_officer and by.kind != ScopeKind.STAFF and selectors.officers_of(agency_id).exists():
        raise people.OfficerNeedsTwoError
    member = Membership.objects.filter(agency_id=agency_id, user__email=email).select_related("user").first()
    if member is not None and (not is_officer or AgencyRight.SIGN_OFF in member.rights):
        raise AlreadyMemberError
    if member is not None:
        people.check_side(member, role)
    if selectors.invitations().filter(email=email, expires_at__gt=at).exists():
        raise AlreadyInvitedError
    token, digest = _new_token(agency_id)
    invitation = Invitation.objects.create(
        agency_id=agency_id,
        email=email,
        name=name.strip(),
        role=role,
        client_ids=sorted(client_ids),
        digest=digest,
        invited_by_id=by.user_id,
        created_at=at,
        expires_at=at + VALID_FOR,
        needs_second=is_officer and selectors.managers_of(agency_id).exists(),
    )
    if invitation.needs_second:
        seconding.proposed(user_id=by.user_id, at=at)
        officers.notify(invitation, officers.News.PROPOSED, at=at)
    audit.record(
        "invitation.sent",
        by=by,
        at=at,
        subject=invitation,
        role=role.value,
        clients=len(invitation.client_ids),
    )
    return invitation, token


def _new_token(agency_id: int) -> tuple[str, bytes]:
    token = secrets.token_urlsafe(32)
    digest = selectors.digest_of_token(token)
    PublicKey.objects.create(key=digest.hex(), purpose=KeyPurpose.INVITATION, agency_id=agency_id)
    return token, digest


@transaction.atomic
def renew(*, invitation: Invitation, by: Actor, at: datetime) -> str:
    """
    Give an invitation a new link, and return its token; the old link opens nothing any more.

    :raises InvitationGoneError: it was accepted or withdrawn, or waits for a second officer.
    """
    token, digest = _new_token(invitation.agency_id)
    won = (
        Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None)
        .exclude(needs_second=True, confirmed_at=None)
        .update(digest=digest, expires_at=at + VALID_FOR, sent_at=None)
    )
    if not won:
        raise InvitationGoneError
    PublicKey.objects.filter(key=bytes(invitation.digest).hex()).delete()
    invitation.refresh_from_db()
    audit.record("invitation.sent_again", by=by, at=at, subject=invitation)
    return token


@transaction.atomic
def withdraw(*, invitation: Invitation, by: Actor, at: datetime) -> None:
    """
    Take an invitation back.

    :raises InvitationGoneError: it was accepted or withdrawn already.
    """
    won = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(
        withdrawn_at=at
    )
    if not won:
        raise InvitationGoneError
    audit.record("invitation.withdrawn", by=by, at=at, subject=invitation)


def send_mail_on_commit(*, invitation: Invitation, token: str, agency_name: str, at: datetime) -> None:
    """
    Send the link once everything about it is kept; a mail that fails is shown as not sent.

    What waits for a second officer is sent when that one confirms it.
    """
    if invitation.needs_second and invitation.confirmed_at is None:
        return
    after_commit(
        "mail of an invitation",
        _send_mail,
        invitation_id=invitation.pk,
        agency_id=invitation.agency_id,
        to=invitation.email,
        at=at,
        context={
            "agency": agency_name,
            "name": invitation.name,
            "role": invitation.get_role_display(),
            "url": url_of(token),
            "days": VALID_FOR.days,
        },
    )


def _send_mail(
    *, invitation_id: int, agency_id: int, to: str, at: datetime, context: dict[str, str | int]
) -> None:
    text = render_to_string("accounts/email/invitation.txt", context)
    letter(f"{context['agency']} invites you to CallPrivacy", text, [to]).send()
    with job_scope(agency_id=agency_id):
        Invitation.objects.filter(pk=invitation_id).update(sent_at=at)


@transaction.atomic
def accept(*, invitation: Invitation, name: str, password: str | None, at: datetime) -> User:
    """
    Let somebody in who has no sign-in yet: a user, the membership, and the bundle on the clients that were
    named.

    :param password: None: they come through the agency's provider, and may choose one later by mail.
    :raises InvitationGoneError: the link was used, withdrawn or has expired.
    :raises AccountExistsError: the address has a sign-in.
    """
    _claim(invitation, at)
    if User.objects.filter(email=invitation.email).exists():
        raise AccountExistsError
    user = User.objects.create_user(invitation.email, password, name=name.strip(), password_changed_at=at)
    _join(invitation, user, at)
    passwords.renew_due(user_ids=[user.pk])
    return user


@transaction.atomic
def accept_as(*, invitation: Invitation, user: User, at: datetime) -> None:
    """
    Let somebody in who has signed in with the address that was invited.

    :raises InvitationGoneError: the link was used, withdrawn or has expired, or is for another address.
    :raises ApprovesError: they approve for a client by now, and an officer does not.
    """
    if user.email != invitation.email or not user.is_active:
        raise InvitationGoneError
    _claim(invitation, at)
    _join(invitation, user, at)
    passwords.renew_due(user_ids=[user.pk])


def _claim(invitation: Invitation, at: datetime) -> None:
    if AgencyRight.MANAGE_PEOPLE in RIGHTS[Role(invitation.role)]:
        # Of two whom an operator has invited one comes in: see `_end_operators_links`.
        people.hold_managers(invitation.agency_id)
    won = (
        Invitation.objects.filter(
            pk=invitation.pk,
            digest=bytes(invitation.digest),
            accepted_at=None,
            withdrawn_at=None,
            expires_at__gt=at,
        )
        .exclude(needs_second=True, confirmed_at=None)
        .update(accepted_at=at)
    )
    if not won:
        raise InvitationGoneError


def _join(invitation: Invitation, user: User, at: datetime) -> None:
    by = Actor.staff(user_id=user.pk)
    role = Role(invitation.role)
    # An operator is not whom an officer hangs on: that one has invited the first officer of the agency.
    giver = invitation.invited_by_id if selectors.is_member(invitation) else None
    given = people.made(role, agency=invitation.agency, by_id=giver, at=at)
    given |= {"role": role, "state": MembershipState.ACTIVE}
    membership, is_new = Membership.objects.get_or_create(
        agency_id=invitation.agency_id, user=user, defaults={**given, "created_at": at}
    )
    is_raised = False
    if not is_new and AgencyRight.SIGN_OFF in RIGHTS[role]:
        people.check_side(membership, role)
        is_raised = bool(
            Membership.objects.filter(pk=membership.pk)
            .exclude(role=role, state=MembershipState.ACTIVE)
            .update(**given)
        )
        membership.refresh_from_db()
    audit.record(
        "invitation.accepted", by=by, at=at, subject=invitation, person=user.pk, role=membership.role
    )
    if AgencyRight.SIGN_OFF in RIGHTS[role] and (is_new or is_raised):
        officers.notify(invitation, officers.News.MADE, at=at)
    if not is_new and not is_raised:
        return
    if AgencyRight.MANAGE_PEOPLE in RIGHTS[role]:
        _end_operators_links(invitation.agency_id, by=by, at=at)
    named = Client.objects.filter(agency_id=invitation.agency_id, pk__in=invitation.client_ids).order_by("pk")
    # Held one after the other, so that whoever lets one go waits, and sees what was given.
    sees_all = AgencyRight.SIGN_OFF in RIGHTS[role]
    clients = [client for client in named if sees_all or tenancy.is_here(client.pk)]
    access.write_bundle(
        agency_id=invitation.agency_id,
        user_id=user.pk,
        client_ids=[client.pk for client in clients],
        bundle=role,
        granted_by_id=invitation.invited_by_id,
        at=at,
        ends_at=None,
    )
    for client in clients:
        audit.record(
            "grant.changed",
            subject=client,
            by=by,
            at=at,
            person=user.pk,
            bundle=role.value,
            granted_by=invitation.invited_by_id,
        )


def _end_operators_links(agency_id: int, *, by: Actor, at: datetime) -> None:
    """Now somebody here invites: what nobody sent who may lets nobody in any more, as if it were sent only now."""
    sent = selectors.invitations().filter(agency_id=agency_id)
    for row in sent.exclude(invited_by__in=selectors.managers_of(agency_id).values("user_id")).order_by("pk"):
        if Invitation.objects.filter(pk=row.pk, accepted_at=None, withdrawn_at=None).update(withdrawn_at=at):
            audit.record("invitation.withdrawn", by=by, at=at, subject=row, joins=True)
