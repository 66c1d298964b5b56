"""What people decide of a client that leaves: asked for, agreed to, stopped, and let go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from callprivacy.accounts import access, seconding
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import ApiKey, ClientGrant
from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller, Connection
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client, PublicKey
from callprivacy.vault import files
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent.models import ConsentEvent
from retention.enums import EndState
from retention.kinds import LEAVES_ALONE
from retention.models import Hold, Offboarding

KIND: Final = "offboarding"
ASKED: Final = "offboarding.asked"
WAITS_FOR: Final = timedelta(hours=24)
HANDED_WITHIN: Final = timedelta(days=7)
"""As long as a link opens its file."""
_BY_ITSELF: Final = frozenset({"calls", "callers", "facts", "waiting"})
_MAY_CHANGE_BY: Final = 10
"""How many more or fewer there may be than were shown, or a tenth; calls keep coming while people read and type."""
LINKS: Final = (KeyPurpose.CONSENT, KeyPurpose.ASK, KeyPurpose.REQUEST)
CLOSE: Final = "close"
"""The first step of erasing."""

type Clock = Callable[[], datetime]


class HeldError(ValueError):
    """A hold is open: nothing of the client may go. The text names the holds."""


class NotNowError(ValueError):
    """It is not in a state in which this can be done; the text says why."""


class ExtentChangedError(ValueError):
    """There is more or less now than the person was shown."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What of a client there is, counted."""

    calls: int
    callers: int
    facts: int
    connections: int
    keys: int
    people: int
    links: int
    waiting: int

    def stored(self) -> dict[str, int]:
        """As it stands on the row and in the statement."""
        return {name: getattr(self, name) for name in self.__slots__}


def extent_of(client: Client) -> Extent:
    return Extent(
        calls=Call.objects.for_client(client).count(),
        callers=Caller.objects.for_client(client).count(),
        facts=ConsentEvent.objects.for_client(client).count(),
        connections=Connection.objects.for_client(client).filter(is_active=True).count(),
        keys=ApiKey.objects.for_client(client).filter(revoked_at=None).count(),
        people=ClientGrant.objects.filter(content_object=client).values("user_id").distinct().count(),
        links=PublicKey.objects.filter(client_id=client.pk, purpose__in=LINKS).count(),
        waiting=Item.objects.open().filter(client=client).exclude(kind=KIND).count(),
    )


def _is_as_shown(counts: Mapping[str, int], shown: Mapping[str, int]) -> bool:
    """Whether a person was shown what there is; of what comes and goes by itself some more or less."""
    return counts.keys() == shown.keys() and all(
        abs(count - shown[name]) <= (max(_MAY_CHANGE_BY, shown[name] // 10) if name in _BY_ITSELF else 0)
        for name, count in counts.items()
    )


def open_holds(client: Client) -> list[str]:
    return list(
        Hold.objects.open().filter(client_id=client.pk).order_by("placed_at").values_list("name", flat=True)
    )


def of_client(client: Client) -> Offboarding | None:
    rows = Offboarding.objects.for_client(client).exclude(state=EndState.STOPPED)
    return rows.select_related("asked_by", "agreed_by", "client").first()


def of_agency(agency: Agency) -> list[Offboarding]:
    """An agency's offboardings, the newest first, with clients and people; a hundred at most."""
    rows = Offboarding.objects.filter(agency_id=agency.pk).select_related("client", "asked_by", "agreed_by")
    return list(rows.order_by("-asked_at")[:100])


def read_reason(*, row: Offboarding, by: Actor, at: datetime) -> str | None:
    """Why it was asked for; that somebody read it is in the trail. None where the words are erased."""
    return audit.open_reason_of(row, ASKED, agency_id=row.agency_id, by=by, at=at)


@transaction.atomic
def ask(
    *,
    client: Client,
    moved_to: str,
    with_numbers: bool,
    reason: str,
    shown: Mapping[str, int],
    by: Actor,
    at: datetime,
) -> Offboarding:
    """
    Ask that a client be offboarded; nothing happens before a second officer agrees. Where there is none it begins a day
    later, and everybody who manages the agency is told now.

    :param shown: the extent that the person saw.
    :raises HeldError: a hold is open. :raises ExtentChangedError: the counts are others by now.
    :raises NotNowError: it has been asked for. :raises ReasonTooShortError: the reason has fewer than 15 characters.
    """
    if by.user_id is None:
        raise TypeError("A person asks that a client be offboarded.")
    reason = checked_reason(reason)
    Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    check_holds(client)
    if of_client(client) is not None:
        raise NotNowError("This client is being offboarded already.")
    extent = extent_of(client).stored()
    if not _is_as_shown(extent, shown):
        raise ExtentChangedError("There is more or less now.")
    seconding.proposed(user_id=by.user_id, at=at)
    alone = not has_other_officer(client.agency_id, by.user_id, at=at)
    row = Offboarding.objects.create(
        agency_id=client.agency_id,
        client=client,
        moved_to=moved_to,
        with_numbers=with_numbers,
        extent=extent,
        counted_at=at,
        asked_by_id=by.user_id,
        asked_at=at,
        due_at=at + WAITS_FOR if alone and not with_numbers else None,
    )
    audit.record(ASKED, subject=row, by=by, at=at, reason=reason, with_numbers=with_numbers, **extent)
    work.open_item(
        KIND, agency_id=client.agency_id, client_id=client.pk, key=str(client.pk), at=at, due_at=row.due_at
    )
    if alone:
        managers = access.people_with_right(AgencyRight.MANAGE_CLIENTS, agency_id=client.agency_id)
        work.notify(
            LEAVES_ALONE,
            agency_id=client.agency_id,
            user_ids=[user_id for user_id in managers if user_id != by.user_id],
            at=at,
            key=str(client.pk),
        )
    return row


def has_other_officer(agency_id: int, user_id: int, *, at: datetime) -> bool:
    """Whether the agency has another officer, or had one until lately."""
    return access.has_another(AgencyRight.SIGN_OFF, agency_id=agency_id, at=at, but=user_id)


def waits_for_second(row: Offboarding, *, at: datetime) -> bool:
    """Whether another officer than the one who asked has to agree, and has not yet."""
    return row.agreed_by_id is None and has_other_officer(row.agency_id, row.asked_by_id, at=at)


@seconding.seconds
@transaction.atomic
def agree(*, row: Offboarding, by: Actor, at: datetime) -> None:
    """
    Say as a second officer that it may begin; or, where it began while there was none, that it may go on.

    :raises SamePersonError: it is who asked. :raises NotCountedError: the signature does not count.
    :raises NotNowError: somebody has agreed, or it was stopped.
    :raises ReasonUnreadError: the officer has not opened the reason.
    """
    seconding.check(proposer=row.asked_by_id, signer=by.user_id, agency_id=row.agency_id, subject=row, at=at)
    audit.require_reason_read(event=audit.event_of(row, ASKED, agency_id=row.agency_id), by=by)
    rows = Offboarding.objects.for_client(row.client_id).filter(pk=row.pk, agreed_by=None)
    begun = rows.filter(state__in=(EndState.WRITING, EndState.WRITTEN))
    word: dict[str, Any] = {"agreed_by_id": by.user_id, "agreed_at": at}
    if not rows.filter(state=EndState.ASKED).update(**word, due_at=at) and not begun.update(**word):
        raise NotNowError("Another officer approved it already, or it was stopped.")
    audit.record("offboarding.agreed", subject=row, by=by, at=at)


@transaction.atomic
def stop(*, row: Offboarding, by: Actor, at: datetime) -> None:
    """
    Stop it, as long as nothing was erased and the ways in are open; a file that was written goes.

    :raises NotNowError: erasing has begun, or the ways in are shut.
    """
    if Client.objects.filter(pk=row.client_id, archived_at__isnull=False).exists():
        raise NotNowError("The ways in are shut: it cannot be stopped any more.")
    # Held, so that the file is known which the job may have written since the row was read.
    rows = Offboarding.objects.for_client(row.client_id).filter(pk=row.pk)
    held = rows.select_for_update(of=("self",)).filter(
        state__in=(EndState.ASKED, EndState.WRITING, EndState.WRITTEN)
    ).first()  # fmt: skip
    if held is None:
        raise NotNowError("Erasing has begun: it cannot be stopped any more.")
    rows.update(
        state=EndState.STOPPED, due_at=None, file_key=None, link_digest=None, link_until=None, finished_at=at
    )
    PublicKey.objects.filter(client_id=row.client_id, purpose=KeyPurpose.HANDOVER).delete()
    audit.record("offboarding.stopped", subject=row, by=by, at=at)
    work.close_item(KIND, agency_id=row.agency_id, key=str(row.client_id), at=at, by=by)
    if held.file_key is not None:
        client_id, file_key = held.client_id, held.file_key
        transaction.on_commit(lambda: files.delete(client_id, file_key))


@transaction.atomic
def begin_erasing(*, row: Offboarding, shown: Mapping[str, int], by: Actor, at: datetime) -> None:
    """
    Say that the file has arrived, and let everything go: the ways in are shut first, and where something had come that
    is not in the file it is written anew, to be taken again before anything goes. This cannot be undone.

    :param shown: the extent that the person saw. Once the ways in are shut nothing is compared.
    :raises HeldError: a hold is open. :raises ExtentChangedError: the counts are others by now.
    :raises NotNowError: the file was not taken by its link, or a second officer is there and has not agreed.
    """
    # Waits for whoever is adding something, such as a hold.
    client = Client.objects.select_for_update(of=("self",)).get(pk=row.client_id)
    check_holds(client)
    if waits_for_second(Offboarding.objects.for_client(row.client_id).get(pk=row.pk), at=at):
        raise NotNowError("Another officer has to agree before anything is destroyed.")
    changed = Offboarding.objects.for_client(row.client_id).filter(
        pk=row.pk, state=EndState.WRITTEN, taken_at__isnull=False
    )
    if not changed.update(state=EndState.ERASING, step=CLOSE, due_at=at, came_since=0):
        raise NotNowError("The file was not downloaded with its link yet.")
    # The second time, after what came since was handed over: the shutting itself has changed the counts.
    if client.shut_at is None:
        extent = extent_of(client).stored()
        if not _is_as_shown(extent, shown):
            raise ExtentChangedError("There is more or less now.")
        Offboarding.objects.for_client(row.client_id).filter(pk=row.pk).update(extent=extent, counted_at=at)
    audit.record("offboarding.erasing", subject=row, by=by, at=at)


def check_holds(client: Client) -> None:
    """:raises HeldError: a hold is open."""
    names = open_holds(client)
    if names:
        raise HeldError(f"A hold is open: {', '.join(names)}. Lift it first, or wait for its end.")
