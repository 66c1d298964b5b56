"""
Jobs of releases: trying, building, answering, ending, telling. What is due is found in the database, so a lost message
costs a minute.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from analytics.services import building, noisy, releases, taking_out
from analytics.services.building import Work
from analytics.services.noisy import Unanswered
from analytics.services.releases import Letter
from callprivacy.lib import mail
from callprivacy.lib.logs import logger
from callprivacy.tenancy.jobs import agency_job, always, wake
from callprivacy.tenancy.scope import job_scope

log = logger(__name__)
_LONGEST: Final = 1800


@shared_task(name="analytics.try_setting", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def try_setting(*, agency_id: int, trial_id: str, **_: Any) -> None:
    """Compute what one setting would cost and risk."""
    building.run_trial(due=Work(agency_id, UUID(trial_id)), clock=timezone.now)


@shared_task(
    name="analytics.build_release", acks_late=True, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST
)
def build_release(*, agency_id: int, release_id: str, **_: Any) -> None:
    """Build one release that two people signed."""
    building.build(due=Work(agency_id, UUID(release_id)), clock=timezone.now)


@shared_task(name="analytics.answer_question", acks_late=True)
def answer_question(*, agency_id: int, spend_id: str, **_: Any) -> None:
    noisy.answer(due=Unanswered(agency_id, UUID(spend_id)), clock=timezone.now)


@agency_job(name="analytics.end_releases", every=60, due=always)
def end_releases(agency_id: int, at: datetime) -> None:
    """End and destroy what has come to its date, take out rows that are to leave, and notify recipients."""
    with job_scope(agency_id=agency_id):
        releases.expire(agency_id=agency_id, at=at)
        releases.revoke_by_trade(agency_id=agency_id, at=at)
        releases.drop_old_drafts(agency_id=agency_id, at=at)
        taking_out.forget(agency_id=agency_id, at=at)
    # First what has come to its end: it waits for no file that cannot be read.
    releases.destroy_ended(agency_id=agency_id)
    with job_scope(agency_id=agency_id):
        taking_out.look(agency_id=agency_id, at=timezone.now())
    taking_out.take_out(agency_id=agency_id, clock=timezone.now)
    _tell(agency_id)
    _tell_of_rows(agency_id)


@agency_job(name="analytics.sweep_releases", every=60, in_scope=True)
def sweep_releases(agency_id: int, at: datetime) -> None:
    """Start everything that waits."""
    for trial in building.due_trials(agency_id=agency_id, at=at):
        wake(try_setting, agency_id=agency_id, trial_id=str(trial.work_id))
    for release in building.due_builds(agency_id=agency_id, at=at):
        wake(build_release, agency_id=agency_id, release_id=str(release.work_id))
    for question in noisy.unanswered(agency_id=agency_id):
        wake(answer_question, agency_id=agency_id, spend_id=str(question.spend_id))


@agency_job(name="analytics.score_releases", every=3600, soft_time_limit=_LONGEST - 10, time_limit=_LONGEST)
def score_releases(agency_id: int, at: datetime) -> None:
    """Look again at every live release whose quarter has begun."""
    with job_scope(agency_id=agency_id):
        scores = building.due_scores(agency_id=agency_id, at=at)
    for score in scores:
        building.score(due=score, clock=timezone.now)


def _tell(agency_id: int) -> None:
    at = timezone.now()
    with job_scope(agency_id=agency_id):
        letters = releases.claim_letters(agency_id=agency_id, at=at)
    for letter in letters:
        if timezone.now() >= at + releases.MAIL_AGAIN_AFTER:
            return  # the server was slow, and the rest may be claimed by another run by now
        if _send(letter):
            with job_scope(agency_id=agency_id):
                releases.letter_sent(release_id=letter.release_id, at=timezone.now())


def _tell_of_rows(agency_id: int) -> None:
    at = timezone.now()
    with job_scope(agency_id=agency_id):
        words = taking_out.claim_words(agency_id=agency_id, at=at)
    for word in words:
        if timezone.now() >= at + releases.MAIL_AGAIN_AFTER:
            return
        if _went_out(word.subject, word.text, word.address, str(word.removal_id)):
            with job_scope(agency_id=agency_id):
                taking_out.word_sent(removal_id=word.removal_id, at=timezone.now())


def _send(letter: Letter) -> bool:
    why = "was revoked" if letter.revoked else "has come to its end"
    text = (
        f"The file of {letter.rows:,} calls of {letter.client}, {letter.days}, which {letter.agency} gave you,"
        f" {why}.\n\n"
        "Delete it and everything made from it that still holds its rows, and answer this message when that is"
        " done.\n\n"
        f"SHA-256 of the file: {letter.digest}\n"
    )
    return _went_out(f"Delete a file of {letter.client}", text, letter.address, str(letter.release_id))


def _went_out(subject: str, text: str, address: str, about: str) -> bool:
    fault = mail.hand_over(mail.letter(subject, text, [address]))
    if fault is not None:
        log.warning("release.not_told", release=about, error=fault.kind)
    return fault is None
