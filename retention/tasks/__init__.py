"""Tasks of retention; the worker finds those named here."""

from retention.tasks import backups, holds, runs

__all__ = ["backups", "holds", "runs"]
