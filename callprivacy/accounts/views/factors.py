"""Second factors of a person who lost them, removed by two people."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse

from callprivacy.accounts import seconding, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.models import FactorReset, Membership
from callprivacy.accounts.services import factors
from callprivacy.accounts.services.people import OwnRightsError
from callprivacy.accounts.views.form_pages import ERROR, form_page
from callprivacy.accounts.views.people import membership_or_404


def _before_request(request: StaffRequest, membership: Membership) -> dict[str, Any]:
    others = selectors.managers().exclude(user_id__in=[request.membership.user_id, membership.user_id])
    known = selectors.factors_listed(membership.user_id)
    return {
        "person": membership,
        "factors": known,
        "waits": selectors.open_reset(membership.user_id, at=request.at),
        "others": [str(other.user) for other in others.select_related("user")],
        "is_self": membership.pk == request.membership.pk,
        "elsewhere": selectors.works_elsewhere(membership.user_id, agency_id=request.agency.pk),
        "extent": [
            {"label": "Second factors removed", "value": len(known)},
            {"label": "Sessions that end", "value": selectors.count_sessions(membership.user_id)},
        ],
    }


@form_page(
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    load=membership_or_404,
    title=lambda membership: f"Second factors of {membership.user}",
    button="Request removal",
    crumbs=lambda membership: [
        ("People", reverse("accounts:people")),
        (str(membership.user), reverse("accounts:person", args=[membership.pk])),
    ],
    more=_before_request,
    errors={factors.AlreadyAskedError: ERROR, OwnRightsError: ERROR},
    template="accounts/factors_reset.html",
)
def ask_reset(request: StaffRequest, membership: Membership, _: Any) -> str:
    factors.ask_reset(membership=membership, by=request.actor, at=request.at)
    return "A second person who manages people has two days to approve it."


def _decided(name: str, taken: int | None, *, agree: bool) -> str:
    if not agree:
        return "Refused. Nothing was changed."
    if taken is None:
        return (
            f"Agreed here. {name} works for another agency as well, and nothing is taken away before two have agreed "
            "there, within two days."
        )
    return f"{name} signs in with the password alone and adds a new second factor."


def _reset_or_404(request: StaffRequest, reset_id: UUID) -> FactorReset:
    resets = FactorReset.objects.filter(agency_id=request.agency.pk).select_related("user", "asked_by")
    return get_object_or_404(resets, pk=reset_id)


def _before_decision(request: StaffRequest, reset: FactorReset) -> dict[str, Any]:
    me = request.membership.user_id
    return {
        "reset": reset,
        "is_open": reset.decided_at is None and reset.ends_at > request.at,
        "may_decide": me not in {reset.asked_by_id, reset.user_id},
        "doubt": seconding.may_second(
            proposer=reset.asked_by_id, signer=me, agency_id=reset.agency_id, at=request.at
        ),
        "elsewhere": selectors.works_elsewhere(reset.user_id, agency_id=request.agency.pk),
        "sessions": selectors.count_sessions(reset.user_id),
        "factors": selectors.factors_listed(reset.user_id),
    }


@form_page(
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    load=_reset_or_404,
    title=lambda reset: f"Second factors of {reset.user}",
    button="Approve",
    crumbs=lambda _: [("Passwords", reverse("accounts:passwords"))],
    more=_before_decision,
    second=factors.decide_reset,
    errors={factors.NotYoursError: ERROR, seconding.NotCountedError: ERROR},
    template="accounts/factors_decide.html",
)
def decide_reset(request: StaffRequest, reset: FactorReset, _: Any) -> str:
    agree = request.POST.get("deed") == "agree"
    taken = factors.decide_reset(reset=reset, agree=agree, by=request.actor, at=request.at)
    return _decided(str(reset.user), taken, agree=agree)
