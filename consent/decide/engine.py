"""
`decide`: may this be done with this call or this person, what does that rest on, and why.

Recording is judged over its call: evidence must be there when it begins, and a refusal, withdrawal or the end of
the consent during the call withholds what follows. Everything else is judged at the moment of use.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from consent.decide import standing, words
from consent.decide.ground import Age, Family, Ground, Need, ground_of
from consent.decide.question import Answer, CallSpan, Event, Question
from consent.decide.standing import Standing
from consent.enums import YES_KINDS, Basis, EventKind, Purpose, Standard, UnknownAge
from consent.law import Rules

_FAMILY: Final = {
    Purpose.RECORD: Family.LISTENING,
    Purpose.REVIEW: Family.LISTENING,
    Purpose.ANALYSE: Family.LISTENING,
    Purpose.CONTACT: Family.CONTACT,
    Purpose.SHARE: Family.SHARING,
}
MAJORITY: Final = 18
_SPEAKING: Final = YES_KINDS | {EventKind.NOTICED}
_NO_GROUND: Final = Ground(
    Need.NOTHING, terms_count=False, written=False, rules=(), reasons=(), caveat=(), claimed=True
)


def decide(question: Question, rules: Rules) -> Answer:
    """
    Decide one question. Pure: the same question and rules give the same answer, in whatever order the events come.

    Whether a recording may be played is two questions, that of recording it and that of reviewing it.
    """
    purpose = question.purpose
    question = replace(question, events=_known(question))
    if purpose == Purpose.MEASURE:
        return _measure(question)
    if purpose == Purpose.RECORD:
        return _record(question, rules)
    ground = _ground(question, rules, question.at)
    found = _read(question, ground, question.call, begins=question.at, until=question.at)
    return _answer(question, ground, found)


def _known(question: Question) -> tuple[Event, ...]:
    """What is known by the moment of the question: what will be agreed to later allows nothing yet."""
    return tuple(event for event in question.events if event.at <= question.at or event.kind not in _SPEAKING)


def _record(question: Question, rules: Rules) -> Answer:
    call = question.call or CallSpan(question.at)
    begins = call.recording_started_at or call.started_at
    until = max(begins, call.ended_at or call.started_at + standing.LONGEST)
    ground = _ground(question, rules, begins)
    found = _read(question, ground, call, begins=begins, until=until)
    answer = _answer(question, ground, found)
    if not answer.allowed and _opens(found, call):
        # Behind a menu the recording begins with the key, so that is the moment which is judged.
        begins = found.press.at if found.press is not None else begins
        found = _read(question, ground, call, begins=begins, until=until)
        answer = _answer(question, ground, found)
    known = max(begins, call.ended_at or question.at)
    cut, left = _cut(question, ground, found, known)
    if cut is None:
        return answer if answer.allowed else replace(answer, withheld_from=begins)
    said = answer.reasons
    if found.no is None:
        said = (*ground.reasons, *_evidence(ground, found), *_cutting(found, cut), *ground.caveat)
    return Answer(
        allowed=False,
        lawful=left[0],
        standard_met=left[1],
        basis=None,
        event=found.no or cut,
        rules=ground.rules,
        reasons=said,
        withheld_from=cut.at if answer.allowed else begins,
    )


def _opens(found: Standing, call: CallSpan) -> bool:
    """Whether a key on this call opened the recording: nothing is known of an earlier one, and no no came before."""
    if found.press is None or call.recording_started_at is not None:
        return False
    return all(other is None or other.at > found.press.at for other in (found.stop, found.end))


def _cut(
    question: Question, ground: Ground, found: Standing, known: datetime
) -> tuple[Event | None, tuple[bool, bool]]:
    """
    What on the call ends the recording, and whether what follows it is lawful and meets the standard.

    :param known: up to when the call is looked at: its end, or the moment of the question where none is known. A
        refusal for this call is looked at in any case: who is asked and says no has said so of the whole call.
    """
    stop = found.stop if found.stop is not None and found.stop.at <= known else found.refusal
    end = found.end if found.yes is not None and found.end is not None and found.end.at <= known else None
    if end is not None and (stop is None or end.at < stop.at):
        left = _judge(question, ground, replace(found, yes=None))
        if not all(left):
            return end, left if stop is None else (False, False)
    return stop, (False, False)


def _cutting(found: Standing, cut: Event) -> list[str]:
    return (
        [words.cut(cut, found.zone), words.THIS_CALL_FIRST]
        if cut is found.refusal
        else [words.cut(cut, found.zone)]
    )


def _measure(question: Question) -> Answer:
    at = question.at
    found = _read(question, _NO_GROUND, question.call, begins=at, until=at)
    if found.no is not None:
        return Answer(False, False, False, None, found.no, (), tuple(_refusal(found)))
    if question.declared == Basis.CONSENT and found.yes is None:
        return Answer(False, False, False, None, None, (), (words.DECLARED_CONSENT,))
    if found.yes is not None:
        return Answer(
            True,
            True,
            True,
            Basis.CONSENT,
            found.yes,
            (),
            (words.stands(found.yes, found.zone, at=found.at),),
        )
    return Answer(True, True, True, question.declared, None, (), (words.OPT_OUT,))


def _ground(question: Question, rules: Rules, at: datetime) -> Ground:
    age, said = _age(question)
    ground = ground_of(
        rules, question.places, _FAMILY[question.purpose], rules.era(at), age=age, health=question.health
    )
    return replace(ground, claimed=bool(question.claimed_reason), reasons=(*ground.reasons, *said))


def _age(question: Question) -> tuple[Age, list[str]]:
    """How old the person is taken to be, and how the client reads an age that nobody knows."""
    if question.age is not None:
        return Age(question.age < MAJORITY, question.age), []
    if question.minor and not question.presumed:
        return Age(is_minor=True), []
    if question.unknown_age is None:
        return Age(question.minor, presumed=True), []
    as_minor = question.unknown_age == UnknownAge.MINOR
    said = words.unknown_age(question.unknown_age, question.age_reason)
    return Age(question.minor or as_minor, presumed=not as_minor), [said]


def _read(
    question: Question, ground: Ground, call: CallSpan | None, *, begins: datetime, until: datetime
) -> Standing:
    if call is None:
        outset = until
    elif question.purpose == Purpose.RECORD:
        outset = begins + standing.OUTSET
    else:
        outset = (call.recording_started_at or call.started_at) + standing.OUTSET
    return standing.read(
        question.events,
        question.purpose,
        ground,
        call,
        begins=begins,
        until=until,
        outset=outset,
        posted=question.posted_notice,
        zone=question.zone,
    )


def _judge(question: Question, ground: Ground, found: Standing) -> tuple[bool, bool]:
    """Lawful, and the standard met. Nobody's refusal is overruled, by whatever law or standard."""
    if found.no is not None:
        return False, False
    if found.yes is not None:
        return True, True
    lawful = (
        ground.need is Need.NOTHING
        or (ground.need is Need.TOLD and found.announced)
        or (ground.need is Need.TOLD_ON_RECORDING and found.on_recording)
    )
    met = question.standard == Standard.LEGAL_MINIMUM or (
        question.standard == Standard.ANNOUNCE and found.announced
    )
    return lawful, met


def _answer(question: Question, ground: Ground, found: Standing) -> Answer:
    lawful, met = _judge(question, ground, found)
    allowed = lawful and met
    reasons = (*ground.reasons, *_why(question, ground, found, lawful=lawful, met=met), *ground.caveat)
    basis, event = _rests_on(found)
    return Answer(allowed, lawful, met, basis if allowed else None, event, ground.rules, reasons)


def _rests_on(found: Standing) -> tuple[Basis, Event | None]:
    if found.no is not None:
        return Basis.CONSENT, found.no
    if found.yes is not None:
        return Basis(found.yes.basis), found.yes
    if found.announced or found.posted:
        return Basis.NOTICE, found.heard if found.announced else found.seen
    return Basis.LEGITIMATE_INTERESTS, None


def _why(question: Question, ground: Ground, found: Standing, *, lawful: bool, met: bool) -> list[str]:
    if found.no is not None:
        return _refusal(found)
    said = _evidence(ground, found)
    if found.yes is not None and standing.is_claimed(found.yes):
        said.append(words.claimed_counts(question.claimed_reason))
    if not lawful:
        said.append(_lacking(ground, found))
    elif found.yes is None and ground.need is Need.NOTHING:
        said.append(words.NOTHING_ASKED)
    if not met:
        said.append(words.NOT_MET[question.standard])
    return said


def _refusal(found: Standing) -> list[str]:
    said = [words.forbids(found.no, found.zone, at=found.at)] if found.no is not None else []
    return [*said, words.THIS_CALL_FIRST] if found.of_this_call else said


def _evidence(ground: Ground, found: Standing) -> list[str]:
    if found.yes is not None:
        return [words.stands(found.yes, found.zone, at=found.at)]
    said = []
    if found.announced:
        said.append(words.ANNOUNCED)
        if ground.need is Need.TOLD_ON_RECORDING and found.on_recording:
            said.append(words.ON_RECORDING)
    if found.posted:
        said.append(words.POSTED)
    if found.late is not None:
        said.append(words.too_late(found.late, found.zone))
    if found.unfit is not None:
        why = standing.unfit_because(found.unfit, ground, found.at)
        said.append(words.unfit(found.unfit, found.zone, why))
    return said or [words.NO_EVIDENCE]


def _lacking(ground: Ground, found: Standing) -> str:
    if ground.written:
        return words.UNWRITTEN
    if ground.need is Need.EXPRESS:
        return words.NOTICE_ALONE if found.announced or found.posted else words.UNSAID
    if found.announced:
        return words.NOT_ON_RECORDING
    return words.POSTED_ALONE if found.posted else words.UNTOLD
