"""
One module for each tracker. `PROVIDERS` are those that call us, `TRACKERS` all that a connection may be of, `FORMATS`
the files that have columns of their own.
"""

from __future__ import annotations

from typing import Final

from callprivacy.calls.providers import ctm, generic, invoca, mapped
from callprivacy.calls.providers.base import Capabilities, Provider
from callprivacy.calls.providers.callrail import CallRail
from callprivacy.calls.providers.ctm import CallTrackingMetrics
from callprivacy.calls.providers.tabular import Format
from callprivacy.calls.providers.twilio import Twilio

PROVIDERS: Final[dict[str, Provider]] = {
    provider.name: provider
    for provider in (CallRail(), Twilio(), CallTrackingMetrics(), mapped.Signed(), mapped.Shared())
}

_NAMED: Final = {
    provider.name: provider.title for provider in PROVIDERS.values() if provider.name not in mapped.NAMES
}
TRACKERS: Final[dict[str, str]] = (
    _NAMED
    | {invoca.NAME: invoca.TITLE}
    | {name: PROVIDERS[name].title for name in sorted(mapped.NAMES, reverse=True)}
    | {"folder": "A folder that files are dropped into"}
)
"""Name -> title. One that is not in `PROVIDERS` brings its calls by files alone."""

FORMATS: Final[dict[str, Format]] = {
    layout.name: layout for layout in (generic.CALLRAIL, ctm.EXPORT, invoca.TRANSACTIONS)
}

# CallRail's interface neither stops nor deletes: https://apidocs.callrail.com has no such call, so a person writes
# to its support. Twilio: `Recordings/{sid}` with Status=stopped, DELETE, and our own menu in front of the call. CTM
# redacts a call, its audio with it, and says so of the call; no published interface asks it to, so a person writes.
# Invoca's documents name none of these.
_CAPABILITIES: Final[dict[str, Capabilities]] = {
    "twilio": Capabilities(gates_before=True, stops_mid_call=True, deletes_after=True),
    "ctm": Capabilities(redacts=True),
}
_NONE: Final = Capabilities()


def capabilities(name: str) -> Capabilities:
    """What a tracker lets us do at its side; nothing, where we do not know it or calls come by files of any kind."""
    return _CAPABILITIES.get(name, _NONE)
