"""Groups of one's own: equal to what is shipped until somebody changes them, a tree, and what a release is made by."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import reverse

from analytics.anonymise import levels
from analytics.anonymise.own import LEVELS, Own, OwnError, as_shipped
from analytics.forms.groups import GroupsForm
from analytics.models.releases import OwnGroups, Release, ReleaseState, ReleaseTrial
from analytics.selectors import releases as selectors
from analytics.services import releases
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics import released
from tests.cast import Cast

INSTANTS = [f"2026-10-{day:02}T{hour:02}:00-04:00" for day in range(1, 8) for hour in range(24)]
VALUES = {
    "day": ["2026-10-01", "2026-11-30"],
    "instant": INSTANTS,
    "place": ["US-NY", "US-TX", "CA-ON", "DE", "unknown"],
    "seconds": [str(seconds) for seconds in (0, 1, 14, 29, 59, 60, 299, 300, 1799, 5000)],
    "source": ["Google Ads", "gmb", "Direct", "Radio", "Uncle Bob", "unknown"],
}


@pytest.mark.parametrize("name", LEVELS)
def test_where_nothing_is_changed_groups_are_those_shipped(name: str) -> None:
    shipped = levels.load(name)
    for value in VALUES[name]:
        assert as_shipped().levels(name).groups(value) == shipped.groups(value)
    assert as_shipped().written() == {}
    assert Own.read({}) == as_shipped()


def test_what_is_changed_is_read_as_it_was_written() -> None:
    row = {
        "picked": {**as_shipped()._plain()["picked"], "day": ["month"], "source": ["channel"]},
        "channels": {"Our campaign": ["Google Ads", "Radio"], "the rest of it": ["Direct"]},
        "paid": ["Our campaign"],
        "bands": {
            "narrow bands": [0, 20, 40, 90],
            "bands": [0, 40, 90],
            "wide bands": [0, 90],
        },
        "parts": {"closed": [18, 9], "open": [9, 18]},
    }
    own = Own.read(row)
    assert own.written() == row
    assert own.levels("day").groups("2026-10-05") == ("2026-10-05", "2026-10")
    assert own.levels("source").groups("radio") == ("Our campaign",)
    assert own.levels("source").groups("Billboard") == ("other",)
    assert own.levels("seconds").groups("89") == ("40-89", "40-89", "0-89")
    assert own.levels("instant").groups("2026-10-03T08:30-04:00") == ("Sat 08", "weekend closed", "weekend")
    assert own.levels("place").groups("US-NY") == levels.load("place").groups("US-NY")
    for name, values in VALUES.items():
        own.levels(name).over(values)


def test_a_wider_level_stands_on_one_that_is_not_picked() -> None:
    own = Own.read({"picked": {"source": ["paid or not"], "instant": ["day type"], "place": ["country"]}})
    assert own.levels("source").groups("Radio") == ("paid",)
    assert own.levels("instant").groups("2026-10-03T08:30-04:00") == ("weekend",)
    assert own.levels("place").groups("US-NY") == ("US",)


@pytest.mark.parametrize(
    ("row", "part", "words"),
    [
        ({"picked": {"day": []}}, "day", "at least one"),
        ({"picked": {"place": ["planet"]}}, "place", "at least one"),
        ({"channels": {}, "paid": []}, "channels", "Name 1 to 40"),
        ({"channels": {"A": ["Radio"], "B": ["radio"]}, "paid": []}, "channels", "lies in “A” and in “B”"),
        ({"channels": {"A": [], "B": ["Radio"]}, "paid": []}, "channels", "has no source"),
        ({"channels": {"Radio": ["Radio"]}, "paid": []}, "channels", "is a source and a channel"),
        ({"channels": {"Ads": ["Radio"], "ads": ["TV"]}, "paid": []}, "channels", "the same name"),
        ({"channels": {"other": ["Radio"]}, "paid": []}, "channels", "word of the product"),
        ({"channels": {"=1+1|x": ["Radio"]}, "paid": []}, "channels", "no name for a group"),
        ({"channels": {"Ads": ["Radio"]}, "paid": ["Adds"]}, "paid", "There is no channel “Adds”"),
        ({"bands": {"bands": [0, 7]}}, "bands", "7 is not among the narrow bands"),
        ({"bands": {"wide bands": [60, 300]}}, "wide bands", "Begin with 0"),
        ({"bands": {"narrow bands": [0, 60, 60]}}, "narrow bands", "begins after"),
        ({"parts": {"day": [6, 22]}}, "parts", "0:00 lies in no part"),
        ({"parts": {"day": [6, 22], "night": [21, 6]}}, "parts", "21:00 lies in “day” and in “night”"),
        ({"parts": {"day": [0, 25]}}, "parts", "Hours go from 0 to 24"),
    ],
)
def test_what_is_no_tree_or_says_nothing_is_refused_in_words(
    row: dict[str, Any], part: str, words: str
) -> None:
    with pytest.raises(OwnError, match=words) as caught:
        Own.read(row)
    assert caught.value.part == part


# --- A client's ---


def _set(client: Client, own: Own, by: Membership, *, after: int = 0) -> OwnGroups:
    with job_scope(agency_id=client.agency_id):
        return releases.set_groups(
            client=client, own=own, after=after, by=Actor.staff(user_id=by.user_id), at=make.NOON
        )


def _column(release: Release, name: str) -> set[str]:
    assert release.file_key is not None
    with files.open(release.client_id, release.file_key) as file:
        return {row[name] for row in csv.DictReader(io.StringIO(file.read().decode()))}


def _channels(**channels: list[str]) -> Own:
    named = {name.replace("_", " "): tuple(sources) for name, sources in channels.items()}
    return replace(
        as_shipped(), channels=named, paid=(), picked={**as_shipped().picked, "source": ("channel",)}
    )


@pytest.mark.django_db
def test_a_release_is_made_by_the_clients_groups_and_its_sheet_says_which(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga, to = released.officer(cast), released.recipient(cast.dentist, cast.alice)
    own = _channels(bought=["Google Ads", "Facebook Ads"], found=["google organic", "Direct"])
    _set(cast.dentist, own, cast.alice)

    release = released.released(to, [cast.alice, olga], columns=["source"], k=55)
    # Nobody reaches 55 callers of 60 by one source alone.
    assert _column(release, "Source") <= {"bought", "found", "*"}
    assert release.report["groups"] == 1
    sheet = selectors.sheet(release)
    assert "number 1 of this client" in sheet
    assert "    - bought: Google Ads, Facebook Ads" in sheet
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="release_groups.set")
        assert event.actor_user_id == cast.alice.user_id


@pytest.mark.django_db
def test_what_a_setting_costs_follows_the_groups_and_drafts_are_tried_anew(cast: Cast) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    draft = released.draft(to, cast.alice, columns=["source"])
    shipped = released.tried(draft, k=40)

    coarse = _channels(all_of_it=["Google Ads", "Google Organic", "Facebook Ads", "Direct"])
    _set(cast.dentist, coarse, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        assert not ReleaseTrial.objects.filter(pk=shipped.pk).exists()
        with pytest.raises(releases.NotOpenError):
            releases.propose(
                release=draft, trial=shipped, by=Actor.staff(user_id=cast.alice.user_id), at=make.NOON
            )
    anew = released.tried(released.fresh(draft), k=40)
    assert anew.result["groups"] == 1
    assert anew.result["loss"] > shipped.result["loss"]
    assert anew.result["people"] >= 40


@pytest.mark.django_db
def test_what_waits_keeps_the_groups_it_was_tried_with(cast: Cast) -> None:
    released.fill(cast.dentist)
    olga, to = released.officer(cast), released.recipient(cast.dentist, cast.alice)
    first = _set(cast.dentist, _channels(one=["Google Ads"], two=["Direct", "Facebook Ads"]), cast.alice)
    waiting = released.proposed(released.draft(to, cast.alice, columns=["source"]), cast.alice, k=50)
    _set(cast.dentist, as_shipped(), cast.alice, after=1)

    release = released.signed(waiting, olga)
    assert release.state == ReleaseState.RELEASED
    assert release.groups_id == first.pk
    assert _column(release, "Source") <= {"one", "two", "other", "*"}
    with job_scope(agency_id=cast.acme.pk):
        newest = selectors.groups_of(cast.dentist)
    assert newest is not None
    assert (newest.number, newest.said) == (2, {})


@pytest.mark.django_db
def test_of_two_who_change_the_same_groups_the_second_is_told(cast: Cast) -> None:
    _set(cast.dentist, _channels(one=["Google Ads"]), cast.alice)
    with pytest.raises(releases.GroupsChangedError, match="Somebody else"):
        _set(cast.dentist, _channels(two=["Google Ads"]), cast.alice)


@pytest.mark.django_db
def test_nobody_changes_what_was_written_and_only_who_releases_writes(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    _set(cast.dentist, _channels(one=["Google Ads"]), cast.alice)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert OwnGroups.objects.for_client(cast.dentist).update(number=9) == 0
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not OwnGroups.objects.for_client(cast.dentist).exists()
        with pytest.raises(DatabaseError), transaction.atomic():
            OwnGroups.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, number=2, said={}, set_by_id=cast.bob.user_id,
                set_at=make.NOON,
            )  # fmt: skip


# --- The page ---


def _typed(own: Own, *, after: int = 0, **fields: object) -> dict[str, object]:
    return {**GroupsForm.of(own, after=after).initial, **fields}


@pytest.mark.django_db
def test_groups_are_changed_on_a_page_and_put_back(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    alice, url = signed_in(cast.alice), reverse("analytics:release_groups", args=["dentist"])
    assert b"The defaults: no user has changed them" in alice.get(url).content

    fields = _typed(
        as_shipped(),
        channels="Bought :  Google Ads,Radio ,, Google Ads\n\nFound: Direct",
        paid="Bought",
        parts="open: 8:00 to 18:00\nclosed: 18-8",
        steps_day=["month"],
    )
    assert alice.post(url, fields).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row = selectors.groups_of(cast.dentist)
    assert row is not None
    assert row.said["channels"] == {"Bought": ["Google Ads", "Radio"], "Found": ["Direct"]}
    assert row.said["parts"] == {"open": [8, 18], "closed": [18, 8]}
    assert row.said["picked"]["day"] == ["month"]
    assert "bands" not in row.said
    page = alice.get(url).content.decode()
    assert "Bought: Google Ads, Radio" in page
    assert "closed: 18-8" in page

    alice.post(url, {"shipped": "1", "after": "1"})
    with job_scope(agency_id=cast.acme.pk):
        back = selectors.groups_of(cast.dentist)
    assert back is not None
    assert (back.number, back.said) == (2, {})
    assert b"Somebody else has changed them" in alice.post(url, fields).content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channels": "Google Ads"}, "no colon"),
        ({"channels": "A: Radio\nA: TV"}, "Two lines are called"),
        ({"channels": "A: 212 555-0101", "paid": ""}, "looks like a number"),
        ({"paid": "nothing of ours"}, "There is no channel"),
        ({"bands": "0, 30, many"}, "Write whole seconds"),
        pytest.param({"bands": "0, 31"}, "is not among the narrow bands", marks=pytest.mark.thorough),
        ({"parts": "day: morning"}, "is not two hours"),
        pytest.param({"parts": "day: 6-22"}, "lies in no part of the day", marks=pytest.mark.thorough),
        pytest.param({"steps_place": []}, "Pick at least one of the steps", marks=pytest.mark.thorough),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field(
    cast: Cast, fields: dict[str, object], words: str
) -> None:
    make.grant(cast.alice, cast.dentist)
    url = reverse("analytics:release_groups", args=["dentist"])
    page = signed_in(cast.alice).post(url, _typed(as_shipped()) | fields)
    assert words in page.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not OwnGroups.objects.exists()


@pytest.mark.django_db
def test_only_who_may_release_a_clients_data_changes_its_groups(cast: Cast) -> None:
    def status(browser: Browser) -> int:
        return browser.post(
            reverse("analytics:release_groups", args=["dentist"]), _typed(as_shipped())
        ).status_code

    manager = make.person(cast.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    assert status(signed_in(manager)) == 403
    assert status(signed_in(cast.mallory)) == 404
