"""Passwords: what an agency asks, whose are due, how good one would be, and what to do where one is known."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateformat import format as date_format
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from callprivacy.accounts import access, passwords, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import SignInPolicyForm
from callprivacy.accounts.models import Membership, SignInPolicy, User
from callprivacy.accounts.services import passwords as deeds
from callprivacy.accounts.views.pages import page_of
from callprivacy.accounts.views.people import membership_or_404

PAGE = 50
DRAWN = timedelta(days=90)
_LONGEST = 500
_KINDS = {
    "totp": "Codes from an app",
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
    found = passwords.strength_of(
        request.POST.get("password", "")[:_LONGEST],
        rule,
        words=passwords.words_of(user),
        has_factor=has_factor,
    )
    context = {"found": found, "lacking": passwords.listed(found.lacking) if found.lacking else ""}
    return render(request, "accounts/strength.html", context)


def _typed(request: HttpRequest) -> User:
    """Who an invited person says to be, for the words that a guesser would try."""
    return User(email=request.POST.get("email", "")[:254], name=request.POST.get("name", "")[:120])


@require_GET
@needs_right(AgencyRight.MANAGE_PEOPLE)
def list_due(request: StaffRequest) -> HttpResponse:
    """Whose password is due and when, who has no second factor, and how both went lately."""
    page = page_of(request, selectors.members_by_due(), size=PAGE)
    user_ids = [member.user_id for member in page]
    reminded = selectors.last_reminders(user_ids)
    keys = selectors.keys_made_by(user_ids, at=request.at)
    days = selectors.password_days(since=(request.at - DRAWN).date())
    policy = access.policy_of(request.agency)
    context = {
        "page": page,
        "rows": [_row(member, request, reminded, keys) for member in page],
        "policy": policy,
        "profile": policy.get_profile_display(),
        "chart": {
            "series": ["Overdue", "Due soon"],
            "more": ["People", "Without a second factor"],
            "rows": [
                [f"{day.on:%-d %b}", day.overdue, day.soon, day.people, day.without_factor] for day in days
            ],
        },
        "resets": selectors.open_resets(at=request.at),
        "roles": [role.replace("_", " ") for role in policy.second_factor_roles],
    }
    return render(request, "accounts/passwords.html", context)


def _row(
    member: Membership, request: StaffRequest, reminded: dict[int, Any], keys: dict[int, int]
) -> dict[str, Any]:
    user = member.user
    due = user.password_due_at
    if not user.has_usable_password():
        words, tone = "None: a link is in the mail", "neutral"
    elif due is None:
        words, tone = "Does not age", "neutral"
    elif due <= request.at:
        words, tone = "Overdue", "bad"
    elif due <= request.at + deeds.SOON:
        words, tone = "Soon", "warn"
    else:
        words, tone = "Fresh", "good"
    return {
        "member": member,
        "words": words,
        "tone": tone,
        "due_at": due,
        "why": user.get_password_due_why_display() if tone == "bad" else "",
        "reminded_at": reminded.get(member.user_id),
        "keys": keys.get(member.user_id, 0),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.POLICY)
def edit_policy(request: StaffRequest) -> HttpResponse:
    """What the agency asks; a rule that asks people for a new password at once says how many before it is saved."""
    policy = access.policy_of(request.agency)
    form = SignInPolicyForm(
        request.POST or None,
        initial=SignInPolicyForm.values_of(policy),
        address=client_address(request),
        signs_off=access.has_right(request.membership, AgencyRight.SIGN_OFF),
    )
    if request.method == "POST" and form.is_valid():
        at_once = _asked_at_once(request, form.values())
        if at_once and not form.cleaned_data["sure"]:
            form.ask_to_be_sure(at_once)
        else:
            changed = deeds.change_policy(
                agency=request.agency, values=form.values(), by=request.actor, at=request.at
            )
            messages.success(request, "Saved." if changed else "Nothing was changed.")
            return redirect("accounts:sign_in_policy")
    context = {"form": form, "standards": passwords.STANDARDS, "policy": policy}
    return render(request, "accounts/sign_in_policy.html", context)


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


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def mark_known(request: StaffRequest, pk: int) -> HttpResponse:
    """Close a password that somebody else may know, after saying what that ends."""
    membership = membership_or_404(request, pk)
    if request.method == "POST":
        closed = deeds.mark_known(membership=membership, by=request.actor, at=request.at)
        name = str(membership.user)
        messages.success(
            request,
            f"The password of {name} opens nothing any more; a link to choose another is in the mail."
            if closed
            else f"{name} is signed out everywhere, and signs in to nothing but the page for a new password.",
        )
        return redirect("accounts:passwords")
    context = {
        "person": membership,
        "extent": [
            *_factors_of(membership, request),
            {"label": "Sessions that end", "value": selectors.count_sessions(membership.user_id)},
            {
                "label": "Keys of systems that stay",
                "value": selectors.keys_made_by([membership.user_id], at=request.at).get(
                    membership.user_id, 0
                ),
            },
        ],
    }
    return render(request, "accounts/password_known.html", context)


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
