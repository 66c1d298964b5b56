"""Tasks of consent; the worker finds those named here."""

from consent.tasks import (
    call_backs,
    decisions,
    law,
    mail,
    list_checks,
    menu_calls,
    presses,
    store,
    texts,
    web,
    withdrawals,
)

__all__ = [
    "call_backs",
    "decisions",
    "law",
    "mail",
    "menu_calls",
    "presses",
    "list_checks",
    "store",
    "texts",
    "web",
    "withdrawals",
]
