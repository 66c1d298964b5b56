from django.apps import AppConfig

from callprivacy.lib import forms


class DashboardConfig(AppConfig):
    name = "dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from callprivacy.accounts import selectors as accounts  # noqa: PLC0415  (models are loaded by now)
        from callprivacy.accounts.enums import AgencyRight  # noqa: PLC0415  (models load after the apps)
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)
        from dashboard import (  # noqa: PLC0415  (models load after the apps)
            checks,  # noqa: F401  (registers the system checks)
            selectors,
        )

        forms.repeat_nothing()
        accounts.rank_clients_by(selectors.what_clients_need)
        kinds.register(
            kinds.Kind(
                "posture_weekly",
                title="Your week: controls that need work",
                step="See what to do",
                url_name="dashboard:posture",
                right=AgencyRight.SIGN_OFF,
                details=selectors.weekly_lines,
            )
        )
        kinds.register(
            kinds.Kind(
                "binder_ready",
                title="Evidence pack ready",
                step="Take it",
                url_name="dashboard:proof",
                permission=Permission.VIEW_CLIENT,
            )
        )
