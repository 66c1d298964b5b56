"""System checks: small secrets use our strict field, never the library's own."""

from typing import Any

from django.apps import apps
from django.core import checks
from encrypted_model_fields.fields import EncryptedMixin

from callprivacy.vault.fields import StrictEncryptedField


@checks.register(checks.Tags.models)
def only_strict_fields(**_: Any) -> list[checks.CheckMessage]:
    """Refuse the library's fields: they return ciphertext under a wrong key and encrypt expressions."""
    return [
        checks.Error(
            f"{model._meta.label}.{field.name} uses the library's own encrypted field.",
            hint="Use callprivacy.vault.fields.StrictEncryptedField.",
            id="vault.E001",
        )
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedMixin) and not isinstance(field, StrictEncryptedField)
    ]
