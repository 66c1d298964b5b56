"""Global Privacy Control: what is a signal, what it does, and that the page says so."""

import uuid
from typing import Any

import pytest
from django.test import Client as Browser

from callprivacy.calls.services import people
from callprivacy.tenancy.scope import client_scope, job_scope
from consent.channels.signals import is_opted_out
from consent.enums import Channel, EventKind, Purpose, State, Strength
from consent.models import Notice, WebPage
from consent.services import invitations, limits, preferences
from tests import make
from tests.cast import Cast
from tests.consent.asking_by_mail import asked
from tests.consent.pages import events_of, evidence_of, hidden, open_page, publish, states_of
from tests.make import NOON

pytestmark = pytest.mark.as_committed

ON = {"sec-gpc": "1"}


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


@pytest.fixture
def page(cast: Cast) -> WebPage:
    publish(cast.dentist, Purpose.RECORD, Purpose.SHARE)
    return open_page(cast.dentist)


@pytest.mark.parametrize("value", ["1", "0,1", "1, 0", "1,1", " 1 "])
def test_exactly_one_is_a_signal_also_among_several_headers(value: str) -> None:
    assert is_opted_out(value)


@pytest.mark.parametrize(
    "value", [None, "", "0", "true", "yes", "01", "1.0", "11", "1;a", '"1"', "１", "0,0"]
)
def test_anything_else_is_ignored(value: str | None) -> None:
    assert not is_opted_out(value)


def _send(page: WebPage, *, headers: dict[str, str], **said: Any) -> Any:
    browser, address = Browser(), f"/c/{page.key}/consent/"
    form = hidden(browser.get(address, headers=headers).content)
    return browser.post(
        address, {"deed": "give", "number": "(415) 555-0101", "form": form} | said, headers=headers
    )


def test_the_page_says_that_the_browser_asks_and_does_not_offer_sharing(page: WebPage) -> None:
    body = Browser().get(f"/c/{page.key}/consent/", headers=ON).content.decode()
    assert "Your browser asks us not to share or sell (Global Privacy Control)." in body
    assert "Honored" not in body, "whose number it is nobody knows yet, so nothing is written"
    give = body.split('id="stop"')[0]
    assert 'value="record"' in give
    assert 'value="share"' not in give
    spanish = Browser().get(f"/c/{page.key}/consent/?lang=es", headers=ON).content.decode()
    assert "Su navegador nos pide no compartir ni vender" in spanish
    assert "Global Privacy" not in Browser().get(f"/c/{page.key}/consent/", headers={"sec-gpc": "0"}).text


def test_with_a_form_it_becomes_an_opt_out_of_sharing(cast: Cast, page: WebPage) -> None:
    answer = _send(page, headers=ON, purposes=["record", "share"])
    events = {(event.purpose, event.channel): event for event in events_of(cast.dentist)}
    assert set(events) == {(Purpose.RECORD, Channel.WEB), (Purpose.SHARE, Channel.GPC)}
    opt_out = events[Purpose.SHARE, Channel.GPC]
    assert (opt_out.kind, opt_out.strength) == (EventKind.WITHDRAWN, Strength.D)
    assert evidence_of(cast.dentist)["share gpc"]["header"] == "Sec-GPC: 1"
    assert evidence_of(cast.dentist)["record web"]["gpc"] is True
    shown = Browser().get(answer.headers["Location"], headers=ON).content.decode()
    assert "Opt-Out Request Honored" in shown
    assert "Global Privacy Control" in shown
    spanish = Browser().get(answer.headers["Location"] + "&lang=es", headers=ON).text
    assert "Solicitud de exclusión respetada" in spanish


def test_it_beats_a_tick_for_sharing_alone(cast: Cast, page: WebPage) -> None:
    assert _send(page, headers=ON, purposes=["share"]).status_code == 303
    assert [(event.kind, event.channel) for event in events_of(cast.dentist)] == [
        (EventKind.WITHDRAWN, Channel.GPC)
    ]


def test_without_the_signal_sharing_is_a_choice_like_any_other(cast: Cast, page: WebPage) -> None:
    _send(page, headers={"sec-gpc": "0"}, purposes=["share"])
    assert [(event.kind, event.channel) for event in events_of(cast.dentist)] == [
        (EventKind.GIVEN, Channel.WEB)
    ]


def test_a_no_to_everything_needs_no_second_no_to_sharing(cast: Cast, page: WebPage) -> None:
    _send(page, headers=ON, deed="withdraw", everything="on")
    shares = [event for event in events_of(cast.dentist) if event.purpose == Purpose.SHARE]
    assert [event.channel for event in shares] == [Channel.WEB]
    _send(page, headers=ON, deed="withdraw", purposes=["review"])
    shares = [event for event in events_of(cast.dentist) if event.purpose == Purpose.SHARE]
    assert [event.channel for event in shares] == [Channel.WEB, Channel.GPC]


def _link(cast: Cast) -> tuple[str, uuid.UUID]:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=["+14155550101"], at=NOON)["+14155550101"]
        url = preferences.link_for(client=cast.dentist, caller_id=caller_id, at=make.now())
    return url.removeprefix("http://127.0.0.1:8000"), caller_id


def test_on_ones_own_choices_it_is_written_once(cast: Cast, page: WebPage) -> None:
    link, caller_id = _link(cast)
    _send(page, headers={}, purposes=["share"])
    assert states_of(cast.dentist, caller_id) == {"share": State.GIVEN}
    for _ in range(2):
        body = Browser().get(link, headers=ON).content.decode()
        assert "Opt-Out Request Honored" in body
    assert states_of(cast.dentist, caller_id) == {"share": State.WITHDRAWN}
    signals = [event for event in events_of(cast.dentist) if event.channel == Channel.GPC]
    assert [event.strength for event in signals] == [Strength.B]


def test_while_it_is_sent_sharing_cannot_be_switched_on(cast: Cast, page: WebPage) -> None:
    link, caller_id = _link(cast)
    body = Browser().get(link, headers=ON).content
    said = {"form": hidden(body), "deed": "give", "purpose": "share"}
    answer = Browser().post(link, said, headers=ON)
    assert answer.status_code == 422
    assert b"You cannot allow sharing here while your browser asks us not to share." in answer.content
    assert states_of(cast.dentist, caller_id) == {"share": State.WITHDRAWN}


def test_by_the_link_of_a_letter_it_is_written_in_place_of_a_yes_to_sharing(cast: Cast) -> None:
    row = asked(cast)
    with job_scope(agency_id=cast.acme.pk):
        Notice.objects.filter(channel=Channel.EMAIL).update(purposes=["record", "share"])
        key = WebPage.objects.for_client(cast.dentist).get().key
        secret = invitations.secret_of(cast.dentist.pk, row.pk)
    browser, where = Browser(headers=ON), f"/c/{key}/ask/{secret}/"
    opened = browser.get(where)
    assert "Honored" not in opened.text
    assert 'value="share"' not in opened.text
    said = {"form": hidden(opened.content), "deed": "yes"}
    assert browser.post(where, said | {"purposes": ["share"]}).status_code == 422
    assert "Honored" in browser.post(where, said | {"purposes": ["record", "share"]}).text
    assert {(event.purpose, event.kind, event.channel) for event in events_of(cast.dentist)} == {
        (Purpose.RECORD, EventKind.GIVEN, Channel.EMAIL),
        (Purpose.SHARE, EventKind.WITHDRAWN, Channel.GPC),
    }


def test_the_script_is_told_not_to_swap_numbers(cast: Cast) -> None:
    page = open_page(cast.dentist, swap_url="https://tracker.example/swap.js")
    browser, site = Browser(), {"origin": "https://www.example.com"}
    address = f"/c/{page.key}/config.json"
    assert browser.get(address, headers=site).json()["swap"]["url"] == "https://tracker.example/swap.js"
    for answer in (browser.get(address, headers=site | ON), browser.get(f"{address}?gpc=1", headers=site)):
        said = answer.json()
        assert said["swap"] is None
        assert said["gpc"].startswith("Opt-Out Request Honored")


def test_our_own_site_says_that_it_heeds_the_signal() -> None:
    answer = Browser().get("/.well-known/gpc.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["gpc"] is True


def test_a_caller_of_the_signal_is_nobody_elses(cast: Cast, page: WebPage) -> None:
    _send(page, headers=ON, purposes=["record"])
    with job_scope(agency_id=cast.acme.pk):
        assert {event.client_id for event in events_of(cast.dentist)} == {cast.dentist.pk}
    assert events_of(cast.plumber) == []
