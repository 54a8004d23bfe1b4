"""The bounds every document obeys, from the report schema, version 1."""

from typing import Annotated

from msgspec import Meta

MAX_CONTAINERS = 5_000
MAX_ITEMS = 1_000
"""Most labels, env entries, ports, networks or mounts of one container."""
MAX_TEXT = 32_768
INT64_MAX = 2**63 - 1

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
"""A whole number that SQLite and every JSON reader of 64 bits can hold."""
Mark = Annotated[str, Meta(min_length=1, max_length=128)]
"""What tells one machine from another."""
ExitCode = Annotated[int, Meta(ge=-(2**63), le=INT64_MAX)]
Percent = Annotated[float, Meta(ge=0)]
"""100 is one core fully used; msgspec itself refuses NaN and infinities."""
HostId = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,128}\Z",
        description="1 to 128 of A-Z a-z 0-9 . _ - and neither '.' nor '..'",
    ),
]
Timestamp = Annotated[
    str,
    Meta(
        pattern=(
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
        ),
        description="RFC 3339; kept as text because engines count nanoseconds",
    ),
]
