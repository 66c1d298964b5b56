"""
Records of processing (GDPR article 30): what the configuration says, what people say beside it, and how both differ
from an earlier day.

What follows from the configuration is read by the agency's job, since who manages an agency may not see each client's
connections; the words of people are added where the records are shown, so that they count at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.enums import PasswordProfile, Role
from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.providers import TRACKERS
from callprivacy.tenancy.models import Agency, Client, Engagement, Place
from consent.models import AdDestination, WebhookEndpoint
from consent.selectors import law as law_words
from dashboard.channels.record import compose, digest_of
from dashboard.models import RecordFacts, RecordSnapshot, RecordWords
from governance.enums import DataCategory, TransferTool, VendorRole
from governance.models import Badge, Entry, Site, TrainingRule, Vendor
from retention.enums import Category, Then
from retention.law.categories import OF_HOUSE
from retention.selectors import policies
from rights.models import RequestPage

# --- What the configuration says ------------------------------------------------------------------------------------


def read_facts(agency: Agency) -> dict[str, Any]:
    """What is set up at an agency, in its job's scope; a number of queries that does not grow with its clients."""
    clients = list(
        Client.objects.filter(agency=agency, archived_at=None).select_related("agency").order_by("name", "pk")
    )
    own = policies.house_effective(agency)
    return {
        "agency": agency.name,
        "zone": agency.time_zone,
        "clients": _clients(clients),
        "vendors": _vendors(agency),
        "measures": _measures(agency),
        "staff": {
            "sites": Site.objects.filter(agency=agency, closed_on=None).count(),
            "premises": _knows_premises(agency),
            "kept": {category.value: own[category].days for category in OF_HOUSE},
        },
    }


def _knows_premises(agency: Agency) -> bool:
    """Whether there are entries or badges, or may be: what closed sites left stays."""
    return (
        Site.objects.filter(agency=agency, closed_on=None).exists()
        or Entry.objects.filter(agency=agency).exists()
        or Badge.objects.filter(agency=agency).exists()
    )


def _clients(clients: Sequence[Client]) -> list[dict[str, Any]]:
    ids = [client.pk for client in clients]
    engaged = {row.client_id: row for row in Engagement.objects.filter(client_id__in=ids)}
    pages = {row.client_id: row for row in RequestPage.objects.filter(client_id__in=ids)}
    kept = policies.every_effective(clients)
    places, trackers = defaultdict(list), defaultdict(set)
    for row in Place.objects.filter(client_id__in=ids).order_by("country", "region"):
        places[row.client_id].append(law_words.place_name(row.country, row.region))
    ways = Connection.objects.filter(client_id__in=ids, is_active=True).values_list("client_id", "provider")
    numbers = TrackingNumber.objects.filter(client_id__in=ids).values_list("client_id", "provider").distinct()
    for client_id, provider in [*ways, *numbers]:
        if provider:
            trackers[client_id].add(TRACKERS.get(provider, provider))
    recorded = set(
        TrackingNumber.objects.filter(client_id__in=ids, records=True).values_list("client_id", flat=True)
    )
    systems, destinations = defaultdict(set), defaultdict(set)
    for client_id, url in WebhookEndpoint.objects.filter(client_id__in=ids, is_active=True).values_list(
        "client_id", "url"
    ):
        systems[client_id].add(urlsplit(url).hostname or "")
    for client_id, name in AdDestination.objects.filter(client_id__in=ids, is_active=True).values_list(
        "client_id", "name"
    ):
        destinations[client_id].add(name)
    return [
        _client(
            client,
            engaged.get(client.pk) or Engagement(),
            pages.get(client.pk),
            places=places[client.pk],
            recipients={
                "trackers": sorted(trackers[client.pk]),
                "systems": sorted(systems[client.pk] - {""}),
                "advertising": sorted(destinations[client.pk]),
            },
            records=client.pk in recorded or client.stores_recordings,
            kept=[
                {
                    "category": Category(category).label,
                    "days": one.days,
                    "totals_stay": one.then == Then.REDUCE,
                }
                for category, one in kept[client.pk].items()
            ],
        )
        for client in clients
    ]


def _client(
    client: Client,
    engaged: Engagement,
    page: RequestPage | None,
    *,
    places: list[str],
    recipients: dict[str, list[str]],
    records: bool,
    kept: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "id": client.pk,
        "name": client.name,
        "legal_name": client.legal_name,
        "places": places,
        "roles": {"measure": engaged.measure_as, "record": engaged.record_as, "contact": engaged.contact_as},
        "contract_on": _day(engaged.contract_on),
        "dpa_on": _day(engaged.dpa_on),
        "officer": page.officer if page else "",
        "contact": ", ".join(part for part in (page.address, page.email) if part) if page else "",
        "recipients": recipients,
        "records": records,
        "stores": client.stores_recordings,
        "transcripts": client.takes_transcripts,
        "kept": kept,
        "live": client.retention_state == "live",
    }


def _vendors(agency: Agency) -> list[dict[str, Any]]:
    rows = Vendor.objects.current().filter(agency=agency).prefetch_related("sub_processors").order_by("name")
    return [
        {
            "name": row.name,
            "provider": row.provider,
            "role": VendorRole(row.role).label,
            "what_for": row.what_for,
            "categories": [DataCategory(one).label for one in row.categories],
            "places": row.places,
            "transfer": TransferTool(row.transfer).label,
            "contract_on": _day(row.contract_on),
            "engages": sorted(one.name for one in row.sub_processors.all() if one.state != "ended"),
        }
        for row in rows
    ]


def _measures(agency: Agency) -> list[str]:
    """The measures of article 32(1) that are on; those that hang on a setting only where it is set."""
    policy = access.policy_of(agency)
    said = [
        "Numbers, names, recordings and transcripts are sealed with AES-256-GCM, each caller's under a key of its own.",
        "Equal numbers are found by keyed digests, which lie in a database of their own.",
        "The database itself refuses rows of clients that a person is not granted.",
        f"Staff see masked numbers; at most {agency.reveals_per_hour} an hour are shown, each with a written reason.",
        "Every privileged deed is in a log that is chained, signed and can be verified offline.",
        "Erasing destroys the key, so that copies cannot be opened.",
        f"Passwords: {PasswordProfile(policy.profile).label}; at least {policy.min_length} characters.",
        f"Grants are looked over every {policy.review_months} months; what nobody confirms ends.",
    ]
    if policy.second_factor_roles:
        roles = ", ".join(Role(one).label for one in Role.values if one in policy.second_factor_roles)
        said.append(f"A second factor is asked of: {roles}.")
    if policy.confirm:
        said.append(
            f"Who shows, exports or releases data confirms who is there, after {policy.confirm_minutes} minutes."
        )
    if settings.SECURE_HSTS_SECONDS:
        said.append("Browsers reach it by TLS alone (HSTS).")
    if settings.CALLPRIVACY_BACKUP_DIR:
        said.append("Both databases are backed up apart, each sealed to a public key.")
    if settings.CALLPRIVACY_DRILL == "weekly":
        said.append("A backup is restored on trial every week.")
    courses = TrainingRule.objects.filter(agency=agency).values("course").distinct().count()
    if courses:
        said.append(
            f"People take {courses} {'course' if courses == 1 else 'courses'} by their role, each year anew."
        )
    return said


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


# --- The records, out of both, and as they stood on earlier days ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Present:
    """What the records say now. :ivar read_at: when the configuration was read; None before the first time."""

    record: dict[str, Any]
    read_at: datetime | None
    words: RecordWords | None

    @property
    def digest(self) -> bytes:
        """What a snapshot of it would carry."""
        return digest_of(self.record)


def present() -> Present | None:
    """The records of the scope's agency as they stand; None until its job has read the configuration."""
    facts = RecordFacts.objects.first()
    if facts is None:
        return None
    words = RecordWords.objects.select_related("changed_by").first()
    return Present(compose(facts.facts, words), facts.read_at, words)


def clients() -> list[dict[str, Any]]:
    """The clients that the records are about, as the configuration names them."""
    facts = RecordFacts.objects.first()
    return [] if facts is None else list(facts.facts["clients"])


def snapshots() -> QuerySet[RecordSnapshot]:
    """Dated snapshots of the scope's agency, newest first."""
    return RecordSnapshot.objects.select_related("taken_by").order_by("-number")


def find_snapshot(number: int) -> RecordSnapshot | None:
    return snapshots().filter(number=number).first()
