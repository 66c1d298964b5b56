"""People: the list, invitations, one person, and what that person can see."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access, selectors, tasks
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed, Role
from callprivacy.accounts.forms import InviteForm, PeopleFilter, RoleForm, SuspendForm
from callprivacy.accounts.models import Invitation, Membership
from callprivacy.accounts.services import invitations
from callprivacy.accounts.services import people as deeds
from callprivacy.accounts.views.pages import page_of

PAGE = 50
CLIENTS_PAGE = 25


def membership_or_404(request: StaffRequest, pk: int) -> Membership:
    """A person of the agency."""
    found = (
        Membership.objects.filter(agency_id=request.agency.pk, pk=pk).select_related("user", "agency").first()
    )
    if found is None:
        raise Http404
    return found


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def list_people(request: StaffRequest) -> HttpResponse:
    """The agency's people and its open invitations."""
    form = PeopleFilter(request.GET)
    wanted: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    found = selectors.people(
        at=request.at, search=wanted.get("q", ""), role=wanted.get("role", ""), state=wanted.get("state", "")
    )
    invited = [(row, row.state_at(request.at).value) for row in selectors.invitations()[:PAGE]]
    context = {
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "page": page_of(request, found, size=PAGE),
        "invited": invited,
    }
    return render(request, "accounts/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def invite(request: StaffRequest) -> HttpResponse:
    clients = list(access.visible_clients(request.membership, at=request.at).filter(archived_at=None))
    form = InviteForm(request.POST or None, clients=clients, giver=request.membership)
    if form.is_valid():
        try:
            invitation, token = invitations.invite(
                agency_id=request.agency.pk,
                email=form.cleaned_data["email"],
                name=form.cleaned_data["name"],
                role=form.cleaned_data["role"],
                client_ids=form.client_ids(),
                by=request.actor,
                at=request.at,
            )
        except (invitations.AlreadyMemberError, invitations.AlreadyInvitedError) as error:
            form.add_error("email", str(error))
        except (deeds.RoleAboveError, deeds.ApprovesError) as error:
            form.add_error("role", str(error))
        else:
            return _invited(request, invitation, token)
    return render(request, "accounts/invite.html", {"form": form})


def _invited(request: StaffRequest, invitation: Invitation, token: str) -> HttpResponse:
    """Send the link; or, of an officer, say that a second one confirms it first."""
    if invitation.needs_second:
        tasks.wake_people()
        messages.success(
            request, f"{invitation.name} gets a link by mail once a second officer confirms the invitation."
        )
        return redirect("accounts:officers")
    invitations.send_mail_on_commit(
        invitation=invitation, token=token, agency_name=request.agency.name, at=request.at
    )
    messages.success(request, f"{invitation.name} gets a mail with a link. It works once, within 7 days.")
    return redirect("accounts:people")


def _invite_again(request: StaffRequest, membership: Membership) -> tuple[Invitation, str]:
    """Invite one of the agency's people as an officer."""
    return invitations.invite(
        agency_id=request.agency.pk,
        email=membership.user.email,
        name=membership.user.name,
        role=Role.OFFICER,
        client_ids=[],
        by=request.actor,
        at=request.at,
    )


def invitation_or_404(request: StaffRequest, pk: int) -> Invitation:
    found = Invitation.objects.filter(agency_id=request.agency.pk, pk=pk).first()
    if found is None:
        raise Http404
    return found


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
def send_again(request: StaffRequest, pk: int) -> HttpResponse:
    """Send an invitation again, with a new link."""
    invitation = invitation_or_404(request, pk)
    try:
        token = invitations.renew(invitation=invitation, by=request.actor, at=request.at)
    except invitations.InvitationGoneError:
        messages.error(
            request, "This invitation was accepted or withdrawn, or is waiting for a second officer."
        )
    else:
        invitations.send_mail_on_commit(
            invitation=invitation, token=token, agency_name=request.agency.name, at=request.at
        )
        messages.success(request, "A new link is on its way; the old one opens nothing any more.")
    return redirect("accounts:people")


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
def withdraw(request: StaffRequest, pk: int) -> HttpResponse:
    """Take an invitation back."""
    invitation = invitation_or_404(request, pk)
    try:
        invitations.withdraw(invitation=invitation, by=request.actor, at=request.at)
    except invitations.InvitationGoneError:
        messages.error(request, "This invitation was accepted or withdrawn in the meantime.")
    else:
        messages.success(request, "Withdrawn. The link opens nothing any more.")
    return redirect("accounts:people")


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def show_person(request: StaffRequest, pk: int) -> HttpResponse:
    """One person: role, state, and what is granted where."""
    membership = membership_or_404(request, pk)
    form = RoleForm(initial={"role": membership.role}, giver=request.membership, present=membership.role)
    return _page_of(request, membership, form)


def _page_of(
    request: StaffRequest, membership: Membership, form: RoleForm, status: int = 200
) -> HttpResponse:
    clients = selectors.clients_seen_by(membership, at=request.at)
    page = page_of(request, clients, size=CLIENTS_PAGE)
    context = {
        "person": membership,
        "form": form,
        "page": page,
        "seen": selectors.what_is_seen(membership, list(page), at=request.at),
        "link": selectors.link_of(membership.user_id),
        "is_self": membership.pk == request.membership.pk,
        "may_grant": deeds.may_change_grants_of(membership, request.membership),
        "keys": selectors.keys_listed(membership.user_id, at=request.at),
        "suspend_form": SuspendForm(),
    }
    return render(request, "accounts/person.html", context, status=status)


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def change_role(request: StaffRequest, pk: int) -> HttpResponse:
    """Make a person something else."""
    membership = membership_or_404(request, pk)
    form = RoleForm(request.POST, giver=request.membership, present=membership.role)
    if form.is_valid():
        try:
            if form.cleaned_data["role"] == Role.OFFICER != membership.role:
                return _invited(request, *_invite_again(request, membership))
            deeds.change_role(
                membership=membership, role=form.cleaned_data["role"], by=request.actor, at=request.at
            )
        except (
            deeds.ApprovesError,
            deeds.LastManagerError,
            deeds.OwnRightsError,
            deeds.RoleAboveError,
            invitations.AlreadyInvitedError,
        ) as error:
            form.add_error("role", str(error))
        else:
            tasks.wake_people()
            messages.success(request, f"{membership.user} is {membership.get_role_display().lower()} now.")
            return redirect("accounts:person", pk=pk)
    return _page_of(request, membership, form, status=422)


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
def suspend(request: StaffRequest, pk: int) -> HttpResponse:
    """Take a person's access away at once."""
    membership = membership_or_404(request, pk)
    form = SuspendForm(request.POST)
    ends_keys = not (form.is_valid() and form.cleaned_data["keeps_keys"])
    try:
        deeds.suspend(membership=membership, ends_keys=ends_keys, by=request.actor, at=request.at)
    except (deeds.LastManagerError, deeds.OwnRightsError) as error:
        messages.error(request, str(error))
    else:
        tasks.wake_people()
        messages.success(request, f"{membership.user} is suspended and signed out everywhere.")
    return redirect("accounts:person", pk=pk)


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def reactivate(request: StaffRequest, pk: int) -> HttpResponse:
    """Give a suspended person the access back."""
    membership = membership_or_404(request, pk)
    try:
        if membership.role == Role.OFFICER and not membership.is_active:
            return _invited(request, *_invite_again(request, membership))
        deeds.reactivate(membership=membership, by=request.actor, at=request.at)
    except (
        deeds.ApprovesError,
        deeds.OfficerNeedsTwoError,
        deeds.RoleAboveError,
        invitations.AlreadyInvitedError,
    ) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{membership.user} can sign in again, with the earlier grants.")
    return redirect("accounts:person", pk=pk)


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def show_what_is_seen(request: StaffRequest, pk: int) -> HttpResponse:
    """What a person can see: clients, permissions, and how many calls."""
    membership = membership_or_404(request, pk)
    clients = selectors.clients_seen_by(membership, at=request.at)
    page = page_of(request, clients, size=CLIENTS_PAGE)
    calls = selectors.count_calls_seen_by(membership)
    context = {
        "person": membership,
        "page": page,
        "seen": selectors.what_is_seen(membership, list(page), at=request.at),
        "calls": min(calls, selectors.MOST_CALLS_COUNTED),
        "more_calls": calls > selectors.MOST_CALLS_COUNTED,
        "rights": sorted(right.value.replace("_", " ") for right in membership.rights),
    }
    return render(request, "accounts/sees.html", context)
