"""Notices: which words are in force, how versions differ, who agreed to which, and where they hang."""

import difflib
import hashlib
import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from callprivacy.audit.leaves import canonical_document
from callprivacy.calls.models import TrackingNumber
from callprivacy.tenancy.models import Client
from consent.enums import Channel, Language, NoticeState, Purpose, State
from consent.models import ConsentState, Notice, NoticeVersion, PhoneMenu, PostedNotice
from consent.selectors import web, wording
from consent.selectors.wording import Draft, Facts, Missing

SCHEMA: Final = "ISO/IEC TS 27560:2023"
_STANDS: Final = (State.GIVEN, State.NOTICED)


# --- For the ways in ---


def in_force(
    client: Client, *, purpose: Purpose, channel: Channel, language: str = Language.ENGLISH
) -> NoticeVersion | None:
    """
    The words that a client tells people on a channel about a purpose, or None where it has published none.

    Of several notices the one that was published last. With its notice, one query.
    """
    rows = NoticeVersion.objects.for_client(client).filter(
        state=NoticeState.PUBLISHED,
        notice__channel=channel,
        notice__language=language,
        notice__purposes__contains=[purpose],
    )
    return rows.select_related("notice").order_by("-published_at", "-pk").first()


def in_force_of(notice_id: uuid.UUID, *, client: Client) -> NoticeVersion | None:
    """The words in force of one notice, or None where none is published; with its notice, one query."""
    rows = NoticeVersion.objects.for_client(client).filter(notice_id=notice_id, state=NoticeState.PUBLISHED)
    return rows.select_related("notice").first()


def said_in_full(version: NoticeVersion) -> str:
    """The words with how to withdraw, as they are spoken, sent or shown."""
    return "\n\n".join(part.strip() for part in (version.words, version.withdraw) if part.strip())


def facts_of(version: NoticeVersion) -> dict[str, Any]:
    """What a version says, in the terms of ISO/IEC TS 27560; the digest of a published one is over these."""
    notice = version.notice
    return {
        "schema_version": SCHEMA,
        "privacy_notice": {
            "notice_id": str(notice.pk),
            "version": version.number,
            "text": version.words,
            "url": version.policy_url,
        },
        "language": notice.language,
        "purposes": sorted(notice.purposes),
        "pii_controllers": [version.controller],
        "collection_method": notice.channel,
        "withdrawal_method": version.withdraw,
    }


def digest_of(version: NoticeVersion) -> bytes:
    """SHA-256 over what a version says."""
    return hashlib.sha256(canonical_document(facts_of(version))).digest()


# --- For the pages ---


def facts_about(client: Client) -> Facts:
    """What is known of a client and stands in ready words; its page is where consent can be taken back."""
    page = web.page_of(client)
    address = client.policy_url
    if page is not None:
        address = f"{settings.CALLPRIVACY_URL}{reverse('consent:public_page', args=[page.key])}"
    reads_mail = bool(settings.CALLPRIVACY_MAIL_REPLY)
    return Facts(name=client.name, controller=client.legal_name, page=address, reads_mail=reads_mail)


def draft_of(version: NoticeVersion, client: Client) -> Draft:
    """A version as it is checked before it is published."""
    notice = version.notice
    return Draft(
        channel=Channel(notice.channel),
        language=Language(notice.language),
        purposes=tuple(Purpose(purpose) for purpose in notice.purposes),
        controller=version.controller,
        words=version.words,
        withdraw=version.withdraw,
        names=(client.name, client.legal_name),
    )


def missing_in(version: NoticeVersion, client: Client) -> list[Missing]:
    """What keeps a version from being published."""
    return wording.what_is_missing(draft_of(version, client), facts_about(client))


@dataclass(frozen=True, slots=True)
class NoticeRow:
    notice: Notice
    published: NoticeVersion | None
    draft: NoticeVersion | None
    older_callers: int | None
    newest_callers: int | None

    @property
    def purposes(self) -> list[str]:
        return purpose_words(self.notice)


_SHORT: Final = {
    Purpose.MEASURE: "count",
    Purpose.RECORD: "record",
    Purpose.REVIEW: "listen and read",
    Purpose.ANALYSE: "analyze",
    Purpose.CONTACT: "contact",
    Purpose.SHARE: "share",
}


def purpose_words(notice: Notice) -> list[str]:
    """A notice's purposes in a word or two each, in their order."""
    return words_for(notice.purposes)


def words_for(purposes: Collection[str]) -> list[str]:
    """Purposes in a word or two each, in their order."""
    return [words for purpose, words in _SHORT.items() if purpose in purposes]


def notice_lines(notices: Sequence[Notice], *, with_callers: bool = True) -> list[NoticeRow]:
    """What a list shows of notices of one client; two queries however many there are."""
    versions: dict[uuid.UUID, list[NoticeVersion]] = defaultdict(list)
    for version in NoticeVersion.objects.filter(notice__in=notices):
        versions[version.notice_id].append(version)
    callers = callers_by_version(notices[0].client) if notices and with_callers else None
    return [_row(notice, versions[notice.pk], callers) for notice in notices]


def _row(
    notice: Notice, versions: Sequence[NoticeVersion], callers: dict[uuid.UUID, int] | None
) -> NoticeRow:
    by_state = {version.state: version for version in versions}
    published = by_state.get(NoticeState.PUBLISHED)
    older = [version for version in versions if version.state == NoticeState.RETIRED]
    return NoticeRow(
        notice=notice,
        published=published,
        draft=by_state.get(NoticeState.DRAFT),
        older_callers=None if callers is None else sum(callers.get(version.pk, 0) for version in older),
        newest_callers=None if callers is None else callers.get(published.pk, 0) if published else 0,
    )


def callers_by_version(client: Client, *, notice: Notice | None = None) -> dict[uuid.UUID, int]:
    """Version id -> callers whose consent or notice still stands and rests on it; only whom the scope may see."""
    rows = ConsentState.objects.for_client(client).filter(state__in=_STANDS, version_id__isnull=False)
    if notice is not None:
        ids = NoticeVersion.objects.for_client(client).filter(notice=notice).values("pk")
        rows = rows.filter(version_id__in=ids)
    counted = rows.order_by().values("version_id").annotate(callers=Count("caller_id", distinct=True))
    return {
        version_id: callers
        for version_id, callers in counted.values_list("version_id", "callers")
        if version_id is not None
    }


def notice_rows(client: Client) -> QuerySet[Notice]:
    """A client's notices, to find one among."""
    return Notice.objects.for_client(client).select_related("client")


def versions_of(notice: Notice) -> list[NoticeVersion]:
    """Every version of a notice, newest first."""
    rows = NoticeVersion.objects.for_client(notice.client_id).filter(notice=notice)
    return list(rows.select_related("notice", "created_by", "published_by").order_by("-number"))


def preview_of(version: NoticeVersion, client: Client) -> dict[str, Any]:
    """The context of the preview, for any channel."""
    full = said_in_full(version)
    purposes = [Purpose(purpose) for purpose in version.notice.purposes]
    return {
        "version": version,
        "channel": version.notice.channel,
        "language": version.notice.language,
        "client": client,
        "paragraphs": [part for part in (version.words, version.withdraw) if part],
        "full": full,
        "is_spoken": Channel(version.notice.channel) in wording.SPOKEN,
        "seconds": wording.seconds_to_say(full),
        "segments": wording.segments(full.replace("\n\n", " ")),
        "length": len(full.replace("\n\n", " ")),
        "boxes": [purpose.label for purpose in purposes],
    }


def menus_with(notice: Notice) -> int:
    """How many phone menus that answer now speak a notice."""
    rows = PhoneMenu.objects.for_client(notice.client_id).filter(is_active=True)
    return rows.filter(Q(notice=notice) | Q(other_notice=notice)).count()


# --- Differences ---


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words: kept, added or removed."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a notice in two versions."""

    title: str
    pieces: tuple[Piece, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return all(piece.kind == "same" for piece in self.pieces)


_PARTS: Final = (
    ("words", "Text"),
    ("withdraw", "How to withdraw"),
    ("controller", "Controller"),
    ("policy_url", "Privacy policy"),
)


def changes(old: NoticeVersion, new: NoticeVersion) -> list[Change]:
    """How two versions differ, part by part, word by word."""
    return [
        Change(title, tuple(word_pieces(getattr(old, name), getattr(new, name)))) for name, title in _PARTS
    ]


def word_pieces(old: str, new: str) -> Iterator[Piece]:
    """The words of two texts as runs that are the same, removed and added, in reading order."""
    before, after = re.findall(r"\S+|\s+", old), re.findall(r"\S+|\s+", new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    runs = [
        (kind == "equal", "".join(before[start:end]), "".join(after[other_start:other_end]))
        for kind, start, end, other_start, other_end in matcher.get_opcodes()
    ]
    removed = added = ""
    for number, (is_same, gone, come) in enumerate(runs):
        # Blanks between two changes are no sign that anything stayed: one change reads better than two.
        if is_same and (gone.strip() or not removed + added or number == len(runs) - 1):
            yield from _change_of(removed, added)
            removed = added = ""
            yield Piece("same", gone)
        else:
            removed, added = removed + gone, added + come
    yield from _change_of(removed, added)


def _change_of(removed: str, added: str) -> Iterator[Piece]:
    if removed:
        yield Piece("removed", removed)
    if added:
        yield Piece("added", added)


# --- Posted notices ---


def posted_rows(client: Client) -> QuerySet[PostedNotice]:
    """What is posted, the newest first, with numbers and notices."""
    rows = PostedNotice.objects.for_client(client).order_by("-from_on", "-pk")
    return rows.select_related("client", "tracking_number", "version__notice", "created_by")


def versions_to_post(client: Client) -> list[NoticeVersion]:
    """The words in force for notices that hang somewhere, English first."""
    rows = NoticeVersion.objects.for_client(client).filter(
        state=NoticeState.PUBLISHED, notice__channel=Channel.POSTED
    )
    return list(rows.select_related("notice").order_by("notice__language", "notice__name"))


def numbers_without_posted(client: Client, *, on: date, limit: int = 50) -> list[TrackingNumber]:
    """Numbers that no posted notice covers on a day, none where one covers all; two queries."""
    live = PostedNotice.objects.for_client(client).filter(from_on__lte=on)
    live = live.filter(Q(to_on=None) | Q(to_on__gt=on))
    covered = set(live.values_list("tracking_number_id", flat=True))
    if None in covered:
        return []
    rows = TrackingNumber.objects.for_client(client).exclude(pk__in=covered).order_by("label", "number")
    return list(rows[:limit])
