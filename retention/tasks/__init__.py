"""Tasks of retention; the worker finds those named here."""

from retention.tasks import runs

__all__ = ["runs"]
