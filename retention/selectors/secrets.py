"""
How old every secret is, what its limit says of that, and what is being changed. Never a secret itself.

Keys of clients are asked of the vault; what else belongs to a client, as far as the scope sees that client.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Q, QuerySet

from callprivacy.accounts.models import ApiKey, SignInProvider
from callprivacy.audit.models import Event
from callprivacy.calls.models import Connection, Pull
from callprivacy.tenancy.models import Agency, Client
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault import signing
from consent.models import NumberList, WebhookEndpoint
from retention.enums import RotationState, SecretKind
from retention.models import AlertEndpoint, Rotation, SecretLimit, VendorCheck

WARNED_BEFORE: Final = timedelta(days=30)
DEFAULT_DAYS: Final[Mapping[SecretKind, int]] = {
    SecretKind.MASTER: 365,
    SecretKind.CLIENT: 365,
    SecretKind.TOKEN: 730,
    SecretKind.SIGNING: 730,
    SecretKind.CONNECTION: 365,
    SecretKind.API: 180,
    SecretKind.ENDPOINT: 365,
    SecretKind.DJANGO: 365,
    SecretKind.METRICS: 365,
    SecretKind.BACKUP: 730,
    SecretKind.DATABASE: 365,
    SecretKind.SIGN_IN: 365,
    SecretKind.MAIL: 365,
    SecretKind.MAIL_IN: 365,
    SecretKind.TEXTS: 365,
    SecretKind.QUEUE: 365,
    SecretKind.STORE: 365,
}
"""Our own limits. Of token keys twice as long: another one makes nothing of an older copy unreadable."""
ITSELF: Final = frozenset({SecretKind.CLIENT, SecretKind.TOKEN})
"""Kinds that are changed without anybody else taking part."""
OF_THE_HOUSE: Final = frozenset(
    {
        SecretKind.MASTER, SecretKind.SIGNING, SecretKind.DJANGO, SecretKind.METRICS, SecretKind.BACKUP,
        SecretKind.DATABASE, SecretKind.MAIL, SecretKind.MAIL_IN, SecretKind.TEXTS, SecretKind.QUEUE, SecretKind.STORE,
    }
)  # fmt: skip
"""Kinds that the installation's settings hold; the operator changes them."""
FIRST_SEEN: Final = "secret.first_seen"
_ITS_OWN_TIME: Final = timedelta(days=2)


class Standing(StrEnum):
    """What a limit says of an age."""

    GOOD = "good"
    SOON = "soon"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Limit:
    """After how many days a kind is changed, and whether that happens by itself."""

    kind: SecretKind
    days: int
    rotates_itself: bool
    is_own: bool

    @property
    def default_days(self) -> int:
        """What holds where the agency says nothing."""
        return DEFAULT_DAYS[self.kind]


@dataclass(frozen=True, slots=True)
class Secret:
    """
    One secret: whose it is, since when, and where it is changed.

    :ivar client: None where it is the agency's or the installation's.
    :ivar ends_at: when it ends by itself, where it does.
    :ivar rotation: its newest rotation.
    :ivar thing_id: what it belongs to, where its page needs it.
    :ivar is_of_a_list: it opens a vendor's list of recordings, of the connection `thing_id`. :ivar is_of_a_pull: it
    opens a tracker's list of calls, of the same.
    """

    kind: SecretKind
    client: Client | None
    name: str
    made_at: datetime
    limit: Limit
    ends_at: datetime | None = None
    rotation: Rotation | None = None
    thing_id: UUID | None = None
    is_of_a_list: bool = False
    is_of_a_pull: bool = False

    @property
    def is_of_the_house(self) -> bool:
        """Whether it stands in the installation's settings, and is nobody's among its agencies."""
        return self.kind in OF_THE_HOUSE

    @property
    def due_at(self) -> datetime:
        """When it reaches its limit."""
        return self.made_at + timedelta(days=self.limit.days)

    def days(self, at: datetime) -> int:
        """Its age in whole days."""
        return max((at - self.made_at).days, 0)

    def standing(self, at: datetime) -> Standing:
        """What its limit says of its age."""
        if at >= self.due_at:
            return Standing.OVER
        return Standing.SOON if at >= self.due_at - WARNED_BEFORE else Standing.GOOD

    def needs_a_person(self, at: datetime) -> bool:
        """Whether it is past its limit, and did not change by itself within two days where it does that."""
        return at >= self.due_at + (_ITS_OWN_TIME if self.limit.rotates_itself else timedelta(0))


def limits() -> dict[SecretKind, Limit]:
    """Every kind's limit in the scope's agency, one query."""
    own = {SecretKind(row.kind): row for row in SecretLimit.objects.all()}
    return {
        kind: Limit(
            kind,
            own[kind].days if kind in own else days,
            kind in ITSELF and (own[kind].rotates_itself if kind in own else True),
            kind in own,
        )
        for kind, days in DEFAULT_DAYS.items()
    }


def every(agency: Agency, clients: Iterable[Client], at: datetime) -> list[Secret]:
    """
    Every secret of an agency and of these clients, a number of queries that does not grow with them. A client that
    leaves has none that anybody would change: they end with it.

    :param clients: those whose keys are shown; of what else they have, row security decides what is seen. Whoever
        manages people sees keys of systems at each.
    """
    found = limits()
    by_id = {client.pk: client for client in clients if client.shut_at is None and client.archived_at is None}
    secrets = [*_of_the_house(agency, found), *_keys(agency, by_id, found)]
    secrets += [*_connections(by_id, found), *_pulls(by_id, found), *_lists(by_id, found)]
    secrets += [*_api_keys(by_id, found, at), *_endpoints(agency, by_id, found), *_sign_in(agency, found)]
    return secrets


def house_names() -> dict[SecretKind, str]:
    """
    The names of the installation's own secrets in use; they say nothing about them.

    Of a database the app's password: the owner's is in no process that could ask.
    """
    names = {
        SecretKind.MASTER: vault_services.master_fingerprint(),
        SecretKind.SIGNING: signing.key_id(signing.public_key()),
        SecretKind.DJANGO: _name_of(settings.SECRET_KEY),
    }
    for kind, secret in _outside().items():
        if secret:
            names[kind] = _name_of(secret)
    if settings.CALLPRIVACY_BACKUP_RECIPIENTS:
        names[SecretKind.BACKUP] = _name_of(" ".join(sorted(settings.CALLPRIVACY_BACKUP_RECIPIENTS)))
    passwords = [str(settings.DATABASES[alias].get("PASSWORD") or "") for alias in ("default", "vault")]
    if any(passwords):
        names[SecretKind.DATABASE] = _name_of(" ".join(passwords))
    return names


def _outside() -> dict[SecretKind, str]:
    """What the settings name of others' doors, by kind; empty where there is none."""
    mailer = settings.MAILERS["default"].get("OPTIONS", {})
    mail_in = getattr(settings, "ANYMAIL", {})
    texts = settings.CALLPRIVACY_CODES
    return {
        SecretKind.METRICS: settings.CALLPRIVACY_METRICS_TOKEN,
        SecretKind.MAIL: str(mailer.get("password") or ""),
        SecretKind.MAIL_IN: str(mail_in.get("WEBHOOK_SECRET") or ""),
        SecretKind.TEXTS: texts[1] if texts else "",
        SecretKind.QUEUE: urlsplit(settings.REDIS_URL).password or "",
        SecretKind.STORE: settings.CALLPRIVACY_STORE_SECRET,
    }


@lru_cache(maxsize=32)
def _name_of(secret: str) -> str:
    """Eight hex digits that change with a secret. So slowly made, and so short, that no guess is confirmed by them."""
    salt = b"callprivacy: the name of a secret"
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()


def first_seen(agency_id: int, kind: SecretKind, name: str = "") -> QuerySet[Event]:
    """Events that say since when the installation has used a key, newest first."""
    rows = Event.objects.filter(agency_id=agency_id, action=FIRST_SEEN, details__kind=kind.value)
    return (rows.filter(details__name=name) if name else rows).order_by("-at", "-id")


_WORDS: Final[Mapping[SecretKind, str]] = {
    SecretKind.MASTER: "Master key",
    SecretKind.DJANGO: "Key of sessions and forms",
    SecretKind.METRICS: "Token of the metrics",
    SecretKind.BACKUP: "Public keys that backups are sealed to",
    SecretKind.DATABASE: "Passwords of the app’s role",
    SecretKind.MAIL: "Password at the server that sends mail",
    SecretKind.MAIL_IN: "Secret with which a provider brings mail",
    SecretKind.TEXTS: "Token of the account that texts codes",
    SecretKind.QUEUE: "Password of Valkey",
    SecretKind.STORE: "Key of the bucket of files",
}


def _of_the_house(agency: Agency, found: Mapping[SecretKind, Limit]) -> list[Secret]:
    secrets = []
    for kind, name in house_names().items():
        event = first_seen(agency.pk, kind, name).first()
        made_at = agency.created_at if event is None else datetime.fromisoformat(event.details["since"])
        words = f"Signing key {name}" if kind == SecretKind.SIGNING else _WORDS[kind]
        secrets.append(Secret(kind, None, words, made_at, found[kind]))
    return secrets


def _keys(agency: Agency, clients: Mapping[int, Client], found: Mapping[SecretKind, Limit]) -> list[Secret]:
    newest = newest_rotations()
    secrets = []
    for client_id, ages in vault.ages(agency.pk).items():
        client = clients.get(client_id)
        if client is None and client_id != holder_of(agency.pk):
            continue
        for kind, made_at in ((SecretKind.CLIENT, ages.key_made_at), (SecretKind.TOKEN, ages.token_made_at)):
            name = "Key of the callers’ keys" if kind == SecretKind.CLIENT else "Key of the numbers’ tokens"
            rotation = newest.get((kind, client.pk if client else None))
            secrets.append(Secret(kind, client, name, made_at, found[kind], rotation=rotation))
    return secrets


def newest_rotations() -> dict[tuple[SecretKind, int | None], Rotation]:
    """(kind, client id or None) -> the newest rotation that the scope sees, one query; none of clients that leave."""
    rows = Rotation.objects.order_by("kind", "client_id", "-started_at").distinct("kind", "client_id")
    rows = rows.exclude(client__shut_at__isnull=False)
    return {(SecretKind(row.kind), row.client_id): row for row in rows.select_related("started_by")}


def _connections(clients: Mapping[int, Client], found: Mapping[SecretKind, Limit]) -> list[Secret]:
    rows = Connection.objects.filter(client_id__in=list(clients), is_active=True)
    dated = rows.annotate(newest=Max("secrets__created_at")).filter(newest__isnull=False)
    return [
        Secret(
            SecretKind.CONNECTION, clients[client_id], name, newest, found[SecretKind.CONNECTION], thing_id=pk
        )
        for pk, client_id, name, newest in dated.values_list("pk", "client_id", "name", "newest")
    ]


def _pulls(clients: Mapping[int, Client], found: Mapping[SecretKind, Limit]) -> list[Secret]:
    """Keys by which a tracker is asked for its calls."""
    rows = Pull.objects.filter(client_id__in=list(clients), secret_set_at__isnull=False)
    named = rows.values_list("connection_id", "client_id", "connection__name", "secret_set_at")
    return [
        Secret(
            SecretKind.CONNECTION,
            clients[client_id],
            f"Key of the tracker’s calls: {name}",
            set_at,
            found[SecretKind.CONNECTION],
            thing_id=connection_id,
            is_of_a_pull=True,
        )
        for connection_id, client_id, name, set_at in named
        if set_at is not None
    ]


def _lists(clients: Mapping[int, Client], found: Mapping[SecretKind, Limit]) -> list[Secret]:
    """Keys by which a vendor is asked what it still has."""
    rows = VendorCheck.objects.filter(client_id__in=list(clients), secret_set_at__isnull=False)
    named = rows.values_list("connection_id", "client_id", "connection__name", "secret_set_at")
    return [
        Secret(
            SecretKind.CONNECTION,
            clients[client_id],
            f"Key of the vendor’s list: {name}",
            set_at,
            found[SecretKind.CONNECTION],
            thing_id=connection_id,
            is_of_a_list=True,
        )
        for connection_id, client_id, name, set_at in named
        if set_at is not None
    ]


def _api_keys(clients: Mapping[int, Client], found: Mapping[SecretKind, Limit], at: datetime) -> list[Secret]:
    rows = ApiKey.objects.filter(client_id__in=list(clients), revoked_at=None, ends_at__gt=at)
    return [
        Secret(
            SecretKind.API,
            clients[row.client_id],
            row.name,
            row.created_at,
            found[SecretKind.API],
            ends_at=row.ends_at,
            thing_id=row.pk,
        )
        for row in rows
    ]


def _endpoints(
    agency: Agency, clients: Mapping[int, Client], found: Mapping[SecretKind, Limit]
) -> list[Secret]:
    rows = list(WebhookEndpoint.objects.filter(client_id__in=list(clients), is_active=True))
    own = list(AlertEndpoint.objects.filter(agency=agency, is_active=True))
    changed = _secrets_changed(agency.pk, [str(row.pk) for row in (*rows, *own)])
    limit = found[SecretKind.ENDPOINT]
    return [
        Secret(
            SecretKind.ENDPOINT,
            clients[row.client_id],
            row.name,
            max(row.created_at, changed.get(str(row.pk), row.created_at)),
            limit,
            thing_id=row.pk,
        )
        for row in rows
    ] + [
        Secret(
            SecretKind.ENDPOINT,
            None,
            "Endpoint of alerts",
            max(row.created_at, changed.get(str(row.pk), row.created_at)),
            limit,
        )
        for row in own
    ]


def _sign_in(agency: Agency, found: Mapping[SecretKind, Limit]) -> list[Secret]:
    """The secret at the provider through which the agency's people sign in, as old as the trail says."""
    rows = SignInProvider.objects.filter(agency=agency)
    changed = Event.objects.filter(
        agency_id=agency.pk, action="sign_in_provider.changed", details__fields__endswith="secret"
    ).aggregate(newest=Max("at"))["newest"]
    return [
        Secret(SecretKind.SIGN_IN, None, row.name, changed or row.proposed_at, found[SecretKind.SIGN_IN])
        for row in rows.defer("secret")
    ]


def _secrets_changed(agency_id: int, subject_ids: list[str]) -> dict[str, datetime]:
    """An endpoint's id -> when the trail says that its secret was changed last."""
    rows = Event.objects.filter(
        Q(action="endpoint.secret_rotated") | Q(action="alert_endpoint.secret_rotated"),
        agency_id=agency_id,
        subject_id__in=subject_ids,
    )
    return dict(rows.values_list("subject_id").annotate(Max("at")))


# --- Rotations ------------------------------------------------------------------------------------------------------


def holder_of(agency_id: int) -> int:
    """Under whose keys in the vault an agency's own things are."""
    return -agency_id


def running_ids(at: datetime) -> list[UUID]:
    """Ids of the scope's rotations that nobody works on just now, oldest first."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    rows = Rotation.objects.filter(free, state=RotationState.RUNNING)
    return list(rows.order_by("started_at").values_list("pk", flat=True))


def register_ids(agency_id: int) -> list[UUID]:
    """Ids of the agency's registers of which numbers may be in the vault."""
    rows = NumberList.objects.filter(agency_id=agency_id, emptied_at=None)
    return list(rows.order_by("pk").values_list("pk", flat=True))
