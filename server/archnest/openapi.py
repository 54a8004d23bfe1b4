"""The route table as an OpenAPI 3.1 document; pure.

Generated from the structs that decode and encode, so it cannot say anything
else than the server does.
"""

import re
import types
import typing
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from archnest import __version__
from archnest.auth.access import Access

JSON = "application/json"
PROBLEM = "application/problem+json"


class DescribedRoute(Protocol):
    """What the document needs to know of a route."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def handler(self) -> Any: ...
    @property
    def access(self) -> Access: ...
    @property
    def status(self) -> int: ...
    @property
    def hints(self) -> dict[str, Any]: ...
    @property
    def body_type(self) -> Any: ...
    @property
    def path_names(self) -> list[str]: ...
    @property
    def query_names(self) -> list[str]: ...


class ProblemDocument(msgspec.Struct, frozen=True):
    """RFC 9457: what went wrong, for programs (`type`) and for people."""

    type: str
    title: str
    status: int
    detail: str


class Description(msgspec.Struct, frozen=True):
    """OpenAPI 3.1: the document itself."""

    openapi: str
    info: dict[str, str]
    servers: list[dict[str, str]]
    paths: dict[str, dict[str, Any]]
    components: dict[str, Any]


def document(routes: Sequence[DescribedRoute], base_path: str = "/") -> dict[str, Any]:
    """Describe every route: parameters, bodies, answers and who may call."""
    answers = [_answer_type(route) for route in routes]
    wanted = [kind for kind in answers if kind is not None]
    wanted += [route.body_type for route in routes if route.body_type is not None]
    schemas, components = msgspec.json.schema_components(
        [*wanted, ProblemDocument], ref_template="#/components/schemas/{name}"
    )
    components = _with_ecma_patterns(components)
    schema_of = dict(zip([*wanted, ProblemDocument], _with_ecma_patterns(schemas), strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route, answer in zip(routes, answers, strict=True):
        path = re.sub(r"\{(\w+)\}", lambda match: "{" + _camel(match[1]) + "}", route.path)
        operation = _operation(route, answer, schema_of)
        paths.setdefault(path, {})[route.method.lower()] = operation
    described = Description(
        openapi="3.1.0",
        info={"title": "ArchNest", "version": __version__},
        servers=[{"url": base_path.rstrip("/") or "/"}],
        paths=paths,
        components={
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "agentToken": {"type": "http", "scheme": "bearer"},
            },
        },
    )
    found: dict[str, Any] = msgspec.to_builtins(described)
    return found


def _with_ecma_patterns(found: Any) -> Any:
    """The same schemas with patterns as JSON Schema has them.

    They decode with Python's `\\Z`, as its `$` takes a line feed at the end;
    ECMA 262 has no `\\Z`, and its `$` is as strict.
    """
    if isinstance(found, list | tuple):
        return [_with_ecma_patterns(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {
        name: value.replace(r"\Z", "$")
        if name == "pattern" and isinstance(value, str)
        else _with_ecma_patterns(value)
        for name, value in found.items()
    }


def _operation(
    route: DescribedRoute, answer: Any, schema_of: dict[Any, dict[str, Any]]
) -> dict[str, Any]:
    problem = {"content": {PROBLEM: {"schema": schema_of[ProblemDocument]}}}
    success: dict[str, Any] = {"description": "done"}
    if answer is not None:
        success["content"] = {_media_type(route): {"schema": schema_of[answer]}}
    elif _media_type(route) != JSON:
        success["content"] = {_media_type(route): {"schema": {"type": "string"}}}
    name = route.handler.__name__
    operation: dict[str, Any] = {
        "operationId": _camel(name),
        "summary": (route.handler.__doc__ or name).strip().splitlines()[0],
        "responses": {
            str(route.status): success,
            "default": {"description": "a problem document", **problem},
        },
        "security": _security(route.access),
        "x-access": route.access.name.lower(),
    }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body_type is not None:
        content = {JSON: {"schema": schema_of[route.body_type]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: DescribedRoute) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        {"name": _camel(name), "in": "path", "required": True, "schema": text}
        for name in route.path_names
    ] + [{"name": name, "in": "query", "schema": text} for name in route.query_names]


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access in (Access.ANYONE, Access.TICKET):
        return []
    return [{"agentToken": []}] if access is Access.AGENT else [{"session": []}]


def _media_type(route: DescribedRoute) -> str:
    """What a streamed or a text answer says of itself; all others are JSON."""
    returned = route.hints.get("return")
    return str(getattr(typing.get_origin(returned) or returned, "media_type", JSON))


def _answer_type(route: DescribedRoute) -> Any:
    """The struct a handler answers with: X of `X`, `Encoded[X]` and unions with responses."""
    returned = route.hints.get("return")
    options = (
        typing.get_args(returned)
        if isinstance(returned, types.UnionType) or typing.get_origin(returned) is typing.Union
        else (returned,)
    )
    for option in options:
        origin = typing.get_origin(option)
        kind = typing.get_args(option)[0] if origin is not None and origin is not dict else option
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
