"""
Whether somebody has to show that they may ask for the person: an agent, a guardian, and whoever asks about a minor.

Who is a minor is said on the page, or known to staff (the search notes it on the request), or presumed from the
client's trade. Then a guardian's evidence is asked for, or that the person is of age, which staff look at.
"""

from collections.abc import Collection

from callprivacy.tenancy.models import Client
from consent.selectors import minors
from rights.enums import OnBehalf, ProofKind
from rights.models import Submission


def is_presumed(submission: Submission) -> bool:
    """Whether nobody said that it is about a minor, and the client's trade has it taken so."""
    return (
        submission.on_behalf == OnBehalf.SELF
        and not submission.is_minor
        and submission.client is not None
        and minors.are_presumed(submission.client)
    )


def evidence_of(submission: Submission) -> ProofKind | None:
    """What has to be handed in besides the codes; None where one asks for oneself and is of age."""
    if submission.on_behalf == OnBehalf.AGENT:
        return ProofKind.PERMISSION
    if submission.on_behalf == OnBehalf.GUARDIAN or submission.is_minor or is_presumed(submission):
        return ProofKind.GUARDIAN
    return None


def accepted(submission: Submission, reached: Collection[Client]) -> frozenset[str]:
    """
    The proofs of which one has to hold before it is decided; none where nothing has to be shown.

    :param reached: the clients whose callers it is about.
    """
    wanted = evidence_of(submission)
    if wanted is None and any(minors.are_presumed(client) for client in reached):
        wanted = ProofKind.GUARDIAN
    return frozenset() if wanted is None else frozenset({wanted.value, ProofKind.DOCUMENT.value})
