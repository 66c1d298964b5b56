"""Tasks of the programme; the worker finds those named here."""

from governance.tasks import watch
