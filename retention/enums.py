"""The words of retention: what is kept, until when, and how far a run, a change or an alert is."""

from typing import Final

from django.db import models


class Category(models.TextChoices):
    """What a policy is about; each has one moment from which its days count."""

    CALL = "call", "Call records, calls in"
    CALL_OUT = "call_out", "Call records, calls out"
    IDENTITY = "identity", "Number and identity"
    RECORDING = "recording", "Recordings"
    TRANSCRIPT = "transcript", "Transcripts"
    CONSENT = "consent", "Evidence of consent"
    WITHDRAWAL = "withdrawal", "Evidence of withdrawal"
    EXPORT = "export", "Exports"
    RELEASE = "release", "Releases"
    INBOX = "inbox", "Inbox"
    TRAIL = "trail", "Staff trail"
    REQUEST = "request", "Requests"
    TRAINING = "training", "Training"
    PREMISES = "premises", "Premises access"


GO_LIVE: Final = "go_live"
"""In the place of a category: the proposal that a client goes live."""


class Moment(models.TextChoices):
    """From when the days of a policy count."""

    CALL_START = "call_start", "the day on which the call began"
    LAST_CONTACT = "last_contact", "the day of the last contact"
    WITHDRAWN = "withdrawn", "the day of the withdrawal"
    MADE = "made", "the day it was made"
    RELEASED = "released", "the day of the release"
    RECEIVED = "received", "the day it came in"
    HAPPENED = "happened", "the day it happened"
    ANSWERED = "answered", "the day the last of it was answered"
    TRAINED = "trained", "the day of the try, or the last on which a proof counts"
    ENTERED = "entered", "the day of the entry"


class Then(models.TextChoices):
    """What happens when the days are over."""

    ERASE = "erase", "Erase"
    REDUCE = "reduce", "Keep daily totals, erase the rest"


class RunState(models.TextChoices):
    """How far a run is; planned and running ones are picked up by the sweep."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class RunCause(models.TextChoices):
    NIGHTLY = "nightly", "Each night"
    BY_HAND = "by_hand", "By hand"


class PartState(models.TextChoices):
    """One category's part of a run at one client."""

    WAITING = "waiting", "Waiting"
    OBSERVED = "observed", "Counted only"
    RUNNING = "running", "Erasing"
    DONE = "done", "Done"
    FAILED = "failed", "Stopped by a fault"


class ChangeState(models.TextChoices):
    """How far a change of a policy is."""

    WAITING = "waiting", "Waiting for a second person"
    DELAYED = "delayed", "Takes effect later"
    IN_FORCE = "in_force", "In force"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"


class SecretKind(models.TextChoices):
    MASTER = "master", "Master key"
    CLIENT = "client", "Keys of clients"
    TOKEN = "token", "Token keys of clients"
    SIGNING = "signing", "Signing keys"
    CONNECTION = "connection", "Secrets of connections"
    API = "api", "Keys of the API"
    ENDPOINT = "endpoint", "Secrets of endpoints"
    DJANGO = "django", "Key of sessions and forms"
    METRICS = "metrics", "Token of the metrics"
    BACKUP = "backup", "Recipients of backups"
    DATABASE = "database", "Passwords of the databases"
    SIGN_IN = "sign_in", "Secret of the sign-in provider"
    MAIL = "mail", "Password of the mail server"
    MAIL_IN = "mail_in", "Secret of incoming mail"
    TEXTS = "texts", "Token of the texts' account"
    QUEUE = "queue", "Password of the queue"
    STORE = "store", "Key of stored files"


class RotationState(models.TextChoices):
    """How far the rotation of a key is."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Stopped by a fault"


class LeftoverState(models.TextChoices):
    """What became of a recording that a vendor still has although ours is erased."""

    OPEN = "open", "Not confirmed deleted"
    ASKED = "asked", "Deletion step open"
    GONE = "gone", "Deleted"


DESTROYING: Final = "destroying"
"""The last step of a client's end: its keys go, and there is no way back."""


class EndState(models.TextChoices):
    """How far the end of a client's engagement is."""

    ASKED = "asked", "Waits for a second person or a day"
    WRITING = "writing", "The file is being written"
    WRITTEN = "written", "The file waits to be handed over"
    ERASING = "erasing", "Erasing"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"
