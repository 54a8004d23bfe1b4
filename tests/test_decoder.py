"""Whatever bytes arrive: a report is taken or refused, never a failure of ours."""

import asyncio
import json
from typing import Any, cast

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from archnest.fleet import Fleet
from archnest.ingest import Ingest
from tests.factories import container, report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = sorted(container())


def accepted(body: bytes) -> bool:
    """Whether the decoder takes it; what it takes must go all the way to its row."""
    ingest = Ingest(cast(Any, None), Fleet(1_000))
    try:
        record = asyncio.run(ingest.read(lambda: body, 1_000.0)).as_record()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    assert msgspec.json.decode(record.report_json) is not None
    record.report_json.decode()
    return True


@given(st.binary(max_size=500))
def test_any_bytes(body: bytes) -> None:
    accepted(body)


@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_any_field(field: str, value: Any) -> None:
    accepted(json.dumps(report("a", container("n", **{field: value}))).encode("utf-8"))


@given(st.dictionaries(st.text(max_size=50), st.text(max_size=50), max_size=5), st.text())
def test_any_labels_and_texts_are_taken(labels: dict[str, str], text: str) -> None:
    made = container(labels=labels, command=text, env=[{"key": text, "value": text}])
    document = json.dumps(report("a", made))
    assert accepted(document.encode())
