"""Second factors of somebody who has lost them, taken away by two people."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import seconding, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.models import FactorReset
from callprivacy.accounts.services import factors
from callprivacy.accounts.services.people import OwnRightsError
from callprivacy.accounts.views.people import membership_or_404


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def ask_reset(request: StaffRequest, pk: int) -> HttpResponse:
    """Ask for a person's second factors to be taken away."""
    membership = membership_or_404(request, pk)
    if request.method == "POST":
        try:
            factors.ask_reset(membership=membership, by=request.actor, at=request.at)
        except (factors.AlreadyAskedError, OwnRightsError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "A second person who manages people has two days to approve it.")
        return redirect("accounts:person", pk=pk)
    others = selectors.managers().exclude(user_id__in=[request.membership.user_id, membership.user_id])
    context = {
        "person": membership,
        "factors": selectors.factors_listed(membership.user_id),
        "waits": selectors.open_reset(membership.user_id, at=request.at),
        "others": [str(other.user) for other in others.select_related("user")],
        "is_self": membership.pk == request.membership.pk,
        "elsewhere": selectors.works_elsewhere(membership.user_id, agency_id=request.agency.pk),
        "extent": [
            {
                "label": "Second factors taken away",
                "value": len(selectors.factors_listed(membership.user_id)),
            },
            {"label": "Sessions that end", "value": selectors.count_sessions(membership.user_id)},
        ],
    }
    return render(request, "accounts/factors_reset.html", context)


def _decided(name: str, taken: int | None, *, agree: bool) -> str:
    if not agree:
        return "Refused. Nothing was changed."
    if taken is None:
        return (
            f"Agreed here. {name} works for another agency as well, and nothing is taken away before two have agreed "
            "there, within two days."
        )
    return f"{name} signs in with the password alone and adds a new second factor."


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def decide_reset(request: StaffRequest, reset_id: UUID) -> HttpResponse:
    """Agree or refuse, as the second person."""
    resets = FactorReset.objects.filter(agency_id=request.agency.pk).select_related("user", "asked_by")
    reset = get_object_or_404(resets, pk=reset_id)
    if request.method == "POST":
        agree = request.POST.get("deed") == "agree"
        try:
            taken = factors.decide_reset(reset=reset, agree=agree, by=request.actor, at=request.at)
        except (factors.NotYoursError, seconding.NotCountedError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _decided(str(reset.user), taken, agree=agree))
        return redirect("accounts:passwords")
    context = {
        "reset": reset,
        "is_open": reset.decided_at is None and reset.ends_at > request.at,
        "may_decide": request.membership.user_id not in {reset.asked_by_id, reset.user_id},
        "doubt": seconding.may_second(
            proposer=reset.asked_by_id,
            signer=request.membership.user_id,
            agency_id=reset.agency_id,
            at=request.at,
        ),
        "elsewhere": selectors.works_elsewhere(reset.user_id, agency_id=request.agency.pk),
        "sessions": selectors.count_sessions(reset.user_id),
        "factors": selectors.factors_listed(reset.user_id),
    }
    return render(request, "accounts/factors_decide.html", context)
