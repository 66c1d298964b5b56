"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import day_keys, drops, exports, imports, inbox, pulls, redaction, values

__all__ = ["day_keys", "drops", "exports", "imports", "inbox", "pulls", "redaction", "values"]
