"""The OpenAPI document says what the routes and structs say."""

import json
import re
import subprocess
from collections.abc import Iterator
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


def patterns(found: Any) -> Iterator[str]:
    """Every pattern in a part of the document."""
    if isinstance(found, list):
        for one in found:
            yield from patterns(one)
    elif isinstance(found, dict):
        for name, value in found.items():
            if name == "pattern" and isinstance(value, str):
                yield value
            else:
                yield from patterns(value)


def test_patterns_are_those_of_json_schema(described: dict[str, Any]) -> None:
    found = sorted(set(patterns(described)))
    words = ["nas", "..", "nas\n", "2026-06-20T19:30:00Z", "2026-06-20T19:30:00Z\n"]
    # With `u`, as JSON Schema has it, an escape that means nothing is an error.
    script = (
        "const [found, words] = JSON.parse(process.argv[1]);"
        "const compiled = found.map((one) => new RegExp(one, 'u'));"
        "console.log(JSON.stringify(words.map((word) => compiled.map((one) => one.test(word)))));"
    )
    command = ["node", "-e", script, json.dumps([found, words])]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    host_id = next(n for n, one in enumerate(found) if "{1,128}" in one)
    timestamp = next(n for n, one in enumerate(found) if "T[0-9]" in one)
    matches = json.loads(ran.stdout)
    assert [row[host_id] for row in matches[:3]] == [True, False, False]
    assert [row[timestamp] for row in matches[3:]] == [True, False]
