"""What people asked of their data in the demo: a handful of requests, one in each state that a board can show."""

from dataclasses import dataclass
from enum import StrEnum

from rights.enums import Ask, Channel


class Until(StrEnum):
    """How far a request of the demo has come."""

    SENT = "sent"
    PROVEN = "proven"
    STOPPED = "stopped"
    WITH_CLIENT = "with the client"
    APPROVED = "the client agreed"
    HANDED_OVER = "handed over"
    REFUSED = "refused"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One request.

    :ivar slug: of the client; "" for one to the agency itself. :ivar days: before the demo, when it came in.
    :ivar caller: which of the client's callers asks, counted from the oldest call. :ivar mine: the officer owns it.
    """

    slug: str
    asks: tuple[Ask, ...]
    days: int
    until: Until
    channel: Channel = Channel.PORTAL
    caller: int = 0
    place: tuple[str, str] = ("", "")
    name: str = "Anna Novak"
    words: str = ""
    mine: bool = False
    note: str = ""
    language: str = "en"


REQUESTS = (
    Asked("harbor-dental", (Ask.DELETE,), 1, Until.SENT, caller=3, name="Jordan Wells", place=("US", "CA"),
          words="I moved away and do not need you any more. Please delete everything."),
    Asked("sunset-plumbing", (Ask.COPY,), 41, Until.PROVEN, caller=5, name="Mina Okafor", place=("US", "CA"),
          words="I want the recording of my call about the boiler.", mine=True,
          note="The call is from before the new announcement; listen for who else speaks."),
    Asked("hudson-movers", (Ask.SEE, Ask.DO_NOT_SELL), 49, Until.PROVEN, channel=Channel.EMAIL, caller=7,
          name="Luis Ferrer", place=("US", "CA"), language="es", words="¿Qué saben de mí? No vendan mis datos."),
    Asked("harbor-dental", (Ask.DELETE,), 12, Until.WITH_CLIENT, channel=Channel.PHONE, caller=9,
          name="Grace Lin", place=("US", "CA"), words="Please erase what you have about my calls.", mine=True),
    Asked("lakeshore-roofing", (Ask.CORRECT,), 20, Until.APPROVED, channel=Channel.POST, caller=4,
          name="Peter Holm", place=("US", "IL"), words="You have me in the wrong state."),
    Asked("bayline-law", (Ask.SEE,), 6, Until.HANDED_OVER, caller=2, name="Ruth Adler", place=("US", "CA")),
    Asked("lindenhof", (Ask.OBJECT,), 25, Until.STOPPED, channel=Channel.EMAIL, caller=1, name="Jonas Weber",
          place=("GB", ""), words="Ich widerspreche."),
    Asked("hudson-movers", (Ask.DELETE,), 33, Until.REFUSED, caller=6, name="Dana Price", place=("US", "VA"),
          words="Erase the call about the broken piano."),
    Asked("hudson-movers", (Ask.DO_NOT_CONTACT,), 60, Until.ANSWERED, channel=Channel.IN_PERSON, caller=8,
          name="Sofia Marin", place=("US", "FL")),
    Asked("", (Ask.SEE,), 3, Until.SENT, name="Ola Nilsen", words="Which of your clients knows my number?"),
)  # fmt: skip
