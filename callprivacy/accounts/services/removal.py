"""All officers hear at once that one of them was removed, and the removed one, too."""

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import RIGHTS, AgencyRight, Role
from callprivacy.accounts.models import Membership, User
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor


def notify(membership: Membership, how: str, *, keeps: Role | None = None, by: Actor) -> None:
    """Write to the officers, if the membership as it was until now is one's and no longer is."""
    is_kept = keeps is not None and AgencyRight.SIGN_OFF in RIGHTS[keeps]
    if AgencyRight.SIGN_OFF not in membership.rights or is_kept:
        return
    others = selectors.officers_of(membership.agency_id).exclude(pk=membership.pk)
    context = {
        "agency": membership.agency.name,
        "removed": str(membership.user),
        "how": how,
        "hours": access.policy_of(membership.agency).second_after_hours,
        "by": str(User.objects.filter(pk=by.user_id or 0).first() or "an operator"),
        "url": f"{settings.CALLPRIVACY_URL.rstrip('/')}{reverse('accounts:officers')}",
    }
    for user in [membership.user, *(row.user for row in others.select_related("user").order_by("pk"))]:
        after_commit(
            "mail of a removed officer", _send_mail, to=user.email, context={**context, "name": str(user)}
        )


def _send_mail(*, to: str, context: dict[str, object]) -> None:
    text = render_to_string("accounts/email/officer_removed.txt", context)
    letter(f"A compliance officer of {context['agency']} was removed", text, [to]).send()
