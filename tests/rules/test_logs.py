"""What we log is a name that stands in the code, and listed fields: no text of an error, and no logger but ours."""

import ast
from pathlib import Path
from typing import Final

import pytest

from callprivacy.lib.logs import FIELDS
from tests.rules.source import ROOT, files, nodes

METHODS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
LOGGERS: Final = frozenset({"log", "_log", "logger"})
OUR_WORDS: Final = {
    # Why the trail is not sealed: positions and what to run.
    "callprivacy/audit/tasks.py",
    # What a vendor did, in words of consent/channels/twilio.py, callrail.py and codes.py; never what it answered.
    "consent/services/codes.py",
    "rights/services/fetching.py",
    "rights/services/house_codes.py",
    "retention/services/truth.py",
}
"""Files that log the text of errors of ours, whose texts stand in our code with ids and figures alone."""
TOLD: Final = frozenset({"detail", "what", "why"})
"""Fields that are read as a sentence, and so could hold what a caller or one of the staff typed."""
TOLD_BY_US: Final = OUR_WORDS | {
    # The name of a task.
    "callprivacy/tenancy/jobs.py",
    # What is wrong with a folder, in words of callprivacy/calls/channels/folders.py and buckets.py.
    "callprivacy/calls/services/drops.py",
    # Which limit, by the name that its caller gives it with an id.
    "consent/services/limits.py",
    # Why a recording did not come, in words of consent/channels/recordings.py.
    "consent/services/store.py",
    # What Twilio did, in words of consent/channels/twilio.py.
    "consent/services/text_sending.py",
}
"""Files where such a field is more than a constant, whose words stand in our code too."""


def _calls(file: Path) -> list[ast.Call]:
    return [
        node
        for node in nodes(file)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in METHODS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    ]


def unlisted(file: Path) -> list[str]:
    """Calls whose event is no constant, that have more than one, or a field that is not listed."""
    return [
        ast.unparse(call)
        for call in _calls(file)
        if len(call.args) != 1
        or not isinstance(call.args[0], ast.Constant)
        or not {keyword.arg for keyword in call.keywords} <= FIELDS | {"exc_info"}
    ]


def words_of_errors(file: Path) -> list[str]:
    """Calls that write an error, its text or its repr."""
    return [
        ast.unparse(call)
        for call in _calls(file)
        for keyword in call.keywords
        for node in ast.walk(keyword.value)
        if isinstance(node, ast.FormattedValue)
        or (
            isinstance(node, ast.Name)
            and node.id in {"error", "exc", "repr"}
            and not _is_only_read(keyword.value)
        )
    ]


def words_of_others(file: Path) -> list[str]:
    """Calls in which a field that is read as a sentence is more than constants and the name of a class."""
    return [
        ast.unparse(call)
        for call in _calls(file)
        for keyword in call.keywords
        if keyword.arg in TOLD and not _is_constant(keyword.value)
    ]


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, ast.IfExp):
        return _is_constant(value.body) and _is_constant(value.orelse)
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Attribute) and value.attr == "__name__")


def _is_only_read(value: ast.expr) -> bool:
    """Whether of an error there is the name of its class, or an attribute."""
    return isinstance(value, ast.Attribute) and (
        value.attr == "__name__" or isinstance(value.value, ast.Name)
    )


def other_loggers(file: Path) -> list[str]:
    """Loggers of the standard library, and what is printed."""
    return [
        ast.unparse(node)
        for node in nodes(file)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"logging.getLogger", "print"}
    ]


def _of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_every_event_is_a_name_with_listed_fields() -> None:
    assert [said for file in files() for said in unlisted(file)] == []


def test_no_text_of_an_error_is_logged_but_ours() -> None:
    assert {_of(file) for file in files() if words_of_errors(file)} == OUR_WORDS


def test_what_is_read_as_a_sentence_is_in_our_words() -> None:
    assert {_of(file) for file in files() if words_of_others(file)} == TOLD_BY_US


def test_nobody_has_a_logger_of_another_kind() -> None:
    assert {_of(file) for file in files() if other_loggers(file)} <= {"callprivacy/lib/logs.py"}


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("log.error(f'mail.lost {to}')", unlisted),
        ("log.error('mail.lost', to)", unlisted),
        ("log.error('mail.lost', address=to)", unlisted),
        ("log.error('mail.lost', **facts)", unlisted),
        ("log.error('mail.lost', why=str(error))", words_of_errors),
        ("log.error('mail.lost', why=f'{to}')", words_of_errors),
        ("log.error('mail.lost', why=repr(send))", words_of_errors),
        ("log.error('case.refused', why=form.cleaned_data['why'])", words_of_others),
        ("log.error('case.refused', detail=case.reason if case else '')", words_of_others),
        ("log.error('case.refused', what=said)", words_of_others),
        ("logging.getLogger(__name__).error(to)", other_loggers),
    ],
)
def test_a_planted_line_is_found(tmp_path: Path, planted: str, rule: object) -> None:
    file = tmp_path / "planted.py"
    file.write_text(planted, encoding="utf-8")
    assert callable(rule)
    assert rule(file)
