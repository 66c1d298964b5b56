from django.apps import AppConfig


class RightsConfig(AppConfig):
    name = "rights"
    label = "rights"
    verbose_name = "Requests"

    def ready(self) -> None:
        from retention.kinds import OwnDate, register_own_date  # noqa: PLC0415  (models load after the apps)
        from rights import kinds  # noqa: PLC0415  (models load after the apps)
        from rights.selectors import ends  # noqa: PLC0415  (models load after the apps)
        from rights.services import ends as leaving  # noqa: PLC0415  (models load after the apps)

        kinds.register_all()
        leaving.register()
        register_own_date(
            OwnDate(
                "Packages of people's data",
                7,
                "the day it was made",
                "The person was told that the file is there for seven days, and it is a copy: no policy makes the time"
                " longer or shorter. The file leaves with its key.",
                ends.count_packages,
            )
        )
