"""The words of requests: what a person asks for, how it came in, how far it is, and what was decided."""

from django.db import models


class Kind(models.TextChoices):
    """What a person asks for; a law answers some of these."""

    ACCESS = "access", "See my data"
    PORTABILITY = "portability", "A copy to take along"
    CORRECT = "correct", "Correct my data"
    DELETE = "delete", "Delete my data"
    RESTRICT = "restrict", "Restrict what is done with my data"
    OBJECT = "object", "Object"
    OPT_OUT = "opt_out", "Do not sell or share my data, or do not contact me"
    LIMIT = "limit", "Limit the use of sensitive data"
    REVOCATION = "revocation", "Take back my consent"
    COMPLAINT = "complaint", "Complain"
    APPEAL = "appeal", "Appeal against an answer"


class Ask(models.TextChoices):
    """What a person picks, in the person's own words; each is one kind for the law."""

    SEE = "see", "See what you have about me"
    COPY = "copy", "Get a copy to take along"
    CORRECT = "correct", "Correct what is wrong"
    DELETE = "delete", "Delete my data"
    RESTRICT = "restrict", "Stop using my data for now"
    OBJECT = "object", "Object to what is done with my data"
    DO_NOT_SELL = "do_not_sell", "Do not sell or share my data"
    DO_NOT_CONTACT = "do_not_contact", "Do not call or text me"
    LIMIT = "limit", "Limit the use of sensitive data"
    DO_NOT_TRACK = "do_not_track", "Do not track my calls"
    WITHDRAW = "withdraw", "Take back my consent"
    COMPLAIN = "complain", "Complain"
    APPEAL = "appeal", "Appeal against an answer"

    @property
    def kind(self) -> Kind:
        return _KIND_OF[self]

    @property
    def works_at_once(self) -> bool:
        """Whether it takes effect when it comes in, without proof and before anybody looks at it."""
        return self in _AT_ONCE

    @property
    def stops_at_once(self) -> bool:
        """Whether something stops when it comes in: all of it, or of an objection direct marketing."""
        return self.works_at_once or self is Ask.OBJECT

    @property
    def needs_proof(self) -> bool:
        """Whether the person proves who asks before it is answered."""
        return self in _PROVEN

    @property
    def needs_more(self) -> bool:
        """Whether what it shows or takes away needs two facts and a declaration besides the phone."""
        return self in _PROVEN_MORE


_KIND_OF = {
    Ask.SEE: Kind.ACCESS,
    Ask.COPY: Kind.PORTABILITY,
    Ask.CORRECT: Kind.CORRECT,
    Ask.DELETE: Kind.DELETE,
    Ask.RESTRICT: Kind.RESTRICT,
    Ask.OBJECT: Kind.OBJECT,
    Ask.DO_NOT_SELL: Kind.OPT_OUT,
    Ask.DO_NOT_CONTACT: Kind.OPT_OUT,
    Ask.LIMIT: Kind.LIMIT,
    Ask.DO_NOT_TRACK: Kind.OBJECT,
    Ask.WITHDRAW: Kind.REVOCATION,
    Ask.COMPLAIN: Kind.COMPLAINT,
    Ask.APPEAL: Kind.APPEAL,
}
_AT_ONCE = frozenset({Ask.DO_NOT_SELL, Ask.DO_NOT_CONTACT, Ask.LIMIT, Ask.DO_NOT_TRACK, Ask.WITHDRAW})
_PROVEN_MORE = frozenset({Ask.SEE, Ask.COPY})
_PROVEN = frozenset({*_PROVEN_MORE, Ask.CORRECT, Ask.DELETE, Ask.RESTRICT, Ask.OBJECT})


class Channel(models.TextChoices):
    """How a request came in: the manner in which it was made (11 CCR 7101(b))."""

    PORTAL = "portal", "The requests page"
    EMAIL = "email", "E-mail"
    POST = "post", "Post"
    PHONE = "phone", "Phone"
    IN_PERSON = "in_person", "In person"
    API = "api", "Another system"


class CaseState(models.TextChoices):
    """How far a case is. That its clock stands, or was extended, is said beside it."""

    PROVING = "proving", "Waits for proof"
    OPEN = "open", "Open"
    WITH_CLIENT = "with_client", "Waits for the client"
    HANDED_OVER = "handed_over", "Handed over to the client"
    DECIDED = "decided", "Decided"
    DONE = "done", "Answered"
    WITHDRAWN = "withdrawn", "Taken back"

    @property
    def is_closed(self) -> bool:
        """Whether nothing is owed any more."""
        return self in {CaseState.DONE, CaseState.WITHDRAWN}


class OnBehalf(models.TextChoices):
    """For whom a request is made."""

    SELF = "self", "For myself"
    GUARDIAN = "guardian", "For my child, or somebody in my care"
    AGENT = "agent", "For somebody who gave me a signed permission"


class IdentityKind(models.TextChoices):
    """By what a person says who they are."""

    PHONE = "phone", "Phone number"
    EMAIL = "email", "E-mail address"
    WITHHELD = "withheld", "A call whose number was withheld"


class IdentityState(models.TextChoices):
    """How far an identity is; only proven ones are answered."""

    CLAIMED = "claimed", "Claimed"
    PROVEN = "proven", "Verified"
    DOUBTFUL = "doubtful", "Under review"
    REFUSED = "refused", "Not verified"


class ProofKind(models.TextChoices):
    """What shows that an identity is the person's."""

    TEXT_CODE = "text_code", "Code by text"
    CALL_CODE = "call_code", "Code by a call"
    MAIL_CODE = "mail_code", "Code by mail"
    FACTS = "facts", "Two facts of a call"
    DECLARATION = "declaration", "Signed declaration"
    DOCUMENT = "document", "Seen by staff"
    PERMISSION = "permission", "Signed permission of an agent"
    GUARDIAN = "guardian", "Evidence of a guardian"


class Decided(models.TextChoices):
    FULFIL = "fulfil", "Fulfilled"
    PART = "part", "Fulfilled in part"
    REFUSE = "refuse", "Refused"
    NOT_OURS = "not_ours", "Not ours to answer: told whom to ask"


class EventKind(models.TextChoices):
    """What happened to a case, as its timeline says it."""

    OPENED = "opened", "Came in"
    TOOK_EFFECT = "took_effect", "Took effect"
    NOT_RECORDED = "not_recorded", "Not recorded, for the client has left"
    MARKETING_STOPPED = "marketing_stopped", "Marketing stopped"
    WAITS_FOR_NUMBER = "waits_for_number", "Waits for a number: none is known"
    PROVEN = "proven", "Proven who asks"
    NOT_PROVEN = "not_proven", "Not proven who asks"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    ASSIGNED = "assigned", "Assigned"
    NOTED = "noted", "Note written"
    TASK_ADDED = "task_added", "Task added"
    TASK_DONE = "task_done", "Task done"
    EXTENDING = "extending", "To be extended once its letter is sent"
    EXTENDED = "extended", "Extended"
    NOT_EXTENDED = "not_extended", "Not extended: the letter went too late"
    STOPPED = "stopped", "Clock stopped: asked what is meant"
    RESUMED = "resumed", "Clock goes on"
    SEARCHED = "searched", "Looked for what there is"
    APPROVAL_ASKED = "approval_asked", "Client asked"
    APPROVED = "approved", "Client agreed"
    NOT_APPROVED = "not_approved", "Client did not agree"
    HANDED_OVER = "handed_over", "Handed over to the client"
    RECEIVED_BY_CLIENT = "received_by_client", "Client has it"
    DECIDED = "decided", "Decided"
    PACKED = "packed", "Package made"
    FETCHED = "fetched", "Package downloaded"
    PACKAGE_GONE = "package_gone", "Package erased"
    ERASED = "erased", "Erased"
    REST_ERASED = "rest_erased", "Erased what nothing keeps any more"
    CORRECTED = "corrected", "Corrected"
    RESTRICTED = "restricted", "Restricted"
    LIFTED = "lifted", "Restriction ended"
    CARRIED = "carried", "Recorded at the clients"
    GIVEN_TO_CLIENTS = "given_to_clients", "Opened for each client that answers"
    PASSED_ON = "passed_on", "Recipient notifications planned"
    NOTICE_SENT = "notice_sent", "Recipient notification sent"
    NOTICE_ACKNOWLEDGED = "notice_acknowledged", "Recipient notification acknowledged"
    WRITTEN = "written", "Letter sent"
    APPEALED = "appealed", "Appealed against"
    REMINDED = "reminded", "Reminder of the date"
    FAILED = "failed", "A step failed"
    TAKEN_BACK = "taken_back", "Taken back"
    ANSWERED = "answered", "Closed"


class StepKind(models.TextChoices):
    """What a job does for a case after its decision, or at once."""

    SUPPRESS = "suppress", "Stop what was refused"
    OBJECT = "object", "Stop what was objected to"
    PACK = "pack", "Make the package"
    ERASE = "erase", "Erase"
    REST = "rest", "Erase what was kept"
    CORRECT = "correct", "Correct"
    RESTRICT = "restrict", "Restrict"
    LIFT = "lift", "End the restriction"
    PASS_ON = "pass_on", "Notify recipients"


class StepState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    KEPT = "kept", "Waits until nothing keeps it"
    DONE = "done", "Done"
    FAILED = "failed", "Stopped by a fault"


class Copies(models.TextChoices):
    """Where facts of a person may be: one line of what was found."""

    IDENTITY = "identity", "Number and identity"
    CALLS = "calls", "Call records"
    RECORDINGS = "recordings", "Recordings"
    TRANSCRIPTS = "transcripts", "Transcripts"
    CONSENT = "consent", "Consents and refusals"
    MESSAGES = "messages", "Texts, mails and invitations"
    REQUESTS = "requests", "Requests"
    EXPORTS = "exports", "Exports"
    VENDOR = "vendor", "At the call tracker"
    RECIPIENTS = "recipients", "Passed on to others"
    RELEASES = "releases", "Files given to others"


class PackageState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    READY = "ready", "Ready"
    GONE = "gone", "Erased"
    FAILED = "failed", "Stopped by a fault"


class OtherParty(models.TextChoices):
    """What is done with the voice of the other party in a recording that a person asks for."""

    WITHHOLD = "withhold", "Withhold the recording, and say why"
    ONE_SIDE = "one_side", "Only the person's own side, where the file keeps sides apart"
    WHOLE = "whole", "The whole recording: the other party agreed, or is not harmed"


class LetterState(models.TextChoices):
    DRAFT = "draft", "Draft"
    WAITING = "waiting", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not delivered"


class LetterWay(models.TextChoices):
    """How a letter reaches the person."""

    MAIL = "mail", "E-mail"
    POST = "post", "Post: printed by staff"
    PHONE = "phone", "Read to the person by staff"
    PAGE = "page", "The person's own page"


class ApprovalState(models.TextChoices):
    """What a client said to a case, by a link that works once."""

    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Agreed"
    REFUSED = "refused", "Not agreed"
    WITHDRAWN = "withdrawn", "Not asked any more"


class ApprovalKind(models.TextChoices):
    """What a client is asked for."""

    APPROVE = "approve", "Whether the answer may be given"
    TAKE_OVER = "take_over", "A receipt: the client answers"


class NoticeWay(models.TextChoices):
    """How a recipient is told."""

    WEBHOOK = "webhook", "Signed webhook"
    TICKET = "ticket", "Ticket"


class NoticeState(models.TextChoices):
    """How far word to a recipient is."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    CONFIRMED = "confirmed", "Confirmed"
    FAILED = "failed", "Not delivered"


class NoticeAbout(models.TextChoices):
    """What a recipient is told to do."""

    ERASURE = "erasure", "Erase it"
    CORRECTION = "correction", "Correct it"
    RESTRICTION = "restriction", "Restrict it"
    OPT_OUT = "opt_out", "Sell, share and use it no more"
