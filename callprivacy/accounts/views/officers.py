"""Compliance officers: who there is, whose signature counts, and whose invitation waits for a second officer."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from callprivacy.accounts import access, seconding, selectors, tasks
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed, Uncounted
from callprivacy.accounts.models import Invitation, Membership, User
from callprivacy.accounts.services import agencies, officers
from callprivacy.accounts.services.people import RoleAboveError
from callprivacy.accounts.views.form_pages import ERROR, action
from callprivacy.accounts.views.people import invitation_or_404
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page

_WHY = {
    Uncounted.NEW: "The signer's role was new",
    Uncounted.INVITER: "The same person gave both their roles within 30 days",
    Uncounted.MAILBOX: "Both have the same mailbox",
    Uncounted.BROWSER: "Both signed in from the same browser within 30 days",
    Uncounted.NETWORK: "Both were in the same network within an hour",
}
WHAT = {
    "accounts.invitation": "New compliance officer",
    "accounts.factorreset": "Removal of second factors",
    "accounts.signinprovider": "Sign-in provider",
    "retention.policychange": "Retention policy change, or going live",
    "retention.offboarding": "Offboarding of a client",
    "analytics.release": "Data release",
}


_OFFICERS = Table(
    label="Officers",
    columns=(
        Column(
            "Officer",
            lambda line: line[0].user,
            link=lambda line: reverse("accounts:person", args=[line[0].pk]),
        ),
        Column("Email", lambda line: line[0].user.email),
        Column("Invited by", lambda line: line[0].made_by, nothing="not recorded"),
        Column(
            "Second signature",
            lambda line: Pill("New: counts from", "warn") if line[1] else Pill("Counts", "good"),
            note=lambda line: line[0].signs_from if line[1] else "",
        ),
    ),
    empty=Empty("No officers"),
    lines=lambda request, rows: [(row, row.signs_from and row.signs_from > request.at) for row in rows],
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    invitation: Invitation
    doubt: seconding.Doubt | None
    is_own: bool

    def links(self) -> list[Link]:
        args, name = [self.invitation.pk], self.invitation.name
        withdraw = reverse("accounts:withdraw_invitation", args=args)
        refuse = Link("Withdraw" if self.is_own else "Refuse", withdraw, name, "ghost", posts=True)
        if self.doubt:
            return [refuse]
        confirm = reverse("accounts:confirm_officer", args=args)
        return [Link("Confirm", confirm, name, "primary", posts=True), refuse]


_WAITING = Table(
    label="Waiting for a second officer",
    columns=(
        Column("Person", "invitation.name"),
        Column("Email", "invitation.email"),
        Column("Invited by", "invitation.invited_by", nothing="an operator"),
        Column("Expires", "invitation.expires_at"),
        Column("Your signature", "doubt.words", nothing="counts"),
    ),
    links=_Waiting.links,
    empty=Empty("No invitation waits"),
)
_UNCOUNTED = Table(
    label="Signatures that did not count in the last 30 days",
    columns=(
        Column("Item", lambda line: WHAT.get(line[0].subject_kind, line[0].subject_kind)),
        Column("Proposed by", lambda line: line[1].get(line[0].details["proposed_by"])),
        Column("Signed by", lambda line: line[1].get(line[0].actor_user_id)),
        Column("Why it did not count", lambda line: _why(line[0].details)),
        Column("When", lambda line: line[0].at),
    ),
    empty=Empty("All signatures counted"),
)


def _why(details: dict[str, Any]) -> str:
    both = "The signer and the new officer" if details.get("of_new") else "Both"
    return str(_WHY.get(details["why"], details["why"])).replace("Both", both)


def _beside(request: StaffRequest) -> dict[str, Any]:
    me = request.membership.user_id
    events = list(
        selectors.uncounted(agency_id=request.agency.pk, since=request.at - seconding.INVITED_WITHIN)[:50]
    )
    people = User.objects.in_bulk(
        {user_id for event in events for user_id in (event.actor_user_id, event.details["proposed_by"])}
    )
    waiting = [
        _Waiting(
            row,
            seconding.may_second(
                proposer=row.invited_by_id or 0, signer=me, agency_id=row.agency_id, at=request.at
            ),
            row.invited_by_id == me,
        )
        for row in selectors.unconfirmed(at=request.at)
    ]
    return {
        "removed": access.removed_lately(AgencyRight.SIGN_OFF, agency_id=request.agency.pk, at=request.at),
        "waiting": _WAITING.draw(request, waiting),
        "uncounted": _UNCOUNTED.draw(request, [(event, people) for event in events]),
    }


@list_page(
    _OFFICERS,
    right=AgencyRight.MANAGE_PEOPLE,
    lede=(
        "A new compliance officer takes two people: one officer invites, and another confirms. See whose second"
        " signature counts, and which signatures did not count."
    ),
    actions=lambda _: [Link("Invite an officer", reverse("accounts:invite"), tone="primary")],
    more=_beside,
    template="accounts/officers.html",
)
def list_officers(request: StaffRequest) -> QuerySet[Membership]:
    officers_here = selectors.officers_of(request.agency.pk)
    return officers_here.select_related("user", "made_by").order_by("user__name", "pk")


@action(
    right=AgencyRight.MANAGE_PEOPLE,
    load=invitation_or_404,
    back=lambda _: reverse("accounts:officers"),
    confirms=Deed.GRANTS,
    second=officers.confirm,
    errors={
        officers.NotWaitingError: ERROR,
        officers.RemovedLatelyError: ERROR,
        seconding.NotCountedError: ERROR,
        RoleAboveError: ERROR,
    },
)
def confirm(request: StaffRequest, invitation: Invitation, _: Any) -> str:
    try:
        confirmed = officers.confirm(invitation=invitation, by=request.actor, at=request.at)
        agencies.send_confirmed(confirmed, by=request.actor, at=request.at)
    finally:
        tasks.wake_people()
    return f"Confirmed. {confirmed.name} gets a link by mail."
