"""
What a kind of file may do, read from the source of every file: entrances translate and make one call, services know
no queue, one room knows cryptography. Each rule is shown to find a planted fault.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rules.source import ROOT, files, nodes

# What talks to the outside: it asks the clock and translates, and services do the deeds.
ENTRANCES = {
    "views", "api", "management", "middleware", "context", "adapter", "backends", "admin", "tasks", "forms",
    "jobs", "tables", "templatetags", "urls",
}  # fmt: skip
_WRITES = {
    "save", "create", "acreate", "update", "aupdate", "delete", "adelete", "bulk_create", "bulk_update",
    "get_or_create", "update_or_create", "remove", "set", "add", "clear",
}  # fmt: skip
SHELL = ROOT / "dashboard/context.py"
_OF_QUERYSETS = _WRITES - {"remove", "set", "add", "clear"}
# Raw SQL outside services, selectors and migrations, and why.
RAW_SQL = {
    "callprivacy/tenancy/scope.py": "it is what opens a scope",
    "callprivacy/tenancy/apps.py": "it hands the owner's cursor on, and writes no statement",
    "callprivacy/lib/beside.py": "it is an operation of migrations",
    "callprivacy/lib/statements.py": "it is what hands cursors out, and writes no statement",
}
# Signatures of what goes between systems, over no key of ours that opens anything, and whose they are.
SIGNATURES = {
    "callprivacy/settings.py": "the key that scopes are signed with, derived from one that the program has",
    "callprivacy/tenancy/scope.py": "what enters a scope, which PostgreSQL checks",
    "callprivacy/calls/providers/callrail.py": "what the tracker signed",
    "callprivacy/calls/providers/ctm.py": "what the tracker signed",
    "callprivacy/calls/providers/mapped.py": "what the tracker signed",
    "callprivacy/calls/providers/twilio.py": "what the tracker signed",
    "consent/services/webhooks.py": "what we send, as the Standard Webhooks specification has it",
}
# Forms that Django's middleware does not guard, and why.
UNPROTECTED = {
    "consent/views/doors.py": "callers' pages have no session; a signed note stands in the token's place",
    "callprivacy/accounts/views/signed_out.py": "an agency's provider signs what it sends",
    "callprivacy/calls/views/hooks.py": "trackers sign what they send",
    "consent/views/desk_doors.py": "Twilio signs what it sends",
    "consent/views/phone.py": "the demo's vendor has a password of its own",
    "consent/views/texts.py": "Twilio signs what it sends",
    "consent/views/voice.py": "Twilio signs what it sends",
    "callprivacy/calls/views/imports.py": "guarded by csrf_protect, once it is set where the file goes",
    "consent/views/list_checks.py": "guarded by csrf_protect, once it is set where the list goes",
    "consent/views/registers.py": "guarded by csrf_protect, once it is set where the file goes",
    "consent/views/posted.py": "guarded by csrf_protect, once it is set where the picture goes",
    "governance/views/certificates.py": "guarded by csrf_protect, once it is set where the certificate goes",
    "consent/views/terms.py": "guarded by csrf_protect, once it is set where the document goes",
    "consent/views/invitations.py": "guarded by csrf_protect, once it is set where the list or the message goes",
}


def kind_of(file: Path) -> str:
    """The name on the ladder that a file has: `views` for calls/views/calls.py."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    inside = parts[2:] if parts[0] == "callprivacy" else parts[1:]
    return inside[0] if inside else parts[-1]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _imported(file: Path) -> Iterator[tuple[int, str]]:
    for node in nodes(file):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def _chain(node: ast.expr) -> list[str]:
    """`Call.objects.filter(...)` as ["Call", "objects", "filter"]; of `caches["a"].delete` the names too."""
    names: list[str] = []
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return names[::-1]


def writes(file: Path) -> list[str]:
    """Calls that write rows: by a manager, or by a method that only rows and querysets have."""
    found = []
    for node in nodes(file):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        chain = _chain(node.func)
        by_manager = chain[-1] in _WRITES and {"objects", "_default_manager", "_base_manager"} & set(chain)
        by_method = chain[-1] in _OF_QUERYSETS and not _is_a_mapping(chain)
        if by_manager or by_method:
            found.append(f"{_name(file)}:{node.lineno} {'.'.join(chain)}")
    return found


def _is_a_mapping(chain: list[str]) -> bool:
    """`context.update(...)`, `session.save()`, `cache.delete(...)` and the like are no rows."""
    return bool({"context", "headers", "initial", "attrs", "session", "caches"} & set(chain[:-1]))


def clock_reads(file: Path) -> list[str]:
    """Calls of the clock."""
    return [
        f"{_name(file)}:{node.lineno}"
        for node in nodes(file)
        if isinstance(node, ast.Attribute)
        and (
            (node.attr in {"now", "localdate", "localtime"} and _chain(node)[:1] == ["timezone"])
            or (node.attr in {"now", "utcnow", "today"} and _chain(node)[-2:-1] in (["datetime"], ["date"]))
        )
    ]


def raw_sql(file: Path) -> list[str]:
    """Places where SQL is written by hand."""
    return [
        f"{_name(file)}:{node.lineno} {_chain(node.func)[-1]}"
        for node in nodes(file)
        if isinstance(node, ast.Call)
        and _chain(node.func)[-1:]
        and _chain(node.func)[-1] in {"cursor", "raw", "RawSQL", "extra"}
    ]


def imports_of(file: Path, *packages: str) -> list[str]:
    """Lines that import one of these packages."""
    return [
        f"{_name(file)}:{line} {name}" for line, name in _imported(file) if name.split(".")[0] in packages
    ]


def bare_days(file: Path) -> list[str]:
    """Fields of Django's own for days and moments, which take the year 1 and the year 9999: no zone has all of them."""
    return [
        f"{_name(file)}:{node.lineno} {chain[-1]}"
        for node in nodes(file)
        if isinstance(node, ast.Call)
        and (chain := _chain(node.func))[-1:]
        and chain[-1] in {"DateField", "DateTimeField", "SplitDateTimeField"}
        and chain[0] != "models"
    ]


def _found(rule: Callable[[Path], list[str]], among: Callable[[Path], bool]) -> list[str]:
    return [fault for file in files() if among(file) for fault in rule(file)]


def test_no_entrance_writes_but_through_a_service() -> None:
    assert _found(writes, lambda file: kind_of(file) in ENTRANCES) == []


def test_days_are_asked_for_by_a_field_that_knows_which_there_are() -> None:
    assert _found(bare_days, lambda file: "models" not in file.parts and file.stem != "models") == []


def test_selectors_only_read() -> None:
    assert _found(writes, lambda file: kind_of(file) in {"selectors", "enums", "kinds"}) == []


def test_only_entrances_ask_the_clock() -> None:
    assert _found(clock_reads, lambda file: kind_of(file) not in ENTRANCES and kind_of(file) != "demo") == []


def test_only_the_vault_knows_cryptography() -> None:
    def rule(file: Path) -> list[str]:
        return imports_of(file, "cryptography", "encrypted_model_fields", "nacl")

    assert _found(rule, lambda file: "vault" not in file.parts) == []


def test_keyed_digests_are_made_in_the_vault_but_for_signatures_that_others_prescribe() -> None:
    found = _found(lambda file: imports_of(file, "hmac"), lambda file: "vault" not in file.parts)
    assert {fault.partition(":")[0] for fault in found} == SIGNATURES.keys()


def test_only_models_and_access_know_guardian() -> None:
    allowed = {"callprivacy/accounts/models.py", "callprivacy/accounts/access.py"}
    assert _found(lambda file: imports_of(file, "guardian"), lambda file: _name(file) not in allowed) == []


def test_only_tasks_know_the_queue() -> None:
    def rule(file: Path) -> list[str]:
        return imports_of(file, "celery")

    assert (
        _found(rule, lambda file: kind_of(file) not in {"tasks", "jobs"} and file.name != "celery.py") == []
    )


def test_sql_is_written_in_services_and_selectors() -> None:
    allowed = {"services", "selectors", "access"}
    assert _found(raw_sql, lambda file: kind_of(file) not in allowed and _name(file) not in RAW_SQL) == []
    assert {name for name in RAW_SQL if not (ROOT / name).exists()} == set()


def keys_of_the_shell() -> set[str]:
    """What the frame around every page is told, by the processor that tells it."""
    [shell] = [node for node in nodes(SHELL) if isinstance(node, ast.FunctionDef) and node.name == "shell"]
    return {key for node in ast.walk(shell) for key in _keys(node)}


def _keys(node: ast.AST) -> set[str]:
    """Keys that are written into a dict there: by its braces, by one key, by `dict(...)` or by `update(...)`."""
    if isinstance(node, ast.Dict):
        written = node.keys
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        written = [node.slice]
    elif isinstance(node, ast.Call) and _chain(node.func)[-1:] in (["dict"], ["update"]):
        return {word.arg for word in node.keywords if word.arg}
    else:
        return set()
    return {key.value for key in written if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def hides_the_shell(file: Path) -> list[str]:
    """Keys of a view that the frame has, too: what a view gives wins, and the frame would draw that."""
    shell = keys_of_the_shell()
    return [
        f"{_name(file)}:{getattr(node, 'lineno', 0)} {key}"
        for node in nodes(file)
        for key in sorted(_keys(node) & shell)
    ]


def test_no_view_takes_a_name_of_the_frame() -> None:
    assert len(keys_of_the_shell()) > 10
    # A tag draws a piece of its own, without the frame.
    assert _found(hides_the_shell, lambda file: file != SHELL and kind_of(file) != "templatetags") == []


def test_nobody_turns_the_guards_off() -> None:
    """No `mark_safe`, no pickles, and no form without its token but at the trackers' door."""
    exempt = []
    for file in files():
        for node in nodes(file):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in {"mark_safe", "csrf_exempt", "SafeString", "autoescape_off"}:
                    exempt.append((_name(file), name))
        assert imports_of(file, "pickle", "marshal", "shelve") == []
    assert set(exempt) == {(file, "csrf_exempt") for file in UNPROTECTED}


def test_templates_escape_everything() -> None:
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert "|safe" not in text, template
        assert "autoescape off" not in text, template
        assert "safeseq" not in text, template


_TAG = re.compile(r"<[a-z](?:\{%.*?%\}|\{\{.*?\}\}|\"[^\"]*\"|'[^']*'|[^<>\"'])*>", re.DOTALL)
_BY_ITSELF = re.compile(r'hx-trigger="[^"]*\b(?:every|load|revealed|intersect)\b')
_ASKS = re.compile(r"\shx-(?:get|post|put|patch|delete)=")
UNATTENDED = """hx-headers='{"X-Unattended": "1"}'"""


def asks_as_if_used(text: str) -> list[str]:
    """
    Tags of a template that ask by themselves and do not say so, and what would say so by inheritance where a person
    presses: a piece's headers are those of all that is in it.
    """
    asking = [tag for tag in _TAG.findall(text) if _ASKS.search(tag)]
    by_itself = [tag for tag in asking if _BY_ITSELF.search(tag)]
    if len(by_itself) != len(_BY_ITSELF.findall(text)):
        return [text]
    silent = [tag for tag in by_itself if UNATTENDED not in tag]
    return silent + ([tag for tag in asking if tag not in by_itself] if by_itself else [])


def test_what_asks_by_itself_says_so() -> None:
    """Else a tab that is left open would keep its session in use for ever."""
    texts = {file: file.read_text(encoding="utf-8") for file in (ROOT / "templates").rglob("*.html")}
    assert sum(len(_BY_ITSELF.findall(text)) for text in texts.values()) > 10
    assert {file.name: found for file, text in texts.items() if (found := asks_as_if_used(text))} == {}


@pytest.mark.parametrize(
    "text",
    [
        """<p hx-get="/x/" hx-trigger="every 2s">""",
        """<p hx-get="/x/" hx-trigger="load delay:100ms">""",
        """<p{% if a > 1 %} hx-get="{% url 'x' %}" hx-trigger="every 1s"{% endif %}>""",
        f"""<p hx-get="/x/" hx-trigger="every 2s" {UNATTENDED}><form hx-post="/y/">""",
    ],
)
def test_a_piece_that_asks_as_if_used_is_found(text: str) -> None:
    assert asks_as_if_used(text)
    assert asks_as_if_used(f"""<p hx-get="/x/" hx-trigger="every 2s" {UNATTENDED}>""") == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (writes, "def view(request):\n    Call.objects.for_client(c).update(seconds=1)\n"),
        (writes, "def view(request):\n    row.save(update_fields=['a'])\n"),
        (writes, "def view(request):\n    rows.filter(pk=1).delete()\n"),
        (bare_days, "class Form(forms.Form):\n    day = forms.DateField(required=False)\n"),
        (bare_days, "self.fields['at'] = forms.DateTimeField()\n"),
        (clock_reads, "at = timezone.now()\n"),
        (clock_reads, "at = datetime.now(UTC)\n"),
        (hides_the_shell, "return render(request, 'a.html', {'nav': [], 'rows': []})\n"),
        (hides_the_shell, "context['current_client'] = client\n"),
        (hides_the_shell, "context.update(membership=member)\n"),
        (raw_sql, "with connection.cursor() as c: pass\n"),
        (raw_sql, "rows = Call.objects.raw('SELECT 1')\n"),
        (lambda file: imports_of(file, "celery"), "from celery import shared_task\n"),
    ],
)
def test_each_rule_finds_a_planted_fault(
    rule: Callable[[Path], list[str]], source: str, tmp_path: Path
) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(source, encoding="utf-8")
    assert len(rule(planted)) == 1


def test_what_is_no_write_is_left_alone(tmp_path: Path) -> None:
    fine = tmp_path / "fine.py"
    fine.write_text("context.update(a=1)\nfound.add(1)\nrows.filter(a=1)\nservices.create_client(a=1)\n")
    assert writes(fine) == []


def test_no_hook_of_a_commit_is_printed_by_django() -> None:
    """Django logs a robust hook that fails with its arguments: lib/after_commit.py alone logs what failed."""
    assert [file for file in files() if "robust=" in file.read_text(encoding="utf-8")] == []
