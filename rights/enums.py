"""The words of requests: what a person asks for."""

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
