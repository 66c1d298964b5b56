"""
Second factors that somebody has lost: one who manages people asks for them to be taken away, and another agrees.

One alone could take over a person's sign-in; two have to agree, and the person is told. Second factors open every
agency of their person, so two agree in each of them, within two days, before anything is taken away.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string

from callprivacy.accounts import seconding, selectors
from callprivacy.accounts.enums import DueWhy
from callprivacy.accounts.models import FactorReset, Membership, User
from callprivacy.accounts.services import people
from callprivacy.accounts.services.people import OwnRightsError
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault.fields import open_secret

VALID_FOR: Final = timedelta(days=2)


class AlreadyAskedError(ValueError):
    """It waits for a second person's word already."""

    def __init__(self) -> None:
        super().__init__("This waits already for the word of a second person who manages people.")


class CodeTakenError(ValueError):
    """A code of an app that was used already, or is older than one that was."""


class CopiedKeyError(ValueError):
    """The signature count of a key did not rise."""

    def __init__(self) -> None:
        super().__init__(
            "This key's signature count did not rise, so a copy of the key may be in use. Sign in another way, remove "
            "this key, and add a new one."
        )


class NotYoursError(ValueError):
    """It was decided or has run out, or this person may not be the second one."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else has to agree: neither who asked nor whose second factors they are. Or it has run out."
        )


def factor_changed(*, user: User, action: str, kind: str, at: datetime) -> None:
    """
    Write down that a person added, renewed or removed a second factor, in each agency of theirs.

    Whoever has none left, and a password that is long enough only beside one, chooses a longer one at once.
    """
    people.record_own(f"{kind}.{action}", user_id=user.pk, at=at)
    if action == "removed":
        ask_for_longer(user_id=user.pk, at=at)


def hold_factors(user: User) -> None:
    """
    Let nobody else use, add or remove a factor of this person until the transaction ends; the person's row comes first.

    :raises PasswordChangedError: the password is another than when the person was read, or closed.
    """
    if not User.objects.filter(pk=user.pk, password=user.password).select_for_update(no_key=True).exists():
        raise people.PasswordChangedError
    list(Authenticator.objects.filter(user=user).select_for_update().order_by("pk").values_list("pk"))


def take_code(*, factor: Authenticator, code: str) -> None:
    """
    Let a code of an app, which was found right, count once; its person's factors are held.

    A code is right for as long as clocks may differ, before and after its 30 seconds; the library remembers it for 30
    seconds only. So the newest step that was taken stays with the seed, and no step up to it counts again (RFC 6238,
    5.2).

    :raises CodeTakenError: it, or one of a later step, was taken.
    """
    seed = open_secret(factor.data["secret"])
    for step in totp.yield_hotp_counters_from_time():
        shown = totp.format_hotp_value(totp.hotp_value(seed, step))
        if step > factor.data.get("taken", -1) and compare_user_code(actual=code, expected=shown):
            factor.data["taken"] = step
            factor.save(update_fields=["data"])
            return
    raise CodeTakenError


def take_count(*, factor: Authenticator, count: int, at: datetime) -> None:
    """
    Keep the signature count of a key, from an answer of the key that was verified (WebAuthn 3, 6.1.1 and 7.2).

    Each answer of a key that counts has a higher count than the one before, unless two keys are copies. A key that does
    not count always answers 0.

    :raises CopiedKeyError: the count did not rise; the person and the officers are notified.
    :raises PasswordChangedError: as `hold_factors`.
    """
    with transaction.atomic():
        hold_factors(factor.user)
        factor.refresh_from_db(fields=["data"])
        kept = factor.data.get("count", factor.wrap().authenticator_data.counter)
        if count > kept:
            factor.data["count"] = count
            factor.save(update_fields=["data"])
        if count > kept or count == kept == 0:
            return
    people.record_own("passkey.count_refused", user_id=factor.user_id, at=at)
    after_commit(
        "notify of a key that may be copied", _notify_copied, user=factor.user, key=factor.data["name"]
    )
    raise CopiedKeyError


def _notify_copied(*, user: User, key: str) -> None:
    """Write to the person and to the officers of each of their agencies."""
    notified = {user.pk: user}
    for agency_id in selectors.agency_ids_of_user(user.pk):
        with job_scope(agency_id=agency_id):
            rows = selectors.officers_of(agency_id).select_related("user").order_by("pk")
            notified |= {row.user_id: row.user for row in rows if row.user_id not in notified}
    context = {
        "person": str(user),
        "key": key,
        "url": f"{settings.CALLPRIVACY_URL.rstrip('/')}/accounts/2fa/",
    }
    for one in notified.values():
        more = {"name": str(one), "is_own": one.pk == user.pk}
        after_commit("mail of a key that may be copied", _send_copied, to=one.email, context=context | more)


def _send_copied(*, to: str, context: dict[str, Any]) -> None:
    text = render_to_string("accounts/email/key_copied.txt", context)
    letter("A security key for CallPrivacy may have been copied", text, [to]).send()


def ask_for_longer(*, user_id: int, at: datetime) -> None:
    """Let a password be due where it may be too short without a second factor, because nobody knows its length."""
    user = User.objects.get(pk=user_id)
    rule = selectors.rule_of(user)
    if rule.alone <= rule.min_length or selectors.has_second_factor(user_id):
        return
    User.objects.filter(pk=user_id).exclude(password_due_why=DueWhy.KNOWN).update(
        password_due_at=at, password_due_why=DueWhy.RULE
    )


@transaction.atomic
def ask_reset(*, membership: Membership, by: Actor, at: datetime) -> FactorReset:
    """
    Ask for a person's second factors to be taken away; nothing happens before another person agrees.

    :raises AlreadyAskedError: it waits already.
    :raises OwnRightsError: they are one's own; who is signed in changes them on their own page.
    """
    if by.user_id is None or by.user_id == membership.user_id:
        raise OwnRightsError
    open_ones = FactorReset.objects.filter(
        agency_id=membership.agency_id, user_id=membership.user_id, decided_at=None
    )
    open_ones.filter(ends_at__lte=at).update(decided_at=at, agreed=False)
    try:
        with transaction.atomic():
            seconding.proposed(user_id=by.user_id, at=at)
            reset = FactorReset.objects.create(
                agency_id=membership.agency_id,
                user_id=membership.user_id,
                asked_by_id=by.user_id,
                asked_at=at,
                ends_at=at + VALID_FOR,
            )
    except IntegrityError:
        raise AlreadyAskedError from None
    audit.record("factors.reset_asked", by=by, at=at, subject=reset, person=membership.user_id)
    return reset


@seconding.seconds
@transaction.atomic
def decide_reset(*, reset: FactorReset, agree: bool, by: Actor, at: datetime) -> int | None:
    """
    Agree or refuse, as the second person; returns how many factors were taken away.

    None: agreed here, but the person works for another agency as well, where two have not agreed yet.

    :raises NotYoursError: decided, run out, or this is who asked or whose factors they are.
    :raises NotCountedError: the person agrees, and their signature does not count.
    """
    if by.user_id is None or by.user_id in {reset.asked_by_id, reset.user_id}:
        raise NotYoursError
    if agree:
        seconding.check(
            proposer=reset.asked_by_id, signer=by.user_id, agency_id=reset.agency_id, subject=reset, at=at
        )
    User.objects.select_for_update().get(
        pk=reset.user_id
    )  # two agencies that decide at once see each other's word
    won = FactorReset.objects.filter(pk=reset.pk, decided_at=None, ends_at__gt=at).update(
        decided_by_id=by.user_id, decided_at=at, agreed=agree
    )
    if not won:
        raise NotYoursError
    if not agree:
        audit.record("factors.reset_refused", by=by, at=at, subject=reset, person=reset.user_id)
        return 0
    if not selectors.is_reset_agreed_elsewhere(
        reset.user_id, agency_id=reset.agency_id, since=at - VALID_FOR
    ):
        audit.record("factors.reset_agreed", by=by, at=at, subject=reset, person=reset.user_id)
        return None
    taken = int(Authenticator.objects.filter(user_id=reset.user_id).delete()[0])
    ask_for_longer(user_id=reset.user_id, at=at)
    sessions = people.end_sessions(reset.user_id, at=at)
    audit.record(
        "factors.reset",
        by=by,
        at=at,
        subject=reset,
        person=reset.user_id,
        asked_by=reset.asked_by_id,
        factors=taken,
        sessions=sessions,
    )
    after_commit(
        "mail of second factors that were removed",
        _send_mail,
        to=reset.user.email,
        context={"name": str(reset.user)},
    )
    return taken


def _send_mail(*, to: str, context: dict[str, str]) -> None:
    text = render_to_string("accounts/email/factors_reset.txt", context)
    letter("Your second factors for CallPrivacy were taken away", text, [to]).send()
