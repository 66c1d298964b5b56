"""Releases of call-level rows: two people, a floor, nobody who said no, and an end that everybody is told of."""

import csv
import hashlib
import io
import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from analytics import anonymise, kinds
from analytics.enums import Dimension, Measure, Step
from analytics.models.releases import Release, ReleaseKind, ReleaseState
from analytics.selectors import holding, releasable, reports
from analytics.selectors import releases as selectors
from analytics.services import building, making, recipients, releases
from analytics.services.building import Work
from analytics.tasks import releases as tasks
from callprivacy.accounts import seconding
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.services import erasure
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.work.models import Item, Notification
from consent.enums import Purpose
from consent.models import ConsentState, MinorMark
from retention.selectors import due
from tests import make
from tests.analytics import released
from tests.analytics.calls import work
from tests.cast import Cast
from tests.scale import some, tell, times

pytestmark = pytest.mark.django_db

LATER = make.NOON + timedelta(hours=1)
SAID_DAYS = f"{released.FIRST:1 %b %Y} to {released.LAST:31 %b %Y}"


def _file(release: Release) -> tuple[list[str], list[list[str]]]:
    assert release.file_key is not None
    with files.open(release.client_id, release.file_key) as file:
        rows = list(csv.reader(io.StringIO(file.read().decode())))
    return rows[0], rows[1:]


def _ids(client: Client, *numbers: str) -> list[uuid.UUID]:
    found = vault_selectors.ids_of_numbers(vault_selectors.client_keys(client.pk), numbers)
    return [found[number] for number in numbers]


def _somebody_in(release: Release) -> tuple[str, uuid.UUID]:
    """The number and the id of a caller who has rows in a release; others are left out of it by chance."""
    keys, inside = building.keys_for(release, at=make.NOON), holding.members_of(release).callers.values()
    return next(
        (number, found)
        for number in map(released.number, range(60))
        if keys.caller(found := _ids(release.client, number)[0]) in inside
    )


# --- From the draft to the file ---


def test_a_release_is_tried_proposed_signed_by_another_and_built(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    to = released.recipient(cast.dentist, cast.alice)

    waiting = released.proposed(released.draft(to, cast.alice), cast.alice)
    assert waiting.state == ReleaseState.WAITING
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=kinds.RELEASE_WAITS).count() == 1

    release = released.signed(waiting, olga)
    assert release.state == ReleaseState.RELEASED
    assert release.ends_at == make.NOON + timedelta(days=30)
    head, rows = _file(release)
    assert head == ["Day", "State or country", "Length", "Source", "Outcome"]
    assert len(rows) == release.rows
    # What pyCANON calls k, and more: callers are counted, and there are two calls of each.
    assert min(Counter(tuple(row[:4]) for row in rows).values()) >= 11
    assert release.report["people"] >= 11
    # In no order: neither as the calls came nor as their texts are.
    assert rows != sorted(rows)
    assert release.file_key is not None
    with files.open(release.client_id, release.file_key) as file:
        assert hashlib.sha256(file.read()).digest() == bytes(release.digest or b"")
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.RELEASE_WAITS).exists()
        said = (
            Event.objects.filter(subject_id=str(release.pk)).order_by("pk").values_list("action", flat=True)
        )
        assert list(said) == [
            "release.drafted", "release.proposed", "release.approved", "release.released",
        ]  # fmt: skip


@pytest.mark.thorough
def test_the_report_is_what_pycanon_finds_in_the_file(cast: Cast, tmp_path: Path) -> None:
    from lab.bench import referees

    released.fill(cast.dentist, callers=80, calls_each=1)
    to = released.recipient(cast.dentist, cast.alice)
    waiting = released.proposed(released.draft(to, cast.alice), cast.alice, l=2)
    release = released.signed(waiting, released.officer(cast))

    head, rows = _file(release)
    path = tmp_path / "out.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([head, *rows])
    found = referees.ask(
        {"of": "pycanon", "file": str(path), "delimiter": ";", "quasi": head[:4], "sensitive": ["Outcome"]},
        interpreter=referees.install(),
    )
    # One call of each caller, so that callers are rows.
    assert found["k"] == release.report["people"] >= 11
    assert found["Outcome"]["l"] == release.report["diversity"]["Outcome"] >= 2
    assert found["Outcome"]["t"] == pytest.approx(release.report["closeness"]["Outcome"])
    assert release.report["risks"]["prosecutor"] == pytest.approx(1 / found["k"])


def test_who_proposed_does_not_sign_and_the_database_says_so_too(cast: Cast) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    waiting = released.proposed(released.draft(to, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(seconding.SamePersonError):
            releases.approve(release=waiting, officer=cast.alice, at=LATER)
        with pytest.raises(releases.NotOpenError):
            releases.approve(release=waiting, officer=cast.bob, at=LATER)
        with pytest.raises(IntegrityError), transaction.atomic():
            Release.objects.filter(pk=waiting.pk).update(decided_by=waiting.proposed_by)
        with pytest.raises(IntegrityError), transaction.atomic():
            Release.objects.filter(pk=waiting.pk).update(state=ReleaseState.APPROVED)


def test_a_double_click_signs_once_and_builds_once(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    release = released.released(released.recipient(cast.dentist, cast.alice), [cast.alice, olga])
    with job_scope(agency_id=cast.acme.pk), pytest.raises(releases.NotOpenError):
        releases.approve(release=release, officer=olga, at=LATER)
    assert not building.build(due=Work(cast.acme.pk, release.pk), clock=lambda: LATER)
    assert released.fresh(release).file_key == release.file_key


def test_while_somebody_else_makes_the_reports_a_release_waits_and_nothing_has_failed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    to = released.recipient(cast.dentist, cast.alice)
    release = released.proposed(released.draft(to, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        making.begin_anew(client=cast.dentist)
        trial = releases.ask_trial(release=released.draft(to, cast.alice), k=12, l=None, t=None, at=LATER)
    with monkeypatch.context() as busy:
        busy.setattr(making, "work", lambda **_: making.Made())
        release = released.signed(release, olga, at=LATER)
        assert not building.run_trial(due=Work(cast.acme.pk, trial.pk), clock=lambda: LATER)
    with job_scope(agency_id=cast.acme.pk):
        trial.refresh_from_db()
    assert (release.state, release.failures, release.due_at) == (
        ReleaseState.APPROVED,
        0,
        LATER + timedelta(minutes=1),
    )
    assert (trial.state, trial.due_at) == (JobState.QUEUED, LATER + timedelta(minutes=1))


def test_a_search_that_takes_long_is_begun_by_nobody_else(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    to = released.recipient(cast.dentist, cast.alice)
    now = LATER
    search = anonymise.anonymise
    free: list[Work] = []

    def slow(*args: Any, progress: Callable[[str, int, int], None], **kwargs: Any) -> Any:
        nonlocal now
        for step in range(5):
            now += timedelta(minutes=4)
            progress("Searching", step, 5)
            with job_scope(agency_id=cast.acme.pk):
                free.extend(building.due_trials(agency_id=cast.acme.pk, at=now))
                free.extend(building.due_builds(agency_id=cast.acme.pk, at=now))
        return search(*args, progress=progress, **kwargs)

    release = released.proposed(released.draft(to, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        trial = releases.ask_trial(release=released.draft(to, cast.alice), k=12, l=None, t=None, at=LATER)
        releases.approve(release=release, officer=olga, at=LATER)
    monkeypatch.setattr(anonymise, "anonymise", slow)
    # The other one is due all the while, and no worker has it.
    assert building.run_trial(due=Work(cast.acme.pk, trial.pk), clock=lambda: now)
    assert set(free) == {Work(cast.acme.pk, release.pk)}
    free.clear()
    assert building.build(due=Work(cast.acme.pk, release.pk), clock=lambda: now)
    assert free == []


def test_few_rounds_of_holding_callers_back_are_enough(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the guard holds back is by a key that is drawn for each client."""
    searched: list[int] = []
    search = anonymise.anonymise

    def counted(*args: Any, **kwargs: Any) -> Any:
        searched[-1] += 1
        return search(*args, **kwargs)

    monkeypatch.setattr(anonymise, "anonymise", counted)
    for number in range(times(2, 60)):
        client = make.client(cast.acme, f"Client {number}")
        make.grant(cast.alice, client)
        released.fill(client)
        searched.append(0)
        trial = released.tried(released.draft(released.recipient(client, cast.alice), cast.alice))
        assert trial.refusal == ""
    tell(len(searched), f"trials, of which the longest took {max(searched)} rounds")


# --- The floor ---


def test_below_the_floor_nothing_is_tried_and_a_floor_that_rose_refuses_what_waits(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    release = released.draft(released.recipient(cast.dentist, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(releases.NotReleasableError, match="floor is k of 11"):
            releases.ask_trial(release=release, k=10, l=None, t=None, at=make.NOON)
        with pytest.raises(recipients.FloorTooLowError):
            recipients.set_floor(agency=cast.acme, k=10, most_suppressed=5, by=by, at=make.NOON)
    waiting = released.proposed(release, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        recipients.set_floor(agency=cast.acme, k=20, most_suppressed=5, by=by, at=make.NOON)
        with pytest.raises(releases.NotReleasableError, match="floor is k of 20"):
            releases.approve(release=waiting, officer=olga, at=LATER)


def test_no_row_of_a_call_about_health_leaves(cast: Cast) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.DENTAL)
    for kind in ReleaseKind:
        with pytest.raises(releases.NotReleasableError, match="about health"):
            released.draft(to, cast.alice, kind=kind)


@pytest.mark.parametrize("sector", some([Sector.CHILDREN, Sector.PAEDIATRIC], one_in=2))
def test_no_row_leaves_of_a_client_whose_callers_are_taken_for_minors(cast: Cast, sector: Sector) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    olga = released.officer(cast)
    out = released.released(to, [cast.alice, olga])
    waiting = released.proposed(released.draft(to, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=sector)
        with pytest.raises(releases.NotReleasableError):
            releases.approve(release=waiting, officer=olga, at=LATER)
    out = released.fresh(out)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(releases.BeingChangedError):
        releases.open_file(release=out, by=Actor.staff(user_id=cast.alice.user_id), at=LATER)
    for kind in ReleaseKind:
        with pytest.raises(releases.NotReleasableError, match=r"for a minor|about health"):
            released.draft(to, cast.alice, kind=kind)


@pytest.mark.parametrize("sector", [Sector.CHILDREN, Sector.HEALTH])
def test_what_is_out_of_a_client_that_turns_to_such_a_trade_is_revoked_and_its_recipient_told(
    cast: Cast, sector: Sector
) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    olga = released.officer(cast)
    out = released.released(to, [cast.alice, olga])
    signed = released.proposed(released.draft(to, cast.alice), cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        releases.approve(release=signed, officer=olga, at=make.NOON)
    tasks.end_releases(agency_id=cast.acme.pk)
    assert released.fresh(out).state == ReleaseState.RELEASED
    key = out.file_key
    assert key is not None
    mail.outbox.clear()
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=sector)
        with pytest.raises(releases.BeingChangedError, match="nobody takes the file"):
            releases.open_file(release=released.fresh(out), by=make.JOB, at=LATER)

    tasks.end_releases(agency_id=cast.acme.pk)
    tasks.end_releases(agency_id=cast.acme.pk)
    building.build(due=Work(cast.acme.pk, signed.pk), clock=lambda: LATER)

    out = released.fresh(out)
    assert (out.state, out.file_key, out.members_key) == (ReleaseState.REVOKED, None, None)
    with pytest.raises(FileNotFoundError):
        files.open(out.client_id, key)
    (letter,) = [one for one in mail.outbox if one.to == ["data@northwind.example"]]
    assert "was revoked" in letter.body
    assert out.told_at is not None
    assert released.fresh(signed).state == ReleaseState.REFUSED
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="release.revoked").count() == 1


@pytest.mark.thorough
def test_a_client_who_turns_to_health_before_the_second_signature_is_refused(cast: Cast) -> None:
    released.fill(cast.dentist)
    waiting = released.proposed(
        released.draft(released.recipient(cast.dentist, cast.alice), cast.alice), cast.alice
    )
    olga = released.officer(cast)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.HEALTH)
        with pytest.raises(releases.NotReleasableError, match="about health"):
            releases.approve(release=waiting, officer=olga, at=LATER)


def test_too_few_callers_are_refused_in_words(cast: Cast) -> None:
    released.fill(cast.dentist, callers=7)
    trial = released.tried(released.draft(released.recipient(cast.dentist, cast.alice), cast.alice))
    assert trial.refusal == "Calls of fewer callers may leave than the floor of 11. Choose more days."
    with job_scope(agency_id=cast.acme.pk), pytest.raises(releases.NotReleasableError):
        releases.propose(
            release=Release.objects.get(pk=trial.release_id),
            trial=trial,
            by=Actor.staff(user_id=cast.alice.user_id),
            at=make.NOON,
        )


def test_a_setting_that_was_tried_counts_nobody_exactly(cast: Cast) -> None:
    """Two trials, of a few days and one more, would count whoever called on that day."""
    released.fill(cast.dentist)
    waiting = released.proposed(
        released.draft(released.recipient(cast.dentist, cast.alice), cast.alice), cast.alice
    )
    assert waiting.report["rows"] % 10 == waiting.report["callers"] % 10 == 0
    assert "As it was tried, rounded" in selectors.sheet(waiting)
    tried = {
        "rows": 117, "callers": 1_234, "people": 11, "classes": 9, "suppressed": 3 / 117, "average": 13.0,
        "risks": {"marketer": 9 / 117, "journalist": None},
    }  # fmt: skip
    assert selectors.rounded(tried) == {
        "rows": 120, "callers": 1_200, "people": 11, "classes": 10, "suppressed": 0.03, "average": 13.0,
        "risks": {"marketer": 0.08, "journalist": None},
    }  # fmt: skip


def test_a_setting_is_computed_once_a_day(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.draft(released.recipient(cast.dentist, cast.alice), cast.alice)
    trial = released.tried(release)
    with job_scope(agency_id=cast.acme.pk):
        again = releases.ask_trial(release=release, k=11, l=None, t=None, at=LATER)
        assert (again.pk, again.due_at, again.result) == (trial.pk, None, trial.result)
        tomorrow = make.NOON + timedelta(hours=25)
        anew = releases.ask_trial(release=release, k=11, l=None, t=None, at=tomorrow)
        assert (anew.pk, anew.due_at) == (trial.pk, tomorrow)


# --- Who is in it ---


def test_nobody_who_said_no_no_minor_and_nobody_without_a_number_is_in_it(cast: Cast) -> None:
    released.fill(cast.dentist)
    make.call(cast.dentist, None, at=make.NOON - timedelta(days=40))
    objects, shares_not, analyses_not, minor, restricted = _ids(
        cast.dentist, *(released.number(who) for who in (0, 1, 2, 3, 5))
    )
    ours = {"agency_id": cast.acme.pk, "client_id": cast.dentist.pk}
    with job_scope(agency_id=cast.acme.pk):
        for caller_id, purpose in (
            (objects, Purpose.MEASURE), (shares_not, Purpose.SHARE), (analyses_not, Purpose.ANALYSE),
        ):  # fmt: skip
            ConsentState.objects.create(
                **ours, caller_id=caller_id, purpose=purpose, state="withdrawn", since=make.NOON
            )
        MinorMark.objects.create(**ours, caller_id=minor, marked_at=make.NOON)
        Caller.objects.filter(pk=restricted).update(restricted_at=make.NOON)
    vault.suppress(
        client_id=cast.dentist.pk,
        numbers=[released.number(4)],
        purposes=[Purpose.SHARE.value],
        at=make.NOON,
    )
    with job_scope(agency_id=cast.acme.pk):
        calls = releasable.calls_for_release(
            cast.dentist, from_on=released.FIRST, until_on=make.NOON.date(), at=make.NOON
        )
        assert calls.count() == 2 * (60 - 6)


@pytest.mark.thorough
def test_a_no_between_the_two_signatures_counts(cast: Cast) -> None:
    released.fill(cast.dentist)
    waiting = released.proposed(
        released.draft(released.recipient(cast.dentist, cast.alice), cast.alice), cast.alice
    )
    caller_id = _ids(cast.dentist, released.number(0))[0]
    with job_scope(agency_id=cast.acme.pk):
        ConsentState.objects.create(
            agency_id=cast.acme.pk, client_id=cast.dentist.pk, caller_id=caller_id, purpose=Purpose.SHARE,
            state="refused", since=make.NOON,
        )  # fmt: skip
    release = released.signed(waiting, released.officer(cast))
    assert building.keys_for(release, at=make.NOON).caller(caller_id) not in _callers_in(release)


# --- Together with what was released before ---


def test_a_release_that_with_an_earlier_one_isolates_callers_is_refused_and_says_which(cast: Cast) -> None:
    """A few days more, to somebody else: each is fine alone, and a gate that looked at it alone would let it pass."""
    released.fill(cast.dentist)
    people = [cast.alice, released.officer(cast)]
    first = released.released(released.recipient(cast.dentist, cast.alice), people)
    other = released.recipient(cast.dentist, cast.alice, "Contoso Media")

    draft = released.draft(other, cast.alice, columns=("hour", "source"))
    trial = released.tried(draft)
    assert trial.result["people"] >= 11
    assert f"Northwind Analytics, {SAID_DAYS}" in trial.refusal
    with job_scope(agency_id=cast.acme.pk):
        releases.revoke(release=first, reason="Replaced by another.", by=make.JOB, at=LATER)
    assert released.tried(draft, at=make.NOON + timedelta(hours=25)).refusal == ""


def _refuse_to_share(cast: Cast, *who: int) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for caller_id in _ids(cast.dentist, *map(released.number, who)):
            ConsentState.objects.create(
                agency_id=cast.acme.pk, client_id=cast.dentist.pk, caller_id=caller_id, purpose=Purpose.SHARE,
                state="refused", since=make.NOON,
            )  # fmt: skip


def _callers_in(release: Release) -> set[bytes]:
    return set(holding.members_of(release).callers.values())


def test_who_alone_refused_to_be_shared_does_not_follow_from_the_reports_of_the_same_days(cast: Cast) -> None:
    """Reports count their calls and the file would not: so other callers stay out beside them, enough for a report."""
    released.fill(cast.dentist)
    _refuse_to_share(cast, 0)
    people = [cast.alice, released.officer(cast)]
    release = released.released(
        released.recipient(cast.dentist, cast.alice), people, columns=("place", "source")
    )
    with job_scope(agency_id=cast.acme.pk):
        rows = Call.objects.for_client(cast.dentist).filter(caller_id__isnull=False)
        measured = set(rows.values_list("caller_id", flat=True))
    keys, here = building.keys_for(release, at=make.NOON), _callers_in(release)
    assert sum(keys.caller(one) not in here for one in measured) >= 5
    # Nor from the sheet: of how many rows these are, and how many stayed out, is in none of its lines.
    said = {line.label: line.value for line in selectors.found(release.report)}
    assert said["Rows"] == str(release.rows)
    assert "Held back" not in said
    # What is left out is of the rows that the search had, and they are too few by enough callers as well.
    searched = round((release.rows or 0) / (1 - release.report["suppressed"]))
    assert searched <= 2 * (60 - 5)


def test_no_week_of_a_report_minus_the_files_tells_of_few(cast: Cast) -> None:
    released.fill(cast.dentist, callers=120, calls_each=1)
    _refuse_to_share(cast, *range(6))
    people = [cast.alice, released.officer(cast)]
    release = released.released(released.recipient(cast.dentist, cast.alice), people, columns=("day",))
    _, rows = _file(release)
    # Each row says a day, or a week, or nothing but the month where its week has few days in it.
    found = Counter(date.fromisoformat(row[0][:10]).isocalendar().week for row in rows if len(row[0]) > 7)
    with job_scope(agency_id=cast.acme.pk):
        report = reports.report(
            reports.Asked(
                (cast.dentist.pk,),
                (Measure.CALLS,),
                released.FIRST,
                released.LAST + timedelta(days=1),
                step=Step.WEEK,
            )
        )
    told = {row.at.isocalendar().week: row.calls for row in report.rows if row.at is not None}
    assert found.keys() <= told.keys()
    assert sum(told.values()) == 120
    assert 120 - len(rows) not in range(1, 5)
    assert all(told[week] - found[week] not in range(1, 5) for week in told)


def test_a_months_report_minus_the_files_of_its_halves_tells_of_no_few(cast: Cast) -> None:
    """Of each file alone the other half is left out, too, and hides who refused: six in the first half."""
    released.fill(cast.dentist, callers=240, calls_each=1)
    ends = [released.FIRST + timedelta(days=days) for days in (0, 16, 31)]
    with job_scope(agency_id=cast.acme.pk):
        begins, until = releasable.days(cast.dentist, *ends[:2])
        calls = Call.objects.for_client(cast.dentist).started_from(begins).started_before(until)
        for caller_id in calls.order_by("pk").values_list("caller_id", flat=True)[:6]:
            ConsentState.objects.create(
                agency_id=cast.acme.pk, client_id=cast.dentist.pk, caller_id=caller_id, purpose=Purpose.SHARE,
                state="refused", since=make.NOON,
            )  # fmt: skip
    people, to = [cast.alice, released.officer(cast)], released.recipient(cast.dentist, cast.alice)
    found: Counter[str] = Counter()
    for begins_on, until_on in pairwise(ends):
        half = released.released(to, people, columns=("source",), from_on=begins_on, until_on=until_on)
        found.update(row[0] for row in _file(half)[1])
    with job_scope(agency_id=cast.acme.pk):
        report = reports.report(
            reports.Asked(
                (cast.dentist.pk,), (Measure.CALLS,), ends[0], ends[-1], dimensions=(Dimension.SOURCE,)
            )
        )
    left_out = [row.calls - found[str(row.keys[0])] for row in report.rows]
    assert sum(left_out) == 240 - found.total() >= 6
    assert not {1, 2, 3, 4} & set(left_out)


def test_of_days_of_which_reports_count_who_has_left_nothing_is_released(cast: Cast) -> None:
    """A month that is final counts whoever left it since, and what is made of its calls does not."""
    released.fill(cast.dentist, callers=120, calls_each=1)
    work(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
        making.settle(client=client, before=make.NOON - timedelta(days=45), at=make.NOON)
    draft = released.draft(to, cast.alice, columns=("source",))
    # As long as the month's calls are all here it is as any other.
    assert released.tried(draft).refusal == ""

    with job_scope(agency_id=cast.acme.pk):
        (caller_id,) = _ids(cast.dentist, released.number(0))
        ConsentState.objects.create(
            agency_id=cast.acme.pk, client_id=cast.dentist.pk, caller_id=caller_id, purpose=Purpose.MEASURE,
            state="withdrawn", since=make.NOON,
        )  # fmt: skip
    refusal = released.tried(draft, k=12).refusal
    assert f"Reports of {SAID_DAYS} stay as they are" in refusal
    assert "Choose days" in refusal


def test_where_an_earlier_list_is_lost_nothing_is_released_beside_it(cast: Cast) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    first = released.released(to, [cast.alice, released.officer(cast)])
    assert first.members_key is not None
    files.delete(cast.dentist.pk, first.members_key)
    trial = released.tried(
        released.draft(
            to,
            cast.alice,
            from_on=released.FIRST + timedelta(days=40),
            until_on=released.FIRST + timedelta(days=50),
        )
    )
    assert "fewer callers" in trial.refusal
    trial = released.tried(released.draft(to, cast.alice))
    assert "is gone: Northwind Analytics" in trial.refusal


def test_what_was_released_while_it_waited_refuses_it_when_it_is_built(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga = released.officer(cast)
    to = released.recipient(cast.dentist, cast.alice)
    slow = released.proposed(released.draft(to, cast.alice, columns=("hour", "source")), cast.alice)
    released.released(to, [cast.alice, olga])
    slow = released.signed(slow, olga, at=LATER)

    assert slow.state == ReleaseState.REFUSED
    assert "Northwind Analytics" in slow.refusal
    assert slow.file_key is None


@pytest.mark.thorough
def test_months_that_share_no_call_are_released_one_after_the_other(cast: Cast) -> None:
    released.fill(cast.dentist, callers=90, days=60, calls_each=3)
    people = [cast.alice, released.officer(cast)]
    to = released.recipient(cast.dentist, cast.alice)
    middle = released.FIRST + timedelta(days=30)
    for begins, ends in ((released.FIRST, middle), (middle, middle + timedelta(days=20))):
        assert released.released(to, people, from_on=begins, until_on=ends).state == ReleaseState.RELEASED


# --- Its end ---


def test_word_of_an_end_that_no_server_takes_makes_the_outbox_old(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    )
    with job_scope(agency_id=cast.acme.pk):
        releases.revoke(release=release, reason="The contract has ended.", by=make.JOB, at=LATER)
        Notification.objects.update(mail_due_at=None)
        for tries in range(4):
            at = LATER + tries * releases.MAIL_AGAIN_AFTER
            assert len(releases.claim_letters(agency_id=cast.acme.pk, at=at)) == 1
            assert due.outbox(cast.acme.pk, at) == (tries * 1800, 1)


def test_a_revoked_release_is_taken_by_nobody_its_files_go_and_the_recipient_is_told_once(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    )
    with job_scope(agency_id=cast.acme.pk):
        with releases.open_file(release=release, by=make.JOB, at=LATER):
            pass
        releases.revoke(release=release, reason="The contract has ended.", by=make.JOB, at=LATER)
        with pytest.raises(releases.GoneError):
            releases.open_file(release=release, by=make.JOB, at=LATER)
    for _ in range(2):
        tasks.end_releases(agency_id=cast.acme.pk)

    assert release.file_key is not None
    assert release.members_key is not None
    assert not files.exists(release.client_id, release.file_key)
    assert not files.exists(release.client_id, release.members_key)
    assert [one.to for one in mail.outbox] == [["data@northwind.example"]]
    assert "was revoked" in mail.outbox[0].body
    ended = released.fresh(release)
    assert (ended.state, ended.file_key, ended.told_at is not None) == (ReleaseState.REVOKED, None, True)


def test_a_release_ends_on_its_date(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    )
    assert release.ends_at is not None
    with job_scope(agency_id=cast.acme.pk):
        assert releases.expire(agency_id=cast.acme.pk, at=release.ends_at - timedelta(seconds=1)) == 0
        assert releases.expire(agency_id=cast.acme.pk, at=release.ends_at) == 1
        with pytest.raises(releases.GoneError):
            releases.open_file(release=release, by=make.JOB, at=release.ends_at)
    assert releases.destroy_ended(agency_id=cast.acme.pk) == 1
    assert releases.destroy_ended(agency_id=cast.acme.pk) == 0


# --- Who has left since ---


def test_of_an_erased_caller_a_release_holds_nothing_that_can_be_linked(cast: Cast) -> None:
    """
    The file holds groups that at least ten others share. The list of members holds keyed digests of two random ids that
    are nowhere any more: with the key in hand, nobody has what to put into it.
    """
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    )
    keys = building.keys_for(release, at=make.NOON)
    number, caller_id = _somebody_in(release)
    with job_scope(agency_id=cast.acme.pk):
        call_ids = list(Call.objects.filter(caller_id=caller_id).values_list("pk", flat=True))
    _erase(cast.dentist, caller_id)

    assert release.file_key is not None
    assert release.members_key is not None
    for key in (release.file_key, release.members_key):
        with files.open(release.client_id, key) as file:
            content = file.read()
        for trace in (
            number.encode(),
            caller_id.bytes,
            caller_id.hex.encode(),
            *(pk.bytes for pk in call_ids),
        ):
            assert trace not in content
    digest = keys.caller(caller_id)
    assert digest in holding.members_of(release).callers.values(), "whoever still had the id could find it"
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.filter(pk=caller_id).exists()
        assert not Call.objects.filter(pk__in=call_ids).exists()
        assert digest not in {keys.caller(pk) for pk in Caller.objects.values_list("pk", flat=True)}
    # Who calls again under the same number is somebody else.
    again = make.call(cast.dentist, number, at=LATER)
    assert again.caller_id is not None
    assert keys.caller(again.caller_id) != digest


def _erase(client: Client, caller_id: uuid.UUID) -> None:
    with job_scope(agency_id=client.agency_id):
        rows = Call.objects.for_client(client).filter(caller_id=caller_id)
        ids = tuple(rows.order_by("pk").values_list("pk", flat=True))
    chosen = erasure.Chosen(ids=ids, callers=frozenset([caller_id]))
    chosen = erasure.forget_callers(client=client, chosen=chosen, at=make.NOON)
    with job_scope(agency_id=client.agency_id):
        erasure.remove_calls(client=client, chosen=chosen)


def test_a_live_release_is_looked_at_once_a_quarter_and_waits_for_a_person_where_callers_have_left(
    cast: Cast,
) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)], keep_for_days=120
    )
    days = (make.NOON + timedelta(days=days) for days in range(105))
    january = next(day for day in days if day.day == 13 and day.month in {1, 4, 7, 10} - {make.NOON.month})
    with job_scope(agency_id=cast.acme.pk):
        assert building.due_scores(agency_id=cast.acme.pk, at=LATER) == []
        due = building.due_scores(agency_id=cast.acme.pk, at=january)
    assert [one.work_id for one in due] == [release.pk]
    assert building.score(due=due[0], clock=lambda: january) is False
    scored = released.fresh(release)
    assert scored.score["gone_callers"] == 0
    assert scored.score["smallest"] >= 11
    assert scored.score["prosecutor"] == pytest.approx(release.report["risks"]["prosecutor"])
    assert scored.score["journalist"] == pytest.approx(release.report["risks"]["journalist"])
    assert selectors.risk_now(scored).startswith(f"{1 / release.report['people']:.2%} at most")
    with job_scope(agency_id=cast.acme.pk):
        assert building.due_scores(agency_id=cast.acme.pk, at=january + timedelta(days=1)) == []

    _erase(cast.dentist, _somebody_in(release)[1])
    april = january + timedelta(days=90)
    assert building.score(due=due[0], clock=lambda: april) is True
    assert released.fresh(release).score["gone_callers"] == 1
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().get(kind=kinds.RELEASE_RISEN)
        assert (item.key, item.count) == (str(release.pk), 1)


def test_whose_calls_expired_has_not_left_and_who_was_erased_or_said_no_meanwhile_has(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)], keep_for_days=90
    )
    keys, there = building.keys_for(release, at=make.NOON), _callers_in(release)
    every = _ids(cast.dentist, *map(released.number, range(60)))
    erased, objects, *others = [one for one in every if keys.caller(one) in there]
    with job_scope(agency_id=cast.acme.pk):
        rows = Call.objects.for_client(cast.dentist).exclude(caller_id__in=[erased, objects])
        ids = tuple(rows.order_by("pk").values_list("pk", flat=True))
        erasure.close_before(client=cast.dentist, cutoff=make.NOON)
        erasure.remove_calls(client=cast.dentist, chosen=erasure.Chosen(ids=ids, callers=frozenset(others)))
    due, later = Work(cast.acme.pk, release.pk), make.NOON + timedelta(days=50)
    assert building.score(due=due, clock=lambda: later) is False
    found = released.fresh(release).score
    assert (found["gone_callers"], found["expired_callers"]) == (0, len(others))

    with job_scope(agency_id=cast.acme.pk):
        ConsentState.objects.create(
            agency_id=cast.acme.pk, client_id=cast.dentist.pk, caller_id=objects, purpose=Purpose.SHARE,
            state="refused", since=make.NOON,
        )  # fmt: skip
    up_to = vault.Erasure(erased, up_to=LATER, tombstone_ends_on=later.date())
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[up_to], at=LATER)
    _erase(cast.dentist, erased)
    assert building.score(due=due, clock=lambda: later) is True
    found = released.fresh(release).score
    assert (found["gone_callers"], found["expired_callers"]) == (2, len(others))


# --- Pseudonyms ---


def test_a_pseudonymised_file_needs_a_contract_and_a_short_life(cast: Cast) -> None:
    without = released.recipient(cast.dentist, cast.alice, contract="")
    with pytest.raises(releases.NotReleasableError, match="contract"):
        released.draft(without, cast.alice, kind=ReleaseKind.PSEUDONYMISED)
    to = released.recipient(cast.dentist, cast.alice, "Contoso Media")
    with pytest.raises(releases.NotReleasableError, match="30 days"):
        released.draft(to, cast.alice, kind=ReleaseKind.PSEUDONYMISED, keep_for_days=31)


@pytest.fixture
def may_share(monkeypatch: pytest.MonkeyPatch, cast: Cast) -> None:
    """Every caller has agreed to sharing, twice, as the law of no place could ask more."""
    released.fill(cast.dentist, callers=15)
    released.agree(cast.dentist)


@pytest.mark.usefixtures("may_share")
def test_tokens_are_the_recipients_own_and_are_nobodys_number(cast: Cast) -> None:
    people = [cast.alice, released.officer(cast)]
    found = []
    for name in ("Northwind Analytics", "Contoso Media"):
        to = released.recipient(cast.dentist, cast.alice, name)
        release = released.released(to, people, kind=ReleaseKind.PSEUDONYMISED, columns=("day", "source"))
        assert release.state == ReleaseState.RELEASED, release.refusal
        head, rows = _file(release)
        assert head[0] == "Caller (token)"
        found.append({row[0] for row in rows})
        assert "personal data" in selectors.sheet(release)
        assert "not anonymous" in selectors.sheet(release)
    assert [len(one) for one in found] == [15, 15]
    assert found[0].isdisjoint(found[1])


@pytest.mark.usefixtures("may_share")
def test_beside_a_pseudonymised_file_no_anonymised_one_of_the_same_calls_is_released(cast: Cast) -> None:
    people = [cast.alice, released.officer(cast)]
    to = released.recipient(cast.dentist, cast.alice)
    released.released(to, people, kind=ReleaseKind.PSEUDONYMISED, columns=("day",))
    trial = released.tried(released.draft(to, cast.alice, columns=("day",)))
    assert "fewer callers than the floor of 11: Northwind" in trial.refusal


def test_only_calls_whose_sharing_is_allowed_are_pseudonymised(cast: Cast) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    trial = released.tried(released.draft(to, cast.alice, kind=ReleaseKind.PSEUDONYMISED))
    assert "fewer callers may leave than the floor" in trial.refusal


# --- What is said of it ---


def test_the_data_sheet_says_what_was_done_what_is_risked_and_until_when(cast: Cast) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)]
    )
    sheet, ends = selectors.sheet(release), make.NOON + timedelta(days=30)
    for words in (
        "Northwind Analytics", bytes(release.digest or b"").hex(), f"{ends:%Y-%m-%d} 12:00 UTC",
        "| Source | made coarser |", "Prosecutor", "Journalist", "Marketer", "Loss", selectors.CAVEAT,
    ):  # fmt: skip
        assert words in sheet
    json.dumps(release.report, allow_nan=False)


def test_dropping_columns_alone_is_nowhere_called_anonymous() -> None:
    """Wherever a text says "anonymous", it says that something is not; each page of releases says of what this is."""
    root = Path(__file__).resolve().parent.parent.parent
    texts = [
        *(root / "templates" / "analytics").glob("*.html"),
        *(root / "analytics").rglob("*.py"),
        *(root / "docs").glob("*.md"),
        root / "README.md",
    ]
    allowed = ("no table anonymous", "not anonymous", "no more anonymous")
    faults = []
    for path in texts:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.lower()
            if "anonymous" in words and not any(one in words for one in allowed):
                faults.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    assert faults == []
    pages = [(root / "templates" / "analytics" / f"{name}.html").read_text(encoding="utf-8") for name in (
        "releases_all", "releases_client", "release_draft", "release_show",
    )]  # fmt: skip
    forms = [(root / "analytics" / "views" / f"{name}.py").read_text(encoding="utf-8") for name in (
        "releases", "anonymized_export",
    )]  # fmt: skip
    assert all("{{ caveat }}" in page for page in pages)
    assert all("CAVEAT} Next you see" in form for form in forms)
