"""Tasks of calls; the worker finds those named here."""

from callprivacy.calls.tasks import (
    confidential,
    day_keys,
    drops,
    exports,
    imports,
    inbox,
    pulls,
    redaction,
    values,
)
