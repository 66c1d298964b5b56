"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import exports, imports, inbox

__all__ = ["exports", "imports", "inbox"]
