from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "callprivacy.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from callprivacy.accounts import adapter  # noqa: PLC0415  (models are loaded by now)

        adapter.write_down_factors()
