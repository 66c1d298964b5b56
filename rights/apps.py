from django.apps import AppConfig


class RightsConfig(AppConfig):
    name = "rights"
    label = "rights"
    verbose_name = "Requests"

    def ready(self) -> None:
        from rights import kinds  # noqa: PLC0415

        kinds.register_all()
