"""What runs and alerts leave behind goes; what erased, held or failed at anything stays with its run."""

from datetime import datetime, timedelta

from callprivacy.tenancy.scope import job_scope, staff_scope
from retention import kinds
from retention.enums import Category, PartState, RunCause, RunState
from retention.models import Alert, Run, RunPart
from retention.selectors import own_dates
from retention.services import old
from tests.cast import Cast
from tests.make import NOON

DAY = timedelta(days=1)


def finished(cast: Cast, at: datetime) -> Run:
    with job_scope(agency_id=cast.acme.pk):
        run = Run.objects.create(
            agency=cast.acme, cause=RunCause.NIGHTLY, state=RunState.DONE, planned_on=at.date(), created_at=at,
            planned_at=at, finished_at=at,
        )  # fmt: skip
        for category, fields in (
            (Category.CALL, {"rows_due": 3, "rows_erased": 3}),
            (Category.RECORDING, {}),
            (Category.TRANSCRIPT, {"state": PartState.FAILED}),
        ):
            given = {"state": PartState.DONE, **fields}
            RunPart.objects.create(
                agency=cast.acme,
                client=cast.dentist,
                run=run,
                category=category,
                cutoff=at,
                keep_for_days=90,
                **({"rows_due": 0} | given),
            )
    return run


def test_parts_that_found_nothing_go_after_five_weeks(cast: Cast) -> None:
    before, since = finished(cast, NOON - 36 * DAY), finished(cast, NOON - 34 * DAY)
    with job_scope(agency_id=cast.acme.pk):
        assert old.remove_old(agency_id=cast.acme.pk, at=NOON) == 1

        kept = {run: set(run.parts.values_list("category", flat=True)) for run in (before, since)}

    assert kept == {
        before: {Category.CALL, Category.TRANSCRIPT},
        since: {Category.CALL, Category.RECORDING, Category.TRANSCRIPT},
    }


def test_alerts_that_are_long_over_go_and_the_pages_say_how_many_will(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for age in (500, 395):
            Alert.objects.create(
                agency=cast.acme,
                kind="hold_review",
                key=f"{age}",
                began_at=NOON - age * DAY,
                ended_at=NOON - age * DAY,
            )
        Alert.objects.create(agency=cast.acme, kind="hold_review", key="stands", began_at=NOON - 500 * DAY)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        (row,) = [one for one in own_dates.rows(cast.acme, NOON) if one.kind.title == "Resolved alerts"]
    assert (row.due, row.soon, row.kind.days) == (1, 2, 400)

    with job_scope(agency_id=cast.acme.pk):
        old.remove_old(agency_id=cast.acme.pk, at=NOON)
        assert set(Alert.objects.values_list("key", flat=True)) == {"395", "stands"}


def test_the_pages_of_policies_name_what_staff_were_told_and_did() -> None:
    assert {"Notifications", "Closed inbox items"} <= {one.title for one in kinds.own_dates()}
