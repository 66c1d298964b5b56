"""Tasks of retention; the worker finds those named here."""

from retention.tasks import holds, runs

__all__ = ["holds", "runs"]
