"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import exports, inbox

__all__ = ["exports", "inbox"]
