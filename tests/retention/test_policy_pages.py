"""Policies as people meet them: the effect is shown first, the law answers, a second officer agrees."""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallExport, Connection, Inbox
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from retention.enums import Category, ChangeState
from retention.law import categories
from retention.models import Policy, PolicyChange
from retention.selectors import calendar, preview
from retention.selectors import policies as kept
from retention.services import policies
from retention.targets import Extent
from retention.tasks import policies as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

ANNA, BEN = "+12125550101", "+12125550102"
REASON = "The client asked for ninety days in its new contract."
CALLS = "/clients/dentist/policies/change/call/"


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer of Acme, granted both clients."""
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    make.grant(erin, cast.plumber)
    return erin


def _seen(page: str) -> dict[str, str]:
    """What a page's hidden fields hold of the effect that it shows."""
    return dict(
        re.findall(r'<input type="hidden" name="(due_before|due_after|leaving|rules)" value="([^"]*)">', page)
    )


def _confirmed(browser: Browser, url: str, days: str, **more: str) -> Any:
    asked = {"days": days, "then": "erase", "reason": REASON}
    shown = browser.post(url, asked).content.decode()
    return browser.post(url, asked | _seen(shown) | {"confirmed": "1", "answered": "1"} | more)


def _days(of: Client) -> int:
    with job_scope(agency_id=of.agency_id):
        return Client.objects.select_related("agency").get(pk=of.pk).keep_for_days


def _change() -> PolicyChange:
    return PolicyChange.objects.get()


def test_shortening_shows_its_effect_and_takes_a_second_officer(cast: Cast, erin: Membership) -> None:
    make.recording(
        make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=100)), "https://vendor.example/1"
    )
    browser = signed_in(cast.alice)

    shown = browser.post(CALLS, {"days": "90", "then": "erase", "reason": REASON}).content.decode()
    assert "<strong>1 call in</strong> becomes due" in shown
    assert "<strong>1 recording</strong> becomes due" in shown
    assert "another officer agrees to it first" in shown
    assert _confirmed(browser, CALLS, "90").status_code == 302
    assert _days(cast.dentist) == 365

    with job_scope(agency_id=cast.acme.pk):
        change = _change()
    url = f"/retention/changes/{change.pk}/"
    mine = browser.get(url).content.decode()
    assert "Withdraw the change" in mine
    assert "approve/" not in mine
    other = signed_in(erin)
    page = other.get(url).content.decode()
    assert REASON not in page
    unread = other.post(f"{url}approve/", _seen(page), follow=True).content.decode()
    assert "Open the reason first." in unread
    assert _days(cast.dentist) == 365
    assert REASON in other.post(f"{url}reason/").content.decode()
    assert "Rows due, as shown" in page
    assert "Open the policies" not in page
    assert other.post(f"{url}approve/", _seen(page)).status_code == 302
    assert _days(cast.dentist) == 90
    decided = other.get(url).content.decode()
    assert "Open the policies" in decided
    assert 'href="/clients/dentist/policies/"' in decided


@pytest.mark.thorough
def test_agreeing_without_the_effect_as_it_is_now_shows_it_again(cast: Cast, erin: Membership) -> None:
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=100))
    _confirmed(signed_in(cast.alice), CALLS, "90")
    with job_scope(agency_id=cast.acme.pk):
        url = f"/retention/changes/{_change().pk}/"
    other = signed_in(erin)
    page = other.post(f"{url}reason/").content.decode()
    make.call(cast.dentist, BEN, at=make.now() - timedelta(days=101))

    again = other.post(f"{url}approve/", _seen(page), follow=True).content.decode()
    assert "Look again, then agree" in again
    assert _days(cast.dentist) == 365
    assert other.post(f"{url}approve/", {}, follow=True).status_code == 200
    assert _days(cast.dentist) == 365


def test_saving_without_having_seen_the_effect_saves_nothing(cast: Cast, erin: Membership) -> None:
    browser = signed_in(cast.alice)
    asked = {"days": "90", "then": "erase", "reason": REASON, "confirmed": "1", "answered": "1"}
    assert "Look at the effect" in browser.post(CALLS, asked).content.decode()
    stale = asked | {"due_before": "0", "due_after": "7", "leaving": "0", "rules": "tsr-calls-out"}
    assert "counts have changed" in browser.post(CALLS, stale).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not PolicyChange.objects.exists()


def test_a_change_without_a_reason_is_refused_beside_the_field(cast: Cast) -> None:
    page = signed_in(cast.alice).post(CALLS, {"days": "90", "then": "erase", "reason": "short"})
    assert "at least 15 characters" in page.content.decode()


def test_a_rule_that_wants_a_reason_wants_its_tick(cast: Cast, erin: Membership) -> None:
    browser = signed_in(cast.alice)
    url = "/clients/dentist/policies/change/call_out/"
    page = browser.post(url, {"days": "100", "then": "erase", "reason": REASON}).content.decode()
    assert "16 CFR 310.5(a)(2)" in page
    without = browser.post(
        url, {"days": "100", "then": "erase", "reason": REASON, "confirmed": "1"} | _seen(page)
    )
    assert "Tick that your reason answers" in without.content.decode()
    assert _confirmed(browser, url, "100").status_code == 302


@pytest.mark.thorough
def test_the_law_refuses_in_the_page_with_rule_source_and_remedy(cast: Cast, erin: Membership) -> None:
    url = "/clients/dentist/policies/change/consent/"
    response = _confirmed(signed_in(cast.alice), url, "100")
    page = response.content.decode()
    assert response.status_code == 200
    for said in ("The law refuses this", "16 CFR 310.5(a)(8)", "https://www.ecfr.gov", "1,827 days or more"):
        assert said in page
    assert "confirmed" not in page
    with job_scope(agency_id=cast.acme.pk):
        assert not PolicyChange.objects.exists()


@pytest.mark.parametrize(
    ("category", "days", "said"),
    [
        ("call", "365", None),
        ("recording", "400", "never outlives them"),
        pytest.param("identity", "30", "open with the caller&#x27;s key", marks=pytest.mark.thorough),
        pytest.param("trail", "7", "Say 365 to 7,305 days", marks=pytest.mark.thorough),
        ("call", "9" * 20, "Say 1 to 7,305 days"),
    ],
)
def test_what_cannot_be_says_why_beside_the_field(
    cast: Cast, category: str, days: str, said: str | None
) -> None:
    response = signed_in(cast.alice).post(
        f"/clients/dentist/policies/change/{category}/", {"days": days, "then": "erase", "reason": REASON}
    )
    page = response.content.decode()
    assert (said or "it is in force at once") in page
    assert ("confirmed" in page) is (said is None)


def test_an_unknown_category_is_not_there(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert browser.get("/clients/dentist/policies/change/letters/").status_code == 404
    assert browser.get("/retention/policies/letters/").status_code == 404


def test_where_there_is_one_officer_an_admin_stops_it_in_the_page(cast: Cast) -> None:
    shown = _confirmed(signed_in(cast.alice), CALLS, "90", follow="1")
    assert shown.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        change = _change()
    assert change.state == ChangeState.DELAYED
    carol = signed_in(cast.carol)
    assert "takes effect in a day" in carol.get("/work/").content.decode()
    assert "Takes effect later" in carol.get("/retention/changes/").content.decode()
    url = f"/retention/changes/{change.pk}/"
    page = carol.get(url).content.decode()
    assert "You cannot see the counts" in page
    assert "Rows due, as shown" not in page
    assert carol.post(f"{url}withdraw/", {"reason": "short"}).status_code == 200
    assert carol.post(f"{url}approve/", {"due_before": "0", "due_after": "0"}).status_code == 403
    assert carol.post(f"{url}refuse/", {"reason": REASON}).status_code == 403
    assert carol.post(f"{url}withdraw/", {"reason": REASON}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert _change().state == ChangeState.WITHDRAWN
    decided = carol.get(url).content.decode()
    assert "This change is decided" in decided
    assert "Open the policies" not in decided


@pytest.mark.thorough
def test_the_page_says_which_grants_the_other_officers_lack_and_who_can_give_them(cast: Cast) -> None:
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    alice = signed_in(cast.alice)

    shown = alice.post(CALLS, {"days": "90", "then": "erase", "reason": REASON}).content.decode()
    _confirmed(alice, CALLS, "90")

    with job_scope(agency_id=cast.acme.pk):
        change = _change()
    assert change.state == ChangeState.WAITING
    url = f"/retention/changes/{change.pk}/"
    for page in (shown, alice.get(url).content.decode(), signed_in(erin).get(url).content.decode()):
        assert "No other officer can agree yet" in page
        assert f"<strong>{erin.user}</strong> does not have it at Dentist." in page
        assert "Manage retention, View calls" in page
        assert str(cast.carol.user) in page
    assert "Withdraw the change" in alice.get(url).content.decode()

    make.grant(erin, cast.dentist)
    assert "No other officer can agree yet" not in alice.get(url).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=erin.pk).update(state=MembershipState.SUSPENDED)
    assert "There is no other officer" in alice.get(url).content.decode()
    assert alice.post(f"{url}withdraw/", {"reason": REASON}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert _change().state == ChangeState.WITHDRAWN


def test_the_beat_applies_a_delayed_change_once_its_hour_has_come(cast: Cast) -> None:
    _confirmed(signed_in(cast.alice), CALLS, "90")
    tasks.apply_policies()
    assert _days(cast.dentist) == 365
    with job_scope(agency_id=cast.acme.pk):
        PolicyChange.objects.update(takes_effect_at=make.now() - timedelta(minutes=1))
    tasks.apply_policies()
    tasks.apply_policies()
    assert _days(cast.dentist) == 90


def test_a_change_that_fails_keeps_no_other_waiting(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    _confirmed(signed_in(cast.alice), CALLS.replace("dentist", "plumber"), "90")
    _confirmed(signed_in(cast.alice), CALLS, "90")
    with job_scope(agency_id=cast.acme.pk):
        PolicyChange.objects.update(takes_effect_at=make.now() - timedelta(minutes=1))
        broken = PolicyChange.objects.get(client=cast.plumber).pk
    apply_due = policies.apply_due

    def apply(*, change_id: uuid.UUID, at: datetime) -> None:
        if change_id == broken:
            raise RuntimeError
        apply_due(change_id=change_id, at=at)

    monkeypatch.setattr(policies, "apply_due", apply)
    tasks.apply_policies()
    assert (_days(cast.dentist), _days(cast.plumber)) == (90, 365)
    monkeypatch.undo()
    tasks.apply_policies()
    assert _days(cast.plumber) == 90


def test_an_officer_refuses_and_who_proposed_withdraws(cast: Cast, erin: Membership) -> None:
    alice, other = signed_in(cast.alice), signed_in(erin)
    for browser, deed, state in ((other, "refuse", "refused"), (alice, "withdraw", "withdrawn")):
        _confirmed(alice, CALLS, "90")
        with job_scope(agency_id=cast.acme.pk):
            change = PolicyChange.objects.get(state=ChangeState.WAITING)
        wrong = alice if browser is other else other
        if deed == "refuse":
            assert (
                wrong.post(f"/retention/changes/{change.pk}/refuse/", {"reason": REASON}).status_code == 403
            )
        assert browser.post(f"/retention/changes/{change.pk}/{deed}/", {"reason": REASON}).status_code == 302
        with job_scope(agency_id=cast.acme.pk):
            assert PolicyChange.objects.get(pk=change.pk).state == state
    assert _days(cast.dentist) == 365


def test_a_signature_that_does_not_count_is_said_and_the_change_waits(cast: Cast, erin: Membership) -> None:
    _confirmed(signed_in(cast.alice), CALLS, "90")
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=erin.pk).update(signs_from=make.now() + timedelta(hours=1))
        change = PolicyChange.objects.get()
    other = signed_in(erin)
    other.post(f"/retention/changes/{change.pk}/reason/")
    page = other.get(f"/retention/changes/{change.pk}/").content.decode()
    assert "Your signature does not count" in page
    assert f"/retention/changes/{change.pk}/approve/" not in page
    seen = {"due_before": "0", "due_after": "0", "leaving": "0", "rules": ""}
    answer = other.post(f"/retention/changes/{change.pk}/approve/", seen, follow=True)
    assert "Your role is new. Your second signature counts from" in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert PolicyChange.objects.get().state == ChangeState.WAITING
        event = Event.objects.get(action="signature.not_counted")
    assert (event.subject_kind, event.details["why"]) == ("retention.policychange", "new")
    assert _days(cast.dentist) == 365


def test_strangers_and_the_wrong_roles_find_no_change(cast: Cast, erin: Membership) -> None:
    _confirmed(signed_in(cast.alice), CALLS, "90")
    with job_scope(agency_id=cast.acme.pk):
        url = f"/retention/changes/{_change().pk}/"
    for who, of_officers in ((cast.bob, 403), (cast.mallory, 404)):
        browser = signed_in(who)
        assert browser.get(url).status_code == 404
        for deed, status in {
            "reason": 404,
            "withdraw": 404,
            "approve": of_officers,
            "refuse": of_officers,
        }.items():
            assert browser.post(f"{url}{deed}/", {"reason": REASON}).status_code == status
    assert signed_in(cast.bob).get("/retention/changes/").status_code == 403
    assert signed_in(cast.bob).get(CALLS).status_code == 403
    assert signed_in(cast.carol).get("/retention/policies/call/").status_code == 403
    assert signed_in(cast.mallory).get(CALLS).status_code == 404


def test_the_agencys_policy_needs_eyes_on_every_client_that_follows_it(cast: Cast) -> None:
    fay = make.person(cast.acme, "fay", Role.OFFICER)
    make.grant(fay, cast.dentist)
    page = (
        signed_in(fay)
        .post("/retention/policies/call/", {"days": "90", "then": "erase", "reason": REASON})
        .content.decode()
    )
    assert "Not granted to you" in page
    assert "Plumber" in page
    assert "confirmed" not in page


@pytest.mark.thorough
def test_the_agencys_policy_shows_what_it_makes_due_everywhere(cast: Cast, erin: Membership) -> None:
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA, at=make.now() - timedelta(days=100))
    browser = signed_in(cast.alice)
    shown = browser.post("/retention/policies/call/", {"days": "90", "then": "erase", "reason": REASON})
    assert "<strong>2 calls in</strong> become due" in shown.content.decode()
    saved = _confirmed(browser, "/retention/policies/call/", "90")
    assert saved["Location"] == "/retention/policies/"
    with job_scope(agency_id=cast.acme.pk):
        change = _change()
    other = signed_in(erin)
    page = other.get(f"/retention/changes/{change.pk}/").content.decode()
    other.post(f"/retention/changes/{change.pk}/reason/")
    other.post(f"/retention/changes/{change.pk}/approve/", _seen(page))
    assert (_days(cast.dentist), _days(cast.plumber)) == (90, 90)
    assert "In force" in other.get("/retention/changes/").content.decode()


def test_an_agency_always_says_how_long_calls_in_are_kept(cast: Cast) -> None:
    page = signed_in(cast.alice).post(
        "/retention/policies/call/", {"days": "", "then": "erase", "reason": REASON}
    )
    assert "This field is required" in page.content.decode()


def test_the_matrix_marks_what_is_own_and_what_is_beyond_the_law_and_filters_by_both(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.RECORDING,
            keep_for_days=90,
            set_at=make.NOON,
        )
        Policy.objects.create(
            agency=cast.acme, client=cast.plumber, category=Category.TRAIL, keep_for_days=9, set_at=make.NOON
        )
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_out_for_days=1827)
    browser = signed_in(cast.alice)
    page = browser.get("/retention/policies/").content.decode()
    assert page.count("matrix-cell-changed") == 3
    assert "beyond 1 rule" in page
    own = browser.get("/retention/policies/?only=own").context["rows"]
    assert [row.client.slug for row in own] == ["dentist", "plumber"]
    beyond = browser.get("/retention/policies/?only=beyond").context["rows"]
    assert [row.client.slug for row in beyond] == ["plumber"], "its calls out meet the floor of telemarketing"
    assert [row.client.slug for row in browser.get("/retention/policies/?q=PLUM").context["rows"]] == [
        "plumber"
    ]
    assert "No client like that" in browser.get("/retention/policies/?q=zebra").content.decode()


@pytest.mark.thorough
def test_the_matrix_takes_no_more_queries_for_more_clients(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    browser = signed_in(cast.alice)
    browser.get("/retention/policies/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/retention/policies/")
    for number in range(8):
        make.client(cast.acme, f"More {number}")
    with django_assert_num_queries(len(few)):
        browser.get("/retention/policies/")


@pytest.mark.thorough
def test_a_clients_page_shows_each_policy_the_law_and_what_waits(cast: Cast, erin: Membership) -> None:
    browser = signed_in(cast.alice)
    _confirmed(browser, CALLS, "90")
    page = browser.get("/clients/dentist/policies/").content.decode()
    for about in categories.OF_CLIENTS:
        assert f"policies/change/{about.value}/" in page
    assert "365 days become 90" in page
    assert "at least 5 years" in page


# --- The calendar ---------------------------------------------------------------------------------------------------


def _client(of: Client) -> Client:
    return Client.objects.select_related("agency").get(pk=of.pk)


@pytest.mark.thorough
def test_each_day_of_the_calendar_is_what_a_run_finds_more_that_day(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(
            time_zone="Asia/Tokyo", keep_calls_for_days=100, keep_calls_out_for_days=40
        )
        Policy.objects.create(
            agency=cast.acme,
            client=cast.plumber,
            category=Category.RECORDING,
            keep_for_days=20,
            set_at=make.NOON,
        )
    for number in range(24):
        for client in (cast.dentist, cast.plumber):
            call = make.call(
                client, ANNA, at=make.NOON - timedelta(days=number * 17, hours=number),
                direction="outbound" if number % 3 == 0 else "inbound",
            )  # fmt: skip
            if number % 2:
                make.recording(call, "https://vendor.example/1")
    with job_scope(agency_id=cast.acme.pk):
        clients = [_client(cast.dentist), _client(cast.plumber)]
        found = calendar.calendar(clients, make.NOON)
        # The plumber's recordings leave before their calls; the dentist's are counted with them.
        apart = {cast.plumber.pk}
        before = _due(clients, make.NOON, apart=apart)
        for number, day in enumerate(found.days, start=1):
            after = _due(clients, make.NOON + timedelta(days=number), apart=apart)
            more = {category: after[category] - before[category] for category in after}
            assert {category: count for category, count in more.items() if count} == dict(day.counts), day.on
            before = after
        assert found.total > 10


def _due(clients: list[Client], at: Any, *, apart: set[int]) -> dict[Category, int]:
    """What a run would find; of the clients `apart` also recordings that are due with their calls by then."""
    found = dict.fromkeys((Category.CALL, Category.CALL_OUT, Category.RECORDING), 0)
    for client_id, extents in preview.extents(preview.lines(clients, at)).items():
        for category in found:
            if category in extents:
                found[category] += extents[category].rows
                if category is not Category.RECORDING and client_id in apart:
                    found[Category.RECORDING] += extents[category].recordings
    return found


def test_exports_and_the_inbox_fall_due_on_the_day_on_which_a_run_takes_them(cast: Cast) -> None:
    ours: dict[str, Any] = {"agency_id": cast.acme.pk, "client": cast.dentist}
    with job_scope(agency_id=cast.acme.pk):
        way = Connection.objects.create(
            **ours, provider="callrail", name="Way", key="k", created_at=make.NOON - timedelta(days=50)
        )
        for days, state in ((2, JobState.DONE), (3, JobState.FAILED), (4, JobState.RUNNING)):
            made_at = make.NOON - timedelta(days=days, hours=14)
            CallExport.objects.create(
                **ours, created_by_id=cast.alice.user_id, state=state, created_at=made_at, due_at=made_at,
                finished_at=None if state == JobState.RUNNING else make.NOON - timedelta(days=days),
            )  # fmt: skip
        for days, kept_as, attempts in ((1, "rejected", 1), (2, "waiting", 3), (3, "waiting", 0)):
            Inbox.objects.create(
                **ours, connection=way, payload=b"\x01sealed", state=kept_as, attempts=attempts,
                received_at=make.NOON - timedelta(days=days), due_at=make.NOON,
            )  # fmt: skip
        clients = [_client(cast.dentist)]
        found = calendar.calendar(clients, make.NOON)
        before = preview.extents(preview.lines(clients, make.NOON))[cast.dentist.pk]
        for number, day in enumerate(found.days[:10], start=1):
            after = preview.extents(preview.lines(clients, make.NOON + timedelta(days=number)))[
                cast.dentist.pk
            ]
            for category in (Category.EXPORT, Category.INBOX):
                more = after.get(category, Extent()).rows - before.get(category, Extent()).rows
                assert more == day.counts.get(category, 0), (day.on, category)
            before = after
    assert (found.sum_of(Category.EXPORT), found.sum_of(Category.INBOX)) == (2, 2)


def test_held_calls_are_not_in_the_calendar(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=350))
    with job_scope(agency_id=cast.acme.pk):
        assert calendar.calendar([_client(cast.dentist)], make.NOON).total == 1
        type(call).objects.filter(pk=call.pk).update(on_hold=True)
        assert calendar.calendar([_client(cast.dentist)], make.NOON).total == 0


def test_many_clients_with_the_same_days_are_counted_together(cast: Cast) -> None:
    for number in range(6):
        make.client(cast.acme, f"More {number}")
    with job_scope(agency_id=cast.acme.pk):
        clients = list(Client.objects.select_related("agency"))
        with CaptureQueriesContext(connections["default"]) as few:
            calendar.calendar(clients[:1], make.NOON)
        with CaptureQueriesContext(connections["default"]) as many:
            calendar.calendar(clients, make.NOON)
    assert len(many) == len(few)


def test_the_calendar_is_a_picture_and_a_table_and_filters_by_client(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=350))
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.now()
        )
    browser = signed_in(cast.alice)
    page = browser.get("/retention/calendar/").content.decode()
    assert "<svg" in page
    assert "The same as a table" in page
    assert "style=" not in page
    assert "1 of 2 clients is observed" in page
    assert "Nothing falls due" in browser.get("/retention/calendar/?client=plumber").content.decode()
    later = browser.get("/retention/calendar/later/?client=dentist").content.decode()
    assert "Number and identity" in later
    assert signed_in(cast.bob).get("/retention/calendar/").status_code == 403


def test_evidence_and_numbers_are_told_by_the_last_day(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for category in (Category.RECORDING, Category.TRANSCRIPT, Category.IDENTITY):
            Policy.objects.create(
                agency=cast.acme, client=cast.dentist, category=category, keep_for_days=100, set_at=make.NOON
            )
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=50))
    with job_scope(agency_id=cast.acme.pk):
        found = {one.category: one for one in calendar.later([_client(cast.dentist)], make.NOON)}
        assert kept.effective(_client(cast.dentist), Category.IDENTITY).days == 100
    assert (found[Category.IDENTITY].today, found[Category.IDENTITY].more) == (0, 1)
