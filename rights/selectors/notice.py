"""A client's privacy notice: what it would say today, what was published, and how the two differ."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from callprivacy.audit.leaves import canonical_document
from callprivacy.calls.models import Connection, Recording, TrackingNumber
from callprivacy.calls.providers import TRACKERS
from callprivacy.lib import calendars
from callprivacy.tenancy.models import Client, Engagement, Place
from consent.enums import Language
from consent.models import AdDestination, WebhookEndpoint
from consent.selectors import cases, standards
from consent.selectors import web as consent_pages
from consent.selectors.notices import Change, word_pieces
from retention.selectors import policies
from rights import law
from rights.channels import notice
from rights.channels.notice import Body, Contact, Facts, Kept
from rights.models import PrivacyNotice, RequestPage

_BRITISH, _EUROPEAN, _CALIFORNIAN = "uk_gdpr", "gdpr", "ccpa"
_AMERICAN = "US"


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where a client's notice stands.

    :ivar facts: what it would say today. :ivar published: the newest; None where there is none.
    """

    facts: Facts
    published: PrivacyNotice | None

    @property
    def is_old(self) -> bool:
        """Whether something that the published notice says is otherwise today."""
        return self.published is not None and canonical_document(self.published.facts) != canonical_document(
            self.facts.as_json()
        )


def page_of(client: Client | None, *, agency_id: int) -> RequestPage | None:
    """The requests page of a client, or of the agency itself, once somebody opened it."""
    return RequestPage.objects.filter(agency_id=agency_id, client=client).first()


def address_of(page: RequestPage) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('rights:portal', args=[page.key])}"


def standing(client: Client, page: RequestPage, *, at: datetime) -> Standing:
    """What a client's notice says, and would say today. Its agency must have been read along."""
    return Standing(facts_of(client, page, at=at), newest(client))


def newest(client: Client) -> PrivacyNotice | None:
    return PrivacyNotice.objects.for_client(client).order_by("-number").first()


def published(client: Client) -> QuerySet[PrivacyNotice]:
    """Every published notice, newest first."""
    return PrivacyNotice.objects.for_client(client).select_related("published_by").order_by("-number")


def facts_of(client: Client, page: RequestPage, *, at: datetime) -> Facts:
    """What is set up for a client, as its notice says it; about a dozen queries."""
    numbers = list(TrackingNumber.objects.for_client(client).values_list("provider", "records"))
    ways = Connection.objects.for_client(client).filter(is_active=True).values_list("provider", flat=True)
    consent_page = consent_pages.page_of(client)
    laws = laws_of(client, at=at)
    return Facts(
        name=client.legal_name,
        agency=client.agency.name,
        contact=Contact(page.email, page.phone, page.address, page.officer),
        roles=_roles(client),
        measure_basis=cases.declared_by(client).value,
        standard=standards.standard_of(client, at=at).value,
        counts=bool(numbers or ways),
        records=_records(client, (records for _, records in numbers)),
        stores=client.stores_recordings,
        transcribes=client.takes_transcripts,
        attributes=client.keeps_attribution,
        swaps=bool(consent_page and consent_page.swap_url),
        kept=_kept(client),
        trackers=sorted({TRACKERS.get(name, name) for name in (*ways, *(one for one, _ in numbers)) if name}),
        destinations=_names(AdDestination.objects.for_client(client).filter(is_active=True)),
        systems=_hosts(client),
        others=_others(page),
        sells=page.sells,
        european=_EUROPEAN in laws,
        british=_BRITISH in laws,
        american=client.home_country == _AMERICAN,
        californian=_CALIFORNIAN in laws,
        page=address_of(page),
        taken_out=notice.TAKEN_OUT if client.takes_transcripts else (),
        choices=_choices(consent_page.key) if consent_page else "",
        policy_url=client.policy_url,
        more={"en": page.more_en, "es": page.more_es},
    )


def laws_of(client: Client, *, at: datetime) -> frozenset[str]:
    """The laws that reach people where a client does business."""
    rows = Place.objects.for_client(client).values_list("country", "region")
    places = frozenset(rows) | {(client.home_country, "")}
    on = calendars.day_in(client.time_zone, at)
    facts = law.Facts(places=places)
    known = {(country, region) for country, region in places if region or country != _AMERICAN}
    return frozenset(one.law.id for place in known for one in law.which_laws(place, facts, on=on))


def _roles(client: Client) -> dict[str, str]:
    row = Engagement.objects.for_client(client).first() or Engagement()
    return {"measure": row.measure_as, "record": row.record_as, "contact": row.contact_as}


def _records(client: Client, said: Iterable[bool | None]) -> bool:
    """Whether calls are recorded: a number says so, or there is a recording."""
    return any(said) or client.stores_recordings or Recording.objects.for_client(client).exists()


def _kept(client: Client) -> tuple[Kept, ...]:
    kept = policies.all_effective(client)
    return tuple(
        Kept(category.value, kept[category].days, kept[category].then.value) for category in notice.SHOWN
    )


def _names(rows: QuerySet[Any]) -> list[str]:
    return sorted(set(rows.values_list("name", flat=True)))


def _hosts(client: Client) -> list[str]:
    rows = WebhookEndpoint.objects.for_client(client).filter(is_active=True)
    return sorted({urlsplit(url).hostname or "" for url in rows.values_list("url", flat=True)} - {""})


def _others(page: RequestPage) -> tuple[tuple[str, str], ...]:
    """Lines of "Company: what for"."""
    lines = (line.partition(":") for line in page.others.splitlines() if line.strip())
    return tuple((name.strip(), what.strip()) for name, _, what in lines)


def _choices(key: str) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('consent:public_page', args=[key])}"


def body_of(facts: Facts) -> dict[str, Body]:
    """The notice in each language."""
    return {language.value: notice.compose(facts, language) for language in Language}


def digest_of(facts: Mapping[str, Any], body: Mapping[str, Any]) -> bytes:
    """SHA-256 over what a notice says and what it says it of."""
    return hashlib.sha256(canonical_document({"facts": facts, "body": body})).digest()


def changes(old: PrivacyNotice, body: Mapping[str, Body], language: Language) -> list[Change]:
    """How a notice differs from a later one in a language: the sections that differ, word by word."""
    before = {section["title"]: section for section in old.body[language.value]}
    after = {section["title"]: section for section in body[language.value]}
    titles = [*after, *(title for title in before if title not in after)]
    found = [
        Change(title, tuple(word_pieces(_text(before.get(title)), _text(after.get(title)))))
        for title in titles
    ]
    return [change for change in found if not change.is_same]


def _text(section: Mapping[str, Any] | None) -> str:
    return notice.as_text([dict(section)]).partition("\n")[2] if section else ""
