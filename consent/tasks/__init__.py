"""Tasks of consent; the worker finds those named here."""

from consent.tasks import decisions, law, menu_calls, presses, store, texts, web, withdrawals

__all__ = ["decisions", "law", "menu_calls", "presses", "store", "texts", "web", "withdrawals"]
