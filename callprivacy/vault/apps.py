from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from callprivacy.vault.scope import enter_first


class VaultConfig(AppConfig):
    name = "callprivacy.vault"
    label = "vault"
    verbose_name = "Vault"

    def ready(self) -> None:
        from callprivacy.vault import checks  # noqa: F401, PLC0415  (registers the system checks)

        connection_created.connect(_enter_scopes)


def _enter_scopes(*, connection: Any, **_: Any) -> None:
    """Every statement on a connection to the vault enters its scope first."""
    if connection.alias == "vault" and enter_first not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, enter_first)
