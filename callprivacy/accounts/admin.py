"""
Django's stock admin for the platform's operators: agencies and people to look at, and two deeds, a new agency and an
officer for one that nobody manages, which go through services. Nothing of a client's callers is registered here.
"""

from contextlib import nullcontext
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone

from callprivacy.accounts import selectors, tasks
from callprivacy.accounts.forms import NewAgencyForm, OfficerForm
from callprivacy.accounts.models import Membership
from callprivacy.accounts.seconding import NotCountedError
from callprivacy.accounts.services import agencies, invitations, officers
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import operator_scope


class OperatorSite(admin.AdminSite):
    """Sign-in is the same as everywhere else; who is no operator is told of nothing."""

    site_header = "CallPrivacy operator"
    site_title = "CallPrivacy operator"
    index_title = "Agencies and people"
    site_url = None
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without the way from any row to its own page: rows here have none, and that way enters no scope."""
        return [one for one in super().get_urls() if getattr(one, "name", "") != "view_on_site"]

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.user.is_authenticated:
            raise Http404
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def logout(  # type: ignore[override]  # another kind of answer: it leads to our own page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_logout")

    def password_change(  # type: ignore[override]  # another kind of answer: it leads to our own page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """What is done here stands in the trail, not in a log of the admin's own."""
        return LogEntry.objects.none()


site = OperatorSite(name="admin")


class ReadOnly[M: (Agency, Membership)](admin.ModelAdmin[M]):
    """Rows to look at: the deeds are services'."""

    actions = None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _refuse_writing(request)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        _refuse_writing(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise PermissionDenied

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What was done to a row stands in the trail."""
        raise PermissionDenied

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


@admin.register(Agency, site=site)
class AgencyAdmin(ReadOnly[Agency]):
    """Agencies; a new one, and an officer for one that nobody manages."""

    list_display = ("name", "slug", "time_zone", "is_demo", "created_at")
    search_fields = ("name", "slug")
    ordering = ("name",)
    change_list_template = "accounts/operator/agencies.html"
    change_form_template = "accounts/operator/agency.html"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("new/", site.admin_view(self.new_agency), name="accounts_new_agency"),
            path("<int:pk>/officer/", site.admin_view(self.new_officer), name="accounts_new_officer"),
            path(
                "<int:pk>/officer/<int:invitation_id>/confirm/",
                site.admin_view(self.confirm_officer),
                name="accounts_confirm_officer",
            ),
        ]
        return own + super().get_urls()

    def new_agency(self, request: HttpRequest) -> HttpResponse:
        """Make an agency and invite its first officer."""
        form = NewAgencyForm(request.POST or None)
        if form.is_valid():
            by, at = _operator(request), timezone.now()
            try:
                agency = agencies.create_agency(
                    name=form.cleaned_data["name"], time_zone=form.cleaned_data["time_zone"], by=by, at=at
                )
            except agencies.SlugTakenError as error:
                form.add_error("name", str(error))
            else:
                agencies.invite_officer(
                    agency_id=agency.pk,
                    email=form.cleaned_data["officer"],
                    name=form.cleaned_data["officer_name"],
                    by=by,
                    at=at,
                )
                messages.success(request, f"{agency.name} is there; its officer gets a link by mail.")
                return redirect("admin:tenancy_agency_changelist")
        return self._form(request, form, "New agency")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """An agency, and the way to invite an officer where nobody there can."""
        agency = context.get("original")
        context["is_managed"] = agency is not None and selectors.officers_of(agency.pk).exists()
        if agency is not None:
            at = timezone.now()
            context["waiting"] = list(selectors.unconfirmed(at=at).filter(agency_id=agency.pk))
        return super().render_change_form(request, context, *args, **kwargs)

    def new_officer(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Invite an officer where nobody there manages people."""
        with operator_scope() if request.method == "POST" else nullcontext():
            agency = Agency.objects.filter(pk=pk).first()
            is_managed = selectors.officers_of(pk).exists()
        if agency is None:
            raise Http404
        if is_managed:
            return self._form(request, None, agency.name, why_not=str(agencies.HasOfficersError(agency.name)))
        form = OfficerForm(request.POST or None)
        if form.is_valid():
            try:
                agencies.invite_officer(
                    agency_id=pk,
                    email=form.cleaned_data["email"],
                    name=form.cleaned_data["name"],
                    by=_operator(request),
                    at=timezone.now(),
                )
            except (invitations.AlreadyMemberError, invitations.AlreadyInvitedError) as error:
                form.add_error("email", str(error))
            except agencies.HasOfficersError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request,
                    "The officer gets a link by mail. If the agency has admins, an admin confirms it first.",
                )
                return redirect("admin:tenancy_agency_changelist")
        return self._form(request, form, f"New officer of {agency.name}")

    def confirm_officer(self, request: HttpRequest, pk: int, invitation_id: int) -> HttpResponse:
        if request.method != "POST":
            raise Http404
        with operator_scope():
            if not Agency.objects.filter(pk=pk).exists():
                raise Http404
        try:
            agencies.confirm_officer(
                agency_id=pk, invitation_id=invitation_id, by=_operator(request), at=timezone.now()
            )
        except (
            officers.NotWaitingError,
            officers.OfficersConfirmError,
            officers.RemovedLatelyError,
            NotCountedError,
        ) as error:
            tasks.wake_people()
            messages.error(request, str(error))
        else:
            messages.success(request, "Confirmed. The officer gets a link by mail.")
        return redirect("admin:tenancy_agency_change", pk)

    def _form(
        self, request: HttpRequest, form: NewAgencyForm | OfficerForm | None, title: str, *, why_not: str = ""
    ) -> HttpResponse:
        own = {"form": form, "title": title, "opts": self.opts, "why_not": why_not}
        context = site.each_context(request) | own
        return render(request, "accounts/operator/form.html", context)


@admin.register(Membership, site=site)
class MembershipAdmin(ReadOnly[Membership]):
    list_display = ("person", "e_mail", "agency", "role", "state", "last_sign_in")
    list_filter = ("state", "role")
    list_select_related = ("user", "agency")
    search_fields = ("user__email", "user__name")
    ordering = ("agency__name", "user__name")
    fields = ("person", "e_mail", "agency", "role", "state", "last_sign_in", "created_at")
    readonly_fields = fields

    def person(self, row: Membership) -> str:
        return row.user.name

    def e_mail(self, row: Membership) -> str:
        return row.user.email

    def last_sign_in(self, row: Membership) -> Any:
        return row.user.last_login


def _refuse_writing(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise PermissionDenied


def _operator(request: HttpRequest) -> Actor:
    return Actor.operator(user_id=request.user.pk)
