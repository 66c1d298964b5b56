"""
Trackers' interfaces as we ask them: which calls they know. One module each; `LISTS` are those that list calls.

And the folder or bucket into which files are dropped, which is no tracker's.
"""

from collections.abc import Callable
from typing import Final

from callprivacy.calls.channels import callrail, ctm, invoca, twilio
from callprivacy.calls.channels.asking import Access, Page, Window

LISTS: Final[dict[str, Callable[[Access, Window, str], Page]]] = {
    "callrail": callrail.list_calls,
    "twilio": twilio.list_calls,
    "ctm": ctm.list_calls,
    "invoca": invoca.list_calls,
}
"""Tracker -> a page of the calls of a window, by what the page before said follows ("" for the first)."""
