"""
Passwords that are due: each morning of an agency it is found whose they are, who is reminded, and whose sessions and
keys end. When one is due stands on the person's own row, so that the door asks nobody; what a morning missed, the
next one and every sign-in make up for.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.template.loader import render_to_string

from callprivacy.accounts import access, passwords, selectors
from callprivacy.accounts.enums import DueWhy, Role
from callprivacy.accounts.models import Membership, PasswordDay, PasswordReminder, SignInPolicy, User
from callprivacy.accounts.services import api_keys, operators, people
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency

MORNING = 6
"""The hour of the agency's day from which its morning's work is done."""
SOON = timedelta(days=14)
MAIL_AGAIN_AFTER = timedelta(minutes=10)
KEPT_FOR = timedelta(days=400)
BY = Actor.job("passwords")


# --- The rule ------------------------------------------------------------------------------------------------------


def due_with(*, agency: Agency, policy: SignInPolicy) -> dict[int, datetime | None]:
    """User id of each active person -> when the password would be due under a policy that is not saved yet."""
    members = list(selectors.members_by_due())
    asked = selectors.asked_of([member.user_id for member in members])
    own = passwords.asked_by(policy, agency=agency.name, time_zone=agency.time_zone)
    found: dict[int, datetime | None] = {}
    for member in members:
        others = [one for one in asked[member.user_id] if one.agency_id != agency.pk]
        here = any(one.by_provider for one in asked[member.user_id] if one.agency_id == agency.pk)
        found[member.user_id] = _due(member.user, [*others, replace(own, by_provider=here)])
    return found


@transaction.atomic
def change_policy(*, agency: Agency, values: dict[str, Any], by: Actor, at: datetime) -> list[str]:
    """
    Change what an agency asks of passwords, factors, sessions and reviews; returns the names of what changed.

    Every password of its people is due by the new rule from now on. The trail names the fields, and the profile with
    before and after.

    :raises RoleAboveError: how long a new officer's signature waits is an officer's to set.
    """
    Agency.objects.select_for_update(no_key=True).get(pk=agency.pk)  # one change at a time, also the first
    policy = SignInPolicy.objects.filter(agency=agency).first() or SignInPolicy(agency=agency)
    changed = sorted(name for name, value in values.items() if getattr(policy, name) != value)
    if not changed:
        return []
    if "second_after_hours" in changed:
        people.check_gives(Role.OFFICER, agency_id=agency.pk, by=by)
    before = policy.profile
    for name in changed:
        setattr(policy, name, values[name])
    policy.changed_at, policy.changed_by_id = at, by.user_id
    policy.save()
    audit.record(
        "sign_in_policy.changed",
        by=by,
        at=at,
        subject=policy,
        fields=", ".join(changed),
        before=before,
        after=policy.profile,
    )
    renew_due(user_ids=[member.user_id for member in selectors.members_by_due()])
    return changed


# --- When one is due -----------------------------------------------------------------------------------------------


def _due(user: User, asked: Collection[passwords.Asked]) -> datetime | None:
    if not user.has_usable_password():
        return None
    return passwords.due_at(asked, user.password_changed_at or user.created_at)


def renew_due(*, user_ids: Collection[int]) -> int:
    """Work out anew when passwords are due, but where there is another reason; returns how many moved."""
    asked = selectors.asked_of(user_ids)
    moved = 0
    for user in User.objects.filter(pk__in=list(user_ids)).exclude(
        password_due_why__in=[DueWhy.KNOWN, DueWhy.RULE]
    ):
        due = _due(user, asked[user.pk])
        if due != user.password_due_at:
            moved += User.objects.filter(pk=user.pk, password=user.password).update(
                password_due_at=due, password_due_why=DueWhy.AGE if due else ""
            )
    return moved


def found_breached(*, user: User, at: datetime) -> None:
    """Somebody has just signed in with a password that is in the lists of stolen ones: it is changed at once."""
    won = (
        User.objects.filter(pk=user.pk, password=user.password)
        .exclude(password_due_why=DueWhy.KNOWN)
        .update(password_due_at=at, password_due_why=DueWhy.KNOWN)
    )
    if won:
        people.record_own("person.password_breached", user_id=user.pk, at=at)


@transaction.atomic
def mark_known(*, membership: Membership, by: Actor, at: datetime) -> bool:
    """
    Somebody else may know a person's password: it opens nothing any more, and every session of theirs ends.

    A link to choose another goes to the person's mailbox, because whoever knows the password could change it as well.
    A passkey that was added since it was chosen may be that somebody's: none of those opens alone any more. Second
    factors are taken away by two people, and not by this. The last who manages people is never kept out: there the
    password opens the page for a new one, and no other.

    :returns: whether the password itself is closed; else it opens that page.
    """
    user = User.objects.select_for_update().get(pk=membership.user_id)
    is_last = selectors.is_last_manager(user.pk)
    keys = selectors.alone_since_password(user)
    for key in keys:
        key.data["credential"][selectors.OPENS_ALONE] = False
        key.save(update_fields=["data"])
    sessions = people.end_sessions(user.pk, at=at)
    if is_last:
        user.password_due_at, user.password_due_why = at, DueWhy.KNOWN
        user.save(update_fields=["password_due_at", "password_due_why"])
    else:
        people.close_password(user=user, at=at)
    audit.record(
        "person.password_known",
        by=by,
        at=at,
        subject=membership,
        person=user.pk,
        sessions=sessions,
        keys=len(keys),
        closed=not is_last,
    )
    after_commit(
        "mail of a link for a new password",
        _send_link,
        to=user.email,
        context={"name": str(user), "url": operators.password_link(user), "keys": len(keys)},
    )
    return not is_last


def _send_link(*, to: str, context: dict[str, Any]) -> None:
    text = render_to_string("accounts/email/password_known.txt", context)
    letter("Choose a new password for CallPrivacy", text, [to]).send()


# --- Each morning --------------------------------------------------------------------------------------------------


@transaction.atomic
def start_day(*, agency_id: int, at: datetime) -> bool:
    """
    Do a morning's work of an agency, once: whose password is due, who is reminded, whose sessions and keys end.

    :returns: whether this run did it; before six in the agency's zone nobody does.
    """
    agency = Agency.objects.select_related("sign_in_policy").get(pk=agency_id)
    local = at.astimezone(ZoneInfo(agency.time_zone))
    on = local.date()
    if local.hour < MORNING or PasswordDay.objects.filter(agency_id=agency_id, on=on).exists():
        return False
    try:
        with transaction.atomic():
            day = PasswordDay.objects.create(agency_id=agency_id, on=on)
    except IntegrityError:  # another worker was here first
        return False
    renew_due(user_ids=list(selectors.members_by_due().values_list("user_id", flat=True)))
    members = list(selectors.members_by_due())
    _remind(members, agency, at)
    grace = timedelta(hours=access.policy_of(agency).grace_hours)
    for member in members:
        due = member.user.password_due_at
        if due is not None and due + grace <= at:
            _end_what_is_overdue(member, at)
    day.people = len(members)
    day.overdue = sum(_is_due_by(member, at) for member in members)
    day.soon = sum(_is_due_by(member, at + SOON) for member in members) - day.overdue
    day.without_factor = selectors.without_factor(at_provider=False).count()
    day.save(update_fields=["people", "soon", "overdue", "without_factor"])
    PasswordDay.objects.filter(agency_id=agency_id, on__lt=on - KEPT_FOR).delete()
    PasswordReminder.objects.filter(created_at__lt=at - KEPT_FOR).delete()
    return True


def _is_due_by(member: Membership, at: datetime) -> bool:
    due = member.user.password_due_at
    return due is not None and due <= at


def _remind(members: Collection[Membership], agency: Agency, at: datetime) -> None:
    """One mail 14, 7 and 1 days before, and on the day; what was missed is made up for by the next step alone."""
    zone = ZoneInfo(agency.time_zone)
    today = at.astimezone(zone).date()
    reminders = []
    for member in members:
        due = member.user.password_due_at
        if due is None:
            continue
        left = (due.astimezone(zone).date() - today).days
        step = min((days for days in passwords.REMIND_BEFORE if left <= days), default=None)
        if step is not None:
            reminders.append(
                PasswordReminder(user_id=member.user_id, due_at=due, days=step, created_at=at, mail_due_at=at)
            )
    PasswordReminder.objects.bulk_create(reminders, ignore_conflicts=True)


def _end_what_is_overdue(member: Membership, at: datetime) -> None:
    """End the sessions of who is overdue beyond the grace, and the keys that this person made here."""
    sessions = people.end_sessions(member.user_id, at=at)
    keys = api_keys.end_keys_of(user_id=member.user_id, agency_id=member.agency_id, by=BY, at=at)
    if sessions or keys:
        audit.record(
            "person.password_overdue",
            by=BY,
            at=at,
            subject=member,
            person=member.user_id,
            sessions=sessions,
            keys=keys,
        )


# --- Mail ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def claim_reminders(*, at: datetime, limit: int) -> list[PasswordReminder]:
    """Claim reminders whose mail is due; each comes back after ten minutes unless `reminder_sent` is told."""
    due = PasswordReminder.objects.filter(mail_due_at__lte=at)
    rows = list(
        due.select_related("user").select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:limit]
    )
    # Who has chosen another in the meantime, or may not sign in any more, needs no mail.
    kept = [row for row in rows if row.user.is_active and row.user.password_due_at == row.due_at]
    keep = [row.pk for row in kept]
    PasswordReminder.objects.filter(pk__in=[row.pk for row in rows]).update(mail_due_at=None)
    PasswordReminder.objects.filter(pk__in=keep).update(mail_due_at=at + MAIL_AGAIN_AFTER)
    return kept


def reminder_sent(*, reminder_id: int, at: datetime) -> None:
    """Note that a reminder went out."""
    PasswordReminder.objects.filter(pk=reminder_id).update(sent_at=at, mail_due_at=None)
