"""A person who was asked by e-mail, as tests need one."""

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.models import Invitation, Notice, NoticeVersion
from consent.services import invitations
from tests.cast import Cast
from tests.make import NOON

ADDRESS = "anna.quill@example.com"
NUMBER = "+14155550101"
BY = Actor.job("tests")
WORDS = "Harbor Dental records and monitors calls to train its people."


def version(cast: Cast, language: Language = Language.ENGLISH) -> NoticeVersion:
    """Words in force for letters of the dentist."""
    ours = {"agency_id": cast.acme.pk, "client_id": cast.dentist.pk}
    with job_scope(agency_id=cast.acme.pk):
        notice = Notice.objects.create(
            **ours, name=f"Letter {language}", purposes=[Purpose.RECORD, Purpose.REVIEW],
            channel=Channel.EMAIL, language=language, created_at=NOON,
        )  # fmt: skip
        return NoticeVersion.objects.create(
            **ours, notice=notice, number=1, state=NoticeState.PUBLISHED, controller="Harbor Dental LLC",
            words=WORDS, withdraw="Answer STOP, or use the link below.", digest=b"d" * 32,
            created_at=NOON, published_at=NOON,
        )  # fmt: skip


def asked(cast: Cast) -> Invitation:
    """Anna was sent a letter at noon."""
    words = version(cast)
    read = invitations.read_list([f"{ADDRESS},{NUMBER}"], country="US")
    with job_scope(agency_id=cast.acme.pk):
        words = NoticeVersion.objects.select_related("notice").get(pk=words.pk)
        invitations.create_batch(
            client=cast.dentist, name="October", version=words, read=read, by=BY, at=NOON
        )
    (letter,) = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=10)
    invitations.letter_sent(agency_id=cast.acme.pk, letter=letter, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        return Invitation.objects.get(pk=letter.invitation_id)
