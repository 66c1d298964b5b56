"""Compliance officers: who there is, whose signature counts, and whose invitation waits for a second officer."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts import access, seconding, selectors, tasks
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed, Uncounted
from callprivacy.accounts.models import Invitation, User
from callprivacy.accounts.services import agencies, officers
from callprivacy.accounts.services.people import RoleAboveError
from callprivacy.accounts.views.form_pages import ERROR, action
from callprivacy.accounts.views.people import invitation_or_404

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


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def list_officers(request: StaffRequest) -> HttpResponse:
    """The officers, the invitations that wait, and second signatures that did not count."""
    me = request.membership.user_id
    rows = list(
        selectors.uncounted(agency_id=request.agency.pk, since=request.at - seconding.INVITED_WITHIN)[:50]
    )
    people = User.objects.in_bulk(
        {user_id for row in rows for user_id in (row.actor_user_id, row.details["proposed_by"])}
    )
    context = {
        "removed": access.removed_lately(AgencyRight.SIGN_OFF, agency_id=request.agency.pk, at=request.at),
        "officers": [
            (row, row.signs_from is not None and row.signs_from > request.at)
            for row in selectors.officers_of(request.agency.pk)
            .select_related("user", "made_by")
            .order_by("user__name", "pk")
        ],
        "waiting": [
            (
                row,
                seconding.may_second(
                    proposer=row.invited_by_id or 0, signer=me, agency_id=row.agency_id, at=request.at
                ),
            )
            for row in selectors.unconfirmed(at=request.at)
        ],
        "uncounted": [
            {
                "at": row.at,
                "what": WHAT.get(row.subject_kind, row.subject_kind),
                "signer": people.get(row.actor_user_id),
                "proposer": people.get(row.details["proposed_by"]),
                "why": _WHY.get(row.details["why"], row.details["why"]).replace(
                    "Both", "The signer and the new officer" if row.details.get("of_new") else "Both"
                ),
            }
            for row in rows
        ],
    }
    return render(request, "accounts/officers.html", context)


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
    """Confirm, as a second officer, that somebody becomes an officer."""
    try:
        confirmed = officers.confirm(invitation=invitation, by=request.actor, at=request.at)
        agencies.send_confirmed(confirmed, by=request.actor, at=request.at)
    finally:
        tasks.wake_people()
    return f"Confirmed. {confirmed.name} gets a link by mail."
