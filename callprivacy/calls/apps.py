from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "callprivacy.calls"
    label = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        from callprivacy.accounts.services import keys  # noqa: PLC0415  (apps are loaded now)
        from callprivacy.calls import kinds  # noqa: PLC0415
        from callprivacy.calls.services import inbox  # noqa: PLC0415

        kinds.register_reveals()
        kinds.register_exports()
        kinds.register_inbox()
        keys.reseal_with(inbox.reseal)
