"""
What each category is, in plain words: from when its days count, how long it is kept where nobody has said, and
what it hangs on.

Three things follow from how rows hang together, whatever a policy says. What belongs to a call never outlives its call
record, for it leaves with it. A number and identity stay at least as long as the recordings and transcripts, because
erasing a person destroys the key that opens them. Evidence hangs on nothing: it is sealed under a key of its own and
stays until its own date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from retention.enums import Category, Moment

LONGEST: Final = 7305
"""Days of twenty years, the most that any policy may say."""


@dataclass(frozen=True, slots=True)
class About:
    """
    What is known of one category.

    :param noun: what one row and several are called in a sentence.
    :param days: kept so long where neither client nor agency says; None: as long as the call record.
    :param least: fewest days that a policy may say.
    :param most: most days that a policy may say.
    :param may_reduce: whether daily totals may stay when the rows leave.
    :param of_clients: whether clients have rows of it, and may say otherwise than their agency.
    :param of_house: whether the agency itself has rows of it, that are no client's.
    """

    category: Category
    noun: tuple[str, str]
    moment: Moment
    days: int | None
    words: str
    least: int = 1
    most: int = LONGEST
    may_reduce: bool = False
    of_clients: bool = True
    of_house: bool = False

    def counted(self, number: int) -> str:
        """So many of it, in words: "12,408 recordings"."""
        return f"{number:,} {self.noun[number != 1]}"

    def refused(self, days: int) -> str:
        """Why a policy cannot say so many days, whatever else is said; "" where it can."""
        return "" if self.least <= days <= self.most else f"Say {self.least:,} to {self.most:,} days."


_ABOUT: Final = (
    About(
        Category.CALL,
        ("call in", "calls in"),
        Moment.CALL_START,
        None,
        "The record of an incoming call: time, length, advertisement and outcome. Its recording, transcript and"
        " references are deleted with it.",
        may_reduce=True,
    ),
    About(
        Category.CALL_OUT,
        ("call out", "calls out"),
        Moment.CALL_START,
        None,
        "The record of an outgoing call. Telemarketing laws set periods for it. Without a policy it is kept as long as"
        " incoming calls.",
        may_reduce=True,
    ),
    About(
        Category.IDENTITY,
        ("number", "numbers"),
        Moment.LAST_CONTACT,
        None,
        "The caller's number and identity. Calls without it still count but belong to no caller. Recordings and"
        " transcripts are deleted first: they need the caller's key, which is destroyed with the number.",
    ),
    About(
        Category.RECORDING,
        ("recording", "recordings"),
        Moment.CALL_START,
        None,
        "Our encrypted copy of the call's sound, and the tracker's copy if the client instructed you to delete it.",
    ),
    About(
        Category.TRANSCRIPT,
        ("transcript", "transcripts"),
        Moment.CALL_START,
        None,
        "The redacted words of the call.",
    ),
    About(
        Category.CONSENT,
        ("entry of consent", "entries of consent"),
        Moment.LAST_CONTACT,
        1827,
        "What people agreed to or refused, with the notice they got. It outlives the calls, under its own key.",
    ),
    About(
        Category.WITHDRAWAL,
        ("entry of withdrawal", "entries of withdrawal"),
        Moment.WITHDRAWN,
        1827,
        "Withdrawals and objections, and how they were carried out. The suppression list is separate: this period does"
        " not change it.",
    ),
    About(
        Category.EXPORT,
        ("export", "exports"),
        Moment.MADE,
        7,
        "Encrypted files of masked calls for download. No file is kept for more than seven days.",
        most=7,
    ),
    About(
        Category.RELEASE,
        ("release", "releases"),
        Moment.RELEASED,
        365,
        "Files of calls for an outside recipient. A release ends on its signed date or after these days, whichever is"
        " first: our file and its member list are destroyed, and the recipient is asked to delete theirs. The record of"
        " the release stays. A pseudonymized file is kept for at most 30 days.",
        most=365,
    ),
    About(
        Category.INBOX,
        ("message in the inbox", "messages in the inbox"),
        Moment.RECEIVED,
        7,
        "Tracker events that could not be read, encrypted, for at most seven days. All other events are deleted within"
        " minutes.",
        most=7,
    ),
    About(
        Category.TRAIL,
        ("audit log entry", "audit log entries"),
        Moment.HAPPENED,
        2192,
        "The reasons that people entered, encrypted. The other facts of an event hold no caller's number or name. They"
        " are deleted by whole months if the agency set a period, once the longest period of agency and clients is over"
        " and no hold is open. The checkpoints stay.",
        least=365,
        of_house=True,
    ),
    About(
        Category.REQUEST,
        ("request", "requests"),
        Moment.ANSWERED,
        731,
        "The record of a request, its words and proofs, under a key of its own, which is destroyed with it. Requests of"
        " people under a legal hold stay.",
        least=90,
        of_house=True,
    ),
    About(
        Category.TRAINING,
        ("attempt or proof", "attempts and proofs"),
        Moment.TRAINED,
        1096,
        "Which staff took and passed which course.",
        least=365,
        of_clients=False,
        of_house=True,
    ),
    About(
        Category.PREMISES,
        ("entry", "entries"),
        Moment.ENTERED,
        90,
        "Entries and exits of staff and visitors at each site, with their reviews.",
        least=7,
        most=1827,
        of_clients=False,
        of_house=True,
    ),
)

ABOUT: Final[Mapping[Category, About]] = {about.category: about for about in _ABOUT}
"""Every category, in the order in which pages show them."""

OF_CLIENTS: Final = tuple(about.category for about in _ABOUT if about.of_clients)
"""What clients have rows of."""

OF_HOUSE: Final = tuple(about.category for about in _ABOUT if about.of_house)
"""What the agency itself has rows of."""

RECORDS: Final = (Category.CALL, Category.CALL_OUT)
"""The call records themselves."""

SAID: Final = (Category.RECORDING, Category.TRANSCRIPT)
"""What opens with the caller's key, and leaves with it."""

OF_A_CALL: Final = (Category.IDENTITY, *SAID, Category.EXPORT)
"""What never outlives the call record."""


def bounded(days: Mapping[Category, int]) -> dict[Category, int]:
    """
    Return the days that hold, out of those that are set for every category: what hangs on a call is cut to the longer
    of both kinds of call record, and an identity is kept as long as what was said.
    """
    record = max(days[Category.CALL], days[Category.CALL_OUT])
    found = {
        category: min(kept, record) if category in OF_A_CALL else kept for category, kept in days.items()
    }
    found[Category.IDENTITY] = max(found[category] for category in (Category.IDENTITY, *SAID))
    return found


def moved_by(category: Category) -> frozenset[Category]:
    """The categories of which more may fall due when one is kept for a shorter time: itself, and what follows it."""
    if category in RECORDS:
        return frozenset({*RECORDS, *OF_A_CALL})
    return frozenset({category, Category.IDENTITY} if category in SAID else {category})
