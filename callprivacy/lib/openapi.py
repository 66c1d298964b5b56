"""An OpenAPI document as rows that a page can draw without a script: operations, what they take, what they answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Field:
    """
    One value of a body.

    :ivar name: with the names of what it lies in, "answers[].position".
    """

    name: str
    type: str
    is_required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered with a status."""

    status: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its address, its words, what it takes and answers."""

    id: str
    method: str
    path: str
    title: str
    text: str
    fields: tuple[Field, ...]
    answers: tuple[Response, ...]


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation of a document, in its order."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        Operation(
            id=facts["operationId"],
            method=method.upper(),
            path=path,
            title=facts.get("summary", ""),
            text=" ".join(facts.get("description", "").split()),
            fields=tuple(_fields(_schema_of(facts.get("requestBody", {})), schemas)),
            answers=tuple(
                Response(str(status), _title(answer, schemas), tuple(_fields(_schema_of(answer), schemas)))
                for status, answer in facts.get("responses", {}).items()
            ),
        )
        for path, methods in document.get("paths", {}).items()
        for method, facts in methods.items()
    ]


def _schema_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _title(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    schema = _resolved(_schema_of(answer), schemas)
    return " ".join(str(schema.get("description", "")).split())


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = schemas.get(str(reference).rpartition("/")[2], {})
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _options(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a value may be, each once, without null."""
    schema = _resolved(schema, schemas)
    several = schema.get("anyOf") or schema.get("allOf")
    found = [_resolved(one, schemas) for one in several] if several else [schema]
    return [one for one in found if one.get("type") != "null"]


def _fields(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str = "", depth: int = 0
) -> Iterator[Field]:
    if depth >= _DEEPEST:
        return
    for option in _options(schema, schemas):
        required = set(option.get("required", ()))
        for name, inner in option.get("properties", {}).items():
            yield Field(
                name=f"{before}{name}",
                type=" or ".join(dict.fromkeys(_type(one, schemas) for one in _options(inner, schemas))),
                is_required=name in required,
                text=" ".join(str(inner.get("description", "")).split()),
            )
            yield from _inner(inner, schemas, f"{before}{name}", depth)


def _inner(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int) -> Iterator[Field]:
    for option in _options(schema, schemas):
        if option.get("type") == "array":
            yield from _fields(option.get("items", {}), schemas, f"{name}[].", depth + 1)
        elif isinstance(option.get("additionalProperties"), Mapping):
            yield from _fields(option["additionalProperties"], schemas, f"{name}.*.", depth + 1)
        else:
            yield from _fields(option, schemas, f"{name}.", depth + 1)


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(value) or '""' for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        inner = " or ".join(
            dict.fromkeys(_type(one, schemas) for one in _options(schema.get("items", {}), schemas))
        )
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"list of {inner}{most}"
    return {"date-time": "instant", "uuid": "id"}.get(
        str(schema.get("format")), str(schema.get("type", "any"))
    )
