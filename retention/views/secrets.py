"""Secrets: how old each is, what its limit says, and rotations. Never a secret."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import INFO, WARNING, Done, action, form_page
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Permission
from retention.enums import RotationState, SecretKind
from retention.forms.secrets import LimitsForm, RotateForm, SecretFilter
from retention.selectors import secrets as selectors
from retention.selectors.secrets import ITSELF, Secret, Standing
from retention.services import secrets
from retention.tasks import secrets as tasks

_PAGE: Final = 50
_PAGES: Final = {
    SecretKind.CONNECTION: "calls:rotate_secret",
    SecretKind.API: "accounts:rotate_api_key",
    SecretKind.ENDPOINT: "consent:endpoint",
}
"""Where a client's secret of a kind is changed."""
_WORST_FIRST: Final = {Standing.OVER: 0, Standing.SOON: 1, Standing.GOOD: 2}


@dataclass(frozen=True, slots=True)
class Row:
    """One secret as the page shows it."""

    secret: Secret
    standing: Standing
    days: int
    url: str
    may_rotate: bool

    @property
    def is_running(self) -> bool:
        """Whether it is being changed."""
        rotation = self.secret.rotation
        return rotation is not None and rotation.state == RotationState.RUNNING

    @property
    def is_stopped(self) -> bool:
        """Whether a fault stopped its newest rotation."""
        rotation = self.secret.rotation
        return rotation is not None and rotation.state == RotationState.FAILED


@require_GET
@needs_right(AgencyRight.MANAGE_CLIENTS)
def list_secrets(request: StaffRequest) -> HttpResponse:
    """Every secret that the person's clients have, worst first; asked again while one is being changed."""
    clients = access.visible_clients(request.membership, at=request.at)
    connects = set(access.client_ids_with(request.membership, Permission.MANAGE_CONNECTIONS, at=request.at))
    every = [
        one
        for one in selectors.every(request.agency, clients, request.at)
        # Row security shows keys of systems to who ends people's access, at clients that are not granted, too.
        if one.kind != SecretKind.API or (one.client is not None and one.client.pk in connects)
    ]
    form = SecretFilter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {"kind": "", "state": ""}
    shown = [
        one
        for one in every
        if asked["kind"] in {"", one.kind} and asked["state"] in {"", one.standing(request.at)}
    ]
    shown.sort(key=lambda one: (_WORST_FIRST[one.standing(request.at)], one.due_at))
    page = Paginator(shown, _PAGE).get_page(request.GET.get("page"))
    rows = [_row(one, request) for one in page.object_list]
    counted = Counter(one.standing(request.at) for one in every)
    context: dict[str, Any] = {
        "form": form,
        "active": sum(map(bool, asked.values())),
        "page": page,
        "rows": rows,
        "over": counted[Standing.OVER],
        "soon": counted[Standing.SOON],
        "is_moving": any(row.is_running for row in rows),
        "limits": selectors.limits().values(),
        "may_set": access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    is_part = bool(request.htmx)  # type: ignore[attr-defined]  # django-htmx sets it
    return render(request, "retention/secrets_rows.html" if is_part else "retention/secrets.html", context)


def _row(secret: Secret, request: StaffRequest) -> Row:
    is_running = secret.rotation is not None and secret.rotation.state == RotationState.RUNNING
    return Row(
        secret,
        secret.standing(request.at),
        secret.days(request.at),
        _where(secret),
        secret.kind in ITSELF and not is_running,
    )


def _where(secret: Secret) -> str:
    """The page on which a person changes it, "" where there is none."""
    if secret.client is None:
        pages = {SecretKind.ENDPOINT: "retention:watch", SecretKind.SIGN_IN: "accounts:provider"}
        return reverse(pages[secret.kind]) if secret.kind in pages else ""
    if secret.is_of_a_list or secret.is_of_a_pull:
        name = "retention:open_list" if secret.is_of_a_list else "calls:pull"
    else:
        name = _PAGES.get(secret.kind, "")
    return reverse(name, args=[secret.client.slug, secret.thing_id]) if name else ""


@action(
    RotateForm,
    right=AgencyRight.MANAGE_CLIENTS,
    back=lambda _: reverse("retention:secrets"),
    invalid="Choose a key of the list.",
    errors=dict.fromkeys(
        (secrets.NotByItselfError, secrets.RotatingAlreadyError, tenancy.ClientLeftError), WARNING
    ),
)
def rotate(request: StaffRequest, _: None, form: RotateForm) -> str:
    client = None
    if form.cleaned_data["client"]:
        clients = access.visible_clients(request.membership, at=request.at)
        client = get_object_or_404(clients, slug=form.cleaned_data["client"])
    secrets.start_rotation(
        agency=request.agency,
        kind=SecretKind(form.cleaned_data["kind"]),
        client=client,
        by=request.actor,
        at=request.at,
    )
    tasks.work_rotations.delay_on_commit()
    return "The key is being rotated. Work can continue."


@form_page(
    LimitsForm,
    right=AgencyRight.SIGN_OFF,
    title="Limits of secrets",
    lede="You are notified thirty days before a limit and when it is reached. What changes by itself is changed then.",
    button="Save the limits",
    crumbs=lambda _: [("Secrets", reverse("retention:secrets"))],
    fill=lambda *_: {"limits": selectors.limits()},
)
def set_limits(request: StaffRequest, _: None, form: LimitsForm) -> Done:
    changed = secrets.set_limits(
        agency=request.agency,
        wishes=form.wishes(),
        reason=form.cleaned_data["reason"],
        by=request.actor,
        at=request.at,
    )
    if changed:
        return Done(f"{changed} limit{'s' if changed != 1 else ''} changed.")
    return Done("Nothing was changed.", level=INFO)
