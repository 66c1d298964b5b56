"""Tasks of consent; the worker finds those named here."""

from consent.tasks import menu_calls, web

__all__ = ["menu_calls", "web"]
