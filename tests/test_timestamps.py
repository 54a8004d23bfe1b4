"""Times as text: none loses what it says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.timestamps import rfc3339, unix_nanoseconds, unix_seconds

SECONDS = st.integers(0, 4_102_444_800)


@given(SECONDS, st.integers(0, 10**9 - 1), st.sampled_from(["Z", "+00:00", ""]))
def test_each_nanosecond_of_an_engines_time_counts(second: int, nanos: int, zone: str) -> None:
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert unix_nanoseconds(f"{moment}.{nanos:09}{zone}") == second * 10**9 + nanos
    assert unix_nanoseconds(moment + zone) == second * 10**9


@given(SECONDS, st.integers(0, 999))
def test_milliseconds_come_back_as_they_went(second: int, millis: int) -> None:
    text = rfc3339(second + millis / 1000)
    assert abs(unix_seconds(text) - second - millis / 1000) < 0.0015
    assert unix_nanoseconds(text) == round(unix_seconds(text) * 1000) * 10**6


def test_a_zone_shifts_the_time() -> None:
    assert unix_nanoseconds("2026-01-01T02:00:00.5+02:00") == 1767225600_500000000


@pytest.mark.parametrize("text", ["", "now", "12", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        unix_nanoseconds(text)
