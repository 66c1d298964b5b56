"""
One module for each tracker. `PROVIDERS` are those that call us, `TRACKERS` all that a connection may be of, `FORMATS`
the files that have columns of their own.
"""

from typing import Final

from callprivacy.calls.providers import ctm, generic, invoca, mapped
from callprivacy.calls.providers.base import ByHand, Capabilities, Provider
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


# Looked up in November 2026, CTM's in its own help and in the list of operations of its published interface.
_BY_HAND: Final[dict[str, ByHand]] = {
    "callrail": ByHand(
        "CallRail's published interface has no call that deletes a recording, so no program of ours can. A person asks"
        " its support, from an address of the account.",
        "Your published interface offers us no way to delete it ourselves, so we ask you to.",
        "https://apidocs.callrail.com",
    ),
    "ctm": ByHand(
        "CallTrackingMetrics has a redaction that takes caller, sound and words out of a call for good, but publishes"
        " no interface that asks for it, so no program of ours can. Whoever manages the account redacts the call there,"
        " once redaction is switched on; it comes with plans that can have accounts below them. Where it is not, a"
        " person asks its support. What is redacted there is redacted here as well, with the next webhook about it.",
        "In CallTrackingMetrics this is the redaction of the call: caller, audio and transcript, for good.",
        "https://calltrackingmetrics.zendesk.com/hc/en-us/articles/6469265224077-Redacting-Information-for-Privacy",
    ),
    "invoca": ByHand(
        "Nothing that Invoca publishes names a way to delete a recording, so no program of ours can. A person asks its"
        " support.",
        "Your published interfaces name no way to delete it ourselves, so we ask you to.",
    ),
}


def by_hand(name: str) -> ByHand | None:
    """How a person has a recording deleted at a tracker; None where its interface does it, or we know of no way."""
    return None if capabilities(name).deletes_after else _BY_HAND.get(name)
