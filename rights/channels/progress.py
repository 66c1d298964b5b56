"""
How far something is that others do for us, and the only words for it: for the officer, the caller and the letter.

A sentence says no more than the counts behind it. `rights.selectors.progress` reads these from rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from consent.enums import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    Counts of one kind of thing, each with its latest time and by whom.

    :ivar sent: those that have gone out, the acknowledged ones among them. :ivar failed: those that did not arrive.
    :ivar waits: more follow once no legal hold keeps anything of the person.
    """

    planned: int = 0
    planned_at: datetime | None = None
    sent: int = 0
    sent_at: datetime | None = None
    sent_by: str = ""
    acknowledged: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    failed: int = 0
    waits: bool = False

    @property
    def remaining(self) -> int:
        """How many are not acknowledged."""
        return self.planned - self.acknowledged

    @property
    def is_done(self) -> bool:
        """Whether all are acknowledged and none follows."""
        return not self.remaining and not self.waits

    @property
    def tone(self) -> str:
        """The tone of a pill that says how far it is."""
        return "good" if self.is_done else "bad" if self.failed else "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    How far the answer to a decided request is.

    :ivar is_carried_out: no step of ours is left. :ivar is_leaving: a letter waits to be sent. :ivar failed: the newest
        one was not delivered. :ivar sent_on: the day on which the newest one went out, :ivar fetched_on: of the last
        download of the package; both of the client's zone.
    """

    is_carried_out: bool = False
    is_leaving: bool = False
    failed: bool = False
    sent_on: date | None = None
    fetched_on: date | None = None

    @property
    def may_close(self) -> bool:
        """Whether the next step is to close the request."""
        return self.is_carried_out and self.sent_on is not None

    @property
    def words(self) -> str:
        """How far it is, for the officer: "Decided; answer sent on 24 Nov 2026; package downloaded on 25 Nov 2026"."""
        parts = ["Decided" if self.is_carried_out else "Decided, being carried out"]
        if self.sent_on:
            parts.append(f"answer sent on {self.sent_on:%-d %b %Y}")
        if self.is_leaving:
            parts.append("answer being sent")
        elif self.failed:
            parts.append("answer not delivered")
        elif not self.sent_on:
            parts.append("answer not sent")
        if self.fetched_on:
            parts.append(f"package downloaded on {self.fetched_on:%-d %b %Y}")
        return "; ".join(parts)


class Reader(StrEnum):
    """For whom a sentence is. The letter says the same as the caller's page."""

    OFFICER = "officer"
    CALLER = "caller"


class Thing(StrEnum):
    """What others do for us."""

    NOTIFICATIONS = "notifications"
    DELETIONS = "deletions"


_NONE, _PLANNED, _SENT, _DONE, _FAILED, _WAITS, _ACKNOWLEDGED = (
    "none", "planned", "sent", "done", "failed", "waits", "acknowledged",
)  # fmt: skip

TEXTS: Final[dict[tuple[Thing, Reader, Language], dict[str, str]]] = {
    (Thing.NOTIFICATIONS, Reader.OFFICER, Language.ENGLISH): {
        _NONE: "No recipients to notify",
        _PLANNED: "Being notified: 0 of {planned} sent",
        _SENT: "Sent to {sent} of {planned}",
        _ACKNOWLEDGED: ", acknowledged by {acknowledged}",
        _DONE: "Acknowledged by {planned} of {planned}",
        _FAILED: "; not delivered to {failed}",
        _WAITS: "; others are notified once no legal hold applies",
    },
    (Thing.NOTIFICATIONS, Reader.CALLER, Language.ENGLISH): {
        _NONE: "We know of nobody else who received your data",
        _PLANNED: "Those who received your data are being notified: 0 of {planned} sent",
        _SENT: "Those who received your data are being notified: sent to {sent} of {planned}",
        _ACKNOWLEDGED: ", acknowledged by {acknowledged}",
        _DONE: "Those who received your data were notified: acknowledged by {planned} of {planned}",
        _FAILED: "; not delivered to {failed}",
        _WAITS: "; others are notified once a legal claim or an inquiry no longer needs what is kept",
    },
    (Thing.NOTIFICATIONS, Reader.CALLER, Language.SPANISH): {
        _NONE: "No nos consta que nadie más haya recibido sus datos",
        _PLANNED: "Se está avisando a quienes recibieron sus datos: 0 de {planned} avisos enviados",
        _SENT: "Se está avisando a quienes recibieron sus datos: {sent} de {planned} avisos enviados",
        _ACKNOWLEDGED: ", {acknowledged} con acuse de recibo",
        _DONE: "Se avisó a quienes recibieron sus datos: {planned} de {planned} con acuse de recibo",
        _FAILED: "; sin entregar: {failed}",
        _WAITS: "; a otros se les avisará cuando una reclamación o investigación ya no necesite lo que se conserva",
    },
    (Thing.DELETIONS, Reader.OFFICER, Language.ENGLISH): {
        _NONE: "No deletion requested at a call tracker",
        _PLANNED: "Deletion at the call tracker: 0 of {planned} requests sent",
        _SENT: "Deletion at the call tracker: {sent} of {planned} requests sent",
        _ACKNOWLEDGED: ", {acknowledged} confirmed",
        _DONE: "Deletion at the call tracker confirmed: {planned} of {planned}",
        _FAILED: "; {failed} failed",
        _WAITS: "",
    },
    (Thing.DELETIONS, Reader.CALLER, Language.ENGLISH): {
        _NONE: "No deletion was requested there.",
        _PLANNED: "They are still there: their deletion is planned, 0 of {planned} requests are sent",
        _SENT: "Their deletion was requested: {sent} of {planned} requests are sent",
        _ACKNOWLEDGED: ", {acknowledged} confirmed",
        _DONE: "Their deletion there is confirmed: {planned} of {planned}",
        _FAILED: "; {failed} failed",
        _WAITS: "",
    },
    (Thing.DELETIONS, Reader.CALLER, Language.SPANISH): {
        _NONE: "No se ha pedido allí ninguna eliminación.",
        _PLANNED: "Siguen allí: su eliminación está prevista, 0 de {planned} solicitudes enviadas",
        _SENT: "Se pidió su eliminación: {sent} de {planned} solicitudes enviadas",
        _ACKNOWLEDGED: ", {acknowledged} confirmadas",
        _DONE: "Su eliminación allí está confirmada: {planned} de {planned}",
        _FAILED: "; {failed} fallidas",
        _WAITS: "",
    },
}  # fmt: skip

UNPROVEN: Final = {
    Language.ENGLISH: "Anyone who received your data is to be notified",
    Language.SPANISH: "Está previsto avisar a quien haya recibido sus datos",
}
"""Where nobody is proven: that there is somebody to notify would say that the number is known."""


def words_for(
    found: Progress,
    reader: Reader,
    language: Language = Language.ENGLISH,
    *,
    thing: Thing = Thing.NOTIFICATIONS,
) -> str:
    """How far it is, in one sentence without a full stop."""
    texts = TEXTS[thing, reader, language]
    if not found.planned:
        # What follows later is all that there is to say.
        return texts[_WAITS].lstrip("; ").capitalize() if found.waits else texts[_NONE]
    if found.acknowledged >= found.planned:
        text = texts[_DONE]
    elif found.sent:
        text = texts[_SENT] + (texts[_ACKNOWLEDGED] if found.acknowledged else "")
    else:
        text = texts[_PLANNED]
    text += (texts[_FAILED] if found.failed else "") + (texts[_WAITS] if found.waits else "")
    return text.format(
        planned=found.planned, sent=found.sent, acknowledged=found.acknowledged, failed=found.failed
    )
