"""What goes out compressed, with what is installed to make it fast and without."""

import gzip
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from archnest import packing
from archnest.packing import SMALL_BYTES, Gzip, Part, fast_gzip, plain_gzip


@pytest.mark.parametrize("compress", [fast_gzip(), plain_gzip])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_what_is_compressed_comes_out_as_it_was(
    compress: Callable[[bytes], bytes], size: int
) -> None:
    body = json_of(size)
    packed = compress(body)
    assert unpacked(packed) == body
    # A name that content alone decides: equal answers are equal bytes.
    assert compress(body) == packed


@pytest.mark.parametrize("library", [isal_zlib, zlib])
def test_parts_make_one_gzip(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_deflate", library)

    @given(st.lists(st.one_of(st.binary(), st.integers(0, 300_000).map(json_of))))
    def check(texts: list[bytes]) -> None:
        parts = [Part(text) for text in texts]
        assert unpacked(joined(parts)) == b"".join(texts)
        # They are the same in any other answer.
        assert unpacked(joined(parts[::-1])) == b"".join(texts[::-1])

    check()


@pytest.mark.parametrize("size", [0, SMALL_BYTES, SMALL_BYTES + 1, 100_000])
def test_parts_add_little(size: int) -> None:
    text = json_of(size)
    alone = len(plain_gzip(text)) if size > SMALL_BYTES else size
    assert len(joined([Part(text)])) <= 1.5 * alone + 32


def joined(parts: Sequence[Part]) -> bytes:
    answer = Gzip()
    for part in parts:
        answer.add(part)
    return b"".join(answer.pieces())


def json_of(size: int) -> bytes:
    return b"".join(b'{"id":%d,"name":"web"},' % number for number in range(size // 20 + 1))[:size]


def unpacked(packed: bytes) -> bytes:
    # One member and nothing behind it, as some clients insist.
    stream = zlib.decompressobj(wbits=31)
    body = stream.decompress(packed)
    assert stream.eof
    assert not stream.unused_data
    assert gzip.decompress(packed) == body
    return body
