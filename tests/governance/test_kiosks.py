"""The page at a site's door: without a sign-in, for entries alone, and showing nobody anything of somebody else."""

import re
import secrets
from datetime import datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import MembershipState
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.lib.logs import mask_text
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Notification
from governance import kinds
from governance.enums import EntryFlag
from governance.models import Entry, KioskLink, Site
from governance.selectors import premises as selectors
from governance.services import kiosks, premises
from governance.views import kiosks as views
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=4)


def door_of(cast: Cast) -> tuple[Site, str]:
    """A site that is always open, bob's badge, and the key in the address of its page."""
    with job_scope(agency_id=cast.acme.pk):
        site = premises.add_site(
            agency=cast.acme, name="Office", address="", time_zone="America/New_York", weekdays=range(1, 8),
            opens=time(0), closes=time(23, 59), by=make.JOB, at=NOON,
        )  # fmt: skip
        premises.give_badge(
            site=site, user_id=cast.bob.user_id, label="B1", code="B1", any_hour=True, until_on=None,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        return site, kiosks.make_link(
            site=site, instead_of=None, by=Actor.staff(user_id=cast.alice.user_id), at=NOON
        )


def note_of(token: str, page: str, *, at: datetime = LATER) -> str:
    with time_machine.travel(at, tick=False):
        text = Browser().get(f"/k/{token}/{page}/").content.decode()
    found = re.search(r'name="note" value="([^"]+)"', text)
    assert found
    return found[1]


def send(token: str, page: str, *, at: datetime = LATER, note: str | None = None, **said: str) -> Any:
    said["note"] = note_of(token, page, at=at) if note is None else note
    with time_machine.travel(at, tick=False):
        return Browser(enforce_csrf_checks=True).post(f"/k/{token}/{page}/", said)


def told(answer: Any, *, at: datetime = LATER) -> str:
    assert answer.status_code == 303, answer.content.decode()
    with time_machine.travel(at, tick=False):
        return str(Browser().get(answer.headers["Location"]).content.decode())


def number_in(text: str) -> str:
    found = re.search(r"(\d{3}) (\d{3})</strong>", text)
    assert found
    return found[1] + found[2]


def entry(cast: Cast) -> Entry:
    with job_scope(agency_id=cast.acme.pk):
        return Entry.objects.select_related("user", "host", "badge").get()


def visiting(token: str, host: str = "alice", **more: Any) -> Any:
    return send(token, "visit", name="Ms Guest", company="Guests", host=host, purpose="", **more)


# --- The link -------------------------------------------------------------------------------------------------------


def test_a_manager_makes_the_link_once_and_only_its_digest_is_kept(cast: Cast) -> None:
    site, first = door_of(cast)
    page = f"/programme/premises/{site.pk}/kiosk/"
    with time_machine.travel(LATER, tick=False):
        asked = browser_of(cast.carol.user).get(page).content.decode()
        (was,) = re.findall(r'name="was" value="([^"]*)"', asked)
        answer = browser_of(cast.carol.user).post(page, {"was": was})
        loaded_again = browser_of(cast.carol.user).post(page, {"was": was})
        again = browser_of(cast.carol.user).get(page)
    assert (loaded_again.status_code, loaded_again.headers["Location"]) == (302, page), "it makes no other"
    shown = re.search(r"/k/([A-Za-z0-9_-]{43})/", answer.content.decode())
    assert shown
    assert "no-store" in answer.headers["Cache-Control"]
    assert "/k/" not in again.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        link = KioskLink.objects.get(ended_at=None)
        assert bytes(link.digest) == kiosks.digest_of(shown[1])
        assert set(Event.objects.filter(action__startswith="kiosk.").values_list("action", flat=True)) == {
            "kiosk.linked", "kiosk.link_ended",
        }  # fmt: skip
    with time_machine.travel(LATER, tick=False):
        assert Browser().get(f"/k/{shown[1]}/").status_code == 200
        assert Browser().get(f"/k/{first}/").status_code == 404, "the new one ends the old one"


def test_who_does_not_manage_makes_no_link(cast: Cast) -> None:
    site, _ = door_of(cast)
    with time_machine.travel(LATER, tick=False):
        assert browser_of(cast.bob.user).post(f"/programme/premises/{site.pk}/kiosk/").status_code == 403
        assert browser_of(cast.mallory.user).post(f"/programme/premises/{site.pk}/kiosk/").status_code in {
            403, 404,
        }  # fmt: skip


def test_a_link_that_was_ended_or_is_over_or_of_a_closed_site_opens_nothing(cast: Cast) -> None:
    site, token = door_of(cast)
    with pytest.raises(kiosks.UnknownKioskError):
        kiosks.kiosk_of(token, at=NOON + kiosks.LIFE)
    assert kiosks.kiosk_of(token, at=NOON + kiosks.LIFE - timedelta(seconds=1)).site == "Office"
    with job_scope(agency_id=cast.acme.pk):
        Site.objects.filter(pk=site.pk).update(closed_on=NOON.date())
    with pytest.raises(kiosks.UnknownKioskError):
        kiosks.kiosk_of(token, at=LATER)
    with job_scope(agency_id=cast.acme.pk):
        Site.objects.filter(pk=site.pk).update(closed_on=None)
    with time_machine.travel(LATER, tick=False):
        browser_of(cast.carol.user).post(f"/programme/premises/{site.pk}/kiosk/end/")
        assert Browser().get(f"/k/{token}/").status_code == 404
        assert Browser().post(f"/k/{token}/visit/").status_code == 404
    assert not PublicKey.objects.filter(purpose=KeyPurpose.KIOSK).exists()


def test_the_page_shows_nobody_and_leads_nowhere(cast: Cast) -> None:
    _, token = door_of(cast)
    visiting(token)
    people = [cast.alice.user.name, cast.bob.user.name, cast.carol.user.name, "Ms Guest"]
    for page in ("", "visit/", "come/", "leave/"):
        with time_machine.travel(LATER, tick=False):
            answer = browser_of(cast.alice.user).get(f"/k/{token}/{page}")
        text = answer.content.decode()
        assert not any(name in text for name in people), page
        leads = {where.partition("?")[0] for where in re.findall(r'(?:href|action)="(/[^"]*)"', text)}
        assert all(where.startswith((f"/k/{token}/", "/static/")) for where in leads), leads
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert not answer.cookies
        if page:
            assert answer.headers["Refresh"] == f"180; url=/k/{token}/"


def test_the_key_stands_in_no_log() -> None:
    assert mask_text("GET /k/abcdefghijklmnopqrstuvwxyz/visit/") == "GET /k/[secret]/visit/"


# --- Visitors -------------------------------------------------------------------------------------------------------


def test_a_visitor_comes_and_leaves_by_the_number(cast: Cast) -> None:
    _, token = door_of(cast)
    number = number_in(told(visiting(token, cast.alice.user.name.upper())))
    came = entry(cast)
    assert (came.visitor, came.host_id, came.host_said, came.flags) == (
        "Ms Guest", cast.alice.user_id, "", [],
    )  # fmt: skip
    assert number.encode() not in bytes(came.number_digest or b"")

    wrong = f"{(int(number) + 1) % 1_000_000:06}"
    assert send(token, "leave", number=wrong).status_code == 422
    assert entry(cast).left_at is None
    text = told(send(token, "leave", number=f"{number[:3]} {number[3:]}", at=LATER + timedelta(hours=1)),
                at=LATER + timedelta(hours=1))  # fmt: skip
    assert "Goodbye" in text
    assert "Ms Guest" not in text
    left = entry(cast)
    assert left.left_at == LATER + timedelta(hours=1)
    assert left.number_digest is None
    assert send(token, "leave", number=number, at=LATER + timedelta(hours=2)).status_code == 422
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="visitor.came")
        assert event.actor_name.startswith("kiosk:")


def test_initials_and_part_of_a_name_find_the_host_where_only_one_has_them(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        alice, bob = cast.alice.user, cast.bob.user
        type(alice).objects.filter(pk=alice.pk).update(name="Anna-Lena Ruiz")
        type(bob).objects.filter(pk=bob.pk).update(name="Ben Ruiz")
        assert selectors.person_called("A.L.R.") == alice.pk
        assert selectors.person_called("br") == bob.pk
        assert selectors.person_called("ben") == bob.pk
        assert selectors.person_called("Ruiz") is None, "two are called so"
        assert selectors.person_called(" . ") is None
        Membership.objects.filter(pk=cast.bob.pk).update(state=MembershipState.SUSPENDED)
        assert selectors.person_called("Ruiz") == alice.pk


def test_the_host_is_told_that_a_visitor_came_and_sees_who_it_is_and_nobody_elses(cast: Cast) -> None:
    _, token = door_of(cast)
    visiting(token, cast.bob.user.name)
    visiting(token, cast.alice.user.name)
    visiting(token, "Unknown Person")
    with job_scope(agency_id=cast.acme.pk):
        told_to = list(Notification.objects.filter(kind=kinds.VISITOR).values_list("user_id", flat=True))
    assert sorted(told_to) == sorted([cast.bob.user_id, cast.alice.user_id])

    with time_machine.travel(LATER, tick=False):
        page = browser_of(cast.bob.user).get(reverse("governance:visitors"))
        assert browser_of(cast.mallory.user).get(reverse("governance:visitors")).context["rows"] == []
    assert [row.visitor for row in page.context["rows"]] == ["Ms Guest"]
    assert "Guests" in page.content.decode()
    assert "still here" in page.content.decode()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert {row.host_id for row in Entry.objects.all()} == {cast.bob.user_id}
        assert not Entry.objects.update(purpose="x"), "a host reads and changes nothing"


def test_a_form_that_is_sent_twice_tells_the_host_once(cast: Cast) -> None:
    _, token = door_of(cast)
    note = note_of(token, "visit")
    for _ in range(2):
        visiting(token, cast.bob.user.name, note=note)
    with job_scope(agency_id=cast.acme.pk):
        assert Notification.objects.filter(kind=kinds.VISITOR).count() == 1


def test_a_host_whom_nobody_knows_is_flagged_and_answered_like_one_whom_we_know(cast: Cast) -> None:
    _, token = door_of(cast)
    shape = re.compile(r"\d{3} \d{3}</strong>|said=[^\"&]+|/static/[^\"]+")
    texts = [shape.sub("", told(visiting(token, host))) for host in (cast.alice.user.name, "Unknown Person")]
    assert texts[0] == texts[1]
    with job_scope(agency_id=cast.acme.pk):
        known, unknown = Entry.objects.order_by("host_said")
    assert (known.flags, known.host_said) == ([], "")
    assert (unknown.flags, unknown.host_said, unknown.host_id) == (
        [EntryFlag.NO_HOST], "Unknown Person", None,
    )  # fmt: skip


def test_the_same_form_again_adds_nothing_and_shows_the_same_number_for_a_minute(cast: Cast) -> None:
    _, token = door_of(cast)
    note = note_of(token, "visit")
    first, second = (visiting(token, note=note) for _ in range(2))
    assert number_in(told(first)) == number_in(told(second))
    assert entry(cast).visitor == "Ms Guest"
    over = told(first, at=LATER + kiosks.SAID_FOR)
    assert "Your number" not in over
    assert "Signed in" not in over


# --- Who works here -------------------------------------------------------------------------------------------------


def test_a_badge_comes_in_and_goes_out(cast: Cast) -> None:
    _, token = door_of(cast)
    assert "Your number" not in told(send(token, "come", code="b1"))
    came = entry(cast)
    assert (came.user_id, came.flags, came.left_at) == (cast.bob.user_id, [], None)
    told(send(token, "leave", code="B1", at=LATER + timedelta(hours=1)), at=LATER + timedelta(hours=1))
    assert entry(cast).left_at == LATER + timedelta(hours=1)


def test_a_badge_that_nobody_knows_is_answered_like_one_that_we_know(cast: Cast) -> None:
    _, token = door_of(cast)
    shape = re.compile(r"said=[^\"&]+")
    assert shape.sub("", told(send(token, "come", code="B1"))) == shape.sub(
        "", told(send(token, "come", code="X9"))
    )
    with job_scope(agency_id=cast.acme.pk):
        assert Entry.objects.get(badge=None).flags == [EntryFlag.UNKNOWN]


@pytest.mark.parametrize("is_known", [True, False])
def test_who_comes_without_a_badge_is_flagged_and_leaves_by_the_number(cast: Cast, is_known: bool) -> None:
    _, token = door_of(cast)
    name = cast.bob.user.name if is_known else "Unlisted Person"
    number = number_in(told(send(token, "come", name=name)))
    came = entry(cast)
    assert came.flags == [EntryFlag.NO_BADGE]
    assert (came.user_id, came.visitor) == ((cast.bob.user_id, "") if is_known else (None, name))
    told(send(token, "leave", number=number))
    assert entry(cast).left_at == LATER
    page = browser_of(cast.carol.user).get("/programme/premises/").content.decode()
    assert ("without a badge" if is_known else "employee by own statement") in page


# --- What is not taken ----------------------------------------------------------------------------------------------


def test_a_form_without_its_note_or_with_an_old_or_another_doors_is_not_taken(cast: Cast) -> None:
    site, token = door_of(cast)
    assert visiting(token, note="").status_code == 403
    assert visiting(token, note="x.y").status_code == 403
    old = note_of(token, "visit", at=LATER - kiosks.FORM_FOR)
    assert visiting(token, note=old).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        was = KioskLink.objects.get().pk
        fresh = kiosks.make_link(
            site=site, instead_of=was, by=Actor.staff(user_id=cast.alice.user_id), at=LATER
        )
    assert visiting(fresh, note=old).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        assert not Entry.objects.exists()


def test_a_form_says_what_is_missing(cast: Cast) -> None:
    _, token = door_of(cast)
    assert send(token, "come").status_code == 422
    assert send(token, "come", code="B1", name="Bob").status_code == 422
    assert send(token, "leave", number="12").status_code == 422
    assert visiting(token, "").status_code == 422


def test_numbers_cannot_be_guessed_at_for_long(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "WRONG", 2)
    _, token = door_of(cast)
    number = number_in(told(visiting(token)))
    wrong = f"{(int(number) + 1) % 1_000_000:06}"
    assert [send(token, "leave", number=wrong).status_code for _ in range(3)] == [422, 422, 429]
    assert send(token, "leave", number=number).status_code == 429
    assert visiting(token).status_code == 303, "entries are taken all the same"


def test_a_door_takes_so_much_an_hour(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "ENTRIES", 1)
    _, token = door_of(cast)
    assert [visiting(token).status_code for _ in range(2)] == [303, 429]
    monkeypatch.setattr(views, "LOOKS", 1)
    with time_machine.travel(LATER + timedelta(hours=1), tick=False):
        browser = Browser(REMOTE_ADDR=f"2001:db8::{secrets.token_hex(2)}")
        assert [browser.get(f"/k/{token}/").status_code for _ in range(2)] == [200, 429]
