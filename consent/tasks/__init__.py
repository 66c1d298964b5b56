"""Tasks of consent; the worker finds those named here."""

from consent.tasks import law, menu_calls, web, withdrawals

__all__ = ["law", "menu_calls", "web", "withdrawals"]
