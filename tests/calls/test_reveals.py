"""A reveal: written down first, shown once, limited, sampled, and nowhere else."""

import logging
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.calls import kinds
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.models import Call, Reveal
from callprivacy.calls.services import reveals
from callprivacy.calls.tasks import exports as tasks
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import services as vault
from callprivacy.vault.services import Erasure
from callprivacy.work.models import Item, Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.numbers import hints, says

CANARY = "+14045554686"
WHY = {"reason_kind": "call_back", "reason": "She asked us to call her back today"}
MONDAY = datetime(2026, 11, 23, 15, tzinfo=UTC)


@pytest.fixture
def cast(db: None) -> Cast:
    return assemble()


@pytest.fixture
def call(cast: Cast) -> Call:
    return make.call(cast.dentist, CANARY)


def _address(call: Call, slug: str = "dentist") -> str:
    return reverse("calls:reveal", args=[slug, call.pk])


def _shown(cast: Cast) -> list[Reveal]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Reveal.objects.order_by("event_id"))


def _events(cast: Cast, action: str) -> list[Event]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action=action).order_by("id"))


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 200), ("carol", 403), ("mallory", 404)])
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_reveal(cast: Cast, call: Call, who: str, status: int, method: str) -> None:
    browser = signed_in(getattr(cast, who))

    answer = browser.get(_address(call)) if method == "get" else browser.post(_address(call), WHY)

    assert answer.status_code == status
    assert ("4045554686" in answer.content.decode()) is (method == "post" and status == 200)


def test_who_sees_calls_but_may_not_reveal_is_refused(cast: Cast, call: Call) -> None:
    dave = make.person(cast.acme, "dave", Role.ACCOUNT_MANAGER)
    make.grant(dave, cast.dentist)

    assert signed_in(dave).post(_address(call), WHY).status_code == 403
    assert (
        "Reveal number"
        not in signed_in(dave).get(reverse("calls:call", args=["dentist", call.pk])).content.decode()
    )
    assert not _shown(cast)


def test_a_stranger_is_sent_to_sign_in(call: Call) -> None:
    answer = Browser().post(_address(call), WHY)

    assert answer.status_code == 302
    assert "4045554686" not in answer.content.decode()


def test_a_number_is_shown_once_for_a_minute_and_not_kept(cast: Cast, call: Call) -> None:
    answer = signed_in(cast.bob).post(_address(call), WHY)

    assert 'data-countdown="60"' in answer.content.decode()
    assert CANARY in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_the_event_holds_the_kind_and_a_hash_and_the_words_are_sealed(cast: Cast, call: Call) -> None:
    signed_in(cast.bob).post(_address(call), WHY)

    [event] = _events(cast, "number.revealed")
    [row] = _shown(cast)
    assert row.event_id == event.pk
    assert (event.subject_id, event.client_id, event.actor_user_id) == (
        str(call.pk), cast.dentist.pk, cast.bob.user_id,
    )  # fmt: skip
    assert event.details == {"kind": "call_back", "repeat": False}
    assert len(event.reason_hash) == 64
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        words = audit.open_reason(event=event, by=Actor.staff(user_id=cast.alice.user_id), at=make.NOON)
    assert words == WHY["reason"]


def test_what_cannot_be_recorded_is_not_shown(
    cast: Cast, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("no room left")

    monkeypatch.setattr(audit, "record", fail)
    browser = signed_in(cast.bob)
    browser.raise_request_exception = False

    answer = browser.post(_address(call), WHY)

    assert answer.status_code == 500
    assert not says(answer.content.decode(), CANARY)
    assert not hints(answer.content.decode(), CANARY)
    assert not _shown(cast)


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_fails_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = assemble()
    call = make.call(cast.dentist, CANARY)
    browser = signed_in(cast.bob)
    browser.get("/calls/")
    browser.raise_request_exception = False
    kind: Any = type(connections["default"])
    commit = kind._commit

    def fail(self: Any) -> None:
        if self.alias == "default" and Reveal.objects.exists():
            raise OperationalError("the server went away")
        commit(self)

    monkeypatch.setattr(kind, "_commit", fail)
    answer = browser.post(_address(call), WHY)
    monkeypatch.undo()
    connections.close_all()

    assert answer.status_code == 500
    assert "4045554686" not in answer.content.decode()
    assert not _shown(cast)
    assert not _events(cast, "number.revealed")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason_kind": "call_back", "reason": "too short"}, "at least 15 characters"),
        pytest.param(
            {"reason_kind": "call_back", "reason": "short" + " " * 20},
            "at least 15 characters",
            marks=pytest.mark.thorough,
        ),
        ({"reason_kind": "call_back", "reason": ""}, "Say why, in a sentence."),
        ({"reason_kind": "", "reason": WHY["reason"]}, "Pick what it is for."),
        ({"reason_kind": "fun", "reason": WHY["reason"]}, "Pick one from the list"),
    ],
)
def test_without_a_reason_nothing_is_shown(cast: Cast, call: Call, given: dict[str, str], words: str) -> None:
    page = signed_in(cast.bob).post(_address(call), given).content.decode()

    assert words in page
    assert "4045554686" not in page
    assert not _shown(cast)


def test_the_service_itself_asks_for_a_sentence(cast: Cast, call: Call) -> None:
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id),
        pytest.raises(reveals.ReasonTooShortError),
    ):
        _reveal(cast, call, reason="  because   I  ")


def _reveal(
    cast: Cast,
    call: Call,
    *,
    reason: str = "A reason that is long enough",
    at: datetime = make.NOON,
    who: Membership | None = None,
) -> reveals.Revealed:
    return reveals.reveal_number(
        call=call,
        agency=cast.acme,
        reason_kind=RevealReason.QUALITY,
        reason=reason,
        by=Actor.staff(user_id=(who or cast.bob).user_id),
        at=at,
    )


def test_a_repeated_sentence_is_flagged_whatever_its_spaces_and_capitals(cast: Cast, call: Call) -> None:
    other = make.call(cast.dentist, "+14045550143")
    browser = signed_in(cast.bob)
    browser.post(_address(call), WHY)

    page = browser.post(_address(other), WHY | {"reason": WHY["reason"].upper() + "  "}).content.decode()

    assert "You gave this reason before" in page
    assert [row.is_repeat for row in _shown(cast)] == [False, True]
    assert [event.details["repeat"] for event in _events(cast, "number.revealed")] == [False, True]


def test_the_same_sentence_of_somebody_else_is_no_repeat(cast: Cast, call: Call) -> None:
    signed_in(cast.alice).post(_address(call), WHY)
    signed_in(cast.bob).post(_address(call), WHY)

    assert [row.is_repeat for row in _shown(cast)] == [False, False]


def test_nothing_of_a_number_that_is_gone_is_recorded(cast: Cast, call: Call) -> None:
    assert call.caller_id is not None
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[Erasure(call.caller_id)], at=make.NOON)

    page = signed_in(cast.bob).post(_address(call), WHY).content.decode()

    assert "This number was erased." in page
    assert not _shown(cast)
    assert not _events(cast, "number.revealed")


def test_a_withheld_number_cannot_be_shown(cast: Cast) -> None:
    page = signed_in(cast.bob).post(_address(make.call(cast.dentist, None)), WHY).content.decode()

    assert "This call has no number." in page
    assert not _shown(cast)


def _limit(cast: Cast, count: int) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Agency.objects.filter(pk=cast.acme.pk).update(reveals_per_hour=count)


def test_more_than_the_agency_allows_is_refused_and_told_to_the_officers(cast: Cast, call: Call) -> None:
    _limit(cast, 2)
    browser = signed_in(cast.bob)
    for _ in range(2):
        assert browser.post(_address(call), WHY).status_code == 200

    answers = [browser.post(_address(call), WHY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [429, 429]
    assert "4045554686" not in answers[0].content.decode()
    assert len(_shown(cast)) == 2
    assert len(_events(cast, "reveal.blocked")) == 2
    with job_scope(agency_id=cast.acme.pk):
        [item] = Item.objects.filter(kind=kinds.REVEAL_LIMIT)
        [told] = Notification.objects.filter(kind=kinds.REVEAL_LIMIT)
    assert told.user_id == cast.alice.user_id
    assert item.client_id is None
    assert signed_in(cast.alice).post(_address(call), WHY).status_code == 200


def test_the_hour_slides(cast: Cast, call: Call) -> None:
    _limit(cast, 1)
    cast.acme.reveals_per_hour = 1
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        _reveal(cast, call, at=make.NOON)
        with pytest.raises(reveals.RevealLimitError):
            _reveal(cast, call, at=make.NOON + timedelta(minutes=59))
        assert _reveal(cast, call, at=make.NOON + timedelta(minutes=60)).number == CANARY


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_both_pass_the_limit() -> None:
    cast = assemble()
    call = make.call(cast.dentist, CANARY)
    _limit(cast, 1)
    cast.acme.reveals_per_hour = 1
    gate, passed, refused = threading.Barrier(4), [], []

    def run() -> None:
        try:
            gate.wait()
            with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
                passed.append(_reveal(cast, call))
        except reveals.RevealLimitError:
            refused.append(1)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(passed), len(refused)) == (1, 3)
    assert len(_shown(cast)) == 1


def test_a_revealed_number_prints_as_nothing() -> None:
    assert CANARY not in repr(reveals.Revealed(CANARY, is_repeat=False))


def test_no_number_in_logs_or_in_the_trail(cast: Cast, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        signed_in(cast.bob).post(_address(call), WHY | {"reason": f"Calling {CANARY} back as she asked"})

    assert len(_shown(cast)) == 1
    assert "4045554686" not in caplog.text
    with job_scope(agency_id=cast.acme.pk):
        assert "4045554686" not in str(list(Event.objects.values()))


# --- The weekly sample --------------------------------------------------------------------------------------


def _sample(cast: Cast, at: datetime = MONDAY) -> int | None:
    with job_scope(agency_id=cast.acme.pk):
        return reveals.sample_week(agency=cast.acme, by=make.JOB, at=at)


def _show_in_week(cast: Cast, call: Call, count: int, at: datetime, who: Membership | None = None) -> None:
    cast.acme.reveals_per_hour = 1000
    with staff_scope(agency_id=cast.acme.pk, user_id=(who or cast.bob).user_id):
        for index in range(count):
            _reveal(cast, call, reason=f"A sentence numbered {index}", at=at, who=who)


def test_last_week_is_sampled_once(cast: Cast, call: Call) -> None:
    last_week = MONDAY - timedelta(days=3)
    _show_in_week(cast, call, 25, last_week)
    _show_in_week(cast, call, 2, MONDAY)  # this week's
    _show_in_week(cast, call, 2, datetime(2026, 11, 16, 4, 59, tzinfo=UTC))  # 23:59 on the Sunday before

    assert _sample(cast) == 20
    assert _sample(cast, MONDAY + timedelta(hours=1)) is None

    drawn = [row for row in _shown(cast) if row.sampled_on is not None]
    assert len(drawn) == 20
    assert {(row.sampled_on, row.at) for row in drawn} == {(date(2026, 11, 16), last_week)}
    with job_scope(agency_id=cast.acme.pk):
        [item] = Item.objects.filter(kind=kinds.REVEAL_SAMPLE)
    assert (item.key, item.count) == ("2026-11-16", 20)


def test_a_week_without_reveals_opens_nothing(cast: Cast) -> None:
    assert _sample(cast) == 0
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.exists()


def test_the_week_turns_in_the_agencys_zone(cast: Cast) -> None:
    sunday_night = datetime(2026, 11, 23, 4, 59, tzinfo=UTC)  # Sunday, 23:59 in New York

    assert reveals.week_before(cast.acme, sunday_night) == date(2026, 11, 9)
    assert reveals.week_before(cast.acme, sunday_night + timedelta(minutes=1)) == date(2026, 11, 16)


@pytest.mark.django_db(transaction=True)
def test_the_task_samples_every_agency_and_nothing_twice() -> None:
    assemble()

    tasks.sample_reveals()
    tasks.sample_reveals()

    from callprivacy.tenancy.selectors import agency_ids

    agencies = agency_ids()
    assert len(agencies) == 2
    for agency_id in agencies:
        with job_scope(agency_id=agency_id):
            assert Event.objects.filter(action="reveals.sampled").count() == 1


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 403), ("carol", 403), ("mallory", 200)])
def test_reveals_are_listed_for_officers(cast: Cast, call: Call, who: str, status: int) -> None:
    signed_in(cast.bob).post(_address(call), WHY)

    answer = signed_in(getattr(cast, who)).get(reverse("calls:reveals"))

    assert answer.status_code == status
    assert ("Call back at the caller" in answer.content.decode()) is (who == "alice")


def test_a_stranger_sees_no_reveals(db: None) -> None:
    assert Browser().get(reverse("calls:reveals")).status_code == 302
    assert Browser().post(reverse("calls:finish_sample")).status_code == 302


def test_officers_read_the_reasons_and_each_reading_is_recorded(cast: Cast, call: Call) -> None:
    _show_in_week(cast, call, 2, MONDAY - timedelta(days=3))
    _sample(cast)
    browser = signed_in(cast.alice)

    closed = browser.get(reverse("calls:reveals"), {"week": "2026-11-16"}).content.decode()
    opened = browser.post(reverse("calls:reveals"), {"week": "2026-11-16"})

    assert "A sentence numbered" not in closed
    assert "A sentence numbered 0" in opened.content.decode()
    assert "A sentence numbered 1" in opened.content.decode()
    assert "no-store" in opened["Cache-Control"]
    assert len(_events(cast, "reason.opened")) == 2
    assert signed_in(cast.bob).post(reverse("calls:reveals"), {"week": "2026-11-16"}).status_code == 403


def test_an_officer_closes_the_sample(cast: Cast, call: Call) -> None:
    _show_in_week(cast, call, 1, MONDAY - timedelta(days=3))
    _sample(cast)
    browser = signed_in(cast.alice)

    for _ in range(2):
        assert browser.post(reverse("calls:finish_sample"), {"week": "2026-11-16"}).status_code == 302

    assert len(_events(cast, "reveals.reviewed")) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().exists()
    assert signed_in(cast.bob).post(reverse("calls:finish_sample")).status_code == 403


def test_a_sample_is_closed_by_who_sees_all_of_it_and_not_by_who_it_is_about_alone(
    cast: Cast, call: Call
) -> None:
    week = {"week": "2026-11-16"}
    _show_in_week(cast, call, 1, MONDAY - timedelta(days=3), cast.alice)
    _sample(cast)
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    alices, olgas = signed_in(cast.alice), signed_in(olga)

    def closes(browser: Browser) -> bool:
        browser.post(reverse("calls:finish_sample"), week)
        with job_scope(agency_id=cast.acme.pk):
            return not Item.objects.open().exists()

    page = olgas.get(reverse("calls:reveals"), week)
    assert "at clients that are not granted to you: Dentist." in page.text
    assert "Nothing was drawn" not in page.text
    assert not closes(olgas)
    make.grant(olga, cast.dentist)
    assert not closes(alices)
    assert "Let another officer read the reasons first" in alices.post(reverse("calls:reveals"), week).text
    assert not closes(alices), "her own reading is none of another's"
    olgas.post(reverse("calls:reveals"), week)
    assert closes(alices)


def test_who_alone_sees_the_client_closes_the_sample_of_their_own(cast: Cast, call: Call) -> None:
    _show_in_week(cast, call, 1, MONDAY - timedelta(days=3), cast.alice)
    _sample(cast)
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    make.grant(olga, cast.plumber)
    browser, week = signed_in(cast.alice), {"week": "2026-11-16"}

    assert not browser.get(reverse("calls:reveals"), week).context["own"]
    browser.post(reverse("calls:finish_sample"), week)

    assert len(_events(cast, "reveals.reviewed")) == 1


def test_what_was_erased_out_of_a_sample_does_not_keep_it_open(cast: Cast, call: Call) -> None:
    _show_in_week(cast, call, 1, MONDAY - timedelta(days=3))
    _sample(cast)
    with job_scope(agency_id=cast.acme.pk):
        Reveal.objects.update(sampled_on=None)
    browser = signed_in(cast.alice)

    assert "Close as read" in browser.get(reverse("calls:reveals"), {"week": "2026-11-16"}).text
    browser.post(reverse("calls:finish_sample"), {"week": "2026-11-16"})

    assert len(_events(cast, "reveals.reviewed")) == 1


@pytest.mark.thorough
def test_reveals_come_in_pages(cast: Cast, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from callprivacy.calls.views import calls as views

    monkeypatch.setattr(views, "_REVEALS_A_PAGE", 2)
    _show_in_week(cast, call, 3, MONDAY - timedelta(days=3))
    events = [row.event_id for row in _shown(cast)]

    page = signed_in(cast.alice).get(reverse("calls:reveals"))
    assert page.context["older"] == str(events[1])
    rest = signed_in(cast.alice).get(reverse("calls:reveals"), {"before": page.context["older"]})
    assert [row.event_id for row in rest.context["newest"]] == events[:1]
