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
        "That a call came in: when, how long, from which advertisement, with which outcome. Its recording, transcript"
        " and references leave with it.",
        may_reduce=True,
    ),
    About(
        Category.CALL_OUT,
        ("call out", "calls out"),
        Moment.CALL_START,
        None,
        "The same for calls that went out. Laws on telemarketing look at these; where nothing is said they are kept as"
        " long as calls in.",
        may_reduce=True,
    ),
    About(
        Category.IDENTITY,
        ("number", "numbers"),
        Moment.LAST_CONTACT,
        None,
        "The caller's number, and who it was. Calls without it stay countable but are nobody's. It cannot leave before"
        " recordings and transcripts: they open with the caller's key, which is destroyed with it.",
    ),
    About(
        Category.RECORDING,
        ("recording", "recordings"),
        Moment.CALL_START,
        None,
        "The sound of the call: our sealed copy, and the tracker's where the client has instructed you to delete it.",
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
        "What people agreed to or refused, with the words they were told. It outlives the calls, under a key of its"
        " own.",
    ),
    About(
        Category.WITHDRAWAL,
        ("entry of withdrawal", "entries of withdrawal"),
        Moment.WITHDRAWN,
        1827,
        "That somebody took consent back or objected, and how it was carried out. What blocks a number from contact is"
        " kept apart and is not touched by this.",
    ),
    About(
        Category.EXPORT,
        ("export", "exports"),
        Moment.MADE,
        7,
        "Sealed files of masked calls that people made to download. No file is kept for more than seven days.",
        most=7,
    ),
    About(
        Category.RELEASE,
        ("release", "releases"),
        Moment.RELEASED,
        365,
        "Files of calls that were given to a recipient outside. One ends on the date that two people signed, or when"
        " these days are over, whichever comes first: our file and its list of members are destroyed, and the recipient"
        " is told to delete theirs. That it was given, to whom, stays. A pseudonymised file is kept for 30 days at"
        " most.",
        most=365,
    ),
    About(
        Category.INBOX,
        ("message in the inbox", "messages in the inbox"),
        Moment.RECEIVED,
        7,
        "What a tracker sent and could not be understood, sealed as it came: for seven days at most. Everything else is"
        " gone within minutes.",
        most=7,
    ),
    About(
        Category.TRAIL,
        ("entry of the trail", "entries of the trail"),
        Moment.HAPPENED,
        2192,
        "The reasons that people wrote into the trail, sealed. What was done, by whom and when holds no caller's number"
        " or name; it leaves by whole months where the agency itself has said how long, once the longest that it or any"
        " client says is over and no hold is open. The seals stay.",
        least=365,
        of_house=True,
    ),
    About(
        Category.REQUEST,
        ("request", "requests"),
        Moment.ANSWERED,
        731,
        "What people asked for and were told: the record, their words and their proofs, under a key of each request's"
        " own, which goes with it. Of whom a hold keeps anything, the requests stay.",
        least=90,
        of_house=True,
    ),
    About(
        Category.TRAINING,
        ("try or proof", "tries and proofs"),
        Moment.TRAINED,
        1096,
        "Who of the staff tried which course, and who passed: who knew what when somebody asks later.",
        least=365,
        of_clients=False,
        of_house=True,
    ),
    About(
        Category.PREMISES,
        ("entry", "entries"),
        Moment.ENTERED,
        90,
        "Who came into which site and left it when, staff and visitors. What was looked at leaves with its entry.",
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
