"""One module for each way in; `PROVIDERS` are those that call us."""

from __future__ import annotations

from typing import Final

from callprivacy.calls.providers.base import Provider
from callprivacy.calls.providers.callrail import CallRail
from callprivacy.calls.providers.twilio import Twilio

PROVIDERS: Final[dict[str, Provider]] = {provider.name: provider for provider in (CallRail(), Twilio())}
