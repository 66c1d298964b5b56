"""Sealed values moved about and damaged, many times: each raises, and none gives a byte of anything."""

import random
import uuid

import pytest

from callprivacy.vault.sealing import Key, Place, SealBrokenError, TokenKey, new_key
from tests.scale import tell, times

CELLS = [
    (client, table, column, row)
    for client in (1, 2, 11)
    for table in ("calls_caller", "calls_recording", "consent_reply")
    for column in ("number", "name", "reference")
    for row in (uuid.UUID(int=1), uuid.UUID(int=2), 1, "1")
]


def test_a_value_opens_in_no_other_cell_and_under_no_other_key() -> None:
    chance = random.Random(18)
    keys = [Key(new_key()) for _ in range(4)]
    tries = times(2000, 40_000)
    for number in range(tries):
        here, there = chance.sample(CELLS, 2)
        key = chance.choice(keys)
        sealed = key.seal(b"+12125550142", Place(*here))
        other = chance.choice([one for one in keys if one is not key]) if number % 3 == 0 else key
        if other is key and (str(here[3]), here[:3]) == (str(there[3]), there[:3]):
            continue
        with pytest.raises(SealBrokenError) as said:
            other.unseal(sealed, Place(*(here if other is not key else there)))
        assert "2125550142" not in str(said.value)
    tell(tries, "values moved to another cell or key raised")


def test_any_flipped_bit_raises() -> None:
    chance, key, place = random.Random(19), Key(new_key()), Place(1, "calls_caller", "number", 7)
    tries = times(2000, 40_000)
    for _ in range(tries):
        sealed = bytearray(key.seal(chance.randbytes(chance.randrange(40)), place))
        sealed[chance.randrange(len(sealed))] ^= 1 << chance.randrange(8)
        with pytest.raises(SealBrokenError):
            key.unseal(bytes(sealed), place)
    tell(tries, "flipped bits raised")


def test_equal_numbers_are_unequal_at_two_clients() -> None:
    chance, one, two = random.Random(20), TokenKey(new_key()), TokenKey(new_key())
    numbers = {f"+1{chance.randrange(2_000_000_000, 9_999_999_999)}" for _ in range(times(2000, 50_000))}
    ours, theirs = {one.token(number) for number in numbers}, {two.token(number) for number in numbers}
    assert len(ours) == len(theirs) == len(numbers)
    assert not ours & theirs
