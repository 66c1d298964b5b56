"""Trackers without a module of their own: what is believed, what is read of it, and what a person sees of an event."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Connection, Inbox
from callprivacy.calls.providers import PROVIDERS, mapped
from callprivacy.calls.providers.base import Delivery, Ignored, RefusedError, UnparsableError
from callprivacy.calls.services import connections, inbox
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import connect, now
from tests.calls.test_inbox import calls, work_off
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import local, moved

RAW = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(RAW).decode()
CANARY = "+12125550188"
EVENT: dict[str, Any] = {
    "call": {"began": moved("2026-11-24 04:30:00"), "from": CANARY, "secs": 61, "way": "inbound"},
    "to": {"number": "4045550199"},
    "person": {"name": "Canary Name"},
    "labels": ["Booked"],
    "12125550188": "x",
}
PATHS = {
    "started_at": "call.began", "caller": "call.from", "seconds": "call.secs", "tracking_number": "to.number",
    "direction": "call.way", "tags": "labels.0",
}  # fmt: skip
FIELDS = mapped.Fields(PATHS, zone="America/New_York")
BODY = json.dumps(EVENT).encode()
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def signed(
    body: bytes = BODY, *, at: datetime = NOON, key: bytes = RAW, name: str = "msg_1"
) -> dict[str, str]:
    time = str(int(at.timestamp()))
    digest = hmac.digest(key, f"{name}.{time}.".encode() + body, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": time,
        "webhook-signature": "v1a,x v1," + base64.b64encode(digest).decode(),
    }


def believes(
    headers: dict[str, str], provider: str = "signed", secret: str = SECRET, body: bytes = BODY
) -> bool:
    return PROVIDERS[provider].verify(Delivery(body, headers, "https://x/", NOON), [secret])


def test_what_is_signed_now_is_believed_and_nothing_else() -> None:
    assert believes(signed())
    assert believes(signed(key=b"plain-secret-of-32"), secret="plain-secret-of-32")
    assert not believes(signed(), body=BODY + b" ")
    assert not believes(signed(), secret="whsec_" + base64.b64encode(RAW[::-1]).decode())
    assert not believes(signed(), secret="whsec_???")
    assert not believes(signed(key=b"-"), secret="whsec_")
    assert not believes(signed(), secret="")
    for minutes in (-6, 6):
        assert not believes(signed(at=NOON + timedelta(minutes=minutes)))
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert not believes({key: value for key, value in signed().items() if key != name})
    assert not believes(signed() | {"webhook-id": "msg_2"})
    assert not believes(signed() | {"webhook-timestamp": "now"})


def test_a_shared_secret_stands_in_either_header() -> None:
    secret = "0123456789abcdef"
    assert believes({"X-Webhook-Secret": secret}, "shared", secret)
    assert believes({"Authorization": f"Bearer {secret}"}, "shared", secret)
    for headers in ({}, {"X-Webhook-Secret": secret[:-1]}, {"Authorization": "Bearer "}):
        assert not believes(headers, "shared", secret)
    assert not believes({"X-Webhook-Secret": ""}, "shared", "")


def test_fields_are_read_as_they_were_named_and_the_rest_is_dropped() -> None:
    facts = mapped.parse(BODY, JSON, FIELDS, at=NOON)
    assert not isinstance(facts, Ignored)
    assert facts.started_at == local(0, 4, 30)
    assert (facts.caller, facts.tracking_number, facts.seconds) == (CANARY, "+14045550199", 61)
    assert (facts.direction, facts.tags) == (Direction.INBOUND, ("Booked",))


def test_a_form_is_read_alike_and_epochs_are_times() -> None:
    body = urlencode({"start": "1795435200", "caller": "anonymous", "note": "x"}).encode()
    fields = mapped.Fields({"started_at": "start", "caller": "caller"})
    facts = mapped.parse(body, FORM, fields, at=datetime(2026, 11, 25, tzinfo=UTC))
    assert not isinstance(facts, Ignored)
    assert (facts.caller_withheld, facts.started_at.year) == (True, 2026)


@pytest.mark.parametrize(
    ("body", "fields", "error"),
    [
        (BODY, None, UnparsableError),
        (BODY, mapped.Fields({"caller": "call.from"}), UnparsableError),
        (b"[]", FIELDS, UnparsableError),
        (b"\xff{", FIELDS, UnparsableError),
        (json.dumps({"a": list(range(500))}).encode(), FIELDS, UnparsableError),
        (json.dumps(EVENT | {"call": {"began": "soon", "from": CANARY}}).encode(), FIELDS, RefusedError),
        (json.dumps(EVENT | {"call": EVENT["call"] | {"from": "Jo"}}).encode(), FIELDS, RefusedError),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused_without_repeating_it(body: bytes, fields: Any, error: type) -> None:
    with pytest.raises(error) as caught:
        mapped.parse(body, JSON, fields, at=NOON)
    assert CANARY not in str(caught.value)
    assert "Jo" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "12125550188", "+1 (212) 555-0188", "212.555.0188", "212-555-0188", "tel:212 555 0188", "٢١٢٥٥٥٠١٨٨",
        "jane@example.com", "jane＠example.com", "jane%40example.com",
    ],
)  # fmt: skip
def test_a_number_or_address_that_is_a_fields_name_is_neither_shown_nor_chosen(name: str) -> None:
    said = mapped.flat(json.dumps({name: {"calls": 1}, "of": {name: "x"}, "calls_2": "y"}).encode(), JSON)
    assert said == {"calls_2": "y"}
    assert mapped.flat(urlencode({name: "x", "field 1": "y"}).encode(), FORM) == {"field 1": "y"}
    kept = mapped.Fields.of({"paths": {"caller": name, "started_at": "call.began"}})
    assert kept is not None
    assert kept.paths == {"started_at": "call.began"}


def test_a_number_spread_over_names_within_each_other_is_none_either() -> None:
    assert mapped.flat(b'{"212": {"555": {"0188": "x"}}, "tags": [["y"]]}', JSON) == {"tags.0.0": "y"}


def test_a_deep_event_is_read_as_far_as_six_steps() -> None:
    value: Any = "x"
    for _ in range(30):
        value = {"a": value}
    assert mapped.flat(json.dumps(value).encode(), JSON) == {}


def test_an_event_deeper_than_the_bound_is_refused() -> None:
    body = b'{"a":' * 33 + b"1" + b"}" * 33
    with pytest.raises(UnparsableError, match="more than 32"):
        mapped.flat(body, JSON)


# --- From the door to the call ---


@pytest.fixture
def cast(db: None) -> Cast:
    return assemble()


def bring(to: Connection, body: bytes = BODY) -> int:
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed(body, at=now()).items()
    }
    return Browser().post(f"/hooks/signed/{to.key}/", body, content_type=JSON, **headers).status_code  # type: ignore[arg-type]  # facts of a table


def test_an_event_waits_until_somebody_says_what_its_fields_mean(cast: Cast) -> None:
    to = connect(cast.dentist, "signed", SECRET)
    assert bring(to) == 200
    assert Browser().post(f"/hooks/signed/{to.key}/", BODY, content_type=JSON).status_code == 403
    at = now()
    work_off(cast, at=at)
    with job_scope(agency_id=cast.acme.pk):
        assert Inbox.objects.get().reason == mapped.UNMAPPED

    browser = signed_in(cast.alice)
    url = f"/clients/dentist/connections/{to.pk}/fields/"
    page = browser.get(url).content.decode()
    assert "call.from" in page
    assert "+•••••••••••" in page
    assert [word for word in (CANARY, "Canary Name", "2125550188", "Booked") if word in page] == []

    said = PATHS | {"numbers_of": "US", "otherwise": "outbound", "zone": "America/New_York", "slashes": ""}
    tried = browser.post(url, said | {"look": "1"}).content.decode()
    assert "What would be read of it" in tried
    assert "+1 ••• ••• 0188" in tried
    twice = browser.post(url, said | {"tags": "call.from"}).content.decode()
    assert "already" in twice
    assert browser.post(url, said | {"caller": "no.such"}).status_code == 200
    assert calls(cast.dentist) == []

    assert browser.post(url, said).status_code == 302
    work_off(cast, at=at + timedelta(minutes=1))
    (call,) = calls(cast.dentist)
    assert (call.seconds, call.tags, call.direction) == (61, ["Booked"], "inbound")
    assert bring(to) == 200
    work_off(cast, at=at + timedelta(minutes=2))
    assert len(calls(cast.dentist)) == 1
    assert browser.get(f"/clients/dentist/connections/{to.pk}/").status_code == 200
    assert signed_in(cast.mallory).get(url).status_code == 404
    assert signed_in(cast.bob).post(url, said).status_code == 403
    other = connect(cast.dentist)
    assert browser.get(f"/clients/dentist/connections/{other.pk}/fields/").status_code == 302


def test_what_came_last_stands_whichever_is_read_last(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    to = connect(cast.dentist, "shared", "0123456789abcdef")
    with job_scope(agency_id=cast.acme.pk):
        paths = PATHS | {"reference": "id"}
        connections.map_fields(connection=to, fields=mapped.Fields(paths), by=make.JOB, at=NOON)
    parse, tries = mapped.parse, iter([True])

    def fails_once(*args: Any, **named: Any) -> Any:
        if next(tries, False):
            raise ConnectionError
        return parse(*args, **named)

    monkeypatch.setattr(mapped, "parse", fails_once)
    for seconds, after in ((5, 0.0), (300, 0.5)):
        event = EVENT | {"id": "c1", "call": EVENT["call"] | {"secs": seconds}}
        headers = {"X-Webhook-Secret": "0123456789abcdef", "Content-Type": JSON}
        inbox.receive_event(
            provider=PROVIDERS["shared"], key=to.key, at=NOON + timedelta(seconds=after),
            delivery=Delivery(json.dumps(event).encode(), headers, "https://x/"),
        )  # fmt: skip
        work_off(cast, at=NOON + timedelta(seconds=after))

    assert work_off(cast, at=NOON + timedelta(minutes=5)) == 1
    assert [call.seconds for call in calls(cast.dentist)] == [300]
