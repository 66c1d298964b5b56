from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "callprivacy.vault"
    label = "vault"
    verbose_name = "Vault"

    def ready(self) -> None:
        from callprivacy.vault import checks  # noqa: F401, PLC0415  (registers the system checks)
