"""What public pages need to show something: words in force, a page with its key, a caller's choices."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.models import ConsentEvent, ConsentState, Notice, NoticeVersion, WebPage
from consent.selectors import notices
from consent.services import ledger, web
from tests.make import NOON

WORDS = "Harbor Dental records and monitors calls to train its people."
HOW = "Press 9 on any call, or use this page."
SITE = "https://www.example.com"


def publish(
    client: Client,
    *purposes: Purpose,
    words: str = WORDS,
    language: Language = Language.ENGLISH,
    name: str = "Web form",
    at: datetime = NOON - timedelta(days=3),
) -> NoticeVersion:
    """Words in force on the web for these purposes; what the notice said before is retired."""
    with job_scope(agency_id=client.agency_id):
        ours = {"agency_id": client.agency_id, "client_id": client.pk}
        notice, _ = Notice.objects.get_or_create(
            **ours, name=name, channel=Channel.WEB, language=language,
            defaults={"purposes": [purpose.value for purpose in purposes], "created_at": at},
        )  # fmt: skip
        old = notice.versions.filter(state=NoticeState.PUBLISHED)
        old.update(state=NoticeState.RETIRED, retired_at=at)
        version = NoticeVersion(
            **ours, notice=notice, number=notice.versions.count() + 1, controller=client.legal_name,
            words=words, withdraw=HOW, created_at=at,
        )  # fmt: skip
        version.digest = notices.digest_of(version)
        version.save(force_insert=True)
        version.state, version.published_at = NoticeState.PUBLISHED, at
        version.save(update_fields=["state", "published_at"])
        return version


def open_page(client: Client, **settings: Any) -> WebPage:
    """A client's page; by default the form may stand on one site."""
    said: dict[str, Any] = {
        "origins": [SITE], "swap_url": "", "swap_integrity": "", "swap_needs_consent": True
    }  # fmt: skip
    with job_scope(agency_id=client.agency_id):
        return web.save_page(client=client, by=web.BY, at=NOON, **(said | settings))


def events_of(client: Client) -> list[ConsentEvent]:
    """The ledger of a client, oldest first."""
    with job_scope(agency_id=client.agency_id):
        rows = ConsentEvent.objects.for_client(client)
        return list(rows.order_by("recorded_at", "channel", "purpose"))


def evidence_of(client: Client) -> dict[str, Any]:
    """Purpose and channel -> what was sealed, of several the newest."""
    with job_scope(agency_id=client.agency_id):
        events = list(ConsentEvent.objects.for_client(client).order_by("recorded_at"))
        opened = ledger.evidence_of(client=client, events=events, at=NOON)
        return {f"{event.purpose} {event.channel}": opened[event.pk] for event in events}


def states_of(client: Client, caller_id: UUID) -> dict[str, str]:
    """Purpose -> where the caller stands."""
    with job_scope(agency_id=client.agency_id):
        rows = ConsentState.objects.for_client(client).filter(caller_id=caller_id)
        return dict(rows.values_list("purpose", "state"))


def hidden(body: bytes, name: str = "form") -> str:
    """The value of a hidden field on a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', body.decode())
    assert found is not None, f"no field {name}"
    return found[1]
