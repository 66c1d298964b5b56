from functools import partial

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    name = "retention"
    label = "retention"
    verbose_name = "Retention"

    def ready(self) -> None:
        from analytics.services import ends as release_ends  # noqa: PLC0415  (models load after the apps)
        from callprivacy.accounts.enums import AgencyRight  # noqa: PLC0415  (models load after the apps)
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)
        from retention import kinds as own  # noqa: PLC0415  (models load after the apps)
        from retention import targets  # noqa: PLC0415  (models load after the apps)
        from retention.services import trail  # noqa: PLC0415  (models load after the apps)

        targets.register_house(trail.TARGET)
        own.register_own_date(
            own.OwnDate(
                "Releases, by the date that was signed",
                None,
                "the day of the release",
                "Two people signed when the file ends. Where the policy for releases says a sooner day, that day"
                " counts.",
                release_ends.count_signed,
            )
        )
        self._register_own_dates()
        kinds.register(
            kinds.Kind(
                "vendor_deletion",
                title="Recordings to delete at the vendor",
                step="Open the deletions",
                url_name="retention:vendor_deletions",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "retention_failed",
                title="Expired calls could not be deleted",
                step="Open the policies",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "own_rows_failed",
                title="The agency's own rows could not be deleted",
                step="Open the runs",
                url_name="retention:home",
                right=AgencyRight.RUN_JOBS,
            )
        )
        kinds.register(
            kinds.Kind(
                "files_missing",
                title="Stored files are missing",
                step="Open the policies",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "own_files_missing",
                title="The agency's own stored files are missing",
                step="Open the watch",
                url_name="retention:watch",
                right=AgencyRight.MANAGE_CLIENTS,
            )
        )
        kinds.register(
            kinds.Kind(
                "folder_foreign",
                title="File storage is missing or not this installation's",
                step="Open the watch",
                url_name="retention:watch",
                right=AgencyRight.MANAGE_CLIENTS,
            )
        )
        kinds.register(
            kinds.Kind(
                "retention_stuck",
                title="Retention run is stuck and blocks the next one",
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
                title="Expired calls stay: the client is in dry run",
                step="See what would be deleted",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
            )
        )
        kinds.register(
            kinds.Kind(
                "offboarding",
                title="Client offboarding needs a decision",
                step="Open the offboarding",
                url_name="retention:offboarding",
                permission=Permission.MANAGE_RETENTION,
                right=AgencyRight.SIGN_OFF,
            )
        )
        kinds.register(
            kinds.Kind(
                own.TAKEN_AGAIN,
                title="Offboarding file rewritten: download it again",
                step="Open the offboarding",
                url_name="retention:offboarding",
                permission=Permission.MANAGE_RETENTION,
                right=AgencyRight.SIGN_OFF,
            )
        )
        kinds.register(
            kinds.Kind(
                own.LEAVES_ALONE,
                title="One officer ordered a client's destruction: it starts in a day",
                step="Open offboarding",
                url_name="retention:leaving",
                right=AgencyRight.MANAGE_CLIENTS,
            )
        )
        self._register_holds()
        self._register_vendors()
        self._register_watch()
        self._register_policies()

    def _register_own_dates(self) -> None:
        """Notifications and closed items stay for a year and a month."""
        from callprivacy.work import selectors as work  # noqa: PLC0415  (models load after the apps)
        from retention.kinds import OwnDate, register_own_date  # noqa: PLC0415  (models load after the apps)
        from retention.selectors import old  # noqa: PLC0415  (models load after the apps)

        for title, kept_for, moment, count in (
            ("Notifications", work.KEPT_FOR, "the day they were sent", work.count_told),
            ("Closed inbox items", work.KEPT_FOR, "the day they were closed", work.count_done),
            ("Resolved alerts", old.ALERTS_FOR, "the day they ended", old.count_alerts),
        ):
            register_own_date(
                OwnDate(
                    title,
                    kept_for.days,
                    moment,
                    "It names no caller. The audit log keeps who did what.",
                    count,
                )
            )

    def _register_watch(self) -> None:
        """Of secrets and alerts all are told who manage the agency."""
        from callprivacy.accounts.enums import AgencyRight  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)
        from retention import kinds as own  # noqa: PLC0415  (models load after the apps)

        told = {
            own.LIMIT_NEAR: ("Secrets near their age limit", "Open the secrets", "retention:secrets"),
            own.LIMIT_PAST: ("Secrets past their age limit", "Open the secrets", "retention:secrets"),
            own.ROTATION_STUCK: ("Key rotation stopped", "Open the secrets", "retention:secrets"),
        }
        for alarm in own.ALARMS.values():
            told[own.mail_kind(alarm.kind, is_over=False)] = (
                alarm.title,
                "See what to do",
                "retention:watch",
            )
            over = f"Resolved: {alarm.title[0].lower()}{alarm.title[1:]}"
            told[own.mail_kind(alarm.kind, is_over=True)] = (over, "Open monitoring", "retention:watch")
        to_do = {own.mail_kind(alarm.kind, is_over=False): [alarm.to_do] for alarm in own.ALARMS.values()}
        for name, (title, step, url_name) in told.items():
            kinds.register(
                kinds.Kind(
                    name,
                    title=title,
                    step=step,
                    url_name=url_name,
                    right=AgencyRight.MANAGE_CLIENTS,
                    details=partial(list, to_do.get(name, [])),
                )
            )

    def _register_holds(self) -> None:
        """Who is told of a hold sees the client; who looks at one again manages its retention."""
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)

        told = {
            "hold_placed": "Legal hold placed: delete nothing it covers, at vendors either",
            "hold_comes_to_review": "Legal hold in force: review your instructions",
            "hold_lifted": "Legal hold lifted: normal retention applies again",
        }
        for name, title in told.items():
            kinds.register(
                kinds.Kind(
                    name,
                    title=title,
                    step="Open the client",
                    url_name="accounts:client",
                    permission=Permission.VIEW_CLIENT,
                )
            )
        for name, title in {
            "hold_review": "Legal hold due for review",
            "hold_ends": "Legal hold at its planned end: lift or extend it",
        }.items():
            kinds.register(
                kinds.Kind(
                    name,
                    title=title,
                    step="Open the holds",
                    url_name="retention:holds",
                    permission=Permission.MANAGE_RETENTION,
                )
            )

    def _register_policies(self) -> None:
        """A change that shortens waits for officers; one that comes by itself is told to all who manage the agency."""
        from callprivacy.accounts.enums import AgencyRight  # noqa: PLC0415  (models load after the apps)
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)

        kinds.register(
            kinds.Kind(
                "policy_change",
                title="Retention change or go-live needs a second officer",
                step="Open the policies",
                url_name="retention:policies",
                permission=Permission.MANAGE_RETENTION,
                right=AgencyRight.SIGN_OFF,
            )
        )
        for name, title, right in (
            (
                "agency_policy_change",
                "Agency policy or go-live change needs a second officer",
                AgencyRight.SIGN_OFF,
            ),
            (
                "policy_delayed",
                "Shorter retention period takes effect in a day",
                AgencyRight.MANAGE_CLIENTS,
            ),
            (
                "policy_lapsed",
                "Shorter retention period lapsed: more was due than shown",
                AgencyRight.SIGN_OFF,
            ),
        ):
            kinds.register(
                kinds.Kind(
                    name, title=title, step="Open the changes", url_name="retention:changes", right=right
                )
            )

    def _register_vendors(self) -> None:
        """Copies at vendors that outlive ours: for who manages the client's retention."""
        from callprivacy.tenancy.enums import Permission  # noqa: PLC0415  (models load after the apps)
        from callprivacy.work import kinds  # noqa: PLC0415  (models load after the apps)

        kinds.register(
            kinds.Kind(
                "vendor_outlives",
                title="Recordings not confirmed deleted at a vendor",
                step="Open the list",
                url_name="retention:leftovers",
                permission=Permission.MANAGE_RETENTION,
            )
        )
