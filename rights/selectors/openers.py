"""
By a code for what the package of a request is opened.

A proven number opens it; where none is proven, a proven mail address; where neither is, a withheld call that a person
has found to be the one described: its code goes to the address that was named for the answer. A weaker proof never
opens what a stronger one protects (docs/adr/0150).
"""

from dataclasses import dataclass

from rights.enums import IdentityKind, IdentityState
from rights.models import Identity, Submission
from rights.selectors import words


@dataclass(frozen=True, slots=True, repr=False)
class Opener:
    """
    An identity for which a fresh code opens the package.

    :ivar mail: the address that the code goes to; "" where it goes to the phone.
    """

    identity: Identity
    mail: str


def openers_of(submission: Submission) -> list[Opener]:
    """What a code may be sent to for the package of a request, none where nobody could open it; one query."""
    rows = Identity.objects.filter(submission_id=submission.pk, state=IdentityState.PROVEN)
    proven = list(rows.order_by("claimed_at", "pk"))
    if phones := [row for row in proven if row.kind == IdentityKind.PHONE]:
        return [Opener(row, "") for row in phones]
    key = words.key_of(submission)
    if mails := [row for row in proven if row.kind == IdentityKind.EMAIL]:
        return [Opener(row, words.text(row.value, key)) for row in mails]
    named = str(words.record(submission.contact, key).get("mail", ""))
    # Of a request to the agency itself one may be proven of which no call was found.
    return [Opener(row, named) for row in proven if named and row.call_id is not None]
