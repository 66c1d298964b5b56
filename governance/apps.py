from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"
    label = "governance"
    verbose_name = "Governance"

    def ready(self) -> None:
        from governance import kinds  # noqa: PLC0415  (models load after the apps)
        from governance.services import ends  # noqa: PLC0415  (models load after the apps)

        kinds.register_all()
        ends.register()
