from django.apps import AppConfig


class RightsConfig(AppConfig):
    name = "rights"
    label = "rights"
    verbose_name = "Requests"

    def ready(self) -> None:
        from retention.kinds import OwnDate, register_own_date  # noqa: PLC0415  (models load after the apps)
        from rights import kinds  # noqa: PLC0415  (models load after the apps)
        from rights.selectors import ends  # noqa: PLC0415  (models load after the apps)

        kinds.register_all()
        register_own_date(
            OwnDate(
                "Requests of people",
                731,
                "the day the last of it was answered",
                "24 months (11 CCR 7101). The record, what the person said and the proofs leave together.",
                ends.count,
            )
        )
        register_own_date(
            OwnDate(
                "Packages of people's data",
                7,
                "the day it was made",
                "The file leaves with its key.",
                ends.count_packages,
            )
        )
