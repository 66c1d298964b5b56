"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import inbox

__all__ = ["inbox"]
