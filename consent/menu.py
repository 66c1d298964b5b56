"""
The telephone menu as a state machine: what is said, written down and dialled for each key, silence and hang-up.

Pure. Recording begins in one place only: after key 1, pressed while the notice was being asked about. Whatever
else happens, also what cannot happen, leads on without a recording. `walk` tries everything and `faults` says
what a menu would do wrong; the page that shows a menu to people runs on the same two functions.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from consent.enums import EventKind, Language, Scope

AGREE: Final = "1"
UNRECORDED: Final = "2"
OTHER_LANGUAGE: Final = "3"
PERSON: Final = "0"
NEVER: Final = "9"
DIGITS: Final = "0123456789*#"

# What can happen beside a key, as one sign each.
CALL: Final = "c"
SILENCE: Final = "t"
HANG_UP: Final = "h"
ANSWERED: Final = "a"
UNANSWERED: Final = "u"
WITHDRAWN: Final = "w"
INPUTS: Final = DIGITS + CALL + SILENCE + HANG_UP + ANSWERED + UNANSWERED + WITHDRAWN

ASKED_AT_MOST: Final = 4


class Step(StrEnum):
    """Where a call stands in the menu."""

    START = "start"
    ASKED = "asked"
    RECORDED = "recorded"
    UNRECORDED = "unrecorded"
    PERSON = "person"
    ENDED = "ended"


class Line(StrEnum):
    """Where a call goes on to."""

    FORWARD = "forward"
    PERSON = "person"


class Phrase(StrEnum):
    """What the menu says beside the notice."""

    AGREED = "agreed"
    NOT_RECORDED = "not_recorded"
    NEVER = "never"
    NEVER_UNKNOWN = "never_unknown"
    PERSON = "person"
    AGAIN = "again"
    NOBODY = "nobody"
    MAIN_LINE = "main_line"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How one menu is set up.

    :ivar other: the second language, offered by a key; None where there is only one.
    :ivar has_person: whether key 0 leads to a line of its own.
    """

    language: Language = Language.ENGLISH
    other: Language | None = None
    has_person: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """
    One call in the menu.

    :ivar asked: how often the notice has been spoken.
    :ivar known: whether the caller's number is known, so that a wish can outlast the call.
    :ivar never: whether this number said earlier that it is never to be recorded, or not to be tracked: then it is not
        asked again.
    """

    step: Step = Step.START
    language: Language = Language.ENGLISH
    asked: int = 0
    known: bool = True
    never: bool = False

    def packed(self) -> str:
        """What a row remembers of it, at most 20 characters."""
        return f"{self.step}:{self.language}:{self.asked}"

    @classmethod
    def unpacked(cls, text: str, *, known: bool) -> "State":
        """The state that `packed` wrote down."""
        step, language, asked = text.split(":")
        return cls(Step(step), Language(language), int(asked), known)


# --- What is done ---


@dataclass(frozen=True, slots=True)
class Ask:
    """Speak the notice and the keys, and wait for one."""

    language: Language


@dataclass(frozen=True, slots=True)
class Say:
    phrase: Phrase
    language: Language


@dataclass(frozen=True, slots=True)
class Record:
    """Start to record."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End a recording that runs, and have it deleted."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller."""

    line: Line


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write down what the caller was told or said about being recorded, heard and analysed."""

    kind: EventKind
    scope: Scope = Scope.THIS_CALL


type Action = Ask | Say | Record | StopRecording | Dial | HangUp | Write


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from one input: the new state, and what is done in this order."""

    state: State
    actions: tuple[Action, ...] = ()


type Machine = Callable[[Plan, State, str], Turn]

_NOTICED: Final = Write(EventKind.NOTICED)
_GIVEN: Final = Write(EventKind.GIVEN)
_REFUSED: Final = Write(EventKind.REFUSED)
_WITHDRAWN: Final = Write(EventKind.WITHDRAWN, Scope.STANDING)


def step(plan: Plan, state: State, happened: str) -> Turn:
    """
    What follows when this happens: a key, or one of the signs above.

    Total: what makes no sense where the call stands changes nothing and never starts a recording.
    """
    match state.step:
        case Step.START:
            return _begin(plan, state) if happened == CALL else Turn(state)
        case Step.ASKED:
            return _answer(plan, state, happened)
        case Step.RECORDED | Step.UNRECORDED | Step.PERSON:
            return _go_on(state, happened)
    return Turn(state)


def _begin(plan: Plan, state: State) -> Turn:
    begun = replace(state, language=plan.language)
    if state.never:
        return _connect(begun, Phrase.NOT_RECORDED)
    return Turn(replace(begun, step=Step.ASKED, asked=1), (Ask(plan.language),))


def _answer(plan: Plan, state: State, happened: str) -> Turn:
    if happened == HANG_UP:
        return Turn(replace(state, step=Step.ENDED), (_REFUSED,))
    if happened == AGREE:
        # The words come after the start, so that the recording holds its own announcement (RCW 9.73.030(3)).
        agreed = (_NOTICED, _GIVEN, Record(), Say(Phrase.AGREED, state.language), Dial(Line.FORWARD))
        return Turn(replace(state, step=Step.RECORDED), agreed)
    if happened in DIGITS and happened not in {UNRECORDED, PERSON, NEVER} and state.asked < ASKED_AT_MOST:
        return _ask_again(plan, state, happened)
    if happened in DIGITS or happened == SILENCE:
        return _refuse(plan, state, happened)
    return Turn(state)


def _refuse(plan: Plan, state: State, happened: str) -> Turn:
    """Every way on without a recording."""
    if happened == PERSON:
        line = Line.PERSON if plan.has_person else Line.FORWARD
        asked_for: tuple[Action, ...] = (_NOTICED, _REFUSED, Say(Phrase.PERSON, state.language), Dial(line))
        return Turn(replace(state, step=Step.PERSON if plan.has_person else Step.UNRECORDED), asked_for)
    if happened == NEVER and state.known:
        return _connect(state, Phrase.NEVER, _NOTICED, _REFUSED, _WITHDRAWN)
    phrase = Phrase.NEVER_UNKNOWN if happened == NEVER else Phrase.NOT_RECORDED
    return _connect(state, phrase, _NOTICED, _REFUSED)


def _ask_again(plan: Plan, state: State, digit: str) -> Turn:
    asked = replace(state, asked=state.asked + 1)
    if digit == OTHER_LANGUAGE and plan.other is not None:
        language = plan.other if state.language == plan.language else plan.language
        return Turn(replace(asked, language=language), (_NOTICED, Ask(language)))
    return Turn(asked, (Say(Phrase.AGAIN, state.language), Ask(state.language)))


def _connect(state: State, phrase: Phrase, *before: Write) -> Turn:
    actions: tuple[Action, ...] = (*before, Say(phrase, state.language), Dial(Line.FORWARD))
    return Turn(replace(state, step=Step.UNRECORDED), actions)


def _go_on(state: State, happened: str) -> Turn:
    """The call is connected, or was."""
    if happened == HANG_UP:
        return Turn(replace(state, step=Step.ENDED))
    if happened == WITHDRAWN and state.step is Step.RECORDED:
        return Turn(replace(state, step=Step.UNRECORDED), (StopRecording(),))
    if happened == ANSWERED:
        return Turn(replace(state, step=Step.ENDED), (HangUp(),))
    if happened == UNANSWERED and state.step is Step.PERSON:
        return _connect(state, Phrase.MAIN_LINE)
    if happened == UNANSWERED:
        return Turn(replace(state, step=Step.ENDED), (Say(Phrase.NOBODY, state.language), HangUp()))
    return Turn(state)


def resumed(plan: Plan, state: State, *, records_already: bool) -> tuple[Action, ...]:
    """
    What to tell the vendor when it asks again about a step that is over: the same, and nothing twice.

    :param records_already: the recording has begun, so that a second one is not started.
    """
    match state.step:
        case Step.ASKED:
            return (Ask(state.language),)
        case Step.RECORDED:
            start: tuple[Action, ...] = () if records_already else (Record(),)
            return (*start, Say(Phrase.AGREED, state.language), Dial(Line.FORWARD))
        case Step.PERSON:
            line = Line.PERSON if plan.has_person else Line.FORWARD
            return Say(Phrase.PERSON, state.language), Dial(line)
        case Step.ENDED:
            return (HangUp(),)
    return Say(Phrase.NOT_RECORDED, state.language), Dial(Line.FORWARD)


def unrecorded(plan: Plan, state: State) -> Turn:
    """Instead of what a key began: the call goes on without a recording, because the caller withdrew meanwhile."""
    going_on = replace(state, step=Step.UNRECORDED)
    return Turn(going_on, resumed(plan, going_on, records_already=False))


# --- Words ---

_EN, _ES = Language.ENGLISH, Language.SPANISH
_PHRASES: Final[Mapping[Language, Mapping[Phrase, str]]] = {
    _EN: {
        Phrase.AGREED: "Thank you. This call is being recorded.",
        Phrase.NOT_RECORDED: "This call is not recorded.",
        Phrase.NEVER: "You have opted out of recording for all calls from this number. This call is not recorded. If "
        "another call is recorded anyway, we do not use its recording.",
        Phrase.NEVER_UNKNOWN: "Your number is hidden, so we cannot apply your choice to other calls. "
        "This call is not recorded.",
        Phrase.PERSON: "We are connecting you to a person. This call is not recorded.",
        Phrase.AGAIN: "Sorry, that is not a valid key.",
        Phrase.NOBODY: "No one is available to take your call. Please call again later.",
        Phrase.MAIN_LINE: "No one is available there. We are connecting you to our main line. "
        "This call is not recorded.",
    },
    _ES: {
        Phrase.AGREED: "Gracias. Esta llamada se está grabando.",
        Phrase.NOT_RECORDED: "Esta llamada no se graba.",
        Phrase.NEVER: "Es un no para todas las llamadas desde este número. Esta llamada no se graba. Si otra se "
        "grabara de todos modos, no usaremos su grabación.",
        Phrase.NEVER_UNKNOWN: "Usted llama sin mostrar su número, así que no podemos recordar su deseo para "
        "otra llamada. Esta llamada no se graba.",
        Phrase.PERSON: "Le comunicamos con una persona. Esta llamada no se graba.",
        Phrase.AGAIN: "Lo sentimos, esa tecla no hace nada aquí.",
        Phrase.NOBODY: "En este momento nadie puede atenderle. Por favor, llame más tarde.",
        Phrase.MAIN_LINE: "Allí no hay nadie libre. Le comunicamos con nuestra línea principal. "
        "Esta llamada no se graba.",
    },
}
_KEYS: Final[Mapping[Language, Mapping[str, str]]] = {
    _EN: {
        AGREE: "Press 1 to agree to the recording of this call.",
        UNRECORDED: "Press 2 to continue without recording.",
        PERSON: "Press 0 to speak to a person about it.",
        NEVER: "Press 9 to opt out of recording for all your calls.",
        SILENCE: "If you do not press a key, the call continues without recording.",
    },
    _ES: {
        AGREE: "Marque 1 para aceptar que se grabe esta llamada.",
        UNRECORDED: "Marque 2 para continuar sin grabación.",
        PERSON: "Marque 0 para hablar de esto con una persona.",
        NEVER: "Marque 9 para decir que no a la grabación en todas sus llamadas.",
        SILENCE: "Si no marca nada, la llamada continúa sin grabación.",
    },
}
# Said in the language that it offers.
_OFFERS: Final = {_EN: "For English, press 3.", _ES: "Para español, marque 3."}
_NAMED_KEY = re.compile(
    r"\b(?:press|dial|push|hit|key|enter|marque|marcar|oprima|oprimir|pulse|pulsar|presione|presionar|digite)\s+"
    r"(?:the\s+|el\s+|la\s+)?(?:number\s+|key\s+|n[uú]mero\s+|tecla\s+)?"
    r"(\d|zero|one|two|three|nine|cero|uno|dos|tres|nueve)\b",
    re.IGNORECASE,
)
# "Press 2 to go on without, or 9 so that we never do."
_AND_KEY = re.compile(r"\b(?:or|and|o|u|y|e)\s+(?:el\s+|the\s+)?(\d|zero|cero|nine|nueve)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?]+")
_SPELT: Final = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "nine": "9",
    "cero": "0", "uno": "1", "dos": "2", "tres": "3", "nueve": "9",
}  # fmt: skip


def keys_named(words: str) -> frozenset[str]:
    """The keys that words of a notice name themselves: "Press 1 to ..., or 9 ...", "marque el uno"."""
    found = []
    for sentence in _SENTENCE.split(words):
        named = _NAMED_KEY.findall(sentence)
        found += [*named, *_AND_KEY.findall(sentence)] if named else []
    return frozenset(_SPELT.get(name.lower(), name.lower()) for name in found)


def spoken(action: Ask | Say, plan: Plan, words: Mapping[Language, str]) -> tuple[tuple[Language, str], ...]:
    """
    What is said, in which language each part.

    :param words: the words of the notice in force, by language. The keys that they do not name are named after
        them, so that whoever writes a notice need not think of the keys and nobody hears one twice.
    """
    language = action.language
    if isinstance(action, Say):
        return ((language, _PHRASES[language][action.phrase]),)
    notice = words[language]
    named = keys_named(notice)
    keys = [text for key, text in _KEYS[language].items() if key not in named]
    said = [(language, notice), (language, " ".join(keys))]
    if plan.other is not None and OTHER_LANGUAGE not in named:
        offered = plan.other if language == plan.language else plan.language
        said.append((offered, _OFFERS[offered]))
    return tuple(said)


# --- Everything that can happen ---


@dataclass(frozen=True, slots=True)
class Path:
    """A call that happened in thought: what came, one after the other, and the turn that each led to."""

    inputs: str
    turns: tuple[Turn, ...] = field(repr=False)

    @property
    def before(self) -> State:
        """The state before the last thing happened."""
        return self.turns[-2].state if len(self.turns) > 1 else State()


def follow(
    plan: Plan, inputs: str, *, known: bool = True, never: bool = False, machine: Machine = step
) -> Path:
    """One call through the menu; what is no input is left out."""
    state, turns = State(known=known, never=never), []
    kept = "".join(sign for sign in inputs if sign in INPUTS)
    for happened in kept:
        turn = machine(plan, state, happened)
        turns.append(turn)
        state = turn.state
    return Path(kept, tuple(turns))


def walk(
    plan: Plan, *, depth: int, known: bool = True, never: bool = False, machine: Machine = step
) -> Iterator[Path]:
    """
    Every call of at most `depth` inputs that leads from one state to another, each way once.

    What a machine does depends on its state and the input alone, so a state that was met need not be met again.
    """
    start = State(known=known, never=never)
    waiting: deque[tuple[State, Path]] = deque([(start, Path("", ()))])
    met = {start}
    while waiting:
        state, path = waiting.popleft()
        if len(path.inputs) == depth:
            continue
        for happened in INPUTS:
            turn = machine(plan, state, happened)
            longer = Path(path.inputs + happened, (*path.turns, turn))
            yield longer
            if turn.state not in met:
                met.add(turn.state)
                waiting.append((turn.state, longer))


def faults(plan: Plan, *, depth: int = 12, machine: Machine = step) -> list[str]:
    """What a menu would do wrong, one sentence each with the keys that lead there; an empty list is a sound menu."""
    found = []
    for known in (True, False):
        for never in (True, False):
            for path in walk(plan, depth=depth, known=known, never=never, machine=machine):
                found += [f"{fault} ({path.inputs})" for fault in _faults_of(path, known=known)]
    return found


def _faults_of(path: Path, *, known: bool) -> Iterator[str]:
    before, turn, happened = path.before, path.turns[-1], path.inputs[-1]
    yield from _faults_of_recording(before, turn, happened)
    yield from _faults_of_a_no(before, turn, happened, known=known)
    actions = turn.actions
    leads_on = bool(actions) and isinstance(actions[-1], Ask | Dial | HangUp)
    if any(isinstance(action, Say) for action in actions) and not leads_on:
        yield "The menu speaks and then has no next step"
    waits = CALL if before.step is Step.START else DIGITS + SILENCE if before.step is Step.ASKED else ""
    if happened in waits and not leads_on:
        yield "The caller is left in silence"


def _faults_of_recording(before: State, turn: Turn, happened: str) -> Iterator[str]:
    starts = [index for index, action in enumerate(turn.actions) if isinstance(action, Record)]
    if starts and not (happened == AGREE and before.step is Step.ASKED):
        yield "A recording starts without key 1"
    if starts and _GIVEN not in turn.actions[: starts[0]]:
        yield "A recording starts before consent is saved"
    if turn.state.step is Step.RECORDED and before.step is not Step.RECORDED and not starts:
        yield "A call counts as recorded though no recording was started"
    if _GIVEN in turn.actions and not (happened == AGREE and before.step is Step.ASKED):
        yield "Consent is saved without key 1"
    if before.step is Step.RECORDED and happened == WITHDRAWN and StopRecording() not in turn.actions:
        yield "A withdrawal does not stop the recording"


def _faults_of_a_no(before: State, turn: Turn, happened: str, *, known: bool) -> Iterator[str]:
    went_on = before.step is Step.ASKED and turn.state.step is not Step.ASKED
    if went_on and _REFUSED not in turn.actions and _GIVEN not in turn.actions:
        yield "A call continues and no refusal is saved"
    if before.step is Step.ASKED and happened == NEVER and known and _WITHDRAWN not in turn.actions:
        yield "Key 9 saves no withdrawal for all calls"
    if _WITHDRAWN in turn.actions and not known:
        yield "A choice for all calls is saved without a caller"
