"""Telephone menus: how each is set up, which words are in force, and what keeps one from being used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import Client
from consent import menu as machine
from consent.channels import twilio
from consent.enums import Channel, EventKind, Language, Purpose, Scope
from consent.models import Notice, NoticeVersion, PhoneMenu
from consent.selectors import notices

ASKED: Final = (Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE)
"""What the keys answer for: being recorded, being heard by people, being analysed."""


@dataclass(frozen=True, slots=True)
class Words:
    """The notice in force in each language that a menu speaks; where the first is missing nothing is asked."""

    versions: Mapping[Language, NoticeVersion]

    def spoken(self) -> dict[Language, str]:
        """What is said of each."""
        return {
            language: " ".join(notices.said_in_full(version).split())
            for language, version in self.versions.items()
        }


def words_of(menu: PhoneMenu) -> Words:
    """The versions in force of a menu's notices, one query a language."""
    wanted = [(Language(menu.language), menu.notice_id)]
    if menu.other_notice_id is not None:
        wanted.append((_other(Language(menu.language)), menu.other_notice_id))
    found = {language: notices.in_force_of(notice_id, client=menu.client) for language, notice_id in wanted}
    return Words({language: version for language, version in found.items() if version is not None})


def _other(language: Language) -> Language:
    return Language.SPANISH if language == Language.ENGLISH else Language.ENGLISH


def plan_of(menu: PhoneMenu, words: Words) -> machine.Plan:
    """The menu as the machine knows it; the second language only where its words are in force."""
    language = Language(menu.language)
    other = _other(language)
    return machine.Plan(
        language=language,
        other=other if other in words.versions else None,
        has_person=bool(menu.person_line),
    )


def menus_of(client: Client) -> QuerySet[PhoneMenu]:
    """A client's menus by number, with number, connection and notices."""
    rows = PhoneMenu.objects.for_client(client).order_by("tracking_number__number")
    return rows.select_related("tracking_number", "connection", "notice", "other_notice", "client")


def missing_for(menu: PhoneMenu, words: Words) -> list[str]:
    """What keeps a menu from answering calls, in sentences that say what to do; empty when nothing does."""
    missing = []
    first = words.versions.get(Language(menu.language))
    if first is None:
        missing.append("The menu's notice has no version in force. Publish the notice.")
    elif Purpose.RECORD not in first.notice.purposes:
        missing.append("The notice does not ask for recording. Choose one that does.")
    if menu.other_notice_id is not None and len(words.versions) < 1 + bool(first):
        missing.append("Publish the notice in the second language, or remove the second language.")
    if not menu.connection.is_active:
        missing.append("The Twilio connection is closed, so it accepts no calls. Reopen it.")
    lines = [line for line in (menu.forward_to, menu.person_line) if line]
    ours = TrackingNumber.objects.for_client(menu.client).filter(number__in=lines)
    if ours.exists():
        missing.append(
            "Forward to a number that is not a tracking number of this client. Otherwise calls loop."
        )
    missing += machine.faults(plan_of(menu, words))
    return missing


def notices_for_menus(client: Client) -> list[Notice]:
    rows = Notice.objects.for_client(client).filter(channel=Channel.MENU)
    return list(rows.order_by("name", "language", "pk"))


def connections_to_twilio(client: Client) -> list[Connection]:
    """A client's open connections to Twilio, by name."""
    rows = Connection.objects.for_client(client).filter(provider=twilio.NAME, is_active=True)
    return list(rows.order_by("name", "pk"))


def numbers_without_menu(client: Client) -> list[TrackingNumber]:
    taken = PhoneMenu.objects.for_client(client).values("tracking_number_id")
    return list(TrackingNumber.objects.for_client(client).exclude(pk__in=taken).order_by("number"))


# --- The page that shows a menu to people ---


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that happened in a preview, what was said and done then, and what would be written down."""

    title: str
    said: Sequence[tuple[str, str]]
    written: Sequence[str]
    done: str
    is_recording: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """
    A call through a menu in thought.

    :ivar keys: what has happened so far, one sign each, for the next press to be added to.
    :ivar is_over: nothing more can happen. :ivar is_asked: a key is waited for. :ivar is_connected: a line rings.
    :ivar is_draft: the words are not published yet.
    """

    keys: str
    heard: Sequence[Heard]
    is_recording: bool
    is_over: bool
    is_asked: bool
    is_connected: bool
    is_draft: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """Everything that can happen in a menu: how many ways, how many of them record, and what would be wrong."""

    ways: int
    recorded: int
    faults: Sequence[str]


_HAPPENED: Final = {
    machine.CALL: "The phone rings",
    machine.SILENCE: "No key is pressed",
    machine.HANG_UP: "The caller hangs up",
    machine.ANSWERED: "The other line answers and hangs up",
    machine.UNANSWERED: "The other line does not answer",
    machine.WITHDRAWN: "The caller withdraws by text",
}
_KINDS: Final = {
    EventKind.NOTICED: "Heard the notice",
    EventKind.GIVEN: "Agreed",
    EventKind.REFUSED: "Refused",
    EventKind.WITHDRAWN: "Withdrawn",
}
_SCOPES: Final = {Scope.THIS_CALL: "for this call", Scope.STANDING: "permanently"}
LONGEST_PREVIEW: Final = 40


def words_for_preview(menu: PhoneMenu) -> tuple[Words, bool]:
    """The words in force, or where there are none the newest; and whether any of them is not in force."""
    found = dict(words_of(menu).versions)
    is_draft = False
    wanted = [(Language(menu.language), menu.notice_id)]
    if menu.other_notice_id is not None:
        wanted.append((_other(Language(menu.language)), menu.other_notice_id))
    for language, notice_id in wanted:
        if language not in found:
            rows = NoticeVersion.objects.for_client(menu.client).filter(notice_id=notice_id)
            newest = rows.select_related("notice").order_by("-number").first()
            if newest is not None:
                found[language] = newest
                is_draft = True
    return Words(found), is_draft


def preview(menu: PhoneMenu, keys: str, *, known: bool, never: bool) -> Preview | None:
    """A call through a menu in thought; None where there are no words at all."""
    words, is_draft = words_for_preview(menu)
    if Language(menu.language) not in words.versions:
        return None
    plan = plan_of(menu, words)
    begun = keys if keys.startswith(machine.CALL) else machine.CALL
    path = machine.follow(plan, begun[:LONGEST_PREVIEW], known=known, never=never)
    heard, records = [], False
    for happened, turn in zip(path.inputs, path.turns, strict=True):
        records = turn.state.step is machine.Step.RECORDED
        heard.append(_heard(menu, plan, words, happened, turn))
    step = path.turns[-1].state.step
    return Preview(
        keys=path.inputs,
        heard=heard,
        is_recording=records,
        is_over=step is machine.Step.ENDED,
        is_asked=step is machine.Step.ASKED,
        is_connected=step in {machine.Step.RECORDED, machine.Step.UNRECORDED, machine.Step.PERSON},
        is_draft=is_draft,
    )


def _heard(menu: PhoneMenu, plan: machine.Plan, words: Words, happened: str, turn: machine.Turn) -> Heard:
    spoken, written, done = words.spoken(), [], []
    said: list[tuple[str, str]] = []
    for action in turn.actions:
        match action:
            case machine.Ask() | machine.Say():
                said += [(language.value, text) for language, text in machine.spoken(action, plan, spoken)]
            case machine.Write(kind, scope):
                written.append(f"{_KINDS[kind]} {_SCOPES[scope]}")
            case machine.Record():
                done.append("The recording starts.")
            case machine.StopRecording():
                done.append("The recording stops immediately. Twilio deletes it when the client is live.")
            case machine.Dial(line):
                person = line is machine.Line.PERSON and menu.person_line
                done.append(f"Connected to {'the person' if person else 'the main line'}.")
            case machine.HangUp():
                done.append("The call ends.")
    return Heard(
        title=_HAPPENED.get(happened, f"Key {happened}"),
        said=said,
        written=written,
        done=" ".join(done),
        is_recording=turn.state.step is machine.Step.RECORDED,
    )


def tried(menu: PhoneMenu) -> Tried:
    """Walk through everything that can happen in a menu, with and without a caller id."""
    words, _ = words_for_preview(menu)
    plan = plan_of(menu, words)
    paths = [
        path
        for known in (True, False)
        for never in (True, False)
        for path in machine.walk(plan, depth=12, known=known, never=never)
    ]
    return Tried(
        ways=len(paths),
        recorded=sum(machine.Record() in path.turns[-1].actions for path in paths),
        faults=machine.faults(plan),
    )
