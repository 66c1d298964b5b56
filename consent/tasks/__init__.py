"""Tasks of consent; the worker finds those named here."""

from consent.tasks import (
    ages,
    call_backs,
    decisions,
    law,
    list_checks,
    mail,
    menu_calls,
    presses,
    registers,
    store,
    texts,
    web,
    withdrawals,
)
