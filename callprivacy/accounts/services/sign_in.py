"""
The slow-down of guesses: after five failures in a row a sign-in name waits 1, 2, 4 ... up to 60 seconds,
from whatever
address the next try comes, and is never locked. A device on which the person has signed in before counts
for itself,
so that a stranger's guesses do not keep the person out.
"""

from datetime import datetime

from axes.models import AccessAttempt
from django.db import connection

from callprivacy.accounts import seconding, selectors
from callprivacy.accounts.models import SignInFailure
from callprivacy.audit import services as audit

_CLAIM = """
    INSERT INTO accounts_signinfailure AS kept (name_digest, failures, last_at) VALUES (%(digest)s, 1, %(at)s)
    ON CONFLICT (name_digest) DO UPDATE
    SET last_at = %(at)s,
        failures = CASE WHEN kept.last_at <= %(at)s - make_interval(secs => %(forgotten)s)
                        THEN 1 ELSE kept.failures + 1 END
    WHERE kept.failures < %(free)s
       OR kept.last_at <= %(at)s - make_interval(secs => %(forgotten)s)
       OR kept.last_at <= %(at)s - make_interval(
            secs => least(%(longest)s, power(2, least(kept.failures - %(free)s, 30))))
    RETURNING failures
"""


class MustWaitError(ValueError):
    """A sign-in name was tried again too soon."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} second{'' if seconds == 1 else 's'}, then try again")
        self.seconds = seconds


def start_attempt(*, digest: bytes, at: datetime) -> None:
    """
    Count a try as failed before it is known to be, so that many at once cannot slip through; success
    forgets it.

    :raises MustWaitError: the name has to wait. Such a try counts for nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "digest": digest,
                "at": at,
                "free": selectors.FREE_FAILURES,
                "longest": selectors.LONGEST_WAIT,
                "forgotten": int(selectors.FORGOTTEN_AFTER.total_seconds()),
            },
        )
        if cursor.fetchone() is not None:
            return
    raise MustWaitError(max(1, selectors.seconds_to_wait(digest, at=at)))


def forget_failures(*, digest: bytes) -> None:
    """Start again from nothing, after a sign-in or a new password."""
    SignInFailure.objects.filter(name_digest=digest).delete()


def lift_lockouts(*, name: str) -> None:
    """Let a sign-in name in again from every address: who has just chosen its password owns its mailbox."""
    AccessAttempt.objects.filter(username=name).delete()


def record_failure(*, digest: bytes, at: datetime) -> None:
    """Record a failed sign-in, which has no agency; the name only as the start of its keyed digest."""
    _record("sign_in.failed", digest, at)


def record_lockout(*, digest: bytes, at: datetime) -> None:
    """Record that a name is refused from one address for a while."""
    _record("sign_in.locked", digest, at)


def _record(action: str, digest: bytes, at: datetime) -> None:
    audit.record_house(action, at=at, name=digest.hex()[:16], **seconding.where(agency_id=None))


def purge_failures(*, at: datetime) -> int:
    """Remove counts that are forgotten anyway; returns how many."""
    return SignInFailure.objects.filter(last_at__lte=at - selectors.FORGOTTEN_AFTER).delete()[0]
