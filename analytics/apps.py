from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"
    label = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from analytics import kinds  # noqa: PLC0415  (apps are loaded now)

        kinds.register_releases()
        kinds.register_goals()
