"""Deliveries that a vendor did sign, with one thing changed: none of them is taken for the vendor's."""

import base64
import hmac
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from callprivacy.calls.models import Inbox
from callprivacy.calls.providers.base import Delivery, Provider
from callprivacy.calls.providers.callrail import CallRail
from callprivacy.calls.providers.ctm import CallTrackingMetrics
from callprivacy.calls.providers.mapped import SHARED, SIGNED
from callprivacy.calls.providers.twilio import Twilio
from callprivacy.tenancy.scope import job_scope
from tests.cast import assemble
from tests.make import NOON
from tests.scale import tell, times

from .test_hooks import CALLRAIL_BODY, address, base64_hmac, connect

SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
URL = "https://calls.example.com/hooks/vendor/key/?a=b"
FORM = {"CallSid": "CA" + "1" * 32, "CallStatus": "completed", "From": "+12125550101", "To": "+14045550100"}


@dataclass(frozen=True)
class Signed:
    """A vendor, a delivery of its, the name of its signature, and what it signs besides the body."""

    provider: Provider
    delivery: Delivery
    header: str
    signs_address: bool = False


def _callrail() -> Signed:
    return Signed(
        CallRail(),
        Delivery(CALLRAIL_BODY, {"Signature": base64_hmac(SECRET, CALLRAIL_BODY)}, URL, NOON),
        "Signature",
    )


def _twilio() -> Signed:
    text = URL + "".join(name + FORM[name] for name in sorted(FORM))
    headers = {
        "X-Twilio-Signature": base64_hmac(SECRET, text.encode()),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    delivery = Delivery(urlencode(FORM).encode(), headers, URL, NOON)
    return Signed(Twilio(), delivery, "X-Twilio-Signature", signs_address=True)


def _ctm() -> Signed:
    body = json.dumps({"id": 7, "direction": "inbound"}).encode()
    time = NOON.isoformat()
    given = base64_hmac(SECRET, time.encode() + body)
    delivery = Delivery(body, {"X-CTM-Time": time, "X-CTM-Signature": given}, URL, NOON)
    return Signed(CallTrackingMetrics(), delivery, "X-CTM-Signature")


VENDORS = {"callrail": _callrail, "twilio": _twilio, "ctm": _ctm}


def _flip(raw: bytes, chance: random.Random) -> bytes:
    found = bytearray(raw)
    found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _with_header(signed: Signed, value: str) -> Delivery:
    return replace(signed.delivery, headers={**signed.delivery.headers, signed.header: value})


def _forged(signed: Signed, chance: random.Random) -> tuple[Delivery, str]:
    """One change, and the secret that the door knows."""
    true, given = signed.delivery, signed.delivery.headers[signed.header]
    raw = base64.b64decode(given)
    ways: list[Callable[[], Delivery]] = [
        lambda: _with_header(signed, base64.b64encode(_flip(raw, chance)).decode()),
        lambda: _with_header(signed, base64.b64encode(raw[: chance.randrange(len(raw))]).decode()),
        lambda: _with_header(signed, given[: chance.randrange(len(given))]),
        lambda: _with_header(signed, given.swapcase() if given.swapcase() != given else ""),
        lambda: _with_header(signed, raw.hex()),
        lambda: _with_header(signed, base64_hmac(OTHER, true.body)),
        lambda: _with_header(signed, base64.b64encode(hmac.digest(b"", true.body, "sha1")).decode()),
        lambda: _with_header(signed, base64.b64encode(chance.randbytes(20)).decode()),
        lambda: _with_header(
            signed, chance.choice(["", " ", "\0", "é", "=", given + "," + given, "null", "0" * 28])
        ),
        lambda: replace(
            true, headers={key: value for key, value in true.headers.items() if key != signed.header}
        ),
        lambda: replace(true, body=_flip(true.body, chance)),
        lambda: replace(true, body=true.body[: chance.randrange(1, len(true.body))]),
        lambda: replace(true, body=true.body + chance.choice([b" ", b"\n", b"\0", b"&a=b", b"{}"])),
        lambda: replace(true, body=true.body[::-1]),
    ]
    if signed.signs_address:
        ways += [
            lambda: replace(
                true, url=true.url.replace("calls.", chance.choice(["evil.", "", "calls.calls."]))
            ),
            lambda: replace(
                true, url=true.url.replace("/key/", f"/{chance.choice(['kez', 'other', 'key/key'])}/")
            ),
            lambda: replace(
                true, url=true.url.replace("?a=b", chance.choice(["", "?a=c", "?a=b&c=d", "?b=a"]))
            ),
            lambda: replace(true, url=true.url.replace("https:", "http:")),
        ]
    if chance.random() < 0.05:
        return true, OTHER
    return chance.choice(ways)(), SECRET


def _says_the_same(signed: Signed, forged: Delivery) -> bool:
    """Whether a change left what was signed as it was: bytes that read as the same fields are the same message."""
    if not signed.signs_address:
        return False
    from urllib.parse import parse_qsl

    def fields(of: Delivery) -> list[tuple[str, str]]:
        return sorted(parse_qsl(of.body.decode("utf-8", "surrogateescape"), keep_blank_values=True))

    same_headers = forged.headers == signed.delivery.headers
    return same_headers and forged.url == signed.delivery.url and fields(forged) == fields(signed.delivery)


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_changed_delivery_is_the_vendors(vendor: str) -> None:
    signed, chance = VENDORS[vendor](), random.Random(7)
    assert signed.provider.verify(signed.delivery, [SECRET])
    tried = 0
    for _ in range(times(700, 34_000)):
        forged, known = _forged(signed, chance)
        if known == SECRET and (forged == signed.delivery or _says_the_same(signed, forged)):
            continue
        assert not signed.provider.verify(forged, [known]), (forged.headers, forged.url, forged.body[:200])
        tried += 1
    assert tried > times(600, 30_000)
    tell(tried, f"forged deliveries of {vendor} refused")


@pytest.mark.django_db
def test_what_is_forged_writes_nothing_through_the_door() -> None:
    cast = assemble()
    here, there = connect(cast.dentist, secret=SECRET), connect(cast.florist, secret=OTHER)
    signed, chance, tried = _callrail(), random.Random(8), times(40, 1000)
    browser = Browser(enforce_csrf_checks=True)
    for _ in range(tried):
        forged, known = _forged(signed, chance)
        to = there if known == OTHER else here
        headers = {key: value for key, value in forged.headers.items() if value.isprintable()}
        answer = browser.post(
            address(to), forged.body, content_type="application/json", headers=headers,
            HTTP_X_FORWARDED_HOST="calls.example.com", HTTP_X_FORWARDED_FOR="127.0.0.1",
        )  # fmt: skip
        assert answer.status_code == 403
        assert answer.content == b"Forbidden.\n"
    for client in (cast.dentist, cast.florist):
        with job_scope(agency_id=client.agency_id):
            assert not Inbox.objects.exists()
    tell(tried, "forged deliveries refused at the door")


def test_every_vendor_that_signs_is_tried() -> None:
    from callprivacy.calls.providers import PROVIDERS

    # Trackers of any name sign, or send a secret, as test_mapped.py tries.
    signing = {name for name, provider in PROVIDERS.items() if provider.content_types} - {SIGNED, SHARED}
    assert signing == set(VENDORS), Path(__file__).name
