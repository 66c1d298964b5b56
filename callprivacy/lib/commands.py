"""What our own commands have in common."""

from __future__ import annotations

from django.core.management.base import BaseCommand


class OwnCommand(BaseCommand):
    """
    Begins with its deed and looks over no pages first, which would take longer than most deeds, and by which a page
    that is wrong would keep a dump from being put back. `manage.py check` looks, and so do a release and a deployment.
    """

    requires_system_checks = ()
