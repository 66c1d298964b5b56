"""People: the list, invitations, one person, and what that person can see."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts import access, selectors, tasks
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed, InvitationState, MembershipState, Role
from callprivacy.accounts.forms import InviteForm, PeopleFilter, RoleForm, SuspendForm
from callprivacy.accounts.models import Invitation, Membership
from callprivacy.accounts.services import invitations
from callprivacy.accounts.services import people as deeds
from callprivacy.accounts.views.form_pages import ERROR, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page

PAGE = 50
CLIENTS_PAGE = 25


def membership_or_404(request: StaffRequest, pk: int) -> Membership:
    rows = Membership.objects.filter(agency_id=request.agency.pk, pk=pk)
    return get_object_or_404(rows.select_related("user", "agency"))


_TONES = {MembershipState.ACTIVE: "good", MembershipState.SUSPENDED: "bad"}
_PEOPLE = Table(
    label="People",
    columns=(
        Column(
            "Person", "user", link=lambda row: reverse("accounts:person", args=[row.pk]), sort="user__name"
        ),
        Column("Email", "user.email"),
        Column("Role", "get_role_display"),
        Column("State", lambda row: Pill(row.get_state_display(), _TONES.get(row.state, "neutral"))),
        Column("Last sign-in", "user.last_login", nothing="never", sort="user__last_login"),
        Column("Clients", "clients_seen", sort="clients_seen", is_number=True),
    ),
    filters=PeopleFilter,
    empty=Empty("No people yet", picture="people"),
    file="people",
)


def _state_of(line: tuple[Invitation, InvitationState]) -> Pill:
    invitation, state = line
    if state == InvitationState.UNCONFIRMED:
        return Pill("Waiting for a second officer", "warn")
    if state == InvitationState.EXPIRED:
        return Pill("Expired", "warn")
    return Pill("Open", "info") if invitation.sent_at else Pill("Email not sent: send it again", "bad")


def _links_of(line: tuple[Invitation, InvitationState]) -> list[Link]:
    invitation, state = line
    send, withdraw = (
        reverse(f"accounts:{name}", args=[invitation.pk])
        for name in ("send_invitation", "withdraw_invitation")
    )
    links = [Link("Withdraw", withdraw, f"the invitation of {invitation.name}", "ghost", posts=True)]
    if state != InvitationState.UNCONFIRMED:
        links.insert(0, Link("Send again", send, f"to {invitation.name}", posts=True))
    return links


_INVITED = Table(
    label="Open invitations",
    columns=(
        Column("Person", lambda line: line[0].name),
        Column("Email", lambda line: line[0].email),
        Column("Role", lambda line: line[0].get_role_display()),
        Column("State", _state_of),
        Column("Invited by", lambda line: line[0].invited_by, nothing="the operator"),
    ),
    links=_links_of,
    empty=Empty("No open invitation"),
)


def _invited(request: StaffRequest) -> dict[str, Any]:
    lines = [(row, row.state_at(request.at)) for row in selectors.invitations()[:PAGE]]
    return {"invited": _INVITED.draw(request, lines)}


@list_page(
    _PEOPLE,
    right=AgencyRight.MANAGE_PEOPLE,
    lede="Who may sign in, as what, and how many clients each sees.",
    actions=lambda _: [Link("Invite person", reverse("accounts:invite"), tone="primary")],
    more=_invited,
    template="accounts/people.html",
)
def list_people(request: StaffRequest) -> QuerySet[Membership]:
    return selectors.people(at=request.at)


def _above(subject: Membership | None) -> list[tuple[str, str]]:
    person = [(str(subject.user), reverse("accounts:person", args=[subject.pk]))] if subject else []
    return [("People", reverse("accounts:people")), *person]


def _back(subject: Membership | Invitation) -> str:
    return _above(subject if isinstance(subject, Membership) else None)[-1][1]


@form_page(
    InviteForm,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    title="Invite a person",
    lede="They get an email with a link that works once, for seven days, and choose their own password.",
    button="Send the invitation",
    crumbs=_above,
    fill=lambda request, _: {
        "clients": access.visible_clients(request.membership, at=request.at).filter(archived_at=None),
        "giver": request.membership,
    },
    errors={
        invitations.AlreadyMemberError: "email",
        invitations.AlreadyInvitedError: "email",
        deeds.RoleAboveError: "role",
        deeds.ApprovesError: "role",
    },
    template="accounts/invite.html",
)
def invite(request: StaffRequest, _: None, form: InviteForm) -> Done:
    invitation, token = invitations.invite(
        agency_id=request.agency.pk,
        email=form.cleaned_data["email"],
        name=form.cleaned_data["name"],
        role=form.cleaned_data["role"],
        client_ids=form.client_ids(),
        by=request.actor,
        at=request.at,
    )
    return _send(request, invitation, token)


def _send(request: StaffRequest, invitation: Invitation, token: str) -> Done:
    """Send the link; or, of an officer, say that a second one confirms it first."""
    if invitation.needs_second:
        tasks.wake_people()
        return Done(
            f"{invitation.name} gets a link by email once a second officer confirms the invitation.",
            reverse("accounts:officers"),
        )
    invitations.send_mail_on_commit(
        invitation=invitation, token=token, agency_name=request.agency.name, at=request.at
    )
    text = f"{invitation.name} gets an email with a link. It works once, within 7 days."
    return Done(text, reverse("accounts:people"))


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
    return get_object_or_404(Invitation, agency_id=request.agency.pk, pk=pk)


@action(
    right=AgencyRight.MANAGE_PEOPLE,
    load=invitation_or_404,
    back=_back,
    errors={invitations.InvitationGoneError: ERROR},
)
def send_again(request: StaffRequest, invitation: Invitation, _: Any) -> str:
    token = invitations.renew(invitation=invitation, by=request.actor, at=request.at)
    invitations.send_mail_on_commit(
        invitation=invitation, token=token, agency_name=request.agency.name, at=request.at
    )
    return "A new link is on its way. The old one no longer works."


@action(
    right=AgencyRight.MANAGE_PEOPLE,
    load=invitation_or_404,
    back=_back,
    errors={invitations.InvitationGoneError: ERROR},
)
def withdraw(request: StaffRequest, invitation: Invitation, _: Any) -> str:
    invitations.withdraw(invitation=invitation, by=request.actor, at=request.at)
    return "Withdrawn. The link no longer works."


_ENDS = Column("Until", "cell.last_instant", nothing="no end")
_GRANTS = Table(
    label="Clients granted",
    columns=(
        Column("Client", "client.name", link=lambda row: reverse("accounts:client", args=[row.client.slug])),
        Column("As", "cell.bundle.label"),
        _ENDS,
        Column("Granted by", "cell.granted_by"),
        Column("Granted", "cell.granted_at"),
    ),
    empty=Empty("No client is granted", "Grants are made in the matrix.", "clients"),
    size=CLIENTS_PAGE,
)
_SEEN = Table(
    label="Clients and permissions",
    columns=(
        Column("Client", "client.name"),
        Column("As", "cell.bundle.label"),
        Column("May", lambda row: ", ".join(one.words.lower() for one in row.permissions)),
        _ENDS,
    ),
    empty=Empty("Nothing at all", "No grant counts at the moment: no client, no call, no number.", "people"),
    size=CLIENTS_PAGE,
)


def _drawn(request: StaffRequest, table: Table, membership: Membership, **more: Any) -> dict[str, Any]:
    clients = selectors.clients_seen_by(membership, at=request.at)
    return replace(
        table, lines=lambda _, rows: selectors.what_is_seen(membership, rows, at=request.at), **more
    ).draw(request, clients)


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
    label = "Change" if deeds.may_change_grants_of(membership, request.membership) else "View"

    def links(row: selectors.Seen) -> list[Link]:
        cell = reverse("accounts:cell", args=[membership.pk, row.client.slug])
        return [Link(label, cell, f"at {row.client.name}")]

    context = {
        "person": membership,
        "form": form,
        "table": _drawn(request, _GRANTS, membership, links=links),
        "link": selectors.link_of(membership.user_id),
        "is_self": membership.pk == request.membership.pk,
        "keys": selectors.keys_listed(membership.user_id, at=request.at),
        "suspend_form": SuspendForm(),
    }
    return render(request, "accounts/person.html", context, status=status)


@require_POST
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def change_role(request: StaffRequest, pk: int) -> HttpResponse:
    membership = membership_or_404(request, pk)
    form = RoleForm(request.POST, giver=request.membership, present=membership.role)
    if form.is_valid():
        try:
            if form.cleaned_data["role"] == Role.OFFICER != membership.role:
                done = _send(request, *_invite_again(request, membership))
                messages.success(request, done.text)
                return redirect(done.to)
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


@action(
    SuspendForm,
    right=AgencyRight.MANAGE_PEOPLE,
    load=membership_or_404,
    back=_back,
    errors={deeds.LastManagerError: ERROR, deeds.OwnRightsError: ERROR},
)
def suspend(request: StaffRequest, membership: Membership, form: SuspendForm) -> str:
    deeds.suspend(
        membership=membership, ends_keys=not form.cleaned_data["keeps_keys"], by=request.actor, at=request.at
    )
    tasks.wake_people()
    return f"{membership.user} is suspended and signed out everywhere."


@action(
    right=AgencyRight.MANAGE_PEOPLE,
    load=membership_or_404,
    back=_back,
    confirms=Deed.GRANTS,
    errors={
        deeds.ApprovesError: ERROR,
        deeds.OfficerNeedsTwoError: ERROR,
        deeds.RoleAboveError: ERROR,
        invitations.AlreadyInvitedError: ERROR,
    },
)
def reactivate(request: StaffRequest, membership: Membership, _: Any) -> str | Done:
    if membership.role == Role.OFFICER and not membership.is_active:
        return _send(request, *_invite_again(request, membership))
    deeds.reactivate(membership=membership, by=request.actor, at=request.at)
    return f"{membership.user} can sign in again, with the earlier grants."


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def show_what_is_seen(request: StaffRequest, pk: int) -> HttpResponse:
    """What a person can see: clients, permissions, and how many calls."""
    membership = membership_or_404(request, pk)
    calls = selectors.count_calls_seen_by(membership)
    context = {
        "person": membership,
        "table": _drawn(request, _SEEN, membership),
        "clients": selectors.clients_seen_by(membership, at=request.at).count(),
        "calls": min(calls, selectors.MOST_CALLS_COUNTED),
        "more_calls": calls > selectors.MOST_CALLS_COUNTED,
        "rights": sorted(right.value.replace("_", " ") for right in membership.rights),
    }
    return render(request, "accounts/sees.html", context)
