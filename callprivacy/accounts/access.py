"""
The whole permission system: what a person may do with a client, and what a role may do for an agency.

Grants are django-guardian's rows with an agency, a grantor and an end; PostgreSQL's policies read the same
rows and the same end. Nothing else in the project decides who may see what; `user.has_perm` asks here (`backends`).
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Final
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import get_authentication_records
from django.contrib.auth.models import Permission as PermissionRow
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse  # noqa: TID251  (decorators of views)
from django.shortcuts import redirect  # noqa: TID251  (decorators of views)
from django.urls import reverse
from django.utils.http import urlencode

from callprivacy.accounts.enums import (
    BUNDLES,
    RIGHTS,
    AgencyRight,
    Deed,
    MembershipState,
    Role,
)
from callprivacy.accounts.models import ClientGrant, Membership, SignInPolicy, User
from callprivacy.lib.arrays import among
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client


class StaffRequest(HttpRequest):
    """A request after `ScopeMiddleware`: a signed-in person inside the scope of one agency."""

    user: User
    membership: Membership
    agency: Agency
    actor: Actor
    at: datetime
    has_several_agencies: bool
    opened_agencies: frozenset[int]
    used_client_id: int


PROVIDER_IN_SESSION = "provider"
"""Under which name a session that began at an agency's provider keeps which one, as `Through`."""
STARTED_AT = "started_at"
"""Under which name a session keeps when it began, in seconds."""
_WHILE_TYPING = timedelta(minutes=15)
SHOWS_PEOPLE = frozenset(
    {
        Permission.REVEAL_NUMBERS,
        Permission.EXPORT_CALLS,
        Permission.RELEASE_DATA,
        Permission.PLAY_RECORDINGS,
        Permission.READ_TRANSCRIPTS,
    }
)
"""What shows people in the clear, or takes them out of the house."""
PERMISSIONS_ON_OBJECTS: Final[dict[str, dict[str, Permission]]] = {
    "tenancy.Client": {f"tenancy.{permission}": permission for permission in Permission},
    "calls.Call": {"calls.view_call": Permission.VIEW_CALLS},
}
"""Model -> what Django calls a permission on one of its objects, and the permission on the client that gives it."""
COUNTS_UNTIL: Final = {AgencyRight.SIGN_OFF: "officer_until", AgencyRight.MANAGE_PEOPLE: "manager_until"}
"""Where a membership keeps until when a right that it lost counts for second signatures."""
_OVERDUE: Final = "A training of yours is overdue: until you pass it, you see no numbers and take no files."

type View[**P] = Callable[Concatenate[Any, P], HttpResponse]


def _in_force(at: datetime) -> Q:
    return Q(ends_at__isnull=True) | Q(ends_at__gt=at)


def counting(at: datetime) -> QuerySet[ClientGrant]:
    """
    Grants that count at `at`: in force, of an active user whose membership in the grant's agency is active.

    Who is suspended keeps the grants, and none of them counts. Whether something is withheld is left to `grants_of`.
    """
    return ClientGrant.objects.filter(
        _in_force(at),
        user__is_active=True,
        user__memberships__agency_id=F("agency_id"),
        user__memberships__state=MembershipState.ACTIVE,
    )


def grants_of(membership: Membership, *, at: datetime) -> QuerySet[ClientGrant]:
    """
    A person's grants that count at `at`; none for a suspended membership or an inactive user.

    While `withheld_from` has passed, what shows or takes people away does not count.
    """
    if not membership.is_active:
        return ClientGrant.objects.none()
    found = ClientGrant.objects.filter(
        _in_force(at), agency_id=membership.agency_id, user_id=membership.user_id
    )
    if is_withheld(membership, at=at):
        return found.exclude(permission__codename__in=[one.value for one in SHOWS_PEOPLE])
    return found


def is_withheld(membership: Membership, *, at: datetime) -> bool:
    """Whether a person sees no numbers and takes no files for the time being."""
    return membership.withheld_from is not None and membership.withheld_from <= at


def permissions_on(membership: Membership, client_id: int, *, at: datetime) -> frozenset[Permission]:
    """Everything a person may do with one client, one query."""
    rows = grants_of(membership, at=at).filter(content_object_id=client_id)
    return frozenset(Permission(name) for name in rows.values_list("permission__codename", flat=True))


def held_by(membership: Membership, *, at: datetime) -> frozenset[Permission | AgencyRight]:
    """What a person's role may do for the agency, and what the person may do with one client at least; one query."""
    rows = grants_of(membership, at=at).order_by().values_list("permission__codename", flat=True).distinct()
    return membership.rights | {Permission(name) for name in rows}


def may(
    membership: Membership,
    permission: Permission,
    client: Client | int,
    *,
    at: datetime,
) -> bool:
    """Whether a person holds a permission on a client at an instant."""
    client_id = client if isinstance(client, int) else client.pk
    return (
        grants_of(membership, at=at)
        .filter(content_object_id=client_id, permission__codename=permission.value)
        .exists()
    )


def may_see_exact(membership: Membership, client: Client, *, at: datetime) -> bool:
    """Whether a person's reports of a client are exact: who may not see its calls sees protected ones."""
    needed = {Permission.VIEW_CALLS, Permission.VIEW_EXACT_REPORTS}
    return needed <= permissions_on(membership, client.pk, at=at)


def client_ids_with(membership: Membership, permission: Permission, *, at: datetime) -> list[int]:
    """Ids of the clients on which a person holds a permission, in order."""
    rows = grants_of(membership, at=at).filter(permission__codename=permission.value)
    return sorted(rows.values_list("content_object_id", flat=True))


def clients_with(membership: Membership, permission: Permission, *, at: datetime) -> QuerySet[Client]:
    """The clients on which a person holds a permission, by name."""
    granted = grants_of(membership, at=at).filter(permission__codename=permission.value)
    return Client.objects.filter(pk__in=granted.values("content_object_id")).order_by("name")


def people_with(permission: Permission, client_id: int, *, agency_id: int, at: datetime) -> list[int]:
    """User ids of the active people who hold a permission on a client."""
    rows = counting(at).filter(
        agency_id=agency_id,
        content_object_id=client_id,
        permission__codename=permission.value,
    )
    return sorted(set(rows.values_list("user_id", flat=True)))


def people_with_any(
    permission: Permission, client_ids: Collection[int], *, agency_id: int, at: datetime
) -> list[int]:
    """User ids of the active people who hold a permission on one of these clients at least; one query."""
    rows = counting(at).filter(
        among("content_object_id", client_ids),
        agency_id=agency_id,
        permission__codename=permission.value,
    )
    return sorted(rows.order_by().values_list("user_id", flat=True).distinct())


def clients_with_all(
    permissions: Collection[Permission], client_ids: Collection[int], *, agency_id: int, at: datetime
) -> dict[int, set[int]]:
    """
    User id of an active person -> those of these clients on which the person holds each of these permissions, one
    query. Who holds them on none is left out.
    """
    rows = counting(at).filter(
        agency_id=agency_id,
        content_object_id__in=list(client_ids),
        permission__codename__in=[permission.value for permission in permissions],
    )
    held: dict[tuple[int, int], set[str]] = {}
    for user_id, client_id, name in rows.values_list("user_id", "content_object_id", "permission__codename"):
        held.setdefault((user_id, client_id), set()).add(name)
    wanted = len(set(permissions))
    found: dict[int, set[int]] = {}
    for (user_id, client_id), names in held.items():
        if len(names) == wanted:
            found.setdefault(user_id, set()).add(client_id)
    return found


def people_with_right(right: AgencyRight, *, agency_id: int) -> list[int]:
    """User ids of the active people whose role has a right in an agency."""
    roles = [role for role in Role if right in RIGHTS[role]]
    rows = Membership.objects.filter(agency_id=agency_id, role__in=roles).active()
    return sorted(rows.values_list("user_id", flat=True))


def removed_lately(
    right: AgencyRight, *, agency_id: int, at: datetime, but: int | None = None
) -> QuerySet[Membership]:
    """Who lost a right so lately that their second signature is still needed, with the people."""
    rows = Membership.objects.filter(**{f"{COUNTS_UNTIL[right]}__gt": at}, agency_id=agency_id)
    here = people_with_right(right, agency_id=agency_id)
    return (
        rows.exclude(user_id__in=[*here, but or 0])
        .select_related("user", "agency")
        .order_by("user__name", "pk")
    )


def has_another(right: AgencyRight, *, agency_id: int, at: datetime, but: int) -> bool:
    """Whether a second signature is needed: somebody else has the right, or lost it lately."""
    here = set(people_with_right(right, agency_id=agency_id)) - {but}
    return bool(here) or removed_lately(right, agency_id=agency_id, at=at, but=but).exists()


def policy_of(agency: Agency) -> SignInPolicy:
    """What an agency asks of signing in, else the defaults. No query where it came with the agency."""
    try:
        return agency.sign_in_policy
    except SignInPolicy.DoesNotExist:
        return SignInPolicy(agency=agency)


def has_right(membership: Membership, right: AgencyRight) -> bool:
    """Whether a person's role has a right in the agency."""
    return right in membership.rights


def may_give(membership: Membership, role: Role) -> bool:
    """Whether a person may give a role, or its bundle: who holds at least that."""
    return RIGHTS[role] <= membership.rights


def sees_every_client(membership: Membership) -> bool:
    """Whether a person may know of each client of the agency, as people who manage clients or people do."""
    return bool({AgencyRight.MANAGE_CLIENTS, AgencyRight.MANAGE_PEOPLE} & membership.rights)


def visible_clients(membership: Membership, *, at: datetime) -> QuerySet[Client]:
    """The clients whose existence a person may know: granted ones, or every one."""
    if sees_every_client(membership):
        return Client.objects.filter(agency_id=membership.agency_id).order_by("name")
    return clients_with(membership, Permission.VIEW_CLIENT, at=at)


def get_client_or_404(
    request: StaffRequest,
    slug: str,
    permission: Permission,
    *,
    also_left: bool = False,
    or_else: Permission | None = None,
) -> Client:
    """
    Return the agency's client with this slug, on which the person holds the permission.

    :param or_else: another permission that is enough by itself.
    :param also_left: what is asked for is a deed on a client that has left.
    :raises Http404: there is none that the person may know of; a stranger's client looks the same.
    :raises PermissionDenied: the person may know of it, but not do this; or the client has left, and this is more than
        a look.
    """
    client = (
        visible_clients(request.membership, at=request.at).filter(slug=slug).select_related("agency").first()
    )
    if client is None:
        raise Http404
    if not any(may(request.membership, one, client, at=request.at) for one in (permission, or_else) if one):
        raise _refusal(request, permission)
    if client.archived_at is not None and not also_left and request.method not in {"GET", "HEAD"}:
        # Its keys are destroyed: what would be written now would be sealed for nobody, and open what was closed.
        raise PermissionDenied(f"{client.name} has left. What is here can be read, and nothing added.")
    request.used_client_id = client.pk
    return client


def require(request: StaffRequest, needed: Permission | AgencyRight, client: Client) -> None:
    """
    Ask inside a view for more than its decorator does.

    :raises PermissionDenied: the person lacks the permission on the client, or the right in the agency.
    """
    if isinstance(needed, AgencyRight):
        if not has_right(request.membership, needed):
            raise PermissionDenied(f"Your role may not {needed.value.replace('_', ' ')}.")
    elif not may(request.membership, needed, client, at=request.at):
        raise _refusal(request, needed)


def _refusal(request: StaffRequest, permission: Permission) -> PermissionDenied:
    if permission in SHOWS_PEOPLE and is_withheld(request.membership, at=request.at):
        return PermissionDenied(_OVERDUE)
    return PermissionDenied(f"{permission.words} is not granted to you for this client.")


def require_files(request: StaffRequest) -> None:
    """
    Ask whether the person takes files for the time being.

    :raises PermissionDenied: they are withheld.
    """
    if is_withheld(request.membership, at=request.at):
        raise PermissionDenied(_OVERDUE)


def takes_files[**P](view: View[P]) -> View[P]:
    """Decorate a view that gives a file or a way to one, below the decorator that says who may."""

    @wraps(view)
    def guarded(request: StaffRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        require_files(request)
        return view(request, *args, **kwargs)

    guarded.takes_files = True  # type: ignore[attr-defined]  # a mark on a function
    return guarded  # type: ignore[return-value]  # wraps writes the view's own type over it


def needs[**P](
    permission: Permission,
    *,
    also_left: bool = False,
    or_else: Permission | None = None,
) -> Callable[[View[Concatenate[Client, P]]], View[Concatenate[str, P]]]:
    """
    Decorate a view whose url names a client by `slug`: it is called with that client, or refused.

    :param also_left: it is a deed on a client that has left, too; such a one is looked at otherwise.
    :param or_else: another permission that is enough by itself.
    """

    def decorate(view: View[Concatenate[Client, P]]) -> View[Concatenate[str, P]]:
        @wraps(view)
        def guarded(request: StaffRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            client = get_client_or_404(request, slug, permission, also_left=also_left, or_else=or_else)
            return view(request, client, *args, **kwargs)

        guarded.needs = permission  # type: ignore[attr-defined]  # a mark on a function
        guarded.or_else = or_else  # type: ignore[attr-defined]  # a mark on a function
        return guarded  # type: ignore[return-value]  # wraps writes the view's own type over it

    return decorate


def needs_right[**P](right: AgencyRight) -> Callable[[View[P]], View[P]]:
    """Decorate a view that concerns the whole agency: 403 for a role without the right."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: StaffRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not has_right(request.membership, right):
                raise PermissionDenied(f"Your role may not {right.value.replace('_', ' ')}.")
            return view(request, *args, **kwargs)

        guarded.needs = right  # type: ignore[attr-defined]  # a mark on a function
        return guarded  # type: ignore[return-value]  # wraps writes the view's own type over it

    return decorate


# --- Confirming that it is still the same person -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Through:
    """
    Through whose provider a session began. It opens that agency alone, and nothing that signs its person in elsewhere.

    :ivar agreed_at: since when the provider is the one that it is, written as in the database.
    :ivar shown_at: when the person last showed the provider who they are, in seconds; 0: it does not say.
    :ivar session: the digest of the provider's name for their session there; empty: it does not say.
    """

    agency_id: int
    key: str
    agreed_at: str
    shown_at: float
    session: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Through | None":
        """What the session says, None where it began with a password or a passkey of ours."""
        kept = request.session.get(PROVIDER_IN_SESSION)
        return cls(**kept) if kept else None

    def keep(self, request: HttpRequest) -> None:
        """Let the session say so from now on."""
        request.session[PROVIDER_IN_SESSION] = asdict(self)


def confirmed_at(request: HttpRequest) -> float:
    """
    When the person of a session last showed who they are, in seconds: by signing in, or by confirming since.

    Who came through a provider may have been let through by what it remembers, so there its own word counts alone.
    """
    if (through := Through.of(request)) is not None:
        return through.shown_at
    records = get_authentication_records(request, request.user)
    shown = [float(record["at"]) for record in records if "at" in record]
    return max([*shown, float(request.session.get(STARTED_AT, 0))])


def must_confirm(request: StaffRequest, deed: Deed) -> bool:
    """
    Whether the person shows who they are before a deed, as the agency wants it.

    A form that was opened in time may be sent a quarter of an hour later, so that nobody types for nothing.
    """
    policy = policy_of(request.agency)
    if deed.value not in policy.confirm:
        return False
    limit = timedelta(minutes=policy.confirm_minutes)
    if request.method not in {"GET", "HEAD"}:
        limit += _WHILE_TYPING
    return request.at.timestamp() - confirmed_at(request) >= limit.total_seconds()


def confirms[**P](deed: Deed) -> Callable[[View[P]], View[P]]:
    """
    Decorate a view, below the decorator that says who may: it is opened by who has shown lately who they are.

    Everybody else is led to the page that asks, and from there back to the page that has the form.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: StaffRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if must_confirm(request, deed):
                return ask_who_is_there(request)
            return view(request, *args, **kwargs)

        guarded.confirms = deed  # type: ignore[attr-defined]  # a mark on a function
        return guarded  # type: ignore[return-value]  # wraps writes the view's own type over it

    return decorate


def ask_who_is_there(request: StaffRequest) -> HttpResponse:
    """Lead to the page that asks; a part of a page is led there as a whole."""
    is_part = bool(request.headers.get("HX-Request"))
    if is_part or request.method not in {"GET", "HEAD"}:
        back = _path_of(request.headers.get("HX-Current-URL" if is_part else "Referer", "")) or request.path
    else:
        back = request.get_full_path()
    through = Through.of(request)
    page = (
        reverse("account_reauthenticate")
        if through is None
        else reverse("accounts:provider_confirm", args=[through.key])
    )
    where = f"{page}?{urlencode({'next': back})}"
    if not is_part:
        return redirect(where)
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = where
    return answer


def _path_of(address: str) -> str:
    parts = urlsplit(address)
    found = parts._replace(scheme="", netloc="", fragment="").geturl()
    return found if found.startswith("/") and not found.startswith("//") else ""


def hold_members(*, agency_id: int, user_ids: Collection[int]) -> list[Membership]:
    """
    Let nobody else write these people's grants until the transaction is over; returns their memberships as they are,
    with their users.

    Whoever writes several people's grants holds them all at first, so that two never wait crosswise.
    """
    rows = Membership.objects.filter(among("user_id", user_ids), agency_id=agency_id).select_related("user")
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("pk"))


def write_bundle(
    *,
    agency_id: int,
    user_id: int,
    client_ids: Collection[int],
    bundle: Role | None,
    granted_by_id: int | None,
    at: datetime,
    ends_at: datetime | None,
) -> None:
    """
    Give a person exactly the bundle's permissions on clients, or none; services record the deed.

    One delete and one insert however many clients. It waits for whoever writes the same person's grants: a delete sees
    nothing of what another transaction is about to insert.
    """
    hold_members(agency_id=agency_id, user_ids=[user_id])
    ClientGrant.objects.filter(
        agency_id=agency_id, user_id=user_id, content_object_id__in=list(client_ids)
    ).delete()
    if bundle is None:
        return
    rows = {
        row.codename: row
        for row in PermissionRow.objects.filter(
            content_type__app_label="tenancy",
            content_type__model="client",
            codename__in=list(BUNDLES[bundle]),
        )
    }
    ClientGrant.objects.bulk_create(
        ClientGrant(
            agency_id=agency_id,
            user_id=user_id,
            content_object_id=client_id,
            permission=rows[permission.value],
            bundle=bundle,
            granted_by_id=granted_by_id,
            granted_at=at,
            ends_at=ends_at,
        )
        for client_id in client_ids
        for permission in sorted(BUNDLES[bundle])
    )
