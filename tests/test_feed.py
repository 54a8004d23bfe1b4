"""The feed's compression, with what is installed to make it fast and without."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from archnest.feed import fast_gzip, plain_gzip


@pytest.mark.parametrize("compress", [fast_gzip(), plain_gzip])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_what_is_compressed_comes_out_as_it_was(
    compress: Callable[[bytes], bytes], size: int
) -> None:
    body = b"".join(b'{"id":%d,"name":"web"},' % number for number in range(size // 20))[:size]
    packed = compress(body)
    assert gzip.decompress(packed) == body
    # A name that content alone decides: equal answers are equal bytes.
    assert compress(body) == packed
    # One member and nothing behind it, as some clients insist.
    stream = zlib.decompressobj(wbits=31)
    stream.decompress(packed)
    assert stream.eof
    assert not stream.unused_data
