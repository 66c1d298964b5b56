"""A sealed value opens under its key, in its place, undamaged, and in no other case; it prints as a mask."""

import copy
import json
import pickle
import traceback
import uuid
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connections, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Lower
from django.test.utils import isolate_apps
from encrypted_model_fields import fields as library
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.calls.models import Caller
from callprivacy.lib.scope import NoScopeError
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import checks, sealing, selectors, services
from callprivacy.vault.fields import Sealed, StrictEncryptedField
from callprivacy.vault.models import ClientKey
from callprivacy.vault.sealing import Key, Place, SealBrokenError, TokenKey, new_key
from tests import make
from tests.make import NOON

NUMBER = "+12125550142"
PLACE = Place(7, "calls_caller", "number", uuid.UUID(int=1))
KEY = Key(new_key())


def test_it_opens_in_its_place_and_never_looks_the_same_twice() -> None:
    first, second = KEY.seal(b"plain", PLACE), KEY.seal(b"plain", PLACE)
    assert first != second
    assert KEY.unseal(first, PLACE) == KEY.unseal(second, PLACE) == b"plain"
    assert len(first) == len(b"plain") + 29
    assert b"plain" not in first


@given(plain=st.binary(max_size=64))
def test_any_flipped_bit_at_every_byte_raises(plain: bytes) -> None:
    sealed = KEY.seal(plain, PLACE)
    for position in range(len(sealed)):
        for bit in (0, 3, 7):
            broken = bytearray(sealed)
            broken[position] ^= 1 << bit
            with pytest.raises(SealBrokenError):
                KEY.unseal(bytes(broken), PLACE)


@given(cut=st.integers(min_value=1, max_value=33))
def test_a_value_that_was_cut_or_grew_raises(cut: int) -> None:
    sealed = KEY.seal(b"plain", PLACE)
    for broken in (sealed[:-cut], sealed[cut:], sealed + b"\0" * cut, b"plain", b""):
        with pytest.raises(SealBrokenError):
            KEY.unseal(broken, PLACE)


@pytest.mark.parametrize(
    "place",
    [
        Place(8, PLACE.table, PLACE.column, PLACE.row),
        Place(7, "calls_recording", PLACE.column, PLACE.row),
        Place(7, PLACE.table, "name", PLACE.row),
        Place(7, PLACE.table, PLACE.column, uuid.UUID(int=2)),
        Place(7, PLACE.table, PLACE.column, str(uuid.UUID(int=1)) + " "),
        Place(7, "calls", "caller\nnumber", PLACE.row),
    ],
)
def test_in_any_other_place_it_raises(place: Place) -> None:
    with pytest.raises(SealBrokenError):
        KEY.unseal(KEY.seal(b"plain", PLACE), place)


def test_under_any_other_key_it_raises_and_the_error_says_nothing_of_it() -> None:
    sealed = KEY.seal(NUMBER.encode(), PLACE)
    with pytest.raises(SealBrokenError) as broken:
        Key(new_key()).unseal(sealed, PLACE)
    said = "".join(traceback.format_exception(broken.value))
    assert NUMBER not in said
    assert sealed.hex() not in said
    assert broken.value.__cause__ is None


def test_a_key_has_its_length_and_is_neither_printed_nor_stored() -> None:
    with pytest.raises(SealBrokenError):
        Key(b"short")
    for key in (KEY, TokenKey(new_key())):
        assert repr(key) in {"<Key>", "<TokenKey>"}
        for store in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                store(key)


def test_what_is_remembered_of_tokens_has_an_end_and_changes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_REMEMBERED", 2)
    key, numbers = TokenKey(raw := new_key()), [f"+1212555014{digit}" for digit in range(5)]
    assert [key.token(number) for number in numbers] == [TokenKey(raw).token(number) for number in numbers]
    assert list(key._made) == numbers[4:]


def test_tokens_meet_within_a_client_and_never_across() -> None:
    mine, theirs = new_key(), new_key()
    assert TokenKey(mine).token(NUMBER) == TokenKey(mine).token(NUMBER)
    assert TokenKey(mine).token(NUMBER) != TokenKey(theirs).token(NUMBER)
    assert TokenKey(mine).digest(NUMBER) != TokenKey(mine).token(NUMBER)
    assert TokenKey(mine).digest("a", "b") != TokenKey(mine).digest("a\0b", "") != TokenKey(mine).digest("ab")


# --- what is printed ---


def prints(value: Any) -> list[str]:
    return [
        str(value),
        repr(value),
        f"{value}",
        f"{value!r:>10}",
        "%s" % value,  # noqa: UP031  (the very format that is tried)
        format(value, ">40"),
        repr([value]),
        repr({"number": value}),
    ]


def test_whatever_prints_it_prints_the_mask() -> None:
    sealed = Sealed(KEY.seal(NUMBER.encode(), PLACE), PLACE)
    for printed in prints(sealed):
        assert "•••" in printed
        assert sealed.blob.hex() not in printed
        assert NUMBER not in printed
    for store in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            store(sealed)


def test_outside_a_scope_it_stays_shut() -> None:
    with pytest.raises(NoScopeError):
        Sealed(KEY.seal(b"x", PLACE), PLACE).reveal(KEY)


@pytest.mark.django_db
def test_a_sealed_column_opens_through_reveal_alone() -> None:
    agency = make.agency("Acme")
    dentist = make.client(agency, "Dentist")
    call = make.call(dentist, NUMBER)
    other = make.call(dentist, "+12125550143")
    assert call.caller_id is not None
    assert other.caller_id is not None
    keys = selectors.content_keys({dentist.pk: [call.caller_id, other.caller_id]})
    with job_scope(agency_id=agency.pk):
        row = Caller.objects.get(pk=call.caller_id)
        assert row.number.reveal(keys[row.pk]) == NUMBER
        with pytest.raises(SealBrokenError):
            row.number.reveal(keys[other.caller_id])
        for printed in (*prints(row.number), serializers.serialize("json", [row]), str(row), repr(row)):
            assert NUMBER not in printed
            assert row.number.blob.hex() not in printed
        stolen = Caller.objects.get(pk=other.caller_id)
        stolen.number = row.number
        stolen.save(update_fields=["number"])
        with pytest.raises(SealBrokenError):
            Caller.objects.get(pk=stolen.pk).number.reveal(keys[row.pk])
        with pytest.raises(TypeError, match="sealed bytes"), transaction.atomic():
            Caller.objects.filter(pk=row.pk).update(number=NUMBER.encode())
        with pytest.raises(FieldError):
            Caller.objects.filter(number=row.number).exists()
        with pytest.raises(FieldError):
            Caller.objects.filter(number__contains=b"1").exists()
        assert Caller.objects.filter(number__isnull=False).count() == 2


# --- small secrets under the master key ---


@pytest.fixture
def stored() -> ClientKey:
    services.create_client_keys(client_id=7, agency_id=1, at=NOON)
    return ClientKey.objects.get(client_id=7)


def raw(row: ClientKey) -> str:
    with connections["vault"].cursor() as cursor:
        cursor.execute("SELECT key FROM vault_clientkey WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_small_secret_is_ciphertext_at_rest(stored: ClientKey) -> None:
    assert stored.key not in raw(stored)
    assert len(bytes.fromhex(stored.key)) == 32


@pytest.mark.django_db
def test_a_wrong_master_key_raises_and_gives_no_ciphertext(
    stored: ClientKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.fernet import MultiFernet

    before = raw(stored)
    monkeypatch.setattr(library, "CRYPTER", MultiFernet([Fernet(Fernet.generate_key())]))
    with pytest.raises(SealBrokenError, match="does not open under FIELD_ENCRYPTION_KEY"):
        ClientKey.objects.get(pk=stored.pk)
    with pytest.raises(SealBrokenError):
        selectors.client_keys(7)
    assert raw(stored) == before


@pytest.mark.django_db
def test_plain_text_in_the_column_raises(stored: ClientKey) -> None:
    with connections["vault"].cursor() as cursor:
        cursor.execute("UPDATE vault_clientkey SET key = 'plain' WHERE id = %s", [stored.pk])
    with pytest.raises(SealBrokenError):
        ClientKey.objects.get(pk=stored.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [F("token_key"), Value("x"), Lower("token_key"), b"bytes", 5])
def test_an_expression_or_anything_but_text_is_refused(stored: ClientKey, value: object) -> None:
    before = raw(stored)
    with pytest.raises((TypeError, FieldError)), transaction.atomic(using="vault"):
        ClientKey.objects.filter(pk=stored.pk).update(key=value)
    stored.key = value  # type: ignore[assignment]  # what must be refused
    with pytest.raises((TypeError, FieldError)), transaction.atomic(using="vault"):
        stored.save(update_fields=["key"])
    assert raw(stored) == before


@pytest.mark.django_db
def test_a_bulk_update_keeps_a_secret_that_opens(stored: ClientKey) -> None:
    wanted = new_key().hex()
    stored.key = wanted  # type: ignore[assignment]  # what must be refused
    try:
        ClientKey.objects.bulk_update([stored], ["key"])
    except TypeError:
        return
    assert ClientKey.objects.get(pk=stored.pk).key == wanted


@pytest.mark.django_db
def test_only_isnull_can_be_asked(stored: ClientKey) -> None:
    assert ClientKey.objects.filter(key__isnull=False).exists()
    for lookup in ("key", "key__in", "key__startswith", "key__gt"):
        with pytest.raises(FieldError):
            ClientKey.objects.filter(**{lookup: stored.key}).exists()


@pytest.mark.django_db
def test_pasting_a_ciphertext_reveals_nothing(stored: ClientKey) -> None:
    field = StrictEncryptedField()
    assert field.to_python(raw(stored)) == raw(stored)


def test_the_librarys_own_field_is_refused_by_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    with isolate_apps("callprivacy.vault"):

        class Loose(models.Model):
            """Keeps a secret the loose way."""

            secret = library.EncryptedCharField(max_length=9)

            class Meta:
                app_label = "vault"

            def __str__(self) -> str:
                return ""

    assert checks.only_strict_fields() == []
    monkeypatch.setattr(apps, "get_models", lambda: [Loose, ClientKey])
    assert [found.id for found in checks.only_strict_fields()] == ["vault.E001"]
