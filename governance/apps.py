from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"
    label = "governance"
    verbose_name = "Programme"

    def ready(self) -> None:
        from governance import kinds  # noqa: PLC0415

        kinds.register_all()
