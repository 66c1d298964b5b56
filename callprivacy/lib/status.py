"""
How far something is, and the only words for it: for the officer, the caller and the letter.

A sentence says no more than the counts behind it. Each app reads these from its rows, in its selectors.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

ENGLISH, SPANISH = "en", "es"
"""As every app's languages have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    Counts of one kind of thing, each with its latest time and by whom.

    :ivar sent: those that have gone out. :ivar failed: those that did not arrive.
    :ivar cancelled: those that nobody carries out any more. :ivar held: kept by a legal hold.
    :ivar late: not acknowledged, and past their date. :ivar gone: made once, and deleted since.
    :ivar waits: more follow once no legal hold keeps anything of the person.
    :ivar is_known: whether it is worked out what there is to do.
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
    cancelled: int = 0
    held: int = 0
    late: int = 0
    gone: int = 0
    waits: bool = False
    is_known: bool = True

    @property
    def remaining(self) -> int:
        """How many are not acknowledged."""
        return self.planned - self.acknowledged

    @property
    def is_done(self) -> bool:
        """Whether all are acknowledged and none follows."""
        return self.is_known and not self.remaining and not self.waits and not self.held

    @property
    def tone(self) -> str:
        """The tone of a pill that says how far it is."""
        if self.is_done:
            return "good"
        return "bad" if self.failed or self.late else "warn" if self.cancelled else "info"


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
    """What is said to be so far. Of the last three there is one at a time: their texts name no count."""

    NOTIFICATIONS = "notifications"
    DELETIONS = "deletions"
    WITHDRAWAL = "withdrawal"
    DESTRUCTION = "destruction"
    COPIES = "copies"
    LETTER = "letter"
    EXPORT = "export"
    BACKUP = "backup"


_NONE, _UNKNOWN, _PLANNED, _SENT, _DONE, _ACKNOWLEDGED = (
    "none", "unknown", "planned", "sent", "done", "acknowledged",
)  # fmt: skip
_FAILED, _CANCELLED, _HELD, _LATE, _GONE, _WAITS = _ENDS = (
    "failed", "cancelled", "held", "late", "gone", "waits",
)  # fmt: skip

TEXTS: Final[dict[tuple[Thing, Reader, str], dict[str, str]]] = {
    (Thing.NOTIFICATIONS, Reader.OFFICER, ENGLISH): {
        _NONE: "No recipients to notify",
        _PLANNED: "Being notified: 0 of {planned} sent",
        _SENT: "Sent to {sent} of {planned}",
        _ACKNOWLEDGED: ", acknowledged by {acknowledged}",
        _DONE: "Acknowledged by {planned} of {planned}",
        _FAILED: "; not delivered to {failed}",
        _WAITS: "; others are notified once no legal hold applies",
    },
    (Thing.NOTIFICATIONS, Reader.CALLER, ENGLISH): {
        _NONE: "We have no record of anyone else who received your data",
        _PLANNED: "We are notifying the recipients of your data: 0 of {planned} sent",
        _SENT: "We are notifying the recipients of your data: sent to {sent} of {planned}",
        _ACKNOWLEDGED: ", acknowledged by {acknowledged}",
        _DONE: "The recipients of your data were notified: acknowledged by {planned} of {planned}",
        _FAILED: "; not delivered to {failed}",
        _WAITS: "; others are notified once a legal claim or an inquiry no longer needs what is kept",
    },
    (Thing.NOTIFICATIONS, Reader.CALLER, SPANISH): {
        _NONE: "No nos consta que nadie más haya recibido sus datos",
        _PLANNED: "Se está avisando a quienes recibieron sus datos: 0 de {planned} avisos enviados",
        _SENT: "Se está avisando a quienes recibieron sus datos: {sent} de {planned} avisos enviados",
        _ACKNOWLEDGED: ", {acknowledged} con acuse de recibo",
        _DONE: "Se avisó a quienes recibieron sus datos: {planned} de {planned} con acuse de recibo",
        _FAILED: "; sin entregar: {failed}",
        _WAITS: "; a otros se les avisará cuando una reclamación o investigación ya no necesite lo que se conserva",
    },
    (Thing.DELETIONS, Reader.OFFICER, ENGLISH): {
        _NONE: "No deletion requested at a call tracker",
        _PLANNED: "Deletion at the call tracker: 0 of {planned} requests sent",
        _SENT: "Deletion at the call tracker: {sent} of {planned} requests sent",
        _ACKNOWLEDGED: ", {acknowledged} confirmed",
        _DONE: "Deletion at the call tracker confirmed: {planned} of {planned}",
        _FAILED: "; {failed} failed",
        _CANCELLED: "; {cancelled} cancelled",
    },
    (Thing.DELETIONS, Reader.CALLER, ENGLISH): {
        _NONE: "No deletion was requested there.",
        _PLANNED: "Their deletion is planned: 0 of {planned} requests sent",
        _SENT: "Their deletion was requested: {sent} of {planned} requests sent",
        _ACKNOWLEDGED: ", {acknowledged} confirmed",
        _DONE: "Their deletion there is confirmed: {planned} of {planned}",
        _FAILED: "; {failed} failed",
        _CANCELLED: "; {cancelled} cancelled",
    },
    (Thing.DELETIONS, Reader.CALLER, SPANISH): {
        _NONE: "No se ha pedido allí ninguna eliminación.",
        _PLANNED: "Su eliminación está prevista: 0 de {planned} solicitudes enviadas",
        _SENT: "Se pidió su eliminación: {sent} de {planned} solicitudes enviadas",
        _ACKNOWLEDGED: ", {acknowledged} confirmadas",
        _DONE: "Su eliminación allí está confirmada: {planned} de {planned}",
        _FAILED: "; {failed} fallidas",
        _CANCELLED: "; {cancelled} canceladas",
    },
    (Thing.WITHDRAWAL, Reader.OFFICER, ENGLISH): {
        _NONE: "No steps planned at vendors",
        _UNKNOWN: "Steps at vendors are being planned",
        _PLANNED: "At vendors: 0 of {planned} steps sent",
        _SENT: "At vendors: {sent} of {planned} steps sent",
        _ACKNOWLEDGED: ", {acknowledged} confirmed",
        _DONE: "Confirmed at vendors: {planned} of {planned} steps",
        _FAILED: "; {failed} failed",
        _CANCELLED: "; {cancelled} cancelled",
    },
    (Thing.DESTRUCTION, Reader.OFFICER, ENGLISH): {
        _NONE: "No rows were due",
        _PLANNED: "Destroyed: 0 of {planned} rows that were due",
        _SENT: "Destroyed: {sent} of {planned} rows that were due",
        _DONE: "All rows that were due are destroyed: {planned} of {planned}",
        _FAILED: "; stopped by a fault in {failed} of its categories",
        _CANCELLED: "; cancelled in {cancelled} of its categories",
        _HELD: "; {held} kept by legal holds",
    },
    (Thing.COPIES, Reader.OFFICER, ENGLISH): {
        _NONE: "No vault backup from before the destruction is recorded",
        _PLANNED: "Vault backups from before the destruction: 0 of {planned} removed",
        _SENT: "Vault backups from before the destruction: {sent} of {planned} removed",
        _DONE: "All vault backups from before the destruction are removed: {planned} of {planned}",
        _LATE: "; {late} past the removal date",
    },
    (Thing.LETTER, Reader.OFFICER, ENGLISH): {
        _PLANNED: "Being sent",
        _SENT: "Sent",
        _FAILED: "Not delivered",
    },
    (Thing.LETTER, Reader.CALLER, ENGLISH): {
        _PLANNED: "We are writing to you",
        _SENT: "We wrote to you",
        _FAILED: "Our letter to you was not delivered",
    },
    (Thing.LETTER, Reader.CALLER, SPANISH): {
        _PLANNED: "Le estamos escribiendo",
        _SENT: "Le escribimos",
        _FAILED: "Nuestra carta para usted no se entregó",
    },
    (Thing.EXPORT, Reader.OFFICER, ENGLISH): {
        _UNKNOWN: "Waiting for a worker",
        _PLANNED: "Being written",
        _SENT: "Written",
        _FAILED: "Not written: it failed",
        _CANCELLED: "Cancelled: the grant that allowed it has ended",
        _LATE: "; the file has expired",
        _GONE: "; the file is deleted",
    },
    (Thing.BACKUP, Reader.OFFICER, ENGLISH): {
        _SENT: "Made",
        _DONE: "Made, and restored by a drill that passed",
        _FAILED: "Made; the newest drill with it failed",
        _LATE: "; past its removal date",
        _GONE: "; removed with its key",
    },
}  # fmt: skip

UNPROVEN: Final = {
    ENGLISH: "Anyone who received your data is to be notified",
    SPANISH: "Está previsto avisar a quien haya recibido sus datos",
}
"""Where nobody is proven: that there is somebody to notify would say that the number is known."""


def words_for(
    found: Progress,
    reader: Reader,
    language: str = ENGLISH,
    *,
    thing: Thing = Thing.NOTIFICATIONS,
) -> str:
    """
    How far it is, in one sentence without a full stop.

    An end that begins with a semicolon is added; another one says by itself what became of it.
    """
    texts = TEXTS[thing, reader, language]
    ends = [texts[name] for name in _ENDS if name in texts and getattr(found, name)]
    if not found.is_known:
        ends, text = [], texts[_UNKNOWN]
    elif whole := [one for one in ends if not one.startswith(";")]:
        text = whole[0]
    elif not found.planned:
        # What is kept or follows later is all that there is to say.
        text = "" if ends else texts[_NONE]
    elif found.acknowledged >= found.planned:
        text = texts[_DONE]
    else:
        text = texts[_SENT if found.sent else _PLANNED]
        text += texts.get(_ACKNOWLEDGED, "") if found.acknowledged else ""
    text += "".join(one for one in ends if one.startswith(";"))
    text = text if text[0] != ";" else text[2:].capitalize()
    return text.format(**{name: getattr(found, name) for name in (_PLANNED, _SENT, _ACKNOWLEDGED, *_ENDS)})
