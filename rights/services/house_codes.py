"""
Codes for the agency's own requests page: as `consent.services.codes`, under the agency's own keys, and brought in the
agency's name alone, so that no client is named before it is proven who asks. Codes by mail for any request, too: they
are brought in the name of who was asked. Neither uses up what the other may send.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from callprivacy.lib.logs import logger
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.channels import codes as channel
from consent.channels.codes import NotSentError
from consent.enums import CodeWay, Language
from consent.services import codes, contact
from consent.services.codes import NotNow, Sending, WrongCodeError
from rights.channels import mail_codes
from rights.models import HouseCode

log = logger(__name__)

PHONE: Final = "phone"
MAIL: Final = "mail"


def can_send() -> bool:
    """Whether codes reach phones in an agency's own name."""
    return channel.of_the_house() is not None


def send_code(
    *,
    agency: Agency,
    number: str,
    language: Language,
    way: CodeWay,
    at: datetime,
    earlier: Sequence[uuid.UUID] = (),
) -> Sending:
    """
    Send a code to a number (E.164), where its limits allow one more; says why none goes out, where they do not.

    Called outside any scope: the code is committed before it is sent.

    :param earlier: the codes that the page requested before.
    """
    sender = channel.of_the_house()
    rings = sender is not None and codes.is_rung(sender, way)
    drawn = None if sender is None else _new_code(agency, PHONE, number, at, rings=rings)
    code, sending = codes.after(earlier, drawn)
    if sender is None or code is None:
        log.warning("code.not_sent", agency=agency.pk, why="no sender" if sender is None else "limit")
        return sending
    try:
        channel.bring(sender, code, number=number, name=agency.name, language=language, way=way)
    except NotSentError as error:
        log.warning("code.not_sent", agency=agency.pk, why=str(error))
    return sending


def mail_code(
    *,
    agency: Agency,
    name: str,
    address: str,
    language: Language,
    at: datetime,
    earlier: Sequence[uuid.UUID] = (),
) -> Sending:
    """
    Send a code to a mail address (lower case), where its limits allow one more; says why none goes out, where they do
    not.

    Called outside any scope: the code is committed before it is sent.

    :param earlier: the codes that the page requested before.
    """
    code, sending = codes.after(earlier, _new_code(agency, MAIL, address, at))
    if code is None:
        log.warning("code.not_sent", agency=agency.pk, why="limit")
        return sending
    try:
        mail_codes.bring(code, address=address, name=name, language=language)
    except NotSentError as error:
        log.warning("code.not_sent", agency=agency.pk, why=str(error))
    return sending


def _new_code(
    agency: Agency, what: str, number: str, at: datetime, *, rings: bool = False
) -> tuple[uuid.UUID, str | None] | NotNow:
    holder = -agency.pk
    with job_scope(agency_id=agency.pk):
        is_quiet = rings and contact.is_quiet(agency_id=agency.pk, client=None, number=number, at=at)
        vault.create_client_keys(client_id=holder, agency_id=agency.pk, at=at)
        to = _digest(holder, what, number)
        codes.take_turn(holder)
        of_all = HouseCode.objects.filter(agency_id=agency.pk, by_mail=what == MAIL)
        drawn = codes.draw_code(of_all=of_all, of_number=of_all.filter(number_digest=to), at=at)
        if isinstance(drawn, NotNow):
            return drawn
        goes = not rings or (not is_quiet and codes.take_ring(agency_id=agency.pk, number=number, at=at))
        code_id, code = drawn
        HouseCode.objects.create(
            pk=code_id,
            agency_id=agency.pk,
            number_digest=to,
            by_mail=what == MAIL,
            digest=codes.digest_of(holder, code_id, code),
            created_at=at,
            expires_at=at + codes.GOOD_FOR if goes else at,
        )
        return code_id, code if goes else None


def check_number(
    *,
    agency: Agency,
    number: str,
    code: str,
    code_ids: Collection[uuid.UUID],
    at: datetime,
    what: str = PHONE,
) -> uuid.UUID:
    """
    Prove a number, or with `MAIL` a mail address, by the newest of these codes, and return that code's id. Called
    outside any scope: a try counts.

    :raises WrongCodeError: the number is not proven.
    """
    holder = -agency.pk
    with job_scope(agency_id=agency.pk):
        vault.create_client_keys(client_id=holder, agency_id=agency.pk, at=at)
        rows = HouseCode.objects.filter(agency_id=agency.pk, number_digest=_digest(holder, what, number))
        found = codes.try_code(rows=rows, code_ids=code_ids, holder_id=holder, code=code, at=at)
    if found is None:
        raise WrongCodeError
    return found


def purge(*, agency_id: int, at: datetime) -> int:
    """Remove an agency's codes that no limit looks at any more; returns how many."""
    with job_scope(agency_id=agency_id):
        return HouseCode.objects.filter(agency_id=agency_id, created_at__lte=at - codes.KEPT_FOR).remove()


def _digest(holder: int, what: str, number: str) -> bytes:
    return vault_selectors.client_keys(holder).tokens.digest(what, number)
