"""How the pages of a case find it: a case that the person may see, or none; and who works on it, and who only looks."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial, wraps
from typing import Any, Concatenate
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.urls import reverse

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, View
from callprivacy.accounts.enums import CLIENT_SIDE, AgencyRight
from callprivacy.accounts.views.form_pages import action, form_page
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from rights.models import Case
from rights.selectors import casebook, letters


def clients_of(request: StaffRequest) -> list[Client]:
    """
    The clients whose requests the person looks after, by name.

    :raises PermissionDenied: there is none, and the agency's own are not the person's either.
    """
    clients = list(access.clients_with(request.membership, Permission.HANDLE_REQUESTS, at=request.at))
    if not clients and not sees_own(request):
        raise PermissionDenied("Requests are not granted to you for any client.")
    return clients


def sees_own(request: StaffRequest) -> bool:
    """Whether the person sees what was asked of the agency itself."""
    return access.has_right(request.membership, AgencyRight.SIGN_OFF)


def works(request: StaffRequest) -> bool:
    """Whether the person works on requests; the client's side looks, and answers what the client is asked."""
    return request.membership.role not in CLIENT_SIDE


def require_work(request: StaffRequest) -> None:
    """:raises PermissionDenied: the person approves for a client, and does no more."""
    if not works(request):
        raise PermissionDenied("You approve for the client; the agency's people work on the request.")


def find_case(request: StaffRequest, case_id: UUID) -> Case:
    """
    A case that the person looks after.

    :raises Http404: there is none; a stranger's looks the same.
    """
    case = casebook.find(case_id)
    if case is None:
        raise Http404
    if case.client_id is None:
        if not sees_own(request):
            raise Http404
    elif not access.may(request.membership, Permission.HANDLE_REQUESTS, case.client_id, at=request.at):
        raise Http404
    return case


def of_case[**P](view: Callable[Concatenate[Any, Case, P], HttpResponse]) -> View[Concatenate[UUID, P]]:
    """Decorate a view whose address names a case: it is called with that case, or there is none."""

    @wraps(view)
    def guarded(request: StaffRequest, case_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, find_case(request, case_id), *args, **kwargs)

    guarded.needs = Permission.HANDLE_REQUESTS  # type: ignore[attr-defined]  # a mark on a function
    return guarded  # type: ignore[return-value]  # wraps writes the view's own type over it


def work_of_case[**P](view: Callable[Concatenate[Any, Case, P], HttpResponse]) -> View[Concatenate[UUID, P]]:
    """As `of_case`, for what only the agency's people do."""

    @wraps(view)
    def worked(request: StaffRequest, case: Case, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        require_work(request)
        return view(request, case, *args, **kwargs)

    return of_case(worked)  # type: ignore[arg-type]  # a view of a case, whatever else it takes


def noon_of(day: date, case: Case, at: datetime) -> datetime:
    """Noon of a day that was typed, in the case's zone, or now where that is sooner."""
    return min(datetime.combine(day, time(12), tzinfo=ZoneInfo(letters.zone_of(case))), at)


def last_of(day: date, case: Case, at: datetime) -> datetime:
    """The last instant of a day that was typed, in the case's zone, or now where that is sooner."""
    return min(calendars.end_of(day, ZoneInfo(letters.zone_of(case))) - timedelta(microseconds=1), at)


def above(case: Case) -> list[tuple[str, str]]:
    """What stands above a form about a case; the case is the way back."""
    return [("Requests", reverse("rights:home")), (case.reference, address_of(case))]


def address_of(case: Case) -> str:
    return reverse("rights:case", args=[case.pk])


case_page = partial(form_page, right=work_of_case, crumbs=above, refused=422)
case_action = partial(action, right=work_of_case, back=address_of)
