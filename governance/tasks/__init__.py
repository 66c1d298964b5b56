"""Celery tasks of governance."""

from governance.tasks import watch
