"""Compliance officers are made by two: an officer invites, a second one confirms, and all of them hear of it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format

from callprivacy.accounts import access, seconding, selectors
from callprivacy.accounts.enums import AgencyRight, Role
from callprivacy.accounts.models import Invitation, Membership, User
from callprivacy.accounts.services import people
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor, ScopeKind

_AN_OPERATOR: Final = 0
"""Who has invited, where an operator did so by a command and has no name."""
_OPERATORS: Final = "An operator sent this invitation. A person in the agency has to confirm it."


class NotWaitingError(ValueError):
    """It does not wait for a second officer any more."""

    def __init__(self) -> None:
        super().__init__("This invitation is no longer waiting for a second officer.")


class OfficersConfirmError(ValueError):
    def __init__(self) -> None:
        super().__init__("Another compliance officer of this agency can confirm this, so an operator cannot.")


class RemovedLatelyError(ValueError):
    """Only an officer may confirm for a time after an officer was removed."""

    def __init__(self, member: Membership) -> None:
        zone = ZoneInfo(member.agency.time_zone)
        until = member.officer_until.astimezone(zone) if member.officer_until else None
        words = f"{date_format(until, 'j M Y, H:i')} {until.tzname()}" if until else "then"
        super().__init__(
            f"{member.user} was recently a compliance officer. Until {words}, only"
            " another officer can confirm this."
        )


class News(StrEnum):
    """What the officers of an agency hear of a new one."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    MADE = "made"


def may_confirm(invitation: Invitation, *, at: datetime) -> list[int]:
    """User ids of the officers who can confirm an invitation now."""
    if invitation.invited_by_id is None:
        return []
    others = selectors.officers_of(invitation.agency_id).exclude(user_id=invitation.invited_by_id)
    found = seconding.doubts(
        proposer=invitation.invited_by_id,
        signers=list(others.values_list("user_id", flat=True)),
        agency_id=invitation.agency_id,
        at=at,
    )
    return sorted(user_id for user_id, doubt in found.items() if doubt is None)


@seconding.seconds
@transaction.atomic
def confirm(*, invitation: Invitation, by: Actor, at: datetime) -> Invitation:
    """
    Confirm the invitation of an officer, as a second officer; or, where no other one can, as the operator. What an
    operator has sent is an officer's to confirm, or where none is there, an admin's.

    The caller of this function sends the link (`invitations.renew`).

    :raises NotWaitingError: it was confirmed, accepted or withdrawn, or has expired.
    :raises NotCountedError: the signature does not count. :raises RoleAboveError: it is no officer.
    :raises OfficersConfirmError: an operator would, where an officer can. :raises RemovedLatelyError: an operator or
        admin would, where an officer was removed lately.
    """
    people.hold_managers(invitation.agency_id)
    waiting = selectors.unconfirmed(at=at).filter(pk=invitation.pk).first()
    if waiting is None:
        raise NotWaitingError
    proposer = waiting.invited_by_id or _AN_OPERATOR
    has_officers = selectors.officers_of(waiting.agency_id).exists()
    removed = access.removed_lately(
        AgencyRight.SIGN_OFF, agency_id=waiting.agency_id, at=at, but=waiting.invited_by_id
    ).first()
    if removed is not None and (by.kind != ScopeKind.STAFF or not has_officers):
        raise RemovedLatelyError(removed)
    if by.kind == ScopeKind.STAFF:
        needed = Role.OFFICER if has_officers else Role.ADMIN
        people.check_gives(needed, agency_id=waiting.agency_id, by=by)
        seconding.check(
            proposer=proposer,
            signer=by.user_id,
            agency_id=waiting.agency_id,
            subject=waiting,
            at=at,
        )
    elif by.user_id == waiting.invited_by_id or not selectors.is_member(waiting):
        raise seconding.SamePersonError(_OPERATORS)
    elif may_confirm(waiting, at=at):
        raise OfficersConfirmError
    elif by.user_id is not None:
        seconding.check(
            proposer=proposer,
            signer=by.user_id,
            agency_id=waiting.agency_id,
            subject=waiting,
            at=at,
            new_email=waiting.email,
        )
    claimed = selectors.unconfirmed(at=at).filter(pk=waiting.pk)
    if not claimed.update(confirmed_by=by.user_id, confirmed_at=at):
        raise NotWaitingError
    waiting.refresh_from_db(fields=["confirmed_by", "confirmed_at"])
    audit.record("invitation.confirmed", subject=waiting, by=by, at=at, proposed_by=waiting.invited_by_id)
    notify(waiting, News.CONFIRMED, at=at)
    return waiting


def notify(invitation: Invitation, news: News, *, at: datetime) -> None:
    """Write to all officers of the agency at once; to the operators as well, where only they can confirm."""
    to = list(selectors.officers_of(invitation.agency_id).select_related("user").order_by("pk"))
    readers = [row.user for row in to]
    context = {
        "news": news.value,
        "agency": invitation.agency.name,
        "invited": invitation.email,
        "by": str(invitation.invited_by or "an operator"),
        "url": f"{settings.CALLPRIVACY_URL.rstrip('/')}{reverse('accounts:officers')}",
    }
    for user in readers:
        after_commit(
            "mail of a new officer", _send_mail, to=user.email, context={**context, "name": str(user)}
        )
    if news is News.PROPOSED and selectors.is_member(invitation) and not may_confirm(invitation, at=at):
        for user in User.objects.filter(is_staff=True, is_active=True).order_by("pk"):
            said = {
                **context,
                "name": str(user),
                "operator": True,
                "url": f"{settings.CALLPRIVACY_URL.rstrip('/')}/operator/",
            }
            after_commit("mail of a new officer", _send_mail, to=user.email, context=said)


def _send_mail(*, to: str, context: dict[str, object]) -> None:
    text = render_to_string("accounts/email/new_officer.txt", context)
    letter(f"A compliance officer for {context['agency']}", text, [to]).send()
