"""Premises: who came in, once each, and what is wrong with it."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from callprivacy.accounts.enums import MembershipState
from callprivacy.accounts.models import Membership, User
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from governance import kinds, spans
from governance.enums import EntryFlag, EntrySource
from governance.models import Badge, DoorHours, Entry, KioskLink, Site, SiteKey
from governance.selectors import premises as selectors
from governance.services import badge_systems, kiosks, premises, sites
from tests import make
from tests.cast import Cast
from tests.rules.world import browser_of

NEW_YORK = ZoneInfo("America/New_York")
needs_db = pytest.mark.django_db
NOON = make.NOON - timedelta(days=(make.NOON.weekday() - 1) % 7)
"""Noon of a Tuesday."""
MONDAY, WEDNESDAY, THURSDAY, SATURDAY = (str(NOON.date() + timedelta(days=days)) for days in (-1, 1, 2, 4))
HEAD = "reference,badge,direction,at\n"


def test_a_file_is_read_in_the_sites_zone_or_with_its_own_offset() -> None:
    found = premises.read_file(
        f"\ufeff{HEAD}1,A7,in,2026-11-24T08:30\n2,a7 ,OUT,2026-11-24T17:00+00:00\n",
        zone=NEW_YORK,
        at=NOON + timedelta(days=1),
    )

    assert [one.at for one in found] == [
        datetime(2026, 11, 24, 8, 30, tzinfo=NEW_YORK),
        datetime.fromisoformat("2026-11-24T17:00+00:00"),
    ]
    assert premises.digest(found[0].code) == premises.digest(found[1].code)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("reference,badge,at\n", 1),
        (f"{HEAD}1,A7,in,2026-11-24T08:30\n2,A7,through,2026-11-24T08:30\n", 3),
        (f"{HEAD}1,,in,2026-11-24T08:30\n", 2),
        (f"{HEAD},A7,in,2026-11-24T08:30\n", 2),
        (f"{HEAD}1,A7,in,yesterday\n", 2),
        (f"{HEAD}1,A7,in,0001-01-01T00:00+14:00\n", 2),
        (f"{HEAD}1,A7,in,9999-12-31T23:59\n", 2),
        (f"{HEAD}1,A7,in,2026-11-24T08:39\n2,A7,in,2026-11-24T08:41\n", 3),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, line: int) -> None:
    with pytest.raises(premises.FileError) as caught:
        premises.read_file(text, zone=NEW_YORK, at=datetime(2026, 11, 24, 8, 30, tzinfo=NEW_YORK))
    assert caught.value.line == line


def _site(cast: Cast) -> Site:
    site = premises.add_site(
        agency=cast.acme,
        name="Office",
        address="",
        time_zone="America/New_York",
        weekdays=[1, 2, 3, 4, 5],
        opens=time(8),
        closes=time(18),
        by=make.JOB,
        at=NOON,
    )
    premises.give_badge(
        site=site, user_id=cast.bob.user_id, label="B1", code="B1", any_hour=False, until_on=None,
        by=make.JOB, at=NOON,
    )  # fmt: skip
    return site


def _came(
    site: Site, *rows: tuple[str, str, bool, str], source: EntrySource = EntrySource.FILE
) -> tuple[int, int]:
    passings = [
        premises.Passing(reference, code, is_in, datetime.fromisoformat(at).replace(tzinfo=NEW_YORK))
        for reference, code, is_in, at in rows
    ]
    return premises.take_in(site=site, passings=passings, source=source, by=make.JOB, at=NOON)


@needs_db
def test_the_same_file_twice_is_taken_once_and_the_way_out_closes_the_entry(cast: Cast) -> None:
    rows = (("1", "B1", True, f"{WEDNESDAY}T08:30"), ("2", "B1", False, f"{WEDNESDAY}T12:00"))
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        assert _came(site, *rows) == (1, 0)
        assert _came(site, *rows) == (0, 0)
        entry = Entry.objects.get()
    assert entry.user_id == cast.bob.user_id
    assert entry.left_at == datetime.fromisoformat(f"{WEDNESDAY}T12:00").replace(tzinfo=NEW_YORK)


@needs_db
def test_what_a_system_has_sent_is_the_same_event_in_a_file(cast: Cast) -> None:
    rows = (("1", "B1", True, f"{WEDNESDAY}T08:30"), ("2", "B1", False, f"{WEDNESDAY}T12:00"))
    again = (*rows, ("3", "B1", True, f"{WEDNESDAY}T09:00"))
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        assert _came(site, *rows, source=EntrySource.SYSTEM) == (1, 0)
        assert _came(site, *rows) == (0, 0)
        # The way out is of the entry that it has closed, and closes no other one.
        assert _came(site, *again) == (1, 0)
        assert list(Entry.objects.inside().values_list("reference", flat=True)) == ["3"]
        # A form of the sign-in page has a reference of its own.
        assert _came(site, ("1", "B1", True, f"{THURSDAY}T09:00"), source=EntrySource.KIOSK) == (1, 0)


@needs_db
def test_an_entry_that_was_looked_at_waits_again_once_nobody_left(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        _came(site, ("1", "B1", True, f"{SATURDAY}T03:00"))
        entry = Entry.objects.get()
        premises.look_at(
            entry=entry, reason="Fetched the laptop", by=make.JOB, at=entry.entered_at + timedelta(hours=1)
        )
    premises.watch_premises(agency_id=cast.acme.pk, at=entry.entered_at + timedelta(hours=17))
    with job_scope(agency_id=cast.acme.pk):
        entry = Entry.objects.get()
        assert (entry.flags, entry.looked_at) == ([EntryFlag.OUTSIDE_HOURS, EntryFlag.NO_EXIT], None)
        assert Item.objects.open().get(kind=kinds.PREMISES).count == 1


@needs_db
def test_a_site_is_changed_on_its_page_and_who_comes_then_is_judged_by_its_new_hours(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
    alice, change = browser_of(cast.alice.user), reverse("governance:change_site", args=[site.pk])
    said = {
        "name": "New office", "address": "2 Main Street", "time_zone": "America/New_York",
        "weekdays": ["1", "2", "3", "4", "5"], "opens": "06:00", "closes": "18:00",
    }  # fmt: skip
    assert 'value="08:00"' in alice.get(change).content.decode()
    assert alice.post(change, said).status_code == 302
    assert alice.post(change, said).status_code == 302, "the same again is not logged"
    assert browser_of(cast.bob.user).post(change, said).status_code == 403
    assert browser_of(cast.mallory.user).post(change, said).status_code == 404

    with job_scope(agency_id=cast.acme.pk):
        site = Site.objects.get()
        assert (site.name, site.rooms) == ("New office", [])
        assert _came(site, ("1", "B1", True, f"{WEDNESDAY}T06:30")) == (1, 0)
        told = Event.objects.get(action="site.changed").details
        assert told["changed"] == "name address opens"
        assert (told["was"], told["hours"]) == (
            "12345 08:00-18:00 America/New_York",
            "12345 06:00-18:00 America/New_York",
        )
        other = premises.add_site(
            agency=cast.acme, name="Store", address="", time_zone="UTC", weekdays=[1], opens=time(8),
            closes=time(9), by=make.JOB, at=NOON,
        )  # fmt: skip
    taken = alice.post(reverse("governance:change_site", args=[other.pk]), said)
    assert "already exists" in taken.content.decode()


@needs_db
def test_a_site_that_closes_takes_its_keys_and_its_door_along_and_badges_still_come_back(cast: Cast) -> None:
    alice = browser_of(cast.alice.user)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        by = Actor.staff(user_id=cast.alice.user_id)
        site = _site(cast)
        badge_systems.create_key(site=site, name="Reader", by=by, at=make.now())
        kiosks.make_link(site=site, instead_of=None, by=by, at=make.now())
        badge = Badge.objects.get()
    close = reverse("governance:close_site", args=[site.pk])
    shown = alice.get(close)
    assert [row["value"] for row in shown.context["extent"]] == [1, "yes", 1, 0]
    assert browser_of(cast.bob.user).post(close).status_code == 403
    assert alice.post(close).status_code == 302
    assert alice.post(close).status_code == 404

    with job_scope(agency_id=cast.acme.pk):
        assert Site.objects.get().closed_on is not None
        assert not SiteKey.objects.filter(revoked_at=None).exists()
        assert not KioskLink.objects.filter(ended_at=None).exists()
        assert Event.objects.get(action="site.closed").details["keys"] == 1
        assert Event.objects.filter(action__in=["site_key.revoked", "kiosk.link_ended"]).count() == 2
        with pytest.raises(sites.ClosedError):
            sites.close_site(site=site, by=make.JOB, at=NOON)
    for name in ("give_badge", "entries_file", "site_key", "kiosk", "site_rooms", "door_hours"):
        assert alice.get(reverse(f"governance:{name}", args=[site.pk])).status_code == 404, name
    page = alice.get(reverse("governance:site", args=[site.pk])).content.decode()
    assert "Closed since" in page
    assert close not in page
    assert "closed since" in alice.get(reverse("governance:entries")).content.decode()
    alice.post(reverse("governance:return_badge", args=[site.pk, badge.pk]))
    with job_scope(agency_id=cast.acme.pk):
        assert not Badge.objects.filter(returned_on=None).exists()


@needs_db
def test_what_is_wrong_stands_on_the_entry_and_waits_for_a_person(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        _came(
            site,
            ("1", "B1", True, f"{WEDNESDAY}T07:59"),
            ("2", "B1", True, f"{SATURDAY}T10:00"),
            ("3", "X9", True, f"{WEDNESDAY}T10:00"),
            ("4", "B1", True, f"{MONDAY}T10:00"),
            ("5", "B1", True, f"{WEDNESDAY}T17:59"),
        )
        flags = dict(Entry.objects.values_list("reference", "flags"))
        item = Item.objects.open().get(kind=kinds.PREMISES)
    assert flags == {
        "1": [EntryFlag.OUTSIDE_HOURS],
        "2": [EntryFlag.OUTSIDE_HOURS],
        "3": [EntryFlag.UNKNOWN],
        "4": [EntryFlag.NO_RIGHT],
        "5": [],
    }
    assert item.count == 4


@needs_db
@pytest.mark.parametrize("how", ["suspended", "switched off"])
def test_the_badge_of_somebody_who_left_is_told_of(cast: Cast, how: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        if how == "suspended":
            Membership.objects.filter(pk=cast.bob.pk).update(state=MembershipState.SUSPENDED)
        else:
            User.objects.filter(pk=cast.bob.user_id).update(is_active=False)
        _came(site, ("1", "B1", True, f"{WEDNESDAY}T10:00"))
        assert Entry.objects.get().flags == [EntryFlag.LEFT]


@needs_db
def test_who_never_left_is_flagged_once_and_old_entries_go(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        _came(site, ("1", "B1", True, f"{WEDNESDAY}T10:00"))
    for days in (3, 3.1):
        premises.watch_premises(agency_id=cast.acme.pk, at=NOON + timedelta(days=days))
    with job_scope(agency_id=cast.acme.pk):
        entry = Entry.objects.get()
        assert entry.flags == [EntryFlag.NO_EXIT]
        premises.look_at(entry=entry, reason="Forgot to hold the badge", by=make.JOB, at=NOON)
        assert not Item.objects.open().exists()
        with pytest.raises(premises.NotOutError):
            premises.look_at(entry=entry, reason="Again", by=make.JOB, at=NOON)


@needs_db
def test_a_visitor_signs_in_and_out(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        premises.come_by_kiosk(
            site=site, reference="1", number_digest=b"1", visitor="Ms Guest", host_id=cast.alice.user_id,
            by=make.JOB, at=NOON + timedelta(hours=4),
        )  # fmt: skip
        entry = Entry.objects.get()
        assert selectors.entries(inside=True).count() == 1
        premises.sign_out(entry=entry, by=make.JOB, at=NOON + timedelta(hours=5))
        with pytest.raises(premises.NotOutError):
            premises.sign_out(entry=entry, by=make.JOB, at=NOON + timedelta(hours=5))
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not Entry.objects.exists()


@needs_db
def test_a_code_is_out_once(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        with pytest.raises(premises.TakenError):
            premises.give_badge(
                site=site, user_id=cast.alice.user_id, label="B2", code="b1", any_hour=True, until_on=None,
                by=make.JOB, at=NOON,
            )  # fmt: skip
        badge = selectors.badges(site)[0]
        premises.return_badge(badge=badge, on=NOON.date(), by=make.JOB, at=NOON)
        premises.give_badge(
            site=site, user_id=cast.alice.user_id, label="B2", code="b1", any_hour=True, until_on=None,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        assert Site.objects.count() == 1


# --- Access hours ---------------------------------------------------------------------------------------------------


def _flags_of(site: Site, *rows: tuple[str, str, str]) -> list[list[str]]:
    """Flags of entries by badge, room and time as named."""
    passings = [
        premises.Passing(f"{number}", code, True, datetime.fromisoformat(at).replace(tzinfo=NEW_YORK), room)
        for number, (code, room, at) in enumerate(rows)
    ]
    premises.take_in(site=site, passings=passings, source=EntrySource.SYSTEM, by=make.JOB, at=NOON)
    found = {row.reference: row.flags for row in Entry.objects.filter(site=site)}
    return [found[str(number)] for number in range(len(rows))]


def _hours(
    site: Site, room: str, badge: Badge | None, opens: int, closes: int, *, days: str = "12345"
) -> DoorHours:
    return premises.set_hours(
        site=site, room=room, badge=badge, weekdays=[int(day) for day in days], opens=time(opens),
        closes=time(closes), by=make.JOB, at=NOON,
    )  # fmt: skip


@needs_db
def test_the_nearest_hours_of_a_badge_and_a_room_decide(cast: Cast) -> None:
    out = [EntryFlag.OUTSIDE_HOURS]
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        premises.name_rooms(site=site, rooms=["Lab", "Store"], by=make.JOB, at=NOON)
        site.refresh_from_db()
        first = selectors.badges(site)[0]
        premises.give_badge(
            site=site, user_id=cast.alice.user_id, label="B2", code="B2", any_hour=True, until_on=None,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        _hours(site, "Lab", None, 9, 12)
        _hours(site, "Lab", first, 6, 7, days="3")
        _hours(site, "", first, 10, 0)

        assert _flags_of(
            site,
            ("B1", "Lab", f"{WEDNESDAY}T06:30"),  # its own hours for the room
            ("B1", "Lab", f"{THURSDAY}T06:30"),  # on another day
            ("B1", "Lab", f"{WEDNESDAY}T09:30"),  # the room's hours, which its own replace
            ("B1", "Store", f"{WEDNESDAY}T23:59:59"),  # its own for every other door, to the end of the day
            ("B1", "", f"{WEDNESDAY}T09:00"),  # the site is open, the badge's own hours begin at ten
            ("B2", "Lab", f"{WEDNESDAY}T03:00"),  # at any hour, also where the room has hours
        ) == [[], out, out, [], out, []]
        assert [(door.room, door.words) for door in selectors.doors(site, first, selectors.hours(site))] == [
            ("", "Mon to Fri, 10:00 to 24:00"), ("Lab", "Wed, 06:00 to 07:00"), ("Store", "Mon to Fri, 10:00 to 24:00"),
        ]  # fmt: skip
        told = [(row.badge, row.room, row.times) for row in selectors.outside_hours(site, since=NOON)]
        assert told == [("B1", "Lab", 2), ("B1", "", 1)]


@needs_db
def test_hours_are_replaced_and_taken_out_with_their_room(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        premises.name_rooms(site=site, rooms=["Lab"], by=make.JOB, at=NOON)
        site.refresh_from_db()
        _hours(site, "Lab", None, 9, 12)
        row = _hours(site, "Lab", None, 9, 15)
        assert [str(spans.Span.of(one)) for one in selectors.hours(site)] == ["Mon to Fri, 09:00 to 15:00"]
        for room, badge in (("Cellar", None), ("", None)):
            with pytest.raises(premises.NoRoomError):
                _hours(site, room, badge, 9, 12)
        premises.end_hours(hours=row, by=make.JOB, at=NOON)
        assert not selectors.hours(site)
        _hours(site, "Lab", None, 9, 15)
        premises.name_rooms(site=site, rooms=["Store"], by=make.JOB, at=NOON)
        assert not selectors.hours(site)


@needs_db
def test_a_room_that_is_not_named_any_more_is_open_to_no_badge(cast: Cast) -> None:
    noon = f"{WEDNESDAY}T12:00"
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        premises.name_rooms(site=site, rooms=["Lab", "Store"], by=make.JOB, at=NOON)
        premises.give_badge(
            site=site, user_id=cast.alice.user_id, label="B2", code="B2", any_hour=False, until_on=None,
            rooms=["Store"], by=make.JOB, at=NOON,
        )  # fmt: skip
        premises.name_rooms(site=site, rooms=["Lab"], by=make.JOB, at=NOON)
        site.refresh_from_db()

        assert _flags_of(
            site, ("B1", "Lab", noon), ("B1", "Store", noon), ("B2", "Store", noon), ("B1", "", noon)
        ) == [[], [EntryFlag.NO_RIGHT], [EntryFlag.NO_RIGHT], []]


@needs_db
def test_who_manages_the_agency_sets_hours_on_the_sites_page(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        site = _site(cast)
        premises.name_rooms(site=site, rooms=["Lab"], by=make.JOB, at=NOON)
        badge = selectors.badges(site)[0]
    alice, page = browser_of(cast.alice.user), reverse("governance:door_hours", args=[site.pk])
    said = {"room": "", "badge": "", "weekdays": ["1", "7"], "opens": "08:00", "closes": "00:00"}

    assert "Select a room or a badge" in alice.post(page, said).content.decode()
    backwards = alice.post(page, said | {"room": "Lab", "closes": "07:00"})
    assert "The end must be after the start" in backwards.content.decode()
    shown = alice.post(page, said | {"room": "Lab", "badge": str(badge.pk)}, follow=True).content.decode()
    assert "Mon, Sun, 08:00 to 24:00" in shown
    with job_scope(agency_id=cast.acme.pk):
        row = DoorHours.objects.get()
    gone = alice.post(reverse("governance:end_hours", args=[site.pk, row.pk]), follow=True).content.decode()
    assert "Access hours deleted" in gone
    assert browser_of(cast.bob.user).get(page).status_code == 403
