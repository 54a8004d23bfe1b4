"""The OpenAPI document says what the routes and structs say."""

import re
from typing import Any

import pytest

from archnest.api.routes import ROUTES
from archnest.openapi import document


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(ROUTES)


def test_every_route_is_described_with_who_may_call_it(described: dict[str, Any]) -> None:
    operations = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert len(operations) == len(ROUTES)
    for route in ROUTES:
        operation = operations[route.method, re.sub(r"\{\w+\}", "{}", route.path)]
        assert operation["x-access"] == route.access.name.lower()
        assert operation["summary"]
        assert str(route.status) in operation["responses"]


def test_operation_ids_are_unique(described: dict[str, Any]) -> None:
    ids = [
        operation["operationId"]
        for methods in described["paths"].values()
        for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))


def test_every_reference_resolves(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    names = set(re.findall(r"#/components/schemas/([^'\"]+)", str(described)))
    assert {"Report", "Container", "Changes", "ProblemDocument"} <= names
    assert names <= set(schemas)


def test_a_report_is_described_with_its_bounds(described: dict[str, Any]) -> None:
    report = described["components"]["schemas"]["Report"]
    assert set(report["required"]) == {"hostId", "containers"}
    assert report["properties"]["containers"]["maxItems"] == 5_000


def test_answers_have_schemas_unless_they_are_empty(described: dict[str, Any]) -> None:
    for methods in described["paths"].values():
        for operation in methods.values():
            (status, success), *_ = operation["responses"].items()
            assert (status in ("101", "204")) is ("content" not in success)
