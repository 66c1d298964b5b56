"""What vendors are called."""

from __future__ import annotations

from callprivacy.calls.providers import PROVIDERS
from consent.models import VendorTask


def vendor_of(task: VendorTask) -> str:
    """The vendor of a step as people call it."""
    if task.destination is not None:
        return task.destination.name
    if task.connection is not None:
        provider = PROVIDERS.get(task.connection.provider)
        return provider.title if provider is not None else task.connection.name
    return "Vendor"
