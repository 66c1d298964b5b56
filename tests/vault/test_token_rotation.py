"""
Another token key, while everybody works: numbers are found before, during and after; nobody becomes two people, and
who said no or was erased is known all along.
"""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callprivacy.vault import selectors, services
from callprivacy.vault.models import Caller, ClientKey, ListedNumber, Suppression, Tombstone
from callprivacy.vault.sealing import TokenKey, new_key
from callprivacy.vault.services import Erasure, keys, noes
from tests.aside import Aside
from tests.make import NOON
from tests.scale import times

C, HOLDER = 7, -1
ENDS, TODAY = date(2031, 1, 1), NOON.date()
NUMBERS = [f"+121255501{n:02}" for n in range(40)]
ANNA, BEN, CARA, DORA = NUMBERS[:4]
LIST = uuid.UUID(int=5)

commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client_id(db: None) -> int:
    services.create_client_keys(client_id=C, agency_id=1, at=NOON)
    return C


def ensure(*numbers: str) -> dict[str, uuid.UUID]:
    return services.ensure_callers(client_id=C, numbers=numbers, at=NOON)


def refuse(*numbers: str) -> int:
    return services.suppress(client_id=C, numbers=numbers, purposes=["call"], at=NOON)


def entomb(number: str) -> uuid.UUID:
    caller_id = ensure(number)[number]
    services.erase_callers(client_id=C, erasures=[Erasure(caller_id, NOON, ENDS)], at=NOON)
    return caller_id


def start(client_id: int = C) -> int:
    return services.start_token_key(client_id=client_id, at=NOON)


def rotate(client_id: int = C, *, limit: int = 3, list_ids: tuple[uuid.UUID, ...] = ()) -> None:
    start(client_id)
    for _ in services.retoken_client(client_id=client_id, limit=limit, list_ids=list_ids):
        pass
    assert services.settle_tokens(client_id=client_id, list_ids=list_ids)


def forms() -> set[int]:
    return {
        form
        for model in (Caller, Tombstone, Suppression)
        for form in model._default_manager.filter(client_id=C).values_list("token_generation", flat=True)
    }


# --- the chain ---


def test_a_chain_of_one_key_is_that_key() -> None:
    key = new_key()
    assert TokenKey(key).forms(ANNA) == [TokenKey(key).token(ANNA)]
    assert not TokenKey(key).is_changing


@given(st.integers(min_value=1, max_value=6), st.data())
def test_every_form_leads_to_the_newest(length: int, data: st.DataObject) -> None:
    keys = [new_key() for _ in range(length)]
    oldest = data.draw(st.integers(min_value=1, max_value=length))
    chain = TokenKey(*keys, oldest=oldest)
    forms = chain.forms(ANNA)
    assert forms[0] == chain.token(ANNA)
    assert len(set(forms)) == length - oldest + 1
    for form, token in zip(range(length, oldest - 1, -1), forms, strict=True):
        assert chain.advance(token, form) == chain.token(ANNA)
        assert TokenKey(*keys[:form]).token(ANNA) == token


def test_digests_do_not_change_with_the_chain() -> None:
    first = new_key()
    assert TokenKey(first, new_key(), oldest=2).digest("a", "b") == TokenKey(first).digest("a", "b")


# --- before, during, after ---


def everything_is_found(
    ids: dict[str, uuid.UUID], refused: set[str], erased: set[str], numbers: list[str] = NUMBERS
) -> None:
    keys = selectors.client_keys(C)
    assert selectors.ids_of_numbers(keys, numbers) == ids
    assert {number: selectors.find_callers([C], number).get(C) for number in numbers} == {
        number: ids.get(number) for number in numbers
    }
    assert selectors.suppressed(C, numbers, on=TODAY).keys() == refused
    known = selectors.known_numbers(keys, numbers, on=TODAY)
    assert {number for number, one in known.items() if one.noes} == refused
    assert {number: one.caller_id for number, one in known.items() if one.caller_id} == ids
    assert selectors.erased_up_to(C, numbers).keys() == erased
    assert {number for number in numbers if selectors.tombstones([C], number)} == erased
    of_callers = {ids[number] for number in refused if number in ids}
    assert set(selectors.callers_who_refused(C, "call", on=TODAY)) == of_callers
    assert selectors.suppressed_callers(C, list(ids.values()), on=TODAY).keys() == of_callers


def test_everything_is_found_before_after_each_step_and_after(client_id: int) -> None:
    erased = {ANNA, BEN, CARA}
    for number in erased:
        entomb(number)
    ids = ensure(*NUMBERS[2:20])  # one of the erased came back
    refused = {ANNA, *NUMBERS[5:9], *NUMBERS[30:33]}
    refuse(*refused)
    everything_is_found(ids, refused, erased)
    for turn in range(1, times(2, 3) + 1):
        assert start() == turn + 1
        everything_is_found(ids, refused, erased)
        for moved in services.retoken_client(client_id=C, limit=4):
            assert moved
            everything_is_found(ids, refused, erased)
        everything_is_found(ids, refused, erased)
        assert services.settle_tokens(client_id=C)
        everything_is_found(ids, refused, erased)
        assert forms() == {turn + 1}


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            ["meet", "refuse", "refuse_caller", "lift", "erase", "step", "start", "settle", "new_key"]
        ),
        st.integers(min_value=0, max_value=5),
    ),
    max_size=times(25, 40),
)


@pytest.mark.thorough
@settings(
    max_examples=times(15, 60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DEEDS)
def test_whatever_happens_meanwhile_everything_is_found(client_id: int, deeds: list[tuple[str, int]]) -> None:
    with transaction.atomic(using="vault"):
        _act(deeds)
        transaction.set_rollback(True, using="vault")


class Story:
    """What happened to a few numbers, and what has to be so."""

    def __init__(self) -> None:
        self.ids: dict[str, uuid.UUID] = {}
        self.refused: set[str] = set()
        self.erased: set[str] = set()
        self.steps: Iterator[int] = iter(())

    def meet(self, number: str) -> None:
        found = ensure(number)
        assert self.ids.setdefault(number, found[number]) == found[number]

    def refuse(self, number: str) -> None:
        assert refuse(number) == (number not in self.refused)
        self.refused.add(number)

    def refuse_caller(self, number: str) -> None:
        if number in self.ids:
            services.suppress_callers(client_id=C, caller_ids=[self.ids[number]], purposes=["call"], at=NOON)
            self.refused.add(number)

    def lift(self, number: str) -> None:
        if number in self.ids:
            lifted = services.lift_suppressions(client_id=C, caller_id=self.ids[number], purposes=["call"])
            assert lifted == (number in self.refused)
            self.refused.discard(number)

    def erase(self, number: str) -> None:
        if number in self.ids:
            gone = Erasure(self.ids.pop(number), NOON, ENDS)
            services.erase_callers(client_id=C, erasures=[gone], at=NOON)
            self.erased.add(number)

    def start(self, _: str) -> None:
        start()

    def step(self, _: str) -> None:
        if next(self.steps, None) is None:
            self.steps = services.retoken_client(client_id=C, limit=1)

    def settle(self, _: str) -> None:
        services.settle_tokens(client_id=C)

    def new_key(self, _: str) -> None:
        services.start_generation(client_id=C, at=NOON)
        services.rewrap_client(client_id=C, limit=1)

    def holds(self) -> None:
        # Those that the deeds are about, and two whom nobody knows.
        everything_is_found(self.ids, self.refused, self.erased, NUMBERS[:8])
        assert Suppression.objects.filter(client_id=C).count() == len(self.refused)


def _act(deeds: list[tuple[str, int]]) -> None:
    story = Story()
    for deed, index in deeds:
        getattr(story, deed)(NUMBERS[index])
        story.holds()
    for _ in services.retoken_client(client_id=C, limit=2):
        pass
    assert services.settle_tokens(client_id=C)
    story.holds()


def test_nothing_starts_while_rows_are_left_and_nothing_settles(client_id: int) -> None:
    ensure(*NUMBERS[:5])
    refuse(DORA)
    assert start() == start() == 2
    next(services.retoken_client(client_id=C, limit=2))  # killed here
    assert start() == 2
    assert services.settle_tokens(client_id=C) is False
    assert sum(services.retoken_client(client_id=C, limit=2)) == 3
    assert services.settle_tokens(client_id=C) is True
    assert start() == 3


def test_once_settled_the_former_form_is_not_asked_for(client_id: int) -> None:
    ensure(ANNA)
    rotate()
    assert len(selectors.client_keys(C).tokens.forms(ANNA)) == 1
    assert ClientKey.objects.get(client_id=C).token_oldest == 2


def test_a_client_without_rows_has_another_key_at_once(client_id: int) -> None:
    rotate()
    assert selectors.client_keys(C).tokens.newest == 2
    assert list(services.retoken_client(client_id=C, limit=2)) == []


def test_the_age_of_the_token_key_outlives_a_rotation_of_the_clients_key(client_id: int) -> None:
    later = NOON + timedelta(days=9)
    services.start_generation(client_id=C, at=later)
    assert services.retire_generations(client_id=C) == 1
    row = ClientKey.objects.get(client_id=C)
    assert (row.created_at, row.token_made_at) == (later, NOON)
    assert services.start_token_key(client_id=C, at=later) == 2
    assert ClientKey.objects.get(client_id=C).token_made_at == later


def test_both_keys_of_a_client_can_change_at_once(client_id: int) -> None:
    ids = ensure(*NUMBERS[:6])
    services.start_generation(client_id=C, at=NOON)
    services.rewrap_client(client_id=C, limit=2)
    start()
    next(services.retoken_client(client_id=C, limit=2))
    ids |= ensure(*NUMBERS[6:8])
    for steps in (
        services.rewrap_client_whole(client_id=C, limit=2),
        services.retoken_client(client_id=C, limit=2),
    ):
        assert all(steps)
    assert services.retire_generations(client_id=C) == 1
    assert services.settle_tokens(client_id=C)
    everything_is_found(ids, set(), set())
    assert selectors.content_keys({C: ids.values()}).keys() == set(ids.values())


# --- registers ---


def listed(*numbers: str) -> dict[str, date | None]:
    keys = selectors.client_keys(HOLDER)
    return {number: on[0][1] for number, on in selectors.listed_numbers(keys, [LIST], numbers).items()}


def test_registers_of_an_agency_are_found_while_its_token_key_changes(db: None) -> None:
    services.create_client_keys(client_id=HOLDER, agency_id=1, at=NOON)
    services.list_numbers(holder_id=HOLDER, list_id=LIST, numbers=dict.fromkeys(NUMBERS[:9], TODAY))
    start(HOLDER)
    steps = services.retoken_client(client_id=HOLDER, limit=2, list_ids=[LIST])
    for taken in range(3):
        assert listed(*NUMBERS) == dict.fromkeys(NUMBERS[: 9 + taken], TODAY)
        assert next(steps) == 2
        again = dict.fromkeys([NUMBERS[taken], NUMBERS[9 + taken]], TODAY)
        assert services.list_numbers(holder_id=HOLDER, list_id=LIST, numbers=again) == 1
    assert all(steps)
    assert services.settle_tokens(client_id=HOLDER, list_ids=[LIST])
    assert listed(*NUMBERS) == dict.fromkeys(NUMBERS[:12], TODAY)
    assert ListedNumber.objects.count() == 12
    assert set(ListedNumber.objects.values_list("token_generation", flat=True)) == {2}


def test_registers_move_by_themselves(db: None) -> None:
    services.create_client_keys(client_id=HOLDER, agency_id=1, at=NOON)
    services.list_numbers(holder_id=HOLDER, list_id=LIST, numbers=dict.fromkeys(NUMBERS))
    start(HOLDER)
    assert not services.settle_tokens(client_id=HOLDER, list_ids=[LIST])
    assert list(services.retoken_client(client_id=HOLDER, limit=15, list_ids=[LIST])) == [15, 15, 10]
    assert services.settle_tokens(client_id=HOLDER, list_ids=[LIST])
    assert listed(*NUMBERS).keys() == set(NUMBERS)
    assert selectors.count_tokens(HOLDER, [LIST]) == 40


# --- who read the keys before ---


@pytest.fixture
def stale(client_id: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the next reader of the keys get those from before a change that has moved every row since."""

    def turn_stale(move: bool = True) -> None:
        early, read = selectors.client_keys(C), selectors.client_keys
        many = selectors.many_client_keys
        start()
        for _ in services.retoken_client(client_id=C, limit=9) if move else ():
            pass
        if move:
            assert services.settle_tokens(client_id=C)
        answers: list[Any] = [early]
        monkeypatch.setattr(selectors, "client_keys", lambda of: answers.pop() if answers else read(of))
        monkeypatch.setattr(
            selectors,
            "many_client_keys",
            lambda of: {C: answers.pop()} if answers else many(of),
        )

    return turn_stale


LOOKS: dict[str, Callable[[], object]] = {
    "find": lambda: selectors.find_callers([C], ANNA),
    "suppressed": lambda: selectors.suppressed(C, [BEN], on=TODAY),
    "erased": lambda: selectors.erased_up_to(C, [CARA]),
    "tombstones": lambda: selectors.tombstones([C], CARA),
    "known": lambda: selectors.known_numbers(selectors.client_keys(C), [ANNA], on=TODAY),
    "known no": lambda: selectors.known_numbers(selectors.client_keys(C), [BEN], on=TODAY),
}


@pytest.mark.parametrize("look", LOOKS)
def test_who_read_the_keys_before_a_change_still_finds(stale: Callable[..., None], look: str) -> None:
    ensure(ANNA)
    refuse(BEN)
    entomb(CARA)
    before = LOOKS[look]()
    assert before
    stale()
    assert LOOKS[look]() == before


@pytest.mark.parametrize("move", [True, False])
def test_who_read_the_keys_before_a_change_writes_under_the_new_ones(
    stale: Callable[..., None], move: bool
) -> None:
    ids = ensure(ANNA)
    stale(move)
    assert ensure(ANNA, BEN)[ANNA] == ids[ANNA]
    assert Caller.objects.count() == 2
    assert services.start_token_key(client_id=C, at=NOON) == (3 if move else 2)


def test_a_batch_of_calls_under_keys_from_before_makes_nobody_twice(stale: Callable[..., None]) -> None:
    ids = ensure(ANNA)
    refuse(BEN)
    stale(False)
    recording = uuid.uuid4()
    issued = services.issue_keys(client_id=C, numbers=[ANNA, BEN], recordings=[(recording, BEN)], at=NOON)
    assert issued.callers[ANNA] == ids[ANNA]
    assert issued.fresh == {BEN}
    assert selectors.suppressed_callers(C, [issued.callers[BEN]], on=TODAY)


def test_a_no_under_keys_from_before_is_one_no(stale: Callable[..., None]) -> None:
    ensure(ANNA)
    refuse(ANNA, BEN)
    stale(False)
    assert refuse(ANNA, BEN, CARA) == 1
    assert Suppression.objects.count() == 3


# --- at once ---


@commits
def test_a_change_waits_for_who_writes_and_who_comes_later_writes_in_the_new_form(client_id: int) -> None:
    with transaction.atomic(using="vault"):
        keys.hold_keys(selectors.client_keys(C))
        change = Aside(start)
        assert change.is_waiting()
    assert change.end() == 2
    ensure(ANNA)
    assert Caller.objects.get().token_generation == 2


@pytest.mark.thorough
@commits
def test_two_who_meet_a_number_during_a_change_make_one_caller(client_id: int) -> None:
    known = ensure(*NUMBERS[:20])
    refuse(*NUMBERS[10:30])
    stop = threading.Event()
    seen: list[dict[str, uuid.UUID]] = []

    def again(deed: Callable[[], object]) -> Aside:
        def run() -> None:
            while not stop.is_set():
                deed()

        return Aside(run)

    asides = [
        again(lambda: seen.append(ensure(*NUMBERS))),
        again(lambda: seen.append(ensure(*NUMBERS[::-1]))),
        again(lambda: services.issue_keys(client_id=C, numbers=NUMBERS, recordings=[], at=NOON)),
        again(lambda: refuse(*NUMBERS[5:25])),
        again(lambda: refuse(*NUMBERS[5:25])),
    ]
    for _ in range(5):
        start()
        while not services.settle_tokens(client_id=C):
            for _ in services.retoken_client(client_id=C, limit=3):
                pass
    stop.set()
    for aside in asides:
        aside.end()
    assert Caller.objects.count() == len(NUMBERS)
    assert Suppression.objects.count() == 25
    assert all(one == seen[0] for one in seen)
    assert seen[0].items() >= known.items()
    assert forms() == {6}
    everything_is_found(seen[0], set(NUMBERS[5:30]), set())


@pytest.mark.thorough
@commits
def test_who_brings_noes_to_the_new_form_waits_for_who_does_before_holding_any(client_id: int) -> None:
    """Two who wait for each other's rows in two orders would wait without end."""
    refuse(ANNA, BEN)
    start()
    with transaction.atomic(using="vault"):
        noes.bring_noes_along(selectors.client_keys(C), [ANNA])
        other = Aside(lambda: refuse(BEN))
        assert other.is_waiting()
        free = Suppression.objects.filter(token_generation=1).select_for_update(nowait=True)
        assert len(free) == 1
    assert other.end() == 0
    assert {one.token_generation for one in Suppression.objects.all()} == {2}


def held_up(*deeds: Callable[[], object], by: Callable[[], object]) -> list[object]:
    """Start deeds one after the other while somebody holds what they want, so that each has begun; their ends."""
    with transaction.atomic(using="vault"):
        by()
        asides = []
        for deed in deeds:
            asides.append(Aside(deed))
            time.sleep(0.3)
    return [aside.end() for aside in asides]


def a_no_for(*purposes: str) -> int:
    return services.suppress(client_id=C, numbers=[ANNA], purposes=purposes, at=NOON)


@commits
def test_who_lifts_noes_and_who_writes_them_hold_them_in_one_order(client_id: int) -> None:
    """The rows lie in the other order than that of their purposes; each of the two begins with the same one."""
    caller_id = ensure(ANNA)[ANNA]
    for purpose in ("record", "contact", "analyse"):
        a_no_for(purpose)

    def first() -> None:
        list(Suppression.objects.select_for_update().filter(purpose="contact"))

    ends = held_up(
        lambda: a_no_for("analyse", "contact", "record"),
        lambda: services.lift_suppressions(
            client_id=C, caller_id=caller_id, purposes=["record", "contact", "analyse"]
        ),
        by=first,
    )
    assert ends == [0, 3]


@pytest.mark.thorough
@commits
def test_two_who_add_the_same_callers_in_two_orders_both_end(client_id: int) -> None:
    """PostgreSQL would end one of them where each had added what the other one adds next."""
    middle = NUMBERS[20]
    ends = held_up(lambda: ensure(*NUMBERS), lambda: ensure(*NUMBERS[::-1]), by=lambda: ensure(middle))
    assert ends[0] == ends[1]
    assert Caller.objects.count() == len(NUMBERS)


@commits
def test_erasures_during_changes_leave_tombstones_that_are_found(client_id: int) -> None:
    ids = ensure(*NUMBERS)
    left = iter(list(ids.items()))

    def erase() -> None:
        for _, caller_id in itertools.islice(left, 20):
            services.erase_callers(client_id=C, erasures=[Erasure(caller_id, NOON, ENDS)], at=NOON)

    erasing = Aside(erase)
    for _ in range(4):
        start()
        while not services.settle_tokens(client_id=C):
            for _ in services.retoken_client(client_id=C, limit=2):
                pass
    erasing.end()
    rotate()
    everything_is_found(dict(list(ids.items())[20:]), set(), set(NUMBERS[:20]))


@commits
def test_a_held_caller_is_passed_over_and_met_again(client_id: int) -> None:
    ids = ensure(ANNA, BEN)
    refuse(ANNA)
    start()
    with services.hold_callers(client_id=C, caller_ids=[ids[ANNA]]):
        steps = Aside(lambda: list(itertools.islice(services.retoken_client(client_id=C, limit=5), 3)))
        assert steps.end() == [1, 0, 0]
        assert not services.settle_tokens(client_id=C)
        everything_is_found(ids, {ANNA}, set())
    assert list(services.retoken_client(client_id=C, limit=5)) == [1]
    assert services.settle_tokens(client_id=C)


@commits
def test_a_yes_waits_for_the_move_of_the_no_and_then_lifts_it(client_id: int) -> None:
    caller_id = ensure(ANNA)[ANNA]
    refuse(ANNA)
    start()
    with transaction.atomic(using="vault"):
        assert next(services.retoken_client(client_id=C, limit=1)) == 1
        lifting = Aside(
            lambda: services.lift_suppressions(client_id=C, caller_id=caller_id, purposes=["call"])
        )
        assert lifting.is_waiting()
    assert lifting.end() == 1
    assert not Suppression.objects.exists()


@pytest.mark.thorough
@commits
def test_a_step_that_was_cut_off_has_moved_nothing(client_id: int) -> None:
    ids = ensure(*NUMBERS[:6])
    start()
    with transaction.atomic(using="vault"):
        next(services.retoken_client(client_id=C, limit=3))
        assert forms() == {1, 2}
        transaction.set_rollback(True, using="vault")
    connections["vault"].close()
    assert forms() == {1}
    everything_is_found(ids, set(), set())
    rotate()
    everything_is_found(ids, set(), set())
