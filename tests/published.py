"""
What vendors publish of their interfaces, and whether a question of ours and an answer of a played vendor are such.

The facts are in `tests/fixtures/published`, one file a vendor, with the address that each was read at. A played vendor
holds what it is asked and what it answers against them: a field that the vendor does not have, one of another kind, or
a parameter that it does not know is wrong. Only the few words of JSON Schema are understood that those files use.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

FOLDER: Final = Path(__file__).parent / "fixtures" / "published"
VENDORS: Final = ("twilio", "callrail", "ctm", "invoca")
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,), "null": (type(None),),
}  # fmt: skip


@cache
def of(vendor: str) -> dict[str, Any]:
    """What is written down of a vendor."""
    found: dict[str, Any] = json.loads((FOLDER / f"{vendor}.json").read_text())
    return found


@dataclass
class Watch:
    """Holds a played vendor to what is published; `wrong` says what was not so, and is empty where all was."""

    wrong: list[str] = field(default_factory=list)

    def exchange(
        self,
        method: str,
        target: str,
        said: Mapping[str, str],
        status: int,
        payload: Any,
        *,
        lies: bool = False,
    ) -> None:
        """
        Hold a question and its answer to what is published.

        :param target: the path with its query. :param said: the form that was posted. :param lies: the answer is to be
            one that the vendor would not give.
        """
        parts = urlsplit(target)
        found = _asked(method, parts.path)
        if found is None:
            self.wrong.append(f"{method} {parts.path}: nobody publishes that")
            return
        about, fact = found
        asked = parse_qsl(parts.query, keep_blank_values=True)
        self.wrong += _parameters(about, asked, fact.get("query", {}), "query")
        self.wrong += _parameters(about, list(said.items()), fact.get("body", {}), "form")
        self.wrong += [f"form: {name} is missing" for name in fact.get("required", ()) if name not in said]
        if 200 <= status < 300 and "answer" in fact and not lies:
            self.wrong += _answer(about, fact["answer"], payload, dict(asked))


def _asked(method: str, path: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    for vendor in VENDORS:
        about = of(vendor)
        for name, fact in about["questions"].items():
            shape = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(name))
            if re.fullmatch(shape, f"{method} {path}"):
                return about, fact
    return None


def _parameters(
    about: Mapping[str, Any], said: list[tuple[str, str]], known: Mapping[str, Any], where: str
) -> list[str]:
    wrong = []
    for name, value in said:
        if name not in known:
            wrong.append(f"{where}: {name} is no parameter")
        elif "list_of" in known[name]:
            names = about[known[name]["list_of"]]
            wrong += [f"{where}: {name} names {one!r}" for one in value.split(",") if one not in names]
        else:
            wrong += _value(about, f"{where}: {name}", _read(value, known[name].get("type")), known[name])
    return wrong


def _read(value: str, kind: Any) -> Any:
    """A parameter is text: that of a number is read as one."""
    if "integer" in (kind or ()) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "boolean" in (kind or ()) and value in {"true", "false"}:
        return value == "true"
    return value


def _answer(about: Mapping[str, Any], fact: Any, payload: Any, asked: Mapping[str, str]) -> list[str]:
    if isinstance(fact, str):
        return _object(about, fact, payload, about["objects"][fact])
    if "items" in fact:
        wrong = _value(about, "answer", payload, {"type": "array", **fact})
        columns = asked.get("include_columns", "").split(",")
        rows = payload if isinstance(payload, list) else []
        return wrong + [
            f"answer: {name} was not asked for" for row in rows for name in row if name not in columns
        ]
    return _object(about, "answer", payload, fact)


def _object(about: Mapping[str, Any], where: str, found: Any, fact: Mapping[str, Any]) -> list[str]:
    if not isinstance(found, dict):
        return [f"{where}: is no object"]
    known = fact["properties"]
    wrong = [f"{where}: {name} is missing" for name in fact["required"] if name not in found]
    for name, value in found.items():
        if name not in known:
            wrong.append(f"{where}: {name} is no field")
        else:
            wrong += _value(about, f"{where}: {name}", value, known[name])
    return wrong


def _value(about: Mapping[str, Any], where: str, value: Any, fact: Mapping[str, Any]) -> list[str]:
    kinds = fact.get("type", list(_KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_one = any(isinstance(value, _KINDS[kind]) for kind in kinds)
    if not is_one or (isinstance(value, bool) and "boolean" not in kinds):
        return [f"{where} is no {' or '.join(kinds)}"]
    if isinstance(value, list) and "items" in fact:
        name = fact["items"]
        return [one for row in value for one in _object(about, name, row, about["objects"][name])]
    if isinstance(value, str) and (unlike := _unlike(value, fact)):
        return [f"{where} is {unlike}"]
    if "minimum" in fact and not fact["minimum"] <= value <= fact.get("maximum", value):
        return [f"{where} is too small or too large"]
    return []


def _unlike(value: str, fact: Mapping[str, Any]) -> str:
    """In what a text is not as it is published; "" where it is."""
    if "enum" in fact and value not in fact["enum"]:
        return f"none of {', '.join(fact['enum'])}"
    if "pattern" in fact and not re.search(fact["pattern"], value):
        return f"not written as {fact['pattern']}"
    return f"no {fact['format']}" if "format" in fact and not _is_written(value, fact["format"]) else ""


def _is_written(value: str, form: str) -> bool:
    try:
        if form == "date":
            return date.fromisoformat(value).isoformat() == value
        if form == "date-time":
            return datetime.fromisoformat(value).tzinfo is not None
        if form == "date-time-rfc-2822":
            return parsedate_to_datetime(value).tzinfo is not None
    except ValueError:
        return False
    return bool(urlsplit(value).scheme and urlsplit(value).netloc)
