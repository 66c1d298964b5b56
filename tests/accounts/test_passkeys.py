"""Passkeys and security keys: what each opens, what its challenge counts for, and who keeps the last one."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from typing import cast as cast_to

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction
from django.http import HttpResponse  # noqa: TID251  (what a view answers)
from django.test import Client as Browser
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from callprivacy.accounts import selectors
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership, User
from callprivacy.accounts.services import factors, people
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import actions_of, is_in, sign_in, signed_in
from tests.accounts.test_factors import BOB, policy, with_codes
from tests.aside import Aside
from tests.cast import Cast
from tests.make import NOON, PASSWORD

DOOR = "/accounts/2fa/webauthn/login/"
BESIDE = "/accounts/2fa/authenticate/"
AGAIN = "/accounts/2fa/webauthn/reauthenticate/"
ADD = "/accounts/2fa/webauthn/add/"
_SITE, _OF_SITE = "https://testserver", hashlib.sha256(b"testserver").digest()
_FLAG = AuthenticatorData.FLAG


class Key:
    """A key in software: it says what it is told to say, and signs it."""

    def __init__(self, name: bytes = b"k") -> None:
        self.private, self.id = ec.generate_private_key(ec.SECP256R1()), name * 16

    def created(
        self, challenge: bytes | str = b"x" * 32, *, verified: bool, extensions: Any = None
    ) -> dict[str, Any]:
        """What a browser sends when the key is added."""
        public = AttestedCredentialData.create(
            b"\0" * 16,
            self.id,
            ES256.from_cryptography_key(self.private.public_key()),  # type: ignore[no-untyped-call]  # fido2 has no types here
        )
        flags = _FLAG.UP | _FLAG.AT | (_FLAG.UV if verified else _FLAG(0))
        said = AttestationObject.create("none", AuthenticatorData.create(_OF_SITE, flags, 0, public), {})
        client = CollectedClientData.create(CollectedClientData.TYPE.CREATE, challenge, _SITE)
        return self._sent(client, extensions or {}, attestationObject=said)

    def answer(self, challenge: str, person: Membership, *, verified: bool, count: int = 0) -> dict[str, str]:
        """What a browser posts when the key is used."""
        said = AuthenticatorData.create(_OF_SITE, _FLAG.UP | (_FLAG.UV if verified else _FLAG(0)), count)
        client = CollectedClientData.create(CollectedClientData.TYPE.GET, challenge, _SITE)
        signed = self.private.sign(bytes(said) + client.hash, ec.ECDSA(hashes.SHA256()))
        handle = str(person.user_id).encode()
        return {
            "credential": json.dumps(
                self._sent(client, {}, authenticatorData=said, signature=signed, userHandle=handle)
            )
        }

    def of(self, person: Membership, *, alone: bool | None, verified: bool = True) -> Authenticator:
        """Give it to a person, as it was kept while the tick was not: what the browser said of it, if it said that."""
        told = {} if alone is None else {"credProps": {"rk": alone}}
        data = {"name": "key", "credential": self.created(verified=verified, extensions=told)}
        return Authenticator.objects.create(user=person.user, type="webauthn", data=data)

    def _sent(self, client: CollectedClientData, extensions: Any, **response: bytes) -> dict[str, Any]:
        return {
            "id": websafe_encode(self.id),
            "rawId": websafe_encode(self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": websafe_encode(client),
                **{name: websafe_encode(value) for name, value in response.items()},
            },
            "clientExtensionResults": extensions,
        }


def begun_at_the_door(browser: Browser) -> str:
    options = browser.get(DOOR, headers={"X-Requested-With": "XMLHttpRequest"}).json()["request_options"]
    return str(options["publicKey"]["challenge"])


def begun_on(browser: Browser, page: str) -> str:
    data = browser.get(page).context["js_data"]
    (options,) = data.values()
    return str(options["publicKey"]["challenge"])


def add(browser: Browser, key: Key, *, tick: bool, rk: bool) -> HttpResponse:
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    sent = key.created(begun_on(browser, ADD), verified=True, extensions={"credProps": {"rk": rk}})
    fields = {"name": "Laptop", "credential": json.dumps(sent)} | ({"passwordless": "on"} if tick else {})
    return browser.post(ADD, fields)  # type: ignore[return-value]  # the test client's answer


def opens_alone(key: Key, person: Membership, *, verified: bool = True) -> bool:
    browser = Browser()
    browser.post(DOOR, key.answer(begun_at_the_door(browser), person, verified=verified))
    return is_in(browser)


# --- what a key's signature count says ---


def use(browser: Browser, key: Key, person: Membership, *, where: str, count: int) -> HttpResponse:
    """Use a key with this signature count: to sign in alone, beside the password, or to confirm."""
    if where == BESIDE:
        sign_in(browser, person.user.email)
    challenge = begun_at_the_door(browser) if where == DOOR else begun_on(browser, where)
    answer = key.answer(challenge, person, verified=True, count=count)
    return browser.post(where, answer, follow=True)  # type: ignore[return-value]  # the test client's answer


@pytest.mark.parametrize("where", [DOOR, BESIDE])
@pytest.mark.parametrize(
    ("counts", "opens"),
    [
        ((0, 0), (True, True)),
        ((5, 6), (True, True)),
        ((5, 5), (True, False)),
        ((5, 4, 6), (True, False, True)),
        ((5, 0), (True, False)),
        ((0, 1, 0), (True, True, False)),
    ],
)
def test_key_whose_signature_count_does_not_rise_opens_nothing(
    cast: Cast, where: str, counts: tuple[int, ...], opens: tuple[bool, ...]
) -> None:
    key = Key()
    key.of(cast.bob, alone=True)
    for count, is_open in zip(counts, opens, strict=True):
        browser = Browser()
        answer = use(browser, key, cast.bob, where=where, count=count)
        assert is_in(browser) == is_open, count
        assert ("a copy of the key may be in use" in answer.content.decode()) != is_open, count


def test_signature_count_of_a_confirmation_rises_too(cast: Cast) -> None:
    key, browser = Key(), signed_in(cast.bob)
    key.of(cast.bob, alone=False)
    for count, counts in ((7, True), (7, False), (8, True)):
        use(browser, key, cast.bob, where=AGAIN, count=count)
        confirmed = [
            one for one in browser.session["account_authentication_methods"] if one.get("reauthenticated")
        ]
        assert len(confirmed) == (1 if count == 7 else 2), (count, counts)


def test_key_that_may_be_copied_is_in_the_audit_log_and_mailed(
    cast: Cast, mailoutbox: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    key = Key()
    key.of(cast.bob, alone=True)
    use(Browser(), key, cast.bob, where=DOOR, count=5)
    mailoutbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        use(Browser(), key, cast.bob, where=DOOR, count=5)
    assert actions_of(cast.acme.pk).count("passkey.count_refused") == 1
    own, officers = mailoutbox
    assert (own.to, officers.to) == ([cast.bob.user.email], [cast.alice.user.email])
    assert 'refused your security key or passkey "key"' in own.body
    assert f'refused a security key or passkey "key" of {cast.bob.user}' in officers.body


# --- what a challenge counts for ---


def test_a_key_opens_alone_with_what_it_asks_of_its_owner_and_not_without(cast: Cast) -> None:
    key = Key()
    key.of(cast.bob, alone=True)
    assert not opens_alone(key, cast.bob, verified=False)
    assert opens_alone(key, cast.bob)


@pytest.mark.parametrize("alone", [True, False])
def test_a_challenge_of_the_second_factor_opens_nothing_at_the_door(cast: Cast, alone: bool) -> None:
    """Who has a pending sign-in of their own, and somebody else's key without its PIN, is not let in by it."""
    bobs, carols = Key(), Key(b"c")
    bobs.of(cast.bob, alone=alone)
    carols.of(cast.carol, alone=False)
    for verified in (False, True):
        with time_machine.travel(NOON, tick=False) as clock:
            browser = Browser()
            assert sign_in(browser, "carol@acme.example")["Location"] == BESIDE
            challenge = begun_on(browser, BESIDE)
            clock.shift(timedelta(minutes=15, seconds=1))
            browser.post(DOOR, bobs.answer(challenge, cast.bob, verified=verified))
            assert not is_in(browser)
            sign_in(browser, "carol@acme.example")
            browser.post(DOOR, bobs.answer(begun_on(browser, BESIDE), cast.bob, verified=verified))
            assert not is_in(browser), "nor in its five minutes"


def test_a_challenge_of_the_door_is_no_second_factor_and_confirms_nothing(cast: Cast) -> None:
    key = Key()
    key.of(cast.bob, alone=True)
    browser = Browser()
    challenge = begun_at_the_door(browser)
    sign_in(browser, BOB)
    answer = browser.post(BESIDE, key.answer(challenge, cast.bob, verified=True))
    assert "Try again" in answer.content.decode()
    assert not is_in(browser)
    assert (
        browser.post(BESIDE, key.answer(begun_on(browser, BESIDE), cast.bob, verified=False))["Location"]
        == "/"
    )
    assert is_in(browser)


@pytest.mark.parametrize("where", [DOOR, BESIDE, AGAIN])
@pytest.mark.parametrize(("seconds", "counts"), [(299, True), (301, False)])
def test_a_challenge_counts_for_five_minutes(cast: Cast, where: str, seconds: int, counts: bool) -> None:
    key = Key()
    factor = key.of(cast.bob, alone=True)
    with time_machine.travel(NOON, tick=False) as clock:
        browser = Browser() if where != AGAIN else signed_in(cast.bob)
        if where == BESIDE:
            sign_in(browser, BOB)
        challenge = begun_at_the_door(browser) if where == DOOR else begun_on(browser, where)
        clock.shift(timedelta(seconds=seconds))
        browser.post(where, key.answer(challenge, cast.bob, verified=True))
        factor.refresh_from_db()
        assert (factor.last_used_at is not None) == counts
        assert "mfa.webauthn.state" not in browser.session or where == BESIDE


def test_a_challenge_is_over_after_a_failure(cast: Cast) -> None:
    key, other = Key(), Key(b"o")
    key.of(cast.bob, alone=True)
    browser = Browser()
    challenge = begun_at_the_door(browser)
    browser.post(DOOR, other.answer(challenge, cast.bob, verified=True))
    browser.post(DOOR, key.answer(challenge, cast.bob, verified=True))
    assert not is_in(browser)
    browser.post(DOOR, key.answer(begun_at_the_door(browser), cast.bob, verified=True))
    assert is_in(browser)


def test_a_key_is_not_added_by_a_challenge_of_long_ago(cast: Cast) -> None:
    key = Key()
    with time_machine.travel(NOON, tick=False) as clock:
        browser = signed_in(cast.bob)
        browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
        sent = {"name": "x", "credential": json.dumps(key.created(begun_on(browser, ADD), verified=True))}
        clock.shift(timedelta(minutes=5, seconds=1))
        answer = browser.post(ADD, sent)
        assert "That took too long" in answer.content.decode()
        assert not Authenticator.objects.exists()
        challenge = answer.context["js_data"]["creation_options"]["publicKey"]["challenge"]
        sent["credential"] = json.dumps(key.created(challenge, verified=True))
        assert browser.post(ADD, sent).status_code == 302, "the page that came back asks anew"


def test_who_confirmed_too_late_is_asked_again_for_the_same_page(cast: Cast) -> None:
    key = Key()
    key.of(cast.bob, alone=False)
    where = f"{AGAIN}?next=%2Fwork%2F"
    with time_machine.travel(NOON, tick=False) as clock:
        browser = signed_in(cast.bob)
        challenge = begun_on(browser, where)
        clock.shift(timedelta(minutes=5, seconds=1))
        sent = key.answer(challenge, cast.bob, verified=False) | {"next": "/work/"}
        answer = browser.post(AGAIN, sent)
        assert answer["Location"] == where
        page = browser.get(where)
        assert "That took too long" in page.content.decode()
        challenge = page.context["js_data"]["request_options"]["publicKey"]["challenge"]
        sent = key.answer(challenge, cast.bob, verified=False) | {"next": "/work/"}
        assert browser.post(AGAIN, sent)["Location"] == "/work/"


# --- which key opens alone ---


@pytest.mark.parametrize("rk", [True, False])
def test_a_key_opens_alone_if_its_owner_said_so_whatever_the_browser_says_of_it(cast: Cast, rk: bool) -> None:
    alone, beside = Key(b"a"), Key(b"b")
    bob = signed_in(cast.bob)
    assert add(bob, alone, tick=True, rk=rk).status_code == 302
    assert opens_alone(alone, cast.bob)
    assert "opens alone" in bob.get("/accounts/2fa/webauthn/").content.decode()
    carol = signed_in(cast.carol)
    assert add(carol, beside, tick=False, rk=rk).status_code == 302
    browser = Browser()
    sent = beside.answer(begun_at_the_door(browser), cast.carol, verified=True)
    answer = browser.post(DOOR, sent, follow=True)
    assert "This key counts beside your password" in answer.content.decode()
    assert not is_in(browser)
    assert "beside the password" in carol.get("/accounts/2fa/webauthn/").content.decode()
    sign_in(browser, "carol@acme.example")
    browser.post(BESIDE, beside.answer(begun_on(browser, BESIDE), cast.carol, verified=False))
    assert is_in(browser)


def test_what_a_browser_sends_beside_the_tick_ticks_nothing(cast: Cast) -> None:
    key = Key()
    browser = signed_in(cast.bob)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    sent = key.created(begun_on(browser, ADD), verified=True) | {"opens_alone": True}
    browser.post(ADD, {"name": "x", "credential": json.dumps(sent)})
    assert not opens_alone(key, cast.bob)


@pytest.mark.parametrize(
    ("said", "verified", "alone"),
    [(True, True, True), (False, True, False), (None, True, True), (None, False, False)],
)
def test_a_key_of_before_opens_as_the_browser_said(
    cast: Cast, said: bool | None, verified: bool, alone: bool
) -> None:
    """Some browsers said nothing; what asked nothing of its owner when it was added was meant to count beside."""
    key = Key()
    key.of(cast.bob, alone=said, verified=verified)
    assert opens_alone(key, cast.bob) == alone
    page = signed_in(cast.bob).get("/accounts/2fa/webauthn/").content.decode()
    assert ("opens alone" in page) == alone


# --- the last one ---


def _confirmed(person: Membership) -> Browser:
    browser = signed_in(person)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


def test_who_has_to_have_a_second_factor_keeps_the_last_passkey_and_is_told_why(cast: Cast) -> None:
    policy(cast.acme, second_factor_roles=["reviewer"])
    one, two = (Key(name).of(cast.bob, alone=False) for name in (b"1", b"2"))
    browser = _confirmed(cast.bob)
    where = f"/accounts/2fa/webauthn/keys/{one.pk}/remove/"
    assert "Remove it" in browser.get(where).content.decode()
    assert browser.post(where).status_code == 302
    where = f"/accounts/2fa/webauthn/keys/{two.pk}/remove/"
    for answer in (browser.get(where), browser.post(where)):
        page = answer.content.decode()
        assert "Your role has to have a second factor" in page
        assert "Remove it" not in page
    assert list(Authenticator.objects.values_list("pk", flat=True)) == [two.pk]
    with_codes(cast.bob)
    assert browser.post(where).status_code == 302


def test_every_agency_of_a_person_is_asked_whether_the_last_one_stays(cast: Cast) -> None:
    with job_scope(agency_id=cast.globex.pk):
        Membership.objects.create(agency=cast.globex, user=cast.bob.user, role=Role.REVIEWER, created_at=NOON)
    policy(cast.globex, second_factor_roles=["reviewer"])
    factor = Key().of(cast.bob, alone=False)
    browser = _confirmed(cast.bob)
    browser.get("/clients/")
    assert browser.session["agency_id"] == cast.acme.pk
    browser.post(f"/accounts/2fa/webauthn/keys/{factor.pk}/remove/")
    assert Authenticator.objects.filter(pk=factor.pk).exists()
    with job_scope(agency_id=cast.globex.pk):
        Membership.objects.filter(user=cast.bob.user).update(state="suspended")
    assert browser.post(f"/accounts/2fa/webauthn/keys/{factor.pk}/remove/").status_code == 302
    assert not Authenticator.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["passkey", "codes"])
def test_two_removals_at_once_do_not_both_see_the_other_factor(cast: Cast, kind: str) -> None:
    policy(cast.acme, second_factor_roles=["reviewer"])
    one = Key().of(cast.bob, alone=False)
    with_codes(cast.bob)
    browser = _confirmed(cast.bob)
    path = f"webauthn/keys/{one.pk}/remove/" if kind == "passkey" else "totp/deactivate/"
    with transaction.atomic():
        factors.hold_factors(cast.bob.user)
        other = Aside(lambda: browser.post(f"/accounts/2fa/{path}"))
        assert other.is_waiting()
        Authenticator.objects.exclude(type="webauthn" if kind == "passkey" else "totp").delete()
    other.end()
    assert Authenticator.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["webauthn/add/", "totp/activate/", "webauthn/keys/1/edit/"])
def test_nothing_is_added_or_named_beside_a_password_that_is_closed_in_the_same_moment(
    cast: Cast, path: str
) -> None:
    """To name a key is to write its row anew, with what was read of it before."""
    browser = _confirmed(cast.bob)
    with transaction.atomic():
        factors.hold_factors(cast.bob.user)
        other = Aside(lambda: browser.post(f"/accounts/2fa/{path}"))
        assert other.is_waiting()
        people.close_password(user=User.objects.get(pk=cast.bob.user_id), at=make.now())
    answer = cast_to(HttpResponse, other.end())
    assert answer["Location"] == "/accounts/login/"


def test_who_may_enter_no_agency_with_a_password_removes_a_key(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every agency wants its provider, own pages are in no agency; the trail has the deed all the same."""
    key = Key().of(cast.bob, alone=True)
    browser = _confirmed(cast.bob)
    monkeypatch.setattr(selectors, "agencies_opened_by", lambda *_, **__: [])
    assert browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/").status_code == 302
    assert not Authenticator.objects.exists()
    assert "passkey.removed" in actions_of(cast.acme.pk)


@pytest.mark.parametrize("deed", ["edit", "remove"])
def test_the_key_of_somebody_else_is_none(cast: Cast, deed: str) -> None:
    key = Key().of(cast.bob, alone=True)
    for other in (cast.carol, cast.mallory):
        browser, where = _confirmed(other), f"/accounts/2fa/webauthn/keys/{key.pk}/{deed}/"
        assert [browser.get(where).status_code, browser.post(where, {"name": "Mine"}).status_code] == [
            404,
            404,
        ]
    assert Authenticator.objects.get().data["name"] == "key"


# --- an office ---


def test_an_office_signs_in_with_passkeys_at_nine(cast: Cast) -> None:
    with time_machine.travel(NOON, tick=False):
        for n in range(12):
            key = Key(bytes([65 + n]))
            key.of(cast.bob, alone=True)
            assert opens_alone(key, cast.bob), n
