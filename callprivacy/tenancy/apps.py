from typing import Any

from django.apps import AppConfig
from django.db import connections, transaction
from django.db.models.signals import post_migrate

from callprivacy.tenancy.scope import keep_keys


class TenancyConfig(AppConfig):
    name = "callprivacy.tenancy"
    label = "tenancy"
    verbose_name = "Agencies and clients"

    def ready(self) -> None:
        post_migrate.connect(_keep_keys, sender=self)


def _keep_keys(*, using: str, **_: Any) -> None:
    """A migration by the owner stores the keys that scopes are signed with."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        keep_keys(cursor)
