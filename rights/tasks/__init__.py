"""Tasks of requests; the worker finds those named here."""

from rights.tasks import letters, portal, steps
