"""
OpenID Connect, as far as signing in needs it: what a provider says of itself, the way there and back, and whether to
believe what comes back.

Nothing is believed because of the way it came. What a provider signs counts when it is signed by a key of its own, in
one of three ways that need that key, for us, for this one sign-in, and lately (OpenID Connect Core 1.0, 3.1.3.7). Every
request goes out through `lib.outside`, and nothing here reads or writes the database.
"""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeGuard
from urllib.parse import quote, urlencode, urlsplit

import jwt

from callprivacy.accounts.enums import Refusal
from callprivacy.lib import bounds, outside

ALGORITHMS: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
"""How a token may be signed, and the kind of key that it takes. Nothing that a secret of ours could sign."""
LEEWAY: Final = timedelta(seconds=60)
"""By so much the clocks of two machines may differ."""
_KNOWN: Final = frozenset({"pwd", "pin", "kba"})
_HELD: Final = frozenset(
    {"otp", "hwk", "swk", "sc", "sms", "tel", "pop", "fido", "face", "fpt", "iris", "retina", "vbm"}
)
FRESH: Final = timedelta(minutes=5)
"""How long ago somebody may have shown who they are, where that is what we asked for."""
LEAST_BITS: Final = {"RSA": 2048, "EC": 256}
MOST_KEYS: Final = 100
TOGETHER: Final = 8
"""Seconds for all that a provider is asked of one sign-in: a thread that serves pages waits for it."""
AT_ONCE: Final = 2
"""So many threads of a process wait for one provider, fewer than it has: others are served by the rest."""
_TURN_WITHIN: Final = 1
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_LONGEST_TOKEN: Final = 64 * 1024
_LAST_SECOND: Final = 2**40
"""Some 34,000 years: what is later is no instant."""
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENTRA: Final = "login.microsoftonline.com"
_NO_AUTH_TIME: Final = (
    "It does not say that it tells when somebody last showed it who they are (auth_time). Where it does not, nobody "
    "who came through it can confirm a deed, such as showing a number."
)

_NO_METHODS: Final = (
    "It does not say that it tells how somebody signed in (amr, acr). If you demand a second factor there, sign in "
    "yourself before anybody else does."
)
_NO_SIGN_OUT: Final = (
    "It does not say that it can tell us when somebody signs out there or is shut out. Suspend people here as well, "
    "then they are out at once."
)
_SIGNS_OUT: Final = "http://schemas.openid.net/event/backchannel-logout"

_turns: Final[dict[str, threading.BoundedSemaphore]] = {}

type Fetch = Callable[..., outside.Answer]


class RefusedError(ValueError):
    """What a provider sent is not believed, or nothing came. The text is for who sets it up."""

    def __init__(self, why: Refusal, words: str = "") -> None:
        super().__init__(words or why.label)
        self.why = why


class BusyError(RefusedError):
    """Nobody was asked: too many of our own questions wait for that provider. It may be said again in a moment."""


class NoWordError(RefusedError):
    """What was sent can be no word of somebody's signing out, whoever signed it. Nobody was asked."""


@dataclass(frozen=True, slots=True, repr=False)
class Party:
    """With whom we speak, and as whom."""

    issuer: str
    client_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider's pages are, and what it can do, as it says itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    by_header: bool = True
    has_pkce: bool = False
    tells_sign_out: bool = False
    algorithms: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Trip:
    """One way to the provider and back, as the browser's session remembers it."""

    state: str
    nonce: str
    verifier: str
    began: int

    @classmethod
    def begin(cls, at: datetime) -> "Trip":
        """A way that nobody has gone before."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, int(at.timestamp()))


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """
    Who somebody is, as the provider says and we believe.

    :ivar shown_at: when they last showed it who they are, in seconds; None: it does not say.
    :ivar with_factor: it says that they showed a second factor.
    :ivar context: what it calls the kind of sign-in (`acr`).
    :ivar session: its name for their session there; empty: it does not say.
    """

    subject: str
    email: str
    is_verified: bool
    shown_at: float | None
    with_factor: bool = False
    context: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class SignedOut:
    """
    Who signed out at a provider, or was shut out there, as it says and we believe.

    :ivar subject: its name for the person; empty: the session alone is named.
    :ivar session: its name for one session; empty: all of the person's.
    :ivar at: when it said so, in seconds.
    """

    subject: str
    session: str
    at: float


# --- What a provider says of itself --------------------------------------------------------------------------------


def issuer_of(text: str) -> str:
    """
    An issuer as a person writes it, without the ending of its description.

    :raises outside.NotPlainError: it is no https address on the internet, or has a question mark or a hash in it.
    """
    found = text.strip().removesuffix(_WELL_KNOWN)
    parts = outside.checked(found)
    if parts.query or parts.fragment or "?" in found or "#" in found:
        raise outside.NotPlainError("The address of a provider has no ? and no # in it.")
    return found


def discover(issuer: str, *, fetch: Fetch = outside.fetch) -> Endpoints:
    """
    Ask a provider where its pages are.

    :raises RefusedError: it does not say, or says that it is another.
    """
    said = _read(fetch, issuer.removesuffix("/") + _WELL_KNOWN)
    if said.get("issuer") != issuer:
        raise RefusedError(
            Refusal.OTHER_ISSUER,
            f"It calls itself {_short(said.get('issuer'))}. Write exactly that, if it is whom you mean.",
        )
    missing = [name for name in _NEEDED if not isinstance(said.get(name), str)]
    if missing:
        raise RefusedError(Refusal.NO_ANSWER, f"It does not say where its {missing[0]} is.")
    for name in (*_NEEDED, "userinfo_endpoint"):
        if said.get(name):
            _plain(said[name])
    methods = _words(said.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",)
    if not {"client_secret_basic", "client_secret_post"} & set(methods):
        raise RefusedError(
            Refusal.NO_ANSWER, "It takes no client secret, so it would not know that it is we who ask."
        )
    return Endpoints(
        said["authorization_endpoint"],
        said["token_endpoint"],
        said["jwks_uri"],
        said.get("userinfo_endpoint") or "",
        by_header="client_secret_basic" in methods,
        has_pkce="S256" in _words(said.get("code_challenge_methods_supported")),
        tells_sign_out=said.get("backchannel_logout_supported") is True,
        algorithms=_words(said.get("id_token_signing_alg_values_supported")),
        claims=_words(said.get("claims_supported")),
    )


def keys_of(endpoints: Endpoints, *, fetch: Fetch = outside.fetch) -> list[dict[str, Any]]:
    """
    The keys that a provider signs with, as it publishes them now; none is kept, so one that it withdraws is gone.

    :raises RefusedError: it does not say.
    """
    keys = _read(fetch, endpoints.jwks_uri).get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise RefusedError(Refusal.NO_ANSWER, "It does not list the keys that it signs with.")
    return [key for key in keys if isinstance(key, dict)]


def look(issuer: str, *, fetch: Fetch = outside.fetch) -> tuple[Endpoints | None, list[tuple[bool, str]]]:
    """
    Look at a provider before anybody signs in through it.

    :returns: where its pages are, None where people could not sign in; and what was found, in words.
    """
    try:
        with _in_turn(issuer, fetch) as asking:
            endpoints = discover(issuer, fetch=asking)
            found = [
                (True, "It answers over https with a certificate that fits, and calls itself what you wrote.")
            ]
            keys = keys_of(endpoints, fetch=asking)
    except RefusedError as error:
        return None, [(False, str(error))]
    usable = [key for key in keys if any(_fits(key, name) for name in ALGORITHMS)]
    if not usable:
        return None, [*found, (False, "It publishes no key that we could check a signature with.")]
    if endpoints.algorithms and not set(endpoints.algorithms) & set(ALGORITHMS):
        return None, [
            *found,
            (False, "It signs in none of the ways that are taken here: RS256, PS256, ES256."),
        ]
    found.append(
        (True, f"It publishes {len(usable)} key{'' if len(usable) == 1 else 's'} that it signs with.")
    )
    found.append(
        (True, "It keeps a stolen code from being used (PKCE).")
        if endpoints.has_pkce
        else (False, "It does not say that it knows PKCE. We send it all the same; it may be ignored.")
    )
    found.append(
        (True, "It says when somebody last showed it who they are, so people can confirm a deed there.")
        if "auth_time" in endpoints.claims
        else (False, _NO_AUTH_TIME)
    )
    found.append(
        (True, "It says how somebody signed in (amr or acr), so a second factor there can be demanded.")
        if {"amr", "acr"} & set(endpoints.claims)
        else (False, _NO_METHODS)
    )
    found.append(
        (True, "It can tell us when somebody signs out there, once it has the address for that.")
        if endpoints.tells_sign_out
        else (False, _NO_SIGN_OUT)
    )
    return endpoints, found


# --- There and back ------------------------------------------------------------------------------------------------


def way_to(
    authorization_endpoint: str,
    *,
    party: Party,
    trip: Trip,
    back_to: str,
    asks_again: bool,
    hint: str = "",
    classes: Sequence[str] = (),
) -> str:
    """
    The address at the provider to lead a browser to.

    :param asks_again: who is there shows it once more, also where the provider remembers them.
    :param classes: kinds of sign-in that are asked for, the first before the others.
    """
    asked = {
        "response_type": "code",
        "client_id": party.client_id,
        "redirect_uri": back_to,
        "scope": "openid email",
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": _digest(trip.verifier),
        "code_challenge_method": "S256",
    }
    if asks_again:
        asked |= {"prompt": "login", "max_age": "0"}
    if hint:
        asked["login_hint"] = hint
    if classes:
        asked["acr_values"] = " ".join(classes)
    joint = "&" if urlsplit(authorization_endpoint).query else "?"
    return f"{authorization_endpoint}{joint}{urlencode(asked)}"


def person_of(
    *, party: Party, trip: Trip, code: str, back_to: str, at: datetime, fetch: Fetch = outside.fetch
) -> Person:
    """
    Exchange a code for what the provider says of who came back with it, and check every part of that.

    :raises RefusedError: it is not believed, or nothing came.
    """
    with _in_turn(party.issuer, fetch) as asking:
        return _person(party=party, trip=trip, code=code, back_to=back_to, at=at, fetch=asking)


@contextmanager
def _in_turn(issuer: str, fetch: Fetch) -> Iterator[Fetch]:
    """
    Asks one provider, within `TOGETHER`.

    :raises BusyError: too many wait for it already.
    """
    turn = _turns.setdefault(issuer, threading.BoundedSemaphore(AT_ONCE))
    if not turn.acquire(timeout=_TURN_WITHIN):
        raise BusyError(Refusal.NO_ANSWER, "It answers too slowly.")
    ends_at = time.monotonic() + TOGETHER

    def asking(url: str, **asked: Any) -> outside.Answer:
        left = ends_at - time.monotonic()
        if left <= 0:
            raise outside.NoAnswerError("It answers too slowly.")
        return fetch(url, **asked, seconds=left)

    try:
        yield asking
    finally:
        turn.release()


def _person(*, party: Party, trip: Trip, code: str, back_to: str, at: datetime, fetch: Fetch) -> Person:
    endpoints = discover(party.issuer, fetch=fetch)
    answer = _exchange(endpoints, party=party, trip=trip, code=code, back_to=back_to, fetch=fetch)
    token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
        raise RefusedError(Refusal.BAD_TOKEN, "It sent no id token.")
    claims = check_token(
        token,
        keys_of(endpoints, fetch=fetch),
        party=party,
        trip=trip,
        access_token=access_token if isinstance(access_token, str) else "",
        at=at,
    )
    told: Mapping[str, Any] = claims
    if not claims.get("email") and endpoints.userinfo_endpoint and isinstance(access_token, str):
        told = _read(fetch, endpoints.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != claims["sub"]:
            raise RefusedError(Refusal.OTHER_SUBJECT)
    email, shown_at = told.get("email"), claims.get("auth_time")
    context, session = claims.get("acr"), claims.get("sid")
    return Person(
        subject=claims["sub"],
        email=email.strip().lower() if isinstance(email, str) else "",
        is_verified=_is_verified(told, party.issuer),
        shown_at=float(shown_at) if _is_number(shown_at) else None,
        with_factor=_has_factor(claims.get("amr")),
        context=context if isinstance(context, str) else "",
        session=session if isinstance(session, str) else "",
    )


def _exchange(
    endpoints: Endpoints, *, party: Party, trip: Trip, code: str, back_to: str, fetch: Fetch
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back_to,
        "code_verifier": trip.verifier,
    }
    headers = {}
    if endpoints.by_header:
        pair = f"{quote(party.client_id, safe='')}:{quote(party.secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": party.client_id, "client_secret": party.secret}
    return _read(fetch, endpoints.token_endpoint, form=form, headers=headers, on_4xx=Refusal.CODE_REFUSED)


# --- Whether to believe it -----------------------------------------------------------------------------------------


def check_token(
    token: str,
    keys: list[dict[str, Any]],
    *,
    party: Party,
    trip: Trip,
    access_token: str,
    at: datetime,
) -> dict[str, Any]:
    """
    What an id token says, once it is certain that this provider said it, to us, in this sign-in, and just now.

    :raises RefusedError: one of these is not so.
    """
    claims = _signed(token, keys)
    _check_for_us(claims, party)
    _check_when(claims, trip, at)
    nonce, subject = claims.get("nonce"), claims.get("sub")
    if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), trip.nonce.encode()):
        raise RefusedError(Refusal.WRONG_NONCE)
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise RefusedError(Refusal.BAD_TOKEN)
    if "at_hash" in claims and claims["at_hash"] != _half_digest(access_token):
        raise RefusedError(Refusal.BAD_TOKEN)
    return claims


def _signed(token: str, keys: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What a token says, by one of these keys; None: what it only claims to say, which nobody has to have signed."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise RefusedError(Refusal.BAD_TOKEN) from None
    algorithm = header.get("alg")
    # A list or an object is no name of an algorithm, and nothing that could be looked up.
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header:
        raise RefusedError(Refusal.BAD_ALGORITHM)
    key = "" if keys is None else _key_for(header.get("kid"), str(algorithm), keys)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=[str(algorithm)],
            # Each of these is asked by our own clock and in our own words.
            options={
                "verify_signature": keys is not None,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedError(Refusal.BAD_SIGNATURE) from None
    return claims


def signed_out(token: str, *, party: Party, at: datetime, fetch: Fetch = outside.fetch) -> SignedOut:
    """
    Who signed out at the provider, of what it sends to say so (OpenID Connect Back-Channel Logout 1.0).

    What cannot be one is refused before anything is asked of the provider, for anybody may send it.

    :raises NoWordError: it cannot be one. :raises RefusedError: it is not believed.
    """
    if not 0 < len(token) <= _LONGEST_TOKEN:
        raise NoWordError(Refusal.BAD_TOKEN)
    try:
        _read_sign_out(_signed(token, None), party, at)
    except RefusedError as error:
        raise NoWordError(error.why) from None
    with _in_turn(party.issuer, fetch) as asking:
        keys = keys_of(discover(party.issuer, fetch=asking), fetch=asking)
    return _read_sign_out(_signed(token, keys), party, at)


def _read_sign_out(claims: dict[str, Any], party: Party, at: datetime) -> SignedOut:
    _check_for_us(claims, party)
    events, said_at, ends = claims.get("events"), claims.get("iat"), claims.get("exp")
    subject, session = claims.get("sub", ""), claims.get("sid", "")
    is_one = isinstance(events, dict) and isinstance(events.get(_SIGNS_OUT), dict)
    if not is_one or "nonce" in claims or not isinstance(claims.get("jti"), str):
        raise RefusedError(Refusal.BAD_TOKEN)
    if not isinstance(subject, str) or not isinstance(session, str) or not subject + session:
        raise RefusedError(Refusal.BAD_TOKEN)
    now, leeway = at.timestamp(), LEEWAY.total_seconds()
    if not _is_number(said_at) or not now - FRESH.total_seconds() - leeway <= said_at <= now + leeway:
        raise RefusedError(Refusal.EXPIRED)
    if ends is not None and not (_is_number(ends) and now < ends + leeway):
        raise RefusedError(Refusal.EXPIRED)
    return SignedOut(subject, session, said_at)


def has_factor(person: Person, classes: Sequence[str]) -> bool:
    """Whether the provider says that it asked somebody for more than one factor."""
    return person.with_factor or (bool(person.context) and person.context in classes)


def _check_for_us(claims: dict[str, Any], party: Party) -> None:
    if claims.get("iss") != party.issuer:
        raise RefusedError(Refusal.OTHER_ISSUER)
    audience = claims.get("aud")
    for_whom = audience if isinstance(audience, list) else [audience]
    if party.client_id not in for_whom:
        raise RefusedError(Refusal.OTHER_AUDIENCE)
    if (len(for_whom) > 1 or "azp" in claims) and claims.get("azp") != party.client_id:
        raise RefusedError(Refusal.OTHER_AUDIENCE)


def _check_when(claims: dict[str, Any], trip: Trip, at: datetime) -> None:
    now, leeway = at.timestamp(), LEEWAY.total_seconds()
    ends, made, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not (_is_number(ends) and _is_number(made) and _is_number(not_before)):
        raise RefusedError(Refusal.EXPIRED)
    if now >= ends + leeway or made > now + leeway or not_before > now + leeway:
        raise RefusedError(Refusal.EXPIRED)
    # Made for this way there and back, not for one before.
    if made < trip.began - leeway:
        raise RefusedError(Refusal.EXPIRED)


def is_fresh(person: Person, trip: Trip, at: datetime) -> bool:
    """Whether somebody showed the provider who they are since they were sent there."""
    if person.shown_at is None:
        return False
    leeway = LEEWAY.total_seconds()
    return (
        max(trip.began - leeway, at.timestamp() - FRESH.total_seconds() - leeway)
        <= person.shown_at
        <= at.timestamp() + leeway
    )


def _key_for(kid: Any, algorithm: str, keys: list[dict[str, Any]]) -> Any:
    """The one key that a token says it is signed with; what the token brings along itself counts for nothing."""
    fitting = [key for key in keys if _fits(key, algorithm)]
    if kid is not None:
        fitting = [key for key in fitting if key.get("kid") == kid]
    if len(fitting) != 1:
        raise RefusedError(Refusal.NO_KEY)
    try:
        found = jwt.PyJWK(fitting[0], algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise RefusedError(Refusal.NO_KEY) from None
    if getattr(found, "key_size", 0) < LEAST_BITS[ALGORITHMS[algorithm]]:
        raise RefusedError(Refusal.NO_KEY)
    return found


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (algorithm != "ES256" or key.get("crv") == "P-256")
        and "d" not in key
    )


def _has_factor(methods: Any) -> bool:
    """
    Whether the ways in which somebody showed who they are (RFC 8176) come to two factors.

    Either the provider says so itself, or it names something that they know beside something that they have or are.
    """
    said = {word.lower() for word in _words(methods)}
    return "mfa" in said or bool(said & _KNOWN and said & _HELD)


def _is_verified(told: Mapping[str, Any], issuer: str) -> bool:
    """
    Whether the provider vouches for the address.

    Microsoft Entra has no `email_verified`; there `xms_edov` says that the address's domain is the tenant's own.
    """
    verified = told.get("email_verified")
    if verified is True or (isinstance(verified, str) and verified.lower() == "true"):
        return True
    owned = told.get("xms_edov")
    return (
        verified is None
        and urlsplit(issuer).hostname == _ENTRA
        and (owned is True or str(owned).lower() in {"1", "true"})
    )


# --- Small things --------------------------------------------------------------------------------------------------


def _read(fetch: Fetch, url: str, *, on_4xx: Refusal = Refusal.NO_ANSWER, **asked: Any) -> dict[str, Any]:
    try:
        answer = fetch(url, **asked)
    except outside.NotPlainError as error:
        raise RefusedError(Refusal.NOT_OUTSIDE, f"It names an address that is not asked: {error}") from None
    except outside.NotPublicError:
        raise RefusedError(Refusal.NOT_OUTSIDE) from None
    except outside.NoAddressError:
        raise RefusedError(Refusal.NO_ANSWER, "Its name has no address on the internet.") from None
    except outside.NoAnswerError as error:
        raise RefusedError(Refusal.NO_ANSWER, str(error)) from None
    if 300 <= answer.status < 400:
        raise RefusedError(Refusal.NOT_OUTSIDE, "It sends us on to another address; we do not follow.")
    if 400 <= answer.status < 500:
        raise RefusedError(on_4xx, f"{on_4xx.label} (answered {answer.status})")
    if answer.status != 200:
        raise RefusedError(Refusal.NO_ANSWER, f"It answered {answer.status}.")
    try:
        found = bounds.from_json(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RefusedError(Refusal.NO_ANSWER, "What it answers is nothing that we can read.")
    return found


def _plain(url: Any) -> None:
    try:
        outside.checked(str(url))
    except outside.NotPlainError as error:
        raise RefusedError(Refusal.NOT_OUTSIDE, f"It names an address that is not asked: {error}") from None


def _digest(text: str) -> str:
    return _written(hashlib.sha256(text.encode()).digest())


def _half_digest(text: str) -> str:
    """The left half of a SHA-256, which all three ways of signing use (Core, 3.1.3.6)."""
    return _written(hashlib.sha256(text.encode()).digest()[:16])


def _written(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _words(value: Any) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _is_number(value: Any) -> TypeGuard[float]:
    # JSON as Python reads it has NaN, which is neither before nor after anything, and numbers beyond every date.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LAST_SECOND


def _short(value: Any) -> str:
    text = str(value)
    return f"“{text[:120]}”" if value else "nothing"
