from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from callprivacy.accounts import selectors as accounts  # noqa: PLC0415  (models are loaded by now)
        from dashboard import selectors  # noqa: PLC0415

        accounts.rank_clients_by(selectors.what_clients_need)
