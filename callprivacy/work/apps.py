from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "callprivacy.work"
    label = "work"
    verbose_name = "What waits for a person"

    def ready(self) -> None:
        from callprivacy.work import kinds  # noqa: PLC0415  (apps are loaded now)

        kinds.register_people()
