"""The address without a page of its own: each role is led to where its day begins."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import Role
from callprivacy.tenancy.enums import Permission


@dataclass(frozen=True, slots=True)
class Landing:
    """
    A page to land on, where it exists and the person may open it.

    :ivar permission: what a person needs at one client at least.
    :ivar of_client: the page is a client's: for who sees exactly one.
    """

    url_name: str
    permission: Permission | None = None
    of_client: bool = False


OVERVIEW: Final = Landing("dashboard:overview")
INBOX: Final = Landing("work:queue")
PEOPLE: Final = Landing("accounts:people")
DECISIONS: Final = Landing("rights:decisions", Permission.HANDLE_REQUESTS)
CLIENTS: Final = Landing("accounts:clients")
CALLS: Final = Landing("calls:list", Permission.VIEW_CALLS)
REPORTS: Final = Landing("analytics:home", Permission.VIEW_ANALYTICS)
DESK: Final = Landing("consent:desk", Permission.ANSWER_CALLS)
ONE_CLIENT: Final = Landing("accounts:client", Permission.VIEW_CLIENT, of_client=True)

# The first of a row that is there; the overview is there for everybody.
LANDINGS: Final[dict[Role, tuple[Landing, ...]]] = {
    Role.OFFICER: (INBOX,),
    Role.ADMIN: (PEOPLE,),
    Role.ACCOUNT_MANAGER: (ONE_CLIENT, CLIENTS),
    Role.ANALYST: (REPORTS, OVERVIEW),
    Role.REVIEWER: (CALLS, OVERVIEW),
    Role.AGENT: (DESK, CALLS, OVERVIEW),
    Role.APPROVER: (DECISIONS, ONE_CLIENT, CLIENTS),
    Role.CALL_CENTRE_HEAD: (ONE_CLIENT, CLIENTS),
}


@require_safe
def show_home(request: StaffRequest) -> HttpResponse:
    for landing in LANDINGS[Role(request.membership.role)]:
        if url := _url_for(request, landing):
            return redirect(url)
    return redirect(OVERVIEW.url_name)


def _url_for(request: StaffRequest, landing: Landing) -> str:
    """The page's address; "" where it does not exist, or the person may not open it."""
    args: list[str] = []
    if landing.permission is not None:
        granted = access.clients_with(request.membership, landing.permission, at=request.at)
        slugs = list(granted.values_list("slug", flat=True)[:2])
        if not slugs or (landing.of_client and len(slugs) > 1):
            return ""
        args = slugs if landing.of_client else []
    try:
        return reverse(landing.url_name, args=args)
    except NoReverseMatch:
        return ""
