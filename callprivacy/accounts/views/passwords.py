"""Passwords: what an agency asks, whose are due, how good one would be, and what to do where one is known."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateformat import format as date_format
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access, passwords, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import SignInPolicyForm
from callprivacy.accounts.models import Membership, SignInPolicy, User
from callprivacy.accounts.services import passwords as deeds
from callprivacy.accounts.views.form_pages import Confirmation, Done, form_page
from callprivacy.accounts.views.people import membership_or_404
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.lib import calendars

DRAWN = timedelta(days=90)
_LONGEST = 500
_KINDS = {
    "totp": "Authenticator app",
    "webauthn": "Passkey or security key",
    "recovery_codes": "Recovery codes",
}


@require_safe
@login_not_required
def lead_to_change(_request: HttpRequest) -> HttpResponse:
    """Where password managers look for the page (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect("account_change_password")


@sensitive_post_parameters("password")
@require_POST
@login_not_required
@never_cache
def show_strength(request: HttpRequest) -> HttpResponse:
    """How a password would stand, as a part of the page where it is typed; it is looked at and forgotten."""
    rule, has_factor = passwords.unpack(request.POST.get("rule", "")[:2000])
    user = request.user if isinstance(request.user, User) else _typed(request)
    strength = passwords.strength_of(
        request.POST.get("password", "")[:_LONGEST],
        rule,
        words=passwords.words_of(user),
        has_factor=has_factor,
    )
    lacking = passwords.listed(strength.lacking) if strength.lacking else ""
    context = {"strength": strength, "lacking": lacking}
    return render(request, "accounts/strength.html", context)


def _typed(request: HttpRequest) -> User:
    """Who an invited person says to be, for the words that a guesser would try."""
    return User(email=request.POST.get("email", "")[:254], name=request.POST.get("name", "")[:120])


@dataclass(frozen=True, slots=True)
class _PasswordLine:
    member: Membership
    password: Pill
    why: str
    due_on: date | None
    reminded_on: date | None
    factor: Pill
    keys: int

    def links(self) -> list[Link]:
        known = reverse("accounts:password_known", args=[self.member.pk])
        return [Link("Password compromised", known, f": the password of {self.member.user}")]


def _lines(request: StaffRequest, members: list[Membership]) -> list[_PasswordLine]:
    user_ids = [member.user_id for member in members]
    reminded = selectors.last_reminders(user_ids)
    keys = selectors.keys_made_by(user_ids, at=request.at)
    roles = access.policy_of(request.agency).second_factor_roles
    day_in = partial(calendars.day_in, request.agency.time_zone)
    lines = []
    for member in members:
        due, last = member.user.password_due_at, reminded.get(member.user_id)
        password = _state_of(member.user, request.at)
        if member.has_factor:  # type: ignore[attr-defined]  # an annotation
            factor = Pill("Has one", "good")
        else:
            factor = Pill("Has to add one", "bad") if member.role in roles else Pill("None", "neutral")
        lines.append(
            _PasswordLine(
                member,
                password,
                member.user.get_password_due_why_display() if password.tone == "bad" else "",
                day_in(due) if due else None,
                day_in(last) if last else None,
                factor,
                keys.get(member.user_id, 0),
            )
        )
    return lines


def _state_of(user: User, at: datetime) -> Pill:
    due = user.password_due_at
    if not user.has_usable_password():
        return Pill("None: a link was sent by email", "neutral")
    if due is None:
        return Pill("Does not expire", "neutral")
    if due <= at:
        return Pill("Overdue", "bad")
    return Pill("Soon", "warn") if due <= at + deeds.SOON else Pill("Current", "good")


_PEOPLE = Table(
    label="Passwords and second factors",
    columns=(
        Column(
            "Person",
            "member.user",
            link=lambda line: reverse("accounts:person", args=[line.member.pk]),
            note="member.get_role_display",
        ),
        Column("Password", "password", note="why"),
        Column("Due", "due_on", nothing="no date"),
        Column("Last reminded", "reminded_on", nothing="not yet"),
        Column("Second factor", "factor"),
        Column("Keys made", "keys", is_number=True),
    ),
    lines=_lines,
    links=_PasswordLine.links,
    empty=Empty("No people yet", picture="people"),
)
_RESETS = Table(
    label="Second factors to be removed",
    columns=(
        Column("Whose second factors", "user"),
        Column("Requested by", "asked_by"),
        Column("Requested", "asked_at"),
        Column("Until", "ends_at"),
    ),
    links=lambda row: [Link("Decide", reverse("accounts:decide_reset", args=[row.pk]))],
    empty=Empty("No open request"),
)


def _beside(request: StaffRequest) -> dict[str, Any]:
    days = selectors.password_days(since=(request.at - DRAWN).date())
    return {
        "profile": access.policy_of(request.agency).get_profile_display(),
        "chart": {
            "series": ["Overdue", "Due soon"],
            "more": ["People", "Without a second factor"],
            "rows": [
                [f"{day.on:%-d %b}", day.overdue, day.soon, day.people, day.without_factor] for day in days
            ],
        },
        "resets": _RESETS.draw(request, selectors.open_resets(at=request.at)),
    }


@list_page(
    _PEOPLE,
    right=AgencyRight.MANAGE_PEOPLE,
    actions=lambda _: [
        Link("Single sign-on", reverse("accounts:provider")),
        Link("Change the policy", reverse("accounts:sign_in_policy")),
    ],
    more=_beside,
    template="accounts/passwords.html",
)
def list_due(request: StaffRequest) -> QuerySet[Membership]:
    """Whose password is due and when, who has no second factor, and how both changed lately."""
    return selectors.members_by_due()


def _fill_policy(request: StaffRequest, _: None) -> dict[str, Any]:
    return {
        "initial": SignInPolicyForm.values_of(access.policy_of(request.agency)),
        "address": client_address(request),
        "signs_off": access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }


@form_page(
    SignInPolicyForm,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.POLICY,
    title="Sign-in policy",
    button="Save",
    crumbs=lambda _: [("Passwords", reverse("accounts:passwords"))],
    fill=_fill_policy,
    more=lambda *_: {"standards": passwords.STANDARDS},
    template="accounts/sign_in_policy.html",
)
def edit_policy(request: StaffRequest, _: None, form: SignInPolicyForm) -> Done | None:
    """Save a policy; one that asks people for a new password at once says first how many."""
    at_once = _asked_at_once(request, form.values())
    if at_once and not form.cleaned_data["sure"]:
        form.ask_to_be_sure(at_once)
        return None
    changed = deeds.change_policy(
        agency=request.agency, values=form.values(), by=request.actor, at=request.at
    )
    return Done("Saved." if changed else "Nothing was changed.", reverse("accounts:sign_in_policy"))


def _asked_at_once(request: StaffRequest, values: dict[str, Any]) -> int:
    """How many people have to choose another password at once by a policy who do not have to by the present one."""
    policy = SignInPolicy(agency=request.agency, **values)
    due = deeds.due_with(agency=request.agency, policy=policy)
    late = {user_id for user_id, at in due.items() if at is not None and at <= request.at}
    if not late:
        return 0
    return len(late - set(_late_now(request)))


def _late_now(request: StaffRequest) -> list[int]:
    rows = selectors.members_by_due().filter(user__password_due_at__lte=request.at)
    return list(rows.values_list("user_id", flat=True))


def _confirm_known(request: StaffRequest, membership: Membership) -> Confirmation:
    keys = selectors.keys_made_by([membership.user_id], at=request.at).get(membership.user_id, 0)
    return Confirmation(
        "Disable this password?",
        "The password stops working, and the person gets an email with a link to choose another. A passkey added since"
        " the password was set may not be theirs: it no longer works alone, only together with the new password. If a"
        " second factor is not theirs, two people must remove all of them. The last person who manages people keeps"
        " access to the page for a new password only.",
        [
            *_factors_of(membership, request),
            {"label": "Sessions that end", "value": selectors.count_sessions(membership.user_id)},
            {"label": "Keys of systems that stay", "value": keys},
        ],
    )


@form_page(
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    load=membership_or_404,
    title=lambda membership: f"Password of {membership.user}",
    button="Disable password",
    crumbs=lambda _: [("Passwords", reverse("accounts:passwords"))],
    confirm=_confirm_known,
)
def mark_known(request: StaffRequest, membership: Membership, _: Any) -> str:
    if deeds.mark_known(membership=membership, by=request.actor, at=request.at):
        return (
            f"The password of {membership.user} is disabled. A link to choose another is on its way by email."
        )
    return f"{membership.user} is signed out everywhere and can only open the page for a new password."


def _factors_of(membership: Membership, request: StaffRequest) -> list[dict[str, str]]:
    """Each second factor of a person with its day, and what becomes of it."""
    alone = {key.pk for key in selectors.alone_since_password(membership.user)}
    zone = ZoneInfo(request.agency.time_zone)
    return [
        {
            "label": f"{_KINDS[row.type]}, added {date_format(row.created_at.astimezone(zone), 'j M Y, H:i')}",
            "value": "beside the password" if row.pk in alone else "stays",
        }
        for row in selectors.factors_listed(membership.user_id)
    ]
