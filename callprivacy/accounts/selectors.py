"""What is known about people, before and inside a scope; and two questions that a higher room answers."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, TruncHour
from django.utils.crypto import salted_hmac

from callprivacy.accounts import access, passwords, seconding
from callprivacy.accounts.enums import RIGHTS, AgencyRight, MembershipState, ReviewAnswer, Role
from callprivacy.accounts.models import (
    AccessReview,
    ApiKey,
    ClientGrant,
    FactorReset,
    GrantUse,
    Invitation,
    Membership,
    MembershipQuerySet,
    PasswordDay,
    PasswordReminder,
    ProviderLink,
    ReviewLine,
    SignInFailure,
    SignInProvider,
    User,
    VendorSeat,
)
from callprivacy.audit.models import Event
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

FREE_FAILURES = 5
LONGEST_WAIT = 60
FORGOTTEN_AFTER = timedelta(days=1)
MOST_CALLS_COUNTED = 100_000
OPENS_ALONE = "opens_alone"
"""Where a key keeps what its owner said of it."""

# --- Before any scope ---


def agency_ids_of_user(user_id: int) -> list[int]:
    """Ids of the agencies in which a person is active, oldest first; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT agency_id FROM agencies_of_user(%s) AS agency_id ORDER BY 1", [user_id])
        return [row[0] for row in cursor.fetchall()]


def agencies_of_user(user_id: int) -> list[tuple[int, str]]:
    """Id and name of the agencies in which a person is active, by name; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM agencies_named_of_user(%s)", [user_id])
        return [(row[0], row[1]) for row in cursor.fetchall()]


def agencies_opened_by(user_id: int, through: access.Through | None) -> list[int]:
    """
    Ids of the agencies that a person's session opens, oldest first; it needs no scope.

    Without a provider: those in which the person is active and that do not ask for theirs. Through one: that agency,
    while its provider is still the same.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM agencies_opened_by(%s, %s, %s::timestamptz)",
            [user_id, through.agency_id if through else None, through.agreed_at if through else None],
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Door:
    """
    An agency of a person that has a provider.

    :ivar must: the person gets in there through the provider alone.
    """

    agency_id: int
    agency: str
    key: str
    is_required: bool
    must: bool


def doors_of_user(user_id: int) -> list[Door]:
    """The agencies of a person that have a provider, by name; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM providers_of_user(%s)", [user_id])
        return [Door(*row) for row in cursor.fetchall()]


def digest_of_subject(issuer: str, subject: str) -> bytes:
    """What is kept of a provider's name for a person."""
    return hashlib.sha256(f"{issuer}\0{subject}".encode()).digest()


def digest_of_name(name: str, device: str = "") -> bytes:
    """The digest under which a sign-in name's failures are counted, alone or from a device that is known."""
    value = f"{name.strip().lower()}\0{device}"
    return salted_hmac("callprivacy.sign-in", value, algorithm="sha256").digest()


def digest_of_token(token: str) -> bytes:
    """What is kept of an invitation's token."""
    return hashlib.sha256(token.encode()).digest()


def seconds_to_wait(digest: bytes, *, at: datetime) -> int:
    """Whole seconds until a sign-in name may be tried again; 0 means now."""
    row = SignInFailure.objects.filter(name_digest=digest).first()
    if row is None or row.failures < FREE_FAILURES or row.last_at <= at - FORGOTTEN_AFTER:
        return 0
    wait = min(2 ** (row.failures - FREE_FAILURES), LONGEST_WAIT)
    left = row.last_at + timedelta(seconds=wait) - at
    return max(0, -(-left // timedelta(seconds=1)))


def minutes_locked(name: str, address: str | None, *, at: datetime) -> int:
    """Minutes, begun ones counted, until a sign-in name may be tried again from an address; 0 means now."""
    rows = AccessAttempt.objects.filter(
        username=name, ip_address=address, attempt_time__gte=at - settings.AXES_COOLOFF_TIME
    ).order_by("attempt_time")
    failures = list(rows.values_list("attempt_time", "failures_since_start"))
    # A row for each browser; the lock ends when enough of them are past.
    left = sum(count for _, count in failures)
    ends_at = at
    while left >= settings.AXES_FAILURE_LIMIT:
        tried_at, count = failures.pop(0)
        left, ends_at = left - count, tried_at + settings.AXES_COOLOFF_TIME
    return -((at - ends_at) // timedelta(minutes=1))


def sessions_of(user_id: int, through: access.Through | None = None) -> list[UserSession]:
    """
    A person's sign-ins that are still alive, newest first.

    :param through: of a session that began at a provider: those alone that began there, too. From where and with what
        the person works elsewhere is nothing that whoever runs it may see, or end.
    """
    user = User.objects.get(pk=user_id)
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    if through is not None:
        kept = Session.objects.in_bulk([row.session_key for row in found])
        found = [
            row
            for row in found
            if row.session_key in kept and _agency_bound(kept[row.session_key]) == through.agency_id
        ]
    return sorted(found, key=lambda session: session.last_seen_at, reverse=True)


@dataclass(frozen=True, slots=True)
class BoundSession:
    """A sign-in that began at an agency's provider, and when, in seconds."""

    row: UserSession
    through: access.Through
    started_at: float


def sessions_through(*, user_ids: Collection[int], agency_id: int) -> list[BoundSession]:
    """The sign-ins of these people, as far as they are alive, that began at an agency's provider; two queries."""
    rows = list(UserSession.objects.filter(user_id__in=list(user_ids)))
    kept = Session.objects.in_bulk([row.session_key for row in rows])
    found = []
    for row in rows:
        if (session := kept.get(row.session_key)) is None:
            continue
        said = session.get_decoded()
        through = said.get(access.PROVIDER_IN_SESSION)
        if through and through["agency_id"] == agency_id:
            found.append(BoundSession(row, access.Through(**through), float(said.get(access.STARTED_AT, 0))))
    return found


def _agency_bound(session: Session) -> int | None:
    kept = session.get_decoded().get(access.PROVIDER_IN_SESSION)
    return kept["agency_id"] if kept else None


def count_sessions(user_id: int) -> int:
    """How many sign-ins of a person are kept as alive."""
    return int(UserSession.objects.filter(user_id=user_id).count())


# --- The agency's provider ---


def provider() -> SignInProvider | None:
    """The provider of the scope's agency, on or off, with who proposed and who agreed to it."""
    rows = SignInProvider.objects.filter(agency_id=lib_scope.require_agency())
    return rows.select_related("proposed_by", "agreed_by").first()


def provider_for(email: str) -> SignInProvider | None:
    """The provider of the scope's agency, where people sign in through it and it may speak for an address."""
    found = provider()
    return found if found and found.is_on and email.rpartition("@")[2] in found.domains else None


def link_of(user_id: int) -> ProviderLink | None:
    """That a person of the scope's agency came through its provider before."""
    return ProviderLink.objects.filter(agency_id=lib_scope.require_agency(), user_id=user_id).first()


def count_links() -> tuple[int, int]:
    """How many of the agency's active people have come through its provider, and how many people there are."""
    people_here = Membership.objects.filter(agency_id=lib_scope.require_agency()).active()
    linked = ProviderLink.objects.filter(agency_id=lib_scope.require_agency()).values("user_id")
    return people_here.filter(user_id__in=linked).count(), people_here.count()


def count_links_with_factor() -> int:
    """Of how many active people the provider said, when they last came, that they showed a second factor."""
    linked = ProviderLink.objects.filter(agency_id=lib_scope.require_agency(), with_factor=True)
    return members_by_due().filter(user_id__in=linked.values("user_id")).count()


def without_factor(*, at_provider: bool) -> QuerySet[Membership]:
    """
    The agency's active people of whom no second factor is known.

    :param at_provider: of those who get in through the agency's provider alone, who have none here and of whom the
        provider spoke of none when they last came; else of everybody else.
    """
    found = members_by_due().filter(~factors_of())
    row = provider()
    if row is None or not row.is_required:
        return found.none() if at_provider else found
    if not at_provider:
        return found.filter(user_id__in=row.beside)
    shown = ProviderLink.objects.filter(agency_id=row.agency_id, with_factor=True)
    return found.exclude(user_id__in=row.beside).exclude(user_id__in=shown.values("user_id"))


def managers_with_factor() -> QuerySet[Membership]:
    """Who may be let in beside the provider: people who manage people and have a second factor, by name."""
    found = managers().annotate(has_factor=factors_of()).filter(has_factor=True)
    return found.select_related("user").order_by("user__name", "pk")


# --- Passwords and second factors ---


def asked_of(user_ids: Collection[int]) -> dict[int, list[passwords.Asked]]:
    """User id -> what each agency in which the person is active asks of passwords; it needs no scope, one query."""
    found: dict[int, list[passwords.Asked]] = {user_id: [] for user_id in user_ids}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM sign_in_asked_of(%s)", [list(user_ids)])
        for user_id, *asked in cursor.fetchall():
            found[user_id].append(passwords.Asked(*asked))
    return found


def rule_of(user: User) -> passwords.Rule:
    """The strictest rule of a person's agencies; the default one for who is nowhere yet."""
    return passwords.strictest(asked_of([user.pk])[user.pk] if user.pk else [])


def factors_of() -> Exists:
    """Whether the row's `user_id` has a second factor, to annotate memberships with: no query of its own."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return Exists(Authenticator.objects.filter(user_id=OuterRef("user_id"), type__in=kinds))


def has_second_factor(user_id: int) -> bool:
    """Whether a person has codes or a passkey; recovery codes alone are none."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return bool(Authenticator.objects.filter(user_id=user_id, type__in=kinds).exists())


def has_to_have_factor(user_id: int) -> bool:
    """Whether a person is an operator, or an agency of theirs asks their role for one; it needs no scope."""
    if User.objects.filter(pk=user_id, is_staff=True).exists():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_to_have_factor(%s)", [user_id])
        return bool(cursor.fetchone()[0])


def keys_of(user_id: int) -> QuerySet[Authenticator]:
    """A person's own passkeys and security keys, oldest first."""
    found: QuerySet[Authenticator] = Authenticator.objects.filter(
        user_id=user_id, type=Authenticator.Type.WEBAUTHN
    )
    return found.order_by("created_at", "pk")


def codes_of(user_id: int) -> Authenticator:
    """A person's codes from an app; there is one seed, or none."""
    found: Authenticator = Authenticator.objects.get(user_id=user_id, type=Authenticator.Type.TOTP)
    return found


def opens_alone(factor: Authenticator) -> bool:
    """
    Whether a passkey or a security key opens without the password: what its owner said when it was added.

    Of one that was added before that was kept: what the browser said of it, else whether it asked its owner for a PIN
    or the like then.
    """
    key = factor.wrap()
    said = factor.data["credential"].get(OPENS_ALONE, key.is_passwordless)
    return bool(key.authenticator_data.is_user_verified() if said is None else said)


def works_elsewhere(user_id: int, *, agency_id: int) -> bool:
    """Whether a person is active in another agency as well; which one is told to nobody."""
    return any(one.agency_id != agency_id for one in asked_of([user_id])[user_id])


def is_reset_agreed_elsewhere(user_id: int, *, agency_id: int, since: datetime) -> bool:
    """
    Whether two have agreed, in each other agency in which a person is active, to take the second factors away.

    A word counts from `since` on, and not for a second factor that was added after it.
    """
    newest = Authenticator.objects.filter(user_id=user_id).aggregate(at=Max("created_at"))["at"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT factors_agreed_elsewhere(%s, %s, %s)",
            [user_id, agency_id, max(since, newest) if newest else since],
        )
        return bool(cursor.fetchone()[0])


def factors_listed(user_id: int) -> list[Authenticator]:
    """A person's second factors and recovery codes, oldest first; nothing of them is opened."""
    return list(Authenticator.objects.filter(user_id=user_id).order_by("created_at").defer("data"))


def alone_since_password(user: User) -> list[Authenticator]:
    """The passkeys that open alone and that somebody who knows a person's password may have added, oldest first."""
    since = user.password_changed_at or user.created_at
    return [key for key in keys_of(user.pk).filter(created_at__gte=since) if opens_alone(key)]


def members_by_due() -> QuerySet[Membership]:
    """The agency's active people, whose password is due first at the top; each with `has_factor`."""
    return (
        Membership.objects.filter(agency_id=lib_scope.require_agency())
        .active()
        .select_related("user")
        .annotate(has_factor=factors_of())
        .order_by(F("user__password_due_at").asc(nulls_last=True), "user__name", "pk")
    )


def password_days(*, since: date) -> list[PasswordDay]:
    """How the agency's passwords stood, each morning since a day, oldest first."""
    return list(
        PasswordDay.objects.filter(agency_id=lib_scope.require_agency(), on__gte=since).order_by("on")
    )


def last_reminders(user_ids: Collection[int]) -> dict[int, datetime]:
    """User id -> when the person was last reminded of a password that is due; one query."""
    rows = (
        PasswordReminder.objects.filter(user_id__in=list(user_ids), sent_at__isnull=False)
        .values_list("user_id")
        .annotate(last=Max("sent_at"))
    )
    return dict(rows)


def keys_made_by(user_ids: Collection[int], *, at: datetime) -> dict[int, int]:
    """User id -> how many keys of the agency's systems that person made which still open something; one query."""
    rows = (
        ApiKey.objects.filter(
            agency_id=lib_scope.require_agency(),
            created_by_id__in=list(user_ids),
            revoked_at=None,
            ends_at__gt=at,
        )
        .values_list("created_by_id")
        .annotate(number=Count("pk"))
    )
    return dict(rows)


def keys_listed(user_id: int, *, at: datetime) -> list[tuple[str, str]]:
    """(name of the key, name of its client) of the keys that a person made which still open something."""
    rows = ApiKey.objects.filter(
        agency_id=lib_scope.require_agency(), created_by_id=user_id, revoked_at=None, ends_at__gt=at
    )
    return list(rows.order_by("client__name", "name").values_list("name", "client__name"))


def open_reset(user_id: int, *, at: datetime) -> FactorReset | None:
    """What waits for a second person's word about somebody's second factors."""
    rows = FactorReset.objects.filter(
        agency_id=lib_scope.require_agency(), user_id=user_id, decided_at=None, ends_at__gt=at
    )
    return rows.select_related("asked_by").first()


def open_resets(*, at: datetime) -> list[FactorReset]:
    """Everything that waits for a second person's word about second factors, oldest first."""
    rows = FactorReset.objects.filter(agency_id=lib_scope.require_agency(), decided_at=None, ends_at__gt=at)
    return list(rows.select_related("asked_by", "user").order_by("asked_at"))


# --- People ---


def people(*, at: datetime) -> MembershipQuerySet:
    """The agency's people by name, each with `clients_seen`, the number of clients granted in force."""
    agency_id = lib_scope.require_agency()
    # Not `access.counting`: of who is suspended the page says what will count again.
    seen = (
        ClientGrant.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=at),
            agency_id=agency_id,
            user_id=OuterRef("user_id"),
            permission__codename=Permission.VIEW_CLIENT.value,
        )
        .values("user_id")
        .annotate(number=Count("content_object_id"))
        .values("number")
    )
    return (
        Membership.objects.filter(agency_id=agency_id)
        .select_related("user")
        .annotate(clients_seen=Coalesce(Subquery(seen), 0))
        .order_by("user__name", "pk")
    )


def managers() -> QuerySet[Membership]:
    """The agency's active people who may manage people."""
    return managers_of(lib_scope.require_agency())


def managers_of(agency_id: int) -> QuerySet[Membership]:
    """The same of an agency that is named; also in an operator's scope."""
    roles = [role for role in Role if AgencyRight.MANAGE_PEOPLE in RIGHTS[role]]
    return Membership.objects.filter(agency_id=agency_id, role__in=roles).active()


def officers_of(agency_id: int) -> QuerySet[Membership]:
    """The active people of an agency who sign off; also in an operator's scope."""
    roles = [role for role in Role if AgencyRight.SIGN_OFF in RIGHTS[role]]
    return Membership.objects.filter(agency_id=agency_id, role__in=roles).active()


def is_member(invitation: Invitation) -> bool:
    """Whether one of the agency's people has sent an invitation, and not an operator."""
    rows = Membership.objects.filter(agency_id=invitation.agency_id)
    return invitation.invited_by_id is not None and rows.filter(user_id=invitation.invited_by_id).exists()


def is_last_manager(user_id: int) -> bool:
    """Whether nobody but this person manages people in the agency."""
    return not managers().exclude(user_id=user_id).exists()


def last_here(user: User) -> datetime | None:
    """When a person was last signed in, as far as is known; None: never."""
    seen = UserSession.objects.filter(user=user).aggregate(at=Max("last_seen_at"))["at"]
    return max((one for one in (user.last_login, seen) if one is not None), default=None)


def invitations() -> QuerySet[Invitation]:
    """The agency's invitations that nobody has accepted or withdrawn, newest first."""
    return (
        Invitation.objects.filter(accepted_at=None, withdrawn_at=None)
        .select_related("invited_by")
        .order_by("-created_at", "-pk")
    )


def unconfirmed(*, at: datetime) -> QuerySet[Invitation]:
    """Invitations of officers that wait for a second officer, oldest first."""
    rows = invitations().filter(needs_second=True, confirmed_at=None, expires_at__gt=at)
    return rows.order_by("created_at", "pk")


def uncounted(*, agency_id: int, since: datetime) -> QuerySet[Event]:
    """Second signatures that did not count, newest first."""
    rows = Event.objects.filter(agency_id=agency_id, action=seconding.ACTION, at__gt=since)
    return rows.order_by("-at", "-pk")


# --- Grants ---


@dataclass(frozen=True, slots=True)
class Cell:
    """What one person holds on one client: a bundle, by whom, since and until when."""

    user_id: int
    client_id: int
    bundle: Role
    granted_by: str
    granted_at: datetime
    ends_at: datetime | None

    @property
    def last_instant(self) -> datetime | None:
        """The last moment at which it counts: within its last day, where its end is a midnight."""
        return None if self.ends_at is None else self.ends_at - timedelta(seconds=1)

    def counts_at(self, at: datetime) -> bool:
        """Whether it is still honoured."""
        return self.ends_at is None or at < self.ends_at


def cells(*, user_ids: Collection[int], client_ids: Collection[int]) -> dict[tuple[int, int], Cell]:
    """What these people hold on these clients, ended grants too, by (user id, client id); one query."""
    rows = (
        ClientGrant.objects.filter(
            agency_id=lib_scope.require_agency(),
            user_id__in=list(user_ids),
            content_object_id__in=list(client_ids),
        )
        .values_list("user_id", "content_object_id", "bundle", "granted_by__name", "granted_at", "ends_at")
        .distinct()
    )
    return {
        (user_id, client_id): Cell(user_id, client_id, Role(bundle), by or "the system", granted_at, ends_at)
        for user_id, client_id, bundle, by, granted_at, ends_at in rows
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """One client as one person sees it."""

    client: Client
    cell: Cell
    permissions: tuple[Permission, ...]


def clients_seen_by(membership: Membership, *, at: datetime) -> QuerySet[Client]:
    """The clients of which a person holds any grant in force, by name."""
    granted = access.grants_of(membership, at=at).values("content_object_id")
    return Client.objects.filter(pk__in=granted).order_by("name", "pk")


def what_is_seen(membership: Membership, clients: Sequence[Client], *, at: datetime) -> list[Seen]:
    """What a person holds on these clients, those with a grant in force only; two queries."""
    held = cells(user_ids=[membership.user_id], client_ids=[client.pk for client in clients])
    names: dict[int, list[Permission]] = {}
    rows = access.grants_of(membership, at=at).filter(content_object_id__in=[client.pk for client in clients])
    for client_id, name in rows.values_list("content_object_id", "permission__codename"):
        names.setdefault(client_id, []).append(Permission(name))
    order = list(Permission)
    return [
        Seen(client, held[membership.user_id, client.pk], tuple(sorted(names[client.pk], key=order.index)))
        for client in clients
        if client.pk in names
    ]


def count_calls_seen_by(membership: Membership) -> int:
    """
    How many calls a person can see, counted up to `MOST_CALLS_COUNTED`.

    A number, not a row: who manages people learns the reach of a grant without holding one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count_calls_visible_to(%s, %s)", [membership.user_id, MOST_CALLS_COUNTED + 1])
        found: int = cursor.fetchone()[0]
    return found


@dataclass(frozen=True, slots=True)
class Watcher:
    """A person who sees a client."""

    membership: Membership
    cell: Cell


def people_who_see(client: Client, *, at: datetime) -> list[Watcher]:
    """Who holds a grant in force on a client, by name; three queries."""
    rows = ClientGrant.objects.filter(agency_id=client.agency_id, content_object_id=client.pk)
    user_ids = list(rows.values_list("user_id", flat=True).distinct())
    held = cells(user_ids=user_ids, client_ids=[client.pk])
    found = (
        Membership.objects.filter(agency_id=client.agency_id, user_id__in=user_ids)
        .active()
        .select_related("user")
        .order_by("user__name", "pk")
    )
    return [
        Watcher(membership, cell)
        for membership in found
        if (cell := held.get((membership.user_id, client.pk))) is not None and cell.counts_at(at)
    ]


# --- Numbers shown, as the trail knows them ---


@dataclass(frozen=True, slots=True)
class RevealUse:
    """How the limit of numbers shown was used over the last seven days."""

    shown: int
    most_in_an_hour: int
    blocked: int


def reveal_use(*, agency_id: int, at: datetime) -> RevealUse:
    """Use of the limit over the last seven days, by hours of the clock; two queries."""
    lately = Event.objects.filter(agency_id=agency_id, at__gt=at - timedelta(days=7), at__lte=at)
    hours = (
        lately.filter(action="number.revealed")
        .annotate(hour=TruncHour("at"))
        .values("actor_user_id", "hour")
        .annotate(number=Count("pk"))
        .order_by()
        .values_list("number", flat=True)
    )
    shown = list(hours)
    blocked = lately.filter(action="reveal.blocked").count()
    return RevealUse(shown=sum(shown), most_in_an_hour=max(shown, default=0), blocked=blocked)


# --- Clients ---

type Rank = Callable[[Membership, Sequence[Client], datetime], dict[int, tuple[int, str]]]
_ranks: list[Rank] = []


def rank_clients_by(rank: Rank) -> None:
    """
    Let a higher room say which clients need a person most; called from its `ready()`.

    :param rank: takes who asks, clients and the instant, and gives for those with something to say, by id,
        (how much they need the person, for what in a few words).
    """
    _ranks[:] = [rank]


def worst_first(
    clients: Iterable[Client], *, membership: Membership, at: datetime
) -> list[tuple[Client, str]]:
    """Clients with what they need a person for, those that need it most first, then by name."""
    known = list(clients)
    ranked = _ranks[0](membership, known, at) if _ranks else {}
    nothing = (0, "")
    known.sort(key=lambda client: (-ranked.get(client.pk, nothing)[0], client.name.lower(), client.pk))
    return [(client, ranked.get(client.pk, nothing)[1]) for client in known]


def count_people_of(client_ids: Collection[int], *, at: datetime) -> dict[int, int]:
    """Client id -> number of people with a grant in force; one query."""
    rows = (
        access.counting(at)
        .filter(
            content_object_id__in=list(client_ids),
            permission__codename=Permission.VIEW_CLIENT.value,
        )
        .values_list("content_object_id")
        .annotate(people=Count("user_id", distinct=True))
    )
    return dict(rows)


# --- Keys of the agency's systems ---


def api_keys_of(client: Client) -> QuerySet[ApiKey]:
    """A client's keys, newest first; neither their names in the directory nor their digests are read."""
    rows = ApiKey.objects.for_client(client).select_related("created_by", "client").defer("digest")
    return rows.order_by("-created_at", "-pk")


# --- Looking over grants ---


@dataclass(frozen=True, slots=True)
class Held:
    """What one person holds on one client, in force."""

    user_id: int
    client_id: int
    bundle: str
    granted_at: datetime


def grants_held(*, at: datetime) -> list[Held]:
    """Every grant in force of the agency's active people, one for each person and client; one query."""
    rows = (
        access.counting(at)
        .filter(agency_id=lib_scope.require_agency(), content_object__archived_at=None)
        .values("user_id", "content_object_id")
        .annotate(as_what=Max("bundle"), since=Max("granted_at"))
        .order_by("user_id", "content_object_id")
        .values_list("user_id", "content_object_id", "as_what", "since")
    )
    return [Held(*row) for row in rows]


def last_used() -> dict[tuple[int, int], date]:
    """(user id, client id) -> the last day on which the person did or opened something there; one query."""
    rows = GrantUse.objects.filter(agency_id=lib_scope.require_agency())
    return {
        (user_id, client_id): on
        for user_id, client_id, on in rows.values_list("user_id", "client_id", "last_on")
    }


def open_review() -> AccessReview | None:
    """The agency's review that waits for answers."""
    return AccessReview.objects.filter(agency_id=lib_scope.require_agency(), closed_at=None).first()


def count_open_lines(review: AccessReview) -> int:
    """How many grants of a review nobody has answered for."""
    return review.lines.filter(answer=ReviewAnswer.OPEN).count()


def reviews() -> QuerySet[AccessReview]:
    """The agency's reviews, newest first, each with how many grants were kept, ended and left open."""
    return (
        AccessReview.objects.filter(agency_id=lib_scope.require_agency())
        .annotate(
            grants=Count("lines"),
            kept=Count("lines", filter=Q(lines__answer=ReviewAnswer.KEPT)),
            ended=Count("lines", filter=Q(lines__answer__in=[ReviewAnswer.ENDED, ReviewAnswer.LAPSED])),
            waiting=Count("lines", filter=Q(lines__answer=ReviewAnswer.OPEN)),
        )
        .select_related("started_by")
        .order_by("-started_at")
    )


def review_lines(review: AccessReview) -> QuerySet[ReviewLine]:
    """The grants of a review: by person, then client."""
    return review.lines.select_related("user", "client", "answered_by").order_by(
        "user__name", "user_id", "client__name"
    )


def seats_of() -> QuerySet[VendorSeat]:
    rows = VendorSeat.objects.filter(agency_id=lib_scope.require_agency()).select_related("client")
    return rows.order_by("vendor", "email", "account")


@dataclass(frozen=True, slots=True)
class Stray:
    """A seat at a vendor that nothing here explains."""

    seat: VendorSeat
    why: str
    short: str


def stray_seats(*, at: datetime) -> list[Stray]:
    """Seats whose person is nobody here, is not active, or holds nothing on the client that they see there."""
    agency_id = lib_scope.require_agency()
    rows = Membership.objects.filter(agency_id=agency_id).values_list(
        "user__email", "user_id", "state", "user__is_active"
    )
    known_as = {email.lower(): (user_id, _away(state, is_on=is_on)) for email, user_id, state, is_on in rows}
    held = {(one.user_id, one.client_id) for one in grants_held(at=at)}
    found = []
    for seat in seats_of():
        known = known_as.get(seat.email.lower())
        if known is None:
            found.append(Stray(seat, f"sees it at {seat.vendor}, and is nobody here", "Nobody here"))
        elif known[1]:
            found.append(
                Stray(
                    seat, f"sees it at {seat.vendor}, and is {known[1]} here", f"{known[1].capitalize()} here"
                )
            )
        elif seat.client_id is not None and (known[0], seat.client_id) not in held:
            found.append(Stray(seat, f"sees it at {seat.vendor}, not here", "Not here"))
    return found


def _away(state: str, *, is_on: bool) -> str:
    if state != MembershipState.ACTIVE:
        return state
    return "" if is_on else "switched off"


@dataclass(frozen=True, slots=True)
class Unused:
    """A grant that nobody used for long."""

    membership: Membership
    client: Client
    bundle: Role
    granted_at: datetime
    last_on: date | None


def unused_grants(*, days: int, at: datetime) -> list[Unused]:
    """Grants in force, older than so many days, that were not used since; the longest unused first."""
    limit = at - timedelta(days=days)
    used = last_used()
    old = [
        one
        for one in grants_held(at=at)
        if one.granted_at < limit
        and ((last := used.get((one.user_id, one.client_id))) is None or last < limit.date())
    ]
    agency_id = lib_scope.require_agency()
    members = {
        row.user_id: row
        for row in Membership.objects.filter(
            agency_id=agency_id, user_id__in={one.user_id for one in old}
        ).select_related("user")
    }
    clients = Client.objects.in_bulk({one.client_id for one in old})
    found = [
        Unused(
            members[one.user_id],
            clients[one.client_id],
            Role(one.bundle),
            one.granted_at,
            used.get((one.user_id, one.client_id)),
        )
        for one in old
    ]
    return sorted(found, key=lambda one: (one.last_on or date.min, one.membership.user.name, one.client.name))
