"""
Two kinds of stored secrets.

`StrictEncryptedField` keeps the few small secrets under the master key and fails loudly where the library
it builds on would return ciphertext or encrypt SQL. `SealedField` keeps what belongs to a caller or a
client; its value prints as a mask and opens through `reveal()` alone.
"""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import IsNull
from encrypted_model_fields import fields as library

from callprivacy.lib import scope as lib_scope
from callprivacy.vault.sealing import Key, Place, SealBrokenError


class StrictEncryptedField(library.EncryptedTextField):
    """Text under the master key: raises on a wrong key, refuses expressions and every lookup but isnull."""

    def to_python(self, value: Any) -> Any:
        return value

    def from_db_value(self, value: str | None, *args: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        try:
            return str(library.decrypt_str(value))
        except InvalidToken:
            raise SealBrokenError(
                f"{self.model._meta.label}.{self.name} does not open under FIELD_ENCRYPTION_KEY."
            ) from None

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"{self.name} takes text, not an expression or {type(value).__name__}.")
        return str(library.encrypt_str(value).decode())

    def get_lookup(self, lookup_name: str) -> Any:
        return IsNull if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> None:
        return None


class Sealed:
    """A sealed value bound to its place. It prints as a mask; `reveal()` is the one door."""

    __slots__ = ("blob", "place")

    def __init__(self, blob: bytes, place: Place) -> None:
        self.blob = blob
        self.place = place

    def __str__(self) -> str:
        return "•••"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "•••"

    def __reduce__(self) -> str:
        raise TypeError("A sealed value is not serialised.")

    def reveal(self, key: Key) -> str:
        """
        Open the value.

        :raises NoScopeError: outside a scope.
        :raises SealBrokenError: wrong key, wrong place, or damaged.
        """
        lib_scope.require()
        return key.unseal(self.blob, self.place).decode()


class _SealedAttribute:
    """Gives a model's sealed column as a `Sealed` bound to the row it was read from."""

    def __init__(self, field: "SealedField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        blob = instance.__dict__[self.field.attname]
        if blob is None:
            return None
        return Sealed(bytes(blob), self.field.place_of(instance))

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value.blob if isinstance(value, Sealed) else value


class SealedField(models.BinaryField):  # type: ignore[type-arg]  # generic for the type checker alone
    """A column of sealed bytes. Only isnull can be asked of it."""

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _SealedAttribute(self))

    def place_of(self, instance: models.Model) -> Place:
        """The place a value of this row is bound to; what is no client's is the agency's own, its id below zero."""
        client_id: int | None = instance.client_id  # type: ignore[attr-defined]  # every sealed row has it
        if client_id is None:
            client_id = -instance.agency_id  # type: ignore[attr-defined]  # every sealed row has it
        return Place(client_id, self.model._meta.db_table, self.name, instance.pk)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if isinstance(value, Sealed):
            value = value.blob
        if value is not None and (not isinstance(value, bytes) or value[:1] != b"\x01"):
            raise TypeError(f"{self.name} takes sealed bytes.")
        return super().get_db_prep_value(value, connection, prepared)

    def get_lookup(self, lookup_name: str) -> Any:
        return IsNull if lookup_name == "isnull" else None

    def value_to_string(self, obj: models.Model) -> str:
        return "•••"


# --- Small secrets inside a column of somebody else's --------------------------------------------------------------


def close_secret(text: str) -> str:
    """Seal a small secret under the newest master key, for a column that a library keeps: seeds of second factors."""
    return str(library.encrypt_str(text).decode())


def open_secret(text: str) -> str:
    """
    Open what `close_secret` sealed.

    :raises SealBrokenError: it does not open under FIELD_ENCRYPTION_KEY.
    """
    try:
        return str(library.decrypt_str(text))
    except InvalidToken:
        raise SealBrokenError("A small secret does not open under FIELD_ENCRYPTION_KEY.") from None


def is_behind(sealed: str | None) -> bool:
    """Whether an older master key than the newest has sealed a small secret; False where there is none."""
    if sealed is None:
        return False
    try:
        Fernet(settings.FIELD_ENCRYPTION_KEY[0]).decrypt(sealed.encode())
    except InvalidToken:
        return True
    return False
