"""What a client's public page shows: the words in force, and where a person stands."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.selectors import find_public_key
from consent.enums import Channel, Language, Purpose
from consent.models import ConsentState, NoticeVersion, WebPage


@dataclass(frozen=True, slots=True)
class Door:
    """Whose public page a key opens."""

    key: str
    agency_id: int
    client_id: int


def find_door(key: str) -> Door | None:
    """Return whose page this key opens, or None. It needs no scope."""
    if not (20 <= len(key) <= 64 and key.isascii() and key.replace("-", "").replace("_", "").isalnum()):
        return None
    owner = find_public_key(key, KeyPurpose.CONSENT)
    if owner is None or owner.client_id is None:
        return None
    return Door(key, owner.agency_id, owner.client_id)


def page_of(client: Client) -> WebPage | None:
    """A client's public page, once somebody opened it."""
    return WebPage.objects.for_client(client).first()


def words_by_purpose(client: Client, language: Language) -> dict[Purpose, NoticeVersion]:
    """
    The words in force on the web for each purpose: in this language where there are any, else in English.

    One query. Where two notices name a purpose, the one published last counts.
    """
    rows = (
        NoticeVersion.objects.for_client(client)
        .published()
        .filter(notice__channel=Channel.WEB, notice__language__in={language, Language.ENGLISH})
        .select_related("notice")
        .order_by("published_at")
    )
    found: dict[Purpose, NoticeVersion] = {}
    for row in sorted(rows, key=lambda row: row.notice.language == language):
        found |= {Purpose(purpose): row for purpose in row.notice.purposes}
    return found


def purposes_asked(client: Client) -> list[str]:
    """What the public page asks for now, in words; English and Spanish together."""
    rows = NoticeVersion.objects.for_client(client).published().filter(notice__channel=Channel.WEB)
    found = {purpose for purposes in rows.values_list("notice__purposes", flat=True) for purpose in purposes}
    return [purpose.label for purpose in Purpose if purpose in found]


def versions_shown(client: Client, version_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, NoticeVersion]:
    """These published versions of a client, also those that newer ones have replaced; drafts are left out."""
    rows = NoticeVersion.objects.for_client(client).filter(
        pk__in=list(version_ids), published_at__isnull=False
    )
    return {row.pk: row for row in rows.select_related("notice")}


def states_of(client: Client, caller_id: uuid.UUID) -> dict[Purpose, ConsentState]:
    """Where a caller stands with each purpose of which something was said."""
    rows = ConsentState.objects.for_client(client).filter(caller_id=caller_id)
    return {Purpose(row.purpose): row for row in rows}
