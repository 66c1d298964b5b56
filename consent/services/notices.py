"""
Notices: written as drafts, published once they say what they must, never changed afterwards.

What a caller agreed to is a version with a digest; another wording is another version.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.models import Notice, NoticeVersion
from consent.selectors import notices as selectors
from consent.selectors import wording
from consent.selectors.wording import Missing


class NameTakenError(ValueError):
    """The client has a notice of that name on that channel in that language."""


class NoDraftError(ValueError):
    """There is no draft: it was published or discarded meanwhile."""


class DraftChangedError(ValueError):
    """The draft is no longer what the person was shown; show it again."""


class NotFitError(ValueError):
    """A notice does not say what it must; `missing` names everything."""

    def __init__(self, missing: Sequence[Missing]) -> None:
        self.missing = tuple(missing)
        super().__init__(" ".join(each.what for each in self.missing))


class PurposesFixedError(ValueError):
    """A notice whose words were published keeps its purposes: people agreed to those."""


class StillSpokenError(ValueError):
    """A phone menu that answers now speaks this notice."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a version says."""

    controller: str
    words: str
    withdraw: str
    policy_url: str = ""


@transaction.atomic
def create_notice(
    *,
    client: Client,
    name: str,
    purposes: Collection[Purpose],
    channel: Channel,
    language: Language,
    words: Words,
    by: Actor,
    at: datetime,
) -> Notice:
    """
    Begin a notice with a draft.

    :raises NameTakenError: there is one of that name, channel and language.
    """
    notice = Notice(
        agency_id=client.agency_id,
        client=client,
        name=name,
        purposes=_in_order(purposes),
        channel=channel,
        language=language,
        created_at=at,
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    if not Notice.objects.filter(pk=notice.pk).exists():
        raise NameTakenError(f"A notice “{name}” already exists for this channel and language.")
    _write_draft(notice, words, by=by, at=at)
    audit.record(
        "notice.drafted",
        subject=notice,
        by=by,
        at=at,
        version=1,
        channel=str(channel),
        language=str(language),
    )
    return notice


@transaction.atomic
def save_draft(
    *,
    notice: Notice,
    words: Words,
    by: Actor,
    at: datetime,
    purposes: Collection[Purpose] | None = None,
) -> NoticeVersion:
    """
    Write the next version of a notice, or change the one that is being written.

    :param purposes: other purposes; only while no version was ever published.
    :raises PurposesFixedError: they would change what people agreed to.
    """
    locked = _locked(notice)
    if purposes is not None and _in_order(purposes) != list(locked.purposes):
        if _versions(locked).exclude(state=NoticeState.DRAFT).exists():
            raise PurposesFixedError("Callers agreed to these purposes. Create a new notice for others.")
        locked.purposes = _in_order(purposes)
        locked.save(update_fields=["purposes"])
    draft = _write_draft(locked, words, by=by, at=at)
    audit.record("notice.drafted", subject=locked, by=by, at=at, version=draft.number)
    return draft


def _in_order(purposes: Collection[Purpose]) -> list[str]:
    return [purpose.value for purpose in Purpose if purpose in set(purposes)]


def _locked(notice: Notice) -> Notice:
    """The notice's row, held until the commit, so that versions come one after the other."""
    return Notice.objects.select_for_update().get(pk=notice.pk)


def _versions(notice: Notice) -> Any:
    return NoticeVersion.objects.for_client(notice.client_id).filter(notice=notice)


def _write_draft(notice: Notice, words: Words, *, by: Actor, at: datetime) -> NoticeVersion:
    draft: NoticeVersion | None = _versions(notice).filter(state=NoticeState.DRAFT).first()
    if draft is None:
        last = _versions(notice).order_by("-number").values_list("number", flat=True).first()
        draft = NoticeVersion(
            agency_id=notice.agency_id,
            client_id=notice.client_id,
            notice=notice,
            number=(last or 0) + 1,
            created_by_id=by.user_id,
            created_at=at,
        )
    draft.controller, draft.policy_url = words.controller.strip(), words.policy_url
    draft.words, draft.withdraw = _clean(words.words), _clean(words.withdraw)
    draft.save()
    return draft


def _clean(text: str) -> str:
    """One kind of line end and no blanks around, so that the same words have the same digest everywhere."""
    return "\n".join(
        line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ).strip()


@transaction.atomic
def add_ready_words(*, notice: Notice, client: Client, code: str, by: Actor, at: datetime) -> NoticeVersion:
    """
    Put the ready words for one thing that is missing into the draft.

    :param code: `Missing.code` of what is to be added; what is not missing any more changes nothing.
    :raises NoDraftError: nothing is being written.
    """
    draft = _draft(_locked(notice))
    found = next((each for each in selectors.missing_in(draft, client) if each.code == code), None)
    if found is None or not found.ready:
        return draft
    written: str = getattr(draft, found.field)
    if found.code in {"controller", "withdraw"}:
        text = found.ready
    elif found.code == "name":
        text = f"{found.ready} {written}".strip()
    else:
        text = f"{written} {found.ready}".strip()
    setattr(draft, found.field, text)
    draft.save(update_fields=[found.field])
    audit.record("notice.drafted", subject=notice, by=by, at=at, version=draft.number)
    return draft


def _draft(notice: Notice) -> NoticeVersion:
    draft: NoticeVersion | None = (
        _versions(notice).filter(state=NoticeState.DRAFT).select_related("notice").first()
    )
    if draft is None:
        raise NoDraftError("There is no draft. It was published or discarded.")
    return draft


@transaction.atomic
def discard_draft(*, notice: Notice, by: Actor, at: datetime) -> bool:
    """
    Discard a draft; a notice that never had another version goes with it.

    :returns: whether the notice itself is gone.
    :raises NoDraftError: there is none.
    """
    locked = _locked(notice)
    draft = _draft(locked)
    draft.delete()
    audit.record("notice.discarded", subject=locked, by=by, at=at, version=draft.number)
    if _versions(locked).exists():
        return False
    Notice.objects.filter(pk=locked.pk).remove()
    return True


@transaction.atomic
def publish(*, notice: Notice, client: Client, seen: bytes, by: Actor, at: datetime) -> NoticeVersion:
    """
    Put the draft in force in place of the version before, which stays as it was for those who agreed to it.

    :param seen: the digest of the words that the person was shown.
    :raises NoDraftError: nothing is being written.
    :raises DraftChangedError: the draft says something else by now.
    :raises NotFitError: it does not say what it must.
    """
    locked = _locked(notice)
    draft = _draft(locked)
    digest = selectors.digest_of(draft)
    if digest != seen:
        raise DraftChangedError("The draft has changed since you saw it. Read it again, then publish.")
    missing = selectors.missing_in(draft, client)
    if missing:
        raise NotFitError(missing)
    _versions(locked).filter(state=NoticeState.PUBLISHED).update(state=NoticeState.RETIRED, retired_at=at)
    draft.state = NoticeState.PUBLISHED
    draft.digest = digest
    draft.published_by_id, draft.published_at = by.user_id, at
    draft.save(update_fields=["state", "digest", "published_by", "published_at"])
    audit.record(
        "notice.published",
        subject=locked,
        by=by,
        at=at,
        version=draft.number,
        digest=digest.hex(),
        channel=locked.channel,
        language=locked.language,
    )
    return draft


@transaction.atomic
def retire(*, notice: Notice, by: Actor, at: datetime) -> bool:
    """
    Take a notice out of force without another; nobody is told by it any more. What was agreed to stays.

    :returns: whether anything was in force.
    :raises StillSpokenError: a phone menu that answers now would fall silent.
    """
    locked = _locked(notice)
    if selectors.menus_with(locked):
        raise StillSpokenError("A phone menu plays this notice. Select another notice for the menu first.")
    retired: int = (
        _versions(locked).filter(state=NoticeState.PUBLISHED).update(state=NoticeState.RETIRED, retired_at=at)
    )
    if retired:
        audit.record("notice.retired", subject=locked, by=by, at=at)
    return retired > 0


def ready(*, client: Client, channel: Channel, language: Language, purposes: Collection[Purpose]) -> Words:
    """Words for a new notice, as they ship, with what is known of the client."""
    facts = selectors.facts_about(client)
    return Words(
        controller=facts.controller,
        words=wording.ready_words(channel, language, purposes, facts),
        withdraw=wording.ready_withdraw(channel, language, facts),
        policy_url=client.policy_url,
    )
