"""Telephone menus: how each is set up, which words are in force, and what keeps one from being used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import Client
from consent import menu as machine
from consent.channels import twilio
from consent.enums import Channel, Language, Purpose
from consent.models import Notice, NoticeVersion, PhoneMenu
from consent.selectors import notices

ASKED: Final = (Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE)
"""What the keys answer for: being recorded, being heard by people, being analysed."""
MENUS_AT_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Words:
    """The notice in force in each language that a menu speaks; where the first is missing nothing is asked."""

    versions: Mapping[Language, NoticeVersion]

    def spoken(self) -> dict[Language, str]:
        """What is said of each."""
        return {
            language: " ".join(notices.said_in_full(version).split())
            for language, version in self.versions.items()
        }


def words_of(menu: PhoneMenu) -> Words:
    """The versions in force of a menu's notices, one query a language."""
    wanted = [(Language(menu.language), menu.notice_id)]
    if menu.other_notice_id is not None:
        wanted.append((_other(Language(menu.language)), menu.other_notice_id))
    found = {language: notices.in_force_of(notice_id, client=menu.client) for language, notice_id in wanted}
    return Words({language: version for language, version in found.items() if version is not None})


def _other(language: Language) -> Language:
    return Language.SPANISH if language == Language.ENGLISH else Language.ENGLISH


def plan_of(menu: PhoneMenu, words: Words) -> machine.Plan:
    """The menu as the machine knows it; the second language only where its words are in force."""
    language = Language(menu.language)
    other = _other(language)
    return machine.Plan(
        language=language,
        other=other if other in words.versions else None,
        has_person=bool(menu.person_line),
    )


def menus_of(client: Client) -> list[PhoneMenu]:
    """A client's menus by number, with number, connection and notices, one query."""
    rows = PhoneMenu.objects.for_client(client).select_related(
        "tracking_number", "connection", "notice", "other_notice", "client"
    )
    return list(rows.order_by("tracking_number__number")[:MENUS_AT_MOST])


def missing_for(menu: PhoneMenu, words: Words) -> list[str]:
    """What keeps a menu from answering calls, in sentences that say what to do; empty when nothing does."""
    missing = []
    first = words.versions.get(Language(menu.language))
    if first is None:
        missing.append("Publish the notice that the menu speaks: none of its versions is in force.")
    elif Purpose.RECORD not in first.notice.purposes:
        missing.append("Choose a notice that asks for recording: this one does not.")
    if menu.other_notice_id is not None and len(words.versions) < 1 + bool(first):
        missing.append("Publish the notice in the second language, or leave the second language out.")
    if not menu.connection.is_active:
        missing.append("Open the connection to Twilio again: it is closed, so that no call gets in.")
    lines = [line for line in (menu.forward_to, menu.person_line) if line]
    ours = TrackingNumber.objects.for_client(menu.client).filter(number__in=lines)
    if ours.exists():
        missing.append(
            "Forward to a line that is no tracking number of this client: calls would go in circles."
        )
    missing += machine.faults(plan_of(menu, words))
    return missing


def notices_for_menus(client: Client) -> list[Notice]:
    """The notices of a client that a menu can speak, by name."""
    rows = Notice.objects.for_client(client).filter(channel=Channel.MENU)
    return list(rows.order_by("name", "language", "pk"))


def connections_to_twilio(client: Client) -> list[Connection]:
    """A client's open connections to Twilio, by name."""
    rows = Connection.objects.for_client(client).filter(provider=twilio.NAME, is_active=True)
    return list(rows.order_by("name", "pk"))


def numbers_without_menu(client: Client) -> list[TrackingNumber]:
    """The tracking numbers that no menu answers yet."""
    taken = PhoneMenu.objects.for_client(client).values("tracking_number_id")
    return list(TrackingNumber.objects.for_client(client).exclude(pk__in=taken).order_by("number"))
