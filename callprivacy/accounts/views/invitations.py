"""The door for who was invited: a link that works once."""

from typing import cast

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access, passwords, selectors, tasks
from callprivacy.accounts.enums import InvitationState
from callprivacy.accounts.forms import AcceptForm
from callprivacy.accounts.middleware import AGENCY_IN_SESSION
from callprivacy.accounts.models import Invitation, User
from callprivacy.accounts.services import invitations
from callprivacy.accounts.services.people import ApprovesError
from callprivacy.accounts.views.providers import INVITED
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.scope import job_scope


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:  # noqa: PLR0911  (one for each way it stands)
    """Show an invitation and accept it: with a new sign-in, or with the one that the address has."""
    at = timezone.now()
    digest = selectors.digest_of_token(token)
    key = tenancy.find_public_key(digest.hex(), KeyPurpose.INVITATION)
    if key is None:
        return _closed(request, "unknown", 404)
    with job_scope(agency_id=key.agency_id):
        invitation = Invitation.objects.select_related("agency__sign_in_policy").filter(digest=digest).first()
        if invitation is None:
            return _closed(request, "unknown", 404)
        state = invitation.state_at(at)
        if state != InvitationState.OPEN:
            return _closed(request, state.value, 410)
        if User.objects.filter(email=invitation.email).exists():
            return _with_a_sign_in(request, invitation)
        provider = selectors.provider_for(invitation.email)
        if provider is not None and request.GET.get("how") == "provider":
            request.session[INVITED] = digest.hex()
            return redirect("accounts:provider_go", key=provider.key)
        policy = access.policy_of(invitation.agency)
        asked = passwords.asked_by(
            policy, agency=invitation.agency.name, time_zone=invitation.agency.time_zone
        )
        form = AcceptForm(
            request.POST or None,
            email=invitation.email,
            rule=asked.rule(),
            initial={"name": invitation.name},
        )
        if not form.is_valid():
            context = {
                "invitation": invitation,
                "form": form,
                "keeper": policy.keeper,
                "token": token,
                "provider": provider,
            }
            return render(request, "accounts/invitation.html", context)
        try:
            user = invitations.accept(
                invitation=invitation,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password1"],
                at=at,
            )
        except (invitations.InvitationGoneError, invitations.AccountExistsError):
            return redirect(request.path)
        tasks.wake_people()
    return _sign_in(request, user, key.agency_id)


def _sign_in(request: HttpRequest, user: User, agency_id: int) -> HttpResponse:
    response = cast(HttpResponse, perform_login(request, user, redirect_url="/", email=user.email))
    request.session[AGENCY_IN_SESSION] = agency_id
    return response


def _with_a_sign_in(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """The address has a sign-in already: its owner signs in with it and accepts with one press."""
    user = request.user
    through = access.Through.of(request)
    is_theirs = (
        isinstance(user, User)
        and user.email == invitation.email
        and (through is None or through.agency_id == invitation.agency_id)
    )
    if request.method == "POST" and is_theirs:
        try:
            invitations.accept_as(invitation=invitation, user=cast(User, user), at=timezone.now())
        except invitations.InvitationGoneError:
            return redirect(request.path)
        except ApprovesError:
            messages.error(
                request,
                "You approve for a client, and a compliance officer does not. Ask for another bundle there, then accept"
                " the invitation again.",
            )
            return redirect("/")
        tasks.wake_people()
        request.session[AGENCY_IN_SESSION] = invitation.agency_id
        return redirect("/")
    context = {"invitation": invitation, "is_theirs": is_theirs, "has_account": True}
    return render(request, "accounts/invitation.html", context)


def _closed(request: HttpRequest, why: str, status: int) -> HttpResponse:
    return render(request, "accounts/invitation_closed.html", {"why": why}, status=status)
