"""The telephone menu in thought: every key, silence and hang-up, and never a recording before key 1."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.tenancy.models import Client
from consent import menu
from consent.channels import texts
from consent.enums import Channel, EventKind, Language, Purpose, Scope
from consent.menu import Ask, Dial, HangUp, Line, Plan, Record, Say, State, Step, StopRecording, Turn, Write
from consent.selectors import wording
from tests.scale import some

EN, ES = Language.ENGLISH, Language.SPANISH
FULL = Plan(EN, other=ES, has_person=True)
PLANS = [Plan(), Plan(ES), Plan(EN, other=ES), Plan(ES, other=EN, has_person=True), FULL]
WORDS = {
    EN: "Acme Dental would like to record and monitor this call.",
    ES: "Nos gustaría grabar esta llamada.",
}
REFUSED = Write(EventKind.REFUSED)
GIVEN = Write(EventKind.GIVEN)
NOTICED = Write(EventKind.NOTICED)
NEVER = Write(EventKind.WITHDRAWN, Scope.STANDING)


def last(inputs: str, plan: Plan = FULL, *, known: bool = True, never: bool = False) -> Turn:
    return menu.follow(plan, inputs, known=known, never=never).turns[-1]


def records(path: menu.Path) -> bool:
    return any(isinstance(action, Record) for turn in path.turns for action in turn.actions)


# --- Everything that can happen ---


@pytest.mark.parametrize("plan", PLANS)
def test_no_path_does_anything_wrong(plan: Plan) -> None:
    assert menu.faults(plan) == []


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("known", [True, False])
def test_a_path_that_records_has_key_1_before_it_and_none_other_does(plan: Plan, known: bool) -> None:
    paths = list(menu.walk(plan, depth=12, known=known))
    assert sum(map(records, paths)) > 0
    for path in paths:
        if records(path):
            first = next(
                at for at, turn in enumerate(path.turns) if any(isinstance(a, Record) for a in turn.actions)
            )
            assert path.inputs[first] == "1"
        elif "1" not in path.inputs:
            assert not any(GIVEN in turn.actions for turn in path.turns)


def test_the_walk_meets_every_input_in_every_state() -> None:
    seen = {(path.before, path.inputs[-1]) for path in menu.walk(FULL, depth=12)}
    states = {state for state, _ in seen}
    assert {state.step for state in states} == set(Step)
    assert {state.asked for state in states} == set(range(menu.ASKED_AT_MOST + 1))
    assert {state.language for state in states} == {EN, ES}
    assert seen == {(state, happened) for state in states for happened in menu.INPUTS}


def test_the_walk_stops_at_its_depth() -> None:
    assert {len(path.inputs) for path in menu.walk(FULL, depth=3)} == {1, 2, 3}


@given(st.text(menu.INPUTS, max_size=30), st.booleans(), st.booleans())
def test_whatever_comes_nothing_records_without_key_1(inputs: str, known: bool, never: bool) -> None:
    path = menu.follow(FULL, inputs, known=known, never=never)
    if records(path):
        assert "1" in inputs
        assert not never
    assert sum(isinstance(action, Record) for turn in path.turns for action in turn.actions) <= 1


def _on(happened: str, change: Callable[[Turn], Turn], where: Step = Step.ASKED) -> menu.Machine:
    def faulty(plan: Plan, state: State, what: str) -> Turn:
        turn = menu.step(plan, state, what)
        return change(turn) if what == happened and state.step is where else turn

    return faulty


def _first(turn: Turn) -> Turn:
    return replace(turn, actions=(Record(), *turn.actions))


def _without(*kinds: type) -> Callable[[Turn], Turn]:
    return lambda turn: replace(turn, actions=tuple(a for a in turn.actions if not isinstance(a, kinds)))


@pytest.mark.parametrize(
    ("machine", "fault"),
    [
        (_on("2", _first), "A recording starts without key 1"),
        (_on("t", _first), "A recording starts without key 1"),
        (_on("c", _first, Step.START), "A recording starts without key 1"),
        (_on("1", _first, Step.RECORDED), "A recording starts without key 1"),
        (_on("1", _first), "A recording starts before consent is saved"),
        (_on("1", _without(Record)), "A call counts as recorded though no recording was started"),
        (
            _on("2", lambda turn: replace(turn, actions=(GIVEN, *turn.actions))),
            "Consent is saved without key 1",
        ),
        (_on("w", _without(StopRecording), Step.RECORDED), "A withdrawal does not stop the recording"),
        (_on("t", _without(Write)), "A call continues and no refusal is saved"),
        (_on("h", _without(Write)), "A call continues and no refusal is saved"),
        (
            _on("9", lambda turn: replace(turn, actions=tuple(a for a in turn.actions if a != NEVER))),
            "Key 9 saves no withdrawal for all calls",
        ),
        (
            _on("2", lambda turn: replace(turn, actions=(NEVER, *turn.actions))),
            "A choice for all calls is saved without a caller",
        ),
        (_on("2", _without(Dial)), "The menu speaks and then has no next step"),
        (_on("5", lambda turn: replace(turn, actions=())), "The caller is left in silence"),
    ],
)
def test_a_planted_fault_is_found_with_the_keys_that_lead_to_it(machine: menu.Machine, fault: str) -> None:
    found = menu.faults(FULL, machine=machine)
    assert any(one.startswith(fault) for one in found)
    assert all(one.endswith(")") for one in found)


# --- Each branch ---


def test_1_records_this_call_after_it_is_written_down_and_says_so_inside_the_recording() -> None:
    assert last("c1").actions == (NOTICED, GIVEN, Record(), Say(menu.Phrase.AGREED, EN), Dial(Line.FORWARD))
    assert last("c1").state.step is Step.RECORDED


@pytest.mark.parametrize("inputs", ["c2", "ct", "c5*#7", "c3t", "c3332"])
def test_2_silence_and_keys_that_mean_nothing_go_on_unrecorded(inputs: str) -> None:
    turn = last(inputs)
    assert NOTICED in turn.actions
    assert REFUSED in turn.actions
    assert turn.actions[-1] == Dial(Line.FORWARD)
    assert turn.state.step is Step.UNRECORDED


def test_0_leads_to_a_person_unrecorded_and_on_to_the_main_line_when_nobody_is_there() -> None:
    assert last("c0").actions == (NOTICED, REFUSED, Say(menu.Phrase.PERSON, EN), Dial(Line.PERSON))
    assert last("c0u").actions == (Say(menu.Phrase.MAIN_LINE, EN), Dial(Line.FORWARD))
    assert last("c0a").actions == (HangUp(),)
    assert last("c0", Plan()).actions[-1] == Dial(Line.FORWARD)


def test_9_is_for_good_where_the_number_is_known() -> None:
    assert last("c9").actions == (NOTICED, REFUSED, NEVER, Say(menu.Phrase.NEVER, EN), Dial(Line.FORWARD))
    assert last("c9", known=False).actions == (
        NOTICED, REFUSED, Say(menu.Phrase.NEVER_UNKNOWN, EN), Dial(Line.FORWARD),
    )  # fmt: skip


@pytest.mark.parametrize("language", list(Language))
def test_no_words_promise_that_nothing_is_recorded_where_a_tracker_records_before_anybody_asks(
    language: Language,
) -> None:
    client = Client(name="Dentist")
    said = menu.spoken(Say(menu.Phrase.NEVER, language), Plan(), {})[0][1]
    asked = " ".join(text for _, text in menu.spoken(Ask(language), Plan(), {language: "Dentist."}))
    answers = [
        texts.confirming(client, label, [Purpose.RECORD], language=language, restores=False)
        for label in ("withdraw", "help")
    ]
    ready = wording.ready_withdraw(Channel.MENU, language, wording.Facts("Dentist", "Dentist"))
    for words in (said, asked, *answers, ready):
        assert not re.search(r"never (be )?record|not record,|or record you|grabar(emos|án)", words)
    for words in (said, *answers, ready):
        assert re.search(r"not use|use no|not used|no us|ni us|no se us", words)


def test_whoever_said_never_is_not_asked_again() -> None:
    turn = last("c", never=True)
    assert turn.actions == (Say(menu.Phrase.NOT_RECORDED, EN), Dial(Line.FORWARD))
    assert not records(menu.follow(FULL, "c1", never=True))


def test_3_speaks_the_other_language_and_back_but_not_for_ever() -> None:
    assert last("c3").actions == (NOTICED, Ask(ES))
    assert last("c33").actions == (NOTICED, Ask(EN))
    assert last("c333").actions == (NOTICED, Ask(ES))
    assert last("c3333").actions[-1] == Dial(Line.FORWARD)
    assert last("c31").actions[3] == Say(menu.Phrase.AGREED, ES)
    assert last("c3", Plan()).actions == (Say(menu.Phrase.AGAIN, EN), Ask(EN))


def test_who_hangs_up_has_agreed_to_nothing() -> None:
    assert last("ch").actions == (REFUSED,)
    assert last("c1h").actions == ()
    assert last("ch").state.step is Step.ENDED


def test_a_withdrawal_during_the_call_stops_the_recording_once() -> None:
    assert last("c1w").actions == (StopRecording(),)
    assert last("c1ww").actions == ()
    assert last("c2w").actions == ()


def test_a_line_that_nobody_answers_is_said() -> None:
    assert last("c2u").actions == (Say(menu.Phrase.NOBODY, EN), HangUp())
    assert last("c2a").actions == (HangUp(),)


def test_a_vendor_that_asks_again_gets_the_same_and_no_second_recording() -> None:
    def again(inputs: str, *, records_already: bool = False) -> tuple[menu.Action, ...]:
        return menu.resumed(FULL, last(inputs).state, records_already=records_already)

    assert again("c") == (Ask(EN),)
    assert again("c3") == (Ask(ES),)
    assert again("c1") == last("c1").actions[2:]
    assert again("c1", records_already=True) == last("c1").actions[3:]
    assert again("c0") == last("c0").actions[2:]
    assert again("c2") == last("c2").actions[2:]
    assert again("ch") == (HangUp(),)
    for path in menu.walk(FULL, depth=12):
        state = path.turns[-1].state
        found = menu.resumed(FULL, state, records_already=False)
        assert (Record() in found) == (state.step is Step.RECORDED)


@pytest.mark.parametrize(
    "path",
    some(
        (p for p in menu.walk(FULL, depth=12) if p.turns[-1].state != p.before),
        one_in=8,
        each=lambda path: path.turns[-1].state.step,
    ),
)
def test_a_state_is_remembered_in_twenty_characters(path: menu.Path) -> None:
    state = path.turns[-1].state
    assert len(state.packed()) <= 20
    assert State.unpacked(state.packed(), known=state.known) == state


# --- Words ---


def said(inputs: str, plan: Plan = FULL, words: dict[Language, str] | None = None) -> str:
    return " ".join(
        text
        for action in last(inputs, plan).actions
        if isinstance(action, Ask | Say)
        for _, text in menu.spoken(action, plan, words or WORDS)
    )


def test_the_notice_is_followed_by_the_keys_and_the_other_language_in_its_own_words() -> None:
    text = said("c")
    assert text.startswith(WORDS[EN])
    for words in (
        "Press 1 to agree",
        "Press 2 to continue",
        "Press 0",
        "Press 9",
        "If you do not press a key",
    ):
        assert words in text
    assert text.endswith("Para español, marque 3.")
    assert "3" not in said("c", Plan())
    assert said("c3").endswith("For English, press 3.")


def test_a_key_that_the_notice_names_is_not_named_twice() -> None:
    words = "We record. Press 1 to agree, press the key two to refuse. Marque el 3 para español."
    text = said("c", words={EN: words, ES: ""})
    assert "Press 1 to agree to" not in text
    assert "Press 2 to go" not in text
    assert "Para español, marque 3." not in text
    assert "Press 9" in text
    assert menu.keys_named("Oprima el número 1 o pulse nueve. Press freedom 2, call 911.") == {"1", "9"}
    assert menu.keys_named("Press 2 to continue without, or 9 so that we never do.") == {"2", "9"}
    assert menu.keys_named("You may call one or 9 of us.") == frozenset()


def test_every_phrase_is_there_in_every_language() -> None:
    for language in Language:
        for phrase in menu.Phrase:
            ((spoken_in, text),) = menu.spoken(Say(phrase, language), FULL, WORDS)
            assert (spoken_in, text.endswith(".")) == (language, True)


def test_what_is_no_input_is_left_out() -> None:
    assert menu.follow(FULL, "c?1<").inputs == "c1"
