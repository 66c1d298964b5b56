"""Deeds on people: their own (signing in and out, a new password) and those of who manages them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import hashers
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from callprivacy.accounts import access, passwords, seconding, selectors
from callprivacy.accounts.enums import (
    CLIENT_SIDE,
    RIGHTS,
    AgencyRight,
    ApiScope,
    DueWhy,
    MembershipState,
    Role,
)
from callprivacy.accounts.models import (
    ClientGrant,
    Invitation,
    Membership,
    PasswordHistory,
    ProviderLink,
    User,
)
from callprivacy.accounts.services import api_keys, removal
from callprivacy.audit import services as audit
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope


class LastManagerError(ValueError):
    """Nobody would be left who can manage the agency's people."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody else can manage people here. Make somebody else an admin or compliance officer first."
        )


class OwnRightsError(ValueError):
    """A person tried to change what they may do themselves."""

    def __init__(self) -> None:
        super().__init__("Ask another admin or officer: you cannot change your own role or grants.")


class RoleAboveError(ValueError):
    """A person may not give a role, or its bundle, that is above their own."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"{role.label} is above your own role. Ask a person who has that role to give it.")


class OfficerNeedsTwoError(ValueError):
    def __init__(self) -> None:
        super().__init__(
            "A new compliance officer takes two people: you invite the person, and a second officer confirms."
        )


class PasswordChangedError(RuntimeError):
    """The password that a person is about to replace was changed or closed meanwhile."""

    def __init__(self) -> None:
        super().__init__("The password was changed or closed meanwhile. Sign in again, or ask for a link.")


class ApprovesError(ValueError):
    """Somebody who approves for clients was to be made one of the agency's people."""

    def __init__(self, names: str) -> None:
        super().__init__(
            f"Approves for {names}, as the agency's people do not. Give another bundle or nothing there first."
        )


# --- A person's own deeds ---


def record_own(
    action: str, *, user_id: int, at: datetime, agency_id: int | None = None, **details: Any
) -> None:
    """
    Write a person's own deed into the trail of each agency the person is active in; without any, into the
    house's log.

    :param agency_id: of this agency alone: what somebody does who came through its provider is no business of others.

    Each says where the person is.

    Inside a scope the scope's agency gets it at once and the others when the scope has committed.
    """
    entered = lib_scope.current()
    agency_ids = [agency_id] if agency_id is not None else selectors.agency_ids_of_user(user_id)
    for one in agency_ids:
        if entered is not None and entered.agency_id == one:
            audit.record(
                action, by=Actor.staff(user_id=user_id), at=at, **details, **seconding.where(agency_id=one)
            )
        elif entered is None:
            _record_in(one, action, user_id, at, details)
        else:
            transaction.on_commit(partial(_record_in, one, action, user_id, at, details))
    if not agency_ids:
        audit.record_house(action, at=at, person=user_id, **details, **seconding.where(agency_id=None))


def _record_in(agency_id: int, action: str, user_id: int, at: datetime, details: Mapping[str, Any]) -> None:
    with job_scope(agency_id=agency_id):
        where = seconding.where(agency_id=agency_id)
        audit.record(action, by=Actor.staff(user_id=user_id), at=at, **details, **where)


@contextmanager
def own_transaction(user_id: int) -> Iterator[None]:
    """A transaction of a person's own deed: where no scope is entered, in one of their agency, whose trail has it."""
    agency_ids = selectors.agency_ids_of_user(user_id) if lib_scope.current() is None else []
    with job_scope(agency_id=agency_ids[0]) if agency_ids else transaction.atomic():
        yield


def set_password(*, user: User, password: str, at: datetime) -> None:
    """
    Give a person a new password; every session of theirs ends, because its hash no longer fits.

    The one before is remembered as its digest. When the new one is due follows from the person's agencies.

    :raises PasswordChangedError: the one before is not there any more: somebody has said that another knows it.
    """
    read, earlier = user.password, user.password if user.has_usable_password() else ""
    due = passwords.due_at(selectors.asked_of([user.pk])[user.pk], at)
    values = {
        "password": hashers.make_password(password),
        "password_changed_at": at,
        "password_due_at": due,
        "password_due_why": DueWhy.AGE if due else "",
    }
    with own_transaction(user.pk):
        if not User.objects.filter(pk=user.pk, password=read).update(**values):
            raise PasswordChangedError
        for name, value in values.items():
            setattr(user, name, value)
        if earlier:
            _remember(user.pk, earlier, at)
        UserSession.objects.filter(user_id=user.pk).delete()
        record_own("person.changed_password", user_id=user.pk, at=at)


def _remember(user_id: int, digest: str, at: datetime) -> None:
    """Keep a digest that is replaced, and no more of them than are refused later."""
    PasswordHistory.objects.create(user_id=user_id, password=digest, replaced_at=at)
    kept = PasswordHistory.objects.filter(user_id=user_id).order_by("-replaced_at", "-pk")
    old = list(kept.values_list("pk", flat=True)[passwords.REMEMBERED :])
    PasswordHistory.objects.filter(pk__in=old).delete()


@transaction.atomic
def close_password(*, user: User, at: datetime) -> None:
    """Let a person's password open nothing; it is not chosen again. The caller holds the row."""
    if user.has_usable_password():
        _remember(user.pk, user.password, at)
    user.set_unusable_password()
    user.password_due_at, user.password_due_why = None, ""
    user.save(update_fields=["password", "password_due_at", "password_due_why"])


@transaction.atomic
def end_session(
    *, user_id: int, session_id: int, at: datetime, through: access.Through | None = None
) -> bool:
    """
    End one of a person's own sessions; returns whether there was one.

    :param through: of a session that began at a provider, which ends those alone that began there, too.
    """
    found = {session.pk: session for session in selectors.sessions_of(user_id, through)}
    if session_id not in found:
        return False
    found[session_id].end()
    record_own(
        "person.ended_session", user_id=user_id, at=at, agency_id=through.agency_id if through else None
    )
    return True


@transaction.atomic
def end_every_session(*, user_id: int, at: datetime, through: access.Through | None = None) -> int:
    """
    End all of a person's own sessions, the present one too; returns how many.

    :param through: of a session that began at a provider, which ends those alone that began there, too.
    """
    if through is None:
        ended = end_sessions(user_id, at=at)
    else:
        after_commit(
            "end sign-ins at a provider", _end_sign_ins, user_id=user_id, agency_id=through.agency_id, at=at
        )
        found = selectors.sessions_of(user_id, through)
        for session in found:
            session.end()
        ended = len(found)
    record_own(
        "person.signed_out_everywhere",
        user_id=user_id,
        at=at,
        agency_id=through.agency_id if through else None,
    )
    return ended


def end_sessions(user_id: int, *, at: datetime) -> int:
    """
    End every session of a person, and every sign-in that waits for its second step; returns how many sessions.

    The caller records it.
    """
    User.objects.filter(pk=user_id).update(sessions_ended_at=at)
    sessions = list(UserSession.objects.filter(user_id=user_id))
    for session in sessions:
        session.end()
    return len(sessions)


def _end_sign_ins(*, user_id: int, agency_id: int, at: datetime) -> None:
    with job_scope(agency_id=agency_id):
        ProviderLink.objects.filter(agency_id=agency_id, user_id=user_id).update(sessions_ended_at=at)


def touch_session(*, session_key: str, at: datetime) -> None:
    """Remember when a session was last used, for its owner's list."""
    UserSession.objects.filter(session_key=session_key).update(last_seen_at=at)


def purge_sessions(*, at: datetime) -> int:
    """Remove sessions that have ended, and what the lists of their owners say of them; returns how many."""
    ended = Session.objects.filter(expire_date__lte=at).delete()[0]
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return ended


# --- Deeds of who manages people ---


def hold_managers(agency_id: int) -> None:
    """Let one change at a time decide who is left; two at once could each remove the other's last one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('accounts.managers', %s))", [agency_id])


def _check_own(membership: Membership, by: Actor) -> None:
    """Refuse a change of one's own rights, unless nobody else could make it."""
    if by.kind != ScopeKind.STAFF or by.user_id != membership.user_id:
        return
    if selectors.managers().exclude(pk=membership.pk).exists():
        raise OwnRightsError


def check_gives(role: Role, *, agency_id: int, by: Actor) -> None:
    """:raises RoleAboveError: a person gives a role, or its bundle, without holding at least that."""
    if by.kind != ScopeKind.STAFF or by.user_id is None:
        return
    giver = Membership.objects.filter(agency_id=agency_id, user_id=by.user_id).select_related("user").first()
    if giver is None or not access.may_give(giver, role):
        raise RoleAboveError(role)


def made(role: Role, *, agency: Agency, by_id: int | None, at: datetime) -> dict[str, Any]:
    """What a membership keeps of a role that is given now: by whom, and from when its signature is a second one."""
    waits = {AgencyRight.SIGN_OFF, AgencyRight.MANAGE_PEOPLE} & RIGHTS[role]
    hours = access.policy_of(agency).second_after_hours
    return {
        "made_by_id": by_id,
        "made_at": at,
        "signs_from": at + timedelta(hours=hours) if waits else None,
    }


def ended(membership: Membership, *, keeps: Role | None = None, at: datetime) -> dict[str, Any]:
    """What a membership keeps of rights that end: until when the person counts for second signatures."""
    until = at + timedelta(hours=access.policy_of(membership.agency).second_after_hours)
    lost = membership.rights - (RIGHTS[keeps] if keeps is not None else frozenset())
    return {name: until for right, name in access.COUNTS_UNTIL.items() if right in lost}


def _check_somebody_is_left(membership: Membership) -> None:
    if not selectors.managers().exclude(pk=membership.pk).exists():
        raise LastManagerError


def check_may_go(membership: Membership, *, by: Actor) -> None:
    """
    Whether a person's access may be taken away; whoever calls has the transaction, and others wait for it.

    :raises LastManagerError: nobody else could manage people.
    :raises OwnRightsError: nobody does it to themselves.
    """
    hold_managers(membership.agency_id)
    if by.kind == ScopeKind.STAFF and by.user_id == membership.user_id:
        raise OwnRightsError
    _check_somebody_is_left(membership)


@transaction.atomic
def suspend(*, membership: Membership, ends_keys: bool = True, by: Actor, at: datetime) -> None:
    """
    Take a person's access away at once: their sessions end, no grant counts until they are active again, and whom
    they have invited does not come in.

    :param ends_keys: whether every key ends that they made for the agency's systems; those that vouch for proof end
        in any case.
    :raises LastManagerError: nobody else could manage people.
    :raises OwnRightsError: people do not suspend themselves.
    """
    check_may_go(membership, by=by)
    shut_out(membership=membership, ends_keys=ends_keys, by=by, at=at)


def shut_out(
    *, membership: Membership, ends_keys: bool = True, by: Actor, at: datetime, replaced: bool = False
) -> None:
    """
    The same without asking who is left: whoever calls has the transaction and `hold_managers`, and sees to that.

    :param replaced: whether somebody comes in their place; the trail says so.
    """
    won = Membership.objects.filter(pk=membership.pk, state=MembershipState.ACTIVE).update(
        state=MembershipState.SUSPENDED, **ended(membership, at=at)
    )
    if not won:
        return
    if not replaced:
        removal.notify(membership, "suspended this person", by=by)
    sessions = end_sessions(membership.user_id, at=at)
    keys = api_keys.end_keys_of(
        user_id=membership.user_id,
        agency_id=membership.agency_id,
        by=by,
        at=at,
        scope=None if ends_keys else ApiScope.CONSENT_PROVE,
    )
    audit.record(
        "person.suspended",
        by=by,
        at=at,
        subject=membership,
        person=membership.user_id,
        sessions=sessions,
        keys=keys,
        invitations=withdraw_invitations_of(membership, at=at),
        replaced=replaced,
    )


def withdraw_invitations_of(membership: Membership, *, at: datetime, keeps: Role | None = None) -> int:
    """
    Take back whom a person has invited and who has not come yet; returns how many. Whoever calls writes it down.

    Else who may invite nobody any more would come in again by a link that they had sent to themselves.

    :param keeps: the person's role from now on: what they may still give stays.
    """
    rows = Invitation.objects.filter(
        agency_id=membership.agency_id, invited_by_id=membership.user_id, accepted_at=None, withdrawn_at=None
    )
    if keeps is not None and AgencyRight.MANAGE_PEOPLE in RIGHTS[keeps]:
        rows = rows.exclude(role__in=[role for role in Role if RIGHTS[role] <= RIGHTS[keeps]])
    return rows.update(withdrawn_at=at)


@transaction.atomic
def reactivate(*, membership: Membership, by: Actor, at: datetime) -> None:
    """
    Give a suspended person the access back that they had; who had left comes back without a grant.

    :raises RoleAboveError: their role is above who gives it. :raises OfficerNeedsTwoError: they are an officer.
    """
    away = [MembershipState.SUSPENDED, MembershipState.LEFT]
    role = Role(membership.role)
    check_gives(role, agency_id=membership.agency_id, by=by)
    if AgencyRight.SIGN_OFF in RIGHTS[role]:
        raise OfficerNeedsTwoError
    won = Membership.objects.filter(pk=membership.pk, state__in=away, role=role).update(
        state=MembershipState.ACTIVE, **made(role, agency=membership.agency, by_id=by.user_id, at=at)
    )
    if won:
        audit.record("person.reactivated", by=by, at=at, subject=membership, person=membership.user_id)


@transaction.atomic
def change_role(*, membership: Membership, role: Role, by: Actor, at: datetime) -> None:
    """
    Make a person something else in the agency; grants stay as they are. Invitations of who may send none any more end.

    :raises LastManagerError: nobody would be left to manage people.
    :raises OwnRightsError: somebody else could do it.
    :raises ApprovesError: they hold the approver's bundle, and the new role is none of the client's side.
    :raises RoleAboveError: the role is above who gives it. :raises OfficerNeedsTwoError: it is an officer's.
    """
    hold_managers(membership.agency_id)
    _check_own(membership, by)
    if AgencyRight.MANAGE_PEOPLE not in RIGHTS[role]:
        _check_somebody_is_left(membership)
    check_side(membership, role)
    before = membership.role
    if role == before:
        return
    check_gives(role, agency_id=membership.agency_id, by=by)
    if AgencyRight.SIGN_OFF in RIGHTS[role]:
        raise OfficerNeedsTwoError
    given = made(role, agency=membership.agency, by_id=by.user_id, at=at)
    given |= ended(membership, keeps=role, at=at)
    if not Membership.objects.filter(pk=membership.pk, role=before).update(role=role, **given):
        return
    removal.notify(membership, "gave this person another role", keeps=role, by=by)
    membership.role = role
    audit.record(
        "person.changed_role",
        by=by,
        at=at,
        subject=membership,
        person=membership.user_id,
        before=before,
        after=role.value,
        invitations=withdraw_invitations_of(membership, at=at, keeps=role),
    )


def check_side(membership: Membership, role: Role) -> None:
    """
    Refuse one of the agency's people who approves for a client.

    A bundle is given while its membership is locked: what was given meanwhile is seen.

    :raises ApprovesError: they hold the approver's bundle, and the role is none of the client's side.
    """
    if role in CLIENT_SIDE:
        return
    access.hold_members(agency_id=membership.agency_id, user_ids=[membership.user_id])
    approves = ClientGrant.objects.filter(
        agency_id=membership.agency_id, user_id=membership.user_id, bundle=Role.APPROVER
    )
    names = (
        approves.order_by("content_object__name").values_list("content_object__name", flat=True).distinct()
    )
    if found := list(names):
        raise ApprovesError(", ".join(found))


def may_change_grants_of(membership: Membership, by: Membership) -> bool:
    """Whether a manager may change what a person holds; one's own only where nobody else could."""
    if not access.has_right(by, AgencyRight.MANAGE_PEOPLE):
        return False
    return membership.pk != by.pk or not selectors.managers().exclude(pk=by.pk).exists()


@transaction.atomic
def withhold_from(*, agency_id: int, user_id: int, from_at: datetime | None, by: Actor, at: datetime) -> bool:
    """
    Say from when on a person sees no numbers and takes no files, or None: nothing is withheld. In a job's scope.

    Returns whether that changed.
    """
    member = Membership.objects.filter(agency_id=agency_id, user_id=user_id).first()
    if member is None or member.withheld_from == from_at:
        return False
    if not Membership.objects.filter(pk=member.pk, withheld_from=member.withheld_from).update(
        withheld_from=from_at
    ):
        return False
    audit.record(
        "person.withheld" if from_at else "person.restored",
        subject=member,
        by=by,
        at=at,
        since=from_at.isoformat() if from_at else None,
    )
    return True
