"""The words of a run."""

from django.db import models


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
    """One client's part of a run."""

    WAITING = "waiting", "Waiting"
    OBSERVED = "observed", "Counted only"
    RUNNING = "running", "Erasing"
    DONE = "done", "Done"
    FAILED = "failed", "Stopped by a fault"
