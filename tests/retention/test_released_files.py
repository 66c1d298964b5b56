"""A file that was given to a recipient ends when its policy says so, if that comes before the date that was signed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from analytics.models.releases import Release, ReleaseState
from analytics.services import building, ends, releases
from analytics.tasks import releases as tasks
from callprivacy.audit.models import Event
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from retention import targets
from retention.enums import Category, PartState
from retention.models import Certificate, Policy, RunPart
from retention.selectors import calendar, preview
from retention.services import erasing
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics import released
from tests.cast import Cast
from tests.make import NOON
from tests.retention import night
from tests.scale import some

SINCE = NOON - timedelta(days=10)


def keep(client: Client, days: int) -> None:
    """Let a client's policy keep releases for so many days."""
    says(client, days)
    with job_scope(agency_id=client.agency_id):
        Policy.objects.create(
            agency_id=client.agency_id, client=client, category=Category.RELEASE, keep_for_days=days, version=2,
            set_at=NOON,
        )  # fmt: skip


def says(client: Client, days: int) -> None:
    """The column that lower rooms read."""
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(keep_releases_for_days=days)


def again(client: Client) -> Client:
    with job_scope(agency_id=client.agency_id):
        return Client.objects.select_related("agency").get(pk=client.pk)


def line(client: Client, at: Any = NOON) -> targets.Line:
    with job_scope(agency_id=client.agency_id):
        return preview.lines([again(client)], at)[client.pk].of(Category.RELEASE)


def due(client: Client, at: Any = NOON) -> list[Any]:
    """What the preview names, and counts alike."""
    found = line(client, at)
    with job_scope(agency_id=client.agency_id):
        ids = ends.due(found, after=None, limit=100)
        counted = ends.count([found]).get(client.pk, targets.Extent())
    assert counted.rows == len(ids)
    return ids


@pytest.fixture
def given(cast: Cast) -> Release:
    """A file of October that was given away ten days ago, for thirty days."""
    released.fill(cast.dentist)
    return released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)], at=SINCE
    )


def test_a_run_ends_it_destroys_the_file_tells_the_recipient_and_certifies_it(
    cast: Cast, given: Release, mailoutbox: list[Any]
) -> None:
    night.live(cast.dentist)
    assert due(cast.dentist) == [], "where nobody says otherwise, the date that was signed counts"
    keep(cast.dentist, 5)
    assert due(cast.dentist) == [given.pk]

    run = night.spend(cast.acme)

    ended = released.fresh(given)
    assert (ended.state, ended.ended_at, ended.rows) == (ReleaseState.EXPIRED, NOON, given.rows)
    assert given.file_key is not None
    assert given.members_key is not None
    assert not files.exists(given.client_id, given.file_key)
    assert not files.exists(given.client_id, given.members_key)
    with job_scope(agency_id=cast.acme.pk):
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.RELEASE)
        assert (part.rows_due, part.rows_erased, part.state) == (1, 1, PartState.DONE)
        assert bytes(part.digest) == erasing.digest_after(bytes(32), [given.pk])
        (said,) = json.loads(Certificate.objects.get(run=run).statement)["categories"]
        assert (said["category"], said["title"], said["days"], said["policy_version"], said["erased"]) == (
            "release", "Releases", 5, 2, 1,
        )  # fmt: skip
        assert Event.objects.filter(action="release.expired").count() == 1
        assert Event.objects.filter(action="releases.erased").count() == 1
        with pytest.raises(releases.GoneError):
            releases.open_file(release=given, by=make.JOB, at=NOON)
    tasks.end_releases(agency_id=cast.acme.pk)
    assert [one.to for one in mailoutbox] == [["data@northwind.example"]]
    assert released.fresh(given).file_key is None
    assert due(cast.dentist) == []


@pytest.mark.thorough
def test_a_client_that_is_observed_keeps_it_until_the_date_that_was_signed(
    cast: Cast, given: Release
) -> None:
    keep(cast.dentist, 5)
    night.spend(cast.acme)
    assert released.fresh(given).state == ReleaseState.RELEASED


@pytest.mark.thorough
@pytest.mark.parametrize("step", some(["destroy", "remove"], one_in=2))
def test_a_crash_leaves_it_due_and_it_is_counted_once(
    cast: Cast, given: Release, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.live(cast.dentist)
    keep(cast.dentist, 5)
    real = targets.TARGETS[Category.RELEASE]
    done: list[str] = []

    def crash(*args: Any) -> Any:
        found = getattr(real, step)(*args)
        if not done:
            done.append(step)
            raise KeyboardInterrupt
        return found

    values = {name: getattr(real, name) for name in targets.Target.__slots__}
    monkeypatch.setitem(targets.TARGETS, Category.RELEASE, targets.Target(**values | {step: crash}))
    run = night.start(cast.acme)
    with pytest.raises(KeyboardInterrupt):
        night.work(run)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(releases.GoneError):
        releases.open_file(release=given, by=make.JOB, at=NOON)
    night.work(run, NOON + timedelta(minutes=3))
    with job_scope(agency_id=cast.acme.pk):
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.RELEASE)
    assert (part.rows_erased, part.state) == (1, PartState.DONE)
    assert released.fresh(given).state == ReleaseState.EXPIRED


def test_a_new_release_is_promised_no_longer_than_the_policy(cast: Cast) -> None:
    released.fill(cast.dentist)
    to, people = released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    waiting = released.proposed(released.draft(to, people[0]), people[0])
    keep(cast.dentist, 20)
    with pytest.raises(releases.NotReleasableError, match="20 days at most"):
        released.draft(to, people[0])
    with (
        job_scope(agency_id=cast.acme.pk),
        pytest.raises(releases.NotReleasableError, match="20 days at most"),
    ):
        releases.approve(release=waiting, officer=people[1], at=NOON)
    says(cast.dentist, 40)
    with job_scope(agency_id=cast.acme.pk):
        releases.approve(release=waiting, officer=people[1], at=NOON)
    says(cast.dentist, 20)
    building.build(due=building.Work(cast.acme.pk, waiting.pk), clock=lambda: NOON)
    built = released.fresh(waiting)
    assert built.ends_at == NOON + timedelta(days=20), "the policy was shortened between signature and file"
    with job_scope(agency_id=cast.acme.pk):
        found = calendar.calendar([again(cast.dentist)], NOON)
    assert found.sum_of(Category.RELEASE) == 0, "its own date is as soon, and is told beside"


def test_the_calendar_names_the_day_on_which_a_run_takes_it(cast: Cast, given: Release) -> None:
    keep(cast.dentist, 15)
    with job_scope(agency_id=cast.acme.pk):
        found = calendar.calendar([again(cast.dentist)], NOON)
    (day,) = [day for day in found.days if day.counts.get(Category.RELEASE)]
    number = found.days.index(day) + 1
    assert due(cast.dentist, NOON + timedelta(days=number - 1)) == []
    assert due(cast.dentist, NOON + timedelta(days=number)) == [given.pk]


@pytest.mark.thorough
def test_the_pages_say_which_date_counts_and_offer_no_longer_one(
    cast: Cast, given: Release, alice: Browser
) -> None:
    page = alice.get("/retention/policies/").content.decode()
    assert "Releases, by the date that was signed" in page
    assert "Packages of people&#x27;s data" in page
    page = alice.get("/clients/dentist/policies/change/release/").content.decode()
    assert "whichever comes first" in page
    keep(cast.dentist, 5)
    page = alice.get("/clients/dentist/policies/preview/?category=release").content.decode()
    assert "Anonymised calls for Northwind Analytics" in page
    form = alice.get("/reports/releases/dentist/new/").content.decode()
    assert 'value="5" selected' in form
    assert 'value="30"' not in form


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)
