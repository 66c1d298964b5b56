"""
Who may take a step of a request of the agency's own: who has every client that it reaches.

A job carries it out with the eyes of the agency. A person to whom a client is not granted sees nothing of what was
found there, so that what they were shown of it, and what has to be proven first, would not be what is done.
"""

from datetime import datetime

from callprivacy.lib.scope import Actor, ScopeKind
from rights.models import Submission
from rights.selectors import reach


class NotYoursError(LookupError):
    """The request reaches clients that are not granted to the person."""


def check(submission: Submission, *, by: Actor, at: datetime) -> None:
    """
    Let a person go on only where nothing that the request reaches is hidden from them.

    :raises NotYoursError: something is.
    """
    if by.kind is not ScopeKind.STAFF or by.user_id is None:
        return
    if hidden := reach.unseen(submission, user_id=by.user_id, at=at):
        names = ", ".join(client.name for client in hidden)
        raise NotYoursError(
            f"It reaches clients that are not granted to you: {names}. Leave it to an officer who has these clients."
        )
