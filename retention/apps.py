from django.apps import AppConfig


class RetentionConfig(AppConfig):
    name = "retention"
    label = "retention"
    verbose_name = "Retention"

    def ready(self) -> None:
        from callprivacy.accounts.enums import AgencyRight  # noqa: PLC0415
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415
        from callprivacy.work import kinds  # noqa: PLC0415

        kinds.register(
            kinds.Kind(
                "vendor_deletion",
                title="Recordings to delete at the vendor",
                step="Open the deletions",
                url_name="retention:errands",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "retention_failed",
                title="Expired calls that could not be erased",
                step="Open the policies",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "retention_stuck",
                title="A run that does not end, so that no new one starts",
                step="Open the runs",
                url_name="retention:home",
                right=AgencyRight.RUN_JOBS,
            )
        )
        kinds.register(
            kinds.Kind(
                "keys_without_rows",
                title="Many keys without rows: was a database restored?",
                step="Open retention",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "go_live",
                title="Expired calls that stay because the client is observed only",
                step="See what would leave",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
