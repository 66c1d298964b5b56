from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"
    label = "consent"
    verbose_name = "Consent"

    def ready(self) -> None:
        from consent import kinds  # noqa: PLC0415  (apps are loaded now)

        kinds.register_all()
