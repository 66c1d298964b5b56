"""What vendors are called, and by what they know a call."""

import re
from typing import Final

from callprivacy.calls.providers import PROVIDERS
from callprivacy.vault.selectors import ClientKeys
from consent.channels import twilio
from consent.models import VendorTask

_CALL: Final = re.compile(r"/calls?/([0-9A-Za-z_-]{1,64})(?=[/.?#]|$)", re.ASCII)


def vendor_of(task: VendorTask) -> str:
    """The vendor of a step as people call it."""
    if task.destination is not None:
        return task.destination.name
    if task.connection is not None:
        provider = PROVIDERS.get(task.connection.provider)
        return provider.title if provider is not None else task.connection.name
    return "Vendor"


def call_in(address: str) -> str:
    """The vendor's own id of a call in the address of its recording, "" where none stands there."""
    found = _CALL.search(address.split("?", 1)[0])
    return found[1] if found is not None else ""


def recording_in(address: str) -> str:
    """Twilio's own id of a recording in its address, "" where none stands there."""
    for part in reversed(address.split("?", 1)[0].split("/")):
        name = part.split(".", 1)[0]
        if twilio.is_recording(name):
            return name
    return ""


def number_digest(keys: ClientKeys, number: str) -> str:
    """
    By what the agency's systems know a number of one client without reading it: the same for the same number.

    Keyed with the client's own key, so that nobody outside can try numbers against it.
    """
    return keys.tokens.digest("system", number).hex()
