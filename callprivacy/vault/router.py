"""Which database a model lives in: the vault's models in `vault`, everything else in `default`."""

from typing import Any

from django.db import models


class VaultRouter:
    """Keeps the vault's tables out of `default` and everything else out of `vault`."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return "vault" if model._meta.app_label == "vault" else "default"

    db_for_write = db_for_read

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        return (obj1._meta.app_label == "vault") == (obj2._meta.app_label == "vault")

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "vault") == (app_label == "vault")
