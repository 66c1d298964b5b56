"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import day_keys, exports, imports, inbox, redaction

__all__ = ["day_keys", "exports", "imports", "inbox", "redaction"]
