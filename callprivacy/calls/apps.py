from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "callprivacy.calls"
    label = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        from callprivacy.calls import kinds  # noqa: PLC0415  (apps are loaded now)

        kinds.register_reveals()
        kinds.register_exports()
        kinds.register_inbox()
        kinds.register_pulls()
