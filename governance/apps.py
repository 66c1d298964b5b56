from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"
    label = "governance"
    verbose_name = "Programme"

    def ready(self) -> None:
        from governance import kinds  # noqa: PLC0415  (models load after the apps)
        from governance.selectors import ends  # noqa: PLC0415  (models load after the apps)
        from retention.kinds import OwnDate, register_own_date  # noqa: PLC0415  (models load after the apps)

        kinds.register_all()
        register_own_date(
            OwnDate(
                "Training",
                ends.TRAINING_FOR.days,
                "the day of the try, or the last on which a proof counts",
                "Three years: who knew what when an inquiry looks back.",
                ends.count_training,
            )
        )
        register_own_date(
            OwnDate(
                "Entries of premises",
                ends.ENTRIES_FOR.days,
                "the entry",
                "90 days. What was looked at leaves with its entry.",
                ends.count_entries,
            )
        )
