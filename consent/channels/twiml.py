"""
What the menu does, as Twilio reads it: https://www.twilio.com/docs/voice/twiml.

`<Start><Recording>` is the one way to record here; `<Dial>` never has a `record` attribute, which would record
from the first ring whatever the caller answers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from consent import menu
from consent.enums import Language

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
NOTHING: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<Response></Response>\n'
RINGS_FOR: Final = 30

_VOICES: Final = {Language.ENGLISH: "en-US", Language.SPANISH: "es-US"}
# XML 1.0 has no sign for these, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses that Twilio calls next: for the key, for the line that was dialled, for the recording."""

    step: str
    dialled: str
    recording: str


@dataclass(frozen=True, slots=True)
class Script:
    """
    What one turn of a menu asks of Twilio.

    :ivar words: the words of the notice, by language.
    :ivar asked: how often the notice has been spoken by then, which the key's address carries.
    """

    plan: menu.Plan
    actions: Sequence[menu.Action]
    words: Mapping[Language, str]
    forward_to: str
    person_line: str = ""
    wait_seconds: int = 6
    asked: int = 0


def document(script: Script, links: Links) -> bytes:
    """One TwiML document; what is only written down is not in it."""
    response = Element("Response")
    for action in script.actions:
        _add(response, action, script, links)
    return _text(response)


def forwarding(forward_to: str) -> bytes:
    """What connects a caller without us: unrecorded, and without a question."""
    response = Element("Response")
    _dial(response, forward_to, action="")
    return _text(response)


def reading(sentences: Sequence[str], language: Language) -> bytes:
    """A call that says these sentences, each after a pause, and hangs up."""
    response = Element("Response")
    for sentence in sentences:
        SubElement(response, "Pause", length="1")
        _say(response, [(language, sentence)])
    SubElement(response, "Hangup")
    return _text(response)


def _add(response: Element, action: menu.Action, script: Script, links: Links) -> None:
    match action:
        case menu.Ask():
            gather = SubElement(
                response,
                "Gather",
                input="dtmf",
                numDigits="1",
                finishOnKey="",
                timeout=str(script.wait_seconds),
                actionOnEmptyResult="true",
                action=links.step,
                method="POST",
            )
            _say(gather, menu.spoken(action, script.plan, script.words))
        case menu.Say():
            _say(response, menu.spoken(action, script.plan, script.words))
        case menu.Record():
            SubElement(
                SubElement(response, "Start"),
                "Recording",
                channels="dual",
                recordingStatusCallback=links.recording,
                recordingStatusCallbackMethod="POST",
                recordingStatusCallbackEvent="in-progress completed absent",
            )
        case menu.Dial(menu.Line.PERSON) if script.person_line:
            _dial(response, script.person_line, action=links.dialled)
        case menu.Dial():
            _dial(response, script.forward_to, action=links.dialled)
        case menu.HangUp():
            SubElement(response, "Hangup")


def _say(parent: Element, said: Sequence[tuple[Language, str]]) -> None:
    for language, text in said:
        SubElement(parent, "Say", language=_VOICES[language]).text = _NO_XML.sub(" ", text)


def _dial(response: Element, number: str, *, action: str) -> None:
    dial = SubElement(response, "Dial", timeout=str(RINGS_FOR))
    if action:
        dial.attrib |= {"action": action, "method": "POST"}
    SubElement(dial, "Number").text = number


def _text(response: Element) -> bytes:
    text: bytes = tostring(response, encoding="UTF-8", xml_declaration=True, short_empty_elements=False)
    return text + b"\n"
