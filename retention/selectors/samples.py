"""The very rows that a run would take next, masked, for a person to look at before they leave."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.template.defaultfilters import filesizeformat

from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller, CallExport, Inbox, Recording, Transcript, caller_label
from callprivacy.calls.selectors import masks
from callprivacy.tenancy.models import Client
from consent.models import ConsentEvent
from retention import targets
from retention.enums import Category
from retention.targets import Line

PAGE: Final = 25
RESTRICTED: Final = "A caller with restricted use"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row that would leave.

    :ivar at: its moment. :ivar name: the caller's stable name, and :ivar mask: the number's mask, where it is
    somebody's. :ivar what: what it is, in words. :ivar key: the place of the next page, if this is the last row of one.
    """

    at: datetime | None
    name: str
    mask: str
    what: str
    key: UUID | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A page of rows, and where the next one begins."""

    rows: Sequence[Row]
    after: UUID | None


def sample(line: Line, category: Category, *, after: UUID | None = None) -> Sample:
    """A page of what a run would take next of one category, in its order; as the scope sees it."""
    target = targets.TARGETS[category]
    ids = target.due(line, after=after, limit=PAGE + 1)
    if target.told is not None:
        told = zip(ids, target.told(line.client, ids), strict=False)
        rows = [Row(at, "", "", what, key) for key, (at, what) in told]
    else:
        rows = _ROWS[category](line.client, ids)
    shown = rows[:PAGE]
    return Sample(shown, shown[-1].key if len(rows) > PAGE else None)


def _in_order[T](ids: Sequence[UUID], found: dict[UUID, T]) -> list[T]:
    return [found[one] for one in ids if one in found]


def _calls(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = Call.objects.for_client(client).filter(pk__in=ids).select_related("caller", "recording")
    calls = _in_order(ids, {call.pk: call for call in rows})
    return _of_calls([(call, _call_words(call), call.pk) for call in calls])


def _call_words(call: Call) -> str:
    recording = call._state.fields_cache.get("recording")
    parts = [call.source or "source unknown", call.get_outcome_display().lower()]
    parts.append("recorded" if recording is not None else "not recorded")
    return ", ".join(parts)


def _of_calls(told: Sequence[tuple[Call, str, UUID]]) -> list[Row]:
    """Rows about calls, masked in one go."""
    shown = masks.masks_of([call for call, _, _ in told])
    apart = restricted([call.caller_id for call, _, _ in told])
    return [
        _withheld(key)
        if call.caller_id in apart and call.pk >= apart[call.caller_id]
        else Row(call.started_at, shown[call.pk].name, shown[call.pk].text, what, key)
        for call, what, key in told
    ]


def restricted(caller_ids: Collection[UUID | None]) -> dict[UUID, UUID]:
    """
    Those of these callers who had their use restricted: theirs leaves like all other, and is not looked at. With the
    first call for which that is so.
    """
    rows = Caller.objects.filter(pk__in=[one for one in caller_ids if one], restricted_at__isnull=False)
    return dict(rows.values_list("pk", "restricted_from"))


def _withheld(key: UUID | None) -> Row:
    return Row(None, RESTRICTED, "", "its use is restricted, so nothing of it is shown", key)


def _recordings(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = Recording.objects.for_client(client).filter(pk__in=ids).select_related("call__caller")
    found = _in_order(ids, {row.pk: row for row in rows})
    return _of_calls([(row.call, _sound(row.seconds, row.file_size), row.call_id) for row in found])


def _sound(seconds: int | None, size: int | None) -> str:
    length = "length unknown" if seconds is None else f"{seconds} seconds"
    return f"{length}, {filesizeformat(size)} stored here" if size else f"{length}, not stored here"


def _transcripts(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = (
        Transcript.objects.for_client(client).filter(pk__in=ids).select_related("call__caller").defer("text")
    )
    found = _in_order(ids, {row.pk: row for row in rows})
    return _of_calls([(row.call, f"words, {row.get_state_display().lower()}", row.call_id) for row in found])


def _callers(client: Client, ids: Sequence[UUID]) -> list[Row]:
    found = {row.pk: row for row in Caller.objects.for_client(client).filter(pk__in=ids)}
    shown = masks.numbers_masked(found.values())
    return [
        Row(None, f"Caller {row.label}", shown[row.pk], row.country or "country unknown", row.pk)
        if row.restricted_at is None
        else _withheld(row.pk)
        for row in _in_order(ids, found)
    ]


def _events(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = ConsentEvent.objects.for_client(client).filter(pk__in=ids).defer("evidence")
    found = _in_order(ids, {row.pk: row for row in rows})
    apart = restricted([row.caller_id for row in found])
    return [
        _withheld(None)
        if row.caller_id in apart
        else Row(
            row.happened_at,
            f"Caller {caller_label(row.caller_id)}" if row.caller_id else "",
            "" if row.caller_id else masks.WITHHELD,
            f"{row.get_kind_display()}: {row.get_purpose_display().lower()}, {row.get_channel_display().lower()}",
            None,
        )
        for row in found
    ]


def _exports(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = CallExport.objects.for_client(client).filter(pk__in=ids).select_related("created_by")
    return [
        Row(row.created_at, "", "", f"{row.rows:,} calls, asked for by {row.created_by}", row.pk)
        for row in _in_order(ids, {row.pk: row for row in rows})
    ]


def _inbox(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = Inbox.objects.for_client(client).filter(pk__in=ids).defer("payload")
    return [
        Row(row.received_at, "", "", row.reason or "failed, and waits to be tried again", row.pk)
        for row in _in_order(ids, {row.pk: row for row in rows})
    ]


def _words(client: Client, ids: Sequence[UUID]) -> list[Row]:
    rows = Event.objects.filter(agency_id=client.agency_id, pk__in=[one.int for one in ids])
    return [
        Row(row.at, "", "", f"reason behind {row.action}", UUID(int=row.pk))
        for row in _in_order(ids, {UUID(int=row.pk): row for row in rows})
    ]


_ROWS: Final[dict[Category, Callable[[Client, Sequence[UUID]], list[Row]]]] = {
    Category.CALL: _calls,
    Category.CALL_OUT: _calls,
    Category.RECORDING: _recordings,
    Category.TRANSCRIPT: _transcripts,
    Category.IDENTITY: _callers,
    Category.CONSENT: _events,
    Category.WITHDRAWAL: _events,
    Category.EXPORT: _exports,
    Category.INBOX: _inbox,
    Category.TRAIL: _words,
}
