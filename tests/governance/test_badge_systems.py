"""The door of badge systems: idempotent, for one site's key alone; rooms, and who holds a badge on which day."""

import json
import re
from datetime import datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client as Browser

from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from governance.enums import EntryFlag
from governance.models import Badge, Entry, Site, SiteKey
from governance.services import badge_systems, premises
from tests import make
from tests.cast import Cast
from tests.consent.systems import system_of
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db
DOOR = "/api/v1/premises/entries"
LATER = NOON + timedelta(days=2)


def site_of(cast: Cast, name: str = "Office") -> tuple[Site, str]:
    """A site that is always open, bob's badge for its lab alone, and the text of its key."""
    with job_scope(agency_id=cast.acme.pk):
        site = premises.add_site(
            agency=cast.acme, name=name, address="", time_zone="America/New_York", weekdays=range(1, 8),
            opens=time(0), closes=time(23, 59), rooms=["Lab", "Server room"], by=make.JOB, at=NOON,
        )  # fmt: skip
        premises.give_badge(
            site=site, user_id=cast.bob.user_id, label="B1", code=f"{name}-B1", any_hour=True, until_on=None,
            rooms=["Lab"], by=make.JOB, at=NOON,
        )  # fmt: skip
        by = Actor.staff(user_id=cast.alice.user_id)
        return site, badge_systems.create_key(site=site, name="Reader", by=by, at=NOON).text


def passed(
    reference: str, direction: str, at: datetime, *, badge: str = "Office-B1", room: str = ""
) -> dict[str, str]:
    return {
        "reference": reference, "badge": badge, "direction": direction, "at": at.isoformat(), "room": room,
    }  # fmt: skip


def send(key: str, *events: dict[str, str], at: datetime = LATER) -> tuple[int, Any]:
    with time_machine.travel(at, tick=False):
        answer = Browser().post(
            DOOR, json.dumps({"events": events}), content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
    return answer.status_code, answer.json()


def entries(cast: Cast) -> list[Entry]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Entry.objects.order_by("entered_at"))


def test_what_is_sent_again_adds_nothing_and_ends_no_other_entry(cast: Cast) -> None:
    _, key = site_of(cast)
    came = passed("1", "in", LATER - timedelta(hours=9)), passed("2", "in", LATER - timedelta(hours=5))
    left = passed("3", "out", LATER - timedelta(hours=4))

    assert send(key, *came, left) == (200, {"came": 2, "flagged": 0})
    assert send(key, left, *came) == (200, {"came": 0, "flagged": 0})

    first, second = entries(cast)
    assert (first.left_at, second.left_at) == (None, LATER - timedelta(hours=4)), "the same way out, once"
    with job_scope(agency_id=cast.acme.pk):
        assert SiteKey.objects.get().last_used_on == LATER.date()
        assert Event.objects.filter(action="entries.taken").count() == 2
        assert Event.objects.filter(actor_name__startswith="premises:").exists()


def test_two_sites_may_call_different_events_the_same(cast: Cast) -> None:
    keys = [site_of(cast, name)[1] for name in ("Office", "Archive")]
    for name, key in zip(("Office", "Archive"), keys, strict=True):
        event = passed("1", "in", LATER, badge=f"{name}-B1", room="Lab")
        assert send(key, event) == (200, {"came": 1, "flagged": 0})
    assert [one.badge_id is None for one in entries(cast)] == [False, False]


def test_a_room_that_a_badge_does_not_open_is_flagged(cast: Cast) -> None:
    _, key = site_of(cast)
    rooms = ("", "Lab", "Server room")
    send(key, *(passed(room, "in", LATER + timedelta(seconds=n), room=room) if room
                else passed("x", "in", LATER + timedelta(seconds=n)) for n, room in enumerate(rooms)))  # fmt: skip
    assert [one.flags for one in entries(cast)] == [[], [], [EntryFlag.NO_RIGHT]]


def test_a_badge_is_of_who_held_it_on_that_day(cast: Cast) -> None:
    site, key = site_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        premises.return_badge(badge=Badge.objects.get(), on=LATER.date(), by=make.JOB, at=LATER)
        premises.give_badge(
            site=site, user_id=cast.carol.user_id, label="B1", code="Office-B1", any_hour=True, until_on=None,
            by=make.JOB, at=LATER + timedelta(days=3),
        )  # fmt: skip
    days = (1, 4, 6)
    send(
        key,
        *(passed(str(day), "in", NOON + timedelta(days=day)) for day in days),
        at=NOON + timedelta(days=7),
    )
    assert [(one.user_id, one.flags) for one in entries(cast)] == [
        (cast.bob.user_id, []), (cast.bob.user_id, [EntryFlag.NO_RIGHT]), (cast.carol.user_id, []),
    ]  # fmt: skip


def test_no_other_key_opens_the_door_and_this_one_opens_no_other(cast: Cast) -> None:
    _, key = site_of(cast)
    event = passed("1", "in", LATER)
    api = system_of(cast.dentist, cast.alice).key
    name, _, secret = key.partition(".")
    for wrong in ("", "x", api, key[:-1], f"{name}.{'A' * 43}", f"cps_{'0' * 20}.{secret}", key.upper()):
        status, answer = send(wrong, event)
        assert (status, answer["error"]) == (401, "unauthorised"), wrong
    checked = Browser().post(
        "/api/v1/consent/check", b"{}", content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )  # fmt: skip
    assert checked.status_code == 401
    assert send(key, event, at=NOON + badge_systems.LIFE)[0] == 401, "it expires"
    with job_scope(agency_id=cast.acme.pk):
        badge_systems.revoke_key(key=SiteKey.objects.get(), by=make.JOB, at=NOON)
    assert send(key, event)[0] == 401
    assert entries(cast) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"at": f"{LATER:%Y-%m-%dT%H:%M:%S}"}, "at"),
     ({"at": f"{LATER + timedelta(minutes=11):%Y-%m-%dT%H:%M:%SZ}"}, "at"),
     ({"at": "0001-01-01T00:00:00+14:00"}, "at"), ({"at": "9999-12-31T23:59:59-14:00"}, "at"),
     ({"direction": "through"}, "direction"),
     ({"reference": ""}, "reference"), ({"reference": " \t "}, "reference"), ({"name": "Bob"}, "name"),
     ({"reference": "a\0b"}, "reference"), ({"badge": "a\0b"}, "badge"), ({"room": "a\x7f"}, "room")],
)  # fmt: skip
def test_what_cannot_be_read_is_named_and_nothing_is_taken(
    cast: Cast, wrong: dict[str, str], field: str
) -> None:
    _, key = site_of(cast)
    status, answer = send(key, passed("1", "in", LATER), passed("2", "in", LATER) | wrong)
    assert (status, field in answer["field"]) == (422, True), answer
    assert entries(cast) == []


def test_what_differs_in_blanks_alone_is_one_event(cast: Cast) -> None:
    _, key = site_of(cast)
    assert send(key, passed("1", "in", LATER), passed(" 1 ", "in", LATER, badge=" Office-B1")) == (
        200, {"came": 1, "flagged": 0},
    )  # fmt: skip


def test_while_the_database_is_away_a_system_is_told_to_send_it_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = site_of(cast)

    def gone(**_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(premises, "take_in", gone)
    status, answer = send(key, passed("1", "in", LATER))
    assert (status, answer["error"]) == (503, "unavailable")


def test_a_key_is_shown_once_and_ended_on_the_page_of_its_site(cast: Cast) -> None:
    site, _ = site_of(cast)
    alice = browser_of(cast.alice.user)
    page = f"/programme/premises/{site.pk}/"
    (once,) = re.findall(r'name="once" value="([^"]+)"', alice.get(f"{page}keys/").content.decode())
    said = {"name": "Second reader", "once": once}
    shown = alice.post(f"{page}keys/", said).content.decode()
    again = alice.post(f"{page}keys/", said)
    assert (again.status_code, again.headers["Location"]) == (302, page), (
        "loading the answer again makes no other"
    )
    key = shown.partition("cps_")[2][:64]
    assert badge_systems.holder_of(f"cps_{key}", at=make.now()).site_id == site.pk
    text = alice.get(page).content.decode()
    assert "Second reader" in text
    assert key not in text
    with job_scope(agency_id=cast.acme.pk):
        row = SiteKey.objects.get(name="Second reader")
    assert browser_of(cast.bob.user).post(f"{page}keys/{row.pk}/end/").status_code == 403
    alice.post(f"{page}keys/{row.pk}/end/")
    with pytest.raises(badge_systems.WrongKeyError):
        badge_systems.holder_of(f"cps_{key}", at=make.now())
