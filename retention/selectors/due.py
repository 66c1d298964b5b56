"""
How much of each category is past its date, counted over many clients in one statement a category.

It counts what a run selects: no call that a hold keeps, and what leaves together with a call record is counted with
its own category as well. Row security holds: who may not see a client's rows counts none, so ask `NEEDS` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection

from callprivacy.calls.enums import Direction, InboxState, RecordingState, TranscriptState
from callprivacy.calls.models import first_id_at
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import Permission
from consent.enums import NO_KINDS
from retention.enums import Category

type Cutoffs = Mapping[Category, datetime]

NEEDS: Final[Mapping[Category, Permission]] = dict.fromkeys(Category, Permission.VIEW_CALLS) | {
    Category.EXPORT: Permission.EXPORT_CALLS,
    Category.INBOX: Permission.MANAGE_CONNECTIONS,
    Category.TRAIL: Permission.VIEW_CLIENT,
}
"""What a person needs on a client to count a category there; of the trail the agency's right decides beside it."""

_LIMITS: Final = """
    FROM unnest(%(clients)s::bigint[], %(came_in)s::uuid[], %(went_out)s::uuid[], %(own)s::uuid[],
                %(before)s::timestamptz[]) AS wanted (client_id, came_in, went_out, own, before),
"""
# What hangs on a call leaves by its own date, or with its call.
_PAST: Final = """
    NOT c.on_hold AND c.id < greatest(wanted.own,
        CASE c.direction WHEN 'outbound' THEN wanted.went_out ELSE wanted.came_in END)
"""
_CALLS: Final = """
    SELECT count(*) AS rows FROM calls_call c
    WHERE c.client_id = wanted.client_id AND c.id < wanted.own AND NOT c.on_hold AND c.direction = %(direction)s
"""
_SAID: Final = """
    SELECT count(*) AS rows FROM calls_call c JOIN {table} s ON s.call_id = c.id
    WHERE c.client_id = wanted.client_id AND c.id < greatest(wanted.own, wanted.came_in, wanted.went_out)
      AND s.state <> %(gone)s AND {past}
"""
# A caller leaves when no call is younger than its own date, or with the last call record.
_CALLERS: Final = f"""
    SELECT count(*) AS rows FROM calls_caller k
    WHERE k.client_id = wanted.client_id
      AND EXISTS (SELECT FROM calls_call c WHERE c.client_id = wanted.client_id AND c.caller_id = k.id)
      AND NOT EXISTS (SELECT FROM calls_call c
                      WHERE c.client_id = wanted.client_id AND c.caller_id = k.id AND NOT ({_PAST}))
"""  # noqa: S608  (no value in it)
# The last contact with a person is the last call or the last that was said.
_CONSENTS: Final = """
    SELECT count(*) AS rows FROM consent_consentevent e
    WHERE e.client_id = wanted.client_id AND e.happened_at < wanted.before AND NOT e.kind = ANY (%(kinds)s)
      AND NOT EXISTS (SELECT FROM consent_consentevent later
                      WHERE later.client_id = wanted.client_id AND later.caller_id = e.caller_id
                        AND later.happened_at >= wanted.before)
      AND NOT EXISTS (SELECT FROM calls_call c
                      WHERE c.client_id = wanted.client_id AND c.caller_id = e.caller_id AND c.id >= wanted.own)
"""
_WITHDRAWALS: Final = """
    SELECT count(*) AS rows FROM consent_consentevent e
    WHERE e.client_id = wanted.client_id AND e.happened_at < wanted.before AND e.kind = ANY (%(kinds)s)
"""
_EXPORTS: Final = """
    SELECT count(*) AS rows FROM calls_callexport e
    WHERE e.client_id = wanted.client_id AND e.file_key IS NOT NULL AND e.finished_at < wanted.before
"""
_INBOX: Final = """
    SELECT count(*) AS rows FROM calls_inbox i
    WHERE i.client_id = wanted.client_id AND i.state = %(rejected)s AND i.received_at < wanted.before
"""
_TRAIL: Final = """
    SELECT count(*) AS rows FROM audit_event e
    WHERE e.agency_id = scope_agency() AND e.client_id = wanted.client_id AND e.at < wanted.before
"""
_COUNTS: Final[Mapping[Category, tuple[str, dict[str, Any]]]] = {
    Category.CALL: (_CALLS, {"direction": Direction.INBOUND.value}),
    Category.CALL_OUT: (_CALLS, {"direction": Direction.OUTBOUND.value}),
    Category.IDENTITY: (_CALLERS, {}),
    Category.RECORDING: (
        _SAID.format(table="calls_recording", past=_PAST),
        {"gone": RecordingState.GONE.value},
    ),
    Category.TRANSCRIPT: (
        _SAID.format(table="calls_transcript", past=_PAST),
        {"gone": TranscriptState.GONE.value},
    ),
    Category.CONSENT: (_CONSENTS, {"kinds": sorted(NO_KINDS)}),
    Category.WITHDRAWAL: (_WITHDRAWALS, {"kinds": sorted(NO_KINDS)}),
    Category.EXPORT: (_EXPORTS, {}),
    Category.INBOX: (_INBOX, {"rejected": InboxState.REJECTED.value}),
    Category.TRAIL: (_TRAIL, {}),
}


def counts(category: Category, cutoffs: Mapping[int, Cutoffs]) -> dict[int, int]:
    """
    Count what is past its date of one category at each client; no entry for none.

    :param cutoffs: each client's cut-offs, of every category, for some leave with others.
    """
    lib_scope.require()
    if not cutoffs:
        return {}
    query, more = _COUNTS[category]
    params: dict[str, Any] = {
        "clients": list(cutoffs),
        "came_in": [first_id_at(limits[Category.CALL]) for limits in cutoffs.values()],
        "went_out": [first_id_at(limits[Category.CALL_OUT]) for limits in cutoffs.values()],
        "own": [first_id_at(limits[category]) for limits in cutoffs.values()],
        "before": [limits[category] for limits in cutoffs.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT wanted.client_id, found.rows {_LIMITS} LATERAL ({query}) AS found WHERE found.rows > 0",
            params | more,
        )
        return dict(cursor.fetchall())
