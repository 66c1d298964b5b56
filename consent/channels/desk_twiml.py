"""
What an agent who is rung for a call back hears, as Twilio reads it. Nothing records, and no number is spoken.

The caller is rung only after the agent has pressed a key, so that no voicemail of the agent's ever talks to a caller.
"""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
WAITS_FOR: Final = 12
RINGS_FOR: Final = 40
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def greeting(*, name: str, client: str, connect_at: str) -> bytes:
    """Ask the agent for a key before the caller is rung."""
    response = Element("Response")
    gather = SubElement(
        response, "Gather", input="dtmf", numDigits="1", finishOnKey="", timeout=str(WAITS_FOR), action=connect_at,
        method="POST",
    )  # fmt: skip
    # Spelled out: "K7-42Q" is read sign by sign.
    spelled = " ".join(sign for sign in name.removeprefix("Caller ") if sign.isalnum())
    _say(gather, f"This is a callback to caller {spelled} of {client}. Press any key to connect.")
    _say(response, "No key was pressed. No call was made.")
    SubElement(response, "Hangup")
    return _text(response)


def connection(*, number: str, shown: str) -> bytes:
    """
    Ring the caller, unrecorded.

    :param shown: the client's number that the caller sees.
    """
    response = Element("Response")
    dial = SubElement(response, "Dial", timeout=str(RINGS_FOR), callerId=shown)
    SubElement(dial, "Number").text = number
    return _text(response)


def refusal(why: str) -> bytes:
    """Say why nobody is called, and hang up."""
    response = Element("Response")
    _say(response, why)
    SubElement(response, "Hangup")
    return _text(response)


def _say(parent: Element, text: str) -> None:
    SubElement(parent, "Say", language="en-US").text = _NO_XML.sub(" ", text)


def _text(response: Element) -> bytes:
    text: bytes = tostring(response, encoding="UTF-8", xml_declaration=True, short_empty_elements=False)
    return text + b"\n"
