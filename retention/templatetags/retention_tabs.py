"""Which of retention's parts a person may open, for the tabs on each of its pages."""

from __future__ import annotations

from django import template
from django.template import Context

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission

register = template.Library()


@register.simple_tag(takes_context=True)
def retention_parts(context: Context) -> set[str]:
    """The sections that the person may open, as the views ask for them; one query."""
    request: StaffRequest = context["request"]
    rights = request.membership.rights
    wanted = (Permission.MANAGE_RETENTION, Permission.VIEW_CALLS)
    granted: dict[str, set[int]] = {one.value: set() for one in wanted}
    rows = access.grants_of(request.membership, at=request.at).filter(permission__codename__in=list(granted))
    for codename, client_id in rows.order_by().values_list("permission__codename", "content_object_id"):
        granted[codename].add(client_id)
    managed, seen = (granted[one.value] for one in wanted)
    found = {
        "home": managed or AgencyRight.RUN_JOBS in rights,
        "calendar": managed & seen,
        "matrix": managed or AgencyRight.SIGN_OFF in rights,
        "changes": managed or rights & {AgencyRight.SIGN_OFF, AgencyRight.MANAGE_CLIENTS},
        "holds": managed,
    }
    return {name for name, may_open in found.items() if may_open}
