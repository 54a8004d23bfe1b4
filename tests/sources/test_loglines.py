"""The engine's log stream, however its bytes are cut."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.sources.loglines import MAX_FRAME_BYTES, MAX_LINE, PIECE_BYTES, LogLine, LogLines

AT = "2026-06-20T19:30:00.123456789Z"
LATER = "2026-06-20T19:31:00.123456789Z"


def frame(kind: int, text: str, at: str = AT) -> bytes:
    payload = f"{at} {text}".encode()
    return bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def fed(data: bytes, sizes: list[int], **how: bool) -> list[LogLine]:
    """The lines of data that comes in parts of these sizes, over and over."""
    lines, found, start = LogLines(**{"has_terminal": False, **how}), [], 0
    while start < len(data):
        size = sizes[start % len(sizes)]
        found += lines.feed(data[start : start + size])
        start += size
    return [*found, *lines.rest()]


text = st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)), max_size=50)
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), text)), sizes)
def test_lines_come_out_as_they_went_in(lines: list[tuple[int, str]], sizes: list[int]) -> None:
    data = b"".join(frame(kind, f"{one}\n") for kind, one in lines)
    expected = [LogLine({1: "stdout", 2: "stderr"}[kind], AT, one) for kind, one in lines]
    assert fed(data, sizes) == expected


@given(st.lists(text), sizes)
def test_a_terminals_lines_come_out_too(lines: list[str], sizes: list[int]) -> None:
    data = b"".join(f"{AT} {one}\r\n".encode() for one in lines)
    expected = [LogLine("stdout", AT, one) for one in lines]
    assert fed(data, sizes, has_terminal=True) == expected


def test_a_long_line_in_several_messages_is_one_and_is_cut() -> None:
    parts = [frame(1, "x" * 16_384) for _ in range(20)]
    (line,) = fed(b"".join([*parts, frame(1, "end\n")]), [100_000])
    assert (line.at, len(line.text)) == (AT, MAX_LINE + 1)
    assert set(line.text[:-1]) == {"x"}


def test_stdout_and_stderr_do_not_mix_within_a_line() -> None:
    begun = "x" * PIECE_BYTES
    data = frame(1, begun) + frame(2, "other\n") + frame(1, "line\n")
    assert [line.text for line in fed(data, [7])] == ["other", begun + "line"]


def test_last_words_without_an_end_of_line_do_not_run_into_the_next_start() -> None:
    data = b"".join(frame(2, "fatal: no config", at) for at in (AT, LATER, LATER))
    assert fed(data, [9]) == [
        LogLine("stderr", at, "fatal: no config") for at in (AT, LATER, LATER)
    ]
    (joined,) = fed(data, [9], in_pieces=False)
    assert joined == LogLine("stderr", AT, "fatal: no config" * 3)


@given(st.integers(1, 3), text, st.lists(st.integers(1, 20_000), min_size=1))
def test_a_long_line_of_a_terminal_has_no_time_in_its_midst(
    full: int, last: str, sizes: list[int]
) -> None:
    pieces = ["x" * PIECE_BYTES] * full
    data = "".join(f"{AT} {piece}" for piece in pieces) + f"{LATER} {last}\r\n{LATER} next\r\n"
    line, after = fed(data.encode(), sizes, has_terminal=True)
    assert (line.at, line.text[:MAX_LINE]) == (AT, ("".join(pieces) + last)[:MAX_LINE])
    assert after == LogLine("stdout", LATER, "next")


@pytest.mark.parametrize("words", ["$ ", "", "a prompt that is as long as a time, and longer $ "])
@given(sizes=sizes)
def test_a_terminals_last_line_has_its_time_too(words: str, sizes: list[int]) -> None:
    data = f"{AT} first\r\n{LATER} {words}".encode()
    expected = [LogLine("stdout", AT, "first"), LogLine("stdout", LATER, words)]
    assert fed(data, sizes, has_terminal=True) == expected[: 2 if words else 1]


def test_a_line_that_never_ended_and_bytes_that_are_no_text_are_shown() -> None:
    (line,) = fed(frame(2, "half")[:-1] + b"\xff", [3])
    assert (line.stream, line.text) == ("stderr", "hal�")


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 400 no", bytes([1, 0, 0, 0]) + (MAX_FRAME_BYTES + 1).to_bytes(4), b"\x09" * 8],
)
def test_what_has_no_frames_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no frames"):
        list(LogLines(has_terminal=False).feed(data))


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_fail_otherwise(data: bytes, has_terminal: bool) -> None:
    lines = LogLines(has_terminal=has_terminal)
    with contextlib.suppress(ValueError):
        found = [*lines.feed(data), *lines.rest()]
        assert not any("\n" in line.text for line in found)
