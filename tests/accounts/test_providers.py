"""Signing in through an agency's own provider: who gets in, who does not, and what such a session opens."""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import serialization
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connections
from django.http import HttpResponse  # noqa: TID251  (what a view answers)
from django.test import Client as Browser
from django.test import RequestFactory

from callprivacy.accounts import adapter, providers, selectors
from callprivacy.accounts.access import Through
from callprivacy.accounts.enums import MembershipState, Refusal, Role
from callprivacy.accounts.models import Membership, ProviderLink, SignInProvider, User
from callprivacy.accounts.services import leaving, people, sso
from callprivacy.audit.models import Event
from callprivacy.lib import outside
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from tests import cast, make
from tests.accounts import browsers
from tests.accounts.provider import (
    CLIENT_ID,
    EC_KEY,
    HOST,
    OTHER_KEY,
    RSA_KEY,
    SECRET,
    SHORT_KEY,
    Provider,
    running,
)
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db
OFFICER = "alice@acme.example"


@pytest.fixture
def acme(cast: cast.Cast) -> cast.Cast:
    return cast


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with running(tmp_path, monkeypatch) as found:
        yield found


def staff(of: Membership) -> Actor:
    return Actor.staff(user_id=of.user_id)


def set_up(agency: Agency, provider: Provider, *, by: Membership, run: Any, **more: Any) -> list[str]:
    values = {
        "name": "Keycloak",
        "issuer": provider.issuer,
        "application": CLIENT_ID,
        "secret": SECRET,
        "domains": ["acme.example"],
    } | more
    with run(execute=True), job_scope(agency_id=agency.pk):
        return sso.set_up(agency=agency, by=staff(by), at=make.now(), **values)


def kept(agency: Agency) -> SignInProvider:
    with job_scope(agency_id=agency.pk):
        found = selectors.provider()
    assert found is not None
    return found


def switch_on(agency: Agency, by: Membership) -> None:
    seen = sso.named(kept(agency))
    with job_scope(agency_id=agency.pk):
        sso.switch_on(seen=seen, by=staff(by), at=make.now())


@pytest.fixture
def key(acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any) -> str:
    """The key of Acme's sign-in address, which is on: alice named the provider, carol agreed."""
    set_up(acme.acme, provider, by=acme.alice, run=django_capture_on_commit_callbacks)
    switch_on(acme.acme, acme.carol)
    return kept(acme.acme).key


def come(browser: Browser, provider: Provider, key: str, *, path: str = "go/", **claims: Any) -> HttpResponse:
    """Go to the provider and come back from it."""
    there = browser.get(f"/sso/{key}/{path}")
    assert there.status_code == 302, there.content
    return browser.get(provider.authorize(there["Location"], **claims))  # type: ignore[return-value]  # the test client's answer


def reasons(agency: Agency) -> list[str]:
    with job_scope(agency_id=agency.pk):
        rows = Event.objects.filter(action="sign_in_provider.refused").order_by("id")
        return [row.details["why"] for row in rows]


def works_too(person: Membership, agency: Agency, role: Role = Role.REVIEWER) -> Membership:
    with job_scope(agency_id=agency.pk):
        return Membership.objects.create(agency=agency, user=person.user, role=role, created_at=make.NOON)


def give_codes(person: Membership) -> None:
    Authenticator.objects.create(user=person.user, type=Authenticator.Type.TOTP, data={"secret": "x"})


# --- in -------------------------------------------------------------------------------------------------------------


def test_somebody_who_works_there_comes_in(
    acme: cast.Cast, provider: Provider, key: str, django_capture_on_commit_callbacks: Any
) -> None:
    browser = Browser()
    page = browser.get(f"/sso/{key}/?next=/calls/").content.decode()
    assert "Go to Keycloak" in page
    assert f"/sso/{key}/go/?next=%2Fcalls%2F" in page
    there = browser.get(f"/sso/{key}/go/?next=/calls/")
    with django_capture_on_commit_callbacks(execute=True):
        found = browser.get(provider.authorize(there["Location"]))
    assert found["Location"] == "/calls/"
    assert browsers.is_in(browser)
    assert browsers.actions_of(acme.acme.pk)[-2:] == ["sign_in_provider.linked", "person.signed_in"]
    assert [(one.to, "Acme" in one.subject) for one in mail.outbox] == [(["bob@acme.example"], True)]
    with job_scope(agency_id=acme.acme.pk):
        link = ProviderLink.objects.get()
    assert link.user_id == acme.bob.user_id
    assert b"bob-at-the-provider" not in bytes(link.digest)
    browser.post("/accounts/logout/")
    assert browsers.actions_of(acme.acme.pk)[-1] == "person.signed_out"
    assert not browsers.is_in(browser)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("algorithm", "kid", "signer"),
    [("RS256", "rsa", RSA_KEY), ("PS256", "rsa", RSA_KEY), ("ES256", "ec", EC_KEY)],
)
def test_three_ways_to_sign_are_taken(
    provider: Provider, key: str, algorithm: str, kid: str, signer: Any
) -> None:
    provider.algorithm, provider.kid, provider.key = algorithm, kid, signer
    browser = Browser()
    come(browser, provider, key)
    assert browsers.is_in(browser)


def test_an_address_that_is_not_in_the_token_is_asked_for(provider: Provider, key: str) -> None:
    provider.without = {"email", "email_verified"}
    provider.userinfo = {"sub": "bob-at-the-provider", "email": "Bob@acme.example", "email_verified": True}
    browser = Browser()
    come(browser, provider, key)
    assert browsers.is_in(browser)
    assert "/me" in provider.asked


def test_the_providers_name_for_a_person_counts_and_not_the_address(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    come(Browser(), provider, key)
    browser = Browser()
    come(browser, provider, key, email="robert@acme.example")
    assert browsers.is_in(browser)
    assert browser.session["_auth_user_id"] == str(acme.bob.user_id)
    with job_scope(agency_id=acme.acme.pk):
        assert ProviderLink.objects.count() == 1


# --- not in ---------------------------------------------------------------------------------------------------------

type Misdeed = Callable[[Provider], object]


def _set(**what: Any) -> Misdeed:
    return lambda provider: vars(provider).update(what)


def _claims(**what: Any) -> Misdeed:
    return lambda provider: provider.claims.update(what)


def _timed(**seconds: int) -> Misdeed:
    return lambda provider: provider.claims.update(
        {name: int(time.time()) + value for name, value in seconds.items()}
    )


def _answers(path: str, status: int, body: bytes = b"{}", **headers: str) -> Misdeed:
    return lambda provider: provider.answers.update({path: (status, headers, body)})


def _said(**what: Any) -> Misdeed:
    return lambda provider: provider.described.update(what)


def _unsigned(provider: Provider) -> None:
    real = provider.id_token

    def forged(asked: dict[str, str]) -> str:
        claims = jwt.decode(real(asked), options={"verify_signature": False})
        return jwt.encode(claims, "", algorithm="none")

    provider.id_token = forged  # type: ignore[method-assign]  # the provider is played otherwise here


def _with_public_key_as_secret(provider: Provider) -> None:
    """The oldest trick: HS256, with the public key, which everybody has, as the secret."""
    real = provider.id_token
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def forged(asked: dict[str, str]) -> str:
        import base64
        import hashlib
        import hmac

        _, body, _ = real(asked).split(".")
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa","typ":"JWT"}').rstrip(b"=").decode()
        mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
        return f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    provider.id_token = forged  # type: ignore[method-assign]  # the provider is played otherwise here


def _with_its_own_key_inside(provider: Provider) -> None:
    real = provider.id_token

    def forged(asked: dict[str, str]) -> str:
        claims = jwt.decode(real(asked), options={"verify_signature": False})
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHER_KEY.public_key()))
        return jwt.encode(claims, OTHER_KEY, algorithm="RS256", headers={"kid": "rsa", "jwk": key})

    provider.id_token = forged  # type: ignore[method-assign]  # the provider is played otherwise here


def _changed_on_the_way(provider: Provider) -> None:
    real = provider.id_token

    def forged(asked: dict[str, str]) -> str:
        head, _, mac = real(asked).split(".")
        provider.claims["email"] = OFFICER
        return f"{head}.{real(asked).split('.')[1]}.{mac}"

    provider.id_token = forged  # type: ignore[method-assign]  # the provider is played otherwise here


def _two_users(provider: Provider) -> None:
    provider.without = {"email"}
    provider.userinfo = {"sub": "alice-at-the-provider", "email": OFFICER, "email_verified": True}


def _as_entra(provider: Provider) -> None:
    provider.without = {"email_verified"}
    provider.claims["xms_edov"] = True


MISDEEDS: dict[str, tuple[Misdeed, Refusal]] = {
    "another nonce": (_claims(nonce="another"), Refusal.WRONG_NONCE),
    "no nonce": (_set(without={"nonce"}), Refusal.WRONG_NONCE),
    "a nonce that is no text": (_claims(nonce=7), Refusal.WRONG_NONCE),
    "for another application": (_claims(aud="another"), Refusal.OTHER_AUDIENCE),
    "for nobody": (_set(without={"aud"}), Refusal.OTHER_AUDIENCE),
    "for two, handed to another": (
        _claims(aud=[CLIENT_ID, "another"], azp="another"),
        Refusal.OTHER_AUDIENCE,
    ),
    "for two, handed to nobody": (_claims(aud=[CLIENT_ID, "another"]), Refusal.OTHER_AUDIENCE),
    "handed to another": (_claims(azp="another"), Refusal.OTHER_AUDIENCE),
    "expired": (_timed(iat=-400, exp=-100), Refusal.EXPIRED),
    "without an end": (_set(without={"exp"}), Refusal.EXPIRED),
    "without a beginning": (_set(without={"iat"}), Refusal.EXPIRED),
    "an end that is a word": (_claims(exp="tomorrow"), Refusal.EXPIRED),
    "an end that is no number": (_claims(exp=float("nan")), Refusal.EXPIRED),
    "an end beyond every date": (_claims(exp=10**400), Refusal.EXPIRED),
    "made tomorrow": (_timed(iat=86400, exp=90000), Refusal.EXPIRED),
    "made an hour before": (_timed(iat=-3600), Refusal.EXPIRED),
    "not yet": (_timed(nbf=600), Refusal.EXPIRED),
    "from another issuer": (_claims(iss="https://id.evil.example"), Refusal.OTHER_ISSUER),
    "from an issuer with a slash more": (
        lambda provider: provider.claims.update(iss=provider.issuer + "/"),
        Refusal.OTHER_ISSUER,
    ),
    "calls itself another": (_said(issuer="https://id.evil.example"), Refusal.OTHER_ISSUER),
    "not signed": (_unsigned, Refusal.BAD_ALGORITHM),
    "signed with the public key as a secret": (_with_public_key_as_secret, Refusal.BAD_ALGORITHM),
    "signed with RS512": (_set(algorithm="RS512"), Refusal.BAD_ALGORITHM),
    "signed by another key": (_set(key=OTHER_KEY), Refusal.BAD_SIGNATURE),
    "signed by a key that it brings along": (_with_its_own_key_inside, Refusal.BAD_SIGNATURE),
    "changed on the way": (_changed_on_the_way, Refusal.BAD_SIGNATURE),
    "signed by a key that is not published": (_set(kid="another"), Refusal.NO_KEY),
    "signed by a key of another kind": (_set(kid="ec"), Refusal.NO_KEY),
    "signed by a short key": (_set(kid="short", key=SHORT_KEY), Refusal.NO_KEY),
    "no keys": (_set(keys=[]), Refusal.NO_KEY),
    "keys that are none": (_set(keys=["rsa", 7, {"kty": "RSA", "kid": "rsa"}]), Refusal.NO_KEY),
    "no token": (_set(token="x"), Refusal.BAD_TOKEN),
    "a token that is a page": (_set(token="<html>" * 20_000), Refusal.BAD_TOKEN),
    "without a name for the person": (_set(without={"sub"}), Refusal.BAD_TOKEN),
    "an empty name for the person": (_claims(sub=""), Refusal.BAD_TOKEN),
    "a digest of another access token": (_claims(at_hash="another"), Refusal.BAD_TOKEN),
    "does not vouch for the address": (_claims(email_verified=False), Refusal.UNVERIFIED),
    "says nothing of the address": (_set(without={"email_verified"}), Refusal.UNVERIFIED),
    "vouches in a number": (_claims(email_verified=1), Refusal.UNVERIFIED),
    "vouches as Entra does and is not Entra": (_as_entra, Refusal.UNVERIFIED),
    "no address": (_set(without={"email"}, userinfo={"sub": "bob-at-the-provider"}), Refusal.UNVERIFIED),
    "an address of another agency's person": (_claims(email="mallory@globex.example"), Refusal.OTHER_DOMAIN),
    "an address with two ats": (_claims(email="mallory@globex.example@acme.example"), Refusal.OTHER_DOMAIN),
    "an address in letters that look alike": (_claims(email="bоb@acme.example"), Refusal.OTHER_DOMAIN),
    "an address that nobody has": (_claims(email="nobody@acme.example"), Refusal.NOBODY),
    "speaks of two people": (_two_users, Refusal.OTHER_SUBJECT),
    "leads on to the machine's own secrets": (
        _answers("/token", 302, Location="https://169.254.169.254/latest/meta-data/"),
        Refusal.NOT_OUTSIDE,
    ),
    "has its keys inside our network": (_said(jwks_uri="https://10.0.0.1/keys"), Refusal.NOT_OUTSIDE),
    "has its keys at this machine": (_said(jwks_uri="https://localhost/keys"), Refusal.NOT_OUTSIDE),
    "takes codes in the clear": (_said(token_endpoint=f"http://{HOST}/token"), Refusal.NOT_OUTSIDE),
    "says a great deal": (_answers("/token", 200, b"{" + b" " * 400_000 + b"}"), Refusal.NO_ANSWER),
    "says a list": (_answers("/keys", 200, b"[]"), Refusal.NO_ANSWER),
    "says nothing that can be read": (_answers("/token", 200, b"<html>"), Refusal.NO_ANSWER),
    "nests without end": (_answers("/token", 200, b"[" * 100_000), Refusal.NO_ANSWER),
    "is broken": (_answers("/token", 503), Refusal.NO_ANSWER),
    "takes no code": (_answers("/token", 400, b'{"error":"invalid_grant"}'), Refusal.CODE_REFUSED),
    "is gone": (_answers("/.well-known/openid-configuration", 404), Refusal.NO_ANSWER),
}


ALONE = {
    "signed by a short key",
    "a digest of another access token",
    "vouches in a number",
    "vouches as Entra does and is not Entra",
    "an address with two ats",
    "an address in letters that look alike",
}
"""Whose answer comes for other reasons as well: no other case would find their rule broken."""
ALGORITHMS = ["not signed", "signed with the public key as a secret", "signed with RS512"]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_token_that_is_signed_in_no_listed_way_lets_nobody_in(
    acme: cast.Cast, provider: Provider, key: str, name: str
) -> None:
    assert MISDEEDS[name][1] == Refusal.BAD_ALGORITHM
    nobody_comes_in(acme, provider, key, name)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(
    "name",
    some(
        (name for name in MISDEEDS if name not in ALGORITHMS),
        one_in=len(MISDEEDS),
        each=lambda name: name if name in ALONE else MISDEEDS[name][1],
    ),
)
def test_what_a_provider_does_wrong_lets_nobody_in(
    acme: cast.Cast, provider: Provider, key: str, name: str
) -> None:
    nobody_comes_in(acme, provider, key, name)


def nobody_comes_in(acme: cast.Cast, provider: Provider, key: str, name: str) -> None:
    misdeed, why = MISDEEDS[name]
    browser = Browser()
    there = browser.get(f"/sso/{key}/go/")
    back = provider.authorize(there["Location"])
    misdeed(provider)
    found = browser.get(back)
    assert found.status_code == 403
    assert reasons(acme.acme) == [why.value]
    assert not browsers.is_in(browser)
    assert "_auth_user_id" not in browser.session
    with job_scope(agency_id=acme.acme.pk):
        assert not ProviderLink.objects.exists()


def test_every_reason_reads_the_same(acme: cast.Cast, provider: Provider, key: str) -> None:
    pages = set()
    for email in ("nobody@acme.example", "mallory@globex.example", "carol@acme.example"):
        with job_scope(agency_id=acme.acme.pk):
            Membership.objects.filter(pk=acme.carol.pk).update(state=MembershipState.SUSPENDED)
        pages.add(come(Browser(), provider, key, email=email).content)
    assert len(pages) == 1
    assert reasons(acme.acme) == ["nobody", "other_domain", "nobody"]


@pytest.mark.thorough
def test_a_slow_provider_ends_in_time_and_says_what_to_do(
    provider: Provider, key: str, acme: cast.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "TOGETHER", 0.6)
    provider.slow.add("/keys")
    began = time.monotonic()
    found = come(Browser(), provider, key)
    assert time.monotonic() - began < 3
    assert found.status_code == 403
    assert "did not answer in time" in found.content.decode()
    assert reasons(acme.acme) == ["no_answer"]


PARTY = providers.Party("https://id.example", "us", "secret")


def person_of(fetch: providers.Fetch) -> providers.Person:
    trip = providers.Trip.begin(NOON)
    return providers.person_of(party=PARTY, trip=trip, code="code", back_to="/", at=NOON, fetch=fetch)


def described(**_: Any) -> outside.Answer:
    pages = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "https://id.example/x")
    return outside.Answer(200, "application/json", json.dumps({"issuer": PARTY.issuer, **pages}).encode())


def test_all_that_is_asked_of_a_provider_shares_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    given: list[float] = []

    def fetch(_url: str, *, seconds: float, **_: Any) -> outside.Answer:
        nonlocal now
        given.append(seconds)
        now += 0.6 * providers.TOGETHER
        return described()

    monkeypatch.setattr(time, "monotonic", lambda: now)
    with pytest.raises(providers.RefusedError):
        person_of(fetch)
    assert given == pytest.approx([providers.TOGETHER, 0.4 * providers.TOGETHER])


def test_few_threads_wait_for_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_TURN_WITHIN", 0)
    waiting: list[str] = []

    def fetch(url: str, **_: Any) -> outside.Answer:
        waiting.append(url)
        person_of(fetch)  # as another thread would, while this one waits
        raise AssertionError

    for _ in range(2):
        waiting.clear()
        with pytest.raises(providers.RefusedError, match="too slowly"):
            person_of(fetch)
        assert len(waiting) == providers.AT_ONCE


def test_a_certificate_of_another_name_is_refused(
    acme: cast.Cast,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with running(tmp_path, monkeypatch, host="id.evil.example") as provider:
        set_up(acme.acme, provider, by=acme.alice, run=django_capture_on_commit_callbacks)
    row = kept(acme.acme)
    assert row.found == [[False, "Its certificate is not one that browsers trust for this name."]]
    assert provider.asked == []
    with pytest.raises(sso.NotReadyError):
        switch_on(acme.acme, acme.carol)


# --- there and back, once -------------------------------------------------------------------------------------------


def test_a_way_back_ends_once(acme: cast.Cast, provider: Provider, key: str) -> None:
    browser = Browser()
    back = provider.authorize(browser.get(f"/sso/{key}/go/")["Location"])
    provider.checks_nothing = True
    assert browser.get(back).status_code == 302
    browser.post("/accounts/logout/")
    assert browser.get(back).status_code == 403
    assert reasons(acme.acme) == []


@pytest.mark.parametrize(("site", "page"), [("cross-site", "/sso/{}/?"), ("same-origin", "https://id.")])
def test_link_on_another_site_leads_to_the_button(
    acme: cast.Cast, provider: Provider, key: str, site: str, page: str
) -> None:
    """A provider that remembers the person asks nothing, so the person has to start the sign-in."""
    answer = Browser().get(f"/sso/{key}/go/?next=/calls/", headers={"Sec-Fetch-Site": site})
    assert answer["Location"].startswith(page.format(key))


def test_a_code_of_another_way_is_of_no_use(acme: cast.Cast, provider: Provider, key: str) -> None:
    theirs, mine, stolen = Browser(), Browser(), ""
    for kind, why in (
        (False, "code_refused"),
        (True, "wrong_nonce"),
    ):  # the second provider looks at nothing itself
        provider.checks_nothing = kind
        stolen = provider.authorize(theirs.get(f"/sso/{key}/go/")["Location"], email=OFFICER, sub="alice")
        code = stolen.partition("code=")[2].partition("&")[0]
        own = provider.authorize(mine.get(f"/sso/{key}/go/")["Location"])
        state = own.partition("state=")[2]
        assert mine.get(f"/sso/{key}/back/?code={code}&state={state}").status_code == 403
        assert reasons(acme.acme)[-1] == why
    assert mine.get(stolen).status_code == 403  # nobody set out from this browser for it
    assert reasons(acme.acme) == ["code_refused", "wrong_nonce"]
    assert not browsers.is_in(mine)


def test_a_way_that_took_too_long_or_names_another_issuer_is_over(
    acme: cast.Cast, provider: Provider, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser()
    back = provider.authorize(browser.get(f"/sso/{key}/go/")["Location"])
    assert browser.get(f"{back}&iss=https%3A%2F%2Fid.evil.example").status_code == 403
    back = provider.authorize(browser.get(f"/sso/{key}/go/")["Location"])
    monkeypatch.setattr("callprivacy.accounts.views.providers._TRIP_FOR", -1)
    assert browser.get(back).status_code == 403
    monkeypatch.undo()
    assert reasons(acme.acme) == ["other_issuer"]


def test_who_turned_back_at_the_provider_reads_so(acme: cast.Cast, provider: Provider, key: str) -> None:
    browser = Browser()
    back = provider.authorize(browser.get(f"/sso/{key}/go/")["Location"])
    state = back.partition("state=")[2]
    assert browser.get(f"/sso/{key}/back/?error=access_denied&state={state}").status_code == 403
    assert reasons(acme.acme) == ["said_no"]
    assert "/token" not in provider.asked


def test_who_comes_back_while_others_wait_for_a_slow_provider_is_not_counted_as_refused(
    acme: cast.Cast, provider: Provider, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "_TURN_WITHIN", 0)
    browser = Browser()
    with monkeypatch.context() as others:
        others.setitem(providers._turns, provider.issuer, threading.BoundedSemaphore(1))
        with providers._turns[provider.issuer]:
            for _ in range(6):
                assert come(browser, provider, key).status_code == 403
    assert reasons(acme.acme) == []
    assert browsers.is_in(browser) is False
    come(browser, provider, key)
    assert browsers.is_in(browser)


def test_too_many_tries_from_one_place_wait(acme: cast.Cast, provider: Provider, key: str) -> None:
    for _ in range(5):
        assert come(Browser(), provider, key, email="nobody@acme.example").status_code == 403
    asked = len(provider.asked)
    assert come(Browser(), provider, key, email="nobody@acme.example").status_code == 429
    assert len(provider.asked) == asked
    browser = Browser()
    back = provider.authorize(browser.get(f"/sso/{key}/go/")["Location"])
    assert browser.get(back, REMOTE_ADDR="203.0.113.9").status_code == 403


@pytest.mark.thorough
def test_a_browser_that_was_here_before_counts_for_itself(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    bob, nobody = ({"email": f"{name}@acme.example", "sub": name} for name in ("bob", "nobody"))
    office = Browser()
    come(office, provider, key, **bob)
    office.post("/accounts/logout/")
    for _ in range(5):
        assert come(Browser(), provider, key, **nobody).status_code == 403
    assert come(Browser(), provider, key, **bob).status_code == 429
    come(office, provider, key, **bob)
    assert browsers.is_in(office)
    office.post("/accounts/logout/")
    for _ in range(5):
        assert come(office, provider, key, **nobody).status_code == 403
    assert come(office, provider, key, **bob).status_code == 429


@pytest.mark.thorough
def test_who_comes_back_without_having_set_out_keeps_nobody_out(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    asked = len(provider.asked)
    for state in ("y", "", "\0", "z" * 5000):
        for _ in range(3):
            assert Browser().get(f"/sso/{key}/back/", {"code": "x", "state": state}).status_code == 403
    assert len(provider.asked) == asked
    assert reasons(acme.acme) == []
    browser = Browser()
    come(browser, provider, key)
    assert browsers.is_in(browser)


def test_where_it_leads_next_is_a_page_of_ours(provider: Provider, key: str) -> None:
    for there in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "people",
    ):
        browser = Browser()
        found = browser.get(f"/sso/{key}/go/", {"next": there})
        assert browser.get(provider.authorize(found["Location"]))["Location"] == "/"


def test_addresses_that_are_off_or_none_are_the_same(acme: cast.Cast, provider: Provider, key: str) -> None:
    with job_scope(agency_id=acme.acme.pk):
        sso.switch_off(by=staff(acme.alice), at=make.now())
    for path in ("", "go/", "back/"):
        pages = {Browser().get(f"/sso/{one}/{path}").content for one in (key, "0" * 32, "x")}
        assert len(pages) == 1
        assert Browser().get(f"/sso/{key}/{path}").status_code == 404


# --- whose it is ----------------------------------------------------------------------------------------------------


def test_another_account_with_the_same_address_is_refused(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    come(Browser(), provider, key)
    browser = Browser()
    assert come(browser, provider, key, sub="somebody-else").status_code == 403
    assert reasons(acme.acme) == ["other_link"]
    with job_scope(agency_id=acme.acme.pk):
        sso.unlink(membership=acme.bob, by=staff(acme.alice), at=make.now())
    come(browser, provider, key)
    assert browsers.is_in(browser)


def test_a_link_that_is_ended_ends_the_sessions_that_began_with_it_and_no_others(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    browser, elsewhere = Browser(), Browser()
    come(browser, provider, key)
    browsers.sign_in(elsewhere, "bob@acme.example")
    officer = browsers.signed_in(acme.alice)
    assert officer.post(f"/people/{acme.bob.pk}/unlink/").status_code == 302
    assert not browsers.is_in(browser)
    assert browsers.is_in(elsewhere)
    with job_scope(agency_id=acme.acme.pk):
        event = Event.objects.get(action="sign_in_provider.unlinked")
    assert event.details["sessions"] == 1


def test_nobody_loosens_their_own_link(acme: cast.Cast, provider: Provider, key: str) -> None:
    come(Browser(), provider, key, email=OFFICER)
    with job_scope(agency_id=acme.acme.pk), pytest.raises(sso.NotYoursError):
        sso.unlink(membership=acme.alice, by=staff(acme.alice), at=make.now())


@pytest.mark.parametrize("how", [pytest.param("suspended", marks=pytest.mark.thorough), "left", "inactive"])
def test_who_may_not_come_any_more_does_not(acme: cast.Cast, provider: Provider, key: str, how: str) -> None:
    browser = Browser()
    come(browser, provider, key)
    assert browsers.is_in(browser)
    with job_scope(agency_id=acme.acme.pk):
        if how == "suspended":
            people.suspend(membership=acme.bob, by=staff(acme.alice), at=make.now())
        elif how == "left":
            leaving.leave(membership=acme.bob, by=staff(acme.alice), at=make.now())
            assert not ProviderLink.objects.exists()
        else:
            User.objects.filter(pk=acme.bob.user_id).update(is_active=False)
    assert not browsers.is_in(browser)
    assert come(Browser(), provider, key).status_code == 403
    assert reasons(acme.acme)[-1] == "nobody"


# --- what such a session opens --------------------------------------------------------------------------------------


def test_it_opens_its_own_agency_and_no_other(acme: cast.Cast, provider: Provider, key: str) -> None:
    works_too(acme.bob, acme.globex)
    browser = Browser()
    come(browser, provider, key)
    assert browser.session["agency_id"] == acme.acme.pk
    page = browser.get("/agencies/").content.decode()
    assert "Globex" not in page
    assert browser.post("/agencies/", {"agency": acme.globex.pk}).status_code == 404
    session = browser.session
    session["agency_id"] = acme.globex.pk
    session.save()
    assert "Globex" not in browser.get("/clients/").content.decode()
    assert browser.session["agency_id"] == acme.acme.pk
    assert "person.signed_in" not in browsers.actions_of(acme.globex.pk)
    with job_scope(agency_id=acme.acme.pk):
        Membership.objects.filter(pk=acme.bob.pk).update(state=MembershipState.SUSPENDED)
    assert browser.get("/clients/").status_code == 302
    assert "_auth_user_id" not in browser.session


def test_who_was_signed_in_as_somebody_is_then_bound_all_the_same(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    works_too(acme.bob, acme.globex)
    for earlier in (acme.mallory, acme.bob):
        browser = browsers.signed_in(earlier)
        come(browser, provider, key)
        assert browser.session["provider"]["agency_id"] == acme.acme.pk
        assert browser.session["_auth_user_id"] == str(acme.bob.user_id)
        assert browser.post("/agencies/", {"agency": acme.globex.pk}).status_code == 404


@pytest.mark.thorough
def test_a_sign_in_with_a_password_is_not_bound(acme: cast.Cast, provider: Provider, key: str) -> None:
    works_too(acme.bob, acme.globex)
    browser = Browser()
    come(browser, provider, key)
    browser.post("/accounts/logout/")
    browsers.sign_in(browser, "bob@acme.example")
    assert "provider" not in browser.session
    assert browser.post("/agencies/", {"agency": acme.globex.pk}).status_code == 302


OWN_ACCOUNT = (
    "/accounts/password/change/",
    "/accounts/password/reset/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/2fa/recovery-codes/generate/",
)


@pytest.mark.parametrize("path", some(OWN_ACCOUNT, one_in=4))
def test_nothing_by_which_one_signs_in_elsewhere_is_changed_from_there(
    provider: Provider, key: str, path: str
) -> None:
    browser = Browser()
    come(browser, provider, key)
    for ask in (browser.get, browser.post):
        found = ask(path)
        assert found.status_code == 302
        assert found["Location"] == "/accounts/sessions/"
    assert "You signed in through your agency" in browser.get("/accounts/sessions/").content.decode()


def test_sessions_that_began_elsewhere_are_neither_seen_nor_ended_from_there(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    """Whoever runs a provider can come as somebody, and learns nothing of where they work for others."""
    works_too(acme.bob, acme.globex)
    elsewhere = Browser(HTTP_USER_AGENT="Globex at home", REMOTE_ADDR="203.0.113.77")
    browsers.sign_in(elsewhere, "bob@acme.example", address="203.0.113.77")
    other = selectors.sessions_of(acme.bob.user_id)[0].pk
    browser, twin = Browser(), Browser()
    for one in (browser, twin):
        come(one, provider, key)
    page = browser.get("/accounts/sessions/").content.decode()
    assert "203.0.113.77" not in page
    assert page.count('name="session" value=') == 2  # the twin, and all
    assert browser.post("/accounts/sessions/", {"session": other}).status_code == 404
    browser.post("/accounts/sessions/", {"session": "all"})
    assert not browsers.is_in(twin)
    assert browsers.is_in(elsewhere)
    assert "203.0.113.77" in elsewhere.get("/accounts/sessions/").content.decode()
    for action in ("person.ended_session", "person.signed_out_everywhere"):
        assert action not in browsers.actions_of(acme.globex.pk)


def test_an_operator_is_none_in_such_a_session(acme: cast.Cast, provider: Provider, key: str) -> None:
    User.objects.filter(pk=acme.bob.user_id).update(is_staff=True)
    browsers.give_codes(acme.bob.user)
    assert browsers.signed_in(acme.bob).get("/operator/").status_code == 200
    Authenticator.objects.all().delete()
    browser = Browser()
    come(browser, provider, key)
    assert browser.get("/operator/").status_code == 404


def test_an_invitation_of_another_agency_is_not_accepted_from_there(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    from callprivacy.accounts.services import invitations

    with job_scope(agency_id=acme.globex.pk):
        _, token = invitations.invite(
            agency_id=acme.globex.pk,
            email="bob@acme.example",
            name="Bob",
            role=Role.REVIEWER,
            client_ids=[],
            by=staff(acme.mallory),
            at=make.now(),
        )
    browser = Browser()
    come(browser, provider, key)
    browser.post(f"/invitation/{token}/")
    with job_scope(agency_id=acme.globex.pk):
        assert not Membership.objects.filter(user=acme.bob.user).exists()


def test_switching_off_or_another_provider_ends_the_sessions_that_began_there(
    acme: cast.Cast, provider: Provider, key: str, django_capture_on_commit_callbacks: Any
) -> None:
    browser = Browser()
    come(browser, provider, key)
    again = Browser()
    come(again, provider, key)
    with job_scope(agency_id=acme.acme.pk):
        sso.switch_off(by=staff(acme.alice), at=make.now())
    assert not browsers.is_in(browser)
    set_up(
        acme.acme,
        provider,
        by=acme.alice,
        run=django_capture_on_commit_callbacks,
        domains=["acme.example", "a.example"],
    )
    switch_on(acme.acme, acme.carol)
    assert not browsers.is_in(again)  # agreed to anew: what began before goes on no more
    with job_scope(agency_id=acme.acme.pk):
        assert ProviderLink.objects.count() == 1


def test_a_second_factor_of_ones_own_is_asked_for_as_well(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    browsers.give_codes(acme.bob.user)
    browser = Browser()
    assert come(browser, provider, key)["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in browser.session


def test_what_a_session_began_with_is_the_last_way_in_and_no_second_factor(acme: cast.Cast) -> None:
    ours = {"method": "provider", "agency_id": 1, "key": "k", "agreed_at": "then", "shown_at": 2.0, "at": 3.0}
    password, code = {"method": "password", "at": 4.0}, {"method": "mfa", "type": "totp", "at": 5.0}
    passkey = {"method": "mfa", "type": "webauthn", "passwordless": True, "at": 6.0}
    for records, is_bound in (
        ([ours], True),
        ([password, ours], True),
        ([ours, code], True),
        ([], False),
        ([ours, password, code], False),
        ([ours, passkey], False),
        ([password, code], False),
    ):
        request = RequestFactory().get("/")
        request.session = {  # type: ignore[assignment]  # as much of one as is read
            "account_authentication_methods": records,
            "account_authentication_methods_user": str(acme.bob.user_id),
        }
        assert (adapter._through(request, acme.bob.user) is not None) is is_bound


# --- a second factor at the provider, if it is demanded --------------------------------------------------------------


@pytest.fixture
def demanding(acme: cast.Cast, provider: Provider, key: str, django_capture_on_commit_callbacks: Any) -> str:
    """Acme demands that its provider says that it asked for a second factor, as `mfa` or as `gold`."""
    changed = set_up(
        acme.acme,
        provider,
        by=acme.alice,
        run=django_capture_on_commit_callbacks,
        secret="",
        wants_factor=True,
        classes=["gold", "silver"],
    )
    assert changed == ["classes", "wants_factor"]
    assert not kept(acme.acme).is_on  # another word about it is agreed to by two as well
    switch_on(acme.acme, acme.carol)
    return key


@pytest.mark.parametrize(
    ("said", "is_in"),
    some(
        [
            ({}, False),
            ({"amr": ["pwd"]}, False),
            ({"amr": "mfa"}, False),
            ({"amr": [["mfa"]]}, False),
            ({"acr": "1"}, False),
            ({"acr": ["gold"]}, False),
            ({"acr": ""}, False),
            ({"amr": ["pwd", "mfa"]}, True),
            ({"amr": ["pwd", "otp"]}, True),
            ({"acr": "silver", "amr": ["pwd"]}, True),
        ],
        one_in=9,
        each=lambda case: (str(case[0])[:6], case[1]),
    ),
    ids=str,
)
def test_who_is_not_said_to_have_shown_a_second_factor_is_not_let_in(
    acme: cast.Cast, provider: Provider, demanding: str, said: dict[str, Any], is_in: bool
) -> None:
    browser = Browser()
    assert "acr_values=gold+silver" in browser.get(f"/sso/{demanding}/go/")["Location"]
    come(browser, provider, demanding, **said)
    assert browsers.is_in(browser) is is_in
    assert reasons(acme.acme) == ([] if is_in else ["no_factor"])


def test_a_confirmation_without_it_opens_nothing(acme: cast.Cast, provider: Provider, demanding: str) -> None:
    browser = Browser()
    come(browser, provider, demanding, email=OFFICER, sub="alice", amr=["mfa"])
    there = browser.get(f"/sso/{demanding}/confirm/?next=/people/invite/")["Location"]
    assert browser.get(provider.authorize(there, amr=["pwd"])).status_code == 403
    assert reasons(acme.acme) == ["no_factor"]
    assert browser.get("/people/invite/").status_code == 302


@pytest.mark.thorough
def test_where_it_is_not_demanded_nothing_is_said_of_it(provider: Provider, key: str) -> None:
    browser = Browser()
    assert "acr_values" not in browser.get(f"/sso/{key}/go/")["Location"]
    come(browser, provider, key, amr=["pwd"])
    assert browsers.is_in(browser)


# --- who signs out there ---------------------------------------------------------------------------------------------

_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def _word(provider: Provider, **more: Any) -> str:
    """What the provider sends when somebody signs out there."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": provider.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "1",
        "sub": "bob-at-the-provider", "events": {_EVENT: {}},
    } | more  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, provider.key, algorithm=provider.algorithm, headers={"kid": provider.kid})


def _through_of(acme: cast.Cast, key: str) -> Through:
    agreed = SignInProvider.objects.get(agency_id=acme.acme.pk).agreed_at
    assert agreed is not None
    return Through(acme.acme.pk, key, agreed.isoformat(), 0.0)


def _tell(key: str, token: str, **more: Any) -> HttpResponse:
    browser = Browser(enforce_csrf_checks=True)
    return browser.post(f"/sso/{key}/signed-out/", {"logout_token": token}, **more)  # type: ignore[return-value]  # the test client's answer


def test_who_signs_out_at_the_provider_is_signed_out_here(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    bob, alice, elsewhere = Browser(), Browser(), browsers.signed_in(acme.bob)
    come(bob, provider, key)
    come(alice, provider, key, email=OFFICER, sub="alice")
    found = _tell(key, _word(provider))
    assert found.status_code == 200
    assert "no-store" in found["Cache-Control"]
    assert not browsers.is_in(bob)
    assert browsers.is_in(alice)
    assert browsers.is_in(elsewhere)  # a password's session is not the provider's to end
    with job_scope(agency_id=acme.acme.pk):
        event = Event.objects.get(action="sign_in_provider.signed_out")
    assert event.details == {"people": str(acme.bob.user_id), "sessions": 1}


def test_a_word_that_comes_while_others_wait_is_to_be_said_again_and_counts_against_nobody(
    acme: cast.Cast, provider: Provider, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Browser()
    come(bob, provider, key)
    monkeypatch.setattr(providers, "_TURN_WITHIN", 0)
    with monkeypatch.context() as others:
        others.setitem(providers._turns, provider.issuer, threading.BoundedSemaphore(1))
        with providers._turns[provider.issuer]:
            found = [_tell(key, _word(provider)) for _ in range(12)]
    assert {(one.status_code, one["Retry-After"]) for one in found} == {(503, "10")}
    assert _tell(key, _word(provider)).status_code == 200
    assert not browsers.is_in(bob)


def test_one_session_alone_ends_where_it_is_named(provider: Provider, key: str) -> None:
    office, home, alice = Browser(), Browser(), Browser()
    come(office, provider, key, sid="office")
    come(home, provider, key, sid="home")
    come(alice, provider, key, email=OFFICER, sub="alice", sid="alice")
    assert _tell(key, _word(provider, sid="office")).status_code == 200
    assert not browsers.is_in(office)
    assert browsers.is_in(home)
    assert _tell(key, _word(provider, sub=None, sid="home")).status_code == 200
    assert not browsers.is_in(home)
    assert _tell(key, _word(provider, sub="nobody-we-know")).status_code == 200
    assert browsers.is_in(alice)
    assert alice.session["provider"]["session"] != "alice"


def test_a_word_that_is_sent_again_ends_no_newer_session(provider: Provider, key: str) -> None:
    browser = Browser()
    word = _word(provider, iat=int(time.time()) - 90)
    come(browser, provider, key)
    assert _tell(key, word).status_code == 200
    assert browsers.is_in(browser)


@pytest.mark.parametrize(
    "how",
    [
        "this person signs out there",
        "this session ends there",
        "everywhere through the provider",
        "the link ends",
        "not: another person signs out there",
        "not: another session ends there",
        "not: an earlier sign-out is sent again",
    ],
)
def test_sign_in_that_waits_for_its_code_ends_with_the_session_at_the_provider(
    acme: cast.Cast,
    provider: Provider,
    key: str,
    how: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    secret = browsers.give_codes(acme.bob.user)
    earlier, browser = _word(provider, iat=int(time.time()) - 90), Browser()
    come(browser, provider, key, sid="office")
    if how == "this person signs out there":
        _tell(key, _word(provider))
    elif how == "this session ends there":
        _tell(key, _word(provider, sub=None, sid="office"))
    elif how == "everywhere through the provider":
        with django_capture_on_commit_callbacks(execute=True), job_scope(agency_id=acme.acme.pk):
            through = _through_of(acme, key)
            people.end_every_session(user_id=acme.bob.user_id, at=browsers.now(), through=through)
    elif how == "the link ends":
        with job_scope(agency_id=acme.acme.pk):
            sso.unlink(membership=acme.bob, by=staff(acme.alice), at=NOON)
    elif how == "not: another person signs out there":
        _tell(key, _word(provider, sub="alice"))
    elif how == "not: another session ends there":
        _tell(key, _word(provider, sub=None, sid="home"))
    elif how == "not: an earlier sign-out is sent again":
        _tell(key, earlier)
    answer = browser.post("/accounts/2fa/authenticate/", {"code": browsers.code_of(secret)})
    assert browsers.is_in(browser) == how.startswith("not")
    if not how.startswith("not"):
        assert answer["Location"] == "/accounts/login/"
        assert "Sign in again from the start" in browser.get("/accounts/login/").content.decode()


def test_sign_out_at_the_provider_leaves_sign_in_that_began_with_a_password(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    secret = browsers.give_codes(acme.bob.user)
    browser = Browser()
    come(Browser(), provider, key)
    browsers.sign_in(browser, acme.bob.user.email)
    _tell(key, _word(provider))
    browser.post("/accounts/2fa/authenticate/", {"code": browsers.code_of(secret)})
    assert browsers.is_in(browser)


WRONG_WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "of another provider": ({"iss": "https://id.evil.example"}, "other_issuer"),
    "for another application": ({"aud": "somebody-else"}, "other_audience"),
    "of an hour ago": ({"iat": 1}, "expired"),
    "of tomorrow": ({"iat": int(time.time()) + 86_400}, "expired"),
    "over": ({"exp": 1}, "expired"),
    "that is an id token": ({"nonce": "n"}, "bad_token"),
    "of nothing": ({"events": None}, "bad_token"),
    "of another event": ({"events": {"http://schemas.openid.net/event/other": {}}}, "bad_token"),
    "of an event that is none": ({"events": {_EVENT: "yes"}}, "bad_token"),
    "of nobody": ({"sub": None}, "bad_token"),
    "of a number": ({"sub": None, "sid": 7}, "bad_token"),
    "without a name": ({"jti": None}, "bad_token"),
}


@pytest.mark.parametrize("name", some(WRONG_WORDS, one_in=3))
def test_a_word_that_is_none_ends_nothing_and_asks_nothing(
    acme: cast.Cast, provider: Provider, key: str, name: str
) -> None:
    browser = Browser()
    come(browser, provider, key)
    asked = len(provider.asked)
    claims, why = WRONG_WORDS[name]
    found = _tell(key, _word(provider, **claims))
    assert (found.status_code, json.loads(found.content)) == (400, {"error": "invalid_request"})
    assert browsers.is_in(browser)
    assert len(provider.asked) == asked
    with job_scope(agency_id=acme.acme.pk):
        event = Event.objects.get(action="sign_in_provider.sign_out_refused")
    assert event.details == {"why": why}


def test_what_can_be_no_word_keeps_no_true_one_away(acme: cast.Cast, provider: Provider, key: str) -> None:
    browser = Browser()
    come(browser, provider, key)
    for _ in range(8):
        assert _tell(key, _word(provider, iss="https://id.evil.example")).status_code == 400
    with job_scope(agency_id=acme.acme.pk):
        assert Event.objects.filter(action="sign_in_provider.sign_out_refused").count() == 5
    assert _tell(key, _word(provider)).status_code == 200
    assert not browsers.is_in(browser)


@pytest.mark.parametrize("algorithm", some([[], {}, None, 1], one_in=2))
def test_a_word_signed_in_no_way_is_refused_without_a_fault(
    provider: Provider, key: str, algorithm: object
) -> None:
    _, *rest = _word(provider).split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "rsa"}).encode()).rstrip(b"=")
    assert _tell(key, ".".join([head.decode(), *rest])).status_code == 400


def test_a_forged_word_ends_nothing_and_its_sender_waits(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    browser = Browser()
    come(browser, provider, key)
    provider.key = OTHER_KEY
    forged = _word(provider)
    for _ in range(5):
        assert _tell(key, forged).status_code == 400
    asked = len(provider.asked)
    assert _tell(key, forged).status_code == 429
    assert len(provider.asked) == asked
    provider.key = RSA_KEY
    assert browsers.is_in(browser)
    assert _tell(key, _word(provider), REMOTE_ADDR="203.0.113.9").status_code == 200
    assert not browsers.is_in(browser)
    for token in ("", "x", "a.b.c", "x" * 70_000):
        assert _tell(key, token, REMOTE_ADDR="203.0.113.10").status_code == 400


# --- invited people ---------------------------------------------------------------------------------------------------


def _invite(acme: cast.Cast, email: str = "dora@acme.example") -> str:
    from callprivacy.accounts.services import invitations

    with job_scope(agency_id=acme.acme.pk):
        return invitations.invite(
            agency_id=acme.acme.pk,
            email=email,
            name="Dora",
            role=Role.REVIEWER,
            client_ids=[acme.dentist.pk],
            by=staff(acme.carol),
            at=make.now(),
        )[1]


def test_who_is_invited_comes_in_through_the_provider_without_a_password(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    token, browser = _invite(acme), Browser()
    page = browser.get(f"/invitation/{token}/").content.decode()
    assert "Accept through Keycloak" in page
    there = browser.get(f"/invitation/{token}/?how=provider")
    assert there["Location"] == f"/sso/{key}/go/"
    come(browser, provider, key, email="dora@acme.example", sub="dora")
    assert browsers.is_in(browser)
    user = User.objects.get(email="dora@acme.example")
    assert not user.has_usable_password()
    assert user.password_due_at is None
    assert browsers.actions_of(acme.acme.pk)[-4:] == [
        "invitation.accepted", "grant.changed", "sign_in_provider.linked", "person.signed_in",
    ]  # fmt: skip
    assert Browser().get(f"/invitation/{token}/").status_code == 410
    again = Browser()
    come(again, provider, key, email="dora@acme.example", sub="dora")
    assert browsers.is_in(again)


@pytest.mark.parametrize("how", some(["another address", "withdrawn", "no link", "has an account"], one_in=4))
def test_an_invitation_lets_in_nobody_else(acme: cast.Cast, provider: Provider, key: str, how: str) -> None:
    from callprivacy.accounts.models import Invitation
    from callprivacy.accounts.services import invitations

    token, browser = _invite(acme), Browser()
    if how != "no link":
        browser.get(f"/invitation/{token}/?how=provider")
    if how == "withdrawn":
        with job_scope(agency_id=acme.acme.pk):
            invitations.withdraw(invitation=Invitation.objects.get(), by=staff(acme.carol), at=make.now())
    if how == "has an account":
        User.objects.create_user("dora@acme.example", "Another-Horse-8-Battery", name="Dora")
    email = "eve@acme.example" if how == "another address" else "dora@acme.example"
    assert come(browser, provider, key, email=email, sub="eve").status_code == 403
    assert reasons(acme.acme) == ["nobody"]
    with job_scope(agency_id=acme.acme.pk):
        assert not Membership.objects.filter(
            user__email__in=["eve@acme.example", "dora@acme.example"]
        ).exists()


def test_an_invitation_offers_the_provider_for_its_own_addresses_alone(
    acme: cast.Cast, provider: Provider, required: str
) -> None:
    inside = Browser().get(f"/invitation/{_invite(acme)}/").content.decode()
    assert "password1" not in inside  # a password would open nothing here
    outside = Browser().get(f"/invitation/{_invite(acme, 'dora@elsewhere.example')}/?how=provider")
    assert outside.status_code == 200
    assert "Keycloak" not in outside.content.decode()
    assert "password1" in outside.content.decode()


# --- confirming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    some([float("nan"), float("inf"), 10**400, -(10**400)], one_in=2),
    ids=["no number", "without end", "beyond every date", "before every date"],
)
def test_an_instant_that_is_none_confirms_nothing_of_a_sign_in(
    acme: cast.Cast, provider: Provider, key: str, said: float
) -> None:
    browser = Browser()
    come(browser, provider, key, email=OFFICER, sub="alice", auth_time=said)
    assert browser.session["provider"]["shown_at"] == 0
    assert browser.get("/people/invite/")["Location"].startswith(f"/sso/{key}/confirm/")


def test_confirming_goes_through_the_provider(
    acme: cast.Cast, provider: Provider, key: str, django_capture_on_commit_callbacks: Any
) -> None:
    browser = Browser()
    come(browser, provider, key, email=OFFICER, sub="alice")
    asked = browser.get("/people/invite/")
    assert asked.status_code == 302
    assert asked["Location"] == f"/sso/{key}/confirm/?next=%2Fpeople%2Finvite%2F"
    there = browser.get(asked["Location"])["Location"]
    assert "prompt=login" in there
    assert "max_age=0" in there
    assert "login_hint=alice%40acme.example" in there
    found = browser.get(provider.authorize(there))
    assert found["Location"] == "/people/invite/"
    assert browser.get("/people/invite/").status_code == 200
    assert browsers.actions_of(acme.acme.pk)[-1] == "person.confirmed"
    assert (
        browser.get("/accounts/reauthenticate/?next=/people/")["Location"]
        == f"/sso/{key}/confirm/?next=%2Fpeople%2F"
    )


@pytest.mark.parametrize(
    ("misdeed", "why"),
    [
        (_set(without={"auth_time"}), "not_fresh"),
        (_timed(auth_time=-600), "not_fresh"),
        (_claims(sub="bob", email="bob@acme.example"), "other_person"),
        *some(
            [
                (_timed(auth_time=600), "not_fresh"),
                (_claims(auth_time="now"), "not_fresh"),
                (_claims(auth_time=float("nan")), "not_fresh"),
            ],
            one_in=3,
        ),
    ],
)
def test_a_confirmation_that_is_none_opens_nothing(
    acme: cast.Cast, provider: Provider, key: str, misdeed: Misdeed, why: str
) -> None:
    browser = Browser()
    come(browser, provider, key, email=OFFICER, sub="alice")
    there = browser.get(f"/sso/{key}/confirm/?next=/people/invite/")["Location"]
    back = provider.authorize(there)
    misdeed(provider)
    assert browser.get(back).status_code == 403
    assert reasons(acme.acme) == [why]
    assert browser.get("/people/invite/").status_code == 302
    assert browser.session["_auth_user_id"] == str(acme.alice.user_id)


def test_a_session_of_a_password_confirms_nothing_at_the_provider(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    browser = browsers.signed_in(acme.alice)
    assert browser.get(f"/sso/{key}/confirm/").status_code == 404
    assert Browser().get(f"/sso/{key}/confirm/").status_code == 404


# --- where passwords are shut out -----------------------------------------------------------------------------------


@pytest.fixture
def required(acme: cast.Cast, provider: Provider, key: str) -> str:
    """Acme lets people in through its provider alone, but for alice, who has a second factor."""
    come(Browser(), provider, key)
    give_codes(acme.alice)
    with job_scope(agency_id=acme.acme.pk):
        sso.require(beside=[acme.alice.user_id], by=staff(acme.carol), at=make.now())
    return key


def test_a_password_opens_other_agencies_and_not_this_one(
    acme: cast.Cast, provider: Provider, required: str
) -> None:
    works_too(acme.bob, acme.globex)
    browser = Browser()
    browsers.sign_in(browser, "bob@acme.example")
    page = browser.get("/clients/").content.decode()
    assert "Globex" in page
    assert browser.session["agency_id"] == acme.globex.pk
    assert browser.post("/agencies/", {"agency": acme.acme.pk}).status_code == 404
    assert f"/sso/{required}/" in browser.get("/agencies/").content.decode()


def test_who_works_there_alone_is_led_to_the_provider_and_keeps_their_account(
    provider: Provider, required: str
) -> None:
    browser = Browser()
    browsers.sign_in(browser, "bob@acme.example")
    for path in ("/", "/clients/", "/clients/dentist/"):
        page = browser.get(path).content.decode()
        assert f'href="/sso/{required}/"' in page
        assert "Dentist" not in page
    assert browser.get("/accounts/password/change/").status_code == 200
    come(browser, provider, required)
    assert browsers.is_in(browser)


def test_who_is_named_gets_in_with_a_second_factor_and_it_is_written_down(
    acme: cast.Cast, required: str
) -> None:
    browser = browsers.signed_in(acme.alice)
    assert browsers.is_in(browser)
    sso.record_beside(user_id=acme.alice.user_id, at=make.now())
    assert browsers.actions_of(acme.acme.pk)[-1] == "sign_in_provider.passed_by"
    sso.record_beside(user_id=acme.bob.user_id, at=make.now())
    assert browsers.actions_of(acme.acme.pk).count("sign_in_provider.passed_by") == 1
    Authenticator.objects.filter(user=acme.alice.user).delete()
    assert "/sso/" in browser.get("/clients/").content.decode()


def test_who_is_named_and_manages_no_more_is_not_let_in(acme: cast.Cast, required: str) -> None:
    with job_scope(agency_id=acme.acme.pk):
        Membership.objects.filter(pk=acme.alice.pk).update(role=Role.ANALYST)
    assert "/sso/" in browsers.signed_in(acme.alice).get("/clients/").content.decode()


def test_passwords_age_for_those_alone_who_use_them(acme: cast.Cast, provider: Provider, key: str) -> None:
    come(Browser(), provider, key)
    give_codes(acme.alice)
    with job_scope(agency_id=acme.acme.pk):
        sso.require(beside=[acme.alice.user_id], by=staff(acme.carol), at=make.now())
    due = dict(User.objects.values_list("pk", "password_due_at"))
    assert due[acme.bob.user_id] is None
    assert due[acme.alice.user_id] is not None
    with job_scope(agency_id=acme.acme.pk):
        sso.require(beside=[], by=staff(acme.carol), at=make.now())
    assert User.objects.get(pk=acme.bob.user_id).password_due_at is not None


def test_a_password_that_is_due_keeps_nobody_out_who_came_through_the_provider(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    browser = Browser()
    come(browser, provider, key)
    User.objects.filter(pk=acme.bob.user_id).update(password_due_at=make.NOON, password_due_why="known")
    assert browsers.is_in(browser)
    assert not browsers.is_in(browsers.signed_in(acme.bob))


def test_a_role_that_needs_a_second_factor_has_it_at_the_provider(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    from callprivacy.accounts.services import passwords

    with job_scope(agency_id=acme.acme.pk):
        passwords.change_policy(
            agency=acme.acme, values={"second_factor_roles": ["reviewer"]}, by=make.JOB, at=make.now()
        )
    browser = Browser()
    come(browser, provider, key)
    assert browsers.is_in(browser)
    assert not browsers.is_in(browsers.signed_in(acme.bob))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("amr", "is_told"),
    some(
        [
            (["pwd", "mfa"], True),
            (["pwd", "otp"], True),
            (["PWD", "Fido"], True),
            (["pwd"], False),
            (["pwd", "pin"], False),
            (["hwk"], False),
            ("mfa", False),
            ([1, {"mfa": True}], False),
            (None, False),
        ],
        one_in=3,
    ),
)
def test_what_the_provider_says_of_a_second_factor_is_noted_of_the_last_sign_in(
    acme: cast.Cast, provider: Provider, key: str, amr: object, is_told: bool
) -> None:
    come(Browser(), provider, key, amr=["mfa"])
    come(Browser(), provider, key, amr=amr)
    with job_scope(agency_id=acme.acme.pk):
        assert ProviderLink.objects.get().with_factor is is_told
        assert selectors.count_links_with_factor() == is_told


def test_passwords_are_not_shut_out_before_it_works_and_somebody_is_named(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    with job_scope(agency_id=acme.acme.pk):
        with pytest.raises(sso.NotReadyError, match="second factor"):
            sso.require(beside=[acme.alice.user_id], by=staff(acme.carol), at=make.now())
        give_codes(acme.alice)
        give_codes(acme.bob)
        with pytest.raises(sso.NotReadyError, match="Nobody has come"):
            sso.require(beside=[acme.alice.user_id], by=staff(acme.carol), at=make.now())
    Authenticator.objects.filter(user=acme.bob.user).delete()
    come(Browser(), provider, key)
    with job_scope(agency_id=acme.acme.pk):
        with pytest.raises(sso.NotReadyError, match="manage people"):
            sso.require(beside=[acme.bob.user_id], by=staff(acme.carol), at=make.now())
        sso.require(beside=[acme.alice.user_id], by=staff(acme.carol), at=make.now())


def test_who_runs_the_installation_switches_it_off(acme: cast.Cast, required: str) -> None:
    call_command("provider_off", "--agency", "acme", stdout=io.StringIO())
    assert not kept(acme.acme).is_on
    assert browsers.is_in(browsers.signed_in(acme.bob))
    assert browsers.actions_of(acme.acme.pk)[-1] == "sign_in_provider.switched_off"
    call_command("provider_off", "--agency", "acme", stdout=io.StringIO())
    with pytest.raises(CommandError):
        call_command("provider_off", "--agency", "nobody")


# --- setting it up --------------------------------------------------------------------------------------------------


def test_two_decide_and_one_of_them_signs_off(
    acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    dave = make.person(acme.acme, "dave", Role.ADMIN)
    set_up(acme.acme, provider, by=acme.carol, run=django_capture_on_commit_callbacks)
    for person, words in ((acme.carol, "Somebody else"), (dave, "compliance officer")):
        with pytest.raises(sso.NotYoursError, match=words):
            switch_on(acme.acme, person)
    assert Browser().get(f"/sso/{kept(acme.acme).key}/").status_code == 404
    switch_on(acme.acme, acme.alice)
    assert kept(acme.acme).is_on


def test_a_saved_provider_is_deleted_by_its_name_once_it_is_off(
    acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    set_up(acme.acme, provider, by=acme.carol, run=django_capture_on_commit_callbacks)
    row, officer = kept(acme.acme), browsers.signed_in(acme.alice)
    with job_scope(agency_id=acme.acme.pk):
        SignInProvider.objects.update(is_on=True, agreed_by=acme.alice.user, agreed_at=NOON)
    assert "Delete provider" not in officer.get("/agency/sign-in/").content.decode()
    refused = officer.post("/agency/sign-in/delete/", {"phrase": row.name}, follow=True)
    assert "Switch the provider off first" in refused.content.decode()
    officer.post("/agency/sign-in/switch/", {"to": "off"})
    assert "Delete provider" in officer.get("/agency/sign-in/").content.decode()
    officer.post("/agency/sign-in/delete/", {"phrase": "another name"})
    assert kept(acme.acme).pk == row.pk
    assert (
        browsers.signed_in(acme.bob).post("/agency/sign-in/delete/", {"phrase": row.name}).status_code == 403
    )
    officer.post("/agency/sign-in/delete/", {"phrase": row.name})
    with job_scope(agency_id=acme.acme.pk):
        assert not SignInProvider.objects.exists()
    assert browsers.actions_of(acme.acme.pk).count("sign_in_provider.deleted") == 1
    set_up(acme.acme, provider, by=acme.carol, run=django_capture_on_commit_callbacks)
    assert kept(acme.acme).pk != row.pk


def test_nobody_agrees_to_what_they_did_not_see(
    acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    """Who named the provider changes it between the officer's look and the officer's press."""
    run = django_capture_on_commit_callbacks
    set_up(acme.acme, provider, by=acme.carol, run=run)
    officer = browsers.signed_in(acme.alice)
    page = officer.get("/agency/sign-in/").content.decode()
    (seen,) = re.findall(r'name="seen" value="([0-9a-f]{64})"', page)
    set_up(acme.acme, provider, by=acme.carol, run=run, application="evil")
    assert kept(acme.acme).is_sound
    for said in ({"seen": seen}, {}):
        officer.post("/agency/sign-in/switch/", {"to": "on"} | said)
        assert not kept(acme.acme).is_on
    assert "changed since you looked" in officer.get("/agency/sign-in/").content.decode()
    set_up(acme.acme, provider, by=acme.carol, run=run)
    officer.post("/agency/sign-in/switch/", {"to": "on", "seen": seen})
    assert kept(acme.acme).is_on


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_a_change_beside_it_does_not_switch_on_again_what_was_switched_off(
    acme: cast.Cast, provider: Provider, key: str
) -> None:
    """One renames the provider while another switches it off: the row is saved as it is after that."""
    renamed: list[list[str]] = []

    def rename() -> None:
        try:
            with job_scope(agency_id=acme.acme.pk):
                renamed.append(
                    sso.set_up(
                        agency=acme.acme, name="Another name", issuer=provider.issuer, application=CLIENT_ID,
                        secret="", domains=["acme.example"], by=staff(acme.carol), at=make.now(),
                    )
                )  # fmt: skip
        finally:
            connections.close_all()

    with job_scope(agency_id=acme.acme.pk):
        sso.switch_off(by=staff(acme.alice), at=make.now())
        beside = threading.Thread(target=rename)
        beside.start()
        beside.join(0.5)
        assert beside.is_alive()
    beside.join(20)
    assert renamed == [["name"]]
    row = kept(acme.acme)
    assert (row.name, row.is_on) == ("Another name", False)


def test_who_manages_alone_decides_alone(
    acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    set_up(acme.globex, provider, by=acme.mallory, run=django_capture_on_commit_callbacks)
    switch_on(acme.globex, acme.mallory)
    assert kept(acme.globex).is_on


def test_whom_it_speaks_for_is_agreed_to_anew_and_a_secret_is_not(
    acme: cast.Cast, provider: Provider, key: str, django_capture_on_commit_callbacks: Any
) -> None:
    come(Browser(), provider, key)
    run = django_capture_on_commit_callbacks
    assert set_up(acme.acme, provider, by=acme.carol, run=run, secret="") == []
    assert set_up(acme.acme, provider, by=acme.carol, run=run, secret="another") == ["secret"]
    assert kept(acme.acme).is_on
    assert set_up(acme.acme, provider, by=acme.carol, run=run, secret="", application="evil") == [
        "application"
    ]
    row = kept(acme.acme)
    assert not row.is_on
    assert row.agreed_at is None
    assert row.secret == "another"
    with job_scope(agency_id=acme.acme.pk):
        assert not ProviderLink.objects.exists()
    with pytest.raises(sso.NotYoursError):
        switch_on(acme.acme, acme.carol)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"issuer": "https://id.evil.example"}, "It calls itself “https://id.evil.example”"),
        ({"jwks_uri": "http://id.acme.example/keys"}, "Give an https address"),
        ({"token_endpoint": None}, "does not say where its token_endpoint is"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "takes no client secret"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "signs in none of the ways"),
    ],
)
def test_the_test_says_in_plain_words_what_is_wrong(
    acme: cast.Cast,
    provider: Provider,
    django_capture_on_commit_callbacks: Any,
    said: dict[str, Any],
    words: str,
) -> None:
    provider.described |= said
    set_up(acme.acme, provider, by=acme.alice, run=django_capture_on_commit_callbacks)
    row = kept(acme.acme)
    assert not row.is_sound
    assert words in row.found[-1][1]


@pytest.mark.thorough
def test_the_pages_of_setting_it_up(
    acme: cast.Cast, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    officer, admin = browsers.signed_in(acme.alice), browsers.signed_in(acme.carol)
    form = {
        "name": "Keycloak",
        "issuer": f"{provider.issuer}/.well-known/openid-configuration",
        "application": CLIENT_ID,
        "secret": SECRET,
        "domains": "@Acme.example\nacme.example",
    }
    assert "is no domain" in officer.post("/agency/sign-in/", form | {"domains": "acme"}).content.decode()
    for issuer in (
        "http://id.acme.example",
        "https://10.0.0.1",
        "https://localhost",
        "https://id.acme.example/?x=1",
    ):
        assert officer.post("/agency/sign-in/", form | {"issuer": issuer}).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        assert officer.post("/agency/sign-in/", form).status_code == 302
    page = officer.get("/agency/sign-in/").content.decode()
    assert re.search(r'aria-current="page">\s*<svg[^>]*>.{0,200}?</svg>\s*<span>Settings', page, re.DOTALL)
    assert "Somebody else who manages people has to agree" in page
    assert "so people can confirm a deed there" in page
    assert "does not say that it can tell us when somebody signs out" in page
    assert f"/sso/{kept(acme.acme).key}/signed-out/" in page
    assert (
        "none longer than" in officer.post("/agency/sign-in/", form | {"classes": "x" * 201}).content.decode()
    )
    assert SECRET not in page
    seen = sso.named(kept(acme.acme))
    officer.post("/agency/sign-in/switch/", {"to": "on", "seen": seen})
    assert not kept(acme.acme).is_on
    admin.post("/agency/sign-in/switch/", {"to": "on", "seen": seen})
    row = kept(acme.acme)
    assert row.is_on
    assert row.domains == ["acme.example"]
    assert row.issuer == provider.issuer
    come(Browser(), provider, row.key)
    give_codes(acme.alice)
    admin.post("/agency/sign-in/require/", {"to": "on"})
    assert not kept(acme.acme).is_required
    admin.post("/agency/sign-in/require/", {"to": "on", "beside": [acme.alice.user_id]})
    assert kept(acme.acme).is_required
    # carol is not named: her password opens this no more, not even to undo it
    assert f"/sso/{row.key}/" in admin.post("/agency/sign-in/require/", {"to": "off"}).content.decode()
    officer.post("/agency/sign-in/require/", {"to": "off"})
    assert not kept(acme.acme).is_required
    with django_capture_on_commit_callbacks(execute=True):
        officer.post("/agency/sign-in/test/")
    assert "End the link" in officer.get(f"/people/{acme.bob.pk}/").content.decode()
    officer.post(f"/people/{acme.bob.pk}/unlink/")
    assert "End the link" not in officer.get(f"/people/{acme.bob.pk}/").content.decode()
    officer.post("/agency/sign-in/switch/", {"to": "off"})
    assert not kept(acme.acme).is_on
    assert browsers.signed_in(acme.bob).get("/agency/sign-in/").status_code == 403
