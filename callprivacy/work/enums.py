"""The states of a piece of work."""

from django.db import models


class ItemState(models.TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Done"
