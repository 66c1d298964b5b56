"""Tasks of requests; the worker finds those named here."""

from rights.tasks import portal, steps

__all__ = ["portal", "steps"]
