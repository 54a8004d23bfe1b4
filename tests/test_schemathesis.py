"""The API does what its OpenAPI document says, whatever is asked and whoever asks."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from archnest.api.routes import ROUTES
from archnest.openapi import document
from tests.factories import AGENT_TOKEN, MEMBER, container
from tests.web.site import Site

EXAMPLES = 8
OURSELVES = {
    "post /api/auth/logout": "it would sign out who asks",
    "post /api/sources": "the server would connect to whatever address was made up",
    "post /api/sources/test": "the same",
    "patch /api/sources/{hostId}": "the same",
    "get /metrics": "its answer is text, which tests/api/test_metrics.py reads",
}
"""Not asked here, and why."""
SCHEMA = schemathesis.openapi.from_dict(document(ROUTES))
OPERATIONS = {
    name: operation
    for result in SCHEMA.get_all_operations()
    if (name := f"{(operation := result.ok()).method} {operation.path}") not in OURSELVES
}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with two accounts and a host."""
    site = Site(tmp_path_factory.mktemp("schemathesis"))
    site.add_admin()
    site.start()
    site.add_member()
    site.push("nas", container("web"))
    yield site
    site.stop()
    assert "Traceback" not in site.output


@pytest.fixture(scope="module")
def tokens(site: Site) -> dict[str, str]:
    """What each kind of caller shows."""
    body = {"username": MEMBER[0], "password": MEMBER[1]}
    member = site.ask("POST", "/api/auth/login", body)["token"]
    return {"nobody": "", "agent": AGENT_TOKEN, "member": member, "admin": site.token}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("who", ["nobody", "agent", "member", "admin"])
def test_every_answer_is_as_the_document_says(
    site: Site, tokens: dict[str, str], who: str, name: str
) -> None:
    headers = {"Authorization": f"Bearer {tokens[who]}"} if tokens[who] else {}

    @given(case=OPERATIONS[name].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.headers = {**(case.headers or {}), **headers}
        response = case.call(base_url=site.url, timeout=30)
        case.validate_response(response, checks=CHECKS)

    ask()
