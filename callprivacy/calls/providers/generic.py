"""
Files of calls: CallRail's export, and any other whose columns somebody has named.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from callprivacy.calls.enums import Direction
from callprivacy.calls.providers import base, callrail
from callprivacy.calls.providers.tabular import FIELDS, REQUIRED, Format, Slashes

_ID_IN_LINK = re.compile(r"/calls/(?:(CAL[0-9A-Za-z]{1,64})|([0-9]{1,20}))(?:[/?]|$)", re.ASCII).search


def _callrail_references(reference: str, recording: str) -> tuple[tuple[str, str], ...]:
    """The export has no id, but the recording's address holds one."""
    found = _ID_IN_LINK(recording)
    if found is None:
        return ()
    return ((callrail.RESOURCE_ID, found[1]),) if found[1] else ((callrail.ID, found[2]),)


def _generic_references(reference: str, recording: str) -> tuple[tuple[str, str], ...]:
    value = base.reference(reference.strip())
    return () if value is None else (("id", value),)


CALLRAIL: Final = Format(
    name="callrail",
    title="CallRail export",
    columns={
        "started_at": ("Start Time",),
        "caller": ("Phone Number", "Customer Phone Number"),
        "tracking_number": ("Tracking Number",),
        "seconds": ("Duration (seconds)", "Duration"),
        "direction": ("Direction",),
        "outcome": ("Call Status",),
        "source": ("Source", "utm_source"),
        "campaign": ("Campaign", "utm_campaign"),
        "medium": ("Medium", "utm_medium"),
        "landing_page": ("Landing Page",),
        "keyword": ("Keywords", "utm_term"),
        "country": ("Country",),
        "region": ("State",),
        "first_call": ("First-Time Caller",),
        "qualified": ("Qualified",),
        "value_cents": ("Value",),
        "tags": ("Tags",),
        "recording_reference": ("Recording Url",),
        "account": ("Company ID",),
    },
    references=_callrail_references,
    slashes="month first",
)
"""
CallRail's call log: 42 columns or fewer. Its start times carry no zone, so the importer is asked for one.
"""


def generic(
    mapping: Mapping[str, str],
    *,
    slashes: Slashes = None,
    default_region: str = "US",
    direction: Direction = Direction.INBOUND,
) -> Format:
    """
    A format out of a person's mapping: field (see `tabular.FIELDS`) -> name of the column.

    :raises RefusedError: a field is none of ours, a required one is missing, or one column serves two.
    """
    for field in mapping:
        if field not in FIELDS:
            raise base.RefusedError(field, f"one of {', '.join(FIELDS)}")
    for field in REQUIRED:
        if not mapping.get(field):
            raise base.RefusedError(field, "the name of a column")
    named = {field: column for field, column in mapping.items() if column}
    columns = [column.strip().casefold() for column in named.values()]
    for field, column in named.items():
        if columns.count(column.strip().casefold()) > 1:
            raise base.RefusedError(field, "a column of its own")
    return Format(
        name="generic",
        title="Other file",
        columns={field: (column,) for field, column in named.items()},
        references=_generic_references,
        slashes=slashes,
        default_region=default_region,
        direction=direction,
    )


_USUAL_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "started_at": (
        "start",
        "starttime",
        "startedat",
        "calledat",
        "calltime",
        "datetime",
        "date",
        "timestamp",
    ),
    "caller": (
        "caller",
        "callernumber",
        "callerid",
        "phonenumber",
        "customerphonenumber",
        "from",
        "callingphonenumber",
    ),
    "tracking_number": ("trackingnumber", "trackingphonenumber", "dialednumber", "callednumber", "to"),
    "seconds": ("durationseconds", "duration", "seconds", "length", "callduration", "talktime"),
    "direction": ("direction", "calldirection"),
    "outcome": ("outcome", "callstatus", "status", "result", "dialstatus"),
    "source": ("source", "sourcename", "utmsource", "trackingsource"),
    "campaign": ("campaign", "utmcampaign", "campaignname"),
    "medium": ("medium", "utmmedium"),
    "landing_page": ("landingpage", "landingpageurl", "landingurl"),
    "keyword": ("keyword", "keywords", "searchterm", "utmterm"),
    "country": ("country", "customercountry"),
    "region": ("region", "state", "customerstate", "province"),
    "first_call": ("firsttimecaller", "firstcall", "isnewcaller", "newcaller"),
    "qualified": ("qualified", "qualifiedlead"),
    "value_cents": ("value", "revenue", "amount"),
    "tags": ("tags", "taglist", "labels"),
    "reference": ("id", "callid", "reference", "sid", "callsid", "transactionid", "completecallid"),
    "recording_reference": ("recordingurl", "recording", "audio"),
    "presses": ("menuinputs", "keypresses", "keyspressed", "menukeys", "keypadentries"),
}


def guess_mapping(header: Iterable[str]) -> dict[str, str]:
    """A first proposal of field -> column, by the columns' usual names; a person confirms it."""
    by_name = {re.sub(r"[\W_]+", "", name).casefold(): name for name in reversed(list(header))}
    proposal: dict[str, str] = {}
    for field, names in _USUAL_NAMES.items():
        for name in names:
            if name in by_name and by_name[name] not in proposal.values():
                proposal[field] = by_name[name]
                break
    return proposal
