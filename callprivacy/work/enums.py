"""The states of a piece of work."""

from django.db import models


class ItemState(models.TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Done"


class Told(models.TextChoices):
    """How a person is told of one kind of thing; the bell rings in any case."""

    AT_ONCE = "at_once", "At once, by mail"
    DAILY = "daily", "Once a day, at eight, by mail"
    BELL = "bell", "By the bell alone"
