"""
Letters to vendors without an interface for it: what to do, for which number of ours, and what to answer.

A letter never holds the caller's number: whoever sends it is shown the number beside it, and that is written down.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.calls.models import Recording
from callprivacy.calls.providers import by_hand
from consent.enums import VendorStep
from consent.models import VendorTask
from consent.selectors.vendors import vendor_of

_WORDS: Final = {
    VendorStep.DELETE_RECORDING: (
        "Please delete one call recording, its transcript, and every copy of it. {way}\n\n{call}\n"
        "Your ID of the call is below if we have it. The caller has withdrawn consent to being recorded."
    ),
    VendorStep.REDACT_CALLER: (
        "Please redact the caller with the number below in every call of {client}: name, number, recording, and "
        "transcript."
    ),
    VendorStep.TURN_OFF_RECORDING: (
        "Please turn call recording off for every tracking number of {client}, from now on. A caller has withdrawn "
        "consent, and your menu cannot stop recording a single caller."
    ),
    VendorStep.TURN_OFF_MONITORING: (
        "Please turn off live monitoring of calls for the caller with the number below. If you cannot do that for one "
        "caller, please turn it off for all calls of {client}."
    ),
    VendorStep.STOP_TEXTS: (
        "Please stop sending texts to the number below from any number of {client}, and remove it from every list and "
        "sequence."
    ),
    VendorStep.REMOVE_FROM_ADS: (
        "Please remove the number below from every audience and list of {client}, and from every copy that was "
        "shared. The person has opted out of the sale and sharing of personal information."
    ),
    VendorStep.STOP_RECORDING: "Please stop the recording in progress of the call below.",
}
_MOMENT: Final = timedelta(microseconds=1)
"""A date of the law ends with the first instant of the next day."""
_END: Final = (
    "\n\nPlease confirm by {target:%B %-d, %Y} that this is done, and on which date. The deadline is "
    "{outer:%B %-d, %Y} ({law}).\n\n{agency}, for {client}"
)


_EXPIRED: Final = (
    "Please delete one call recording, its transcript, and every copy of it. {way}\n\n{call}"
    "Your ID of the call is below if we have it. {client} has deleted its own copy."
    "\n\nPlease confirm by {target:%B %-d, %Y} that this is done, and on which date.\n\n{agency}, for {client}"
)


def _way(provider: str) -> str:
    """How the vendor does it, in its own terms; "" where we do not know."""
    found = by_hand(provider)
    return "" if found is None else found.letter


def _tidy(letter: str) -> str:
    """The letter without the blank that a missing sentence leaves."""
    return "\n".join(line.rstrip() for line in letter.split("\n"))


def draft_of_expired(task: VendorTask, *, provider: str, vendor: str, started_at: datetime | None) -> str:
    """The letter for a recording that we have erased, by its date or as withheld, and that the vendor still has."""
    client = task.client
    name = client.legal_name or client.name
    call = f"The call began on {started_at:%B %-d, %Y at %H:%M:%S} UTC.\n" if started_at is not None else ""
    words = _EXPIRED.format(
        call=call, client=name, target=task.target_at, agency=client.agency.name, way=_way(provider)
    )
    return _tidy(f"To {vendor}\n\n{words}")


def draft(task: VendorTask, *, recording: Recording | None = None) -> str:
    """The letter that a task begins with; whoever sends it may change it."""
    client = task.client
    call = ""
    if recording is not None:
        started = recording.call.started_at
        call = f"The call began on {started:%B %-d, %Y at %H:%M:%S} UTC.\n"
    way = _way("" if task.connection is None else task.connection.provider)
    body = _WORDS.get(VendorStep(task.step), "").format(
        client=client.legal_name or client.name, call=call, way=way
    )
    end = _END.format(
        target=task.target_at,
        outer=(task.outer_at - _MOMENT).astimezone(ZoneInfo(client.time_zone)),
        law=task.law or "our own target: consent is required at all times",
        agency=client.agency.name,
        client=client.legal_name or client.name,
    )
    hello = f"To {vendor_of(task)}\n\n"
    return _tidy(hello + body + end)
